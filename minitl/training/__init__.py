"""Time: batches, epochs, and what happened. `loop` is the file to read."""

from .callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LearningRateHistory,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
)
from .compiled import compiled, holds_metrics
from .history import History
from .loop import evaluate, fit, predict, train_on_batch, train_step
from .range_test import RangeTest, range_test
from .recovery.backup import BackupAndRestore
from .ridge import RidgeHead, ridge_head
from .warned import about_loss

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "History",
    "LearningRateHistory",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "RangeTest",
    "ReduceLROnPlateau",
    "RidgeHead",
    "about_loss",
    "compiled",
    "evaluate",
    "fit",
    "holds_metrics",
    "predict",
    "range_test",
    "ridge_head",
    "train_on_batch",
    "train_step",
]

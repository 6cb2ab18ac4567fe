"""Time: batches, epochs, and what happened.

Reading order: `loop` (what all of it is about), `state` (where a training is), `compiled` and `weighting` (losses,
metrics and weights of each output), `refused` and `warned` (what cannot be, and what is nearly never meant), `callbacks`,
`history`, `recovery` (going on to the last bit), `ridge` and `range_test` (a head in closed form, a learning rate).
"""

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

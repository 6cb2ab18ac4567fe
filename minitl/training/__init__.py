"""Time: batches, epochs, and what happened. `loop` is the file to read."""

from .backup import BackupAndRestore
from .callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
)
from .history import History
from .loop import evaluate, fit, predict, train_on_batch, train_step

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "History",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "evaluate",
    "fit",
    "predict",
    "train_on_batch",
    "train_step",
]

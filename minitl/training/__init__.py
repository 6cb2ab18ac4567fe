"""Training: the loop over batches and epochs, callbacks, checkpoints, and heads in closed form.

Reading order: `loop` (the update, and the loop that repeats it), `state` (how far a training has come), `compiled` and
`weighting` (losses, metrics and weights of each output), `refused` and `warned` (errors before training begins, and
warnings of likely mistakes), `callbacks`, `history`, `recovery` (resuming a training, equal to the last bit), `ridge`
(a head in closed form) and `range_test` (the choice of a learning rate).
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

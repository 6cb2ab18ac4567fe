"""Training: the loop over batches and epochs, callbacks, checkpoints, and heads in closed form.

Reading order: `loop` (the update, and the loop that repeats it), `feeding` (where its batches come from), `measuring`
(evaluation and prediction), `state` (how far a training has come), `compiled` and `weighting` (losses, metrics and
weights of each output), `refused` and `warned` (errors before training begins, and warnings of likely mistakes),
`callbacks`, `monitors` (callbacks that watch a number), `calling` (when callbacks are called), `history`, `recovery`
(resuming a training, equal to the last bit), `ridge` (a head in closed form) and `range_test` (the choice of a learning
rate).
"""

from .callbacks import (
    Callback,
    CSVLogger,
    LambdaCallback,
    LearningRateHistory,
    LearningRateScheduler,
    TerminateOnNaN,
)
from .compiled import compiled, holds_metrics
from .history import History
from .loop import fit, train_on_batch, train_step
from .measuring import evaluate, predict, predict_on_batch, test_on_batch
from .monitors import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
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
    "LambdaCallback",
    "LearningRateHistory",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "RangeTest",
    "ReduceLROnPlateau",
    "RidgeHead",
    "TerminateOnNaN",
    "about_loss",
    "compiled",
    "evaluate",
    "fit",
    "holds_metrics",
    "predict",
    "predict_on_batch",
    "range_test",
    "ridge_head",
    "test_on_batch",
    "train_on_batch",
    "train_step",
]

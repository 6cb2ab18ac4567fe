"""Time: batches, epochs, and what happened. `loop` is the file to read."""

from .callbacks import Callback, LearningRateScheduler
from .history import History
from .loop import evaluate, fit, predict, train_on_batch, train_step

__all__ = [
    "Callback",
    "History",
    "LearningRateScheduler",
    "evaluate",
    "fit",
    "predict",
    "train_on_batch",
    "train_step",
]

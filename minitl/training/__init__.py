"""Time: batches, epochs, and what happened. `loop` is the file to read."""

from .history import History
from .loop import evaluate, fit, predict, prepare, train_on_batch, train_step

__all__ = ["History", "evaluate", "fit", "predict", "prepare", "train_on_batch", "train_step"]

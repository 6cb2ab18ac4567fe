"""The record of a training that `fit` returns, and the line that it prints after each epoch."""

import numpy as np

from ..terminal import columns, counted, fitted
from .callbacks import Callback


class History(Callback):
    """The record of a training. `history.history` maps each name ("loss", "accuracy", "val_loss", "val_accuracy") to a
    list with one number per epoch.

    `fit` makes one and returns it. As in Keras, a History among its callbacks is used instead.
    """

    added_logs = ()

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def __repr__(self):
        last = ", ".join(f"{name} {values[-1]:.4g}" for name, values in self.history.items() if values)
        return f"<History of {counted(len(self.epoch), 'epoch')}{': at the end ' + last if last else ''}>"

    def add(self, epoch, results):
        self.epoch.append(epoch)
        for name, value in results.items():
            self.history.setdefault(name, []).append(value)


def _number(name, value):
    """Return a number of an epoch as text, or several in brackets: a metric may have one for each class."""
    if np.ndim(value):
        return f"[{' '.join(f'{each:.4f}' for each in np.ravel(value))}]"
    return f"{value:.3g}" if name == "learning_rate" else f"{value:.4f}"


def epoch_line(epoch, epochs, results, seconds=None):
    """Return the line of an epoch: `Epoch  3/10  loss 0.4321  accuracy 0.8720  1.2 s`.

    Where the terminal is too narrow for it, the line ends without the seconds, and is wrapped if that is not enough.
    """
    numbers = "  ".join(f"{name} {_number(name, value)}" for name, value in results.items())
    line = f"Epoch {epoch:>{len(str(epochs))}}/{epochs}  {numbers}"
    timed = line if seconds is None else f"{line}  {seconds:.1f} s"
    return timed if len(timed) <= columns() else fitted(line)

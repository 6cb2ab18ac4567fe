"""Lines that tell how a training goes, for recipes whose trainings have many short epochs."""

from ..training import Callback
from ..training.history import epoch_line


class EpochLines(Callback):
    """A callback that prints a line for each epoch, or for about five of many epochs."""

    def __init__(self, epochs):
        self.epochs, self.every = epochs, max(1, epochs // 5)

    def on_epoch_end(self, epoch, logs=None):
        """Print the line of this epoch, if it is one of those to print."""
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.epochs:
            print(epoch_line(epoch + 1, self.epochs, logs), flush=True)

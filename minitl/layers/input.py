"""Where a graph begins."""

import numpy as np

from ..errors import ShapeError
from .base import Layer, SymbolicTensor


class InputLayer(Layer):
    """The place that images enter. `shape` is one image's: (H, W, C), with None for a size that may vary."""

    config_names = ("shape",)
    keeps_channels = True

    def __init__(self, shape, **kwargs):
        super().__init__(**kwargs)
        sizes = list(shape) if isinstance(shape, (tuple, list)) else ["not a sequence"]
        if any(size is not None and not (isinstance(size, (int, np.integer)) and size > 0) for size in sizes):
            raise ShapeError(
                f"Input shape is {shape!r}; expected one image's sizes without the batch, as (224, 224, 3)."
            )
        self.shape = tuple(None if size is None else int(size) for size in sizes)
        self.output = SymbolicTensor((None, *self.shape), self, ())

    @property
    def input_shape(self):
        return self.output.shape

    def forward(self, x, training=False):
        return x

    def backward(self, grad):
        return grad


def Input(shape, batch_size=None, name=None):
    """The symbolic input of a model. `shape` is one image's: `Input((224, 224, 3))`. Any batch is
    taken; `batch_size` is there for Keras's sake."""
    return InputLayer(shape, name=name).output

"""A part of a tensor: `x[:, -1]`, `x[..., :3]`, `x[..., ::-1]`, as NumPy takes it. Each is a call of `TakePart`.

`SymbolicTensor` gets its brackets here, because it stands below the layers and cannot know them.
"""

import numpy as np

from ..arguments import is_whole_number
from ..errors import ArgumentError, ShapeError
from .base import Layer
from .symbolic import SymbolicTensor


class TakePart(Layer):
    """y = x[index]. The batch stays whole.

    index   a list with an entry for each axis, the batch included: a whole number, which takes the axis away; or
            [start, stop, step], each a whole number or None. Axes that are not named are taken as they are
    """

    config_names = ("index",)
    keeps_integers = passes_numbers_on = True
    keras_operation = "GetItem"

    def __init__(self, index, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(index, (list, tuple)) or not index or not all(map(_is_entry, index)):
            raise ArgumentError(f"index is {index!r}; expected whole numbers and [start, stop, step] for the axes.")
        if index[0] != [None, None, None]:
            raise ArgumentError(
                f"index is {index!r}; expected the whole batch, [None, None, None], as its first entry."
            )
        self.index = [list(each) if isinstance(each, (list, tuple)) else int(each) for each in index]

    def keras_call(self, tensors):
        def in_keras(entry):
            config = dict(zip(("start", "stop", "step"), entry)) if isinstance(entry, list) else None
            return entry if config is None else {"class_name": "__slice__", "config": config}

        return [*tensors, [in_keras(entry) for entry in self.index]]

    @property
    def slices(self):
        """Return the index as NumPy takes it."""
        return tuple(slice(*each) if isinstance(each, list) else each for each in self.index)

    def check_input(self, input_shape):
        for axis, (size, entry) in enumerate(zip(input_shape, self.index)):
            if isinstance(entry, int) and size is not None and not -size <= entry < size:
                raise ShapeError(
                    f"layer '{self.name}': axis {axis} of the input {tuple(input_shape)} has no [{entry}]."
                )
        if len(self.index) > len(input_shape):
            raise ShapeError(f"layer '{self.name}': the input {tuple(input_shape)} has fewer axes than {self.index}.")

    def compute_output_shape(self, input_shape):
        sizes = []
        for axis, size in enumerate(input_shape):
            entry = self.index[axis] if axis < len(self.index) else [None, None, None]
            if isinstance(entry, list):
                is_whole = entry[0] is None and entry[1] is None and entry[2] in (None, 1, -1)
                sizes.append(size if is_whole else None if size is None else len(range(size)[slice(*entry)]))
        return tuple(sizes)

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.remember(x.shape)
        return x[self.slices]

    def backward(self, grad):
        """Return grad where the numbers were taken from, and 0 elsewhere: these do not reach y."""
        (shape,) = self.remembered()
        dx = np.zeros(shape, grad.dtype)
        dx[self.slices] = grad
        return dx


def _is_entry(entry):
    """Return whether `entry` is a whole number, or [start, stop, step]."""
    if isinstance(entry, (list, tuple)):
        is_three = len(entry) == 3 and entry[2] != 0
        return is_three and all(each is None or is_whole_number(each) for each in entry)
    return is_whole_number(entry)


def take_part(tensor, index):
    """Return the symbolic tensor[index]. Raises ArgumentError for an index that is no number, slice or `...`."""
    entries = list(index) if isinstance(index, tuple) else [index]
    if entries.count(...) > 1 or not all(
        each is ... or isinstance(each, slice) or is_whole_number(each) for each in entries
    ):
        raise ArgumentError(f"a symbolic tensor was indexed with {index!r}; expected whole numbers, slices and '...'.")
    if ... in entries:
        place, missing = entries.index(...), len(tensor.shape) - len(entries) + 1
        entries[place : place + 1] = [slice(None)] * missing
    return TakePart([[e.start, e.stop, e.step] if isinstance(e, slice) else e for e in entries])(tensor)


def _refuse_iteration(self):
    """Raise TypeError: Python would otherwise ask for x[0], x[1], ... without end."""
    raise TypeError("a symbolic tensor cannot be iterated over: name the part, as in x[:, 0].")


SymbolicTensor.__getitem__ = take_part
SymbolicTensor.__iter__ = _refuse_iteration  # type: ignore[attr-defined]

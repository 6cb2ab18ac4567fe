"""The form in which several arrays are passed: a single one, a list of them, or a dict by name.

A graph works on tuples. Outside, a model with one input takes an array and not a tuple of one, and a model that was
made with a dict takes a dict. `Structure` converts between the two, for inputs, outputs, labels and weights alike.
"""

from ..errors import ArgumentError, DataError, GraphError
from ..layers import SymbolicTensor
from ..terminal import counted


class Structure:
    """The form in which symbolic tensors were given, and conversions of values to that form and back.

    kind      "one", "list" or "dict"
    tensors   the symbolic tensors, a tuple
    names     for each tensor its key in the dict, else the name of its layer, with a number if it occurs twice
    """

    def __init__(self, given, argument):
        if isinstance(given, dict):
            self.kind, self.tensors, self._keys = "dict", tuple(given.values()), tuple(given)
        elif isinstance(given, (list, tuple)):
            self.kind, self.tensors, self._keys = "list", tuple(given), None
        else:
            self.kind, self.tensors, self._keys = "one", (given,), None
        for tensor in self.tensors:
            if not isinstance(tensor, SymbolicTensor):
                raise GraphError(
                    f"{argument} is {type(tensor).__name__}; expected a symbolic tensor (from Input(...), or a layer's "
                    "output), or a list or dict of them."
                )
        if not self.tensors:
            raise GraphError(f"{argument} is empty; expected a symbolic tensor, or a list or dict of them.")

    def __repr__(self):
        return f"<{self.kind}: {', '.join(map(str, self.names))}>"

    @property
    def names(self):
        """Return a name for each tensor, as a tuple."""
        if self._keys is not None:
            return self._keys
        found = []
        for tensor in self.tensors:
            name, number = tensor.layer.name, 0
            while name in found:
                number += 1
                name = f"{tensor.layer.name}_{number}"
            found.append(name)
        return tuple(found)

    @property
    def value(self):
        """Return the symbolic tensors in the form in which they were given; a list of one as the tensor itself."""
        return self.packed(self.tensors)

    def packed(self, values):
        """Return values, one for each tensor, in the form in which the tensors were given; a single one as itself."""
        if self.kind == "dict":
            return dict(zip(self.names, values))
        return values[0] if len(self.tensors) == 1 else list(values)

    def flat(self, values, what, optional=()):
        """Return the values, one for each tensor, as a tuple in order. Raises DataError for any other number of them.

        values     a list or tuple, a dict by name, or, if there is one tensor, a single array
        what       the name of `values` in the error's message
        optional   names that a dict may leave out; their value is None
        """
        names = self.names
        if isinstance(values, dict):
            missing = set(names) - set(values)
            if set(values) - set(names) or missing - set(optional):
                raise DataError(
                    f"{what} has {_quoted(values)}; expected one array for each of {_quoted(names)}, by these names."
                )
            return tuple(values.get(name) for name in names)
        if len(names) == 1:
            is_list_of_one = isinstance(values, (list, tuple)) and len(values) == 1 and hasattr(values[0], "shape")
            return tuple(values) if is_list_of_one and len(values[0].shape) else (values,)
        if not isinstance(values, (list, tuple)):
            raise DataError(
                f"{what} is {type(values).__name__}; expected a list or dict of {counted(len(names), 'array')}, one "
                f"for each of {_quoted(names)}."
            )
        if len(values) != len(names):
            raise DataError(f"{what} holds {counted(len(values), 'array')}; expected one for each of {_quoted(names)}.")
        return tuple(values)

    def settings(self, given, what, are_lists=False):
        """Return the settings (losses, weights, ...), one for each tensor, as a tuple.

        given       a dict by name, in which a missing name means None; a list by position; or one setting for all
        what        the name of `given` in the error's message
        are_lists   a setting is itself a list; so, if there is one tensor, a list is its setting
        """
        names = self.names
        if isinstance(given, dict):
            unknown = [str(name) for name in given if name not in names]
            if unknown:
                raise ArgumentError(f"{what} names '{unknown[0]}'; the model's outputs are {_quoted(names)}.")
            return tuple(given.get(name) for name in names)
        if isinstance(given, (list, tuple)) and not (len(names) == 1 and are_lists):
            if len(given) != len(names):
                raise ArgumentError(
                    f"{what} has {len(given)} entries; expected one for each of the outputs {_quoted(names)}."
                )
            return tuple(given)
        return (given,) * len(names)


def flattened(given):
    """Return what is in a list, tuple or dict as a list; a single thing as a list of one."""
    if isinstance(given, dict):
        return list(given.values())
    return list(given) if isinstance(given, (list, tuple)) else [given]


def _quoted(names):
    """Return names as text: 'a', 'b'."""
    return ", ".join(f"'{name}'" for name in names) or "nothing"

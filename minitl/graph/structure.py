"""How several arrays are handed over: one alone, a list of them, or a dict by name.

A graph works on tuples. Outside, a model with one input takes an array and not a tuple of one, and a model that was
made of a dict takes a dict. `Structure` goes from one to the other, for inputs, outputs, labels and weights alike.
"""

from ..errors import ArgumentError, DataError, GraphError
from ..layers import SymbolicTensor


class Structure:
    """The form in which tensors were given.

    kind      "one", "list" or "dict"
    tensors   the symbolic tensors, a tuple
    names     what each is called: its key in a dict, else the name of its layer, numbered where it stands there twice
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
                    f"{argument} is {type(tensor).__name__}; expected a symbolic tensor, from Input(...) or a layer's "
                    "output, or a list or dict of them."
                )
        if not self.tensors:
            raise GraphError(f"{argument} is empty; expected a symbolic tensor, or a list or dict of them.")

    @property
    def names(self):
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
        """The symbolic tensors as they were given; a list of one as the tensor itself."""
        return self.packed(self.tensors)

    def packed(self, values):
        """Return one value for each tensor in the form in which the tensors were given; one alone as itself."""
        if self.kind == "dict":
            return dict(zip(self.names, values))
        return values[0] if len(self.tensors) == 1 else list(values)

    def flat(self, values, what, optional=()):
        """Return one value for each tensor as a tuple, in order. `values` may be a lone array where there is one
        tensor, a list or tuple, or a dict by name, in which `optional` names may be missing: None. `what` names it in
        the DataError for anything else."""
        names = self.names
        if isinstance(values, dict):
            missing = set(names) - set(values)
            if set(values) - set(names) or missing - set(optional):
                raise DataError(
                    f"{what} has {_listed(values)}; expected one array for each of {_listed(names)}, by these names."
                )
            return tuple(values.get(name) for name in names)
        if len(names) == 1:
            is_row_of_one = isinstance(values, (list, tuple)) and len(values) == 1 and hasattr(values[0], "shape")
            return tuple(values) if is_row_of_one and len(values[0].shape) else (values,)
        if not isinstance(values, (list, tuple)):
            raise DataError(
                f"{what} is {type(values).__name__}; expected a list or dict of {len(names)} arrays, one for each of "
                f"{_listed(names)}."
            )
        if len(values) != len(names):
            raise DataError(f"{what} holds {len(values)} arrays; expected one for each of {_listed(names)}.")
        return tuple(values)

    def settings(self, given, what, are_lists=False):
        """Return one setting (a loss, a weight, ...) for each tensor. A dict goes by name, with None for what it does
        not name; a list by position; a single one is for all. `are_lists`: a setting is itself a list, so that of a
        single tensor is not taken apart."""
        names = self.names
        if isinstance(given, dict):
            unknown = [str(name) for name in given if name not in names]
            if unknown:
                raise ArgumentError(f"{what} names '{unknown[0]}'; the model's outputs are {_listed(names)}.")
            return tuple(given.get(name) for name in names)
        if isinstance(given, (list, tuple)) and not (len(names) == 1 and are_lists):
            if len(given) != len(names):
                raise ArgumentError(
                    f"{what} has {len(given)} entries; expected one for each of the outputs {_listed(names)}."
                )
            return tuple(given)
        return (given,) * len(names)


def _listed(names):
    return ", ".join(f"'{name}'" for name in names) or "nothing"

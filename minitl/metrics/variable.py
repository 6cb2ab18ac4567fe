"""A number or an array that a metric of your own keeps from batch to batch, with the methods of Keras's variables."""

import numpy as np


class Variable(np.ndarray):
    """An array that also has `assign`, `assign_add`, `assign_sub` and `numpy`, as Keras's variables. What is computed
    from it is a plain number or array."""

    def assign(self, value):
        """Set all numbers."""
        self[...] = value
        return self

    def assign_add(self, value):
        """Add to all numbers."""
        self[...] += np.asarray(value).astype(self.dtype)
        return self

    def assign_sub(self, value):
        """Subtract from all numbers."""
        return self.assign_add(-np.asarray(value))

    def numpy(self):
        """Return a copy as a plain array."""
        return np.array(self)

    def __array_wrap__(self, array, context=None, return_scalar=False):
        """Return the result of arithmetic: this array itself where it was changed in place, else a plain one."""
        if array is self:
            return self
        return np.asarray(array)[()] if return_scalar else np.asarray(array)


def variables_in(value):
    """Yield the variables in a value: in lists and dicts, and in other metrics."""
    if hasattr(value, "assign"):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from variables_in(each)
    elif hasattr(value, "update_state"):
        yield from variables_in(vars(value))

"""The memory of a layer: arrays that it keeps between `forward` and `backward`. A graph takes them out, and hands them
back.

Read next: `base`, the layer itself, and `graph/graph.py`, where `run` and `put_back` are called.
"""

from typing import Any

from ..errors import GraphError


class Memory:
    """The part of a `Layer` that remembers."""

    name: str
    forward: Any
    _remembered: tuple | None = None

    def remember(self, *arrays):
        """Keep the arrays that `backward` needs. Only references are kept: nothing is copied."""
        self._remembered = arrays

    def run(self, x, training=False, **options):
        """Return forward(x, ...) and what it remembered. Then restore what the layer remembered before."""
        before = self._remembered
        y = self.forward(x, training=training, **options)
        memory, self._remembered = self._remembered, before
        return y, memory

    def put_back(self, memory):
        """Hand back the memory that a `run` returned, for the next `backward`. Returns what was remembered before."""
        before, self._remembered = self._remembered, memory
        return before

    def remembered(self):
        """Return what the latest `forward` handed to `remember`, as a tuple."""
        if self._remembered is None:
            raise GraphError(
                f"layer '{self.name}': backward has nothing to work on. Run forward first. A model's forward keeps "
                "nothing for layers through which no gradient passes, and its backward uses up the rest."
            )
        return self._remembered

    def require_input(self, x):
        """Raise GraphError if `forward` did not keep x: the gradient of a kernel needs it, a frozen layer drops it."""
        if x is None:
            raise GraphError(f"layer '{self.name}' was frozen in forward and is trainable now: run forward again.")

    def __getstate__(self):
        """Return what is pickled: all but the reference to the graph that computed the gradients."""
        return {**vars(self), "gradients_of": None}

    def forget(self):
        """Drop what the latest `forward` remembered."""
        self._remembered = None

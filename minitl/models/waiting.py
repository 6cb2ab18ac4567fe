"""Models that wait for the shape of their input: a `Sequential` without an Input, and a model of your own with `call`.

    class Net(Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.scores = Dense(32, activation="relu"), Dense(10)

        def call(self, x):
            return self.scores(self.hidden(x))

With the first examples (in `fit`, `predict`, a call on arrays), or in `build`, they get their symbolic inputs. Then the
members of the row, or `call`, run once on these, and the model is a graph like any other (`layers.composed`).
"""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..data.batches import is_stream
from ..data.made_batches import makes_batches, unpacked
from ..errors import GraphError
from ..graph.graph import Graph
from ..layers import Input, InputLayer, SymbolicTensor
from ..layers.composed import bound_to_call, layers_within, number_freely, run_call
from ..layers.mode import inside
from ..layers.nested import flat, mapped, mapped_shapes
from ..not_here import no_attribute


class NoLayersYet(GraphError, AttributeError):
    """A model was asked for what it knows only with its input. `hasattr` takes it for an attribute that is missing, as
    in Keras."""


class Waiting(Graph):
    """The part of a model that can wait."""

    waiting_to_compile: tuple | None = None  # the arguments of `compile`, until there is a shape

    @property
    def built(self):
        """Return whether the model knows its input, and so has its weights."""
        return "calls" in vars(self)

    @property
    def is_waiting(self):
        """Return whether the model has members, or a `call`, and no graph yet."""
        return not self.built and hasattr(type(self), "call")

    @property
    def takes_several(self):
        """Return whether the model may be given a list or dict of arrays while it waits: then these are its inputs."""
        return hasattr(type(self), "call")

    def build(self, input_shape) -> None:
        """Create the weights of a model that waits, for a shape such as (None, 28, 28, 1): the batch and one example.
        Several inputs have a list or dict of shapes."""
        if self.is_waiting:
            self.begin_with(mapped_shapes(lambda shape: Input(shape[1:]), input_shape))

    def begin_with(self, inputs):
        """Make the graph that begins with these symbolic inputs."""
        with inside(None):
            self.connect(inputs, self.outputs_of(inputs))
        if self.waiting_to_compile is not None:
            arguments, self.waiting_to_compile = self.waiting_to_compile, None
            self.compile(*arguments)

    def outputs_of(self, inputs):
        """Return the symbolic outputs for symbolic inputs."""
        number_freely(layers_within(self))
        return run_call(self, bound_to_call(self, (inputs,), {}))

    def prepare_for(self, x):
        """Build a model that waits, with the shapes and types of the examples x, and return x. Of a generator, this
        takes the first batch and puts it back."""
        if not self.is_waiting:
            return x
        first = x
        if isinstance(x, Iterator):
            first = next(x)
            x = itertools.chain([first], x)
        elif makes_batches(x):
            first = next(iter(x))
        if first is not x:
            first, _, _ = unpacked(first)
        several = self.takes_several and isinstance(first, (list, tuple, dict))
        arrays = first if several or is_stream(first) else np.asarray(first)
        for each in flat(arrays):
            if not isinstance(each, np.ndarray) or each.ndim < 1 or each.dtype == object:
                raise NoLayersYet(self.what_is_missing())
        self.begin_with(mapped(input_for, arrays))
        return x

    def connect(self, inputs, outputs):
        """Make this the graph between these symbolic tensors. As in Keras, the layers of a model with `call` are in the
        order of its attributes, without the InputLayers."""
        super().connect(inputs, outputs)
        if hasattr(type(self), "call"):
            places = {layer: place for place, layer in enumerate(layers_within(self))}
            layers = [layer for layer in self._layers if not isinstance(layer, InputLayer)]
            self._layers = sorted(layers, key=lambda layer: places.get(layer, len(places)))

    if not TYPE_CHECKING:  # or every name would be taken for an attribute

        def __getattr__(self, name):
            """Raise an error for an attribute that is not there yet: a model that waits has no graph, and no shapes."""
            if name in ("input_structure", "output_structure", "calls") or hasattr(type(self), name):
                raise NoLayersYet(self.what_is_missing())
            raise no_attribute(self, name)

    def what_is_missing(self):
        """Return what to do about a model that has no graph yet."""
        return (
            f"model '{self.name}' does not know the shape of its input yet; give the first layer input_shape=(28, 28, "
            "1), or put an Input((28, 28, 1)) before it, or call build((None, 28, 28, 1)). fit and predict find it out "
            "from arrays."
        )


def input_for(array):
    """Return the symbolic input for arrays, or symbolic tensors, of this shape and type."""
    dtype = array.dtype if isinstance(array, SymbolicTensor) or array.dtype.kind in "iub" else None
    return Input(array.shape[1:], dtype=dtype)

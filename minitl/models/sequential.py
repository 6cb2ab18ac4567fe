"""`Sequential`: a model whose layers form one row, each on the output of the one before."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .. import optimizers, training
from ..arguments import NotHere, keras_arguments
from ..data.made_batches import PyDataset
from ..errors import GraphError, MinitlError
from ..layers import Input, InputLayer, Layer, SymbolicTensor
from .model import Model


class NoLayersYet(GraphError, AttributeError):
    """An empty Sequential was asked for what only layers can tell. `hasattr` takes it for an attribute that is missing,
    as in Keras."""


class Sequential(Model):
    """A model made of a list of layers: `Sequential([Conv2D(..., input_shape=(28, 28, 1)), ..., Dense(10)])`.

    The first layer gives the shape of one example with `input_shape=`, or it is an `Input`. Without either, the model
    waits: its layers get their weights with the first examples (in `fit`, `predict`, a call on an array), or in
    `build`. The list may contain models, and their layers become layers of the row. `add` puts one more layer at the
    end. As in Keras, `layers` does not contain the InputLayer.
    """

    keras_class = "Sequential"

    def __init__(self, layers: Iterable[Layer | Model | SymbolicTensor] = (), name: str | None = None) -> None:
        self.name, self.metadata, self.notes = name or "sequential", {}, []
        self._layers = []  # until there is a shape
        self._members = []  # the layers and models that were added
        self._start: Any = None  # the symbolic tensor before the first layer, and that behind the last
        self._end: Any = None
        self._waiting_to_compile: tuple | None = None  # the arguments of `compile`, until there is a shape
        for layer in layers:
            self._start, self._end = self._with(layer)
            self._members.append(_layer_of(layer))
        self._connect_members()

    def _connect_members(self):
        """Make the graph, or list the layers that wait for a shape."""
        if self._start is not None:
            self.connect(self._start, self._end)
        else:
            layers = [each for member in self._members for each in getattr(member, "layers", [member])]
            names = [layer.name for layer in layers if layer.is_named]
            if len(set(names)) < len(names):
                raise GraphError(f"two layers of '{self.name}' have the same name; expected different ones: {names}.")
            self._layers = layers

    @keras_arguments(after="layer", rebuild=NotHere(True))
    def add(self, layer: Layer | Model | SymbolicTensor) -> None:
        """Put `layer` behind the last one. If that raises an error, the model does not change."""
        before = self._start, self._end
        start, end = self._with(layer)
        if start is None:
            self._members.append(_layer_of(layer))
            self._connect_members()
            return
        self.connect(start, end)
        if self.loss is not None:  # the last layer has changed, so "accuracy" may mean another metric
            try:
                self.loss, self.metrics = training.compiled(self, *self.compiled_with)
            except MinitlError:
                self.connect(*before)
                raise
        self._start, self._end = start, end
        self._members.append(_layer_of(layer))

    @keras_arguments(rebuild=NotHere(True))
    def pop(self):
        """Take the last layer away, and return it."""
        if not self._members or isinstance(self._members[-1], InputLayer):
            raise GraphError(f"model '{self.name}' has no layer to take away.")
        last = self._members.pop()
        if self._start is not None:
            end = self._start
            for member in self._members:
                end = end if isinstance(member, InputLayer) else member(end)
            self._start, self._end = (self._start, end) if self._members else (None, None)
        self._connect_members()
        return last

    # ---- a model that waits for the shape of its input ----

    @property
    def built(self):
        """Return whether the model knows the shape of its input, and so has its weights."""
        return self._start is not None

    def build(self, input_shape) -> None:
        """Create the weights of a model that waits for a shape, (None, 28, 28, 1): the batch and one example."""
        if self.built and tuple(input_shape)[1:] != self._start.shape[1:]:
            raise GraphError(f"model '{self.name}' takes {self._start.shape}, and build got {tuple(input_shape)}.")
        if self.built or not self._members:
            return
        start = end = Input(tuple(input_shape)[1:])
        for member in self._members:
            end = member(end)
        self.connect(start, end)
        self._start, self._end = start, end
        if self._waiting_to_compile is not None:
            arguments, named = self._waiting_to_compile
            self._waiting_to_compile = None
            super().compile(*arguments, **named)

    def prepare_for(self, x):
        """Build a model that waits for a shape, with that of the examples x, and return x. Of a generator, this takes
        the first batch and puts it back."""
        if self.built or not self._members:
            return x
        first = x[0] if isinstance(x, PyDataset) else x
        if isinstance(x, Iterator):
            first = next(x)
            x = itertools.chain([first], x)
        first = first[0] if isinstance(first, tuple) else first
        if not isinstance(first, (np.ndarray, list)) or np.ndim(first) < 2:
            raise NoLayersYet(_no_shape(self))
        self.build(np.shape(first))
        return x

    def compile(self, *arguments, **named) -> None:
        """Choose how to train, as `Model.compile` does. A model that waits for a shape keeps the arguments for then."""
        if self.built or not self._members:
            super().compile(*arguments, **named)
        else:
            given = arguments[0] if arguments else named.get("optimizer", "rmsprop")
            self.optimizer = optimizers.get(given)
            rest = {name: value for name, value in named.items() if name != "optimizer"}
            self._waiting_to_compile = (self.optimizer, *arguments[1:]), rest

    @classmethod
    def _from_tensors(cls, inputs, outputs, row, name):
        if row is None:
            return Model(inputs, outputs, name=name)
        return Sequential([inputs, *row], name=name)

    @property
    def kind(self):
        """The kind under which the model is saved: "Sequential", a list of layers, or "Model", a graph. It is a graph
        if the row contains a model with branches, or with a layer that is called twice."""
        is_plain = self.is_row and len({call.layer for call in self.calls}) == len(self.calls)
        return "Sequential" if is_plain else "Model"

    def connect(self, inputs, outputs):
        super().connect(inputs, outputs)
        self._layers = [layer for layer in self._layers if not isinstance(layer, InputLayer)]

    def __getattr__(self, name):
        """Raise an error for an attribute that does not exist. An empty Sequential has no graph yet, and so no shapes
        and no inputs."""
        if name in ("input_structure", "output_structure", "calls") or hasattr(type(self), name):
            raise NoLayersYet(_no_shape(self))
        return super().__getattr__(name)

    def _with(self, member):
        """Return (start, end) of the row with one more layer or model. The first member gives the start."""
        member = _layer_of(member)
        if not isinstance(member, (Layer, Model)):
            raise GraphError(f"a Sequential is made of layers and models; found {member!r}.")
        if member in self._members:
            raise GraphError(
                f"layer '{member.name}' is used twice in this Sequential; it can be used only once, as in Keras. "
                "Make a second layer, or a Model, in which a layer can be called several times."
            )
        if self._start is not None:
            if isinstance(member, InputLayer):
                raise GraphError(
                    f"the Input '{member.name}' stands behind other members of '{self.name}'; a Sequential has one "
                    "Input, as its first member. Leave this one out."
                )
            return self._start, member(self._end)
        if self._members and isinstance(member, InputLayer):
            raise GraphError(
                f"the Input '{member.name}' stands behind other members of '{self.name}'; a Sequential has one "
                "Input, as its first member."
            )
        if isinstance(member, Model) and not self._members and member.built:
            return member.input, member.output
        if isinstance(member, InputLayer):
            return member.output, member.output
        if isinstance(member, Model):
            return None, None
        if self._members or member.first_input_shape is None:  # it waits for a shape
            return None, None
        start = Input(member.first_input_shape)
        return start, member(start)


def _layer_of(member):
    """Return the layer of a symbolic tensor: Input(...) returns one, and its layer is what belongs into the row."""
    return member.layer if isinstance(member, SymbolicTensor) else member


def _no_shape(model):
    """Return what to do about a model that has no graph yet."""
    what = "does not know the shape of its input yet" if model._members else "has no layers yet"
    return (
        f"model '{model.name}' {what}; give the first layer input_shape=(28, 28, 1), or put an Input((28, 28, 1)) "
        "before it, or call build((None, 28, 28, 1)). fit and predict find it out from arrays."
    )

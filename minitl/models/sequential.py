"""`Sequential`: a model whose layers form one row, each on the output of the one before."""

from collections.abc import Iterable
from typing import Any

from .. import training
from ..arguments import NotHere, keras_arguments
from ..errors import GraphError, MinitlError
from ..layers import Input, InputLayer, Layer, SymbolicTensor
from .model import Model


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
        super().build(input_shape)

    @property
    def is_waiting(self):
        return not self.built and bool(self._members)

    @property
    def takes_several(self):
        return getattr(self._members[0], "is_composed", False) or getattr(self._members[0], "takes_several", False)

    def outputs_of(self, inputs):
        end = inputs
        for member in self._members:
            end = member(end)
        self._start, self._end = inputs, end
        return end

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

    def compute_output_shape(self, input_shape):
        if self.built:
            return super().compute_output_shape(input_shape)
        for member in self._members:
            input_shape = member.compute_output_shape(input_shape)
        return input_shape

    def what_is_missing(self):
        if not self._members:
            return super().what_is_missing().replace("does not know the shape of its input yet", "has no layers yet")
        return super().what_is_missing()

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

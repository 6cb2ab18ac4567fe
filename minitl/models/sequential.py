"""`Sequential`: a model whose layers form one row, each on the output of the one before."""

from collections.abc import Iterable

from .. import training
from ..arguments import NotHere, keras_arguments
from ..errors import GraphError, MinitlError
from ..layers import Input, InputLayer, Layer, SymbolicTensor
from .model import Model


class NoLayersYet(GraphError, AttributeError):
    """An empty Sequential was asked for what only layers can tell. `hasattr` takes it for an attribute that is missing,
    as in Keras."""


class Sequential(Model):
    """A model made of a list of layers: `Sequential([Conv2D(..., input_shape=(28, 28, 1)), ..., Dense(10)])`.

    The first layer gives the shape of one example with `input_shape=`, or it is an `Input`. The list may contain
    models, and their layers become layers of the row. `add` puts one more layer at the end. As in Keras, `layers` does
    not contain the InputLayer.
    """

    keras_class = "Sequential"

    def __init__(self, layers: Iterable[Layer | Model | SymbolicTensor] = (), name: str | None = None) -> None:
        self.name, self.metadata, self.notes = name or "sequential", {}, []
        self._layers = []  # until there is a first layer
        self._members = []  # the layers and models that were added
        self._start = self._end = None  # the symbolic tensors before the first and behind the last layer
        for layer in layers:
            self._start, self._end = self._with(layer)
            self._members.append(layer)
        if self._start is not None:
            self.connect(self._start, self._end)

    @keras_arguments(after="layer", rebuild=NotHere(True))
    def add(self, layer: Layer | Model | SymbolicTensor) -> None:
        """Put `layer` behind the last one. If that raises an error, the model does not change."""
        before = self._start, self._end
        start, end = self._with(layer)
        self.connect(start, end)
        if self.loss is not None:  # the last layer has changed, so "accuracy" may mean another metric
            try:
                self.loss, self.metrics = training.compiled(self, *self.compiled_with)
            except MinitlError:
                self.connect(*before)
                raise
        self._start, self._end = start, end
        self._members.append(layer)

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
            raise NoLayersYet(f"model '{self.name}' has no layers yet; the first one needs input_shape=(28, 28, 1).")
        return super().__getattr__(name)

    def _with(self, member):
        """Return (start, end) of the row with one more layer or model. The first member gives the start."""
        if isinstance(member, SymbolicTensor):
            member = member.layer  # Input(...) returns a tensor; its layer is what belongs into the row
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
        if isinstance(member, Model):
            return member.input, member.output
        if isinstance(member, InputLayer):
            return member.output, member.output
        if member.first_input_shape is None:
            raise GraphError(
                f"the first layer of a Sequential, '{member.name}', needs the shape of one example: "
                "input_shape=(28, 28, 1), or an Input((28, 28, 1)) before it."
            )
        start = Input(member.first_input_shape)
        return start, member(start)

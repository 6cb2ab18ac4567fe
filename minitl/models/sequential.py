"""`Sequential`: a model whose layers stand in one row."""

from .. import training
from ..errors import GraphError
from ..layers import Input, InputLayer, Layer, SymbolicTensor
from .model import Model


class Sequential(Model):
    """`Sequential([Conv2D(..., input_shape=(28, 28, 1)), ..., Dense(10)])`.

    The first layer says the shape of one example, by `input_shape=` or by being an `Input`. A model in the list gives
    its layers. `add` puts one more layer behind the last. As in Keras, `layers` leaves the InputLayer out.
    """

    def __init__(self, layers=(), name=None):
        self.name, self.metadata, self.notes = name or "sequential", {}, []
        self.layers = []  # until there is a first layer
        self._members = []  # what was put into the row
        self._start = self._end = None  # the symbolic tensors before the first and behind the last layer
        for layer in layers:
            self._start, self._end = self._with(layer)
            self._members.append(layer)
        if self._start is not None:
            self.connect(self._start, self._end)

    def add(self, layer):
        """Put `layer` behind the last one. Where that is refused, nothing changes."""
        start, end = self._with(layer)
        self.connect(start, end)
        self._start, self._end = start, end
        self._members.append(layer)
        if self.loss is not None:  # the end is another one: "accuracy" may mean another metric now
            self.loss, self.metrics = training.compiled(self, *self.compiled_with)

    @property
    def kind(self):
        """A row is saved as its layers. With a model in it that has branches, or that calls a layer twice, it is saved
        as a graph."""
        is_plain = self.is_row and len({call.layer for call in self.calls}) == len(self.calls)
        return "Sequential" if is_plain else "Model"

    def connect(self, inputs, outputs):
        super().connect(inputs, outputs)
        self.layers = [layer for layer in self.layers if not isinstance(layer, InputLayer)]

    def __getattr__(self, name):
        """Only asked for what is not there: an empty Sequential has no graph yet."""
        if name in ("input_structure", "output_structure", "calls"):
            raise GraphError(f"model '{self.name}' has no layers yet; the first one needs input_shape=(28, 28, 1).")
        raise AttributeError(name)

    def _with(self, member):
        """(start, end) with one more layer or model; the first member brings the start."""
        if isinstance(member, SymbolicTensor):
            member = member.layer  # Input(...) is a tensor; what stands in the row is its layer
        if not isinstance(member, (Layer, Model)):
            raise GraphError(f"a Sequential is made of layers; found {member!r}.")
        if member in self._members:
            raise GraphError(
                f"layer '{member.name}' is used twice in this row; it can stand in a Sequential once, as in Keras. "
                "Make a second layer, or a Model, in which a layer can be called several times."
            )
        if self._start is not None:
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

"""`Sequential`: a model whose layers stand in one row."""

from ..errors import GraphError
from ..layers import Input, InputLayer, SymbolicTensor
from .model import Model


class Sequential(Model):
    """`Sequential([Conv2D(..., input_shape=(28, 28, 1)), ..., Dense(10)])`.

    The first layer says the shape of one image, by `input_shape=` or by being an `Input`. A model in the list gives
    its layers. `add` puts one more layer behind the last. As in Keras, `layers` leaves the InputLayer out.
    """

    def __init__(self, layers=(), name=None):
        self.name = name or "sequential"
        self._row = [_layer(each) for each in layers]
        if self._row:
            self._connect()

    def add(self, layer):
        self._row.append(_layer(layer))
        self._connect()

    def _connect(self):
        """Call the row's members one after the other, and make a model of what comes out."""
        first, *rest = self._row
        if isinstance(first, Model):
            start, tensor = first.input, first.output
        elif isinstance(first, InputLayer):
            start = tensor = first.output
        elif first.first_input_shape is not None:
            start = Input(first.first_input_shape)
            tensor = first(start)
        else:
            raise GraphError(
                f"the first layer of a Sequential, '{first.name}', needs the shape of one image: "
                "input_shape=(28, 28, 1), or an Input((28, 28, 1)) before it."
            )
        for member in rest:
            tensor = member(tensor)
        super().__init__(start, tensor, self.name)
        self.layers = [layer for layer in self.layers if not isinstance(layer, InputLayer)]


def _layer(member):
    """`Input(...)` is a tensor; what stands in the row is its layer."""
    return member.layer if isinstance(member, SymbolicTensor) else member

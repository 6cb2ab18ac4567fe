"""`Sequential`: a model whose layers stand in one row."""

from ..errors import GraphError
from ..layers import Input, InputLayer, Layer, SymbolicTensor
from .model import Model


class Sequential(Model):
    """`Sequential([Conv2D(..., input_shape=(28, 28, 1)), ..., Dense(10)])`.

    The first layer says the shape of one image, by `input_shape=` or by being an `Input`. A model in the list gives
    its layers. `add` puts one more layer behind the last. As in Keras, `layers` leaves the InputLayer out.
    """

    def __init__(self, layers=(), name=None):
        self.name = name or "sequential"
        self.layers = []  # until there is a first layer
        self.start = None  # the symbolic input
        for layer in layers:
            self._end = self._after_the_last(layer)
        if self.start is not None:
            super().__init__(self.start, self._end, self.name)
            self._hide_input()

    def add(self, layer):
        """Put `layer` behind the last one. What was compiled, and `metadata`, stay."""
        end = self._after_the_last(layer)
        kept = {name: getattr(self, name) for name in ("optimizer", "loss", "metrics", "metadata") if self.layers}
        super().__init__(self.start, end, self.name)
        self._end = end
        self._hide_input()
        self.__dict__.update(kept)

    def _after_the_last(self, member):
        """The symbolic output with one more layer or model; the first member starts the row."""
        if isinstance(member, SymbolicTensor):
            member = member.layer  # Input(...) is a tensor; what stands in the row is its layer
        if not isinstance(member, (Layer, Model)):
            raise GraphError(f"a Sequential is made of layers; found {member!r}.")
        if self.start is not None:
            return member(self._end)
        if isinstance(member, Model):
            self.start = member.input
            return member.output
        if isinstance(member, InputLayer):
            self.start = member.output
            return member.output
        if member.first_input_shape is None:
            raise GraphError(
                f"the first layer of a Sequential, '{member.name}', needs the shape of one image: "
                "input_shape=(28, 28, 1), or an Input((28, 28, 1)) before it."
            )
        start = Input(member.first_input_shape)
        end = member(start)
        self.start = start
        return end

    def _hide_input(self):
        self.layers = [layer for layer in self.layers if not isinstance(layer, InputLayer)]

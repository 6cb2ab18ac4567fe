"""Layers that are made from other layers: what they have in common, and `TimeDistributed`, which runs a layer on each
time step. The other one is `bidirectional`.

A wrapper owns the parameters of the layers within it, under names of its own ("forward_kernel"), so that optimizers,
weight files and checkpoints see one layer with these parameters. Before each forward and backward it lends them to the
layers within: no array is copied.
"""

from ..errors import ArgumentError, ShapeError
from .base import Layer
from .channels_first import ChannelsFirst


class Wrapper(Layer):
    """The base of the layers that are made from others. `inner` is {prefix of its parameters' names: layer}.

    It is frozen with all layers within, and each of these can be frozen by itself. A constructor ends with
    `freeze_inner`.
    """

    is_made = False  # True once the layers within are there

    @property
    def inner(self):
        raise NotImplementedError

    @property
    def trainable(self):
        """Return whether a layer within may learn. Setting it freezes or unfreezes all of them."""
        return any(layer.trainable for layer in self.inner.values()) if self.is_made else self._trainable

    @trainable.setter
    def trainable(self, value):
        self._trainable = value
        for layer in self.inner.values() if self.is_made else ():
            layer.trainable = value

    @property
    def trainable_names(self):
        return [f"{prefix}{name}" for prefix, layer in self.inner.items() for name in layer.trainable_names]

    def freeze_inner(self):
        """Take over the regularizers and constraints of the layers within. Freeze these layers if this one was made
        frozen; one that was frozen before stays so."""
        self.is_made = True
        for kind in ("regularizers", "constraints"):
            of_layers = [(prefix, getattr(layer, kind)) for prefix, layer in self.inner.items()]
            found = {f"{prefix}{name}": each for prefix, own in of_layers for name, each in own.items()}
            setattr(self, kind, found)
        if not self._trainable:
            self.trainable = False

    def build_inner(self, input_shape):
        """Create the parameters of the layers within, and own them."""
        self.built = True
        for prefix, layer in self.inner.items():
            layer.accept(input_shape)
            for names, own in (
                (layer.parameter_names, self.parameter_names),
                (layer.statistic_names, self.statistic_names),
            ):
                for name in names:
                    setattr(self, prefix + name, getattr(layer, name))
                    own.append(prefix + name)

    def lend(self):
        """Give the layers within their parameters."""
        for prefix, layer in self.inner.items():
            for name in layer.weight_names:
                setattr(layer, name, getattr(self, prefix + name))

    def take_back(self):
        """Take the statistics that a forward has replaced from the layers within."""
        for prefix, layer in self.inner.items():
            for name in layer.statistic_names:
                setattr(self, prefix + name, getattr(layer, name))

    def backward_of(self, prefix, memory, grad, method="backward"):
        """Return what the layer's own `backward` gives, and take over the gradients of its parameters."""
        layer = self.inner[prefix]
        before = layer.put_back(memory)
        layer.gradients.clear()
        found = getattr(layer, method)(grad)
        layer.put_back(before)
        self.gradients.update({prefix + name: gradient for name, gradient in layer.gradients.items()})
        layer.gradients.clear()
        return found

    @property
    def uses_batch(self):
        self.lend()
        return any(layer.uses_batch for layer in self.inner.values())

    @property
    def is_fixed(self):
        return super().is_fixed and all(layer.is_fixed or layer.weight_names for layer in self.inner.values())

    def forget_prepared(self):
        for layer in self.inner.values():
            layer.forget_prepared()

    def keras_paths(self):
        return {
            prefix + name: (f"{layer.name}/{legacy}", f"{attribute}/{numbered}")
            for (prefix, layer), attribute in zip(self.inner.items(), self.keras_attributes)
            for name, (legacy, numbered) in layer.keras_paths().items()
        }


class TimeDistributed(Wrapper):
    """A layer that is run on each time step, with the same parameters.  (N, T, ...) -> (N, T, ...).

    The steps of all examples together are one batch of N * T examples for the layer. A Dense does this by itself; this
    wrapper is for others, such as a Conv2D on the images of a film.
    """

    passes_mask = True
    keras_attributes = ("layer",)

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer_of(layer, "layer")
        if self.layer.merges:
            raise ArgumentError(f"layer is {type(self.layer).__name__}; expected one that takes one input.")
        self.random = self.layer.random
        self.takes_integers, self.keeps_integers = self.layer.takes_integers, self.layer.keeps_integers
        if hasattr(self.layer, "generator"):
            self.generator = self.layer.generator
        self.freeze_inner()

    @property
    def inner(self):
        return {"": self.layer}

    def get_config(self):
        return {**super().get_config(), "layer": as_data(self.layer)}

    def build(self, input_shape):
        self.build_inner(_of_one_step(input_shape))

    def check_input(self, input_shape):
        if len(input_shape) < 3:
            raise ShapeError(f"layer '{self.name}' expected an input of shape (N, T, ...), found {tuple(input_shape)}.")
        self.layer.check_input(_of_one_step(input_shape))

    def compute_output_shape(self, input_shape):
        found = self.layer.compute_output_shape(_of_one_step(input_shape))
        if isinstance(found, list):
            raise ShapeError(f"layer '{self.name}': the layer within gives {len(found)} outputs; expected one.")
        return (input_shape[0], input_shape[1], *found[1:])

    def compute_output_dtype(self, input_dtypes):
        return self.layer.compute_output_dtype(input_dtypes)

    def flops(self, input_shape):
        """Return the operations of the layer, for each step."""
        return (input_shape[1] or 0) * self.layer.flops(_of_one_step(input_shape))

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.lend()
        y, memory = self.layer.run(x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), training)  # (N*T, ...)
        self.take_back()
        self.remember(memory, x.shape, y.shape)
        return y.reshape(*x.shape[:2], *y.shape[1:])

    def backward(self, grad):
        """Return dL/dx: each step has its own, and the gradients of the parameters are sums over examples and steps."""
        return self._backward(grad, "backward").reshape(self.remembered()[1])

    def backward_to_parameters(self, grad):
        self._backward(grad, "backward_to_parameters")

    def _backward(self, grad, method):
        memory, _, y_shape = self.remembered()
        self.lend()
        return self.backward_of("", memory, grad.reshape(y_shape), method)


def _of_one_step(input_shape):
    """Return the shape of one step of sequences (N, T, ...)."""
    return (input_shape[0], *input_shape[2:])


def as_data(layer):
    """Return a layer as {"class_name": ..., "config": ...}, in the form in which Keras writes it."""
    return {"module": "keras.layers", "class_name": type(layer).__name__, "config": layer.get_config()}


def layer_of(layer, argument):
    """Return a layer, or make the one that `as_data` has described. Raises ArgumentError for anything else."""
    if isinstance(layer, Layer):
        return layer
    if isinstance(layer, dict) and set(layer) >= {"class_name", "config"} and isinstance(layer["config"], dict):
        found = _subclasses(Layer).get(layer["class_name"])
        if found is not None and not found.__name__.startswith("_"):
            return found(**layer["config"])
    raise ArgumentError(f"{argument} is {layer!r:.80}; expected a layer, such as LSTM(8).")


def _subclasses(cls):
    """Return {name: class} of all layers that have been written, also outside of minitl. Of two with the same name it
    is the one that was there first. The subclasses of `ChannelsFirst` are left out: they have the names of others."""
    found = {}
    for each in cls.__subclasses__():
        if each is not ChannelsFirst:
            found = {**_subclasses(each), each.__name__: each, **found}
    return found

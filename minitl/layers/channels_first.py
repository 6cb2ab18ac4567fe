"""Channels behind the batch, (N, C, H, W): `data_format="channels_first"` of every layer that has this argument, and
`axis=1` of a BatchNormalization.

The kernels compute with the channels last. So such a layer moves the channels of its input there, computes as always,
and moves them back:

    x (N, C, H, W)  ->  (N, H, W, C)  ->  the layer  ->  (N, OH, OW, F)  ->  y (N, F, OH, OW)

The gradient makes the same way back. Write T for the move to the end, and y = T^-1 f(T x). T puts every number into
another place and changes none, so a gradient moves as its numbers do:  dL/dx = T^-1 f'(T dL/dy)  with f' for the
`backward` of the layer.

Every move copies an array, two of them in `forward` and two in `backward`. So these layers are slower than those with
the channels last, and nothing is fused with them (`graph.fusion`). A program that is free to choose turns its images
once: x.transpose(0, 2, 3, 1).

Who uses this: layers of images and sequences have `DATA_FORMAT` among their arguments and know nothing more of it.
"""

import functools

import numpy as np

from ..arguments import NotHere
from ..errors import ArgumentError, ShapeError
from .activations import MIXING
from .base import Layer


class DataFormat(NotHere):
    """The argument `data_format`, of all layers that have it."""

    def apply(self, layer, value):
        """Give a layer that has just been constructed this data format."""
        name = value.lower() if isinstance(value, str) else value
        if name not in (None, "channels_last", "channels_first"):
            raise ArgumentError(f"data_format is {value!r}; expected 'channels_last' or 'channels_first'.")
        if name != "channels_first":
            return
        activation = getattr(layer, "activation", None)
        if activation in MIXING:  # here it would go over the channels, in Keras over the last axis: W
            raise ArgumentError(
                f"activation is {activation!r}, which goes over the last axis, and with "
                "data_format='channels_first' the channels are on axis 1. Leave it out, and put Softmax(axis=1) "
                "behind the layer."
            )
        put_channels_first(layer)


DATA_FORMAT = DataFormat()


def put_channels_first(layer):
    """Give a layer that has just been constructed its channels behind the batch: its class becomes the one below."""
    if not isinstance(layer, ChannelsFirst):
        layer.__class__ = _with_channels_first(type(layer))


@functools.cache
def _with_channels_first(cls):
    """Return the subclass of a layer's class that moves the channels. It has the name of that class, in files too."""
    names = cls.config_names if "axis" in cls.config_names else (*cls.config_names, "data_format")
    same = {name: getattr(cls, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(cls.__name__, (ChannelsFirst, cls), {**same, "config_names": names})


def _empty(cls):
    """Return a layer of this class with its channels behind the batch, and without any attributes."""
    return object.__new__(_with_channels_first(cls))


class ChannelsFirst(Layer):
    """The part of a layer that moves the channels. It stands before the class that computes."""

    data_format = "channels_first"
    passes_mask = False

    def __reduce_ex__(self, protocol):
        """Return how this layer is copied and pickled: by the class that computes, whose name this class has."""
        return _empty, (type(self).__mro__[2],), self.__getstate__()

    @property
    def with_channels_last(self):
        """Return this layer as the class that computes: another object with the same attributes (no copies), so that
        parameters, gradients and what is remembered belong to both."""
        same = object.__new__(type(self).__mro__[2])
        same.__dict__ = self.__dict__
        return same

    def channels_axis(self, rank):
        """Return the axis of the channels of an array with so many axes: the first one of a single image (C, H, W)."""
        return 0 if self.takes_one_image and rank == 3 else 1

    def last(self, x):
        """Return an array (N, C, ...) as (N, ..., C)."""
        return np.ascontiguousarray(np.moveaxis(x, self.channels_axis(x.ndim), -1)) if x.ndim > 2 else x

    def first(self, y):
        """Return an array (N, ..., C) as (N, C, ...)."""
        return np.ascontiguousarray(np.moveaxis(y, -1, self.channels_axis(y.ndim))) if y.ndim > 2 else y

    def check_input(self, input_shape):
        try:
            self.with_channels_last.check_input(self.shape_with_last(input_shape))
        except ShapeError as error:
            raise ShapeError(f"{error} (Here the channels have been moved from axis 1 to the end.)") from None

    def build(self, input_shape):
        self.with_channels_last.build(self.shape_with_last(input_shape))

    def shape_with_last(self, shape):
        """Return the shape (N, C, ...) as (N, ..., C). One with less than three axes is returned as it is."""
        sizes, axis = list(shape), self.channels_axis(len(shape))
        return (*sizes[:axis], *sizes[axis + 1 :], sizes[axis]) if len(sizes) > 2 else tuple(sizes)

    def compute_output_shape(self, input_shape):
        *sizes, channels = self.with_channels_last.compute_output_shape(self.shape_with_last(input_shape))
        axis = self.channels_axis(len(sizes) + 1)
        return (*sizes[:axis], channels, *sizes[axis:])

    def flops(self, input_shape):
        return self.with_channels_last.flops(self.shape_with_last(input_shape))

    def forward(self, x, training=False, **by_name):
        self.accept(x.shape)
        return self.first(self.with_channels_last.forward(self.last(x), training=training, **by_name))

    def backward(self, grad):
        return self.first(self.with_channels_last.backward(self.last(grad)))

    def backward_to_parameters(self, grad):
        self.with_channels_last.backward_to_parameters(self.last(grad))

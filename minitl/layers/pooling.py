"""Pooling layers. The math is in `kernels/pooling.py`."""

from .. import kernels
from ..arguments import keras_arguments, pair, truth_value
from .base import Layer
from .channels_first import DATA_FORMAT
from .windows import check_padding, windowed_shape


class _Pooling2D(Layer):
    """The base of the two windowed poolings. By default, the stride is the size of the window."""

    config_names = ("pool_size", "strides", "padding")
    keeps_channels = True

    @keras_arguments(after="padding", data_format=DATA_FORMAT)
    def __init__(self, pool_size=(2, 2), strides=None, padding="valid", name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.pool_size = pair(pool_size, "pool_size")
        self.strides = self.pool_size if strides is None else pair(strides, "strides")
        self.padding = check_padding(padding)

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 4, "(N, H, W, C)")

    def compute_output_shape(self, input_shape):
        return windowed_shape(input_shape, self.pool_size, self.strides, self.padding)


class MaxPooling2D(_Pooling2D):
    """Max pooling: keeps the largest number of each window, channel by channel. (N, H, W, C) -> (N, OH, OW, C)."""

    def forward(self, x, training=False):
        self.accept(x.shape)
        y = kernels.max_pool(x, self.pool_size, self.strides, self.padding)
        self.remember(x, y)
        return y

    def backward(self, grad):
        x, y = self.remembered()
        return kernels.max_pool_gradient(grad, x, y, self.pool_size, self.strides, self.padding)


class AveragePooling2D(_Pooling2D):
    """Average pooling: takes the mean of each window, channel by channel. (N, H, W, C) -> (N, OH, OW, C)."""

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.remember(x.shape[1:3])
        return kernels.average_pool(x, self.pool_size, self.strides, self.padding)

    def backward(self, grad):
        (image_hw,) = self.remembered()
        return kernels.average_pool_gradient(grad, image_hw, self.pool_size, self.strides, self.padding)


class _GlobalPooling2D(Layer):
    """The base of the two global poolings: (N, H, W, C) -> (N, C), or (N, 1, 1, C) with keepdims=True."""

    config_names = ("keepdims",)
    keeps_channels = True

    @keras_arguments(data_format=DATA_FORMAT)
    def __init__(self, keepdims=False, **kwargs):
        super().__init__(**kwargs)
        self.keepdims = truth_value(keepdims, "keepdims")

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 4, "(N, H, W, C)")

    def compute_output_shape(self, input_shape):
        n, _, _, c = input_shape
        return (n, 1, 1, c) if self.keepdims else (n, c)

    def with_kept_axes(self, y):
        """Return y (N, C) in the output's shape."""
        n, c = y.shape
        return y.reshape(n, 1, 1, c) if self.keepdims else y


class GlobalAveragePooling2D(_GlobalPooling2D):
    """Global average pooling: takes the mean of each channel over all pixels."""

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.remember(x.shape[1:3])
        return self.with_kept_axes(kernels.global_average_pool(x))

    def backward(self, grad):
        (image_hw,) = self.remembered()
        return kernels.global_average_pool_gradient(grad.reshape(len(grad), grad.shape[-1]), image_hw)


class GlobalMaxPooling2D(_GlobalPooling2D):
    """Global max pooling: keeps the largest number of each channel."""

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.remember(x)
        return self.with_kept_axes(kernels.global_max_pool(x))

    def backward(self, grad):
        (x,) = self.remembered()
        return kernels.global_max_pool_gradient(grad.reshape(len(grad), grad.shape[-1]), x)

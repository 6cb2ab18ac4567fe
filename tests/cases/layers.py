"""The table of layers. Every test that holds for all layers takes its cases from `LAYERS`.

To add a layer, write one line for each kind of argument that changes what it computes:

    LayerCase("dense", lambda layers: layers.Dense(4, activation="softmax"), (5, 7), (5, 4)),

Its name is the name of the tests. The function makes the layer from a module, `minitl.layers` or `keras.layers`, and so
gives Keras's twin as well. Then come the shapes of input and output, found by hand, with the batch; a list of shapes
where the layer takes several inputs. Sizes should be odd and different from each other: a mistake in the order of axes
shows. The fields of `LayerCase` explain further options.

`test_layers.py` fails for a class of `minitl.layers` without a case.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import minitl.layers

from . import random

# ---- the inputs ----


def normal(shape, seed):
    """Return standard normal numbers."""
    return random(*shape, seed=seed)


def wide(shape, seed):
    """Return normal numbers with a standard deviation of 4."""
    return 4 * random(*shape, seed=seed)


def far_from_zero(shape, seed):
    """Return normal numbers around 5."""
    return 3 * random(*shape, seed=seed) + 5


def distinct(shape, seed):
    """Return numbers from about -3 to 3 in random order, none of them near another or near zero.

    For layers with kinks, such as ReLU and the maximum: a gradient check moves each number by a small step, which must
    not carry it over the kink.
    """
    size = int(np.prod(shape))
    numbers = (np.arange(size) - size // 2 + 0.3) * (6 / size)
    return np.random.default_rng([seed, *shape]).permutation(numbers).reshape(shape).astype(np.float32)


def above_one(shape, seed):
    """Return numbers above 1, for division and powers."""
    return 1 + np.abs(random(*shape, seed=seed))


def whole_numbers(below):
    """Return a function that gives whole numbers from 0 to `below` - 1, such as the numbers of tokens."""
    return lambda shape, seed: np.random.default_rng([seed, *shape]).integers(below, size=shape, dtype=np.int32)


# ---- a case ----


class LayerCase(NamedTuple):
    """A layer with its inputs, and the facts that are known about it."""

    name: str
    make: Callable  # of a module like minitl.layers: makes the layer, a fresh one each time
    input_shape: tuple | list  # with the batch; a list of shapes for a layer that takes several inputs
    output_shape: tuple
    numbers: Callable = normal  # (shape, seed) -> an input; `distinct` for a layer with kinks
    in_training: str = "the same"  # as in inference; or "batch": it depends on the batch; or "random"
    golden: str | None = None  # the state in which tests/golden/layers.npz has Keras's results, under the case's name
    keras: bool | Callable = True  # Keras's twin: made by `make` too; by another function; or False: there is none
    torch: Callable | None = None  # PyTorch's twin: (torch.nn.functional, layer, x, **parameters) -> y

    def inputs(self, seed=0, dtype=np.float32):
        """Return an input, or a list of inputs. Whole numbers keep their type."""
        if isinstance(self.input_shape, list):
            found = [self.numbers(shape, seed + number) for number, shape in enumerate(self.input_shape)]
            return [converted(each, dtype) for each in found]
        return converted(self.numbers(self.input_shape, seed), dtype)

    def layer(self, trainable=True, dtype=np.float32):
        """Return a new layer with random parameters and statistics."""
        layer = self.make(minitl.layers)
        layer.trainable = trainable
        layer.forward(self.inputs())  # creates the parameters
        randomize(layer)
        for name in layer.weight_names:
            setattr(layer, name, getattr(layer, name).astype(dtype))
        return layer

    def keras_twin(self, keras_layers):
        """Return Keras's layer of the same kind; `keras_layers` is the module keras.layers."""
        return (self.make if self.keras is True else self.keras)(keras_layers)


def converted(x, dtype):
    """Return x in another type, unless it holds whole numbers."""
    return x if x.dtype.kind in "iu" else x.astype(dtype)


def randomize(layer, seed=1):
    """Give a layer random parameters and statistics, so that nothing hides behind a zero bias or a gamma of one."""
    for position, name in enumerate(layer.weight_names):
        weight = random(*getattr(layer, name).shape, seed=seed + position)
        setattr(layer, name, np.exp(weight / 2) if name.endswith("variance") else weight)


def several(x):
    """Return a list of arrays, whether there are several or one."""
    return list(x) if isinstance(x, (list, tuple)) else [x]


def results_by_name(y, dx, gradients, weight_names=(), weights=()):
    """Return everything that a layer gives, under one name each: y, dx0, dx1, ..., dkernel, ..., moving_mean, ..."""
    results = {"y": y, **{f"dx{number}": each for number, each in enumerate(several(dx)) if each is not None}}
    results.update({f"d{name}": gradient for name, gradient in gradients.items()})
    results.update(zip(weight_names, weights, strict=True))
    return results


# ---- PyTorch's twins: F is torch.nn.functional, x (N, H, W, C) and the parameters are PyTorch's tensors ----


def torch_convolution(F, layer, x, kernel, bias=None):
    """Convolve as Conv2D without an activation does."""
    x = padded_as(F, layer.padding, x, layer.span, layer.strides)
    kernel = kernel.permute(3, 2, 0, 1)  # HWIO -> OIHW
    return channels_last(F.conv2d(x, kernel, bias, layer.strides, dilation=layer.dilation_rate, groups=layer.groups))


def torch_depthwise(F, layer, x, kernel, bias=None):
    """Convolve as DepthwiseConv2D without an activation does: as many groups as channels."""
    x = padded_as(F, layer.padding, x, layer.span, layer.strides)
    kernel = kernel.permute(2, 3, 0, 1).flatten(0, 1)[:, None]  # (KH, KW, C, M) -> (C*M, 1, KH, KW)
    y = F.conv2d(x, kernel, bias, layer.strides, dilation=layer.dilation_rate, groups=x.shape[1])
    return channels_last(y)


def torch_separable(F, layer, x, depthwise_kernel, pointwise_kernel, bias=None):
    """Convolve as SeparableConv2D without an activation does."""
    maps = channels_first(torch_depthwise(F, layer, x, depthwise_kernel))
    return channels_last(F.conv2d(maps, pointwise_kernel.permute(3, 2, 0, 1), bias))


def torch_transposed_convolution(F, layer, x, kernel, bias=None):
    """Convolve as Conv2DTranspose without an activation does: all of the sum, then a crop or zeros at the end."""
    y = F.conv_transpose2d(channels_first(x), kernel.permute(3, 2, 0, 1), None, layer.strides)
    (top, bottom), (left, right) = layer.cut_off
    y = channels_last(F.pad(y, (-left, -right, -top, -bottom)))
    return y if bias is None else y + bias


def torch_upsampling(F, layer, x):
    """Enlarge as UpSampling2D does."""
    is_cubic = layer.interpolation == "bicubic"  # whose curve is Keys's only if it is antialiased
    corners = {} if layer.interpolation == "nearest" else {"align_corners": False, "antialias": is_cubic}
    y = F.interpolate(channels_first(x), scale_factor=layer.size, mode=layer.interpolation, **corners)
    return channels_last(y)


def torch_max_pooling(F, layer, x):
    """Pool as MaxPooling2D does."""
    x = padded_as(F, layer.padding, x, layer.pool_size, layer.strides, value=-np.inf)
    return channels_last(F.max_pool2d(x, layer.pool_size, layer.strides))


def torch_average_pooling(F, layer, x):
    """Pool as AveragePooling2D does, whose mean is that of the pixels in the window: a border does not count."""

    def averages(x):
        x = padded_as(F, layer.padding, x, layer.pool_size, layer.strides)
        return F.avg_pool2d(x, layer.pool_size, layer.strides)

    return channels_last(averages(x) / averages(x.new_ones(x.shape)))


def torch_global_max_pooling(F, layer, x):
    """Pool as GlobalMaxPooling2D with keepdims=True does."""
    return channels_last(F.max_pool2d(channels_first(x), x.shape[1:3]))


def padded_as(F, padding, x, window_hw, strides, value=0.0):
    """Return x with the channels first, and with a border where `padding` is 'same'."""
    x = channels_first(x)
    return pad_same(F, x, window_hw, strides, value) if padding == "same" else x


def pad_same(F, x, window_hw, strides, value=0.0):
    """Return x (N, C, H, W) with TensorFlow's 'same' padding: the odd pixel goes below and to the right."""
    sides = []
    for size, window, stride in zip(x.shape[2:], window_hw, strides):
        total = max((-(-size // stride) - 1) * stride + window - size, 0)
        sides.append((total // 2, total - total // 2))
    (top, bottom), (left, right) = sides
    return F.pad(x, (left, right, top, bottom), value=value)


def torch_causal_attention(F, layer, x, query_kernel, key_kernel, value_kernel, output_kernel):
    """Attend as CausalSelfAttention does, with each pair turned by sine and cosine."""

    def heads(kernel):
        return (x @ kernel).reshape(*x.shape[:2], -1, layer.head_dim)

    def turned(y):
        pair, z = torch_range(x, layer.head_dim // 2), y.new_zeros(y.shape)
        angle = torch_range(x, x.shape[1])[:, None] / layer.rotary_base ** (2 * pair / layer.head_dim)
        cos, sin = angle.cos()[:, None], angle.sin()[:, None]
        z[..., 0::2] = y[..., 0::2] * cos - y[..., 1::2] * sin
        z[..., 1::2] = y[..., 0::2] * sin + y[..., 1::2] * cos
        return z

    q, k, v = turned(heads(query_kernel)), turned(heads(key_kernel)), heads(value_kernel)
    k, v = (each.repeat_interleave(q.shape[2] // k.shape[2], dim=2) for each in (k, v))
    q, k, v = (each.transpose(1, 2) for each in (q, k, v))
    y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return y.transpose(1, 2).reshape(*x.shape[:2], -1) @ output_kernel


SIGNS = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "power": lambda a, b: a**b,
}


def with_number(x, layer, sign):
    """Return x and the layer's number, put together by the function `sign`."""
    number = x.new_tensor(layer.number)
    return sign(number, x) if layer.is_first else sign(x, number)


def torch_range(x, count):
    """Return 0, 1, ... as a tensor of x's type."""
    return x.new_ones(count).cumsum(0) - 1


def channels_first(x):
    return x.permute(0, 3, 1, 2)


def channels_last(x):
    return x.permute(0, 2, 3, 1)


# ---- the table ----

ACTIVATIONS = ["gelu", "linear", "relu", "relu6", "sigmoid", "silu", "softmax", "tanh"]
SMOOTH_UNITS = ["elu", "exponential", "leaky_relu", "selu", "softplus", "softsign"]

OTHER_UNITS = (
    "celu hard_shrink hard_silu hard_tanh log_sigmoid mish soft_shrink sparse_plus sparse_sigmoid sparsemax squareplus "
    "tanh_shrink"
).split()

CONVOLUTIONS = [
    LayerCase("conv-valid", lambda layers: layers.Conv2D(4, (3, 2), strides=(1, 2)),
              (2, 7, 6, 3), (2, 5, 3, 4), golden="training", torch=torch_convolution),
    LayerCase("conv-same", lambda layers: layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
              (2, 8, 7, 3), (2, 4, 4, 4), golden="training"),
    LayerCase("conv-even", lambda layers: layers.Conv2D(3, (2, 4), padding="same", activation="tanh"),
              (2, 5, 7, 2), (2, 5, 7, 3), golden="training"),
    LayerCase("conv-frozen", lambda layers: layers.Conv2D(3, 3, activation="sigmoid"),
              (2, 5, 6, 2), (2, 3, 4, 3), golden="frozen"),
    LayerCase("conv-plain", lambda layers: layers.Conv2D(8, 3), (2, 7, 9, 2), (2, 5, 7, 8), torch=torch_convolution),
    LayerCase("conv-same-relu", lambda layers: layers.Conv2D(4, 3, padding="same", activation="relu"),
              (3, 7, 6, 4), (3, 7, 6, 4)),
    LayerCase("conv-strides-2-same", lambda layers: layers.Conv2D(8, 3, strides=2, padding="same"),
              (2, 7, 9, 2), (2, 4, 5, 8), torch=torch_convolution),
    LayerCase("conv-strides-2-1-same",
              lambda layers: layers.Conv2D(3, (2, 3), strides=(2, 1), padding="same", activation="tanh"),
              (3, 7, 6, 4), (3, 4, 6, 3)),
    LayerCase("conv-strides-2-3-valid", lambda layers: layers.Conv2D(3, (3, 2), strides=(2, 3), padding="valid"),
              (3, 7, 6, 4), (3, 3, 2, 3), torch=torch_convolution),
    LayerCase("conv-1x1-no-bias", lambda layers: layers.Conv2D(5, 1, use_bias=False, activation="sigmoid"),
              (3, 7, 6, 4), (3, 7, 6, 5)),
    LayerCase("conv-row-softmax", lambda layers: layers.Conv2D(3, (1, 5), padding="same", activation="softmax"),
              (3, 7, 6, 4), (3, 7, 6, 3)),
    *(LayerCase(f"conv-{activation}-{'bias' if use_bias else 'no-bias'}",
                lambda layers, activation=activation, use_bias=use_bias:
                layers.Conv2D(3, 3, activation=activation, use_bias=use_bias),
                (2, 7, 6, 4), (2, 5, 4, 3))
      for activation in ACTIVATIONS for use_bias in (True, False)),
    *(LayerCase(f"conv-dilation-{rows}-{cols}-{padding}",
                lambda layers, dilation=(rows, cols), padding=padding:
                layers.Conv2D(3, (3, 2), padding=padding, dilation_rate=dilation),
                (2, 9, 8, 4), (2, 9, 8, 3) if padding == "same" else (2, 9 - 2 * rows, 8 - cols, 3),
                torch=torch_convolution)
      for rows, cols in ((2, 2), (3, 3), (4, 5), (1, 3)) for padding in ("valid", "same")),
    LayerCase("conv-dilation-activation",
              lambda layers: layers.Conv2D(4, 3, padding="same", dilation_rate=2, activation="tanh", use_bias=False),
              (3, 7, 6, 2), (3, 7, 6, 4)),
    LayerCase("conv-dilation-larger-than-the-map", lambda layers: layers.Conv2D(3, 3, padding="same", dilation_rate=6),
              (2, 5, 4, 2), (2, 5, 4, 3), torch=torch_convolution),
    LayerCase("conv-groups", lambda layers: layers.Conv2D(6, (3, 2), strides=2, groups=2),
              (2, 7, 9, 4), (2, 3, 4, 6), torch=torch_convolution),
    LayerCase("conv-groups-dilation-softmax",
              lambda layers: layers.Conv2D(6, 2, padding="same", dilation_rate=2, groups=3, activation="softmax"),
              (2, 5, 6, 3), (2, 5, 6, 6)),
    LayerCase("conv-groups-of-one-channel", lambda layers: layers.Conv2D(8, 3, groups=4, use_bias=False),
              (2, 7, 6, 4), (2, 5, 4, 8), torch=torch_convolution),
    LayerCase("conv-dilation-1x1", lambda layers: layers.Conv2D(3, 1, dilation_rate=3),
              (2, 5, 4, 2), (2, 5, 4, 3), torch=torch_convolution),
    LayerCase("identity", lambda layers: layers.Identity(), (2, 3, 4), (2, 3, 4)),
    LayerCase("zero-padding", lambda layers: layers.ZeroPadding2D(((1, 0), (2, 3))),
              (2, 3, 4, 2), (2, 4, 9, 2), golden="training"),
    LayerCase("zero-padding-3", lambda layers: layers.ZeroPadding2D(3), (2, 7, 9, 2), (2, 13, 15, 2)),
    LayerCase("zero-padding-2", lambda layers: layers.ZeroPadding2D(2), (2, 5, 4, 3), (2, 9, 8, 3)),
    LayerCase("zero-padding-pair", lambda layers: layers.ZeroPadding2D((1, 3)), (2, 5, 4, 3), (2, 7, 10, 3)),
    LayerCase("zero-padding-uneven", lambda layers: layers.ZeroPadding2D(((1, 2), (0, 3))),
              (3, 7, 6, 4), (3, 10, 9, 4)),
    LayerCase("zero-padding-none", lambda layers: layers.ZeroPadding2D(((0, 0), (0, 0))), (2, 5, 4, 3), (2, 5, 4, 3)),
]  # fmt: skip

DEPTHWISE = [
    LayerCase("depthwise", lambda layers: layers.DepthwiseConv2D((3, 2)),
              (2, 7, 6, 5), (2, 5, 5, 5), torch=torch_depthwise),
    LayerCase("depthwise-same", lambda layers: layers.DepthwiseConv2D(5, padding="same", activation="relu6"),
              (2, 7, 9, 3), (2, 7, 9, 3)),
    # An even size at stride 2: TensorFlow's padding has one pixel below and to the right only.
    *(LayerCase(f"depthwise-same-{size}x{size}-strides-2-of-{h}x{w}",
                lambda layers, size=size: layers.DepthwiseConv2D(size, strides=2, padding="same", use_bias=False),
                (2, h, w, 3), (2, -(-h // 2), -(-w // 2), 3), torch=torch_depthwise)
      for size in (2, 3, 5) for h, w in ((8, 6), (7, 8), (9, 7))),
    LayerCase("depthwise-strides-3-2", lambda layers: layers.DepthwiseConv2D((3, 4), strides=(3, 2)),
              (2, 9, 8, 3), (2, 3, 3, 3), keras=False, torch=torch_depthwise),
    LayerCase("depthwise-multiplier", lambda layers: layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
              (2, 5, 6, 3), (2, 5, 6, 6), torch=torch_depthwise),
    LayerCase("depthwise-multiplier-strides-2",
              lambda layers: layers.DepthwiseConv2D(3, strides=2, depth_multiplier=3, activation="tanh"),
              (2, 7, 9, 2), (2, 3, 4, 6)),
    *(LayerCase(f"depthwise-dilation-{rows}-{cols}-{padding}",
                lambda layers, dilation=(rows, cols), padding=padding:
                layers.DepthwiseConv2D((3, 2), padding=padding, dilation_rate=dilation),
                (2, 9, 8, 4), (2, 9, 8, 4) if padding == "same" else (2, 9 - 2 * rows, 8 - cols, 4),
                torch=torch_depthwise)
      for rows, cols in ((2, 2), (1, 3)) for padding in ("valid", "same")),
    LayerCase("depthwise-softmax", lambda layers: layers.DepthwiseConv2D(1, activation="softmax"),
              (2, 4, 5, 3), (2, 4, 5, 3)),
    LayerCase("depthwise-gelu", lambda layers: layers.DepthwiseConv2D(3, activation="gelu"),
              (2, 5, 6, 3), (2, 3, 4, 3)),
    LayerCase("separable-silu", lambda layers: layers.SeparableConv2D(4, 3, activation="silu"),
              (2, 5, 6, 3), (2, 3, 4, 4)),
    LayerCase("separable", lambda layers: layers.SeparableConv2D(4, 3, padding="same"),
              (2, 7, 6, 3), (2, 7, 6, 4), torch=torch_separable),
    LayerCase("separable-strides-2", lambda layers: layers.SeparableConv2D(
                  5, (3, 3), strides=2, padding="same", depth_multiplier=2, activation="tanh", use_bias=False),
              (2, 8, 6, 3), (2, 4, 3, 5)),
    LayerCase("separable-dilation", lambda layers: layers.SeparableConv2D(2, 3, dilation_rate=2, activation="relu6"),
              (2, 9, 7, 3), (2, 5, 3, 2)),
]  # fmt: skip

MAPS = [
    *(LayerCase(f"conv-transpose-{size[0]}x{size[1]}-strides-{strides[0]}-{strides[1]}-{padding}",
                lambda layers, size=size, strides=strides, padding=padding:
                layers.Conv2DTranspose(3, size, strides=strides, padding=padding), (2, 4, 5, 2),
                (2, 4 * strides[0], 5 * strides[1], 3) if padding == "same" else
                (2, 3 * strides[0] + max(size[0], strides[0]), 4 * strides[1] + max(size[1], strides[1]), 3),
                torch=torch_transposed_convolution)
      for size, strides in (((3, 2), (1, 1)), ((4, 4), (2, 2)), ((3, 5), (2, 3)), ((2, 1), (3, 2)))
      for padding in ("valid", "same")),
    LayerCase("conv-transpose-relu",
              lambda layers: layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu"),
              (3, 4, 5, 2), (3, 8, 10, 4)),
    LayerCase("conv-transpose-softmax-no-bias",
              lambda layers: layers.Conv2DTranspose(4, 2, strides=2, activation="softmax", use_bias=False),
              (3, 4, 5, 2), (3, 8, 10, 4)),
    *(LayerCase(f"conv-transpose-output-padding-{padding}-{size}",
                lambda layers, padding=padding, size=size: layers.Conv2DTranspose(
                    3, size, strides=(2, 3), padding=padding, output_padding=(1, 2)), (2, 4, 5, 2), output_shape,
                torch=torch_transposed_convolution)
      for padding, size, output_shape in (("valid", 3, (2, 10, 17, 3)), ("same", 3, (2, 8, 15, 3)),
                                          ("same", 4, (2, 7, 14, 3)), ("same", 1, (2, 8, 15, 3)))),
    LayerCase("conv-transpose-output-padding-0",
              lambda layers: layers.Conv2DTranspose(3, 5, strides=3, padding="same", output_padding=0),
              (2, 4, 5, 2), (2, 10, 13, 3), torch=torch_transposed_convolution),
    *(LayerCase(f"upsampling-{interpolation}-{rows}-{cols}",
                lambda layers, size=(rows, cols), interpolation=interpolation:
                layers.UpSampling2D(size, interpolation=interpolation),
                (2, 5, 4, 3), (2, 5 * rows, 4 * cols, 3), torch=torch_upsampling)
      for interpolation in ("nearest", "bilinear") for rows, cols in ((2, 2), (3, 1), (4, 5))),
    LayerCase("upsampling-bicubic", lambda layers: layers.UpSampling2D((3, 2), interpolation="bicubic"),
              (2, 5, 4, 3), (2, 15, 8, 3), torch=torch_upsampling, keras=False),
    LayerCase("upsampling-one-pixel", lambda layers: layers.UpSampling2D(3, interpolation="bilinear"),
              (2, 1, 1, 3), (2, 3, 3, 3), torch=torch_upsampling),
    LayerCase("upsampling-long", lambda layers: layers.UpSampling2D((12, 3), interpolation="bilinear"),
              (2, 6, 30, 2), (2, 72, 90, 2), torch=torch_upsampling),
    LayerCase("cropping", lambda layers: layers.Cropping2D(((1, 0), (2, 3))), (2, 4, 9, 2), (2, 3, 4, 2)),
    LayerCase("cropping-1", lambda layers: layers.Cropping2D(1), (2, 7, 5, 3), (2, 5, 3, 3)),
    LayerCase("cropping-pair", lambda layers: layers.Cropping2D((1, 2)), (2, 7, 5, 3), (2, 5, 1, 3)),
    LayerCase("cropping-none", lambda layers: layers.Cropping2D(), (2, 7, 5, 3), (2, 7, 5, 3)),
    LayerCase("reshape", lambda layers: layers.Reshape((3, 4)), (2, 6, 2), (2, 3, 4)),
    LayerCase("reshape-rest", lambda layers: layers.Reshape((-1, 4)), (2, 3, 5, 8), (2, 30, 4)),
    LayerCase("reshape-row", lambda layers: layers.Reshape([-1]), (2, 3, 5), (2, 15)),
    LayerCase("reshape-to-a-map", lambda layers: layers.Reshape((3, -1, 2)), (2, 30), (2, 3, 5, 2)),
    LayerCase("reshape-whole-numbers", lambda layers: layers.Reshape((2, -1)),
              (3, 5, 2), (3, 2, 5), whole_numbers(50), keras=False),
]  # fmt: skip

POOLINGS = [
    LayerCase("max-valid", lambda layers: layers.MaxPooling2D((3, 2), strides=(2, 1)),
              (2, 8, 5, 3), (2, 3, 4, 3), distinct, golden="training", torch=torch_max_pooling),
    LayerCase("max-same", lambda layers: layers.MaxPooling2D(3, strides=2, padding="same"),
              (2, 8, 7, 3), (2, 4, 4, 3), distinct, golden="training", torch=torch_max_pooling),
    LayerCase("max-default", lambda layers: layers.MaxPooling2D(), (2, 7, 9, 2), (2, 3, 4, 2), distinct),
    LayerCase("max-2", lambda layers: layers.MaxPooling2D(pool_size=2), (2, 7, 9, 3), (2, 3, 4, 3), distinct),
    LayerCase("max-strides-1-2", lambda layers: layers.MaxPooling2D((2, 3), strides=(1, 2)),
              (3, 7, 6, 4), (3, 6, 2, 4), distinct, torch=torch_max_pooling),
    LayerCase("average-valid", lambda layers: layers.AveragePooling2D((2, 3), strides=(1, 2)),
              (2, 6, 7, 3), (2, 5, 3, 3), golden="training", torch=torch_average_pooling),
    LayerCase("average-same", lambda layers: layers.AveragePooling2D(3, strides=2, padding="same"),
              (2, 7, 9, 3), (2, 4, 5, 3), golden="training", torch=torch_average_pooling),
    LayerCase("average-2", lambda layers: layers.AveragePooling2D(pool_size=2), (2, 7, 9, 3), (2, 3, 4, 3)),
    LayerCase("average-strides-1-same", lambda layers: layers.AveragePooling2D(3, strides=1, padding="same"),
              (2, 7, 9, 2), (2, 7, 9, 2)),
    # Keras on PyTorch counts a repeated border where one side gets a pixel more than the other: no twin.
    LayerCase("average-strides-2-1-same",
              lambda layers: layers.AveragePooling2D((3, 2), strides=(2, 1), padding="same"),
              (3, 7, 6, 4), (3, 4, 6, 4), keras=False, torch=torch_average_pooling),
    LayerCase("global-average", lambda layers: layers.GlobalAveragePooling2D(),
              (3, 4, 5, 2), (3, 2), golden="training"),
    LayerCase("global-average-keepdims", lambda layers: layers.GlobalAveragePooling2D(keepdims=True),
              (2, 7, 9, 2), (2, 1, 1, 2)),
    LayerCase("global-max", lambda layers: layers.GlobalMaxPooling2D(keepdims=True),
              (3, 4, 5, 2), (3, 1, 1, 2), distinct, golden="training", torch=torch_global_max_pooling),
    LayerCase("global-max-flat", lambda layers: layers.GlobalMaxPooling2D(), (3, 5, 7, 4), (3, 4), distinct),
]  # fmt: skip

DENSE = [
    LayerCase("dense", lambda layers: layers.Dense(4, activation="softmax"), (5, 7), (5, 4), golden="training"),
    LayerCase("dense-pixels", lambda layers: layers.Dense(3, use_bias=False),
              (2, 3, 4, 5), (2, 3, 4, 3), golden="training"),
    LayerCase("dense-no-bias", lambda layers: layers.Dense(4, use_bias=False), (5, 7), (5, 4)),
    LayerCase("dense-many-inputs", lambda layers: layers.Dense(5), (2, 126), (2, 5)),
    LayerCase("dense-steps", lambda layers: layers.Dense(5), (3, 9, 2), (3, 9, 5)),
    *(LayerCase(f"dense-{activation}-{'x'.join(map(str, shape))}",
                lambda layers, activation=activation: layers.Dense(4, activation=activation),
                shape, (*shape[:-1], 4))
      for activation in ACTIVATIONS for shape in ((5, 7), (1, 7), (2, 3, 5, 7))),
    LayerCase("flatten", lambda layers: layers.Flatten(), (3, 2, 4, 2), (3, 16), golden="training"),
    LayerCase("flatten-a-map", lambda layers: layers.Flatten(), (2, 7, 9, 2), (2, 126)),
    LayerCase("flatten-a-vector", lambda layers: layers.Flatten(), (4, 6), (4, 6)),
    # Whole numbers have no gradient for Keras to compute: no twin.
    LayerCase("flatten-whole-numbers", lambda layers: layers.Flatten(),
              (3, 5, 2), (3, 10), whole_numbers(50), keras=False),
]  # fmt: skip

NORMALIZATIONS = [
    LayerCase("unit-rows", lambda layers: layers.UnitNormalization(), (5, 7), (5, 7),
              torch=lambda F, layer, x: F.normalize(x, dim=-1)),
    LayerCase("unit-channels", lambda layers: layers.UnitNormalization(), (2, 5, 4, 3), (2, 5, 4, 3), wide),
    LayerCase("unit-maps", lambda layers: layers.UnitNormalization(axis=[1, 2]), (2, 5, 4, 3), (2, 5, 4, 3)),
    # Keras has no such layer.
    LayerCase("l2-map", lambda layers: layers.L2Normalization(), (2, 5, 4, 3), (2, 5, 4, 3), keras=False,
              torch=lambda F, layer, x, gamma: F.normalize(x, dim=-1) * gamma),
    LayerCase("l2-rows", lambda layers: layers.L2Normalization(scale=0.5, axis=1), (5, 7), (5, 7), wide, keras=False,
              torch=lambda F, layer, x, gamma: F.normalize(x, dim=-1) * gamma),
    LayerCase("norm-training", lambda layers: layers.BatchNormalization(momentum=0.9),
              (4, 5, 3, 3), (4, 5, 3, 3), in_training="batch", golden="training"),
    LayerCase("norm-inference", lambda layers: layers.BatchNormalization(epsilon=0.01),
              (4, 5, 3, 3), (4, 5, 3, 3), in_training="batch", golden="inference"),
    LayerCase("norm-frozen", lambda layers: layers.BatchNormalization(),
              (4, 5, 3, 3), (4, 5, 3, 3), in_training="batch", golden="frozen"),
    LayerCase("norm-small-epsilon", lambda layers: layers.BatchNormalization(center=False, scale=False, epsilon=1e-5),
              (3, 7, 6, 4), (3, 7, 6, 4), in_training="batch"),
    *(LayerCase(f"norm-{'x'.join(map(str, shape))}" + "-no-center" * (not center) + "-no-scale" * (not scale),
                lambda layers, center=center, scale=scale:
                layers.BatchNormalization(momentum=0.9, epsilon=1e-2, center=center, scale=scale),
                shape, shape, far_from_zero, in_training="batch")
      for shape in ((6, 5, 7, 4), (9, 4)) for center in (True, False) for scale in (True, False)),
]  # fmt: skip

ROW_NORMALIZATIONS = [
    LayerCase("layer-norm", lambda layers: layers.LayerNormalization(), (3, 5, 7), (3, 5, 7),
              torch=lambda F, layer, x, gamma, beta: F.layer_norm(x, (7,), gamma, beta, 1e-3)),
    LayerCase("layer-norm-rows", lambda layers: layers.LayerNormalization(epsilon=1e-12),
              (5, 9), (5, 9), far_from_zero),
    # Keras on PyTorch normalizes only along the last axes.
    LayerCase("layer-norm-axis-1", lambda layers: layers.LayerNormalization(axis=1), (3, 5, 7), (3, 5, 7), keras=False),
    LayerCase("layer-norm-map", lambda layers: layers.LayerNormalization(axis=[1, 3]), (3, 4, 5, 3), (3, 4, 5, 3)),
    LayerCase("layer-norm-no-center", lambda layers: layers.LayerNormalization(center=False, epsilon=1e-5),
              (3, 5, 7), (3, 5, 7), wide),
    LayerCase("layer-norm-no-scale", lambda layers: layers.LayerNormalization(scale=False, axis=(-2, -1)),
              (3, 5, 7), (3, 5, 7)),
    LayerCase("layer-norm-plain", lambda layers: layers.LayerNormalization(scale=False, center=False), (4, 6), (4, 6)),
    LayerCase("rms-norm", lambda layers: layers.RMSNormalization(), (3, 5, 7), (3, 5, 7)),
    LayerCase("rms-norm-axis-1", lambda layers: layers.RMSNormalization(axis=1, epsilon=1e-3), (3, 5, 7), (3, 5, 7),
              keras=False),
    LayerCase("rms-norm-map", lambda layers: layers.RMSNormalization(axis=[1, 2]), (3, 4, 5, 3), (3, 4, 5, 3), wide,
              keras=False),
]  # fmt: skip

# Weights of Keras's attention bear the names of its four dense layers: peers/test_attention.py compares it.
ATTENTIONS = [
    LayerCase("attention-self", lambda layers: layers.MultiHeadAttention(3, 4), (2, 5, 6), (2, 5, 6), keras=False),
    LayerCase("attention-one-step", lambda layers: layers.MultiHeadAttention(2, 3, use_bias=False),
              (1, 1, 5), (1, 1, 5), keras=False),
    LayerCase("attention-two", lambda layers: layers.MultiHeadAttention(2, 3, value_dim=5, output_shape=4),
              [(2, 5, 6), (2, 3, 7)], (2, 5, 4), keras=False),
    LayerCase("attention-three", lambda layers: layers.MultiHeadAttention(3, 2, 4, output_shape=(2, 3)),
              [(2, 4, 6), (2, 5, 3), (2, 5, 7)], (2, 4, 2, 3), keras=False),
    LayerCase("attention-window-gate",
              lambda layers: layers.MultiHeadAttention(2, 4, 3, sliding_window=2, use_gate=True),
              (2, 6, 5), (2, 6, 5), keras=False),
    LayerCase("attention-gate-two", lambda layers: layers.MultiHeadAttention(2, 3, value_dim=5, use_gate=True),
              [(2, 5, 6), (2, 3, 7)], (2, 5, 6), keras=False),
    LayerCase("attention-dropout", lambda layers: layers.MultiHeadAttention(2, 4, dropout=0.4),
              (3, 5, 6), (3, 5, 6), in_training="random", keras=False),
]  # fmt: skip

EMBEDDINGS = [
    LayerCase("embedding", lambda layers: layers.Embedding(9, 4), (3, 5), (3, 5, 4), whole_numbers(9)),
    LayerCase("embedding-mask", lambda layers: layers.Embedding(4, 3, mask_zero=True),
              (2, 9), (2, 9, 3), whole_numbers(4)),
    LayerCase("embedding-one-number", lambda layers: layers.Embedding(9, 4), (7,), (7, 4), whole_numbers(9)),
    LayerCase("position-embedding", lambda layers: layers.PositionEmbedding(7), (3, 5, 4), (3, 5, 4), keras=False),
    LayerCase("token-type-embedding", lambda layers: layers.TokenTypeEmbedding(3), (3, 5, 4), (3, 5, 4), keras=False),
    LayerCase("select-step", lambda layers: layers.SelectStep(), (3, 5, 4), (3, 4), keras=False),
    LayerCase("select-last-step", lambda layers: layers.SelectStep(-1), (3, 5, 4), (3, 4), keras=False),
]  # fmt: skip

ACTIVATION_LAYERS = [
    *(LayerCase(f"activation-{activation}-{'x'.join(map(str, shape))}",
                lambda layers, activation=activation: layers.Activation(activation), shape, shape,
                distinct if "relu" in activation or activation in SMOOTH_UNITS else wide)
      for activation in (*ACTIVATIONS, "swish", *SMOOTH_UNITS) for shape in ((5, 7), (2, 3, 5, 4))),
    *(LayerCase(f"activation-{activation}", lambda layers, activation=activation: layers.Activation(activation),
                (5, 7), (5, 7), wide, keras=activation != "sparsemax")  # that of Keras 3.15 does not add up to 1
      for activation in OTHER_UNITS),
    LayerCase("dense-mish", lambda layers: layers.Dense(4, activation="mish"), (5, 7), (5, 4)),
    # Keras has no name for this GELU.
    LayerCase("activation-gelu-tanh", lambda layers: layers.Activation("gelu_tanh"), (3, 5, 7), (3, 5, 7), wide,
              keras=False, torch=lambda F, layer, x: F.gelu(x, approximate="tanh")),
    LayerCase("activation-gelu-exact", lambda layers: layers.Activation("gelu"), (3, 5, 7), (3, 5, 7), wide,
              torch=lambda F, layer, x: F.gelu(x)),
    *(LayerCase("clip-" + "-".join(f"{name}-{value}" for name, value in limits.items()),
                lambda layers, limits=limits: layers.Clip(**limits), (3, 5, 7, 4), (3, 5, 7, 4), distinct, keras=False,
                torch=lambda F, layer, x: x.clamp(layer.min_value, layer.max_value))
      for limits in ({"min_value": -0.4}, {"max_value": 1.0}, {"min_value": -1.0, "max_value": 0.5})),
    LayerCase("relu", lambda layers: layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.25),
              (4, 30), (4, 30), distinct, golden="training"),
    *(LayerCase("relu-" + ("-".join(f"{name}-{value}" for name, value in arguments.items()) or "plain"),
                lambda layers, arguments=arguments: layers.ReLU(**arguments), (3, 5, 7, 4), (3, 5, 7, 4), distinct)
      for arguments in (
          {},
          {"max_value": 1.5},
          {"negative_slope": 0.2},
          {"threshold": 0.5},
          {"max_value": 2.0, "negative_slope": 0.1},
          {"max_value": 2.0, "threshold": 0.5},
          {"negative_slope": 0.3, "threshold": 0.7},
          {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.2},
          {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.25},
          {"max_value": 6.0, "negative_slope": 0.01, "threshold": 0.0},
      )),
    LayerCase("leaky-relu", lambda layers: layers.LeakyReLU(), (3, 5, 7, 4), (3, 5, 7, 4), distinct),
    LayerCase("leaky-relu-slope", lambda layers: layers.LeakyReLU(0.1), (5, 7), (5, 7), distinct),
    LayerCase("elu", lambda layers: layers.ELU(), (3, 5, 7, 4), (3, 5, 7, 4), distinct),
    LayerCase("elu-alpha", lambda layers: layers.ELU(0.3), (5, 7), (5, 7), distinct),
    *(LayerCase(f"conv-{activation}", lambda layers, activation=activation: layers.Conv2D(3, 3, activation=activation),
                (2, 7, 6, 4), (2, 5, 4, 3))
      for activation in SMOOTH_UNITS),
    LayerCase("softmax", lambda layers: layers.Softmax(axis=1), (3, 5, 4), (3, 5, 4), golden="training"),
    *(LayerCase(f"softmax-axis-{axis}", lambda layers, axis=axis: layers.Softmax(axis=axis),
                (3, 4, 5, 6), (3, 4, 5, 6), wide)
      for axis in (-1, 1, 2, 3)),
]  # fmt: skip

MERGES = [
    LayerCase("add", lambda layers: layers.Add(),
              [(2, 4, 3, 2), (2, 4, 3, 2), (2, 1, 1, 2)], (2, 4, 3, 2), golden="training"),
    LayerCase("add-two", lambda layers: layers.Add(), [(2, 5, 4, 3)] * 2, (2, 5, 4, 3)),
    LayerCase("add-three", lambda layers: layers.Add(), [(2, 5, 4, 3)] * 3, (2, 5, 4, 3)),
    # A map plus one number a channel: the number is used at every pixel, and its gradient is their sum.
    LayerCase("add-stretched", lambda layers: layers.Add(), [(2, 3, 4, 5), (2, 1, 1, 5)], (2, 3, 4, 5)),
    LayerCase("subtract", lambda layers: layers.Subtract(), [(2, 5, 4, 3)] * 2, (2, 5, 4, 3)),
    LayerCase("subtract-stretched", lambda layers: layers.Subtract(), [(2, 3, 4, 5), (2, 1, 4, 1)], (2, 3, 4, 5)),
    LayerCase("multiply", lambda layers: layers.Multiply(), [(2, 5, 4, 3)] * 2, (2, 5, 4, 3)),
    LayerCase("multiply-three", lambda layers: layers.Multiply(), [(2, 5, 3)] * 3, (2, 5, 3)),
    LayerCase("multiply-stretched", lambda layers: layers.Multiply(), [(2, 3, 4, 5), (2, 1, 1, 5)], (2, 3, 4, 5)),
    LayerCase("average", lambda layers: layers.Average(), [(2, 5, 4, 3)] * 3, (2, 5, 4, 3)),
    LayerCase("average-stretched", lambda layers: layers.Average(), [(2, 1, 4, 1), (2, 3, 4, 5)], (2, 3, 4, 5)),
    LayerCase("maximum", lambda layers: layers.Maximum(), [(2, 5, 4, 3)] * 3, (2, 5, 4, 3)),
    LayerCase("maximum-stretched", lambda layers: layers.Maximum(), [(2, 3, 4, 5), (2, 3, 1, 5)], (2, 3, 4, 5)),
    LayerCase("minimum", lambda layers: layers.Minimum(), [(2, 5, 4, 3)] * 3, (2, 5, 4, 3)),
    LayerCase("concatenate", lambda layers: layers.Concatenate(axis=2),
              [(2, 3, 1, 2), (2, 3, 4, 2)], (2, 3, 5, 2), golden="training"),
    LayerCase("concatenate-equal", lambda layers: layers.Concatenate(), [(2, 3, 4, 5)] * 3, (2, 3, 4, 15)),
    LayerCase("concatenate-equal-rows", lambda layers: layers.Concatenate(axis=1), [(2, 3, 4, 5)] * 3, (2, 9, 4, 5)),
    # Parts of different sizes along the axis.
    LayerCase("concatenate-channels", lambda layers: layers.Concatenate(axis=-1),
              [(2, 4, 5, 3), (2, 4, 5, 4), (2, 4, 5, 5)], (2, 4, 5, 12)),
    LayerCase("concatenate-rows", lambda layers: layers.Concatenate(axis=1),
              [(2, 4, 5, 3), (2, 5, 5, 3), (2, 6, 5, 3)], (2, 15, 5, 3)),
    LayerCase("concatenate-columns", lambda layers: layers.Concatenate(axis=2),
              [(2, 4, 5, 3), (2, 4, 6, 3), (2, 4, 7, 3)], (2, 4, 18, 3)),
    LayerCase("concatenate-axis-3", lambda layers: layers.Concatenate(axis=3),
              [(2, 4, 5, 3), (2, 4, 5, 4), (2, 4, 5, 5)], (2, 4, 5, 12)),
]  # fmt: skip

ARITHMETIC = [
    LayerCase("divide", lambda layers: layers.Divide(), [(2, 5, 4, 3), (2, 1, 4, 3)], (2, 5, 4, 3), far_from_zero,
              keras=False),
    *(LayerCase(f"{operation}-{'-first' * is_first}{number if isinstance(number, float) else 'channels'}",
                lambda layers, operation=operation, number=number, is_first=is_first:
                layers.WithNumber(operation, number, is_first),
                (3, 5, 4), (3, 5, 4), above_one, keras=False,
                torch=lambda F, layer, x, sign=sign: with_number(x, layer, sign))
      for operation, sign in SIGNS.items() for number in (2.5, [1.5, -2.0, 0.25, 3.0])
      for is_first in (False, True) if operation != "power" or not is_first),
    LayerCase("dot-rows", lambda layers: layers.Dot(1), [(3, 5), (3, 5)], (3, 1)),
    LayerCase("dot-matrices", lambda layers: layers.Dot((2, 1)), [(3, 4, 5), (3, 5, 2)], (3, 4, 2)),
    LayerCase("dot-last-axes", lambda layers: layers.Dot(-1), [(2, 4, 5), (2, 3, 5)], (2, 4, 3)),
    LayerCase("part-one-step", lambda layers: layers.TakePart([[None, None, None], -2]), (3, 5, 4), (3, 4), keras=False,
              torch=lambda F, layer, x: x[:, -2]),
    LayerCase("part-slices", lambda layers: layers.TakePart([[None, None, None], [1, None, 2], [None, -1, None]]),
              (2, 7, 5, 3), (2, 3, 4, 3), keras=False, torch=lambda F, layer, x: x[:, 1::2, :-1]),
    LayerCase("part-backwards", lambda layers: layers.TakePart([[None, None, None], 1, [None, None, -1]]),
              (2, 5, 3), (2, 3), keras=False, torch=lambda F, layer, x: x[:, 1].flip(-1)),
]  # fmt: skip

DECODER = [
    LayerCase("reversible-embedding", lambda layers: layers.ReversibleEmbedding(9, 4),
              (3, 5), (3, 5, 4), whole_numbers(9)),
    LayerCase("swiglu", lambda layers: layers.SwiGLU(), [(2, 5, 7)] * 2, (2, 5, 7), wide, keras=False),
    LayerCase("causal-attention", lambda layers: layers.CausalSelfAttention(4, 3),
              (2, 7, 5), (2, 7, 5), keras=False, torch=torch_causal_attention),
    LayerCase("causal-attention-shared-keys", lambda layers: layers.CausalSelfAttention(6, 4, 2, rotary_base=50),
              (3, 8, 7), (3, 8, 7), keras=False, torch=torch_causal_attention),
    LayerCase("causal-attention-one-key", lambda layers: layers.CausalSelfAttention(2, 5, 1),
              (2, 1, 3), (2, 1, 3), keras=False, torch=torch_causal_attention),
]  # fmt: skip

DROPOUTS = [
    LayerCase(
        "dropout", lambda layers: layers.Dropout(0.5), (2, 10), (2, 10), in_training="random", golden="inference"
    ),
    LayerCase("dropout-a-map", lambda layers: layers.Dropout(0.4), (3, 7, 6, 4), (3, 7, 6, 4), in_training="random"),
    LayerCase("dropout-steps", lambda layers: layers.Dropout(0.4), (3, 5, 4), (3, 5, 4), in_training="random"),
    LayerCase(
        "spatial-dropout-1d", lambda layers: layers.SpatialDropout1D(0.4), (3, 5, 4), (3, 5, 4), in_training="random"
    ),
    LayerCase(
        "spatial-dropout-2d",
        lambda layers: layers.SpatialDropout2D(0.4),
        (3, 5, 2, 4),
        (3, 5, 2, 4),
        in_training="random",
    ),
    LayerCase("gaussian-noise", lambda layers: layers.GaussianNoise(0.3), (3, 5, 4), (3, 5, 4), in_training="random"),
    LayerCase("gaussian-dropout", lambda layers: layers.GaussianDropout(0.3), (5, 7), (5, 7), in_training="random"),
    LayerCase("alpha-dropout", lambda layers: layers.AlphaDropout(0.3), (5, 7), (5, 7), in_training="random"),
    LayerCase(
        "dropout-of-features",
        lambda layers: layers.Dropout(0.4, noise_shape=(None, 1, None)),
        (3, 5, 4),
        (3, 5, 4),
        in_training="random",
    ),
    LayerCase(
        "alpha-dropout-of-features",
        lambda layers: layers.AlphaDropout(0.4, noise_shape=(None, 1, None)),
        (3, 5, 4),
        (3, 5, 4),
        in_training="random",
    ),
    LayerCase("masking-nothing", lambda layers: layers.Masking(0.5), (3, 5, 4), (3, 5, 4)),
    LayerCase("rescaling", lambda layers: layers.Rescaling(0.3, offset=-1), (3, 5, 4), (3, 5, 4)),
    LayerCase(
        "rescaling-channels",
        lambda layers: layers.Rescaling([2.0, 0.5, -1.0], offset=[0.0, 1.0, 2.0]),
        (2, 4, 5, 3),
        (2, 4, 5, 3),
    ),
    LayerCase(
        "normalization-given",
        lambda layers: layers.Normalization(mean=[1.0, 2.0, 0.5], variance=[4.0, 9.0, 0.2]),
        (2, 4, 5, 3),
        (2, 4, 5, 3),
    ),
    LayerCase(
        "normalization-inverse", lambda layers: layers.Normalization(None, 3.0, 4.0, invert=True), (4, 3), (4, 3)
    ),
    LayerCase(
        "normalization-measured", lambda layers: layers.Normalization((1, 3)), (2, 4, 5, 3), (2, 4, 5, 3), keras=False
    ),
    LayerCase("resizing", lambda layers: layers.Resizing(4, 9), (2, 7, 6, 3), (2, 4, 9, 3)),
    LayerCase(
        "resizing-nearest-crop",
        lambda layers: layers.Resizing(5, 3, interpolation="nearest", crop_to_aspect_ratio=True),
        (2, 7, 9, 2),
        (2, 5, 3, 2),
    ),
    LayerCase("resizing-antialias", lambda layers: layers.Resizing(3, 8, antialias=True), (2, 7, 6, 3), (2, 3, 8, 3)),
    LayerCase(
        "resizing-antialias-bicubic-pad",
        lambda layers: layers.Resizing(4, 3, "bicubic", pad_to_aspect_ratio=True, fill_value=0.5, antialias=True),
        (2, 7, 12, 3),
        (2, 4, 3, 3),
    ),
    LayerCase(
        "resizing-pad", lambda layers: layers.Resizing(5, 8, pad_to_aspect_ratio=True), (2, 9, 7, 2), (2, 5, 8, 2)
    ),
    LayerCase(
        "resizing-bicubic", lambda layers: layers.Resizing(4, 9, "bicubic"), (2, 7, 6, 3), (2, 4, 9, 3), keras=False
    ),
    LayerCase("center-crop", lambda layers: layers.CenterCrop(4, 3), (2, 7, 6, 3), (2, 4, 3, 3)),
    LayerCase("center-crop-of-a-small-image", lambda layers: layers.CenterCrop(8, 3), (2, 7, 6, 3), (2, 8, 3, 3)),
    LayerCase(
        "random-crop",
        lambda layers: layers.RandomCrop(4, 3),
        (2, 7, 6, 3),
        (2, 4, 3, 3),
        in_training="random",
        keras=False,
    ),
    *(
        LayerCase(name, make, (3, 5, 6, 2), (3, 5, 6, 2), in_training="random")
        for name, make in {
            "random-flip": lambda layers: layers.RandomFlip(),
            "random-flip-rows": lambda layers: layers.RandomFlip("vertical"),
            "random-rotation": lambda layers: layers.RandomRotation(0.2),
            "random-rotation-constant": lambda layers: layers.RandomRotation((0.1, 0.3), "constant", fill_value=2.0),
            "random-translation": lambda layers: layers.RandomTranslation(0.3, (-0.1, 0.4), "wrap"),
            "random-zoom": lambda layers: layers.RandomZoom(0.3, fill_mode="nearest"),
            "random-zoom-both": lambda layers: layers.RandomZoom((-0.4, 0.1), 0.2, interpolation="nearest"),
            "random-brightness": lambda layers: layers.RandomBrightness(0.5, (-2, 2)),
            "random-contrast": lambda layers: layers.RandomContrast(0.8, (-1, 2)),
        }.items()
    ),
    LayerCase("dropout-nothing", lambda layers: layers.Dropout(0.0), (3, 5, 7), (3, 5, 7)),
]

SEQUENCES = [
    *(LayerCase(f"conv1d-{padding}", lambda layers, padding=padding: layers.Conv1D(4, 3, padding=padding,
                activation="tanh"), (2, 7, 3), (2, 5 if padding == "valid" else 7, 4))
      for padding in ("valid", "same", "causal")),
    LayerCase("conv1d-strides", lambda layers: layers.Conv1D(4, (3,), strides=2, padding="same", use_bias=False),
              (3, 8, 2), (3, 4, 4)),
    LayerCase("conv1d-groups", lambda layers: layers.Conv1D(6, 3, padding="causal", groups=3, activation="tanh"),
              (2, 7, 6), (2, 7, 6)),
    LayerCase("conv1d-dilated", lambda layers: layers.Conv1D(3, 2, dilation_rate=3, padding="causal"),
              (2, 9, 2), (2, 9, 3)),
    *(LayerCase(f"conv1d-transpose-{padding}", lambda layers, padding=padding: layers.Conv1DTranspose(
                  4, 3, strides=2, padding=padding, activation="tanh"), (2, 5, 3), (2, steps, 4))
      for padding, steps in (("valid", 11), ("same", 10))),
    LayerCase("conv1d-transpose-output-padding", lambda layers: layers.Conv1DTranspose(
                  2, 4, strides=3, padding="same", output_padding=1, use_bias=False), (2, 5, 3), (2, 13, 2)),
    LayerCase("depthwise-1d", lambda layers: layers.DepthwiseConv1D(
                  3, strides=2, padding="same", depth_multiplier=2, activation="silu"), (2, 7, 3), (2, 4, 6)),
    LayerCase("depthwise-1d-dilated", lambda layers: layers.DepthwiseConv1D(3, dilation_rate=2, use_bias=False),
              (2, 9, 3), (2, 5, 3)),
    LayerCase("separable-1d", lambda layers: layers.SeparableConv1D(
                  5, 3, padding="same", depth_multiplier=2, activation="tanh"), (2, 7, 3), (2, 7, 5)),
    LayerCase("conv1d-one-step", lambda layers: layers.Conv1D(3, 1), (2, 1, 5), (2, 1, 3)),
    LayerCase("max-pool-1d", lambda layers: layers.MaxPooling1D(), (2, 7, 3), (2, 3, 3), distinct),
    LayerCase("max-pool-1d-same", lambda layers: layers.MaxPooling1D(3, 2, padding="same"),
              (2, 7, 3), (2, 4, 3), distinct),
    LayerCase("average-pool-1d", lambda layers: layers.AveragePooling1D(3, 1), (2, 7, 3), (2, 5, 3)),
    LayerCase("global-average-1d", lambda layers: layers.GlobalAveragePooling1D(), (3, 7, 2), (3, 2)),
    LayerCase("global-average-1d-kept", lambda layers: layers.GlobalAveragePooling1D(keepdims=True),
              (3, 5, 2), (3, 1, 2)),
    LayerCase("global-max-1d", lambda layers: layers.GlobalMaxPooling1D(), (3, 7, 2), (3, 2), distinct),
    LayerCase("global-max-1d-kept", lambda layers: layers.GlobalMaxPooling1D(keepdims=True),
              (3, 5, 2), (3, 1, 2), distinct),
    LayerCase("zero-padding-1d", lambda layers: layers.ZeroPadding1D((2, 1)), (2, 5, 3), (2, 8, 3)),
    LayerCase("cropping-1d", lambda layers: layers.Cropping1D((2, 1)), (2, 7, 3), (2, 4, 3)),
    LayerCase("upsampling-1d", lambda layers: layers.UpSampling1D(3), (2, 5, 3), (2, 15, 3)),
    LayerCase("repeat-vector", lambda layers: layers.RepeatVector(4), (3, 5), (3, 4, 5)),
    LayerCase("permute", lambda layers: layers.Permute((3, 1, 2)), (2, 3, 4, 5), (2, 5, 3, 4)),
]  # fmt: skip

RECURRENT = [
    *(LayerCase("-".join([name.lower(), *(f"{key}-{value}" for key, value in arguments.items())]),
                lambda layers, name=name, arguments=arguments: getattr(layers, name)(3, **arguments),
                (4, 5, 2), (4, 5, 3) if arguments.get("return_sequences") else (4, 3),
                golden="training" if name != "SimpleRNN" and set(arguments) == {"return_sequences"} else None)
      for name, several_arguments in {
          "SimpleRNN": [{}, {"return_sequences": True, "use_bias": False}, {"activation": "sigmoid"}],
          "LSTM": [{}, {"return_sequences": True}, {"go_backwards": True}, {"recurrent_activation": "hard_sigmoid"},
                   {"use_bias": False}],
          "GRU": [{}, {"return_sequences": True}, {"reset_after": False, "return_sequences": True},
                  {"reset_after": False}, {"go_backwards": True, "use_bias": False}],
      }.items() for arguments in several_arguments),
    LayerCase("lstm-one-step", lambda layers: layers.LSTM(5), (2, 1, 3), (2, 5)),
    LayerCase("lstm-dropout", lambda layers: layers.LSTM(3, dropout=0.4), (4, 5, 6), (4, 3), in_training="random"),
    *(LayerCase(f"bidirectional-{mode}", lambda layers, mode=mode: layers.Bidirectional(
                layers.LSTM(3, return_sequences=True), merge_mode=mode),
                (2, 5, 4), (2, 5, 6 if mode == "concat" else 3))
      for mode in ("concat", "sum", "mul", "ave")),
    LayerCase("bidirectional-last", lambda layers: layers.Bidirectional(layers.GRU(3)), (3, 5, 2), (3, 6)),
    LayerCase("time-distributed", lambda layers: layers.TimeDistributed(layers.Conv2D(2, 3)),
              (2, 3, 5, 4, 2), (2, 3, 3, 2, 2)),
    LayerCase("time-distributed-lstm", lambda layers: layers.TimeDistributed(layers.LSTM(3)), (2, 3, 5, 4), (2, 3, 3)),
]  # fmt: skip

LAYERS = [
    *SEQUENCES,
    *RECURRENT,
    *CONVOLUTIONS,
    *DEPTHWISE,
    *MAPS,
    *POOLINGS,
    *DENSE,
    *NORMALIZATIONS,
    *ROW_NORMALIZATIONS,
    *ACTIVATION_LAYERS,
    *MERGES,
    *ARITHMETIC,
    *DROPOUTS,
    *EMBEDDINGS,
    *ATTENTIONS,
    *DECODER,
]
GOLDEN = [case for case in LAYERS if case.golden]

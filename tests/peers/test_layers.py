"""Every layer against Keras (and the sliding windows against PyTorch too): outputs, input gradients and parameter
gradients in float32, for random numbers, random parameters and a random gradient from above."""

import keras
import numpy as np
import pytest
import torch.nn.functional as F

import minitl.layers
from minitl.layers import AveragePooling2D, Conv2D, GlobalMaxPooling2D, MaxPooling2D

from .compare import compare_with_keras, compare_with_torch, pad_same, random

ACTIVATIONS = ["linear", "relu", "sigmoid", "softmax", "tanh"]

# (height, width), window, strides: odd sizes, windows that are not square, overlap, touch, or leave gaps
WINDOWS = [
    ((7, 9), (3, 3), (1, 1)),
    ((7, 9), (1, 1), (1, 1)),
    ((8, 5), (2, 2), (2, 2)),
    ((9, 7), (3, 3), (2, 2)),
    ((8, 10), (3, 3), (2, 2)),
    ((11, 8), (2, 5), (1, 1)),
    ((11, 8), (5, 2), (3, 3)),
    ((9, 12), (3, 2), (2, 1)),
    ((7, 13), (4, 3), (1, 3)),
    ((10, 7), (1, 2), (3, 2)),
    ((5, 5), (5, 5), (1, 1)),
]


def _name(value):
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


windows = pytest.mark.parametrize("image_hw, window, strides", WINDOWS, ids=_name)
paddings = pytest.mark.parametrize("padding", ["valid", "same"])


@windows
@paddings
def test_conv2d(image_hw, window, strides, padding):
    x = random(2, *image_hw, 3)
    arguments = {"filters": 5, "kernel_size": window, "strides": strides, "padding": padding}
    compare_with_keras("Conv2D", x, **arguments)

    def operation(x, kernel, bias):
        x = pad_same(x, window, strides) if padding == "same" else x
        return F.conv2d(x, kernel.permute(3, 2, 0, 1), bias, strides)

    compare_with_torch(Conv2D(**arguments), operation, x)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("use_bias", [True, False], ids=["bias", "no-bias"])
def test_conv2d_activation(activation, use_bias):
    compare_with_keras("Conv2D", random(2, 7, 6, 4), filters=3, kernel_size=3, activation=activation, use_bias=use_bias)


def test_conv2d_of_many_images_and_channels():
    """Large enough that the column matrix is made in several blocks."""
    compare_with_keras("Conv2D", random(5, 57, 43, 20), filters=24, kernel_size=(3, 5), padding="same")


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_conv2d_by_winograd(padding):
    """3x3 with enough channels: the fast path, whose rounding errors are larger."""
    compare_with_keras("Conv2D", random(3, 26, 15, 64), 3e-5, filters=48, kernel_size=3, padding=padding)


def test_frozen_layers_pass_the_gradient_on_and_get_none():
    compare_with_keras("Conv2D", random(2, 7, 6, 4), trainable=False, filters=3, kernel_size=3, activation="relu")
    compare_with_keras("Dense", random(5, 7), trainable=False, units=3, activation="tanh")


@windows
@paddings
def test_max_pooling(image_hw, window, strides, padding):
    x = random(2, *image_hw, 3)
    arguments = {"pool_size": window, "strides": strides, "padding": padding}
    compare_with_keras("MaxPooling2D", x, **arguments)

    def operation(x):
        x = pad_same(x, window, strides, value=-np.inf) if padding == "same" else x
        return F.max_pool2d(x, window, strides)

    compare_with_torch(MaxPooling2D(**arguments), operation, x)


@windows
def test_max_pooling_of_equal_pixels(image_hw, window, strides):
    """Whole numbers, many of them equal: the first pixel in reading order gets the gradient, as in PyTorch."""
    x = np.round(random(2, *image_hw, 3))
    layer = MaxPooling2D(window, strides)
    compare_with_torch(layer, lambda x: F.max_pool2d(x, window, strides), x)
    compare_with_torch(GlobalMaxPooling2D(keepdims=True), lambda x: F.max_pool2d(x, image_hw), x)


@windows
@paddings
def test_average_pooling(image_hw, window, strides, padding):
    """'same' against PyTorch alone: where one side gets a pixel more than the other, Keras on PyTorch repeats the
    border and counts it (on TensorFlow it does not), and its mean is then not that of the pixels in the window."""
    x = random(2, *image_hw, 3)
    arguments = {"pool_size": window, "strides": strides, "padding": padding}
    if padding == "valid":
        compare_with_keras("AveragePooling2D", x, **arguments)

    def operation(x):
        if padding == "valid":
            return F.avg_pool2d(x, window, strides)
        pixels = F.avg_pool2d(pad_same(x.new_ones(x.shape), window, strides), window, strides)
        return F.avg_pool2d(pad_same(x, window, strides), window, strides) / pixels

    compare_with_torch(AveragePooling2D(**arguments), operation, x)


@pytest.mark.parametrize("name", ["MaxPooling2D", "AveragePooling2D"])
def test_pooling_defaults(name):
    """A 2x2 window that moves by its own size; the last row and column of odd images are left out."""
    compare_with_keras(name, random(2, 7, 9, 3), pool_size=2)


@pytest.mark.parametrize("keepdims", [False, True], ids=["flat", "keepdims"])
@pytest.mark.parametrize("name", ["GlobalAveragePooling2D", "GlobalMaxPooling2D"])
def test_global_pooling(name, keepdims):
    compare_with_keras(name, random(3, 5, 7, 4), keepdims=keepdims)


@pytest.mark.parametrize("padding", [2, (1, 3), ((1, 0), (2, 3)), ((0, 0), (0, 0))], ids=str)
def test_zero_padding(padding):
    compare_with_keras("ZeroPadding2D", random(2, 5, 4, 3), padding=padding)


@pytest.mark.parametrize("shape", [(4, 3, 5, 2), (4, 6)], ids=_name)
def test_flatten(shape):
    compare_with_keras("Flatten", random(*shape))


@pytest.mark.parametrize("shape", [(5, 7), (1, 7), (2, 3, 5, 7)], ids=_name)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_dense(shape, activation):
    compare_with_keras("Dense", random(*shape), units=4, activation=activation)


def test_dense_without_bias():
    compare_with_keras("Dense", random(5, 7), units=4, use_bias=False)


@pytest.mark.parametrize("shape", [(6, 5, 7, 4), (9, 4)], ids=_name)
@pytest.mark.parametrize("center, scale", [(True, True), (False, True), (True, False), (False, False)])
@pytest.mark.parametrize("state", ["training", "inference", "frozen"])
def test_batch_normalization(state, center, scale, shape):
    """The three states, whose statistics differ. compare_with_keras also compares the moving statistics afterwards."""
    x = 3 * random(*shape) + 5
    layer = compare_with_keras(
        "BatchNormalization",
        x,
        training=state != "inference",
        trainable=state != "frozen",
        momentum=0.9,
        epsilon=1e-2,
        center=center,
        scale=scale,
    )
    start = random(4, seed=1 + layer.weight_names.index("moving_mean"))  # what `randomize` gave it
    followed = 0.9 * start + 0.1 * x.reshape(-1, 4).mean(axis=0)
    np.testing.assert_allclose(layer.moving_mean, followed if state == "training" else start, rtol=1e-5)


def test_batch_normalization_far_from_zero():
    """Keras's own momentum and epsilon, and numbers of the size that VGG16's layers give."""
    compare_with_keras("BatchNormalization", 100 + 20 * random(8, 5, 5, 3), tolerance=2e-5, training=True)


@pytest.mark.parametrize("shape", [(5, 7), (2, 3, 5, 4)], ids=_name)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation(activation, shape):
    compare_with_keras("Activation", 3 * random(*shape), activation=activation)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"max_value": 1.5},
        {"negative_slope": 0.2},
        {"threshold": 0.5},
        {"max_value": 2.0, "negative_slope": 0.1},
        {"max_value": 2.0, "threshold": 0.5},
        {"negative_slope": 0.3, "threshold": 0.7},
        {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.25},
        {"max_value": 6.0, "negative_slope": 0.01, "threshold": 0.0},
    ],
    ids=lambda arguments: ",".join(f"{name}={value}" for name, value in arguments.items()) or "plain",
)
def test_relu(arguments):
    compare_with_keras("ReLU", 3 * random(3, 5, 7, 4), **arguments)


@pytest.mark.parametrize("axis", [-1, 1, 2, 3])
def test_softmax(axis):
    compare_with_keras("Softmax", 4 * random(3, 4, 5, 6), axis=axis)


@pytest.mark.parametrize("count", [2, 3])
def test_add(count):
    compare_with_keras("Add", [random(2, 5, 4, 3, seed=i) for i in range(count)])


def test_add_stretches_axes_of_size_one():
    compare_with_keras("Add", [random(2, 5, 4, 3), random(2, 1, 1, 3)])


@pytest.mark.parametrize("axis", [-1, 1, 2, 3])
def test_concatenate(axis):
    """Parts of different sizes along the axis."""
    shapes = [np.array([2, 4, 5, 3]) for _ in range(3)]
    for extra, shape in enumerate(shapes):
        shape[axis] += extra
    compare_with_keras("Concatenate", [random(*map(int, shape), seed=i) for i, shape in enumerate(shapes)], axis=axis)


def test_dropout_in_inference():
    compare_with_keras("Dropout", random(3, 5, 4), rate=0.4)


def test_layers_are_named_as_keras_names_them():
    """A layer that nobody named: weight files go by the name. The first of each class in a model has no number."""
    arguments = {"Conv2D": [3, 3], "Dense": [3], "Dropout": [0.5], "Activation": ["relu"], "AveragePooling2D": [2]}
    keras.backend.clear_session()
    for name in minitl.layers.__all__:
        if name not in ("Input", "InputLayer", "Layer", "SymbolicTensor"):
            given = arguments.get(name, [])
            assert getattr(minitl.layers, name)(*given).name == getattr(keras.layers, name)(*given).name

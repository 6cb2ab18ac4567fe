"""Every layer against Keras (and the sliding windows against PyTorch too): outputs, input and parameter gradients.

All are float32, with random numbers, parameters and upstream gradients. Every case of the table in
`tests/cases/layers.py` is compared. Sliding windows are tried in more sizes here, and a few layers at the limits of
float32.
"""

import keras
import numpy as np
import pytest
import torch
from cases.layers import LAYERS, torch_average_pooling, torch_convolution, torch_global_max_pooling, torch_max_pooling

import minitl.layers

from .compare import compare_with_keras, compare_with_torch, random

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


@pytest.mark.parametrize("state", ["training", "inference", "frozen"])
@pytest.mark.parametrize("case", [case for case in LAYERS if case.keras], ids=lambda case: case.name)
def test_a_layer_gives_what_keras_gives(case, state):
    """A frozen layer passes on the same gradient and gets none. Layers that are random in training are compared in
    inference."""
    training = state != "inference" and case.in_training != "random"
    twin = None if case.keras is True else case.keras
    compare_with_keras(case.make, case.inputs(), 1e-5, training, state != "frozen", make_twin=twin)


@pytest.mark.parametrize("case", [case for case in LAYERS if case.torch], ids=lambda case: case.name)
def test_a_layer_gives_what_pytorch_gives(case):
    compare_with_torch(case.make, case.torch, case.inputs())


@windows
@paddings
def test_conv2d(image_hw, window, strides, padding):
    def make(layers):
        return layers.Conv2D(5, window, strides=strides, padding=padding)

    x = random(2, *image_hw, 3)
    compare_with_keras(make, x)
    compare_with_torch(make, torch_convolution, x)


def test_conv2d_of_many_images_and_channels():
    """The batch is large enough that the column matrix is made in several blocks."""
    compare_with_keras(lambda layers: layers.Conv2D(24, (3, 5), padding="same"), random(5, 57, 43, 20))


@paddings
def test_conv2d_by_winograd(padding):
    """3x3 kernels with enough channels take the fast path, whose rounding errors are larger."""
    compare_with_keras(lambda layers: layers.Conv2D(48, 3, padding=padding), random(3, 26, 15, 64), 3e-5)


@windows
@paddings
def test_max_pooling(image_hw, window, strides, padding):
    def make(layers):
        return layers.MaxPooling2D(window, strides=strides, padding=padding)

    x = random(2, *image_hw, 3)
    compare_with_keras(make, x)
    compare_with_torch(make, torch_max_pooling, x)


@windows
def test_max_pooling_of_equal_pixels(image_hw, window, strides):
    """Many of these whole numbers are equal. The first pixel in reading order gets the gradient, as in PyTorch."""
    x = np.round(random(2, *image_hw, 3))
    compare_with_torch(lambda layers: layers.MaxPooling2D(window, strides), torch_max_pooling, x)
    compare_with_torch(lambda layers: layers.GlobalMaxPooling2D(keepdims=True), torch_global_max_pooling, x)


@windows
@paddings
def test_average_pooling(image_hw, window, strides, padding):
    """Compare 'same' with PyTorch alone.

    Where one side gets a pixel more than the other, Keras on PyTorch repeats the border and counts it (on TensorFlow it
    does not). Its mean is then not that of the pixels in the window.
    """

    def make(layers):
        return layers.AveragePooling2D(window, strides=strides, padding=padding)

    x = random(2, *image_hw, 3)
    if padding == "valid":
        compare_with_keras(make, x)
    compare_with_torch(make, torch_average_pooling, x)


def test_batch_normalization_far_from_zero():
    """Use Keras's own momentum and epsilon, and numbers of the size that VGG16's layers give."""
    x = 100 + 20 * random(8, 5, 5, 3)
    compare_with_keras(lambda layers: layers.BatchNormalization(), x, tolerance=2e-5, training=True)


def test_layers_are_named_as_keras_names_them():
    """Weight files refer to layers by name, also to unnamed ones. The first of each class in a model has no number."""
    keras.backend.clear_session()
    one_of_each = {type(case.make(minitl.layers)): case for case in LAYERS if case.keras}
    for case in one_of_each.values():
        assert case.make(minitl.layers).name == case.keras_twin(keras.layers).name


@windows
def test_max_pooling_of_nan(image_hw, window, strides):
    """The gradient of a window that holds NaN goes to the last NaN, as in PyTorch."""
    x = random(2, *image_hw, 3)
    x[np.random.default_rng(0).random(x.shape) < 0.05] = np.nan
    layer = minitl.layers.MaxPooling2D(window, strides)
    y = layer.forward(x)
    upstream, tensor = random(*y.shape, seed=1), torch.tensor(x, requires_grad=True)
    expected = torch_max_pooling(torch.nn.functional, layer, tensor)
    expected.backward(torch.tensor(upstream))
    np.testing.assert_array_equal(y, expected.detach().numpy())
    np.testing.assert_allclose(layer.backward(upstream), tensor.grad.numpy(), atol=1e-6)

"""What the layers promise besides their numbers: shapes, names, states, and errors that help."""

import numpy as np
import pytest

from minitl import utils
from minitl.errors import ArgumentError, GraphError, ShapeError
from minitl.initializers import GlorotUniform, HeNormal, HeUniform, fans
from minitl.layers import (
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    ReLU,
    ZeroPadding2D,
)

SHAPES = [
    (Conv2D(8, 3), (7, 9, 2), (5, 7, 8)),
    (Conv2D(8, 3, strides=2, padding="same"), (7, 9, 2), (4, 5, 8)),
    (ZeroPadding2D(3), (7, 9, 2), (13, 15, 2)),
    (ZeroPadding2D(((1, 0), (2, 3))), (7, 9, 2), (8, 14, 2)),
    (MaxPooling2D(), (7, 9, 2), (3, 4, 2)),
    (AveragePooling2D(3, strides=1, padding="same"), (7, 9, 2), (7, 9, 2)),
    (GlobalAveragePooling2D(), (7, 9, 2), (2,)),
    (GlobalAveragePooling2D(keepdims=True), (7, 9, 2), (1, 1, 2)),
    (Flatten(), (7, 9, 2), (126,)),
    (Dense(5), (126,), (5,)),
    (Dense(5), (7, 9, 2), (7, 9, 5)),
    (Dropout(0.5), (7, 9, 2), (7, 9, 2)),
    (BatchNormalization(), (7, 9, 2), (7, 9, 2)),
    (Activation("relu"), (7, 9, 2), (7, 9, 2)),
]


@pytest.mark.parametrize("layer, image, expected", SHAPES, ids=lambda v: repr(v).replace(" ", ""))
def test_symbolic_and_real_shapes_agree(layer, image, expected):
    assert layer(Input(image)).shape == (None, *expected)
    assert layer.forward(np.zeros((2, *image), np.float32)).shape == (2, *expected)
    assert layer.input_shape == (None, *image) and layer.output_shape == (None, *expected)


def test_sizes_may_be_unknown():
    x = Conv2D(4, 3)(Input((None, None, 3)))
    assert x.shape == (None, None, None, 4)
    assert GlobalAveragePooling2D()(x).shape == (None, 4)
    with pytest.raises(ShapeError, match="needs to know how many numbers it gets.*pool globally"):
        Dense(3)(Flatten()(x))


def test_weights_in_and_out(rng):
    layer = Conv2D(4, 3)
    layer.forward(np.zeros((1, 5, 5, 2), np.float32))
    kernel, bias = layer.get_weights()
    assert kernel.shape == (3, 3, 2, 4) and bias.shape == (4,) and layer.count_params() == 76
    kernel += 1
    assert not np.array_equal(kernel, layer.kernel), "get_weights gives copies"
    layer.set_weights([kernel, bias])
    assert np.array_equal(kernel, layer.kernel)
    with pytest.raises(ShapeError, match=r"expected weights \[kernel \(3, 3, 2, 4\), bias \(4,\)\], found"):
        layer.set_weights([bias, kernel])
    with pytest.raises(ShapeError, match="no parameters yet"):
        Dense(3).set_weights([np.zeros((2, 3)), np.zeros(3)])


def test_initial_values_are_keras_defaults():
    layer = Dense(200)
    layer.forward(np.zeros((1, 100), np.float32))
    limit = np.sqrt(6 / 300)
    assert layer.kernel.dtype == np.float32 and not layer.bias.any()
    assert 0.98 * limit < layer.kernel.max() <= limit and -limit <= layer.kernel.min() < -0.98 * limit
    assert fans((3, 3, 16, 32)) == (144, 288)
    for initializer, variance in (GlorotUniform, 2 / (144 + 288)), (HeUniform, 2 / 144), (HeNormal, 2 / 144):
        values = initializer(seed=1)((3, 3, 16, 32))
        assert abs(values.var() / variance - 1) < 0.05
        assert np.array_equal(values, initializer(seed=1)((3, 3, 16, 32)))


def test_one_seed_one_result():
    def kernels():
        utils.set_random_seed(7)
        layers = Dense(3), Dense(3)
        return [layer.forward(np.zeros((1, 4), np.float32)) is None or layer.kernel for layer in layers]

    first, second = kernels(), kernels()
    assert np.array_equal(first, second)
    assert not np.array_equal(first[0], first[1])
    with pytest.raises(ArgumentError, match="seed is -1"):
        utils.set_random_seed(-1)


def test_dropout_keeps_the_expected_value():
    layer, x = Dropout(0.25, seed=3), np.ones((200, 500), np.float32)
    y = layer.forward(x, training=True)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(y.mean() - 1) < 0.01
    assert np.array_equal(layer.backward(x), y), "the same mask on the way back"
    assert layer.forward(x) is x
    assert np.array_equal(Dropout(0.25, seed=3).forward(x, training=True), y)
    assert not np.array_equal(layer.forward(x, training=True), y), "a new mask for every batch"
    with pytest.raises(ArgumentError, match="rate is 1"):
        Dropout(1)


def test_batch_norm_in_its_three_states(rng):
    x = rng.standard_normal((8, 4, 4, 3)).astype(np.float32) * 3 + 5
    layer = BatchNormalization(momentum=0.9, epsilon=1e-5)
    y = layer.forward(x, training=True)
    assert np.abs(y.mean(axis=(0, 1, 2))).max() < 1e-5 and np.abs(y.std(axis=(0, 1, 2)) - 1).max() < 1e-4
    assert np.allclose(layer.moving_mean, 0.1 * x.mean(axis=(0, 1, 2)), rtol=1e-5)
    assert np.allclose(layer.moving_variance, 0.9 + 0.1 * x.var(axis=(0, 1, 2)), rtol=1e-5)

    statistics = layer.moving_mean.copy(), layer.moving_variance.copy()
    expected = (x - statistics[0]) / np.sqrt(statistics[1] + 1e-5)
    assert np.allclose(layer.forward(x), expected, atol=1e-5)  # inference
    layer.trainable = False
    assert np.allclose(layer.forward(x, training=True), expected, atol=1e-5)  # frozen: as inference, even in training
    layer.backward(x)
    assert np.array_equal(layer.moving_mean, statistics[0]) and np.array_equal(layer.moving_variance, statistics[1])
    assert layer.is_fixed and not BatchNormalization(center=False, scale=False).is_fixed


def test_a_batch_with_nan_does_not_reach_the_statistics():
    layer = BatchNormalization()
    layer.forward(np.full((4, 3), np.nan, np.float32), training=True)
    assert np.array_equal(layer.moving_mean, np.zeros(3)) and np.array_equal(layer.moving_variance, np.ones(3))


def test_frozen_layers_pass_gradients_on_and_keep_little(rng):
    x, grad = rng.standard_normal((2, 5, 5, 3)), rng.standard_normal((2, 3, 3, 4))
    layer = Conv2D(4, 3)
    layer.forward(x)
    dx = layer.backward(grad)
    layer.gradients.clear()
    layer.trainable = False
    layer.forward(x)
    assert layer.remembered()[0] is None, "without a kernel gradient nobody needs x"
    assert np.array_equal(layer.backward(grad), dx)
    assert layer.gradients == {} and layer.trainable_names == []


MISUSES = [
    (lambda: Dense(3)(np.zeros((1, 2))), GraphError, "Call layer.forward"),
    (lambda: Dense(3)([Input((2,)), Input((2,))]), GraphError, "it takes one"),
    (lambda: Dense(3).backward(np.zeros((1, 3))), GraphError, "Run forward first"),
    (lambda: Conv2D(3, 3, padding="full"), ArgumentError, "'valid' or 'same'"),
    (lambda: Conv2D(3, (3, 3, 3)), ArgumentError, "kernel_size is"),
    (lambda: Conv2D(3, 3, strides=0), ArgumentError, "strides is 0"),
    (lambda: Conv2D(0, 3), ArgumentError, "filters is 0; expected a whole number of at least 1"),
    (lambda: Dense(-3), ArgumentError, "units is -3"),
    (lambda: ReLU(max_value=-1.0), ArgumentError, "max_value is -1.0"),
    (lambda: Conv2D(3, 3)(Input((2, 2, 1))), ShapeError, "does not fit into 2 pixels"),
    (lambda: Conv2D(3, 3).forward(np.zeros((5, 5, 3))), ShapeError, r"'conv2d' expected .*\(N, H, W, C\)"),
    (lambda: MaxPooling2D()(Input((4,))), ShapeError, "max_pooling2d"),
    (lambda: Activation("gelu"), ArgumentError, "'gelu'; expected one of linear, relu"),
    (lambda: Add()([Input((2, 2, 3)), Input((2, 2, 4))]), ShapeError, "one shape"),
    (lambda: Concatenate()([Input((2, 2, 3)), Input((2, 3, 3))]), ShapeError, "differ only along axis -1"),
    (
        lambda: Dense(3, kernel_initializer="magic")(Input((2,))),
        ArgumentError,
        "'magic'; expected one of glorot_uniform",
    ),
    (lambda: Input(5), ShapeError, "Input shape is 5"),
    (lambda: BatchNormalization(axis=1)(Input((2, 2, 3))), ShapeError, "channels are the last axis"),
]


@pytest.mark.parametrize("misuse, error, message", MISUSES, ids=[message for *_, message in MISUSES])
def test_errors_say_what_is_wrong(misuse, error, message):
    with pytest.raises(error, match=message):
        misuse()


def test_a_built_layer_refuses_other_channels():
    layer = Conv2D(3, 3)
    layer.forward(np.zeros((1, 5, 5, 3)))
    with pytest.raises(ShapeError, match=r"'conv2d' expected 3 channels, found 1.*\(1, 5, 5, 1\).*adapt_input"):
        layer.forward(np.zeros((1, 5, 5, 1)))
    dense = Dense(2)
    dense.forward(np.zeros((1, 5)))
    with pytest.raises(ShapeError, match="'dense' expected 5 inputs, found 4"):
        dense.forward(np.zeros((1, 4)))


def test_to_categorical():
    assert np.array_equal(utils.to_categorical(np.array([2, 0], np.uint8)), [[0, 0, 1], [1, 0, 0]])
    assert utils.to_categorical([1], num_classes=4).shape == (1, 4)
    with pytest.raises(ValueError, match="labels run from 0 to 3; expected 0 to 2"):
        utils.to_categorical([0, 3], num_classes=3)


@pytest.mark.parametrize("layer", [Conv2D(32, 3, padding="same"), BatchNormalization(), Activation("relu")])
def test_no_images(layer):
    x = np.zeros((0, 8, 8, 64), np.float32)
    y = layer.forward(x, training=True)
    assert layer.backward(np.ones_like(y)).shape == x.shape
    assert all(not gradient.any() for gradient in layer.gradients.values())


def test_an_activation_of_a_row():
    layer = Activation("relu")
    layer.forward(np.array([1.0, -1.0, 2.0]))
    assert layer.backward(np.ones(3)).tolist() == [1, 0, 1]

"""data_format="channels_first": every layer that has the argument gives what it gives with the channels last, moved."""

import copy
import inspect
import pickle

import numpy as np
import pytest

from minitl import layers, transfer
from minitl.errors import ArgumentError, MinitlError, ShapeError
from minitl.layers import BatchNormalization, Conv2D, Dense, Flatten, Input, MaxPooling2D, TimeDistributed
from minitl.layers.channels_first import ChannelsFirst
from minitl.models import Model, load_model
from minitl.testing import check_gradients

EXAMPLES = {
    "AveragePooling1D": ((2,), {}),
    "AveragePooling2D": ((2,), {}),
    "CenterCrop": ((3, 4), {}),
    "Conv1D": ((5, 3), {"activation": "tanh"}),
    "Conv1DTranspose": ((5, 3), {"strides": 2}),
    "Conv2D": ((5, (2, 3)), {"padding": "same", "activation": "gelu"}),
    "Conv2DTranspose": ((5, (2, 3)), {"strides": 2, "activation": "relu"}),
    "Cropping2D": ((((1, 0), (2, 1)),), {}),
    "DepthwiseConv1D": ((3,), {"depth_multiplier": 2}),
    "DepthwiseConv2D": (((2, 3),), {"activation": "tanh"}),
    "Flatten": ((), {}),
    "GlobalAveragePooling1D": ((), {}),
    "GlobalAveragePooling2D": ((), {"keepdims": True}),
    "GlobalMaxPooling1D": ((), {"keepdims": True}),
    "GlobalMaxPooling2D": ((), {}),
    "MaxPooling1D": ((2,), {"strides": 1}),
    "MaxPooling2D": ((2,), {"strides": 1, "padding": "same"}),
    "RandomCrop": ((3, 4), {"seed": 1}),
    "RandomFlip": ((), {"seed": 1}),
    "RandomRotation": ((0.2,), {"seed": 1}),
    "RandomTranslation": ((0.2, 0.1), {"seed": 1}),
    "RandomZoom": ((0.2, 0.1), {"seed": 1}),
    "Resizing": ((4, 9), {}),
    "SeparableConv1D": ((5, 3), {}),
    "SeparableConv2D": ((5, (2, 3)), {}),
    "SpatialDropout2D": ((0.4,), {"seed": 1}),
    "UpSampling2D": (((2, 3),), {"interpolation": "bilinear"}),
    "ZeroPadding1D": ((2,), {}),
    "ZeroPadding2D": ((((1, 0), (2, 1)),), {}),
}
OF_SEQUENCES = [name for name in EXAMPLES if "1D" in name]


def moved(array, source, target):
    return np.ascontiguousarray(np.moveaxis(array, source, target)) if array.ndim > 2 else array


def example(name, **more):
    """Return the layer of an example, and an input with the channels first."""
    args, kwargs = EXAMPLES[name]
    shape = (2, 3, 7) if name in OF_SEQUENCES else (2, 3, 5, 6)
    return getattr(layers, name)(*args, **kwargs, **more), np.random.default_rng(0).standard_normal(shape)


def test_every_layer_with_the_argument_is_here():
    classes = {name: getattr(layers, name) for name in layers.__all__ if isinstance(getattr(layers, name), type)}
    assert {name for name, each in classes.items() if "data_format" in inspect.signature(each).parameters} == {
        *EXAMPLES
    }


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", EXAMPLES)
def test_output_and_gradients_are_those_with_the_channels_last(name, training):
    (ours, x), (twin, _) = example(name, data_format="channels_first"), example(name)
    for layer, shape in (ours, x.shape), (twin, moved(x, 1, -1).shape):
        layer.accept(shape)
        for parameter in layer.weight_names:  # in float64
            setattr(layer, parameter, getattr(layer, parameter).astype(float))
    for parameter in ours.weight_names:
        getattr(twin, parameter)[...] = getattr(ours, parameter)
    y, expected = ours.forward(x, training=training), twin.forward(moved(x, 1, -1), training=training)
    np.testing.assert_array_equal(y, moved(expected, -1, 1))
    assert y.flags.c_contiguous and ours.compute_output_shape((None, *x.shape[1:])) == (None, *y.shape[1:])
    assert ours.flops(x.shape) == twin.flops(moved(x, 1, -1).shape)
    grad = np.random.default_rng(1).standard_normal(y.shape)
    dx, expected = ours.backward(grad), twin.backward(moved(grad, 1, -1))
    np.testing.assert_array_equal(dx, moved(expected, -1, 1))
    assert {*ours.gradients} == {*twin.gradients} == {*ours.parameter_names}
    for parameter, gradient in ours.gradients.items():
        np.testing.assert_array_equal(gradient, twin.gradients[parameter])


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_model_keeps_it_when_it_is_saved(name, tmp_path):
    layer, x = example(name, data_format="channels_first")
    config = layer.get_config()
    assert config["data_format"] == "channels_first" and type(layer).from_config(config).get_config() == config
    start = Input(x.shape[1:])
    model = Model(start, layer(start))
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    assert isinstance(again.layers[-1], getattr(layers, name)) and isinstance(again.layers[-1], ChannelsFirst)
    np.testing.assert_array_equal(again.predict(x.astype("float32")), model.predict(x.astype("float32")))


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_layers_are_copied_and_pickled(again):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5, 6)).astype(np.float32)
    for layer, images in (
        (Conv2D(3, 2, data_format="channels_first"), x[0]),
        (BatchNormalization(axis=1), x[0]),
        (TimeDistributed(Conv2D(3, 2, data_format="channels_first")), x),
    ):
        y = layer(images)
        twin = again(layer)
        assert type(twin) is type(layer) and twin.get_config() == layer.get_config()
        np.testing.assert_array_equal(twin(images), y)


def test_gradients_of_a_network_with_the_channels_first():
    x = start = Input((3, 6, 7))
    for layer in (
        Conv2D(4, (2, 3), activation="tanh", data_format="channels_first"),
        BatchNormalization(axis=1),
        MaxPooling2D(2, data_format="channels_first"),
        Flatten(),
        Dense(3),
    ):
        x = layer(x)
    assert start.shape[1:] == (3, 6, 7) and x.call.inputs[0].shape == (None, 16)
    x, images = Model(start, x), np.random.default_rng(0).standard_normal((4, 3, 6, 7))
    check_gradients(x, images)


def test_batch_normalization_on_axis_1():
    x = np.random.default_rng(0).standard_normal((4, 3, 5, 6)) * 3 + 1
    layer = BatchNormalization(axis=1)
    y = layer.forward(x, training=True)
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), np.zeros(3), atol=1e-6)
    assert layer.moving_mean.shape == (3,) and layer.get_config()["axis"] == 1
    row = x[:, :, 0, 0]  # of two axes, 1 is the last one
    first, last = BatchNormalization(axis=1), BatchNormalization()
    np.testing.assert_array_equal(first.forward(row, training=True), last.forward(row, training=True))
    with pytest.raises(ShapeError, match="axis is 2; channels are on the last axis"):
        BatchNormalization(axis=2).forward(x)


def test_what_is_refused():
    with pytest.raises(ArgumentError, match="data_format is 'first'; expected 'channels_last' or 'channels_first'"):
        Conv2D(4, 3, data_format="first")
    with pytest.raises(ArgumentError, match=r"'softmax', which goes over the last axis.*put Softmax\(axis=1\) behind"):
        Conv2D(4, 3, activation="softmax", data_format="channels_first")  # Keras's goes over W
    with pytest.raises(ArgumentError, match="Dense has no argument data_format"):
        Dense(4, data_format="channels_first")
    layer = Conv2D(4, 3, data_format="channels_first")
    layer.accept((None, 3, 8, 8))
    with pytest.raises(ShapeError, match="expected 3 channels, found 8.*moved from axis 1 to the end"):
        layer.forward(np.zeros((2, 8, 8, 3), np.float32))


def test_rooms_that_know_images_with_the_channels_last_refuse_such_a_model(tmp_path):
    start = Input((3, 6, 6))
    x = Conv2D(4, 3, data_format="channels_first")(start)
    model = Model(start, Dense(2)(Flatten()(x)))
    with pytest.raises(ShapeError, match="channels first"):
        transfer.adapt_input(model, (8, 8, 3))
    with pytest.raises(MinitlError, match="unclear order"):
        model.export(tmp_path / "model.safetensors")


def test_such_a_layer_does_not_take_the_place_of_its_class():
    """A wrapper finds the layer within by its name, which a layer with the channels first has, too."""
    MaxPooling2D(2, data_format="channels_first")
    steps = TimeDistributed.from_config(TimeDistributed(MaxPooling2D(2)).get_config())
    assert steps.compute_output_shape((1, 3, 4, 4, 2)) == (1, 3, 2, 2, 2)

"""The promises of the layers besides their numbers: shapes, names, states, and errors that help.

Promises of all layers are tested for every case of the table in `cases/layers.py`. Gradients are checked in
`test_gradients.py`."""

import inspect
import json
import re

import numpy as np
import pytest
from cases.layers import LAYERS, results_by_name, several

import minitl.layers
from minitl import utils
from minitl.errors import ArgumentError, DataError, GraphError, ShapeError
from minitl.initializers import GlorotUniform, HeNormal, HeUniform, fans
from minitl.layers import (
    Activation,
    Add,
    AlphaDropout,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Conv2DTranspose,
    Cropping2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    L2Normalization,
    MaxPooling2D,
    ReLU,
    Reshape,
)
from minitl.models import Model, load_model

every_layer = pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
not_random = pytest.mark.parametrize(
    "case, training",
    [
        pytest.param(case, training, id=f"{case.name}-{'training' if training else 'inference'}")
        for case in LAYERS
        for training in (True, False)
        if not (training and case.in_training == "random")
    ],
)
# Those that compute nothing, and masks, which have no gradient (test_padding_masks)
FUNCTIONS = [name for name in minitl.layers.__all__ if name.islower()]  # `add`, ...: each calls a layer
MASKS = "AnyMask", "JoinedMask", "PaddingMask", "StepMask"
NOT_IN_THE_TABLE = "Input", "InputLayer", "Layer", *MASKS, "SymbolicTensor", *FUNCTIONS


def upstream_gradient(y):
    dtype = y.dtype if y.dtype.kind == "f" else np.float32
    return np.random.default_rng(9).standard_normal(y.shape).astype(dtype)


def results(layer, x, training=False, backward="backward"):
    """Return all that a layer gives: {"y": ..., "dx0": ..., "dkernel": ...}, as copies."""
    y = layer.forward(x, training=training)
    dx = getattr(layer, backward)(upstream_gradient(y))
    found = results_by_name(y, dx if backward == "backward" else None, layer.gradients)
    return {name: np.array(array) for name, array in found.items()}


def symbolic(case):
    """Return the symbolic input of a case's layer, or a list of inputs."""
    inputs = [Input(each.shape[1:], dtype=each.dtype.name) for each in several(case.inputs())]
    return inputs if isinstance(case.input_shape, list) else inputs[0]


def assert_same_bits(found, expected):
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name, strict=True)


def test_every_layer_is_in_the_table():
    """Every layer of `minitl.layers` has a case in `cases/layers.py`: without one, no test would run it."""
    names = [case.name for case in LAYERS]
    assert len(names) == len(set(names))
    tried = {type(case.make(minitl.layers)).__name__ for case in LAYERS}
    assert set(minitl.layers.__all__) - set(NOT_IN_THE_TABLE) == tried & set(minitl.layers.__all__)


@every_layer
def test_symbolic_and_real_shapes_agree(case):
    """The shape that a graph is built with is the shape of the array, and the one in the table."""
    layer, x = case.make(minitl.layers), case.inputs()
    expected = (None, *case.output_shape[1:])
    inputs = symbolic(case)
    shapes = [each.shape for each in inputs] if isinstance(inputs, list) else inputs.shape
    assert layer(inputs).shape == expected
    assert layer.compute_output_shape(shapes) == expected
    assert layer.input_shape == shapes and layer.output_shape == expected
    for training in True, False:
        assert layer.forward(x, training=training).shape == case.output_shape


@every_layer
def test_types_are_those_that_the_graph_promises(case):
    """float32 stays float32, in gradients too. Whole numbers become the type of the symbolic output."""
    found = results(case.layer(), case.inputs(), training=True)
    assert found.pop("y").dtype == case.make(minitl.layers)(symbolic(case)).dtype
    assert {array.dtype for array in found.values()} <= {np.dtype(np.float32)}


@every_layer
def test_a_frozen_layer_passes_the_gradient_on_and_gets_none(case):
    """A frozen layer with fixed statistics passes on the same gradient as a trainable one, to the last bit."""
    layer, x = case.layer(), case.inputs()
    expected = results(layer, x)
    assert set(layer.gradients) == set(layer.trainable_names) == set(layer.parameter_names)
    weights = layer.get_weights()
    for training in True, False:
        frozen = case.layer(trainable=False)
        frozen.set_weights(weights)
        found = results(frozen, x, training=training)
        assert frozen.gradients == {} and frozen.trainable_names == []
        passed = {name: array for name, array in expected.items() if name in found}
        if training and case.in_training == "random":
            assert {name: array.shape for name, array in found.items()} == {n: a.shape for n, a in passed.items()}
        else:
            assert_same_bits(found, passed)
        for before, after in zip(weights, frozen.get_weights()):
            np.testing.assert_array_equal(after, before)


@every_layer
def test_an_equal_layer_is_made_from_the_config(case):
    """`get_config` gives plain data that survives JSON, and the layer made of it computes the same numbers."""
    layer, x = case.layer(), case.inputs()
    for config in layer.get_config(), json.loads(json.dumps(layer.get_config())):
        equal = type(layer)(**config)
        assert equal.get_config() == layer.get_config() and equal.name == layer.name
        equal.forward(x)
        equal.set_weights(layer.get_weights())
        assert_same_bits(results(equal, x), results(layer, x))


@pytest.mark.slow
@every_layer
def test_a_saved_model_with_it_is_the_same_when_loaded(case, tmp_path):
    """The loaded model has the same architecture, parameters and statistics; layer by layer and with fused layers."""
    layer, x, inputs = case.make(minitl.layers), case.inputs(), symbolic(case)
    model = Model(inputs, layer(inputs))
    layer.set_weights(case.layer().get_weights())
    model.save(tmp_path / "model.h5")
    loaded = load_model(tmp_path / "model.h5")
    again = loaded.get_layer(layer.name)
    assert type(again) is type(layer) and again.get_config() == layer.get_config()
    for gradients in "trainable", "none":
        np.testing.assert_array_equal(loaded.forward(x, gradients=gradients), model.forward(x, gradients=gradients))


@not_random
def test_the_way_to_the_parameters_alone_gives_the_same_gradients(case, training):
    """`backward_to_parameters`, for the first trainable layer, leaves out only dL/dx."""
    layer, x = case.layer(), case.inputs()
    whole = results(layer, x, training)
    layer.gradients.clear()
    found = results(layer, x, training, backward="backward_to_parameters")
    assert_same_bits(found, {name: array for name, array in whole.items() if not name.startswith("dx")})


@every_layer
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
def test_an_example_alone_is_as_in_a_batch(case, training):
    """An example has the same output and input gradient alone as in a batch, and the same in training as in inference.

    Exceptions are layers that the table marks as using the batch or random numbers.
    """
    layer, x = case.layer(dtype=np.float64), case.inputs(dtype=np.float64)
    assert layer.uses_batch == (case.in_training == "batch") and layer.random == (case.in_training == "random")
    together = layer.forward(x, training=training)
    if training and case.in_training != "the same":
        assert not np.allclose(layer.forward(x), together, atol=1e-3), "the table says that training differs"
        return
    np.testing.assert_array_equal(layer.forward(x), together)
    whole = results(layer, x, training)
    for number in range(len(together)):
        alone = [each[number : number + 1] for each in several(x)]
        alone = alone if isinstance(x, list) else alone[0]
        y = layer.forward(alone, training=training)
        dx = layer.backward(upstream_gradient(together)[number : number + 1])
        np.testing.assert_allclose(y[0], whole["y"][number], rtol=1e-12, atol=1e-12)
        for position, each in enumerate(several(dx)):
            if each is not None:
                np.testing.assert_allclose(each[0], whole[f"dx{position}"][number], rtol=1e-12, atol=1e-12)


@not_random
def test_nothing_is_left_of_an_earlier_call(case, training):
    """The second of two calls gives the numbers of a fresh layer, and changes no array that was passed in or returned
    before."""
    fresh, used = case.layer(), case.layer()
    first, second = case.inputs(seed=20), case.inputs(seed=30)
    given = [each.copy() for each in several(first)]
    y = used.forward(first, training=training)
    grad = upstream_gradient(y)
    before = y.copy(), grad.copy()
    used.backward(grad)
    used.set_weights(fresh.get_weights())  # the statistics, too, which may have moved
    found = results(used, second, training=training)
    assert_same_bits(found, results(fresh, second, training=training))
    for array, copy in zip([*several(first), y, grad], [*given, *before]):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.slow
@not_random
def test_layers_of_a_class_share_nothing(case, training):
    """Two layers run forward in turn, then backward in turn. Each gives the numbers that it gives alone."""
    layers, inputs = [case.layer(), case.layer()], [case.inputs(seed=20), case.inputs(seed=30)]
    alone = [results(case.layer(), x, training=training) for x in inputs]
    outputs = [layer.forward(x, training=training) for layer, x in zip(layers, inputs)]
    for layer, y, expected in zip(layers, outputs, alone):
        dx = layer.backward(upstream_gradient(y))
        assert_same_bits(results_by_name(y, dx, layer.gradients), expected)


@every_layer
@pytest.mark.parametrize("state", ["training", "inference", "frozen"])
def test_an_empty_batch_goes_forward_and_backward(case, state):
    """All results have their shapes, the gradients of parameters are 0, and the statistics stay."""
    layer = case.layer(trainable=state != "frozen")
    before = layer.get_weights()
    x = [each[:0] for each in several(case.inputs())]
    found = results(layer, x if isinstance(case.input_shape, list) else x[0], training=state == "training")
    expected = results(case.layer(trainable=state != "frozen"), case.inputs(), training=state == "training")
    assert found.keys() == expected.keys()
    for name, array in found.items():
        of_parameter = name.startswith("d") and not name.startswith("dx")
        assert array.shape == (expected[name].shape if of_parameter else (0, *expected[name].shape[1:])), name
        assert array.dtype == expected[name].dtype and not array.any(), name
    for old, new in zip(before, layer.get_weights()):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("state", ["training", "inference", "frozen"])
@pytest.mark.parametrize("case", [case for case in LAYERS if case.in_training == "batch"], ids=lambda case: case.name)
def test_statistics_follow_the_batch_in_training_alone(case, state):
    layer, x = case.layer(trainable=state != "frozen"), case.inputs()
    start = layer.moving_mean.copy()
    layer.forward(x, training=state != "inference")
    followed = layer.momentum * start + (1 - layer.momentum) * x.reshape(-1, x.shape[-1]).mean(axis=0)
    np.testing.assert_allclose(layer.moving_mean, followed if state == "training" else start, rtol=1e-5)


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


@pytest.mark.parametrize("make", [Dropout, AlphaDropout])
def test_dropout_drops_together_what_noise_shape_says(make):
    layer, x = make(0.5, noise_shape=[None, 1, None], seed=3), np.ones((20, 5, 10), np.float32)
    y = layer.forward(x, training=True)
    assert layer.noise_shape == (None, 1, None) and np.array_equal(y, np.repeat(y[:, :1], 5, axis=1))
    assert 0.3 < (y[:, 0] == y.max()).mean() < 0.7
    assert np.array_equal(make(0.5, (20, 1, 10), seed=3).forward(x, training=True), y)
    with pytest.raises(ShapeError, match="noise_shape is .* expected None, 1 or the same size"):
        make(0.5, (None, 2, None)).forward(x, training=True)


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
    (lambda: Dense(3)("text"), DataError, "expected the output of a layer, or an array of numbers"),
    (lambda: Add()([Input((2,)), np.zeros((1, 2))]), GraphError, "arrays alone, or outputs of layers alone"),
    (lambda: Dense(3)(np.zeros((1, 2)), mask=np.ones((1, 2))), GraphError, "was called with mask; it takes training"),
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
    (lambda: Activation("no_such_activation"), ArgumentError, "'no_such_activation'; expected one of .*linear, .*relu"),
    (lambda: Add()([Input((2, 2, 3)), Input((2, 2, 4))]), ShapeError, "one shape"),
    (lambda: Concatenate()([Input((2, 2, 3)), Input((2, 3, 3))]), ShapeError, "differ only along axis -1"),
    (
        lambda: Dense(3, kernel_initializer="no_such_initializer")(Input((2,))),
        ArgumentError,
        "'no_such_initializer'; expected one of bilinear, constant, glorot_normal",
    ),
    (lambda: Input(5), ShapeError, "Input shape is 5"),
    (
        lambda: Conv2D(3, 3, strides=2, dilation_rate=2),
        ArgumentError,
        r"strides is \(2, 2\) and dilation_rate is \(2, 2\)",
    ),
    (lambda: Conv2D(3, 3, dilation_rate=2)(Input((4, 4, 1))), ShapeError, "window of 5 pixels does not fit into 4"),
    (
        lambda: Conv2DTranspose(3, 3, strides=2, output_padding=2),
        ArgumentError,
        r"output_padding is \(2, 2\); expected less than strides, which is \(2, 2\)",
    ),
    (
        lambda: Conv2DTranspose(3, 4, strides=2, padding="same", output_padding=0)(Input((1, 1, 2))),
        ShapeError,
        "'conv2d_transpose' has no output for an input of shape",
    ),
    (lambda: Cropping2D(2)(Input((4, 9, 1))), ShapeError, "'cropping2d': cropping is .* leaves nothing"),
    (lambda: Reshape((-1, 4))(Input((5,))), ShapeError, r"'reshape': target_shape is \(-1, 4\)"),
    (lambda: Reshape((-1, 4)).forward(np.zeros((2, 5))), ShapeError, r"target_shape is \(-1, 4\)"),
    (lambda: L2Normalization(axis=1)(Input((2, 2, 3))), ShapeError, "with the channels as last axis"),
    (lambda: BatchNormalization(axis=2)(Input((2, 2, 3))), ShapeError, "channels are on the last axis"),
]


@pytest.mark.parametrize("misuse, error, message", MISUSES, ids=[message for *_, message in MISUSES])
def test_errors_say_what_is_wrong(misuse, error, message):
    with pytest.raises(error, match=message):
        misuse()


# What no argument of these names can be, whatever the layer
NO_SIZES = [None, "3", 2.5, True, -1, 0, [[1, 2], [3, 4]], [1, 2, 3], object(), {}]
NO_FLAGS = [None, "yes", 2.5, -1, [True], object()]
NO_NUMBERS = ["1", True, [0.5], object(), -0.5, float("nan")]
NO_LIMITS = ["1", True, [0.5], object(), float("nan"), float("inf")]
NO_AXES = [None, "last", 1.5, True, [], [[1]], object()]
NO_SIDES = ["3", None, 2.5, True, -1, [[1, 2, 3], [4, 5, 6]], object()]
NO_NAMES = ["", 5, True, ["relu"], object(), {}]
NO_FACTORS = [None, "1", 2, -1.5, (0.1,), (0.1, 2), [], object()]
WRONG = {
    "activation": ["no such", *NO_NAMES],
    "alpha": NO_NUMBERS,  # None: LeakyReLU's negative_slope counts
    "ELU alpha": [None, *NO_NUMBERS],
    "axes": [None, 0, "1", 1.5, True, [1], [0, 1], [1, 2, 3], object()],
    "axis": NO_AXES,
    "batch_size": ["8", 2.5, -1, [8]],
    "batch_shape": [3, "3", (None, -1)],
    "center": NO_FLAGS,
    "cropping": NO_SIDES,
    "depth_multiplier": [*NO_SIZES, 2.0, (1, 1)],
    "dilation_rate": NO_SIZES,
    "dropout": [None, *NO_NUMBERS, 1],
    "dtype": ["text", "complex64", 5, []],
    "epsilon": [None, *NO_NUMBERS],
    "filters": NO_SIZES,
    "groups": NO_SIZES,
    "noise_shape": ["all", 3, [0], [1.5], [True], object()],
    "pad_to_aspect_ratio": NO_FLAGS,
    "antialias": NO_FLAGS,
    "use_gate": NO_FLAGS,
    "sliding_window": NO_SIZES[1:],  # None: a query sees all keys
    "tie_weights": NO_FLAGS,
    "logit_soft_cap": [*NO_NUMBERS, 0],
    "head_dim": [*NO_SIZES, 3],
    "index": [None, 0, "1", [], [1], [[None, None, None], 1.5], [[1, 2, 3]], [[None, None, None], [None, None, 0]]],
    "is_first": NO_FLAGS,
    "initializer": ["no such", 5, None, ["ones"], GlorotUniform],
    "input_dim": NO_SIZES,
    "input_shape": [3, "3", (0,), (2.5,), (True,), [[3]]],
    "interpolation": ["lanczos3", *NO_NAMES],
    "keepdims": NO_FLAGS,
    "kernel_size": NO_SIZES,
    "key_dim": NO_SIZES,
    "mask_zero": NO_FLAGS,
    "mask_value": [None, "1", True, [0.5], object(), float("nan")],
    "max_value": NO_NUMBERS,
    "Clip min_value": [None, float("nan"), "1", True, [0.5], object()],  # both None clips nothing
    "Clip max_value": [None, float("nan"), "1", True, [0.5], object()],
    "momentum": [None, *NO_NUMBERS],
    "name": NO_NAMES,
    "negative_slope": [None, *NO_NUMBERS],
    "number": [None, "1", True, [], [[1.0]], object()],
    "operation": ["no such", "", 5, None, ["add"], object()],
    "stddev": [None, *NO_NUMBERS],
    "num_key_value_heads": [*NO_SIZES[1:], 3],  # None: as many as query heads, of which there are 2
    "num_query_heads": NO_SIZES,
    "num_heads": NO_SIZES,
    "output_dim": NO_SIZES,
    "output_shape": ["3", 2.5, True, 0, [], [0], object()],
    "output_padding": ["0", 0.5, True, -1, [0, 0, 0], object()],
    "pool_size": NO_SIZES,
    "position": [None, "1", 2.5, True, [1], object()],
    "rate": [None, *NO_NUMBERS, 1],
    "backward_layer": [5, "LSTM", Dense(2)],
    "dims": [None, 1, "2", (0, 1), (1, 1), (2, 3), (1.5,), []],
    "go_backwards": NO_FLAGS,
    "layer": [None, 5, "LSTM", {}, {"class_name": "Layers", "config": {}}, [Dense(2)]],
    "merge_mode": ["add", 5, True],
    "n": NO_SIZES,
    "recurrent_activation": ["no such", "", 5, True, ["relu"], object(), {}],
    "reset_after": NO_FLAGS,
    "return_sequences": NO_FLAGS,
    "return_state": NO_FLAGS,
    "unit_forget_bias": NO_FLAGS,
    "zero_output_for_mask": NO_FLAGS,
    "rotary_base": [None, *NO_NUMBERS, 0.5],
    "scale": NO_FLAGS,
    "Rescaling scale": [None, "1", [], float("nan"), object()],
    "offset": [None, "1", [], float("inf"), object()],
    "crop_to_aspect_ratio": NO_FLAGS,
    "height": NO_SIZES,
    "width": NO_SIZES,
    "factor": NO_FACTORS,
    "height_factor": NO_FACTORS,
    "width_factor": NO_FACTORS[1:],  # None: as the height_factor
    "fill_mode": ["black", None, 5],
    "fill_value": [None, *NO_NUMBERS[:1], [1], object()],
    "invert": NO_FLAGS,
    "Normalization axis": ["1", 2.5, object()],
    "mean": ["1", [], 3.0, float("nan"), object()],
    "variance": ["1", [], 3.0, float("nan"), object()],
    "mode": ["sideways", None, 5],
    "value_range": [None, 255, (1,), (1, 2, 3), "ab", (1, None)],
    "L2Normalization scale": [None, 0, float("inf"), *NO_NUMBERS],
    "seed": ["1", 2.5, True, -1, [1], object()],
    "sequence_length": NO_SIZES,
    "shape": [3, "3", (0,), (2.5,), (True,), [[3]]],
    "size": NO_SIZES,
    "strides": NO_SIZES[1:],  # None is a default of the poolings
    "target_shape": [None, "3", 4, 2.5, True, [], [0, 2], [-2, 2], [-1, -1], [[1]], object()],
    "threshold": [None, *NO_NUMBERS],
    "trainable": NO_FLAGS,
    "units": NO_SIZES,
    "use_bias": NO_FLAGS,
    "value_dim": NO_SIZES[1:],
    "weights": ["1", 5, [[1.0]], np.zeros((2, 4)), object()],
    **{
        f"{name}_initializer": ["no such", 5, None, ["ones"], GlorotUniform]
        for name in "kernel recurrent bias beta gamma moving_mean moving_variance embeddings".split()
        + ["depthwise", "pointwise"]
    },
}
NO_PADDINGS = ["full", None, 2.5, True, -1, [[1, 2, 3], [4, 5, 6]], object()]  # 'valid', or the pixels of ZeroPadding2D


def arguments_of_layers():
    """Yield (class, values for arguments without a default, name of an argument, values that it cannot have)."""
    required = {"activation": "relu", "filters": 2, "kernel_size": 3, "rate": 0.5, "shape": (4,)}
    required.update(target_shape=(2, -1), units=2, layer=minitl.layers.LSTM(2), n=2, dims=(2, 1), pool_size=2)
    required.update(num_heads=2, key_dim=3, input_dim=5, output_dim=3, sequence_length=4)
    required.update(head_dim=4, num_query_heads=2, stddev=0.1, axes=1, operation="add", number=2.0)
    required.update(index=[[None, None, None], 1], scale=2.0, height=3, width=2)
    required.update(factor=0.1, height_factor=0.1, width_factor=0.1)
    of_all = inspect.signature(minitl.layers.Layer).parameters
    for name in minitl.layers.__all__:
        if name in ("Input", "Layer", "SymbolicTensor", *FUNCTIONS):
            continue
        own = {**of_all, **inspect.signature(getattr(minitl.layers, name)).parameters}
        needed = {each: required[each] for each in own if each in required and own[each].default is own[each].empty}
        if name == "InputLayer":
            needed["shape"] = (4,)
        for argument in own:
            values = WRONG.get(f"{name} {argument}", WRONG.get(argument, ()))  # a layer may have values of its own
            if values := [*values, *(NO_PADDINGS if argument == "padding" else ())]:
                yield pytest.param(name, needed, argument, values, id=f"{name}-{argument}")


@pytest.mark.parametrize("name, needed, argument, values", list(arguments_of_layers()))
def test_an_argument_of_the_wrong_kind_is_refused_by_its_name(name, needed, argument, values):
    if name == "InputLayer" and argument == "batch_shape":
        needed = {}
    for wrong in values:
        try:
            getattr(minitl.layers, name)(**{**needed, argument: wrong})
        except (ArgumentError, ShapeError) as error:
            assert re.search(rf"(?i)\b{argument}\b", str(error)), (wrong, error)
        else:
            pytest.fail(f"{argument}={wrong!r} is accepted")


def test_the_arguments_of_every_layer_are_known_to_the_test_above():
    """An argument that minitl has, and for which no wrong values are known, is tested by nobody."""
    known = {*WRONG, "padding", "others", "kwargs", "self"}
    for case in LAYERS:
        layer = type(case.make(minitl.layers))
        own = inspect.signature(inspect.unwrap(layer.__init__)).parameters
        assert all(each in known or f"{layer.__name__} {each}" in known for each in own), case.name


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

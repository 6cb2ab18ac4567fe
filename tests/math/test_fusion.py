"""Fused steps give the numbers of single steps, and are run one by one where a program looks at a layer between
them. So are the pairs of training, and the first layers where they compute a batch in parts."""

import numpy as np
import pytest

from minitl import kernels
from minitl.errors import ShapeError
from minitl.graph import in_parts
from minitl.graph.fusion import Fused, fused
from minitl.graph.relu_pairs import WithReLU
from minitl.layers import (
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Input,
    MaxPooling2D,
    ReLU,
)
from minitl.models import Model
from minitl.testing import check_gradients


def random_statistics(model, rng):
    for layer in model.layers:
        for name in layer.weight_names:
            weight = getattr(layer, name)
            weight[...] = (
                rng.uniform(0.5, 1.5, weight.shape) if name == "moving_variance" else rng.normal(size=weight.shape)
            )
    return model


def residual_network(channels=32, kernel=3, use_bias=True, scale=True):
    """Build a convolution with all that can follow it, a residual block, and a pooling."""
    images = Input((16, 12, 3))
    x = Conv2D(channels, kernel, padding="same", use_bias=use_bias, name="stem")(images)
    x = Activation("relu")(BatchNormalization(scale=scale, name="stem_norm")(x))
    y = Conv2D(channels, kernel, padding="same", use_bias=use_bias, name="first")(x)
    y = ReLU()(BatchNormalization(scale=scale, center=False, name="first_norm")(y))
    y = Conv2D(channels, 1, use_bias=use_bias, name="second")(y)
    y = Add(name="add")([x, BatchNormalization(scale=scale, name="second_norm")(y)])
    y = Activation("relu", name="out")(y)
    return Model(images, MaxPooling2D(name="pool")(Conv2D(8, 3, activation="relu", name="last")(y)))


def operations(model, gradients="none", training=False):
    """Return the layers that are computed together."""
    path = model._gradient_path(gradients)
    found = model._operations(path, training)
    return [[layer.name for layer in each.layers] for each in found if isinstance(each, Fused)]


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["auto", "im2col", "winograd", "naive"])
@pytest.mark.parametrize("options", [{}, {"kernel": 1}, {"use_bias": False, "scale": False}], ids=str)
def test_the_same_numbers(rng, algorithm, options):
    kernels.set_convolution(algorithm)
    options = {"channels": 4, **options} if algorithm == "naive" else options
    model = random_statistics(residual_network(**options), rng)
    x = rng.standard_normal((3, 16, 12, 3), np.float32)
    expected, found = model.forward(x), model.forward(x, gradients="none")  # the first has to keep every map
    assert np.abs(found - expected).max() < 2e-5 * np.abs(expected).max()
    exact = random_statistics(residual_network(**options), rng)
    for layer in exact.layers:
        for name in layer.weight_names:
            setattr(layer, name, getattr(layer, name).astype(np.float64))
    x = x.astype(np.float64)
    expected, found = exact.forward(x), exact.forward(x, gradients="none")
    assert np.abs(found - expected).max() < 1e-13 * np.abs(expected).max()


def test_what_is_joined():
    model = residual_network()
    everything = operations(model)
    assert [each[0] for each in everything] == ["stem", "first", "second", "last"]
    assert everything[2] == ["second", "second_norm", "add", "out"] and everything[3] == ["last", "pool"]
    assert operations(model, training=True) == [["last", "pool"]], "normalizations that look at the batch"
    assert operations(model, "trainable", training=True) == []
    model.trainable = False
    assert operations(model, "trainable", training=True) == everything, "frozen ones do not"
    model.get_layer("second").trainable = True
    assert [each[0] for each in operations(model, "trainable", training=True)] == ["stem", "first"]
    model.get_layer("first_norm").trainable = True
    assert [each[0] for each in operations(model, "trainable", training=True)] == ["stem"], "undone when unfrozen"


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("with_norm", [True, False])
def test_an_average_and_a_1x1_convolution_change_places(rng, padding, with_norm):
    images = Input((9, 8, 12))
    x = AveragePooling2D(3, strides=1, padding=padding, name="average")(images)
    x = Conv2D(4, 1, use_bias=not with_norm, name="conv")(x)
    x = Activation("relu", name="relu")(BatchNormalization(name="norm")(x) if with_norm else x)
    model = random_statistics(Model(images, x), rng)
    names = ["average", "conv", "norm", "relu"] if with_norm else ["average", "conv", "relu"]
    assert operations(model) == [names]
    x = rng.standard_normal((2, 9, 8, 12), np.float32)
    expected = model.forward(x)
    assert np.abs(model.forward(x, gradients="none") - expected).max() < 1e-5 * np.abs(expected).max()


def test_what_does_not_change_places():
    """More filters than channels would make the averages slower. Other windows or strides would see other pixels."""
    for strides, convolution in (1, Conv2D(9, 1)), (2, Conv2D(2, 1)), (1, Conv2D(2, 3)), (1, Conv2D(2, 1, strides=2)):
        images = Input((9, 9, 6))
        model = Model(images, convolution(AveragePooling2D(3, strides=strides, padding="same")(images)))
        assert operations(model) == []


def test_changed_numbers_are_seen(rng):
    """The fused step keeps no result of an earlier kernel, gamma or statistic."""
    model = random_statistics(residual_network(), rng)
    x = rng.standard_normal((3, 16, 12, 3), np.float32)
    before = model.forward(x, gradients="none")
    for layer, name in ("first_norm", "gamma"), ("second_norm", "moving_mean"), ("first", "kernel"), ("stem", "bias"):
        getattr(model.get_layer(layer), name)[...] *= 3
        after = model.forward(x, gradients="none")
        expected = model.forward(x)
        assert np.abs(after - expected).max() < 2e-5 * np.abs(expected).max()
        assert np.abs(after - before).max() > 1e-3 * np.abs(before).max()
        before = after


def test_what_somebody_else_looks_at_is_not_joined():
    images = Input((8, 8, 3))
    x = Conv2D(4, 3, padding="same", name="conv")(images)
    norm = BatchNormalization(name="norm")(x)
    both = Model(images, Add(name="add")([x, norm]))  # x is used twice
    assert operations(both) == []
    end = Model(images, x)
    assert operations(end) == []

    class Doubled(BatchNormalization):
        def forward(self, x, training=False):
            return 2 * super().forward(x, training)

    own = Model(images, Doubled(name="own")(Conv2D(4, 3, name="before")(images)))
    assert operations(own) == [], "a subclass may compute something else"
    stretched = Add(name="stretched")([Conv2D(1, 1, name="a")(images), Conv2D(3, 1, name="b")(images)])
    model = Model(images, stretched)
    assert fused(model.calls, model.inputs, model.outputs, lambda call: True) == model.calls


def test_memory_does_not_grow_with_depth(rng):
    """Inference keeps only maps that are still needed: two and one more at a time, however many blocks there are."""
    import tracemalloc

    peaks = []
    for blocks in 2, 12:
        images = x = Input((64, 64, 16))
        for number in range(blocks):
            y = BatchNormalization(name=f"norm{number}")(Conv2D(16, 1, name=f"conv{number}")(x))
            x = Activation("relu", name=f"relu{number}")(Add(name=f"add{number}")([x, y]))
        model, pixels = Model(images, x), rng.standard_normal((4, 64, 64, 16), np.float32)
        tracemalloc.start()
        model.forward(pixels, gradients="none")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize("first, second", [((3, 3), (2, 3)), ((2, 3), (3, 3)), ((3, 3), (6, 6)), ((6, 6), (3, 3))])
def test_images_of_any_size(first, second):
    """Only when an image comes is it known whether the summands of an Add are of one size."""
    inputs = Input((None, None, 3))
    model = Model(inputs, Add()([Conv2D(4, first)(inputs), Conv2D(4, second)(inputs)]))
    x = np.random.default_rng(0).standard_normal((2, 6, 6, 3), np.float32)
    try:
        expected = model.forward(x)
    except ShapeError as error:
        with pytest.raises(ShapeError, match="expected two or more inputs of one shape"):
            model.forward(x, gradients="none")
        assert "one shape" in str(error)
    else:
        np.testing.assert_allclose(model.forward(x, gradients="none"), expected, rtol=1e-5, atol=1e-5)


# ---- a ReLU with the layer before it, in training ----


def pairs(model, gradients="trainable", training=True):
    """Return the layers that are computed together with the ReLU behind them."""
    path = model._gradient_path(gradients)
    return [each.layer.name for each in model._operations(path, training) if isinstance(each, WithReLU)]


def two_branches():
    """Build two branches that are joined: the gradient of each is some channels of an array."""
    images = Input((7, 6, 3))
    x = ReLU(name="first_relu")(BatchNormalization(name="first")(images))
    x = Add(name="sum")([x, Conv2D(3, 3, padding="same", name="conv")(x), images])
    x = Activation("relu", name="second_relu")(x)
    left = Activation("relu")(BatchNormalization(name="left", scale=False)(x))
    right = Activation("relu")(BatchNormalization(name="right", center=False)(x))
    return Model(images, Concatenate()([left, right]))


@pytest.mark.parametrize("frozen", [(), ("first", "left"), ("right", "conv")], ids=str)
def test_pairs_have_the_gradients_of_single_layers(rng, monkeypatch, frozen):
    model, x = random_statistics(two_branches(), rng), rng.standard_normal((4, 7, 6, 3), np.float32)
    for name in frozen:
        model.get_layer(name).trainable = False
    assert pairs(model, "input") == ["first", "sum", "left", "right"]

    def results():
        y = model.forward(x, training=True, gradients="input")
        dx = model.backward(np.cos(np.arange(y.size, dtype=np.float32)).reshape(y.shape))
        return [y, dx, *(layer.gradients[name] for layer in model.layers for name in layer.trainable_names)]

    found = results()
    monkeypatch.setattr("minitl.graph.graph.paired", lambda operations, outputs, path: operations)
    assert pairs(model) == []
    for one, other in zip(found, results(), strict=True):
        assert np.abs(one - other).max() < 1e-5 * max(np.abs(other).max(), 1)


def test_a_convolution_adds_to_the_gradient_of_its_input(rng):
    """It gets the gradient of the other branch, unless a program looks at what goes in and comes out."""
    images = Input((7, 6, 3))
    conv = Conv2D(3, 1, name="conv")
    model, x = Model(images, Add()([conv(images), images])), rng.standard_normal((4, 7, 6, 3), np.float32)
    expected = x + np.einsum("nhwf,cf->nhwc", x, conv.kernel[0, 0])
    others = []

    class Watched(Conv2D):
        def backward(self, grad, other=None):
            others.append(other)
            return super().backward(grad, other)

    for change in (lambda: None, lambda: vars(conv).update(backward=lambda grad: Conv2D.backward(conv, grad))):
        change()
        model.forward(x, gradients="input")
        assert np.abs(model.backward(x) - expected).max() < 1e-5
    model = Model(images, Add()([Watched(3, 1)(images), images]))
    model.forward(x, gradients="input")
    model.backward(x)
    assert others == [None], "a subclass may compute something else"


@pytest.mark.slow
def test_gradients_of_pairs(rng):
    check_gradients(random_statistics(two_branches(), rng), rng.standard_normal((4, 7, 6, 3)), tolerance=1e-7)


def test_what_is_no_pair():
    images = Input((8, 8, 3))
    norm = BatchNormalization(name="norm")(images)
    relu = ReLU(name="relu")
    both = Add(name="add")([relu(norm), norm])
    assert pairs(Model(images, both)) == [], "norm is used twice"
    assert pairs(Model(images, [norm, relu(norm)])) == [], "norm is an output"
    model = Model(images, relu(norm))
    assert pairs(model) == ["norm"] and pairs(model, "none") == []
    relu.forward = lambda x, training=False: ReLU.forward(relu, x, training)
    assert pairs(model) == [], "a program looks at the array between them"
    assert pairs(Model(images, ReLU(max_value=6)(BatchNormalization()(images)))) == []

    class Doubled(BatchNormalization):
        def forward(self, x, training=False):
            return 2 * super().forward(x, training)

    assert pairs(Model(images, ReLU()(Doubled()(images)))) == []


def pooled_row(size=(24, 20), between=lambda x: x):
    """Build convolutions and poolings in a row. `between` gets the output of the second convolution."""
    images = Input((*size, 3))
    x = between(Conv2D(8, 3, padding="same", activation="relu", name="first")(images))
    x = MaxPooling2D(name="first_pool")(ReLU()(BatchNormalization()(Conv2D(8, 3, padding="same", name="second")(x))))
    x = MaxPooling2D(3, 2, name="second_pool")(Conv2D(8, 3, padding="same", name="third")(x))
    return Model(images, Conv2D(4, 2, name="fourth")(x))


def parts(model, x, gradients="none"):
    """Return the layers that compute a batch in parts, and the number of parts."""
    path, values = model._gradient_path(gradients), dict(zip(model.inputs, [x]))
    first, *_ = in_parts.in_parts(model._operations(path, False), values, model.outputs, path)
    return ([layer.name for layer in first.layers], first.count) if isinstance(first, in_parts.InParts) else ([], 1)


@pytest.mark.parametrize("size", [(24, 20), (None, None)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_batch_in_parts(rng, monkeypatch, size, dtype):
    model = random_statistics(pooled_row(size), rng)
    for layer in model.layers:
        for name in layer.weight_names:
            setattr(layer, name, getattr(layer, name).astype(dtype))
    batches = [rng.standard_normal((n, 24, 20, 3)).astype(dtype) for n in (0, 1, 7)]
    whole = [model.forward(x, gradients="none") for x in batches]
    assert parts(model, batches[2])[1] == 1, "the maps are small"
    monkeypatch.setattr(in_parts, "MOST_BYTES", 2 * 24 * 20 * 8 * np.dtype(dtype).itemsize)  # two images
    layers = ["first", "second", "batch_normalization", "re_lu", "first_pool", "third", "second_pool"]
    assert parts(model, batches[2]) == (layers, 4) and parts(model, batches[1]) == ([], 1)
    for x, expected in zip(batches, whole):
        found = model.forward(x, gradients="none")
        assert found.shape == expected.shape and found.dtype == dtype
        assert np.abs(found - expected).max(initial=0) <= 1e-5 * np.abs(expected).max(initial=0)
    with pytest.raises(ShapeError):
        model.forward(batches[2][:, :1], gradients="none")


def test_what_is_computed_in_parts(monkeypatch):
    x = np.zeros((8, 24, 20, 3), np.float32)
    monkeypatch.setattr(in_parts, "MOST_BYTES", 2 * 24 * 20 * 8 * 4)
    model = pooled_row()
    names, count = parts(model, x)
    assert names[-1] == "second_pool" and count == 4
    assert parts(model, x, "trainable") == ([], 1), "gradients pass"
    for name in ("first", "second", "batch_normalization"):
        model.get_layer(name).trainable = False
    assert parts(model, x, "trainable")[0] == names[:-2], "up to the first layer that is trained"
    model.get_layer("third").kernel = np.zeros((3, 3, 8, 1000), np.float32)
    assert parts(model, x)[0] == names[:-2], "the third kernel is larger than the maps of an image"
    model = pooled_row()
    assert parts(Model(model.input, [model.output, model.output_of("first")]), x) == ([], 1), "a map is an output"
    second = model.get_layer("second")
    second.forward = lambda x, training=False: Conv2D.forward(second, x, training)
    assert parts(model, x) == ([], 1), "a program looks at the maps"

    class Centred(Conv2D):
        def forward(self, x, training=False):
            return super().forward(x - x.mean(axis=0), training)

    assert parts(pooled_row(between=Centred(8, 1)), x) == ([], 1), "a subclass may look at the whole batch"
    assert parts(pooled_row(between=lambda x: Add()([x, x])), x) == ([], 1), "two inputs"

"""Models and programs that are allowed and unusual: each of them once gave a wrong number or a bare traceback."""

import json

import numpy as np
import pytest

from minitl import transfer
from minitl.errors import ArgumentError, CheckpointError, DataError, GraphError, ShapeError
from minitl.features import frozen_prefix
from minitl.layers import Add, Concatenate, Conv2D, Dense, GlobalAveragePooling2D, Input, Layer, ReLU
from minitl.losses import Loss
from minitl.metrics import BinaryAccuracy, Metric
from minitl.models import Model, Sequential, load_model
from minitl.optimizers import SGD
from minitl.testing import check_gradients


def floats(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape, np.float32)


def test_a_row_that_calls_a_layer_twice_is_saved_as_it_is(tmp_path):
    x, layer = Input((3,)), Dense(3, activation="tanh")
    row = Sequential([Model(x, layer(layer(x))), Dense(2)])
    row.save(tmp_path / "row.h5")
    again = load_model(tmp_path / "row.h5")
    assert len(again.calls) == 3 and np.array_equal(again.predict(floats(4, 3)), row.predict(floats(4, 3)))


class Absolute(Loss):
    """A loss of one's own. It does not say how many predictions it counts, and one of its attributes is named
    `weights`."""

    weights = (5.0, 1.0)

    def forward(self, y_true, y_pred, sample_weight=None):
        self.sign = np.sign(y_pred - y_true)
        return float(np.abs(y_pred - y_true).mean())

    def backward(self):
        return self.sign / self.sign.size


def test_a_loss_of_ones_own_need_not_count():
    model = Sequential([Dense(2, input_shape=(3,))])
    model.compile(SGD(0.1), Absolute())
    x, y = floats(10, 3), floats(10, 2, seed=1)
    expected = np.abs(model.predict(x) - y).mean()
    assert model.evaluate(x, y, batch_size=4, verbose=0) == pytest.approx(expected)
    assert model.fit(x, y, 10, 1, 0).history["loss"][0] == pytest.approx(expected)


class Same(Layer):
    """A layer that returns its input."""

    def forward(self, x, training=False):
        return x

    def backward(self, grad):
        return grad


def test_one_metric_for_several_outputs_keeps_their_numbers_apart():
    x = Input((2,))
    model = Model(x, [Same(name="a")(x), Same(name="b")(x)])
    values, right, wrong = np.full((6, 2), 0.9, np.float32), np.ones((6, 2)), np.zeros((6, 2))
    for metrics in ({"a": "binary_accuracy", "b": "binary_accuracy"}, [[BinaryAccuracy()]] * 2, BinaryAccuracy()):
        model.compile("sgd", "binary_crossentropy", metrics=metrics)
        found = model.evaluate(values, [right, wrong], verbose=0, return_dict=True)
        assert list(found) == model.metrics_names
        assert (found["a_binary_accuracy"], found["b_binary_accuracy"]) == (1.0, 0.0)
    metric = BinaryAccuracy()
    single = Sequential([Same(input_shape=(2,))])
    single.compile("sgd", "binary_crossentropy", metrics=[[metric]], weighted_metrics=[metric])
    weight = np.array([1, 1, 1, 1, 1, 10.0])
    labels = np.repeat([[1, 1], [0, 0]], [5, 1], axis=0)
    found = single.evaluate(values, labels, verbose=0, sample_weight=weight, return_dict=True)
    assert found["binary_accuracy"] == pytest.approx(5 / 6)
    assert found["weighted_binary_accuracy"] == pytest.approx(5 / 15)


class Distance(Metric):
    name = "distance"

    def score(self, y_true, y_pred):
        return np.abs(y_pred - y_true)


def test_outputs_that_are_single_numbers_are_counted_one_by_one():
    x = Input(())
    model = Model(x, ReLU()(x))
    model.compile("sgd", "mse", metrics=[Distance()])
    pixels = np.array([1, 2, 3, 4], np.float32)
    for weight, expected in ([0, 1, 1, 1], 3.0), ([1, 0, 1, 1], 8 / 3), ([1, 1, 1, 1], 2.5):
        found = model.evaluate(pixels, np.zeros(4), verbose=0, sample_weight=np.array(weight, float))
        assert found[1] == pytest.approx(expected)


def test_integers_are_merged_without_a_wrap_or_a_double():
    a, b = Input((2,), dtype="int32", name="a"), Input((2,), name="b")
    for layer in Add(), Concatenate():
        model = Model([a, b], layer([a, b]))
        y = model.predict([np.array([[200, 7]]), np.array([[0.5, 1]], np.float32)], verbose=0)
        assert y.dtype == np.float32 and model.outputs[0].dtype == "float32"
    both = Add()([a, a])
    assert both.dtype == "int32"
    with pytest.raises(GraphError, match="was called on int32 numbers"):
        Dense(2)(both)


def test_a_gradient_that_another_model_has_replaced_moves_nothing():
    x = Input((3,))
    shared = Dense(3, name="shared")(x)
    one, two = Model(x, Dense(2, name="one")(shared)), Model(x, Dense(2, name="two")(shared))
    pixels = floats(4, 3)
    y, z = one.forward(pixels, training=True), two.forward(pixels, training=True)
    one.backward(np.ones_like(y))
    two.backward(np.ones_like(z))
    before = one.get_weights()
    with pytest.raises(GraphError, match="the gradients of 'shared' are no longer those of 'model'"):
        SGD(0.1).step(one)
    assert all(np.array_equal(a, b) for a, b in zip(before, one.get_weights()))
    SGD(0.1).step(two)
    one.backward(np.ones_like(one.forward(pixels, training=True)))
    SGD(0.1).step(one)


def test_a_part_of_a_model_may_step_after_the_whole_ran_backward():
    """A GAN has two networks and so two lists of parameters: each steps by itself."""
    x = Input((3,))
    first = Model(x, Dense(4, name="first")(x))
    whole = Model(x, Dense(1, name="second")(first.output))
    whole.backward(np.ones_like(whole.forward(floats(5, 3), training=True)))
    before = whole.get_weights()
    SGD(0.1).step(first)
    changed = [not np.array_equal(a, b) for a, b in zip(before, whole.get_weights())]
    assert changed == [True, True, False, False]


@pytest.fixture
def named():
    """Build a frozen beginning, one input and one output, both in a dict."""
    x = Input((6, 6, 2))
    features = GlobalAveragePooling2D(name="average")(Conv2D(4, 3, trainable=False, name="conv")(x))
    return Model({"image": x}, {"kind": Dense(3, activation="softmax", name="kind_layer")(features)})


def test_dicts_of_one(named):
    x, y = floats(9, 6, 6, 2), np.arange(9) % 3
    named.compile("sgd", "sparse_categorical_crossentropy", metrics={"kind": ["accuracy"]})
    history = named.fit({"image": x}, {"kind": y}, epochs=2, verbose=0, class_weight={0: 2.0}).history
    assert list(history) == ["loss", "accuracy"]
    assert named.predict({"image": x})["kind"].shape == (9, 3) and len(named.evaluate(x, y, verbose=0)) == 2
    named.train_on_batch({"image": x}, y)
    larger = transfer.adapt_input(named, (8, 8, 2))
    assert larger.predict({"image": floats(2, 8, 8, 2)})["kind"].shape == (2, 3)
    renamed = transfer.adapt_classes(named, ["a", "b", "c"], ["c", "d"])
    assert renamed.predict({"image": x})["kind"].shape == (9, 2)
    assert check_gradients(named, [x[:2]]).worst == check_gradients(named, {"image": x[:2]}).worst
    assert named._memory == {}


def test_a_frozen_beginning_behind_which_are_outputs_in_a_dict():
    x = Input((6, 6, 2))
    conv = Conv2D(4, 3, trainable=False, name="conv")(x)
    average = GlobalAveragePooling2D(name="average")(conv)
    heads = {"a": Dense(2, name="head_a")(average), "b": Dense(1, name="head_b")(average)}
    model = Model(x, heads)
    assert [tensor.layer.name for tensor in frozen_prefix(model)] == ["average"], "4 numbers, and not a map"
    model.compile("sgd", "mse")
    history = model.fit(floats(8, 6, 6, 2), {"a": floats(8, 2), "b": floats(8, 1)}, verbose=0).history
    assert list(history) == ["loss", "a_loss", "b_loss"]


class OldMetric(Metric):
    """A metric that takes labels and predictions, and no weights."""

    name = "old"

    def update(self, y_true, y_pred):
        self.total += float((y_true == y_pred.argmax(axis=-1)).sum())
        self.count += len(y_true)


def test_a_metric_that_takes_no_weights_gets_what_counts():
    model = Sequential([Dense(3, activation="softmax", input_shape=(2,))])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[OldMetric()])
    x, y, weight = floats(8, 2), np.arange(8) % 3, np.array([1, 0] * 4)
    expected = (model.predict(x).argmax(axis=1) == y)[::2].mean()
    assert model.evaluate(x, y, verbose=0, sample_weight=weight)[1] == pytest.approx(expected)
    with pytest.raises(ArgumentError, match="weighted_metrics: update of 'old' takes no sample_weight"):
        model.compile("sgd", "sparse_categorical_crossentropy", weighted_metrics=[OldMetric()])


def test_what_cannot_work_is_refused_before_anything_moves():
    x = Input((2,))
    model = Model(x, {"a": Dense(2, name="la")(x), "b": Dense(3, activation="softmax", name="lb")(x)})
    model.compile("sgd", {"a": "mse", "b": None}, metrics={"b": "accuracy"})
    before = model.get_weights()
    with pytest.raises(DataError, match="the metric 'b_accuracy' has no labels: pass some for 'b'"):
        model.fit(floats(4, 2), {"a": floats(4, 2)})
    single = Sequential([Dense(3, activation="softmax", input_shape=(2,))])
    single.compile("sgd", "sparse_categorical_crossentropy", metrics=["categorical_accuracy"])
    kept = single.get_weights()
    with pytest.raises(DataError, match="metric 'categorical_accuracy' cannot compare"):
        single.fit(floats(4, 2), np.arange(4) % 3)
    for one, weights in (model, before), (single, kept):
        assert all(np.array_equal(a, b) for a, b in zip(weights, one.get_weights()))
    with pytest.raises(ArgumentError, match="none of the outputs has a loss"):
        single.compile("sgd", [None])
    with pytest.raises(ShapeError, match=r"expected a gradient of the output's shape \(4, 3\), found list"):
        single.forward(floats(4, 2))
        single.backward([[1.0, 2.0, 3.0]])


@pytest.mark.parametrize("metadata", [None, "text", {1: "a"}], ids=str)
def test_a_model_is_not_saved_in_a_way_that_cannot_be_read(metadata, tmp_path):
    model = Sequential([Dense(2, input_shape=(2,))])
    model.metadata = metadata
    with pytest.raises(GraphError, match="expected metadata that is a dictionary with strings"):
        model.save(tmp_path / "model.h5")
    circle = {}
    circle["again"] = circle
    model.metadata = circle
    with pytest.raises(CheckpointError, match="not plain data"):
        model.save(tmp_path / "model.h5")
    x = Input((2,))
    with pytest.raises(GraphError, match="strings for the names of inputs and outputs"):
        Model(x, {("a", 1): Dense(2)(x)}).save(tmp_path / "model.h5")
    assert not list(tmp_path.iterdir())


def test_a_row_that_grows_means_another_accuracy():
    model = Sequential([Dense(1, activation="sigmoid", input_shape=(2,))])
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    assert model.metrics[0].metric.name == "binary_accuracy"
    model.add(Dense(4, activation="softmax"))
    assert model.metrics[0].metric.name == "categorical_accuracy"


def test_weights_in_any_form_of_numbers():
    model = Sequential([Dense(2, input_shape=(3,))])
    model.compile("sgd", "mse")
    x, y, weight = floats(4, 3), floats(4, 2), [1.0, 0.5, 2.0, 0.0]
    expected = model.evaluate(x, y, verbose=0, sample_weight=np.array(weight))
    for given in weight, tuple(weight), [[each] for each in weight], [np.array(weight)]:
        assert model.evaluate(x, y, verbose=0, sample_weight=given) == pytest.approx(expected)


def test_a_layer_that_gives_a_list_of_one_is_refused():
    class Odd(Layer):
        def compute_output_shape(self, input_shape):
            return [input_shape]

    with pytest.raises(GraphError, match="compute_output_shape gives a list of 1"):
        Odd()(Input((2,)))


def test_a_cut_behind_a_layer_that_is_called_twice_is_refused_in_its_own_words():
    x, layer = Input((3,)), Dense(3, name="twice")
    model = Model(x, Dense(2, name="end")(layer(layer(x))))
    for cut in transfer.remove_layers, lambda model, name: transfer.replace_head(model, Dense(2), after=name):
        with pytest.raises(GraphError, match="cannot be cut behind 'twice', which is called several times"):
            cut(model, "twice")


def test_weights_that_are_set_between_forward_and_backward_are_noticed(tmp_path):
    model = Sequential([Dense(2, input_shape=(3,), name="a"), Dense(2, name="b")])
    model.save(tmp_path / "model.h5")
    for change in lambda: model.set_weights(model.get_weights()), lambda: model.load_weights(tmp_path / "model.h5"):
        y = model.forward(floats(4, 3), training=True)
        change()
        with pytest.raises(GraphError, match="has been moved"):
            model.backward(np.ones_like(y))
        assert model._memory == {}


def test_an_empty_batch_goes_back_as_an_empty_batch():
    layer = Dense(2)
    layer.forward(floats(3, 5))
    layer.forward(floats(0, 5))
    assert layer.backward(floats(0, 2)).shape == (0, 5)


def test_form_in_a_file_that_is_none(tmp_path):
    from minitl.graph.architecture import architecture, build

    x = Input((2,))
    data = json.loads(json.dumps(architecture(Model(x, [Dense(2)(x)]))))
    data["outputs"]["form"] = "zz"
    with pytest.raises(ValueError, match="in the form 'zz'"):
        build(data)

"""Layers and models of your own with `call`: the layers within become those of the graph."""

import numpy as np
import pytest

from minitl.errors import ArgumentError, GraphError
from minitl.layers import LSTM, BatchNormalization, Dense, Dropout, Embedding, Input, Layer, concatenate
from minitl.models import Model, Sequential, load_model
from minitl.testing import check_gradients

RNG = np.random.default_rng(5)
X = RNG.normal(size=(6, 4)).astype("float32")


class Block(Layer):
    """A part of a network, with lists and dicts of layers."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.first = Dense(units, "tanh", name="first")
        self.rest = [Dense(units, name="again"), {"drop": Dropout(0.5)}]

    def call(self, x, training=None):
        y = self.rest[1]["drop"](self.rest[0](self.first(x)), training=training)
        return x + 2 * y


class Net(Model):
    def __init__(self):
        super().__init__()
        self.blocks = [Block(4), Block(4)]
        self.scores = Dense(3, "softmax")

    def call(self, inputs, training=None):
        for block in self.blocks:
            inputs = block(inputs, training=training)
        return self.scores(inputs)


def test_a_block_becomes_layers_of_the_graph():
    x, block = Input((4,)), Block(4)
    y = Dense(2)(block(block(x)))
    model = Model(x, y)
    assert [layer.name for layer in model.layers][1:4] == ["first", "again", "dropout"]
    assert sum(call.layer is block.first for call in model.calls) == 2, "the block is called twice, and shares layers"
    assert [w.shape for w in block.weights] == [(4, 4), (4,), (4, 4), (4,)] and block.count_params() == 40
    block.trainable = False
    assert not block.first.trainable and len(model.trainable_weights) == 2 and block.trainable_weights == []
    block.set_weights([np.ones_like(weight) for weight in block.get_weights()])
    assert block.first.kernel.min() == 1 and block.compute_output_shape((None, 4)) == (None, 4)


def test_the_gradient_is_that_of_the_layers_within():
    x = Input((4,))
    check_gradients(Model(x, Dense(2)(Block(4, name="one")(Block(4)(x)))), X.astype("float64"))


def test_a_model_with_call_waits_and_trains():
    model = Net()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert not model.built and model.loss is None
    with pytest.raises(GraphError, match="model 'net' does not know the shape of its input yet"):
        model.summary()
    labels = [0, 1, 2, 0, 1, 2]
    before, _ = model.evaluate(X, labels, verbose=0)
    model.fit(X, labels, epochs=50, verbose=0)
    assert model.evaluate(X, labels, verbose=0)[0] < before and model.output_shape == (None, 3)
    names = ["first", "again", "dropout", "first_1", "again_1", "dropout_1", "dense"]
    assert [layer.name for layer in model.layers][:7] == names, "in the order of the attributes, without an InputLayer"
    np.testing.assert_array_equal(model(X), model.predict(X, verbose=0))
    assert not np.array_equal(model(X, training=True), model(X)), "the Dropout drops"


def test_it_is_saved_as_the_graph(tmp_path):
    model = Net()
    model.build((None, 4))
    model.save(tmp_path / "net.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "net.keras").predict(X, verbose=0), model.predict(X, verbose=0))


def test_several_inputs_and_outputs():
    class Two(Model):
        def __init__(self):
            super().__init__()
            self.words, self.scores = Embedding(9, 3, mask_zero=True), Dense(1)
            self.read = LSTM(2)

        def call(self, inputs):
            tokens, numbers = inputs["tokens"], inputs["numbers"]
            read = self.read(self.words(tokens))
            return {"read": read, "score": self.scores(concatenate([read, numbers]))}

    tokens = np.array([[1, 2, 0], [3, 0, 0]])
    found = Two().predict({"tokens": tokens, "numbers": X[:2]}, verbose=0)
    assert {name: y.shape for name, y in found.items()} == {"read": (2, 2), "score": (2, 1)}


def test_training_is_that_of_the_call_around():
    class Around(Layer):
        def __init__(self):
            super().__init__()
            self.drop = Dropout(0.5)

        def call(self, x):
            return self.drop(x)

    layer, ones = Around(), np.ones((50, 4), "float32")
    assert layer(ones).min() == 1 and layer(ones, training=True).min() == 0
    x = Input((4,))
    always = Model(x, layer(x, training=True))
    assert always.predict(ones, verbose=0).min() == 0
    assert Model(x, layer(x, training=False)).forward(ones, training=True).min() == 1


def test_a_layer_with_a_forward_of_its_own_is_told_the_mode_of_its_call():
    class Doubled(Layer):
        def forward(self, x, training=False):
            return x * 2 if training else x

        def backward(self, grad):
            return grad

    x = Input((4,))
    assert Model(x, Doubled()(x, training=True)).predict(X, verbose=0).tolist() == (2 * X).tolist()


def test_a_fixed_mode_stays_in_clones_and_files(tmp_path):
    """`base(x, training=False)` keeps the statistics of a base, as fine-tuning in Keras does."""
    base = Sequential([Input((4,)), Dense(3), BatchNormalization(), Dropout(0.9)])
    x = Input((4,))
    model = Model(x, Dense(2)(base(x, training=False)))
    model.compile("sgd", "mse")
    norm = base.layers[1]
    before = norm.moving_mean.copy()
    model.fit(X, X[:, :2], epochs=2, verbose=0)
    np.testing.assert_array_equal(norm.moving_mean, before)
    np.testing.assert_array_equal(model.forward(X, training=True), model.forward(X))
    check_gradients(model, X.astype("float64"), training=True)
    model.save(tmp_path / "model.keras")
    for copy in load_model(tmp_path / "model.keras"), Model.from_config(model.get_config()):
        copy.set_weights(model.get_weights())
        np.testing.assert_array_equal(copy.forward(X, training=True), model.forward(X))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda self, x: np.exp(x), "np.exp was called on the output of a layer"),
        (lambda self, x: np.mean(x, axis=1), "np.mean was called on the output of a layer"),
        (lambda self, x: np.asarray(x), "np.asarray was called"),
        (lambda self, x: np.ones(3), r"call\(\) of 'own' returned ndarray; expected the output of a layer"),
        (lambda self, x, training=None: x if training else 2 * x, r"call\(\) asks for the value of training"),
        (lambda self, x, other: x, r"call\(\) of 'own': missing a required argument: 'other'"),
    ],
)
def test_what_has_no_gradient_is_refused_by_name(call, message):
    layer = type("Own", (Layer,), {"call": call})()
    with pytest.raises((GraphError, ArgumentError), match=message):
        layer(Input((4,)))


def test_parameters_of_the_class_itself_are_refused():
    class Scaled(Layer):
        def build(self, input_shape):
            self.add_weight("scale", (input_shape[-1],), "ones")

        def call(self, x):
            return x * self.scale

    np.testing.assert_array_equal(Scaled()(X), X)
    with pytest.raises(GraphError, match=r"Scaled has a call\(\) and parameters of its own \(scale\), of which"):
        Scaled()(Input((4,)))

"""Layers and models of your own with `call`, compared with Keras: the same class, with its imports changed."""

import numpy as np
import pytest

import minitl

keras = pytest.importorskip("keras")
RNG = np.random.default_rng(3)
X = RNG.normal(size=(8, 5)).astype("float32")
Y = RNG.normal(size=(8, 2)).astype("float32")


def net(package):
    """Return an object of the same class of Keras or minitl."""
    layers = package.layers

    class Block(layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.dense = layers.Dense(units, activation="tanh", name="dense")
            self.norm = layers.BatchNormalization()

        def call(self, x, training=None):
            return x + 0.5 * self.norm(self.dense(x), training=training)

    class Net(package.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [Block(5), Block(5)]
            self.scores = layers.Dense(2)

        def call(self, x, training=None):
            for block in self.blocks:
                x = block(x, training=training)
            return self.scores(x)

    return Net()


def test_forward_training_and_weights_are_those_of_keras():
    ours, theirs = net(minitl), net(keras)
    ours(X), theirs(X)
    shapes = [weight.shape for weight in theirs.get_weights()]
    assert [weight.shape for weight in ours.trainable_weights] == [w.shape for w in theirs.trainable_weights]
    weights = [RNG.uniform(0.5, 1, shape).astype("float32") for shape in shapes]
    theirs.set_weights(weights)
    for block, other in zip(ours.blocks, theirs.blocks):
        block.set_weights(other.get_weights())
    ours.scores.set_weights(theirs.scores.get_weights())
    np.testing.assert_allclose(ours.predict(X, verbose=0), theirs.predict(X, verbose=0), rtol=1e-4, atol=1e-5)
    for model, package in (ours, minitl), (theirs, keras):
        model.compile(package.optimizers.SGD(0.05), "mse")
        model.fit(X, Y, batch_size=8, epochs=5, shuffle=False, verbose=0)
    np.testing.assert_allclose(ours.predict(X, verbose=0), theirs.predict(X, verbose=0), rtol=1e-3, atol=1e-4)
    for block, other in zip(ours.blocks, theirs.blocks):
        np.testing.assert_allclose(block.norm.moving_mean, other.norm.moving_mean, rtol=1e-3, atol=1e-4)


def test_the_gradient_of_a_fixed_mode_is_that_of_keras():
    """`base(x, training=False)`: a BatchNormalization that learns, with the statistics of before. In Keras, `model(x)`
    keeps to it as here and as its guide says; its `fit` and `predict` put the mode of the model above it."""
    outputs, gradients = [], []
    start = RNG.normal(size=(5, 3)).astype("float32")
    for package in minitl, keras:
        layers = package.layers
        inner = layers.Input((5,))
        norm, dense, last = layers.BatchNormalization(), layers.Dense(3), layers.Dense(2, kernel_initializer="ones")
        base = package.Model(inner, norm(dense(inner)))
        x = layers.Input((5,))
        model = package.Model(x, last(base(x, training=False)))
        dense.set_weights([start, np.zeros(3, "float32")])
        norm.set_weights([each + 0.5 for each in norm.get_weights()])
        if package is minitl:
            outputs.append(model.forward(X, training=True))
            model.backward(2 * (outputs[0] - Y) / Y.size)
            gradients.append([layer.gradients[name] for layer in model.layers for name in layer.trainable_names])
        else:
            y = model(X)
            ((y - keras.ops.convert_to_tensor(Y)) ** 2).mean().backward()
            outputs.append(y.detach().numpy())
            gradients.append([weight.value.grad.numpy() for weight in model.trainable_weights])
    np.testing.assert_allclose(*outputs, rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_default_mode_in_a_file_of_keras_fixes_nothing():
    """Keras writes training=False for each Dropout and training=True for each RandomFlip that was called without it."""
    x = keras.layers.Input((4, 4, 2))
    model = keras.Model(x, keras.layers.Dropout(0.9)(keras.layers.RandomFlip(seed=1)(x)))
    ours, images = minitl.models.model_from_json(model.to_json()), np.arange(64, dtype=np.float32).reshape(2, 4, 4, 2)
    np.testing.assert_array_equal(ours.predict(images, verbose=0), images)
    assert np.count_nonzero(ours.forward(images, training=True)) < 32


def test_a_file_of_keras_keeps_a_fixed_mode(tmp_path):
    inner = keras.layers.Input((5,))
    base = keras.Model(inner, keras.layers.Dropout(0.9)(keras.layers.BatchNormalization()(inner)))
    x = keras.layers.Input((5,))
    always = keras.layers.Dropout(0.5)(base(x, training=False), training=True)
    model = keras.Model(x, keras.layers.Dense(2)(always))
    model.save(tmp_path / "model.keras")
    ours = minitl.models.load_model(tmp_path / "model.keras")
    assert [call.training for call in ours.calls] == [False, False, True, None]
    back = keras.models.model_from_json(ours.to_json())
    back.set_weights(model.get_weights())
    first, second = (np.asarray(back(X).detach()) for _ in range(2))
    assert not np.array_equal(first, second), "the second Dropout drops"

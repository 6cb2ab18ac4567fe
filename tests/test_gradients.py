"""Every gradient against central differences in float64: layers to 1e-7, whole networks to 1e-5."""

import numpy as np
import pytest

from minitl.errors import GradientError
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
    GlobalMaxPooling2D,
    Input,
    Layer,
    MaxPooling2D,
    ReLU,
    Softmax,
    ZeroPadding2D,
)
from minitl.losses import BinaryCrossentropy, CategoricalCrossentropy, MeanSquaredError, SparseCategoricalCrossentropy
from minitl.models import Model, Sequential
from minitl.testing import check_gradients

LAYERS = [
    lambda: Conv2D(4, 3, padding="same", activation="relu"),
    lambda: Conv2D(3, (2, 3), strides=(2, 1), padding="same", activation="tanh"),
    lambda: Conv2D(3, (3, 2), strides=(2, 3), padding="valid"),
    lambda: Conv2D(5, 1, use_bias=False, activation="sigmoid"),
    lambda: Conv2D(3, (1, 5), padding="same", activation="softmax"),
    lambda: ZeroPadding2D(((1, 2), (0, 3))),
    lambda: MaxPooling2D(2),
    lambda: MaxPooling2D(3, strides=2, padding="same"),
    lambda: MaxPooling2D((2, 3), strides=(1, 2)),
    lambda: AveragePooling2D(2),
    lambda: AveragePooling2D((3, 2), strides=(2, 1), padding="same"),
    lambda: GlobalAveragePooling2D(),
    lambda: GlobalMaxPooling2D(keepdims=True),
    lambda: Flatten(),
    lambda: Dense(4, activation="tanh"),
    lambda: Dense(3, use_bias=False),
    lambda: Dense(5, activation="softmax"),
    lambda: Dropout(0.4),
    lambda: BatchNormalization(),
    lambda: BatchNormalization(center=False, scale=False, epsilon=1e-5),
    lambda: Activation("relu"),
    lambda: Activation("softmax"),
    lambda: ReLU(),
    lambda: ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2),
    lambda: Softmax(axis=1),
]


@pytest.mark.parametrize("make", LAYERS, ids=lambda make: repr(make()).replace(" ", ""))
@pytest.mark.parametrize("trainable", [True, False], ids=["trainable", "frozen"])
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
def test_layer(rng, note_error, make, trainable, training):
    layer = make()
    layer.trainable = trainable
    x = rng.standard_normal((3, 7, 6, 4))
    layer.forward(x)
    for name in layer.statistic_names:  # statistics of their own, not the neutral 0 and 1
        getattr(layer, name)[...] = rng.uniform(0.5, 2, getattr(layer, name).shape)
    report = check_gradients(layer, x, training=training)
    assert report.worst <= 1e-7
    assert set(report.errors) == {"x", *(f"{layer.name} {name}" for name in layer.trainable_names)}
    note_error("layers", report.worst)


@pytest.mark.parametrize("layer", [Add(), Concatenate(), Concatenate(axis=1)], ids=repr)
def test_merging_layer(rng, layer):
    assert check_gradients(layer, [rng.standard_normal((2, 3, 4, 5)) for _ in range(3)]).worst <= 1e-7


def test_add_that_stretches(rng):
    """A map plus one number a channel: the number is used at every pixel, and its gradient is their sum."""
    assert check_gradients(Add(), [rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((2, 1, 1, 5))]).worst <= 1e-7


def branching_network():
    """Two ways into an addition, one tensor used three times, and a bit of everything."""
    x = images = Input((9, 8, 3))
    x = Conv2D(4, 3, padding="same", activation="relu")(x)
    y = Conv2D(4, (1, 3), padding="same")(BatchNormalization()(x))
    z = MaxPooling2D(3, strides=1, padding="same")(x)
    x = Add()([x, y, z])
    x = Concatenate()([x, Activation("tanh")(z)])
    x = AveragePooling2D()(Dropout(0.3)(x))
    x = Flatten()(x)
    return Model(images, Dense(3, activation="softmax")(Dense(6, activation="sigmoid")(x)))


def vgg_like_network():
    return Sequential(
        [
            Conv2D(4, 3, padding="same", activation="relu", input_shape=(8, 8, 2)),
            Conv2D(4, 3, padding="same", activation="relu"),
            MaxPooling2D(),
            Conv2D(6, 3, strides=2, activation="relu"),
            GlobalAveragePooling2D(),
            Dense(3, activation="softmax"),
        ]
    )


@pytest.mark.parametrize("make", [branching_network, vgg_like_network])
@pytest.mark.parametrize("frozen", [(), (1,), (1, 2, 3)], ids=["all-trainable", "first-frozen", "three-frozen"])
def test_network(rng, note_error, make, frozen):
    model = make()
    for index in frozen:
        model.calls[index - 1].layer.trainable = False
    report = check_gradients(model, rng.standard_normal((3, *model.input_shape[1:])))
    assert report.worst <= 1e-5
    note_error("networks", report.worst)
    assert len(report.errors) == 1 + sum(len(layer.trainable_names) for layer in model.layers)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("loss", [CategoricalCrossentropy, SparseCategoricalCrossentropy, BinaryCrossentropy])
def test_loss(rng, loss, from_logits):
    criterion = loss(from_logits=from_logits)
    y_pred = rng.standard_normal((4, 3)) if from_logits else rng.dirichlet(np.ones(3), 4)
    y_true = {"Sparse": rng.integers(0, 3, 4), "Catego": np.eye(3)[[0, 2, 1, 1]], "Binary": rng.integers(0, 2, (4, 3))}
    assert_loss_gradient(criterion, y_true[loss.__name__[:6]], y_pred)


def test_mean_squared_error(rng):
    assert_loss_gradient(MeanSquaredError(), rng.standard_normal((4, 3)), rng.standard_normal((4, 3)))


def assert_loss_gradient(criterion, y_true, y_pred, step=1e-6):
    criterion.forward(y_true, y_pred)
    gradient = criterion.backward()
    for index in np.ndindex(*y_pred.shape):
        moved = [y_pred.copy(), y_pred.copy()]
        moved[0][index] += step
        moved[1][index] -= step
        difference = (criterion.forward(y_true, moved[0]) - criterion.forward(y_true, moved[1])) / (2 * step)
        assert abs(gradient[index] - difference) <= 1e-7 * np.abs(gradient).max()


# ---- a check that cannot fail would prove nothing ----


def wrong_scale(grad):
    return grad * (1 + 1e-6)


def wrong_entry(grad):
    grad = grad.copy()
    grad[np.unravel_index(np.abs(grad).argmax(), grad.shape)] *= -1
    return grad


def wrong_order(grad):
    return grad[::-1] if len(grad) > 1 else grad[:, ::-1]


@pytest.mark.parametrize("corrupt", [wrong_scale, wrong_entry, wrong_order, np.zeros_like])
@pytest.mark.parametrize("target", ["x", "kernel", "bias"])
def test_a_corrupted_gradient_fails(rng, corrupt, target):
    class Corrupted(Conv2D):
        def backward(self, grad):
            dx = super().backward(grad)
            if target != "x":
                self.gradients[target] = corrupt(self.gradients[target])
            return corrupt(dx) if target == "x" else dx

    with pytest.raises(GradientError, match=f"{target} at .*backward says .* the central difference"):
        check_gradients(Corrupted(3, 3, padding="same", name="conv"), rng.standard_normal((2, 5, 4, 2)))


def test_a_missing_gradient_fails(rng):
    class Forgetful(Dense):
        def backward(self, grad):
            dx = super().backward(grad)
            del self.gradients["bias"]
            return dx

    with pytest.raises(GradientError, match="forgetful bias: backward gave no gradient"):
        check_gradients(Forgetful(3), rng.standard_normal((2, 4)))


def test_a_readers_own_layer(rng):
    """What the README promises: a subclass with forward, backward and a parameter can be checked as it is."""

    class Scale(Layer):
        def build(self, input_shape):
            self.add_weight("factor", (input_shape[-1],), "ones")

        def forward(self, x, training=False):
            self.accept(x.shape)
            self.remember(x)
            return x * self.factor

        def backward(self, grad):
            (x,) = self.remembered()
            self.gradients["factor"] = (grad * x).sum(axis=0)
            return grad * self.factor

    assert check_gradients(Scale(), rng.standard_normal((5, 3))).worst <= 1e-7


def test_checking_puts_everything_back(rng):
    model = branching_network()
    before, x = model.get_weights(), rng.standard_normal((2, 9, 8, 3))
    dropout = next(layer for layer in model.layers if isinstance(layer, Dropout))
    state = dropout.generator.bit_generator.state
    check_gradients(model, x)
    assert all(np.array_equal(a, b) and b.dtype == np.float32 for a, b in zip(before, model.get_weights()))
    assert dropout.generator.bit_generator.state == state

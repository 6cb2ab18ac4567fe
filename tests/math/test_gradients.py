"""Every gradient against central differences in float64: layers to 1e-7, whole networks to 1e-5."""

import numpy as np
import pytest
from cases.layers import LAYERS
from cases.losses import LOSSES

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
    Input,
    Layer,
    MaxPooling2D,
)
from minitl.models import Model, Sequential
from minitl.testing import check_gradients


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
@pytest.mark.parametrize("trainable", [True, False], ids=["trainable", "frozen"])
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
def test_every_gradient_of_a_layer_is_right(note_error, case, trainable, training):
    layer, x = case.layer(trainable), case.inputs(dtype=np.float64)
    most = 60 if trainable and training else 12  # the other states share most of their lines with this one
    report = check_gradients(layer, x, training=training, most=most)
    worst = max(report.errors.values(), default=0.0)  # whole numbers in a layer without parameters: no gradient at all
    assert worst <= 1e-7
    inputs = {f"x[{number}]": each for number, each in enumerate(x)} if isinstance(x, list) else {"x": x}
    with_gradient = {name for name, each in inputs.items() if each.dtype.kind == "f"}
    assert set(report.errors) == {*with_gradient, *(f"{layer.name} {name}" for name in layer.trainable_names)}
    note_error("layers", worst)


def branching_network():
    """Build two ways into an addition, one tensor used three times, and a bit of everything."""
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


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.name)
def test_the_gradient_of_a_loss_is_right(case):
    assert_loss_gradient(case.loss(), case.labels(), case.predictions(dtype=np.float64))


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
    """The README promises: a subclass with forward, backward and a parameter can be checked as it is."""

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

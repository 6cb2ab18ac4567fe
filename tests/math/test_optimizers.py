"""Update rules, computed step by step with a pencil; and no step at all where a gradient is not finite.

Promises of all optimizers are tested for every case of the table in `cases/optimizers.py`. That a training with any
of them can be resumed is tested in `test_checkpoints.py`."""

from types import SimpleNamespace

import numpy as np
import pytest
from cases import random
from cases.optimizers import NAMES, OPTIMIZERS

from minitl import optimizers, utils
from minitl.errors import ArgumentError, DivergedError, MistakeWarning, ShapeError
from minitl.kernels import precision
from minitl.layers import Dense
from minitl.models import Model, Sequential
from minitl.optimizers import SGD, Adam

every_optimizer = pytest.mark.parametrize("case", OPTIMIZERS, ids=lambda case: case.name)


def test_every_optimizer_is_in_the_table():
    """Every optimizer of `minitl.optimizers` has a case in `cases/optimizers.py`: without one, no test would run it."""
    names = [case.name for case in OPTIMIZERS]
    assert len(names) == len(set(names))
    public = {name for name in optimizers.__all__ if hasattr(getattr(optimizers, name), "step")} - {"Optimizer"}
    assert {type(case.optimizer()).__name__ for case in OPTIMIZERS} == set(NAMES.values()) == public


@pytest.mark.parametrize("name", NAMES)
def test_an_optimizer_is_found_by_its_name_in_keras(name):
    for spelling in name, name.upper(), NAMES[name]:
        assert type(optimizers.get(spelling)) is getattr(optimizers, NAMES[name])


class Bowl:
    """A model of two layers with numbers p, and L(p) = sum of steepness * (p - lowest)^2
    2, whose gradient is known."""

    def __init__(self):
        self.model = Sequential([Dense(3, input_shape=(4,), name="early"), Dense(2, name="late")])
        self.numbers = [(layer, name) for layer in self.model.layers for name in layer.weight_names]
        self.lowest, self.steepness = [], []
        for position, (layer, name) in enumerate(self.numbers):
            shape = getattr(layer, name).shape
            self.lowest.append(0.3 * random(*shape, seed=position))
            self.steepness.append(np.exp(0.5 * random(*shape, seed=10 + position)))
            setattr(layer, name, self.lowest[-1] + 0.3 * random(*shape, seed=20 + position))

    def value(self):
        parts = zip(self.numbers, self.lowest, self.steepness)
        return sum(float((c * (getattr(la, name) - a) ** 2).sum() / 2) for (la, name), a, c in parts)

    def steps(self, optimizer, count):
        for _ in range(count):
            for (layer, name), lowest, steepness in zip(self.numbers, self.lowest, self.steepness):
                layer.gradients[name] = steepness * (getattr(layer, name) - lowest)
            optimizer.step(self.model)


@every_optimizer
def test_every_optimizer_goes_downhill(case):
    """The loss of a quadratic falls in each twenty steps until it is near its lowest point."""
    bowl, optimizer = Bowl(), case.optimizer()
    values = [bowl.value()]
    for _ in range(10):
        bowl.steps(optimizer, 20)
        values.append(bowl.value())
    assert optimizer.iterations == 200 // (optimizer.gradient_accumulation_steps or 1)
    assert values[-1] < 0.5 * values[0], values
    assert all(later < max(earlier, 0.01 * values[0]) for earlier, later in zip(values, values[1:])), values


@every_optimizer
def test_a_layer_that_is_frozen_in_between_stays_where_it_is(case):
    """A frozen layer keeps its parameters to the last bit while the other one moves. Unfrozen, it goes on, and both
    come down."""
    bowl, optimizer = Bowl(), case.optimizer()
    early, late = bowl.model.layers
    start = bowl.value()
    bowl.steps(optimizer, 6)
    for frozen, moving in (late, early), (early, late):
        frozen.trainable = False
        kept, moved = frozen.get_weights(), moving.get_weights()
        bowl.steps(optimizer, 3)
        assert all(np.array_equal(a, b) for a, b in zip(frozen.get_weights(), kept, strict=True))
        assert not any(np.array_equal(a, b) for a, b in zip(moving.get_weights(), moved, strict=True))
        frozen.trainable = True
        bowl.steps(optimizer, optimizer.gradient_accumulation_steps or 1)
        assert not any(np.array_equal(a, b) for a, b in zip(frozen.get_weights(), kept, strict=True))
    assert bowl.value() < start


@every_optimizer
def test_the_same_steps_give_the_same_numbers(case):
    """Optimizers of a class share no state."""
    first, second = (Bowl(), case.optimizer()), (Bowl(), case.optimizer())
    for _ in range(5):
        for bowl, optimizer in first, second:
            bowl.steps(optimizer, 1)
    for found, expected in zip(first[0].model.get_weights(), second[0].model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def one_number(value=1.0):
    """Return a model that is a single number: y = kernel * x."""
    model = Sequential([Dense(1, use_bias=False, input_shape=(1,), name="number")])
    layer = model.get_layer("number")
    layer.kernel[...] = value
    return model, layer


def steps(optimizer, gradients, value=1.0):
    model, layer = one_number(value)
    for gradient in gradients:
        layer.gradients["kernel"] = np.full((1, 1), gradient, np.float32)
        optimizer.step(model)
    return float(layer.kernel[0, 0])


def test_plain_descent():
    assert steps(SGD(0.1), [2, -1]) == pytest.approx(1 - 0.2 + 0.1)


def test_momentum():
    # v: -0.2, then 0.9 * -0.2 + 0.1 = -0.08
    assert steps(SGD(0.1, momentum=0.9), [2, -1]) == pytest.approx(1 - 0.2 - 0.08)


def test_nesterov():
    # a step of momentum * v - lr * g:  0.9 * -0.2 - 0.2 = -0.38, then 0.9 * -0.08 + 0.1 = 0.028
    assert steps(SGD(0.1, momentum=0.9, nesterov=True), [2, -1]) == pytest.approx(1 - 0.38 + 0.028)


def test_parameters_may_be_without_weight_decay():
    """The kernel decays as before, and the bias moves as if there were no decay. As in Keras, a word anywhere in the
    name counts."""
    moved = {}
    for decay, without in (None, ()), (0.5, ()), (0.5, ["bias"]):
        layer = Sequential([Dense(2, input_shape=(3,))]).layers[0]
        layer.set_weights([np.ones((3, 2), np.float32), np.ones(2, np.float32)])
        optimizer = Adam(0.1, weight_decay=decay)
        optimizer.exclude_from_weight_decay(var_names=without)
        layer.gradients = {"kernel": np.ones((3, 2), np.float32), "bias": np.ones(2, np.float32)}
        optimizer.step(Model(layer.input, layer.output))
        moved[decay, bool(without)] = layer.get_weights()
    kernel, bias = moved[0.5, True]
    assert np.array_equal(kernel, moved[0.5, False][0]) and not np.array_equal(kernel, moved[None, False][0])
    assert np.array_equal(bias, moved[None, False][1]) and not np.array_equal(bias, moved[0.5, False][1])
    for wrong in "bias", [1]:
        with pytest.raises(ArgumentError, match="var_names"):
            Adam().exclude_from_weight_decay(var_names=wrong)
    with pytest.raises(ArgumentError, match="var_list"):
        Adam().exclude_from_weight_decay(var_list=[kernel])


def test_weight_decay_is_decoupled():
    assert steps(SGD(0.1, weight_decay=0.5), [2]) == pytest.approx(1 * (1 - 0.05) - 0.2)
    assert steps(SGD(0.1, momentum=0.9, weight_decay=0.5), [0, 0]) == pytest.approx(0.95**2), "never in the momentum"


def test_adam_steps_by_the_learning_rate():
    """Adam moves by the learning rate in its first step, against the gradient's sign, unless the gradient is tiny."""
    for gradient in 0.1, 1.0, 1e3:
        assert steps(Adam(0.1), [gradient]) == pytest.approx(0.9, abs=1e-4)
    assert steps(Adam(0.1), [1e-6]) == pytest.approx(1 - 0.1 * 0.24, abs=1e-4)
    m, v = 0.1 * 2 * 0.9 + 0.1 * -1, 0.001 * 4 * 0.999 + 0.001 * 1
    second = 0.1 * np.sqrt(1 - 0.999**2) / (1 - 0.9**2) * m / (np.sqrt(v) + 1e-7)
    assert steps(Adam(0.1), [2, -1]) == pytest.approx(0.9 - second, abs=1e-5)


def test_lr_is_an_alias():
    assert Adam(lr=0.5).learning_rate == SGD(lr=0.5).learning_rate == 0.5
    optimizer = SGD()
    optimizer.lr = 0.3
    assert optimizer.learning_rate == 0.3


def test_a_frozen_layer_stays_and_its_momentum_waits():
    model, layer = one_number()
    optimizer = SGD(0.1, momentum=0.9)
    layer.gradients["kernel"] = np.ones((1, 1), np.float32)
    optimizer.step(model)
    layer.trainable = False
    with pytest.warns(MistakeWarning, match="a step has moved nothing"):
        optimizer.step(model)
    assert layer.kernel[0, 0] == pytest.approx(0.9)
    layer.trainable = True
    optimizer.step(model)
    assert layer.kernel[0, 0] == pytest.approx(0.9 - 0.19)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nothing_moves_if_one_gradient_is_not_finite(bad):
    model = Sequential([Dense(2, input_shape=(2,), name="first"), Dense(2, name="last")])
    before = model.get_weights()
    for layer in model.layers:
        layer.gradients = {"kernel": np.ones((2, 2), np.float32), "bias": np.ones(2, np.float32)}
    model.layers[1].gradients["kernel"][1, 1] = bad
    optimizer = SGD(0.1)
    with pytest.raises(DivergedError, match="step 1: the gradient of 'last' kernel is not finite. Nothing was updated"):
        optimizer.step(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights())) and optimizer.iterations == 0


def test_a_gradient_too_large_to_step_by_is_refused():
    assert precision.all_finite(np.full(10, 3e38, np.float32)), "its sum overflows, its entries do not"
    for optimizer, gradient in (SGD(1e20), 1e15), (Adam(0.1), 1e25):
        with pytest.raises(
            DivergedError, match=f"gradient of 'number' kernel reaches {gradient:.3g}".replace("+", ".")
        ):
            steps(optimizer, [gradient])
    for rate in float("nan"), float("inf"), -1, "fast":
        with pytest.raises(ArgumentError, match="learning_rate is"):
            SGD().learning_rate = rate


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: optimizers.get("no_such_optimizer"),
            "optimizer is 'no_such_optimizer'; expected one of adadelta, adagrad, adam, adamax",
        ),
        (lambda: SGD(-1), "learning_rate is -1; expected"),
        (lambda: SGD(momentum=2), "momentum is 2; expected"),
        (lambda: SGD(float("nan")), "learning_rate is nan; expected"),
        (lambda: SGD(clipnorm=1, clipvalue=1), "expected one of clipnorm, clipvalue and global_clipnorm"),
        (lambda: SGD(clipnorm=0), "above 0"),
        (lambda: SGD(lambda step: -1.0), "learning_rate is -1.0"),
        (lambda: optimizers.PiecewiseConstantDecay([5], [1]), "1 boundaries and 1 values"),
        (lambda: optimizers.CosineDecay(0.1, 0), "decay_steps is 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_arguments_that_make_no_sense(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_a_gradient_of_the_wrong_shape_is_refused():
    model = Sequential([Dense(5, input_shape=(3,))])
    layer = model.layers[0]
    before = layer.kernel.copy()
    layer.gradients = {"kernel": np.ones((5, 3), np.float32), "bias": np.zeros(5, np.float32)}
    with pytest.raises(ShapeError, match=r"gradient of kernel has shape \(5, 3\), expected \(3, 5\)"):
        SGD(0.1).step(model)
    assert np.array_equal(layer.kernel, before)


def test_a_warm_up_and_what_comes_after_it():
    warm = optimizers.WarmUp(optimizers.CosineDecay(1.0, 10), 4)
    assert np.allclose([warm(step) for step in range(5)], [0.2, 0.4, 0.6, 0.8, 1.0])
    assert warm(4) == 1.0 and warm(9) == pytest.approx(0.5) and warm(14) == pytest.approx(0)
    assert optimizers.WarmUp(0.3, 0)(0) == 0.3 and optimizers.WarmUp(0.3, 2)(7) == 0.3


def test_rates_by_layer_are_checked():
    for factors in ({"a": -1}, {"a": "fast"}, {3: 1.0}, ["a"]):
        with pytest.raises(ArgumentError, match="rate_factors"):
            optimizers.SGD(rate_factors=factors)
    with pytest.raises(ArgumentError, match="l2_sp"):
        optimizers.Adam(l2_sp=-1)


def test_l2_sp_pulls_towards_what_was_loaded():
    """A loaded parameter without a gradient returns to its loaded value, and a new one goes to zero."""
    for make in (optimizers.SGD, optimizers.Adam):
        layers = [Dense(2, input_shape=(2,), name="loaded"), Dense(2, name="new")]
        model = Sequential(layers)
        layers[0].origins = {"kernel": "a file"}
        start = layers[0].kernel.copy()
        optimizer = make(0.1, l2_sp=1.0, weight_decay=1.0)
        for step in range(80):
            for layer in layers:
                layer.gradients = {name: np.zeros_like(getattr(layer, name)) for name in layer.trainable_names}
            if step == 1:
                layers[0].kernel += 1
            optimizer.step(model)
        assert np.allclose(layers[0].kernel, start, atol=1e-3) and np.allclose(layers[1].kernel, 0, atol=1e-3)


def test_schedules_go_by_steps(rng):
    rates = []

    class Plain(SGD):
        def update(self, parameter, gradient, *state):
            rates.append(self.rate)
            super().update(parameter, gradient, *state)

    model = Sequential([Dense(3, activation="softmax", input_shape=(5,))])
    x, y = rng.standard_normal((40, 5)).astype(np.float32), rng.integers(0, 3, 40)
    schedule = optimizers.PiecewiseConstantDecay([1, 3], [0.1, 0.01, 0.001])
    model.compile(Plain(schedule), "sparse_categorical_crossentropy")
    for _ in range(6):
        model.train_on_batch(x, y)
    assert rates[::2] == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001], "kernel and bias, step by step"
    with pytest.raises(ArgumentError, match=r"has a schedule \(PiecewiseConstantDecay\), which sets the rate"):
        model.optimizer.learning_rate = 0.5
    assert model.optimizer.learning_rate == 0.001
    model.optimizer.learning_rate = optimizers.CosineDecay(0.5, 100)
    assert 0.4 < model.optimizer.learning_rate < 0.5


def test_clipped_gradients():
    def step(gradients, **clipping):
        model = Sequential([Dense(2, input_shape=(1,), name="a")])
        model.set_weights([np.zeros((1, 2)), np.zeros(2)])
        model.get_layer("a").gradients = {name: np.asarray(g, np.float32) for name, g in gradients.items()}
        SGD(1.0, **clipping).step(model)
        return [-weight for weight in model.get_weights()]

    gradients = {"kernel": [[3, 4]], "bias": [0, 12]}
    assert np.allclose(step(gradients, clipvalue=3.5)[0], [[3, 3.5]])
    kernel, bias = step(gradients, clipnorm=1)
    assert np.allclose(kernel, [[0.6, 0.8]]) and np.allclose(bias, [0, 1])
    kernel, bias = step(gradients, global_clipnorm=6.5)
    assert np.allclose(kernel, [[1.5, 2]]) and np.allclose(bias, [0, 6])
    assert np.allclose(step(gradients, global_clipnorm=99)[0], [[3, 4]])
    with pytest.raises(DivergedError):
        step({"kernel": [[np.nan, 1]], "bias": [0, 0]}, clipvalue=1)


def test_gradients_that_are_added_up_give_the_step_of_a_large_batch(rng):
    x, y = rng.standard_normal((12, 3)).astype(np.float32), rng.standard_normal((12, 2)).astype(np.float32)

    def weights_after(batch_size, optimizer):
        utils.set_random_seed(2)
        model = Sequential([Dense(2, input_shape=(3,))])
        model.compile(optimizer, "mse")
        model.fit(x, y, batch_size, 3, verbose=0, shuffle=False)
        return model.get_weights()

    whole, parts = SGD(0.1, momentum=0.9), SGD(0.1, momentum=0.9, gradient_accumulation_steps=3)
    for a, b in zip(weights_after(12, whole), weights_after(4, parts)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert whole.iterations == parts.iterations == 3 and parts.waiting == 0
    parts = SGD(0.1, gradient_accumulation_steps=4)
    weights_after(4, parts)  # nine batches: two steps, and one batch that waits
    assert (parts.iterations, parts.waiting) == (2, 1)
    assert SGD.from_config(parts.get_config()).gradient_accumulation_steps == 4


def test_the_average_of_parameters_becomes_the_parameter_at_the_end(rng):
    model = Sequential([Dense(1, use_bias=False, kernel_initializer="ones", input_shape=(1,))])
    model.compile(SGD(0.1, use_ema=True, ema_momentum=0.9), "mse")
    model.fit(np.ones((1, 1)), np.zeros((1, 1)), epochs=2, verbose=0)
    # steps to 0.8 and 0.64; the average is 0.8, then 0.9 * 0.8 + 0.1 * 0.64
    assert model.layers[-1].kernel == pytest.approx(0.784)
    average = model.layers[-1].kernel.copy()
    model.optimizer.finalize_variable_values([model.layers[-1].kernel])
    np.testing.assert_array_equal(model.layers[-1].kernel, average)
    assert SGD.from_config(model.optimizer.get_config()).ema_momentum == 0.9
    with pytest.raises(ArgumentError, match="do not go together"):
        SGD(use_ema=True, gradient_accumulation_steps=2)
    with pytest.raises(ArgumentError, match="gradient_accumulation_steps is 1"):
        SGD(gradient_accumulation_steps=1)


def test_amsgrad_does_not_forget_a_large_gradient():
    """After one large gradient, Adam's steps soon have full length again; those of amsgrad stay small."""
    moved = {}
    for amsgrad in False, True:
        layer, optimizer = Dense(1, use_bias=False), Adam(0.1, beta_1=0.0, beta_2=0.5, amsgrad=amsgrad)
        layer.accept((1, 1))
        for gradient in 100.0, *[1.0] * 20:
            before = layer.kernel.copy()
            layer.gradients = {"kernel": np.full((1, 1), gradient, np.float32)}
            optimizer.step(SimpleNamespace(layers=[layer], name="one"))
        moved[amsgrad] = (before - layer.kernel).item()
    assert moved[False] == pytest.approx(0.1, rel=0.01)
    assert moved[True] == pytest.approx(0.1 / (100 * 0.5**0.5), rel=0.01)

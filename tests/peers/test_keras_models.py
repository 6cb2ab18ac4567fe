"""Whole models that Keras saved, opened in minitl; and minitl's architectures as JSON, opened in Keras."""

import keras
import numpy as np
import pytest
from cases.layers import LAYERS

from minitl.errors import WeightsError
from minitl.models import load_model, model_from_json

CASES = [case for case in LAYERS if case.keras is True]  # whose twin is made by the same function
GROUPS = [CASES[first : first + 20] for first in range(0, len(CASES), 20)]  # each is one model: a file takes its time


def model_of(cases):
    """Return Keras's model with a branch for each case and random weights, and its inputs: two examples."""
    arrays, inputs, outputs = [], [], []
    for case in cases:
        shapes = case.input_shape if isinstance(case.input_shape, list) else [case.input_shape]
        found = [case.numbers((2, *shape[1:]), seed) for seed, shape in enumerate(shapes)]
        own = [keras.layers.Input(each.shape[1:], dtype=each.dtype.name) for each in found]
        outputs.append(case.make(keras.layers)(own if isinstance(case.input_shape, list) else own[0]))
        arrays, inputs = arrays + found, inputs + own
    model = keras.Model(inputs, outputs)
    drawn = zip(model.weights, drawn_weights(model))
    model.set_weights([np.abs(each) + 0.5 if "variance" in weight.path else each for weight, each in drawn])
    return model, arrays


def drawn_weights(model):
    rng = np.random.default_rng(3)
    return [rng.standard_normal(weight.shape).astype(np.float32) * 0.5 for weight in model.get_weights()]


def assert_same_outputs(ours, theirs, x, names):
    for name, found, expected in zip(names, ours.predict(x, verbose=0), theirs.predict(x, verbose=0)):
        np.testing.assert_allclose(found, expected, atol=1e-5 * max(np.abs(expected).max(), 1), err_msg=name)


@pytest.mark.filterwarnings("ignore")  # Keras on its own .h5 files
@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("cases", GROUPS, ids=lambda cases: f"{cases[0].name} to {cases[-1].name}")
def test_a_model_that_keras_saved_gives_keras_outputs(cases, ending, tmp_path):
    if ending == "h5":  # Keras cannot write its own random layers of images there: "cannot pickle 'module' object"
        cases = [case for case in cases if not case.name.startswith("random-")]
    model, x = model_of(cases)
    model.save(tmp_path / f"model.{ending}")
    assert_same_outputs(load_model(tmp_path / f"model.{ending}"), model, x, [case.name for case in cases])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cases", GROUPS, ids=lambda cases: f"{cases[0].name} to {cases[-1].name}")
def test_keras_opens_what_minitl_writes_as_json(cases):
    model, x = model_of(cases)
    ours = model_from_json(model.to_json())
    ours.set_weights(model.get_weights())
    again = keras.models.model_from_json(ours.to_json())
    again.set_weights(ours.get_weights())
    assert_same_outputs(again, model, x, [case.name for case in cases])


def layered(kind):
    """Return a Keras model of a kind of graph, and an input."""
    layers = keras.layers
    x = np.random.default_rng(0).standard_normal((3, 8, 8, 3)).astype(np.float32)
    image = layers.Input((8, 8, 3))
    if kind == "shared layers, several inputs and outputs":
        dense, a, b = layers.Dense(4), layers.Input((3,)), layers.Input((3,))
        rows = x[:, 0, 0], x[:, 1, 1]
        return keras.Model({"a": a, "b": b}, [dense(a), layers.add([dense(b), dense(a)])]), dict(zip("ab", rows))
    if kind == "sequential":
        rows = [image, layers.Conv2D(3, 3, activation="relu"), layers.Flatten(), layers.Dense(2, activation="softmax")]
        return keras.Sequential(rows), x
    if kind == "signs":
        y = layers.Conv2D(4, 3)(image * 0.5)[:, ::2, ..., 0:2]
        return keras.Model(image, layers.Concatenate()([y, 1 - y, -y / 3.0])), x
    base = keras.Sequential([layers.Input((8, 8, 3)), layers.Conv2D(3, 3), layers.BatchNormalization()], name="base")
    head = layers.Dense(2)(layers.GlobalAveragePooling2D()(base(image)))
    return keras.Model(image, head), x  # models within models


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize(
    "kind", ["shared layers, several inputs and outputs", "sequential", "signs", "models within models"]
)
def test_graphs_of_many_kinds_open(kind, ending, tmp_path):
    model, x = layered(kind)
    model.set_weights(drawn_weights(model) if kind != "models within models" else model.get_weights())
    model.save(tmp_path / f"model.{ending}")
    found, expected = (each.predict(x, verbose=0) for each in (load_model(tmp_path / f"model.{ending}"), model))
    for ours, theirs in zip(found, expected) if isinstance(expected, list) else [(found, expected)]:
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_the_compiled_settings_come_with_the_model(ending, tmp_path):
    model, x = layered("sequential")
    rate = keras.optimizers.schedules.CosineDecay(0.1, 10)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), loss, metrics=["accuracy"])
    model.save(tmp_path / f"model.{ending}")
    ours = load_model(tmp_path / f"model.{ending}")
    y = np.eye(2)[[0, 1, 1]]
    np.testing.assert_allclose(ours.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0), rtol=1e-5)
    assert ours.optimizer.momentum == 0.9 and ours.optimizer.learning_rate == pytest.approx(0.1)
    assert load_model(tmp_path / f"model.{ending}", compile=False).optimizer is None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_what_minitl_does_not_have_is_refused_by_its_name_and_code_is_not_run(ending, tmp_path):
    inputs = keras.layers.Input((3,))
    for layer, name in (
        (keras.layers.Lambda(lambda x: x), "Lambda, .* never run"),
        (keras.layers.GaussianNoise(0.1), None),
        (keras.layers.ActivityRegularization(0.1), "ActivityRegularization"),
    ):
        path = tmp_path / f"model.{ending}"
        keras.Model(inputs, layer(inputs)).save(path)
        if name is None:
            assert load_model(path).count_params() == 0
            continue
        with pytest.raises(WeightsError, match=f"holds an? {name}"):
            load_model(path)

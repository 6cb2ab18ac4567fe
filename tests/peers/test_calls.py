"""Layers used several times, several inputs and outputs, weights of any leading shape: the same programs in Keras.

Each program is written once and built from either library; weights go from Keras to minitl, and after training both
must have the same numbers in the history, in `evaluate`, in `predict`, and in files read by the other one.
"""

import keras
import numpy as np
import pytest

import minitl
from minitl.layers import Layer

from .compare import assert_close


class Embedding(Layer):
    """A table of rows for integers: minitl's twin of Keras's layer, for this comparison."""

    def __init__(self, input_dim, output_dim, **kwargs):
        super().__init__(**kwargs)
        self.input_dim, self.output_dim, self.embeddings = input_dim, output_dim, None

    def build(self, input_shape):
        self.add_weight("embeddings", (self.input_dim, self.output_dim))

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.output_dim)

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.remember(x)
        return self.embeddings[x]

    def backward_to_parameters(self, grad):
        (x,) = self.remembered()
        self.gradients["embeddings"] = np.zeros_like(self.embeddings)
        np.add.at(self.gradients["embeddings"], x, grad)


class Library:
    """The names that a program needs, from one of the two libraries."""

    def __init__(self, package, embedding):
        self.Input, self.Model, self.Sequential = package.Input, package.Model, package.Sequential
        self.layers, self.Embedding = package.layers, embedding


KERAS, MINITL = Library(keras, keras.layers.Embedding), Library(minitl, Embedding)
RNG = np.random.default_rng(5)


def floats(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def a_layer_used_twice(lib):
    """Pass two inputs through one pair of layers; the two outputs have losses of different weight."""
    left, right = lib.Input((5,), name="left"), lib.Input((5,), name="right")
    first = lib.layers.Dense(6, activation="tanh", name="first")
    second = lib.layers.Dense(4, activation="relu", name="second")
    both = lib.layers.Concatenate(name="both")([second(first(left)), second(first(right))])
    kind = lib.layers.Dense(3, activation="softmax", name="kind")(both)
    return lib.Model([left, right], [kind, lib.layers.Dense(1, name="size")(both)])


def siamese(lib):
    """Call a whole network on two images; the order of its layers is Keras's when it is flat."""
    left, right = lib.Input((8, 8, 3), name="left"), lib.Input((8, 8, 3), name="right")
    row = [
        lib.layers.Conv2D(4, 3, activation="relu", name="conv"),
        lib.layers.BatchNormalization(name="norm"),
        lib.layers.GlobalAveragePooling2D(name="average"),
    ]

    def run(x):
        for layer in row:
            x = layer(x)
        return x

    both = lib.layers.Concatenate(name="both")([run(left), run(right)])
    return lib.Model([left, right], lib.layers.Dense(1, activation="sigmoid", name="same")(both))


def dense_over_time(lib):
    """Use one dense layer for each time step, labels (N, T), and weights (N, T) that leave out the padding."""
    x = lib.Input((6, 5), name="steps")
    y = lib.layers.Dense(8, activation="tanh", name="inner")(x)
    return lib.Model(x, lib.layers.Dense(3, activation="softmax", name="outer")(y))


def tokens(lib):
    """Embed integers, and take numbers beside them; outputs as a dict."""
    words = lib.Input((7,), dtype="int32", name="words")
    numbers = lib.Input((2,), name="numbers")
    rows = lib.layers.Flatten(name="flat")(lib.Embedding(11, 3, name="rows")(words))
    both = lib.layers.Concatenate(name="both")([rows, numbers])
    kind = lib.layers.Dense(4, activation="softmax", name="kind_layer")(both)
    return lib.Model(
        {"words": words, "numbers": numbers}, {"kind": kind, "rating": lib.layers.Dense(1, name="rate")(both)}
    )


def pixels(lib):
    """Predict a label for each pixel."""
    x = lib.Input((6, 5, 3), name="image")
    y = lib.layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(x)
    return lib.Model(x, lib.layers.Conv2D(3, 1, activation="softmax", name="classes")(y))


def a_stack_that_is_called_twice_in_a_row(lib):
    """Call a layer twice in a row: where does it stand in `model.layers`?"""
    x = start = lib.Input((4,), name="start")
    again, between = lib.layers.Dense(4, activation="tanh", name="again"), lib.layers.Dense(4, name="between")
    x = again(between(again(x)))
    side = lib.layers.Dense(4, name="side")(start)
    return lib.Model(start, lib.layers.Dense(2, name="out")(lib.layers.Add(name="sum")([x, side])))


N = 20
SPARSE, ONE_HOT = "sparse_categorical_crossentropy", "categorical_crossentropy"
KINDS, YES_OR_NO = RNG.integers(0, 3, N), RNG.integers(0, 2, (N, 1)).astype(np.float32)
PIXEL_LABELS = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, (N, 6, 5))]
WITH_VOID = np.where(RNG.random((N, 6)) < 0.3, 255, RNG.integers(0, 3, (N, 6)))

# name: (program, x, y, what to compile with, sample weights)
PROGRAMS = {
    "a layer used twice": (
        a_layer_used_twice, [floats(N, 5), floats(N, 5)], [RNG.integers(0, 3, N), floats(N, 1)],
        {"loss": {"kind": SPARSE, "size": "mse"}, "loss_weights": {"kind": 1.0, "size": 0.3},
         "metrics": {"kind": ["accuracy"]},
         "weighted_metrics": {"kind": ["accuracy"]}},
        [RNG.uniform(0.1, 2, N).astype(np.float32), RNG.uniform(0.1, 2, N).astype(np.float32)],
    ),
    "one loss for both outputs": (
        a_layer_used_twice, [floats(N, 5), floats(N, 5)], [np.eye(3, dtype=np.float32)[KINDS], YES_OR_NO],
        {"loss": ["mse", "mse"], "loss_weights": [0.5, 2.0], "metrics": [["accuracy"], ["accuracy"]]},
        RNG.uniform(0.1, 2, N).astype(np.float32),
    ),
    "siamese": (
        siamese, [floats(N, 8, 8, 3), floats(N, 8, 8, 3)], RNG.integers(0, 2, (N, 1)).astype(np.float32),
        {"loss": "binary_crossentropy", "metrics": ["accuracy"]}, None,
    ),
    "dense over time": (
        dense_over_time, floats(N, 6, 5), RNG.integers(0, 3, (N, 6)),
        {"loss": SPARSE, "weighted_metrics": ["accuracy"]}, (RNG.random((N, 6)) < 0.6).astype(np.float32),
    ),
    "tokens": (
        tokens, {"words": RNG.integers(0, 11, (N, 7)).astype(np.int32), "numbers": floats(N, 2)},
        {"kind": RNG.integers(0, 4, N), "rating": floats(N, 1)},
        {"loss": {"kind": SPARSE, "rating": "mse"}, "metrics": {"kind": ["accuracy"]}}, None,
    ),
    # One-hot: integer labels for pixels end in an error of PyTorch's own under this version of Keras.
    "pixels": (pixels, floats(N, 6, 5, 3), PIXEL_LABELS, {"loss": ONE_HOT, "metrics": ["accuracy"]}, None),
    "weighted pixels": (
        pixels, floats(N, 6, 5, 3), PIXEL_LABELS, {"loss": ONE_HOT, "weighted_metrics": ["accuracy"]},
        RNG.uniform(0.1, 2, (N, 6, 5)).astype(np.float32),
    ),
    "called twice in a row": (a_stack_that_is_called_twice_in_a_row, floats(N, 4), floats(N, 2), {"loss": "mse"}, None),
}  # fmt: skip


def twins(name):
    """Return Keras's model and minitl's, with Keras's weights and compiled alike."""
    build, *_, options, _ = PROGRAMS[name]
    theirs, ours = build(KERAS), build(MINITL)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers], "order of the layers"
    ours.set_weights(theirs.get_weights())
    theirs.compile(keras.optimizers.SGD(0.1, momentum=0.9), **options)
    ours.compile(minitl.optimizers.SGD(0.1, momentum=0.9), **options)
    return theirs, ours


def assert_same_numbers(found, expected, what):
    assert set(found) == set(expected), what
    for name in expected:
        np.testing.assert_allclose(
            found[name], np.asarray(expected[name]), rtol=1e-4, atol=1e-6, err_msg=f"{what} {name}"
        )


def assert_same_outputs(found, expected):
    if isinstance(expected, dict):
        assert set(found) == set(expected)
    keys = expected if isinstance(expected, dict) else range(len(expected)) if isinstance(expected, list) else None
    for a, b in [(found, expected)] if keys is None else [(found[k], expected[k]) for k in keys]:
        assert_close(a, b, 1e-4)


def weight_names(model):
    return [weight for layer in model.layers for weight in layer.weight_names]


def take_moving_statistics(ours, theirs):
    """Give minitl's model the moving statistics of Keras's, so that the later comparisons are exact.

    Keras runs the calls of a shared layer in another order than they were made in, and a moving mean of two numbers
    depends on which comes first: by (1 - momentum)^2 = 1e-4 of their difference. Outputs differ by as much again.
    """
    ours.set_weights(
        [
            right if name.startswith("moving") else found
            for name, found, right in zip(weight_names(ours), ours.get_weights(), theirs.get_weights())
        ]
    )


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_of_several_calls(name, tmp_path):
    """Compare fit, evaluate, predict, and files in both directions."""
    build, x, y, _, weights = PROGRAMS[name]
    theirs, ours = twins(name)
    fitted = [
        model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0, sample_weight=weights).history
        for model in (ours, theirs)
    ]
    assert_same_numbers(*fitted, "history")
    for weight, found, right in zip(weight_names(ours), ours.get_weights(), theirs.get_weights()):
        if weight.startswith("moving"):
            np.testing.assert_allclose(found, right, atol=1e-4)
        else:
            assert_close(found, right, 1e-4)
    take_moving_statistics(ours, theirs)

    measured = [
        model.evaluate(x, y, batch_size=8, verbose=0, sample_weight=weights, return_dict=True)
        for model in (ours, theirs)
    ]
    assert_same_numbers(*measured, "evaluate")
    in_order = [model.evaluate(x, y, batch_size=8, verbose=0, sample_weight=weights) for model in (ours, theirs)]
    np.testing.assert_allclose(*in_order, rtol=1e-4, atol=1e-6)
    expected = theirs.predict(x, verbose=0)
    assert_same_outputs(ours.predict(x, verbose=0), expected)

    for file in "theirs.keras", "theirs.weights.h5", "theirs.h5":
        path = tmp_path / file
        theirs.save_weights(path) if file.endswith(".weights.h5") else theirs.save(path)
        again = build(MINITL)
        again.load_weights(path)
        assert_same_outputs(again.predict(x, verbose=0), expected)
    for file in "ours.weights.h5", "ours.h5":
        ours.save_weights(tmp_path / file)
        again = build(KERAS)
        again.load_weights(tmp_path / file)
        assert_same_outputs(again.predict(x, verbose=0), expected)


def test_labels_that_are_ignored(rng):
    """Keras leaves ignored labels out of the loss, and divides by the number of the others. Its accuracy counts them as
    wrong.

    Ours counts the same predictions as the loss.
    """
    x, y = rng.standard_normal((N, 6, 5), np.float32), WITH_VOID
    theirs, ours = dense_over_time(KERAS), dense_over_time(MINITL)
    ours.set_weights(theirs.get_weights())
    theirs.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(ignore_class=255))
    loss = minitl.losses.SparseCategoricalCrossentropy(ignore_class=255)
    ours.compile(minitl.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    for _ in range(3):
        np.testing.assert_allclose(ours.train_on_batch(x, y)[0], theirs.train_on_batch(x, y), rtol=1e-4)
    for found, right in zip(ours.get_weights(), theirs.get_weights()):
        assert_close(found, right, 1e-4)
    best, valid = ours.predict(x, verbose=0).argmax(axis=-1), y != 255
    loss, accuracy = ours.evaluate(x, y, batch_size=7, verbose=0)
    assert accuracy == pytest.approx((best == y)[valid].mean())
    whole = theirs.evaluate(x, y, batch_size=N, verbose=0)  # in one batch: Keras averages batches by their examples
    assert loss == pytest.approx(whole, rel=1e-5)


def test_keras_keeps_the_same_names_for_files_of_nested_models(tmp_path, rng):
    """A model called on two inputs is one group in Keras's files. Here its layers stand one by one."""

    def build(lib):
        left, right = lib.Input((6,), name="left"), lib.Input((6,), name="right")
        twin = lib.Sequential(
            [lib.Input((6,)), lib.layers.Dense(5, activation="tanh", name="a"), lib.layers.Dense(4, name="b")],
            name="twin",
        )
        return lib.Model([left, right], lib.layers.Add(name="sum")([twin(left), twin(right)]))  # fmt: skip

    x = list(rng.standard_normal((2, 9, 6), np.float32))
    theirs = build(KERAS)
    expected = theirs.predict(x, verbose=0)
    for file in "nested.keras", "nested.weights.h5", "nested.h5":
        path = tmp_path / file
        theirs.save_weights(path) if file.endswith(".weights.h5") else theirs.save(path)
        ours = build(MINITL)
        ours.load_weights(path)
        assert_close(ours.predict(x, verbose=0), expected, 1e-5)

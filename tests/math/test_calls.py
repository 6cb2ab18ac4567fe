"""A graph of calls: layers used several times, several inputs and outputs, integer inputs, and kept features."""

import numpy as np
import pytest
from conftest import REPOSITORY

from minitl import transfer
from minitl.errors import ArgumentError, DataError, GraphError, ShapeError, WeightsError
from minitl.features import frozen_prefix
from minitl.layers import (
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    Layer,
)
from minitl.models import Model, Sequential, load_model
from minitl.optimizers import SGD
from minitl.testing import check_gradients
from minitl.training import Callback

FIRST_EDITION = REPOSITORY / "tests" / "golden" / "first_edition.h5"


class Lookup(Layer):
    """Integers (N, T) -> rows (N, T, D) of a table: a layer of one's own that takes integers."""

    config_names = ("rows", "size")

    def __init__(self, rows, size, **kwargs):
        super().__init__(**kwargs)
        self.rows, self.size = rows, size
        self.table = None

    def build(self, input_shape):
        self.add_weight("table", (self.rows, self.size))

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.size)

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.remember(x)
        return self.table[x]

    def backward(self, grad):
        (x,) = self.remembered()
        if self.trainable:
            self.gradients["table"] = np.zeros_like(self.table)
            np.add.at(self.gradients["table"], x, grad)


class Halves(Layer):
    """(N, 2k) -> two outputs (N, k): a layer of one's own with several outputs."""

    def compute_output_shape(self, input_shape):
        return [(input_shape[0], input_shape[1] // 2)] * 2

    def forward(self, x, training=False):
        return list(np.split(x, 2, axis=1))

    def backward(self, grads):
        return np.concatenate(grads, axis=1)


def siamese(form=list):
    """Build two inputs through one network, frozen or not, and two outputs about the pair."""
    left, right = Input((6, 6, 2), name="left"), Input((6, 6, 2), name="right")
    twin = Sequential(
        [
            Conv2D(4, 3, activation="relu", name="conv", input_shape=(6, 6, 2)),
            BatchNormalization(name="norm"),
            GlobalAveragePooling2D(name="average"),
        ]
    )
    pair = Concatenate(name="pair")([twin(left), twin(right)])
    outputs = [Dense(3, activation="softmax", name="kind")(pair), Dense(1, name="distance")(pair)]
    if form is dict:
        return Model({"left": left, "right": right}, {"kind": outputs[0], "distance": outputs[1]})
    return Model([left, right], outputs)


def pairs(rng, count=20):
    x = [rng.standard_normal((count, 6, 6, 2)).astype(np.float32) for _ in range(2)]
    return x, [rng.integers(0, 3, count), rng.standard_normal((count, 1)).astype(np.float32)]


def compiled(model):
    model.compile(
        SGD(0.05, momentum=0.9),
        {"kind": "sparse_categorical_crossentropy", "distance": "mse"},
        loss_weights={"distance": 0.3},
        metrics={"kind": ["accuracy"]},
    )
    return model


# ---- gradients ----


def one_layer_three_times():
    x, layer = Input((4,)), Dense(4, activation="tanh")
    return Model(x, layer(layer(layer(x))))


def one_convolution_on_two_maps():
    image, convolution = Input((5, 4, 3)), Conv2D(3, 3, padding="same", activation="tanh")
    first = convolution(image)
    return Model(image, Add()([first, convolution(first)]))


def an_output_within_the_network():
    x = Input((4,))
    inner = Dense(3, activation="tanh", name="inner")(x)
    return Model(x, [inner, Dense(2, name="outer")(inner)])


def one_tensor_as_two_outputs():
    x = Input((4,))
    y = Dense(3, activation="tanh")(x)
    return Model(x, [y, y])


def an_input_that_is_an_output():
    x = Input((4,))
    return Model(x, {"same": x, "other": Dense(2)(x)})


def two_outputs_of_one_layer():
    x = Input((6,))
    first, second = Halves(name="halves")(x)
    return Model(x, Add()([Dense(2, name="a")(first), Dense(2, name="b")(second)]))


def one_of_two_outputs():
    x = Input((6,))
    first, _ = Halves(name="halves")(Dense(6, name="dense")(x))
    return Model(x, first)


def batch_statistics_of_each_call():
    x, norm = Input((4,)), BatchNormalization()
    return Model(x, norm(Dense(4)(norm(x))))


def a_mask_of_each_call():
    x, drop = Input((4,)), Dropout(0.4, seed=1)
    return Model(x, drop(Dense(4)(drop(x))))


GRAPHS = [
    (one_layer_three_times, (4,)),
    (one_convolution_on_two_maps, (5, 4, 3)),
    (an_output_within_the_network, (4,)),
    (one_tensor_as_two_outputs, (4,)),
    (an_input_that_is_an_output, (4,)),
    (two_outputs_of_one_layer, (6,)),
    (one_of_two_outputs, (6,)),
    (batch_statistics_of_each_call, (4,)),
    (a_mask_of_each_call, (4,)),
]


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("build, shape", GRAPHS, ids=[build.__name__ for build, _ in GRAPHS])
def test_gradients_add_up_over_calls(build, shape, training, rng, note_error):
    report = check_gradients(build(), rng.standard_normal((3, *shape)), training=training, tolerance=1e-7)
    note_error("networks of several calls", report.worst)
    assert report.checked >= 12


@pytest.mark.parametrize("form", [list, dict])
def test_gradients_of_several_inputs_and_outputs(form, rng):
    model = siamese(form)
    x = [rng.standard_normal((3, 6, 6, 2)) for _ in range(2)]
    report = check_gradients(model, x if form is list else {"left": x[0], "right": x[1]})
    assert ("x['right']" if form is dict else "x[1]") in report.errors and "kind kernel" in report.errors


def test_integers_get_no_gradient(rng):
    tokens, rest = Input((5,), dtype="int32", name="tokens"), Input((3,), name="rest")
    rows = Lookup(7, 2, name="lookup")(tokens)
    model = Model([tokens, rest], Dense(2, name="out")(Concatenate()([Flatten()(rows), rest])))
    x = [rng.integers(0, 7, (4, 5)), rng.standard_normal((4, 3))]
    report = check_gradients(model, x)
    assert "x[0]" not in report.errors and "x[1]" in report.errors and "lookup table" in report.errors
    y = model.forward([x[0], x[1].astype(np.float32)], gradients="input")
    assert model.backward(np.ones_like(y))[0] is None
    assert tokens.dtype == "int32" and not tokens.is_floating and rows.is_floating
    with pytest.raises(DataError, match=r"expected integers for 'tokens' \(int32\), found float64"):
        model.forward([x[0].astype(float), x[1]])


def test_a_corrupted_gradient_of_one_call_is_noticed(rng):
    class Forgetful(Dense):
        """A layer whose second call loses the bias's gradient."""

        def backward_to_parameters(self, grad):
            grad = super().backward_to_parameters(grad)
            self.calls = getattr(self, "calls", 0) + 1
            if self.calls == 2:
                self.gradients["bias"] = self.gradients["bias"] * 0
            return grad

    x, layer = Input((4,)), Forgetful(4, activation="tanh")
    with pytest.raises(AssertionError, match="bias"):
        check_gradients(Model(x, layer(layer(x))), rng.standard_normal((3, 4)))


def test_an_output_without_a_gradient_leaves_what_only_it_needs_alone(rng):
    model = an_output_within_the_network()
    inner, outer = model.forward(rng.standard_normal((3, 4)).astype(np.float32), training=True)
    model.backward([np.ones_like(inner), None])
    assert set(model.get_layer("inner").gradients) == {"kernel", "bias"} and model.get_layer("outer").gradients == {}
    before = model.get_layer("outer").get_weights()
    SGD(0.1).step(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_layer("outer").get_weights()))


def test_nothing_is_kept_after_backward_and_nothing_but_two_maps_at_inference(rng):
    import tracemalloc

    image, convolution = Input((40, 40, 16)), Conv2D(16, 1)
    x = image
    for _ in range(8):
        x = convolution(x)
    model, pixels = Model(image, x), rng.standard_normal((4, 40, 40, 16)).astype(np.float32)
    y = model.forward(pixels, training=True)
    assert len(model._memory) == 8
    model.backward(np.ones_like(y))
    assert model._memory == {} and all(layer._remembered is None for layer in model.layers)
    tracemalloc.start()
    model.forward(pixels, gradients="none")
    assert tracemalloc.get_traced_memory()[1] < 3 * pixels.nbytes
    tracemalloc.stop()


# ---- in the loop ----


@pytest.mark.parametrize("form", [list, dict])
def test_lists_dicts_and_names_are_the_same(form, rng):
    x, y = pairs(rng)
    named_x, named_y = {"left": x[0], "right": x[1]}, {"kind": y[0], "distance": y[1]}
    results = []
    for given_x, given_y in (x, y), (named_x, named_y), (tuple(x), named_y):
        model = compiled(siamese(form))
        weights = [np.full_like(w, 0.1) * (k + 1) for k, w in enumerate(model.get_weights())]
        model.set_weights(weights)
        history = model.fit(
            given_x, given_y, 8, 2, 0, shuffle=False, validation_data=(given_x, given_y), sample_weight=np.ones(20)
        ).history
        predicted = model.predict(given_x, verbose=0)
        assert set(predicted) == {"kind", "distance"} if form is dict else len(predicted) == 2
        results.append((history, model.evaluate(given_x, given_y, verbose=0)))
    assert results[0] == results[1] == results[2]
    assert list(history) == [
        "loss", "kind_loss", "distance_loss", "kind_accuracy",
        "val_loss", "val_kind_loss", "val_distance_loss", "val_kind_accuracy",
    ]  # fmt: skip
    loss, kind, distance, _ = results[0][1]
    assert loss == pytest.approx(kind + 0.3 * distance)


def test_one_loss_object_for_two_outputs_remembers_both(rng):
    from minitl.losses import MeanSquaredError

    x = Input((4,))
    model = Model(x, [Dense(2, name="a")(x), Dense(3, name="b")(x)])
    model.compile(SGD(0.1), MeanSquaredError())
    pixels = rng.standard_normal((5, 4)).astype(np.float32)
    a, b = model.forward(pixels, training=True)
    loss = model.loss.forward([np.zeros_like(a), np.zeros_like(b)], [a, b])
    grads = model.loss.backward()
    assert loss == pytest.approx(float((a**2).mean() + (b**2).mean()), rel=1e-6)
    assert np.allclose(grads[0], 2 * a / a.size) and np.allclose(grads[1], 2 * b / b.size)


def test_an_output_may_have_no_loss(rng):
    x, y = pairs(rng)
    model = siamese(dict)
    model.compile("sgd", {"kind": "sparse_categorical_crossentropy", "distance": None})
    history = model.fit(dict(zip(("left", "right"), x)), {"kind": y[0]}, verbose=0).history
    assert list(history) == ["loss"]


def test_what_the_outputs_are_compiled_with_is_checked():
    for options, message in [
        ({"loss": {"kind": "mse"}}, "loss has no entry for the output 'distance'"),
        (
            {"loss": {"kind": "mse", "distance": "mse", "typo": "mse"}},
            "loss names 'typo'; the model's outputs are 'kind'",
        ),
        ({"loss": ["mse"]}, "loss has 1 entries; expected one for each of the outputs 'kind', 'distance'"),
        ({"loss": "mse", "loss_weights": [1, 2, 3]}, "loss_weights has 3 entries"),
        ({"loss": "mse", "loss_weights": {"kind": "heavy"}}, "loss_weights is 'heavy'"),
        ({"loss": "mse", "metrics": {"typo": ["accuracy"]}}, "metrics names 'typo'"),
        ({"loss": [None, None]}, "none of the outputs has a loss"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            siamese().compile("sgd", **options)


def test_arrays_that_do_not_fit_are_refused(rng):
    x, y = pairs(rng)
    model = compiled(siamese())
    before = model.get_weights()
    for given_x, given_y, error, message in [
        (x[0], y, DataError, "x is ndarray; expected a list or dict of 2 arrays, one for each of 'left', 'right'"),
        (x[:1], y, DataError, "x holds 1 array; expected one for each of 'left', 'right'"),
        ({"left": x[0]}, y, DataError, "x has 'left'; expected one array for each of 'left', 'right'"),
        ([x[0], x[1][:5]], y, ShapeError, "different numbers of examples: 'left' 20, 'right' 5"),
        ([x[0], x[1][:, :3]], y, ShapeError, r"expected an input 'right' of shape \(N, 6, 6, 2\)"),
        (x, y[0], DataError, "y is ndarray; expected a list or dict of 2 arrays"),
        (x, [y[0], y[1][:5]], DataError, "x holds 20 examples and y 5 labels for 'distance'"),
        (x, [y[0] + 5, y[1]], DataError, "the model has 3 outputs"),
        (x, {"kind": y[0]}, DataError, "y has 'kind'; expected one array for each of 'kind', 'distance'"),
    ]:
        for call in model.fit, model.evaluate, model.train_on_batch:
            with pytest.raises(error, match=message):
                call(given_x, given_y)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    with pytest.raises(GraphError, match=r"layer 'dense' was called on int32 numbers; it takes floating-point ones"):
        Dense(2)(Input((3,), dtype="int32"))
    with pytest.raises(ArgumentError, match="dtype is 'text'; expected 'float32', or a type of integers"):
        Input((3,), dtype="text")
    assert Input((3,), dtype="float64").dtype == "float32"


def test_a_frozen_beginning_of_several_inputs_runs_once(rng, capsys):
    """The frozen beginning of a siamese network is two calls of one layer. Both are kept, and the numbers are those of
    a training without kept features."""
    x, y = pairs(rng)
    seen = []

    class Spy(Layer):
        def forward(self, x, training=False):
            seen.append(len(x))
            return x

        def backward(self, grad):
            return grad

    def network():
        left, right, spy = Input((6, 6, 2), name="left"), Input((6, 6, 2), name="right"), Spy(name="spy")
        base = Conv2D(4, 3, activation="relu", name="base", trainable=False, kernel_initializer="ones")
        pooled = [GlobalAveragePooling2D(name=f"pool{k}")(base(spy(one))) for k, one in enumerate((left, right))]
        both = Concatenate(name="both")(pooled)
        outputs = [Dense(3, activation="softmax", kernel_initializer="zeros", name="kind")(both)]
        outputs.append(Dense(1, kernel_initializer="zeros", name="distance")(both))
        return compiled(Model([left, right], outputs))

    model = network()
    assert [tensor.layer.name for tensor in frozen_prefix(model)] == ["both"]
    once = model.fit(x, y, 8, 3, 2, shuffle=False).history
    assert sum(seen) == 2 * 20, "each image once, not once an epoch"
    assert "Frozen up to 'both': ran once over 20 examples" in capsys.readouterr().out
    every_time = network().fit(x, y, 8, 3, 0, shuffle=False, frozen_once=False).history
    assert all(np.allclose(once[name], every_time[name], rtol=1e-5) for name in once)


def test_a_frozen_beginning_that_never_meets(rng):
    """One branch is frozen, and a raw input stands beside it. The branch's output is kept, and the raw input
    goes past."""
    image, numbers = Input((6, 6, 2), name="image"), Input((3,), name="numbers")
    base = Flatten(name="flat")(Conv2D(2, 3, trainable=False, name="conv")(image))
    side = Dense(4, activation="relu", name="side")(numbers)
    model = Model([image, numbers], Dense(2, activation="softmax", name="out")(Concatenate()([base, side])))
    assert [tensor.layer.name for tensor in frozen_prefix(model)] == ["numbers", "flat"]
    model.compile(SGD(0.1), "sparse_categorical_crossentropy")
    x = [rng.standard_normal((9, 6, 6, 2)).astype(np.float32), rng.standard_normal((9, 3)).astype(np.float32)]
    weights = model.get_weights()
    histories = []
    for frozen_once in True, False:
        model.set_weights(weights)
        model.compile(SGD(0.1), "sparse_categorical_crossentropy")
        fitted = model.fit(x, rng.integers(0, 2, 9) * 0 + 1, 4, 3, 0, shuffle=False, frozen_once=frozen_once)
        histories.append(fitted.history["loss"])
    assert np.allclose(*histories, rtol=1e-5)


def test_a_training_with_two_inputs_goes_on_where_it_was(rng, tmp_path):
    from minitl.training import BackupAndRestore

    x, y = pairs(rng)

    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.state.epoch == 1 and batch == 1 and not stopped:
                stopped.append(True)
                raise RuntimeError("the power is gone")

    def run(folder):
        model = compiled(siamese())
        model.set_weights(
            [np.linspace(-0.5, 0.5, w.size, dtype=np.float32).reshape(w.shape) ** 2 for w in model.get_weights()]
        )
        weights = {"kind": np.arange(20.0)}
        callbacks = [Stop(), BackupAndRestore(tmp_path / folder, save_freq=1)]
        history = model.fit(x, y, 8, 3, 0, callbacks=callbacks, sample_weight=weights).history
        return model.get_weights(), history

    from minitl.utils import set_random_seed

    stopped = [True]
    set_random_seed(1)
    expected, expected_history = run("whole")
    stopped.clear()
    set_random_seed(1)
    with pytest.raises(RuntimeError):
        run("broken")
    set_random_seed(1)
    found, history = run("broken")
    assert history == expected_history and all(np.array_equal(a, b) for a, b in zip(expected, found))


# ---- surgery, cuts and files ----


def test_where_a_graph_of_several_inputs_can_be_cut():
    model = siamese()
    assert [tensor.layer.name for tensor in model.cuts] == ["pair"], "behind it the two outputs are computed from it"
    assert transfer.remove_layers(model, "pair").output_shape == (None, 8)
    with pytest.raises(GraphError, match="cannot be cut behind 'kind'"):
        transfer.remove_layers(model, "kind")
    with pytest.raises(GraphError, match="layer 'average' is called 2 times here; say which with call=0, 1"):
        model.output_of("average")
    assert model.output_of("average", call=1).shape == (None, 4)
    with pytest.raises(GraphError, match="the model has 2 outputs .kind, distance.; name the layer before"):
        transfer.replace_head(model, Dense(2))
    new = transfer.replace_head(model, Dense(2, name="new"), after="pair")
    assert new.output_shape == (None, 2) and new.input_names == ["left", "right"]
    two = two_outputs_of_one_layer()
    assert [tensor.layer.name for tensor in two.cuts] == ["input_layer", "add"], "no half is alone behind the layer"


@pytest.mark.parametrize("form", [list, dict])
def test_a_saved_model_comes_back_to_the_bit(form, rng, tmp_path):
    x, y = pairs(rng)
    model = compiled(siamese(form))
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.h5")
    again = load_model(tmp_path / "model.h5")
    expected, found = model.predict(x, verbose=0), again.predict(x, verbose=0)
    assert type(expected) is type(found) is form
    assert all(np.array_equal(expected[k], found[k]) for k in (expected if form is dict else range(2)))
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert len(again.calls) == len(model.calls) and again.input_names == model.input_names
    x = {"left": x[0], "right": x[1]}
    assert compiled(again).evaluate(x, y, verbose=0) == compiled(model).evaluate(x, y, verbose=0)


def test_a_saved_model_with_integers_and_a_layer_of_two_outputs(rng, tmp_path):
    tokens = Input((6,), dtype="int32", name="tokens")
    first, second = Halves(name="halves")(Flatten()(Lookup(9, 2, name="lookup")(tokens)))
    model = Model(tokens, {"sum": Add(name="sum")([first, second]), "second": second})
    x = rng.integers(0, 9, (4, 6))
    model.save(tmp_path / "model.h5")
    with pytest.raises(WeightsError, match="unknown layer class 'Lookup'; name your own in custom_objects"):
        load_model(tmp_path / "model.h5")
    again = load_model(tmp_path / "model.h5", {"Lookup": Lookup, "Halves": Halves})
    expected, found = model.predict(x, verbose=0), again.predict(x, verbose=0)
    assert again.inputs[0].dtype == "int32" and all(np.array_equal(expected[k], found[k]) for k in expected)


def test_a_file_of_the_first_edition_loads():
    model = load_model(FIRST_EDITION)
    pixels = np.linspace(-1, 1, 2 * 8 * 8 * 3, dtype=np.float32).reshape(2, 8, 8, 3)
    np.testing.assert_allclose(model.predict(pixels, verbose=0), model.metadata["expected"], atol=1e-6)
    assert [layer.name for layer in model.layers if not layer.trainable] == ["images", "conv"]
    assert model.ledger is not None and model.metadata["class_names"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda data: data["layers"].append({"call": "nobody", "inputs": []}), "cannot be built"),
        (lambda data: data["layers"][-1].update(inputs=[["halves", 7, 0]]), "cannot be built"),
        (lambda data: data["layers"][-1].update(inputs=[["halves", 0]]), "cannot be built"),
        (lambda data: data.update(outputs={"form": "dict", "tensors": ["a", "b"], "keys": ["x"]}), "cannot be built"),
        (lambda data: data.update(outputs={"form": "list", "tensors": []}), "outputs is empty"),
        (lambda data: data["layers"].insert(1, data["layers"][0]), "two layers called 'input_layer'"),
    ],
)
def test_calls_that_cannot_be(change, message, tmp_path):
    """The calls in a file are data from a stranger."""
    from minitl.graph.architecture import architecture
    from minitl.models.loading import NO_MODEL, _model

    data = architecture(two_outputs_of_one_layer())
    change(data)
    with pytest.raises(NO_MODEL) as error:
        _model(data, {"Halves": Halves})
    assert not isinstance(error.value, MemoryError)
    if message != "cannot be built":
        assert message in str(error.value)


def test_summary_of_calls(capsys):
    siamese().summary()
    text = capsys.readouterr().out
    assert "conv (Conv2D), again" in text and text.count("(None, 4, 4, 4)") == 4 and "left" in text
    assert "Total params                    128" in text

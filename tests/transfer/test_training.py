"""The training loop: it learns, it is repeatable, it refuses wrong arguments, and it stops before it does harm."""

import subprocess
import sys

import numpy as np
import pytest

from minitl import utils
from minitl.errors import DataError, DivergedError, GraphError, MinitlError, ShapeError
from minitl.initializers import HeNormal
from minitl.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from minitl.losses import CategoricalCrossentropy, SparseCategoricalCrossentropy
from minitl.metrics import TopKCategoricalAccuracy
from minitl.models import Sequential
from minitl.optimizers import SGD, Adam, CosineDecay, WarmUp
from minitl.training import BackupAndRestore, Callback, EarlyStopping, LearningRateScheduler, train_step


def blobs(rng, count=120):
    """Return small grey images whose class is the corner that is bright."""
    y = rng.integers(0, 4, count)
    x = rng.standard_normal((count, 6, 6, 1)).astype(np.float32) * 0.3
    for image, label in zip(x, y):
        row, col = divmod(label, 2)
        image[3 * row : 3 * row + 3, 3 * col : 3 * col + 3] += 1
    return x, y


def small_network(dropout=0.0, **compile_options):
    model = Sequential(
        [
            Conv2D(4, 3, padding="same", activation="relu", input_shape=(6, 6, 1)),
            MaxPooling2D(),
            Flatten(),
            BatchNormalization(),
            Dropout(dropout),
            Dense(4, activation="softmax"),
        ]
    )
    options = {"optimizer": SGD(0.05, momentum=0.9), "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    model.compile(**{**options, **compile_options})
    return model


def test_it_learns(rng, capsys):
    x, y = blobs(rng)
    model = small_network()
    history = model.fit(x[:80], y[:80], epochs=5, batch_size=16, validation_data=(x[80:], y[80:]))
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert all(len(values) == 5 for values in history.history.values()) and history.epoch == [0, 1, 2, 3, 4]
    assert history.history["loss"][-1] < 0.3 * history.history["loss"][0]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and lines[4].startswith("Epoch 5/5  loss 0.")

    assert model.evaluate(x[80:], y[80:], verbose=0) == pytest.approx(
        [history.history["val_loss"][-1], history.history["val_accuracy"][-1]]
    )
    assert model.evaluate(x, y, verbose=0, return_dict=True).keys() == {"loss", "accuracy"}
    assert model.metrics_names == ["loss", "accuracy"] and Sequential([Dense(1, input_shape=(2,))]).metrics_names == []
    predictions = model.predict(x, batch_size=7)
    assert predictions.shape == (120, 4) and np.allclose(predictions, model.forward(x), atol=1e-6)
    assert (predictions.argmax(axis=1) == y).mean() > 0.9


def test_the_loop_without_compile_and_fit(rng):
    """Run the four lines that the README shows first."""
    x, y = blobs(rng)
    model, criterion, optimizer = small_network(), SparseCategoricalCrossentropy(), SGD(0.1)
    losses = []
    for _ in range(10):
        y_pred = model.forward(x, training=True)
        losses.append(criterion.forward(y, y_pred))
        model.backward(criterion.backward())
        optimizer.step(model)
    assert losses[-1] < losses[0] / 2


def test_one_batch_at_a_time(rng):
    x, y = blobs(rng, 16)
    model = small_network()
    first = model.train_on_batch(x, y)
    assert len(first) == 2 and model.train_on_batch(x, y)[0] < first[0]
    model.compile(SGD(0.1), "sparse_categorical_crossentropy")
    assert isinstance(model.train_on_batch(x, y), float) and isinstance(model.evaluate(x, y, verbose=0), float)


def test_losses_are_weighted_by_batch_size(rng):
    """The last batch has one image, and must not count as much as a full one."""
    x, y = blobs(rng, 33)
    model = small_network()
    assert model.evaluate(x, y, batch_size=32, verbose=0) == pytest.approx(
        model.evaluate(x, y, batch_size=33, verbose=0)
    )


def test_same_seed_same_bits(rng):
    x, y = blobs(rng)

    def run(seed):
        utils.set_random_seed(seed)
        model = small_network(dropout=0.3)
        history = model.fit(x, y, epochs=2, batch_size=32, verbose=0)
        return model.get_weights(), history.history["loss"]

    (first, losses), (second, losses_again), (other, _) = run(5), run(5), run(6)
    assert losses == losses_again and all(np.array_equal(a, b) for a, b in zip(first, second))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other))


def test_a_fresh_process_gives_the_same_numbers():
    program = (
        "import numpy as np\nfrom minitl.layers import Dense\nfrom minitl.models import Sequential\n"
        "m = Sequential([Dense(3, activation='softmax', input_shape=(4,))])\n"
        "m.compile('adam', 'sparse_categorical_crossentropy')\n"
        "x = np.linspace(-1, 1, 80, dtype='float32').reshape(20, 4)\n"
        "print(m.fit(x, np.arange(20) % 3, epochs=2, batch_size=6, verbose=0).history)"
    )
    outputs = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout for _ in range(2)
    }
    assert len(outputs) == 1


def test_validation_split_takes_the_end(rng):
    x, y = blobs(rng, 40)
    x[30:] = np.nan  # would stop the training if it were trained on
    model = small_network()
    with np.errstate(invalid="ignore"):
        history = model.fit(x, y, epochs=1, validation_split=0.25, verbose=0)
    assert np.isfinite(history.history["loss"][0]) and np.isnan(history.history["val_loss"][0])


def test_freezing_takes_effect_at_once(rng):
    x, y = blobs(rng)
    model = small_network()
    model.fit(x, y, epochs=1, verbose=0)
    convolution = model.layers[0]
    convolution.trainable = False
    before = convolution.get_weights()
    model.train_on_batch(x, y)
    assert np.array_equal(before[0], convolution.kernel)
    convolution.trainable = True
    model.train_on_batch(x, y)
    assert not np.array_equal(before[0], convolution.kernel)


def test_callbacks(rng):
    seen = []

    class Watch(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            seen.append((epoch, self.model.optimizer.learning_rate))

        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, sorted(logs)))

    x, y = blobs(rng)
    model = small_network()
    model.layers[
        0
    ].trainable = False  # the features of a frozen beginning are kept: callbacks see the whole model still
    watch = Watch()
    model.fit(x, y, epochs=2, verbose=0, callbacks=[LearningRateScheduler(lambda epoch, lr: 0.5 ** (epoch + 1)), watch])
    names = ["accuracy", "learning_rate", "loss"]
    assert seen == [(0, 0.5), (0, names), (1, 0.25), (1, names)]
    assert watch.model is model


X, Y = np.zeros((8, 6, 6, 1), np.float32), np.zeros(8, int)
BAD_DATA = [
    (X, Y[:7], DataError, "x holds 8 examples and y 7 labels"),
    (X[:0], Y[:0], DataError, "x is empty"),
    (X.astype(complex), Y, DataError, "x is complex128; expected numbers, as float32"),
    (X.astype(str), Y, DataError, "x is <U"),
    (list(X), Y, DataError, r"x is list; expected a NumPy array.* np.stack\(x\)"),
    ([[1, 2], [3]], Y, DataError, "x is a list of examples of different shapes"),
    (np.zeros((8, 1, 6, 6), np.float32), Y, ShapeError, r"found \(8, 1, 6, 6\). This looks like \(N, C, H, W\)"),
    (X[0], Y, ShapeError, r"batch axis: x\[None\]"),
    (
        np.zeros((8, 5, 6, 1), np.float32),
        Y,
        ShapeError,
        r"expected an input of shape \(N, 6, 6, 1\), found \(8, 5, 6, 1\)",
    ),
    (X, Y + 4, DataError, "labels run from 4 to 4; the model has 4 outputs"),
    (X, Y - 1, DataError, "labels run from -1"),
    (X, np.eye(8), DataError, "labels have shape"),
    (X, np.array(list("abcdefgh")), DataError, "Number the classes from 0"),
    (X, np.full(8, np.nan), DataError, "labels hold NaN"),
]


@pytest.mark.parametrize("x, y, error, message", BAD_DATA, ids=[message for *_, message in BAD_DATA])
def test_data_that_cannot_be_right(x, y, error, message):
    model = small_network()
    before = model.get_weights()
    for call in model.fit, model.evaluate, model.train_on_batch:
        with pytest.raises(error, match=message):
            call(x, y)
    with pytest.raises(error, match=message):
        model.fit(X, Y, validation_data=(x, y))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


def test_one_hot_of_the_wrong_width():
    model = small_network(loss="categorical_crossentropy")
    with pytest.raises(DataError, match="The model has 4 outputs, the labels 3 classes"):
        model.fit(X, np.eye(3)[Y])


def test_a_model_must_be_compiled_and_have_something_to_learn():
    model = Sequential([Dense(3, input_shape=(2,))])
    with pytest.raises(GraphError, match="not compiled"):
        model.fit(np.zeros((2, 2), np.float32), np.zeros(2))
    model.compile("sgd", "mse")
    model.trainable = False
    with pytest.raises(GraphError, match="every layer with parameters is frozen"):
        model.fit(np.zeros((2, 2), np.float32), np.zeros((2, 3)))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the test overflows on purpose
@pytest.mark.parametrize("optimizer", [SGD(1e30), Adam(1e30)], ids=["SGD", "Adam"])
def test_divergence_stops_before_the_update(rng, optimizer):
    x, y = blobs(rng)
    model = Sequential(
        [Flatten(input_shape=(6, 6, 1)), Dense(8, name="wide"), BatchNormalization(), Dense(4, name="out")]
    )
    model.compile(optimizer, "mse")
    with pytest.raises(DivergedError, match=r"step \d+: .*Nothing was updated. Try a learning rate below 1e\+30"):
        model.fit(x, np.eye(4)[y], epochs=20, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_names_the_layer(rng):
    x, y = blobs(rng, 8)
    model = small_network()
    before = model.get_weights()
    x[3, 2, 2] = np.nan
    with pytest.raises(DivergedError, match="step 1: the loss is nan; the input already holds NaN"):
        train_step(model, x, y)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights())), "weights and statistics"
    x[3, 2, 2] = 0
    model.get_layer("dense").kernel[0, 0] = np.inf
    with pytest.raises(DivergedError, match="the first output that is not finite is that of 'dense'"):
        train_step(model, x, y)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"batch_size": 0}, "batch_size is 0; expected a whole number of at least 1"),
        ({"batch_size": 2.5}, "batch_size is 2.5"),
        ({"epochs": "many"}, "epochs is 'many'"),
        ({"validation_split": 1e-20}, "of 8 examples it would hold back 0"),
        ({"validation_split": -0.5}, "validation_split is -0.5"),
        ({"shuffle": "batch"}, "shuffle is 'batch'; expected True or False"),
        ({"steps_per_epoch": 0}, "steps_per_epoch is 0"),
        ({"validation_data": X.astype(str)}, r"validation_data is ndarray; expected a pair \(x, y\)"),
        ({"validation_freq": 0}, "validation_freq is 0"),
        ({"epochs": -1}, "epochs is -1"),
        ({"validation_split": 1}, "validation_split is 1"),
        ({"validation_data": X}, r"validation_data is ndarray; expected a pair \(x, y\)"),
        ({"callbacks": [print]}, "expected objects of minitl.training.Callback"),
        ({"callbacks": [[Callback]]}, r"callbacks holds the class Callback; expected an object of it, as Callback\(\)"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(MinitlError, match=message):
        small_network().fit(X, Y, **options)
    if "batch_size" in options:
        for call in small_network().evaluate, lambda x, y, **o: small_network().predict(x, **o):
            with pytest.raises(MinitlError, match=message):
                call(X, Y, **options)


def test_keras_order_of_arguments_and_stopping(rng):
    x, y = blobs(rng, 20)

    class Stop(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    model = small_network(metrics="accuracy")
    assert len(model.fit(x, y, None, 5, 0, Stop()).epoch) == 2
    assert set(model.train_on_batch(x, y, return_dict=True)) == {"loss", "accuracy"}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_refused_step_leaves_the_statistics_as_they_were(rng):
    x, y = blobs(rng, 16)
    model = small_network()
    model.get_layer("dense").kernel[...] = np.inf
    before = model.get_layer("batch_normalization").get_weights()
    with pytest.raises(DivergedError):
        model.train_on_batch(x, y)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_layer("batch_normalization").get_weights()))


@pytest.mark.parametrize(
    "thing, text",
    [
        (SGD(0.01, momentum=0.9), "SGD(learning_rate=0.01, momentum=0.9)"),
        (Adam(l2_sp=0.1, clipnorm=1), "Adam(learning_rate=0.001, l2_sp=0.1, clipnorm=1.0)"),
        (
            SGD(WarmUp(CosineDecay(0.1, 50), 5)),
            "SGD(learning_rate=WarmUp(after=CosineDecay(initial_learning_rate=0.1, decay_steps=50), steps=5))",
        ),
        (CategoricalCrossentropy(label_smoothing=0.1), "CategoricalCrossentropy(label_smoothing=0.1)"),
        (SparseCategoricalCrossentropy(ignore_class=0), "SparseCategoricalCrossentropy(ignore_class=0)"),
        (TopKCategoricalAccuracy(3), "TopKCategoricalAccuracy(k=3)"),
        (EarlyStopping(patience=3), "EarlyStopping(patience=3)"),
        (LearningRateScheduler(round), "LearningRateScheduler(schedule=round)"),
        (BackupAndRestore("run"), "BackupAndRestore(backup_dir='run')"),
        (HeNormal(seed=3), "HeNormal(seed=3)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_object_is_shown_as_the_call_that_makes_it(thing, text):
    assert repr(thing) == text

"""`fit`, `evaluate` and `predict` on batches that a program makes, and on arrays that are converted batch by batch."""

import tracemalloc
from contextlib import nullcontext

import numpy as np
import pytest

from minitl.errors import ArgumentError, DataError, DataWarning
from minitl.layers import Concatenate, Dense, Input
from minitl.models import Model, Sequential
from minitl.training import BackupAndRestore, Callback
from minitl.utils import PyDataset, Sequence, set_random_seed

X = np.random.default_rng(0).standard_normal((10, 3)).astype(np.float32)
Y = np.arange(10) % 2


def network(units=2):
    set_random_seed(1)
    model = Sequential([Dense(units, activation="softmax", input_shape=(3,))])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def batches(count=5):
    """Yield batches of two examples, `count` of them."""
    for number in range(count):
        yield X[2 * number % 10 :][:2], Y[2 * number % 10 :][:2]


class Numbered(PyDataset):
    """Five batches of two examples, which note what is asked of them."""

    def __init__(self):
        super().__init__()
        self.asked, self.ends = [], 0

    def __len__(self):
        return 5

    def __getitem__(self, number):
        self.asked.append(number)
        return X[2 * number :][:2], Y[2 * number :][:2]

    def on_epoch_end(self):
        self.ends += 1


def test_a_generator_trains_as_the_arrays_do():
    of_arrays, of_batches = network(), network()
    expected = of_arrays.fit(X, Y, 2, 1, 0, shuffle=False).history
    assert of_batches.fit(batches(), verbose=0).history == expected
    for a, b in zip(of_arrays.get_weights(), of_batches.get_weights(), strict=True):
        assert np.array_equal(a, b)
    assert of_batches.evaluate(batches(), verbose=0) == of_arrays.evaluate(X, Y, 2, verbose=0)
    assert np.array_equal(of_batches.predict(batches(), verbose=0), of_arrays.predict(X, 2, verbose=0))
    images_alone = (x for x, _ in batches())
    assert np.array_equal(of_batches.predict(images_alone, verbose=0), of_arrays.predict(X, 2, verbose=0))


def test_the_order_of_numbered_batches():
    made = Numbered()
    network().fit(made, epochs=3, verbose=0)
    assert [sorted(made.asked[first : first + 5]) for first in (0, 5, 10)] == [[0, 1, 2, 3, 4]] * 3
    assert made.asked[:5] != made.asked[5:10], "fit draws the order of the batches"
    made = Numbered()
    with pytest.warns(DataWarning, match="after 1 batch, and an epoch takes 2 batches"):
        network().fit(made, epochs=3, verbose=0, shuffle=False, steps_per_epoch=2, validation_data=Numbered())
    assert made.asked == [0, 1, 2, 3, 4] and made.ends == 3 and Sequence is PyDataset


@pytest.mark.filterwarnings("ignore::minitl.errors.DataWarning")
def test_an_epoch_in_steps_goes_on_where_the_last_one_ended():
    class Watch(Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(batch)

    for steps, numbers in (2, [0, 1, 0, 1, 0, 0, 1]), (3, [0, 1, 2, 0, 1, 0, 1, 2, 0, 1]), (5, [0, 1, 2, 3, 4] * 4):
        seen, model = [], network()
        model.fit(X, Y, 2, 4, 0, [Watch()], steps_per_epoch=steps)
        assert seen == numbers, steps


def test_steps_over_arrays_survive_an_interruption(tmp_path):
    class Kill(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model is killed and self.model.optimizer.iterations == 6:
                raise KeyboardInterrupt

    whole = network()
    options = {"batch_size": 2, "epochs": 5, "verbose": 0, "steps_per_epoch": 2}
    with pytest.warns(DataWarning, match="came to their end after 1 batch of epoch 3, and steps_per_epoch is 2"):
        expected = whole.fit(X, Y, **options).history
        killed = network()
        with pytest.raises(KeyboardInterrupt):
            killed.fit(X, Y, **options, callbacks=[BackupAndRestore(tmp_path, save_freq=1), Kill()])
        again = network()
        assert (
            again.fit(X, Y, **options, callbacks=[BackupAndRestore(tmp_path, save_freq=1), Kill()]).history == expected
        )
    for a, b in zip(whole.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_a_generator_that_ends_ends_the_training():
    with pytest.warns(DataWarning, match="after 3 batches, and an epoch takes 4 batches"):
        history = network().fit(batches(7), steps_per_epoch=4, epochs=2, verbose=0)
    assert history.epoch == [0, 1]
    with pytest.warns(DataWarning, match="the next epoch has none left"):
        assert network().fit(batches(), epochs=3, verbose=0).epoch == [0]
    with pytest.warns(DataWarning, match="the next epoch has none left"):
        history = network().fit(X, Y, epochs=2, verbose=0, validation_data=batches())
    assert len(history.history["val_loss"]) == 1


def test_weights_of_batches():
    weights = np.linspace(0.5, 2, 10).astype(np.float32)
    of_arrays, of_batches = network(), network()
    of_arrays.fit(X, Y, 2, 1, 0, shuffle=False, sample_weight=weights, class_weight={0: 1.0, 1: 3.0})
    with_weights = ((x, y, weights[2 * number :][:2]) for number, (x, y) in enumerate(batches()))
    of_batches.fit(with_weights, verbose=0, class_weight={0: 1.0, 1: 3.0})
    for a, b in zip(of_arrays.get_weights(), of_batches.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_batches_of_several_inputs():
    a, b = Input((3,), name="a"), Input((3,), name="b")
    model = Model([a, b], Dense(1)(Concatenate()([a, b])))
    model.compile("sgd", "mse")
    made = [([X[:4], X[4:8]], np.zeros((4, 1))), ({"a": X[:4], "b": X[4:8]}, np.zeros((4, 1)))]
    losses = [model.evaluate(iter([batch]), verbose=0) for batch in made]
    assert losses[0] == losses[1] > 0


@pytest.mark.parametrize(
    "made, options, error, message",
    [
        (batches, {"y": Y}, ArgumentError, r"y was given beside a generator, which makes batches \(x, y\)"),
        (batches, {"sample_weight": Y}, ArgumentError, "sample_weight was given beside a generator"),
        (batches, {"validation_split": 0.5}, ArgumentError, "validation_split was given beside a generator"),
        (lambda: batches(0), {}, DataError, "x has made no batch; .*Is the generator used up"),
        (lambda: iter([3]), {}, DataError, r"a batch is int; expected a tuple \(x, y\)"),
        (lambda: iter([(1, 2, 3, 4)]), {}, DataError, "a batch is tuple of 4"),
        (lambda: iter([(X, Y[:3])]), {}, DataError, "x holds 10 examples and y 3 labels"),
        (lambda: iter([(X, Y + 5)]), {}, DataError, "labels run from 5"),
        (lambda: iter([X]), {}, DataError, "there are no labels"),
    ],
)
def test_batches_that_cannot_be(made, options, error, message):
    with pytest.warns(DataWarning) if "no batch" in message else nullcontext():
        with pytest.raises(error, match=message):
            network().fit(made(), verbose=0, **options)


def test_what_cannot_go_on_says_so_before_it_begins(tmp_path):
    with pytest.raises(ArgumentError, match="BackupAndRestore cannot go on with batches that a program makes"):
        network().fit(batches(), callbacks=[BackupAndRestore(tmp_path / "run")])
    with pytest.raises(DataError, match="class Without has no __len__"):
        network().fit(type("Without", (PyDataset,), {})())
    with pytest.raises(AttributeError, match="no attribute 'fit_generator'. fit takes generators"):
        network().fit_generator(batches())


@pytest.mark.parametrize("dtype", ["float64", "float16", "int64", "uint8", "bool"])
def test_arrays_of_any_type_train_as_float32(dtype):
    x = np.abs(X * 3).astype(dtype)
    a = network()
    expected = a.fit(x.astype(np.float32), Y, 4, 2, 0, validation_split=0.3).history
    b = network()
    assert b.fit(x, Y, 4, 2, 0, validation_split=0.3).history == expected
    assert b.evaluate(x.tolist(), Y.tolist(), verbose=0) == a.evaluate(x.astype(np.float32), Y, verbose=0)
    assert np.array_equal(b.predict(x, verbose=0), a.predict(x.astype(np.float32), verbose=0))
    assert b.predict_on_batch(x).dtype == np.float32


def test_arrays_are_converted_batch_by_batch():
    x = np.zeros((2_000, 640))  # 10 MB in float64, 5 MB in float32
    model = Sequential([Dense(1, input_shape=(640,))])
    model.compile("sgd", "mse")
    tracemalloc.start()
    model.fit(x, np.zeros(len(x)), 100, verbose=0, validation_split=0.2)
    model.evaluate(x, np.zeros(len(x)), 100, verbose=0)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2.5e6

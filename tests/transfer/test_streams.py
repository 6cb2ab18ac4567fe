"""Photographs and features that are read when they are needed train as arrays do; augmentation."""

import hashlib
from functools import partial

import numpy as np
import pytest

from minitl import interruption, training, transfer
from minitl.data import Augmentation, Photo, PhotoStream
from minitl.data.batches import in_order
from minitl.errors import ArgumentError, DataError, ShapeError
from minitl.features.one_pass import all_outputs, outputs
from minitl.layers import BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D
from minitl.models import Sequential
from minitl.optimizers import SGD
from minitl.training import BackupAndRestore, Callback
from minitl.utils import set_random_seed

pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
from PIL import Image


def scaled(images):
    return (images / 127.5 - 1).astype(np.float32)


@pytest.fixture
def photos(tmp_path, rng):
    found = []
    for number in range(21):
        path = tmp_path / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (18 + number, 24, 3), dtype=np.uint8)).save(path)
        found.append(Photo(path, number % 3, f"{number:064}"))
    return found


def network(seed=0):
    set_random_seed(seed)
    model = Sequential(
        [
            Conv2D(4, 3, activation="relu", input_shape=(16, 20, 3), name="early"),
            GlobalAveragePooling2D(name="pool"),
            Dense(3, activation="softmax", name="out"),
        ]
    )
    model.compile(SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def stream(photos, **options):
    return PhotoStream(photos, scaled, 16, 20, **options)


LABELS = np.arange(21) % 3


@pytest.mark.filterwarnings("ignore::minitl.errors.MistakeWarning")  # of the array: it validates on its training data
def test_a_stream_trains_as_its_array_does(photos):
    x = stream(photos)
    array = x.read(slice(None))
    assert x.shape == array.shape == (21, 16, 20, 3) and x.dtype == array.dtype and len(x) == 21
    results = []
    for each in x, array:
        model = network()
        history = model.fit(each, LABELS, 4, 3, verbose=0, validation_data=(each, LABELS)).history
        outputs = model.predict(each, 4, verbose=0)
        results.append((history, outputs.tolist(), model.evaluate(each, LABELS, verbose=0)))
    assert results[0] == results[1]


def test_a_frozen_beginning_runs_once_over_a_stream(photos, capsys):
    model = network()
    transfer.freeze(model, until="pool")
    model.fit(stream(photos), LABELS, 4, 2, verbose=2)
    assert "ran once over 21 examples" in capsys.readouterr().out


def test_features_are_dropped_when_the_beginning_is_unfrozen(photos):
    """The numbers are those without features, from the epoch on in which a callback unfreezes the beginning."""

    class Unfreeze(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.get_layer("early").trainable = True

    histories = []
    for fit in training.fit, partial(training.fit, frozen_once=False):
        model = network()
        transfer.freeze(model, until="pool")
        histories.append(fit(model, stream(photos), LABELS, 4, 5, verbose=0, callbacks=Unfreeze()).history["loss"])
        assert not np.array_equal(model.get_layer("early").kernel, network().get_layer("early").kernel)
    assert np.allclose(*histories, rtol=1e-5)


def test_augmented_photographs_are_others_in_each_epoch(photos):
    x = stream(photos, augment=Augmentation(), seed=4)
    first, second = x.read(slice(0, 5), epoch=0), x.read(slice(0, 5), epoch=1)
    assert not np.allclose(first, second)
    assert np.array_equal(first[[3, 1]], x.read(np.array([3, 1]), epoch=0)), "by epoch and photograph alone"
    assert np.array_equal(x.read(slice(0, 5)), stream(photos).read(slice(0, 5))), "to measure, as they are"
    assert not np.allclose(first, stream(photos, augment=Augmentation(), seed=5).read(slice(0, 5), epoch=0))
    digests = {stream(photos, **o).digest for o in ({}, {"crop": 0.5}, {"augment": Augmentation()}, {"seed": 3})}
    assert len(digests) == 4 and stream(photos[1:]).digest not in digests


def test_augmentation_and_a_frozen_beginning(photos, capsys):
    """Features are not kept here: all epochs would train on the first epoch's photographs."""
    histories = []
    for fit in training.fit, partial(training.fit, frozen_once=False):
        model = network()
        transfer.freeze(model, until="pool")
        x = stream(photos, augment=Augmentation())
        histories.append(fit(model, x, LABELS, 4, 3, verbose=2).history)
    assert histories[0] == histories[1]
    assert " ".join(capsys.readouterr().out.split()).count("the whole model runs in every epoch") == 1


def test_augmented_training_goes_on_where_it_was(photos, tmp_path):
    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.state.epoch == 1 and batch == 2 and armed:
                raise RuntimeError("the power is gone")

    results, armed = [], False
    for folder in "whole", "broken", "broken":
        model = network()
        x = stream(photos, augment=Augmentation())
        callbacks = [Stop(), BackupAndRestore(tmp_path / folder, save_freq=1)]
        armed = folder == "broken" and not armed
        try:
            history = model.fit(x, LABELS, 4, 3, verbose=0, callbacks=callbacks).history
            results.append((history, [weight.tolist() for weight in model.get_weights()]))
        except RuntimeError:
            pass
    assert len(results) == 2 and results[0] == results[1]


def test_augmentation_of_a_known_image():
    """Check which properties of a known image may change, and which may not."""
    gradient = np.zeros((40, 60, 3), np.uint8)
    gradient[:, :, 0], gradient[:, :, 1] = np.arange(60) * 4, np.arange(40)[:, None] * 6
    image = Image.fromarray(gradient)
    still = Augmentation(flip=False, area=(1.0, 1.0), aspect=1.0, brightness=0, contrast=0, saturation=0)
    plain = still(image, 20, 30, np.random.default_rng(0))
    resized = np.asarray(image.resize((30, 20), Image.Resampling.BILINEAR), np.float32)
    assert np.allclose(plain, resized, atol=1e-3)
    flips = [Augmentation(True, (1.0, 1.0), 1.0, 0, 0, 0)(image, 20, 30, np.random.default_rng(s)) for s in range(40)]
    mirrored = [bool(np.allclose(each, resized[:, ::-1], atol=1e-3)) for each in flips]
    assert 8 < sum(mirrored) < 32 and all(m or np.allclose(f, resized, atol=1e-3) for m, f in zip(mirrored, flips))
    for seed in range(200):
        rng = np.random.default_rng(seed)
        left, top, right, bottom = Augmentation().random_box(60, 40, 1.0, rng)
        assert 0 <= left < right <= 60 and 0 <= top < bottom <= 40
        assert (right - left) * (bottom - top) <= 60 * 40 and 0.7 < (right - left) / (bottom - top) < 1.4
        varied = Augmentation()(image, 20, 30, rng)
        assert varied.dtype == np.float32 and varied.min() >= 0 and varied.max() <= 255
    brighter = Augmentation(False, (1.0, 1.0), 1.0, 0.2, 0, 0)(image, 20, 30, np.random.default_rng(1))
    assert 0.8 <= brighter.mean() / plain.mean() <= 1.2 and not np.allclose(brighter, plain)
    grey = Image.new("RGB", (9, 9), (90, 90, 90))
    assert np.allclose(Augmentation(brightness=0)(grey, 9, 9, np.random.default_rng(2)), 90, atol=0.01)


def test_a_photograph_that_vanishes_in_training_is_named(photos):
    photos[7].path.unlink()
    with pytest.raises(DataError, match="7.png: is not there"):
        network().fit(stream(photos), LABELS, 4, verbose=0)


def test_a_signal_ends_reading_ahead(photos):
    with interruption.graceful(), pytest.raises(interruption.Interrupted):
        interruption._requested = 2
        network().predict(stream(photos), 4, verbose=0)


@pytest.mark.parametrize(
    "options", [{"area": (0.9, 0.5)}, {"area": (0, 1)}, {"aspect": 0.5}, {"contrast": 1.0}, {"brightness": -0.1}]
)
def test_augmentation_that_cannot_be(options):
    with pytest.raises(ArgumentError, match="expected areas between 0 and 1"):
        Augmentation(**options)


def test_streams_of_the_wrong_shape(photos):
    with pytest.raises(ShapeError, match=r"expected an input of shape \(N, 16, 20, 3\), found \(21, 8, 8, 3\)"):
        network().fit(PhotoStream(photos, scaled, 8, 8), LABELS, verbose=0)
    with pytest.raises(DataError, match="21 examples and y 20 labels"):
        network().fit(stream(photos), LABELS[:20], verbose=0)
    with pytest.raises(DataError, match="x is empty"):
        network().fit(stream([]), LABELS[:0], verbose=0)


def test_mirror_images_stand_behind_the_others(photos):
    plain, mirrored = stream(photos), stream(photos, mirrored=True)
    assert mirrored.shape == (42, 16, 20, 3) and mirrored.photos == photos * 2 and len(set(mirrored.keys)) == 42
    assert np.array_equal(mirrored.read(slice(21)), plain.read(slice(None)))
    unturned = plain.read([19, 3, 0])
    expected = np.stack([unturned[0, :, ::-1], unturned[1], unturned[2, :, ::-1]])
    assert np.array_equal(mirrored.read([40, 3, 21]), expected)
    assert mirrored.digest not in (plain.digest, stream(photos * 2).digest)


def test_files_that_are_still_what_they_were(photos):
    real = [Photo(photo.path, photo.label, hashlib.sha256(photo.path.read_bytes()).hexdigest()) for photo in photos]
    x = stream(real, mirrored=True)
    found, reasons = x.read_unchanged([20, 41, 3])
    assert np.array_equal(found, x.read([20, 41, 3])) and reasons == {}
    real[3].path.unlink()
    real[20].path.write_bytes(real[4].path.read_bytes())
    found, reasons = x.read_unchanged([20, 4, 41, 3])
    assert np.array_equal(found, x.read([4])) and sorted(reasons) == [3, 20, 41]
    assert "has changed since" in reasons[41] and "is not there" in reasons[3]
    found, reasons = x.read_unchanged([3])
    assert found.shape == (0, 16, 20, 3) and list(reasons) == [3]


# ---- one pass of all examples ----


def test_one_pass_gives_what_forward_gives(photos):
    model, x = network(), stream(photos)
    expected = [model.forward(x.read(batch), gradients="none") for batch in in_order(21, 8)]
    for source in x, x.read(slice(None)):
        assert np.array_equal(all_outputs(model, source, 8)[0], np.concatenate(expected))
        for batches in in_order(21, 8), [np.arange(21)[each] for each in in_order(21, 8)]:
            passed = list(outputs(model, source, batches))
            assert all(found is batch for (found, _), batch in zip(passed, batches, strict=True))
            assert all(np.array_equal(y, each) for (_, y), each in zip(passed, expected))
    assert all_outputs(model, stream([]), 8) is None and list(outputs(model, x, [])) == []


def test_a_batch_of_which_nothing_can_be_read_is_passed_over(photos, monkeypatch):
    x, ordinary = stream(photos), PhotoStream.read

    def read(self, positions, epoch=None):
        return None if positions == slice(8, 16) else ordinary(self, positions, epoch)

    monkeypatch.setattr(PhotoStream, "read", read)
    assert [batch for batch, _ in outputs(network(), x, in_order(21, 8))] == [slice(0, 8), slice(16, 21)]


def test_a_pass_that_is_given_up_reads_no_further(photos, monkeypatch):
    read, ordinary = [], PhotoStream.read

    def counting(self, positions, epoch=None):
        read.append(positions)
        return ordinary(self, positions, epoch)

    monkeypatch.setattr(PhotoStream, "read", counting)
    passing = outputs(network(), stream(photos), in_order(21, 4))
    next(passing)
    passing.close()
    assert len(read) == 2, "the first batch, and the one behind it ahead of time"


# ---- a head in closed form, a learning rate by trying ----


@pytest.fixture
def task(rng):
    y = rng.integers(0, 3, 60)
    return (rng.standard_normal((60, 8)) * 5 + np.eye(3, 8)[y] * 9 + 100).astype(np.float32), y


def test_the_ridge_head_is_the_minimum(task):
    """The gradient is zero, and the leave-one-out score is that of leaving out one after the other."""
    x, y = task
    head = training.ridge_head(x, y)
    z, t = (x - head.mean) / head.deviation, np.eye(3)[y]
    gradient = z.T @ (z @ head.kernel + head.bias - t) + head.strength * head.kernel
    assert np.abs(gradient).max() < 1e-3 * np.abs(z.T @ t).max()
    assert head.accuracy >= 0.7 and (head.predict(x).argmax(1) == y).mean() >= head.accuracy
    assert np.allclose(head.predict(x).sum(axis=1), 1)
    right = 0
    for left_out in range(60):
        others = np.delete(np.arange(60), left_out)
        zo, to = z[others], t[others]
        centre = zo.mean(axis=0)
        kernel = np.linalg.solve((zo - centre).T @ (zo - centre) + head.strength * np.eye(8), (zo - centre).T @ to)
        right += ((z[left_out] - centre) @ kernel + to.mean(axis=0)).argmax() == y[left_out]
    assert right / 60 == pytest.approx(head.accuracy, abs=1e-9)


def test_more_features_than_examples(rng):
    x, y = rng.standard_normal((20, 300)).astype(np.float32), np.arange(20) % 2
    x[:, 0] = 7.0  # a feature that never changes
    head = training.ridge_head(x, y)
    assert np.isfinite(head.predict(x)).all()
    with pytest.raises(DataError, match=r"expected \(N, D\) and \(N,\)"):
        training.ridge_head(x, y[:5])


def test_a_model_that_begins_as_the_ridge_head(task):
    x, y = task
    head = training.ridge_head(x, y)
    model = Sequential([BatchNormalization(input_shape=(8,)), Dense(3, activation="softmax")])
    head.put_into(*model.layers[-2:])
    assert np.allclose(model.predict(x, verbose=0), head.predict(x), atol=1e-5)
    with pytest.raises(ShapeError, match="goes into a BatchNormalization"):
        head.put_into(*model.layers[::-1][:2])


def test_the_range_test_leaves_nothing_behind(task):
    x, y = task
    model = Sequential([BatchNormalization(input_shape=(8,)), Dense(3, activation="softmax")])
    model.compile(SGD(0.03, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, 16, 2, verbose=0)
    before, state = model.get_weights(), [a.copy() for arrays in model.optimizer.state.values() for a in arrays]
    found = training.range_test(model, x, y, 16, 1e-5, 1e4, 60)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    after = [a for arrays in model.optimizer.state.values() for a in arrays]
    assert all(np.array_equal(a, b) for a, b in zip(state, after, strict=True))
    assert model.optimizer.learning_rate == 0.03 and model.optimizer.iterations == 8
    assert len(found.losses) < 60, "it stops when the loss explodes"
    assert 1e-4 < found.suggestion < 100 and f"Suggested: {found.suggestion:.1e}" in str(found)
    assert training.range_test(model, x, y, 16, 1e-5, 1e4, 60) == found, "the same each time"
    with pytest.raises(ArgumentError, match="expected 0 < lowest < highest"):
        training.range_test(model, x, y, lowest=1.0, highest=0.1)

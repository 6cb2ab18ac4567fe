"""Features kept on disk are those that would be computed, bit for bit; and the command that is built on them."""

import hashlib
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from minitl import data, interruption, transfer
from minitl.applications.vgg16 import preprocess_input
from minitl.data import Photo
from minitl.errors import DataError
from minitl.features import on_disk as feature_store
from minitl.layers import Conv2D, GlobalAveragePooling2D
from minitl.models import Sequential
from minitl.weights.distrust import known_files as known

pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
from PIL import Image  # noqa: E402


def small_base(seed=0):
    layers = [Conv2D(4, 3, input_shape=(20, 24, 3), padding="same", name="conv"), GlobalAveragePooling2D(name="pool")]
    model = Sequential(layers, name="base")
    rng = np.random.default_rng(seed)
    model.set_weights([rng.standard_normal(each.shape) for each in model.get_weights()])
    transfer.freeze(model)
    return model


@pytest.fixture
def photos(tmp_path, rng):
    """Nineteen pictures: two batches of eight, and three."""
    found = []
    for number in range(19):
        path = tmp_path / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (30 + number, 40, 3), dtype=np.uint8)).save(path)
        found.append(as_photo(path, number % 2))
    return found


def as_photo(path, label=0):
    return Photo(path, label, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def looked_at(monkeypatch):
    """The names of the pictures that were really read."""
    names, ordinary = [], data.read_image

    def read(path, *arguments):
        names.append(path.name)
        return ordinary(path, *arguments)

    monkeypatch.setattr(data, "read_image", read)
    return names


def features(base, photos, **options):
    rows = feature_store.features_of(base, photos, preprocess_input, verbose=0, **options)
    assert rows.shape == (len(rows), 4) and rows.dtype == np.float32 and len(rows.photos) == len(rows)
    return rows.read(slice(None))


def kept_files(name):
    return list((known.home_folder() / "features").glob(f"*/{name}"))


def test_kept_features_are_the_computed_ones(photos, looked_at):
    base = small_base()
    first = features(base, photos)
    assert len(looked_at) == 19 and first.shape == (19, 4)
    assert np.array_equal(features(base, photos), first) and len(looked_at) == 19
    assert np.array_equal(features(base, photos, keep=False), first), "bit for bit"
    assert np.array_equal(features(base, photos[::-1][:7]), first[::-1][:7]), "whatever stands beside it"
    expected = base.predict(preprocess_input(np.stack([data.read_image(p.path, 20, 24) for p in photos])), verbose=0)
    assert np.allclose(first, expected, rtol=1e-5)


def test_only_new_pictures_are_looked_at(photos, looked_at):
    base = small_base()
    few = features(base, photos[:10])
    looked_at.clear()
    all_of_them = features(base, photos)
    assert sorted(looked_at) == sorted(photo.path.name for photo in photos[10:])
    assert np.array_equal(all_of_them[:10], few)
    assert np.array_equal(features(base, photos, keep=False), all_of_them)
    looked_at.clear()
    twice = features(base, [photos[3], photos[3], photos[4]], keep=False)
    assert len(looked_at) == 2 and np.array_equal(twice[0], twice[1])


def test_another_base_or_another_way_to_look_has_features_of_its_own(photos):
    first = features(small_base(), photos)
    assert not np.allclose(features(small_base(seed=1), photos), first)
    assert not np.allclose(features(small_base(), photos, crop=0.5), first)
    assert len(kept_files("rows")) == 3


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:200], lambda b: b[:80] + b"\xff" * 20 + b[100:]])
@pytest.mark.parametrize("name", ["rows", "index.json"])
def test_damaged_features_are_computed_again(photos, looked_at, damage, name):
    base = small_base()
    first = features(base, photos)
    (place,) = kept_files(name)
    place.write_bytes(damage(place.read_bytes()))
    looked_at.clear()
    assert np.array_equal(features(base, photos), first) and len(looked_at) > 0
    looked_at.clear()
    assert np.array_equal(features(base, photos), first) and len(looked_at) == 0


def test_rows_are_read_as_from_an_array(photos):
    base = small_base()
    rows = feature_store.features_of(base, photos, preprocess_input, verbose=0)
    whole = rows.read(slice(None))
    assert np.array_equal(rows.read(np.array([3, 18, 3])), whole[[3, 18, 3]])
    assert np.array_equal(rows.read(slice(5, 9), epoch=4), whole[5:9])
    assert rows.digest == feature_store.features_of(base, photos, preprocess_input, verbose=0).digest
    assert rows.digest != feature_store.features_of(base, photos[1:], preprocess_input, verbose=0).digest


def test_mirror_images(photos):
    base = small_base()
    rows = feature_store.features_of(base, photos, preprocess_input, mirrored=True, verbose=0)
    assert len(rows) == 38 and rows.photos == photos * 2
    images = np.stack([data.read_image(photo.path, 20, 24) for photo in photos])
    expected = base.predict(preprocess_input(images[:, :, ::-1]), verbose=0)
    assert np.allclose(rows.read(slice(19, 38)), expected, rtol=1e-5)
    assert np.array_equal(rows.read(slice(19)), features(base, photos))


@pytest.mark.parametrize("keep", [True, False])
def test_a_picture_that_has_vanished_is_left_out(photos, keep):
    photos[4].path.unlink()
    photos[18].path.write_bytes(b"no picture")
    rows = feature_store.features_of(small_base(), photos, preprocess_input, keep=keep, verbose=0)
    assert [photo.path.name for photo in rows.photos] == [f"{n}.png" for n in range(18) if n != 4]
    (first, reason), (second, why) = rows.left_out
    assert first == photos[4].path and "not there" in reason and second == photos[18].path and "cannot be read" in why
    for photo in photos:
        photo.path.unlink(missing_ok=True)
    with pytest.raises(DataError, match="none of the 19 pictures could be read: is not there"):
        feature_store.features_of(small_base(seed=2), photos, preprocess_input, keep=keep, verbose=0)


def test_a_picture_that_has_changed_is_left_out(photos):
    """Its features must not be kept under the digest of what it was."""
    before = photos[4].path.read_bytes()
    photos[4].path.write_bytes(photos[5].path.read_bytes())
    rows = feature_store.features_of(small_base(), photos, preprocess_input, verbose=0)
    assert len(rows) == 18 and "has changed since" in rows.left_out[0][1]
    photos[4].path.write_bytes(before)
    kept = features(small_base(), photos)
    assert np.array_equal(kept, features(small_base(), photos, keep=False))


def test_rows_that_somebody_reads_are_never_written_again(photos):
    first = feature_store.features_of(small_base(), photos[:5], preprocess_input, verbose=0)
    before = first.read(slice(None))
    (index,) = kept_files("index.json")
    index.unlink()
    features(small_base(), photos[5:])
    assert np.array_equal(first.read(slice(None)), before)


def test_an_interrupted_run_has_kept_what_it_did(photos, looked_at, monkeypatch):
    base, forward, batches = small_base(), Sequential.forward, []

    def counting(self, *arguments, **options):
        batches.append(1)
        if len(batches) == 2:
            signal.raise_signal(signal.SIGINT)
        return forward(self, *arguments, **options)

    monkeypatch.setattr(Sequential, "forward", counting)
    with interruption.graceful(), pytest.raises(interruption.Interrupted):
        features(base, photos)
    looked_at.clear()
    features(base, photos)
    assert len(looked_at) == 3


def test_several_processes_at_once(photos, tmp_path):
    """They take turns, and the second one finds the work done."""
    program = """
        import sys, numpy as np
        sys.path.insert(0, sys.argv[1])
        from pathlib import Path
        from test_feature_store import as_photo, features, small_base
        photos = [as_photo(Path(sys.argv[2]) / f"{n}.png") for n in range(19)]
        print(features(small_base(), photos).tobytes().hex())
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(Path(__file__).parent), str(tmp_path)]
    several = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = {process.communicate(timeout=120)[0].splitlines()[-1] for process in several}
    assert answers == {features(small_base(), photos).tobytes().hex()}


def test_where_nothing_can_be_kept(photos, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("MINITL_HOME", str(tmp_path / "file"))
    assert features(small_base(), photos).shape == (19, 4)
    assert "cannot be kept for the next run" in capsys.readouterr().out


def test_a_full_disk(photos, monkeypatch):
    class Full:
        def write(self, data):
            raise OSError(28, "No space left on device")

        def __getattr__(self, name):
            return getattr(self.file, name)

    ordinary = feature_store.Store.__init__

    def init(self, *arguments):
        ordinary(self, *arguments)
        full = Full()
        full.file, self.file = self.file, full

    monkeypatch.setattr(feature_store.Store, "__init__", init)
    with pytest.raises(DataError, match="no room for features of .* a picture .No space left"):
        features(small_base(), photos)
    monkeypatch.undo()
    assert features(small_base(), photos).shape == (19, 4)

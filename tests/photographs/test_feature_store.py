"""Features kept on disk are those that would be computed, bit for bit. The command that uses them is tested, too."""

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
from minitl.data import Augmentation, Photo, PhotoStream, stream
from minitl.errors import ArgumentError, DataError
from minitl.features import on_disk, store
from minitl.layers import Conv2D, Dense, GlobalAveragePooling2D
from minitl.models import Sequential
from minitl.weights.distrust import known_files as known

pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
from PIL import Image


def small_base(seed=0):
    layers = [Conv2D(4, 3, input_shape=(20, 24, 3), padding="same", name="conv"), GlobalAveragePooling2D(name="pool")]
    model = Sequential(layers, name="base")
    rng = np.random.default_rng(seed)
    model.set_weights([rng.standard_normal(each.shape) for each in model.get_weights()])
    transfer.freeze(model)
    return model


@pytest.fixture
def photos(tmp_path, rng):
    """Write nineteen photographs: two batches of eight, and three."""
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
    """Return the names of the photographs that were really read."""
    names, ordinary = [], stream.read_image

    def read(path, *arguments):
        names.append(path.name)
        return ordinary(path, *arguments)

    monkeypatch.setattr(stream, "read_image", read)
    return names


def kept(base, photos, keep=True, **options):
    return on_disk.kept_features(base, PhotoStream(photos, preprocess_input, 20, 24, **options), keep, verbose=0)


def features(base, photos, **options):
    rows = kept(base, photos, **options)
    assert rows.shape == (len(rows), 4) and rows.dtype == np.float32 and len(rows.photos) == len(rows)
    return rows.read(slice(None))


def kept_files(name):
    return list((known.home_folder() / "features").glob(f"*/*/{name}"))


def test_kept_features_are_the_computed_ones(photos, looked_at):
    base = small_base()
    first = features(base, photos)
    assert len(looked_at) == 19 and first.shape == (19, 4)
    assert np.array_equal(features(base, photos), first) and len(looked_at) == 19
    assert np.array_equal(features(base, photos, keep=False), first), "bit for bit"
    assert np.array_equal(features(base, photos[::-1][:7]), first[::-1][:7]), "whatever stands beside it"
    expected = base.predict(preprocess_input(np.stack([data.read_image(p.path, 20, 24) for p in photos])), verbose=0)
    assert np.allclose(first, expected, rtol=1e-5)


def test_only_new_photographs_are_looked_at(photos, looked_at):
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
    rows = kept(base, photos)
    whole = rows.read(slice(None))
    assert np.array_equal(rows.read(np.array([3, 18, 3])), whole[[3, 18, 3]])
    assert np.array_equal(rows.read(slice(5, 9), epoch=4), whole[5:9])
    assert rows.digest == kept(base, photos).digest
    assert rows.digest != kept(base, photos[1:]).digest


def test_mirror_images(photos):
    base = small_base()
    rows = kept(base, photos, mirrored=True)
    assert len(rows) == 38 and rows.photos == photos * 2
    images = np.stack([data.read_image(photo.path, 20, 24) for photo in photos])
    expected = base.predict(preprocess_input(images[:, :, ::-1]), verbose=0)
    assert np.allclose(rows.read(slice(19, 38)), expected, rtol=1e-5)
    assert np.array_equal(rows.read(slice(19)), features(base, photos))
    assert np.array_equal(rows.read(slice(38)), features(base, photos, keep=False, mirrored=True)), "bit for bit"


def test_a_photograph_and_its_mirror_image_are_decoded_once(photos, looked_at):
    base = small_base()
    few = features(base, photos[:3])
    looked_at.clear()
    rows = features(base, photos, mirrored=True)  # of three photographs, the mirror images alone are new
    assert sorted(looked_at) == sorted(photo.path.name for photo in photos)
    assert np.array_equal(rows[:3], few)
    looked_at.clear()
    assert np.array_equal(features(base, photos, keep=False, mirrored=True), rows)
    assert sorted(looked_at) == sorted(photo.path.name for photo in photos)


def test_a_photograph_is_left_out_with_its_mirror_image(photos):
    kept(small_base(), photos)
    photos[4].path.unlink()
    rows = kept(small_base(), photos, mirrored=True)
    assert rows.photos == [*photos[:4], *photos[5:]] * 2 and [path for path, _ in rows.left_out] == [photos[4].path]
    assert len(kept(small_base(), photos)) == 19, "without mirror images, its features are there from before"


def test_room_for_what_is_not_there_yet(photos):
    def stream(photos, mirrored=False):
        return PhotoStream(photos, preprocess_input, 20, 24, mirrored=mirrored)

    base, row = small_base(), 4 * 4
    assert on_disk.room_for(base, stream(photos)) == (True, 19 * row)
    assert on_disk.room_for(base, stream(photos), keep=False) == (True, 19 * row)
    features(base, photos[:10])
    assert on_disk.room_for(base, stream(photos)) == (True, 9 * row)
    assert on_disk.room_for(base, stream(photos, mirrored=True)) == (True, (9 + 19) * row)
    assert on_disk.room_for(base, stream(photos), keep=False) == (True, 19 * row)


def test_what_would_make_kept_features_wrong_is_refused(photos):
    base = small_base()
    with pytest.raises(ArgumentError, match="the photographs differ in each epoch"):
        kept(base, photos, augment=Augmentation())
    stream = PhotoStream(photos, lambda images: images, 20, 24)
    with pytest.raises(ArgumentError, match="a name that does not identify one function"):
        on_disk.kept_features(base, stream, verbose=0)
    base.trainable = True
    with pytest.raises(ArgumentError, match="layer 'conv' is not frozen"):
        kept(base, photos)


@pytest.mark.parametrize("keep", [True, False])
def test_a_photograph_that_has_vanished_is_left_out(photos, keep):
    photos[4].path.unlink()
    photos[18].path.write_bytes(b"no image")
    rows = kept(small_base(), photos, keep)
    assert [photo.path.name for photo in rows.photos] == [f"{n}.png" for n in range(18) if n != 4]
    (first, reason), (second, why) = rows.left_out
    assert first == photos[4].path and "not there" in reason and second == photos[18].path and "cannot be read" in why
    for photo in photos:
        photo.path.unlink(missing_ok=True)
    with pytest.raises(DataError, match="none of the 19 photographs could be read: is not there"):
        kept(small_base(seed=2), photos, keep)


def test_a_photograph_that_has_changed_is_left_out(photos):
    """The features of a changed photograph must not be kept under its old digest."""
    before = photos[4].path.read_bytes()
    photos[4].path.write_bytes(photos[5].path.read_bytes())
    rows = kept(small_base(), photos)
    assert len(rows) == 18 and "has changed since" in rows.left_out[0][1]
    photos[4].path.write_bytes(before)
    again = features(small_base(), photos)
    assert np.array_equal(again, features(small_base(), photos, keep=False))


def test_rows_that_somebody_reads_are_never_written_again(photos):
    first = kept(small_base(), photos[:5])
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
    """The processes work one after the other, and the second one finds the features of the first."""
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

    ordinary = store.Store.__init__

    def init(self, *arguments):
        ordinary(self, *arguments)
        full = Full()
        full.file, self.file = self.file, full

    monkeypatch.setattr(store.Store, "__init__", init)
    with pytest.raises(DataError, match="no room for features of .* a photograph .No space left"):
        features(small_base(), photos)
    monkeypatch.undo()
    assert features(small_base(), photos).shape == (19, 4)


# ---- a source of another kind ----


class Recordings:
    """Sounds of a test's own, each cut into `parts`: any source with keys can be kept."""

    is_stream, noun, dtype = True, "recording", np.dtype("float32")

    def __init__(self, sounds, parts=3, louder=1.0):
        self.sounds, self.parts, self.louder, self.readings = sounds, parts, louder, []
        self.origins = [name for name in sounds for _ in range(parts)]
        self.keys = [f"{name}: {sounds[name].tobytes().hex()}, {k}" for name in sounds for k in range(parts)]
        self.preparation = ["recordings", louder]
        self.shape = (len(self.keys), 4)

    def __len__(self):
        return len(self.keys)

    def read_unchanged(self, positions):
        self.readings.append([self.origins[position] for position in positions])
        reasons = {p: "is silent" for p in positions if not self.sounds[self.origins[p]].any()}
        good = [position for position in positions if position not in reasons]
        parts = [np.split(self.sounds[self.origins[p]], self.parts)[p % self.parts] for p in good]
        return np.array(parts, self.dtype).reshape(-1, 4) * self.louder, reasons


@pytest.fixture
def sounds(rng):
    return {f"bird {n}": rng.standard_normal(12).astype(np.float32) for n in range(5)}


def small_ear(length=4):
    model = Sequential([Dense(2, input_shape=(length,), name="ear")])
    model.set_weights([np.arange(8.0).reshape(4, 2), np.ones(2)])
    transfer.freeze(model)
    return model


def test_a_source_of_another_kind_is_kept(sounds, capsys):
    source = Recordings(sounds)
    rows = on_disk.kept_features(small_ear(), source)
    assert "Features: 5 recordings went through the base, 0 were kept from before" in capsys.readouterr().out
    expected = np.stack(list(sounds.values())).reshape(15, 4) @ np.arange(8.0).reshape(4, 2) + 1
    assert rows.shape == (15, 2) and rows.positions == list(range(15)) and rows.left_out == []
    assert np.allclose(rows.read(slice(None)), expected, atol=1e-5)
    together = [batch for batch in source.readings if len(set(batch)) > 1]
    assert [len(batch) for batch in source.readings] == [6, 6, 3] and len(together) == 2, "an origin is read at once"
    source.readings.clear()
    again = on_disk.kept_features(small_ear(), source, verbose=0)
    assert again.digest == rows.digest and np.array_equal(again.read([1, 14]), rows.read([1, 14]))
    assert source.readings == []
    louder = on_disk.kept_features(small_ear(), Recordings(sounds, louder=2.0), verbose=0)
    assert louder.digest != rows.digest and np.allclose(louder.read(slice(None)) - 1, 2 * (expected - 1), atol=1e-4)


def test_an_origin_with_many_examples(rng):
    sounds = {name: rng.standard_normal(80).astype(np.float32) for name in ("owl", "wren")}
    source = Recordings(sounds, parts=20)
    rows = on_disk.kept_features(small_ear(), source, keep=False, verbose=0)
    assert [len(batch) for batch in source.readings] == [8, 8, 4, 8, 8, 4]
    assert np.allclose(rows.read(slice(None)), small_ear().predict(np.stack(list(sounds.values())).reshape(40, 4)))


def test_examples_of_a_source_that_cannot_be_read(sounds):
    sounds["bird 1"][:] = 0
    rows = on_disk.kept_features(small_ear(), Recordings(sounds), verbose=0)
    assert rows.positions == [0, 1, 2, *range(6, 15)] and rows.left_out == [("bird 1", "is silent")]
    silent = {name: np.zeros(12, np.float32) for name in ("coot", "rail", "crake")}
    with pytest.raises(DataError, match="none of the 3 recordings could be read: is silent"):
        on_disk.kept_features(small_ear(), Recordings(silent), verbose=0)
    with pytest.raises(DataError, match="none of the 0 recordings could be read"):
        on_disk.kept_features(small_ear(), Recordings({}), verbose=0)


def test_a_graph_for_inputs_of_any_size(photos):
    """The graph allows any size. The source states its own."""
    model = Sequential([Conv2D(4, 3, input_shape=(None, None, 3), name="conv")], name="base")
    transfer.freeze(model)
    rows = kept(model, photos)
    assert rows.shape == (19, 18, 22, 4)
    x = PhotoStream(photos, preprocess_input, 20, 24).read(slice(None))
    assert np.allclose(rows.read(slice(None)), model.predict(x, verbose=0), rtol=1e-4, atol=1e-3)

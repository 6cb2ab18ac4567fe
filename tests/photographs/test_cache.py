"""Kept features: one pass for one base, half precision for maps, a limit, and a command to see and clean."""

import hashlib
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from minitl import cli, transfer
from minitl.applications.vgg16 import preprocess_input
from minitl.data import Photo, PhotoStream
from minitl.errors import ArgumentError
from minitl.features import cache, on_disk
from minitl.features.store import Store
from minitl.files.home import home_folder
from minitl.layers import Conv2D, GlobalAveragePooling2D, MaxPooling2D
from minitl.models import Model, Sequential

pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
from PIL import Image


@pytest.fixture
def photos(tmp_path, rng):
    found = []
    for number in range(11):
        path = tmp_path / "photos" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(path)
        found.append(as_photo(path, number % 2))
    return found


def as_photo(path, label=0):
    return Photo(path, label, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def base(rng):
    model = Sequential(
        [
            Conv2D(4, 3, input_shape=(20, 24, 3), activation="relu", name="conv1"),
            MaxPooling2D(2, name="pool1"),
            Conv2D(6, 3, activation="relu", name="conv2"),
            MaxPooling2D(2, name="pool2"),
        ],
        name="base",
    )
    model.set_weights([rng.standard_normal(each.shape) for each in model.get_weights()])
    transfer.freeze(model)
    return model


def pooled(model, name):
    return Model(model.input, GlobalAveragePooling2D(name=f"{name}_any")(model.output_of(name)), name="base")


def stream(photos):
    return PhotoStream(photos, preprocess_input, 20, 24)


@pytest.fixture
def passed(monkeypatch):
    """Return a list that gets the number of examples of each batch that goes through layers."""
    counts, ordinary = [], on_disk.computed_rows

    def counting(*arguments):
        for rows in ordinary(*arguments):
            counts.append(len(rows.positions))
            yield rows

    monkeypatch.setattr(on_disk, "computed_rows", counting)
    return counts


def test_several_outputs_take_one_pass(base, photos, passed):
    graphs = [pooled(base, "pool1"), pooled(base, "pool2"), Model(base.input, base.output_of("pool1"))]
    first, second, maps = on_disk.kept_together(graphs, stream(photos), verbose=0)
    assert sum(passed) == 11 and first.shape == (11, 4) and second.shape == (11, 6) and maps.shape == (11, 9, 11, 4)
    passed.clear()
    for graph, rows in zip(graphs, (first, second, maps)):
        again = on_disk.kept_features(graph, stream(photos), verbose=0)
        assert np.array_equal(again.read(slice(None)), rows.read(slice(None))) and passed == []
        alone = on_disk.kept_features(graph, stream(photos), keep=False, verbose=0)
        assert np.array_equal(alone.read(slice(None)), rows.read(slice(None))), "bit for bit as when computed alone"
        passed.clear()


def test_only_what_is_missing_is_written(base, photos, passed):
    on_disk.kept_features(pooled(base, "pool1"), stream(photos[:5]), verbose=0)
    passed.clear()
    graphs = [pooled(base, "pool1"), pooled(base, "pool2")]
    one, two = on_disk.kept_together(graphs, stream(photos), verbose=0)
    assert sum(passed) == 11 and len(one) == len(two) == 11
    assert sorted(cache._number_of_rows(path.parent) for path in home_folder().glob("features/*/*/rows")) == [11, 11]


def test_the_key_is_that_of_what_is_computed(base, photos):
    """It does not depend on the names of the pooling and the input, or on what stands behind."""
    key = on_disk.key_of(pooled(base, "pool2"), stream(photos))
    with_head = transfer.replace_head(base, GlobalAveragePooling2D(name="another_name"))
    assert on_disk.key_of(with_head, stream(photos)) == key
    assert on_disk.key_of(pooled(base, "pool1"), stream(photos)) != key
    base.get_layer("conv1").bias += 1
    assert on_disk.key_of(pooled(base, "pool2"), stream(photos)) != key


def test_half_precision(tmp_path, rng):
    store = Store("key", (5, 7), "float32", tmp_path / "store", half=True)
    rows = rng.standard_normal((4, 5, 7)).astype(np.float32)
    rows[1] *= 1e6  # beyond half precision, as the maps of some networks are
    rows[2] = 0
    rows[3, 0, 0] = np.inf
    store.append("abcd", rows)
    store.save()
    assert (tmp_path / "store" / "set" / "rows").stat().st_size == 4 * (4 + 2 * 35)
    store.load()
    for key, row in zip("abc", rows):
        found = np.empty((5, 7), np.float32)
        store.read(store.place_of(key), found)
        assert np.abs(found - row).max() <= 2**-11 * np.abs(row).max(initial=0)
    store.read(store.place_of("d"), found)
    assert np.isinf(found[0, 0]) and np.isfinite(found[1:]).all()


def test_a_pooled_output_is_never_rounded(base, photos):
    exact = on_disk.kept_features(pooled(base, "pool2"), stream(photos), verbose=0)
    asked = on_disk.kept_features(pooled(base, "pool2"), stream(photos), verbose=0, half=True)
    assert np.array_equal(exact.read(slice(None)), asked.read(slice(None)))


def test_two_folders_do_not_wait_for_each_other(base, photos, tmp_path, monkeypatch):
    other = tmp_path / "others"
    other.mkdir()
    for photo in photos[6:]:
        photo.path.rename(other / photo.path.name)
    moved = [Photo(other / photo.path.name, photo.label, photo.sha256) for photo in photos[6:]]
    begun, go_on, ordinary = threading.Event(), threading.Event(), on_disk.computed_rows

    def waiting(*arguments, **options):
        begun.set()
        assert go_on.wait(60)
        yield from ordinary(*arguments, **options)

    monkeypatch.setattr(on_disk, "computed_rows", waiting)
    thread = threading.Thread(
        target=on_disk.kept_features, args=(pooled(base, "pool2"), stream(photos[:6])), kwargs={"verbose": 0}
    )
    thread.start()
    assert begun.wait(60)
    monkeypatch.setattr(on_disk, "computed_rows", ordinary)
    assert len(on_disk.kept_features(pooled(base, "pool2"), stream(moved), verbose=0)) == 5, "while the other one works"
    go_on.set()
    thread.join(60)
    assert not thread.is_alive() and len(cache.contents()) == 2


def kept_for_three_folders(base, photos, tmp_path):
    """Keep features of three folders, the first one least recently used. Returns the folders."""
    folders = []
    for number in range(3):
        folder = tmp_path / f"folder{number}"
        folder.mkdir()
        for k, name in enumerate("ab"):
            (folder / name).write_bytes(photos[2 * number + k].path.read_bytes())
        some = [as_photo(folder / name) for name in "ab"]
        on_disk.kept_features(pooled(base, "pool2"), stream(some), verbose=0, about={"folder": str(folder)})
        folders.append(str(folder))
    for number, folder in enumerate(folders):
        (entry,) = [entry for entry in cache.contents() if entry.folder == folder]
        for path in entry.paths:
            for file in path.iterdir():
                os.utime(file, (1000 + number, 1000 + number))
    return folders


def test_the_least_recently_used_goes_first(base, photos, tmp_path, monkeypatch, capsys):
    folders = kept_for_three_folders(base, photos, tmp_path)
    entries = cache.contents()
    assert [entry.folder for entry in entries] == folders[::-1]
    monkeypatch.setenv("MINITL_CACHE_LIMIT", f"{(entries[0].size + entries[1].size + 10) / 1e6} MB")
    cache.keep_within_limit(home_folder() / "features")
    assert sorted(entry.folder for entry in cache.contents()) == folders[1:]
    assert folders[0] in capsys.readouterr().out.replace("\n", "")


def test_what_is_in_use_stays(base, photos, tmp_path, monkeypatch, capsys):
    rows = on_disk.kept_features(pooled(base, "pool2"), stream(photos), verbose=0)
    monkeypatch.setenv("MINITL_CACHE_LIMIT", "0")
    cache.keep_within_limit(home_folder() / "features")
    removed, left = cache.clean()
    assert removed == [] and len(left) == 1 and np.isfinite(rows.read(slice(None))).all()
    del rows
    removed, left = cache.clean()
    assert len(removed) == 1 and left == [] and cache.contents() == []
    assert list((home_folder() / "features").iterdir()) == []


@pytest.mark.parametrize("limit", ["ten", "-1", "1 GiB", "nan"])
def test_a_limit_that_is_none_is_refused_before_the_work(base, photos, monkeypatch, limit, passed):
    monkeypatch.setenv("MINITL_CACHE_LIMIT", limit)
    with pytest.raises(ArgumentError, match="MINITL_CACHE_LIMIT is .*expected a number of GB"):
        on_disk.kept_features(pooled(base, "pool2"), stream(photos), verbose=0)
    assert passed == []


def test_limits(monkeypatch):
    for text, expected in (("", 10e9), ("20", 20e9), ("0.5", 5e8), ("500 MB", 5e8), ("3GB", 3e9)):
        monkeypatch.setenv("MINITL_CACHE_LIMIT", text)
        assert cache.limit_bytes() == expected


def test_a_set_without_rows_is_not_listed(base, photos, capsys):
    """The features of this folder are all found in another set, so its own stays empty."""
    first, again = ({"base": "small", "folder": folder} for folder in ("first", "again"))
    on_disk.kept_features(pooled(base, "pool2"), stream(photos), verbose=0, about=first)
    on_disk.kept_features(pooled(base, "pool2"), stream(photos[:4]), verbose=0, about=again)
    assert len(list((home_folder() / "features").glob("*/*/rows"))) == 2
    assert cli.main(["cache", "list"]) == 0
    text = capsys.readouterr().out
    assert text.count("\nfeatures ") == 1 and "small" in text and "?" not in text


def test_the_command_lists_and_cleans(base, photos, tmp_path, capsys):
    folders = kept_for_three_folders(base, photos, tmp_path)
    run = home_folder() / "runs" / "abc"
    (run / "head").mkdir(parents=True)
    (run / "head" / "000001-0123456789abcdef.safetensors").write_bytes(b"x" * 1000)
    (run / "about.json").write_text(json.dumps({"folder": "/somewhere"}))
    (home_folder() / "models").mkdir(exist_ok=True)
    (home_folder() / "models" / "weights.h5").write_bytes(b"y" * 2000)
    assert cli.main(["cache", "list", "--json", str(tmp_path / "list.json")]) == 0
    text = capsys.readouterr().out
    listed = json.loads((tmp_path / "list.json").read_text())
    assert [entry["kind"] for entry in listed] == ["features"] * 3 + ["run", "weights"]
    assert sorted(entry["folder"] for entry in listed[:3]) == folders and listed[0]["count"] == 2
    assert "weights.h5" in text and "/somewhere" in text and all(len(line) <= 80 for line in text.splitlines())
    assert [("last_used" in entry, "fetched" in entry) for entry in listed] == [(True, False)] * 4 + [(False, True)]
    assert "Of weights, `used` is when they were fetched." in text
    assert cli.main(["cache", "clean"]) == 0
    assert [entry.kind for entry in cache.contents()] == ["run", "weights"]
    assert cli.main(["cache", "clean", "--runs"]) == 0 and [entry.kind for entry in cache.contents()] == ["weights"]
    assert cli.main(["cache", "clean", "--weights"]) == 0 and cache.contents() == []
    assert cli.main(["cache", "list"]) == 0 and "nothing is kept" in capsys.readouterr().out


def test_another_process_that_reads_is_noticed(base, photos, tmp_path):
    on_disk.kept_features(pooled(base, "pool2"), stream(photos), verbose=0)
    (rows,) = home_folder().glob("features/*/*/rows")
    program = (
        "import sys; from minitl.files.locks import hold\n"
        f"file = open({str(rows)!r}, 'r+b'); hold(file); print('held', flush=True); sys.stdin.read()"
    )
    reader = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert reader.stdout.readline() == "held\n"
    assert cache.clean()[0] == [] and rows.exists()
    reader.communicate("", timeout=60)
    assert len(cache.clean()[0]) == 1 and not rows.exists()


def test_examples_that_vanish_are_left_out_everywhere(base, photos):
    on_disk.kept_features(pooled(base, "pool1"), stream(photos), verbose=0)
    photos[3].path.unlink()
    one, two = on_disk.kept_together([pooled(base, "pool1"), pooled(base, "pool2")], stream(photos), verbose=0)
    assert len(one) == len(two) == 10 and one.positions == two.positions

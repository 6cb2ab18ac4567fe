"""Features kept on disk are those that would be computed, bit for bit; and the command that is built on them."""

import json

import numpy as np
import pytest

from minitl import cli, data, feature_store, transfer
from minitl.applications.vgg16 import preprocess_input
from minitl.data import Photo
from minitl.layers import Conv2D, GlobalAveragePooling2D
from minitl.models import Sequential
from minitl.weights import known

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
        found.append(Photo(path, number % 2, f"{number:064}"))
    return found


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
    return feature_store.features_of(base, photos, preprocess_input, verbose=0, **options)


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
    assert len(list((known.home_folder() / "features").iterdir())) == 3


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:200], lambda b: b[:300] + b"\xff" * 20 + b[320:]])
def test_damaged_features_are_computed_again(photos, looked_at, damage):
    base = small_base()
    first = features(base, photos)
    (place,) = (known.home_folder() / "features").iterdir()
    place.write_bytes(damage(place.read_bytes()))
    looked_at.clear()
    assert np.array_equal(features(base, photos), first) and len(looked_at) == 19


def test_where_nothing_can_be_kept(photos, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("MINITL_HOME", str(tmp_path / "file"))
    assert features(small_base(), photos).shape == (19, 4)
    assert "could not be kept for the next run" in capsys.readouterr().out


def test_a_folder_of_photographs(photographs_folder, full_base, tmp_path, capsys):
    """Ants and bees with the real base: a few of them, and one file that is no photograph."""
    for part, count in ("train", 8), ("val", 5):
        for name in "ants", "bees":
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for path in sorted((photographs_folder / part / name).glob("*.jpg"))[:count]:
                (folder / path.name).write_bytes(path.read_bytes())
    (tmp_path / "photos" / "train" / "ants" / "notes.jpg").write_text("no photograph")
    (known.home_folder() / "models").mkdir(parents=True)
    (known.home_folder() / "models" / full_base.name).symlink_to(full_base)
    model, results = tmp_path / "model.h5", tmp_path / "results.json"
    arguments = ["finetune", str(tmp_path / "photos"), "--save", str(model), "--json", str(results)]
    assert cli.main(arguments) == 0
    text, first = capsys.readouterr().out, json.loads(results.read_text())
    assert "16 pictures went through the base, 0 were kept" in text and "notes.jpg: cannot be read" in text
    assert first["training_pictures"] == 16 and first["pictures"] == 10 and first["accuracy"] >= 0.7
    assert any("not one bit changed" in line for line in first["ledger"])
    assert cli.main(arguments) == 0
    text, again = capsys.readouterr().out, json.loads(results.read_text())
    assert "0 pictures went through the base, 16 were kept" in text
    assert again["history"] == first["history"] and again["accuracy"] == first["accuracy"]
    assert cli.main(["evaluate", str(model), str(tmp_path / "photos" / "val"), "--json", str(results)]) == 0
    assert json.loads(results.read_text())["confusion"] == first["confusion"]
    bee = next((tmp_path / "photos" / "train" / "bees").iterdir())
    capsys.readouterr()
    assert cli.main(["predict", str(model), str(bee)]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[1] == "bees"
    assert cli.main([*arguments, "--strict"]) == 1 and "notes.jpg" in capsys.readouterr().err
    assert cli.main([*arguments, "--cut", "block2_pool"]) == 1
    assert "--cut goes with the bundled pictures" in capsys.readouterr().err

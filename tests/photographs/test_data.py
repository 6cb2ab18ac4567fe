"""Images: the bundled set, resizing, and files that are no images."""

import hashlib
import re

import numpy as np
import pytest
from conftest import REPOSITORY

from minitl import data
from minitl.errors import DataError
from minitl.weights import bundled_file


def test_the_bundled_set():
    image_set = data.fashion_mnist_few_shot()
    assert image_set.x_train.shape == (500, 28, 28) and image_set.x_test.shape == (1000, 28, 28)
    assert image_set.x_train.dtype == np.uint8 and image_set.class_names[9] == "Ankle boot"
    assert (np.bincount(image_set.y_train) == 50).all() and (np.bincount(image_set.y_test) == 100).all()


def test_bundled_files_are_the_documented_ones():
    page = (REPOSITORY / "weights" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"\| `(\w+\.(?:h5|json))` .* \| ([\d,]+) \| `([0-9a-f]{64})` \|", page)
    assert len(rows) == 6
    for name, size, digest in rows:
        content = bundled_file(name).read_bytes()
        assert len(content) == int(size.replace(",", "")) and hashlib.sha256(content).hexdigest() == digest


def test_resizing():
    ramp = np.arange(4.0)[None, None, :] * np.ones((1, 3, 1))
    doubled = data.resize(ramp, 6, 8)
    assert doubled.shape == (1, 6, 8) and doubled.dtype == np.float32
    # Pixel centres: new pixel i lies at i/2 - 1/4 on the old axis. Beyond the ends, the pixel there counts.
    assert np.allclose(doubled[0, 0], [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
    assert np.allclose(data.resize(ramp, 3, 4), ramp)
    assert data.resize(np.full((2, 5, 7, 3), 9, np.uint8), 11, 1).shape == (2, 11, 1, 3)
    assert np.allclose(data.resize(np.full((2, 5, 7, 3), 9), 11, 13), 9)


def test_grey_to_rgb(rng):
    grey = rng.integers(0, 256, (2, 4, 5))
    assert np.array_equal(data.grey_to_rgb(grey), data.grey_to_rgb(grey[..., None]))
    assert (data.grey_to_rgb(grey) == grey[..., None]).all()


def test_array_files(tmp_path, rng):
    image = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    np.save(tmp_path / "image.npy", image)
    assert np.allclose(data.read_image(tmp_path / "image.npy", 9, 9), image)
    np.save(tmp_path / "grey.npy", image[..., 0])
    assert data.read_image(tmp_path / "grey.npy", 4, 4).shape == (4, 4, 3)
    np.save(tmp_path / "float.npy", image / 255)
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "text.npy").write_text("no array")
    for name, message in (
        ("float", "expected uint8"),
        ("objects", "cannot be read"),
        ("text", "cannot be read"),
        ("gone", "is not there"),
    ):
        with pytest.raises(DataError, match=f"{name}.npy: .*{message}"):
            data.read_image(tmp_path / f"{name}.npy", 9, 9)


def test_array_files_are_cut_like_images(tmp_path):
    image = np.zeros((20, 40, 3), np.uint8)
    image[:, 10:30] = 255
    np.save(tmp_path / "wide.npy", image)
    assert (data.read_image(tmp_path / "wide.npy", 10, 10) == 255).all(), "the middle, and not squeezed"


def test_image_files(tmp_path, rng):
    image_module = pytest.importorskip("PIL.Image", reason="needs the extra 'images'")
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, 10:30] = (255, 0, 0)
    drawn = image_module.fromarray(pixels)
    drawn.save(tmp_path / "wide.png")
    image = data.read_image(tmp_path / "wide.png", 10, 10)
    assert (image[:, 1:-1] == [255, 0, 0]).all() and (image[..., 0] > 200).all(), "the middle, and nothing else"
    exif = image_module.Exif()
    exif[0x0112] = 6  # the camera was held upright
    drawn.save(tmp_path / "turned.png", exif=exif)
    turned = data.read_image(tmp_path / "turned.png", 10, 5)
    assert (turned[[0, -1]] == 0).all() and (turned[5] == [255, 0, 0]).all()
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name, message in ("empty.jpg", "cannot be read as an image"), ("gone.jpg", "is not there"):
        with pytest.raises(DataError, match=f"{name}: {message}"):
            data.read_image(tmp_path / name, 10, 10)

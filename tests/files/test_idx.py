"""The original files of Fashion-MNIST: read as they are, and refused where they are not."""

import gzip
import tracemalloc

import numpy as np
import pytest
from conftest import shared

from minitl import data
from minitl.data.idx import FILES
from minitl.errors import DataError


def idx(array, kind=8, shape=None):
    """Return the bytes of an idx file, by the format's definition."""
    shape = array.shape if shape is None else shape
    return bytes([0, 0, kind, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape) + array.tobytes()


def write(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 4), (5, 28, 28), (2, 0, 3)])
def test_what_was_written_is_read(tmp_path, rng, shape):
    array = rng.integers(0, 256, shape, dtype=np.uint8)
    for name, content in ("plain", idx(array)), ("packed.gz", gzip.compress(idx(array))):
        found = data.read_idx(write(tmp_path / name, content))
        assert found.dtype == np.uint8 and np.array_equal(found, array) and found.shape == shape


GOOD = idx(np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
BAD = {
    "empty": (b"", "is cut short: expected its header, found 0 bytes"),
    "text": (b"<html>no file of that name</html>", "is no idx file: it begins with the bytes 3c 68 74 6d"),
    "no_axes": (b"\0\0\x08\0", "is no idx file"),
    "floats": (idx(np.zeros(3, ">f4"), kind=0x0D), "holds numbers of type 0x0d; expected unsigned bytes, 0x08"),
    "short_header": (GOOD[:11], "is cut short: expected its header, found 7 bytes"),
    "short": (GOOD[:-1], r"is cut short: expected the 60 bytes of its shape \(3, 4, 5\), found 59"),
    "long": (GOOD + b"\0", r"goes on behind the 60 bytes of its shape \(3, 4, 5\)"),
    "huge": (idx(np.zeros(0, np.uint8), shape=(2**32 - 1,) * 4), "says that it holds 340,.* at most 1,073,741,824"),
    "cut.gz": (gzip.compress(GOOD)[:-9], "the gzip file is cut short or damaged"),
    "checksum.gz": (gzip.compress(GOOD)[:-8] + bytes(8), "the gzip file is damaged: CRC check failed"),
    "tail.gz": (gzip.compress(GOOD) + b"tail", "the gzip file is damaged"),
    "short.gz": (gzip.compress(GOOD[:-1]), "is cut short: expected the 60 bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_and_refused(tmp_path, name):
    content, message = BAD[name]
    with pytest.raises(DataError, match=f"{name}: .*{message}"):
        data.read_idx(write(tmp_path / name, content))


def test_files_that_are_none(tmp_path):
    for path, message in (tmp_path / "gone", "No such file"), (tmp_path, "cannot be read"):
        with pytest.raises(DataError, match=message):
            data.read_idx(path)


def test_a_bomb_is_not_unpacked(tmp_path):
    path = write(tmp_path / "bomb.gz", gzip.compress(GOOD + bytes(10_000_000), 1))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="goes on behind"):
            data.read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_damage_is_an_error_or_other_pixels(tmp_path, rng):
    """Change any byte: the result is a DataError, or an array. gzip's checksum makes sure that it is the right one."""
    packed, refused = gzip.compress(GOOD), 0
    for content in (GOOD, packed):
        for _ in range(150):
            damaged = bytearray(content)
            damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
            try:
                found = data.read_idx(write(tmp_path / "damaged", bytes(damaged)))
            except DataError:
                refused += 1
            else:
                assert found.dtype == np.uint8
                if content is packed:
                    assert found.tobytes() == GOOD[16:]
    assert refused > 100


@pytest.fixture
def folder(tmp_path, rng):
    """Write the four files in small: 20 images to learn from, 10 to test on, two of the files unpacked."""
    for part, name in FILES.items():
        count = 20 if part.endswith("train") else 10
        shape = (count, 28, 28) if part.startswith("x") else (count,)
        array = rng.integers(0, 256, shape, dtype=np.uint8) if part.startswith("x") else np.arange(count) % 10
        content = idx(array.astype(np.uint8))
        if part.endswith("test"):
            write(tmp_path / name, content)
        else:
            write(tmp_path / f"{name}.gz", gzip.compress(content))
    return tmp_path


def test_the_four_files(folder):
    image_set = data.fashion_mnist(folder)
    assert image_set.x_train.shape == (20, 28, 28) and image_set.x_test.shape == (10, 28, 28)
    assert image_set.y_train.tolist() == [*range(10), *range(10)]
    assert image_set.class_names == data.fashion_mnist_few_shot().class_names


def test_missing_files_are_named_with_where_to_get_them(folder, tmp_path):
    (folder / FILES["y_test"]).unlink()
    gone = tmp_path / "gone"
    for place, found in (folder, "found a folder without t10k-labels-idx1-ubyte."), (gone, "found no folder"):
        with pytest.raises(DataError) as error:
            data.fashion_mnist(place)
        message = str(error.value)
        assert found in message and "https://github.com/zalandoresearch/fashion-mnist" in message
        assert all(f"{name}.gz" in message for name in FILES.values())


@pytest.mark.parametrize(
    "part, array, message",
    [
        ("x_test", np.zeros((10, 28, 27), np.uint8), r"expected images \(N, 28, 28\)"),
        ("x_test", np.zeros((10,), np.uint8), r"holds an array \(10,\); expected images"),
        ("y_test", np.zeros((9,), np.uint8), r"holds an array \(9,\); expected a label for each of the 10 images"),
        ("y_test", np.arange(1, 11, dtype=np.uint8), "has the label 10; expected 0 to 9"),
        ("y_test", np.zeros((10,), np.uint8), "no image is of class 'Trouser'"),
    ],
)
def test_images_and_labels_must_belong_together(folder, part, array, message):
    write(folder / FILES[part], idx(array))
    with pytest.raises(DataError, match=f"{FILES[part]}: .*{message}"):
        data.fashion_mnist(folder)


def test_the_original_files():
    folder = shared("data/fashion_mnist", "Fashion-MNIST's original files")
    images, labels = (data.read_idx(folder / f"{FILES[part]}.gz") for part in ("x_test", "y_test"))
    assert images.shape == (10_000, 28, 28) and (np.bincount(labels) == 1000).all()
    bundled = data.fashion_mnist_few_shot()
    first = np.sort(np.concatenate([np.flatnonzero(labels == label)[:100] for label in range(10)]))
    assert np.array_equal(images[first], bundled.x_test) and np.array_equal(labels[first], bundled.y_test)

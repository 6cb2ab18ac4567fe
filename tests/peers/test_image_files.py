"""The same photographs, with Keras and with minitl: `load_img` and its kin, `ImageDataGenerator`, folders of images."""

import os
import warnings

import keras
import numpy as np
import pytest
from keras.src.legacy.preprocessing import image as legacy
from keras.src.utils import dataset_utils, image_dataset_utils, numerical_utils
from PIL import Image

from minitl import utils
from minitl.data.image_dataset import resized
from minitl.preprocessing import image as ours

SIZES = [(37, 23), (20, 40), (31, 31)]


@pytest.fixture
def folder(tmp_path, rng):
    """Return a folder with three classes, of images of several kinds and sizes, one of them in a folder within."""
    for number, name in enumerate(("bees", "ants", "wasps")):
        (tmp_path / name / "more").mkdir(parents=True)
        for k in range(5 + number):
            mode = ("RGB", "L", "P", "RGBA", "RGB")[k % 5]
            image = Image.fromarray(rng.integers(0, 256, (*SIZES[k % 3], 3), dtype=np.uint8)).convert(mode)
            place = tmp_path / name / ("more" if k == 3 else "")
            image.save(place / f"{(k * 7) % 10}.{'jpg' if mode in ('RGB', 'L') else 'png'}")
    (tmp_path / "bees" / "notes.txt").write_text("no image")
    return tmp_path


def files_of(folder):
    return [os.path.join(root, name) for root, _, names in os.walk(folder) for name in names if name[0].isdigit()]


@pytest.mark.parametrize("color_mode", ["rgb", "rgba", "grayscale"])
def test_images_in_files(folder, color_mode):
    for path in files_of(folder):
        for options in (
            {},
            {"target_size": (24, 30)},
            {"target_size": (24, 30), "interpolation": "bilinear", "keep_aspect_ratio": True},
            {"target_size": (50, 17), "interpolation": "lanczos"},
        ):
            theirs, mine = (each.load_img(path, color_mode, **options) for each in (keras.utils, utils))
            assert theirs.mode == mine.mode
            theirs, mine = keras.utils.img_to_array(theirs), utils.img_to_array(mine)
            assert theirs.dtype == mine.dtype and np.array_equal(theirs, mine)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_arrays_as_images(rng, tmp_path, channels):
    for x in rng.normal(size=(5, 6, channels)), rng.integers(0, 256, (5, 6, channels)), np.zeros((5, 6, channels)):
        for scale in (True, False):
            x = x if scale else np.clip(x, 0, 255)
            theirs, mine = (each.array_to_img(x, scale=scale) for each in (keras.utils, utils))
            assert theirs.mode == mine.mode and np.array_equal(np.asarray(theirs), np.asarray(mine))
            for library in keras.utils, utils:
                library.save_img(tmp_path / f"{library.__name__}.png", x, scale=scale)
            pixels = [np.asarray(Image.open(tmp_path / f"{each.__name__}.png")) for each in (keras.utils, utils)]
            assert np.array_equal(*pixels)


PARAMETERS = [
    {"theta": 30},
    {"tx": 3.4, "ty": -2.2},
    {"shear": 20},
    {"zx": 0.7, "zy": 1.3},
    {"theta": -75, "tx": 8, "ty": 5.5, "shear": -10, "zx": 1.4, "zy": 0.8, "flip_horizontal": True},
    {"flip_vertical": True, "channel_shift_intensity": 25.0},
    {"brightness": 0.6},
    {},
]


@pytest.mark.parametrize("fill_mode", ["nearest", "constant", "reflect", "wrap"])
@pytest.mark.parametrize("order", [0, 1])
def test_transforms_with_given_parameters(rng, fill_mode, order):
    x = (255 * rng.random((17, 12, 3))).astype(np.float32)
    options = {"fill_mode": fill_mode, "cval": 7.0, "interpolation_order": order}
    for parameters in PARAMETERS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = legacy.ImageDataGenerator(**options).apply_transform(x.copy(), parameters)
        mine = ours.ImageDataGenerator(**options).apply_transform(x.copy(), parameters)
        assert np.allclose(theirs, mine, atol=1e-3), parameters


def test_parameters_of_a_seed_and_normalization(rng):
    options = {
        "rotation_range": 20, "width_shift_range": 0.2, "height_shift_range": 3, "shear_range": 10,
        "zoom_range": 0.3, "channel_shift_range": 9.0, "horizontal_flip": True, "vertical_flip": True,
        "brightness_range": (0.5, 1.5),
    }  # fmt: skip
    theirs, mine = legacy.ImageDataGenerator(**options), ours.ImageDataGenerator(**options)
    for seed in range(9):
        expected, found = (each.get_random_transform((30, 20, 3), seed) for each in (theirs, mine))
        assert {name: float(value) for name, value in expected.items()} == {n: float(v) for n, v in found.items()}
    x = 255 * rng.random((6, 8, 9, 3))
    for options in (
        {"rescale": 1 / 255, "samplewise_center": True},
        {"samplewise_std_normalization": True, "samplewise_center": True},
        {"featurewise_center": True, "featurewise_std_normalization": True, "rescale": 1 / 255},
        {"preprocessing_function": lambda image: image / 2 - 1},
    ):
        both = legacy.ImageDataGenerator(**options), ours.ImageDataGenerator(**options)
        for each in both:
            each.fit(x)
        theirs, mine = (each.standardize(x.astype(np.float32)) for each in both)
        assert np.allclose(theirs, mine, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("class_mode", ["categorical", "sparse", "input", None])
@pytest.mark.parametrize("subset", [None, "training", "validation"])
def test_a_generator_of_a_folder(folder, class_mode, subset):
    flows = [
        each.ImageDataGenerator(rescale=1 / 255, validation_split=0.3).flow_from_directory(
            str(folder), (16, 20), class_mode=class_mode, batch_size=4, shuffle=False, subset=subset, color_mode="rgb"
        )
        for each in (legacy, ours)
    ]
    theirs, mine = flows
    for name in "filenames", "class_indices", "samples", "n", "batch_size", "num_classes", "image_shape", "class_mode":
        assert getattr(theirs, name) == getattr(mine, name), name
    assert np.array_equal(theirs.classes, mine.classes) and len(theirs) == len(mine)
    for _ in range(len(theirs) + 1):  # into the second pass
        expected, found = next(theirs), next(mine)
        for a, b in zip(expected, found, strict=True) if class_mode else [(expected, found)]:
            assert a.dtype == b.dtype and np.allclose(a, b, atol=1e-6)
    assert np.allclose(theirs[0][0], mine[0][0], atol=1e-6)


def test_chosen_classes_and_arrays(folder, rng):
    for each in (legacy, ours):
        flow = each.ImageDataGenerator().flow_from_directory(
            str(folder), (9, 9), classes=["wasps", "ants"], shuffle=False
        )
        assert flow.class_indices == {"wasps": 0, "ants": 1} and flow.n == 13
    x, y = rng.integers(0, 256, (11, 8, 8, 3), dtype=np.uint8), np.arange(11) % 2
    flows = [
        each.ImageDataGenerator(rescale=0.5, validation_split=0.4).flow(
            x, y, 3, shuffle=False, sample_weight=y / 2, subset=None
        )
        for each in (legacy, ours)
    ]
    for _ in range(5):
        for a, b in zip(*map(next, flows), strict=True):
            assert np.allclose(a, b)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("subset", [None, "training", "validation"])
def test_the_files_of_a_dataset(folder, shuffle, subset):
    share = 0.3 if subset else None
    paths, labels, names = dataset_utils.index_directory(
        str(folder), "inferred", image_dataset_utils.ALLOWLIST_FORMATS, shuffle=shuffle, seed=3, verbose=False
    )
    paths, labels = dataset_utils.get_training_or_validation_split(paths, labels, share, subset)
    found = utils.image_dataset_from_directory(
        str(folder), shuffle=shuffle, seed=3, validation_split=share, subset=subset, image_size=(12, 15), verbose=0
    )
    assert found.file_paths == paths and found.class_names == names
    x, y = next(iter(found.take(1)))
    assert x.shape == (min(32, len(paths)), 12, 15, 3)
    order = [found.file_paths.index(path) for path in found.take(1).file_paths]
    assert np.array_equal(y, np.asarray(labels)[order])
    for path, image in zip(found.take(1).file_paths, x):
        pixels = keras.utils.img_to_array(keras.utils.load_img(path))
        assert np.allclose(keras.ops.image.resize(pixels, (12, 15)), image, atol=1e-3)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("size", [(12, 15), (40, 21), (7, 33)])
def test_resizing(rng, interpolation, size):
    x = rng.random((19, 26, 3)).astype(np.float32)
    for crop in (True, False):
        expected = keras.ops.image.resize(x, size, interpolation, crop_to_aspect_ratio=crop)
        assert np.allclose(expected, resized(x, size, interpolation, crop), atol=1e-5)


def test_one_hot_and_normalize(rng):
    for x in [0, 2, 1], np.array([[1], [0]]), np.array([[0, 2], [1, 1]]), np.array([1.0, 3.0]):
        for classes in (None, 5):
            assert np.array_equal(keras.utils.to_categorical(x, classes), utils.to_categorical(x, classes))
    x = rng.normal(size=(4, 5))
    assert np.allclose(numerical_utils.normalize(x, 1, 1), utils.normalize(x, 1, 1))
    assert np.allclose(numerical_utils.normalize(x), utils.normalize(x))

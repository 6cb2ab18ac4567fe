"""Programs as the public writes them (`tests/programs/keras`), run with Keras and, with their imports changed, with
minitl: the same numbers."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.src.legacy.preprocessing import image as legacy
from keras.src.utils import dataset_utils, image_dataset_utils
from PIL import Image

PROGRAMS = sorted((Path(__file__).parent.parent / "programs" / "keras").glob("*.py"))


class Dataset(keras.utils.PyDataset):
    """A stand-in for Keras's image_dataset_from_directory, which needs TensorFlow, made of Keras's other functions."""

    def __init__(self, folder, image_size, batch_size, shuffle):
        super().__init__()
        index = dataset_utils.index_directory
        formats = image_dataset_utils.ALLOWLIST_FORMATS
        self.file_paths, self.labels, self.class_names = index(folder, "inferred", formats, shuffle=shuffle)
        self.image_size, self.batch_size = image_size, batch_size

    def __len__(self):
        return -(-len(self.file_paths) // self.batch_size)

    def __getitem__(self, number):
        part = slice(number * self.batch_size, (number + 1) * self.batch_size)
        pixels = [keras.utils.img_to_array(keras.utils.load_img(path)) for path in self.file_paths[part]]
        images = [np.asarray(keras.ops.image.resize(each, self.image_size)) for each in pixels]
        return np.stack(images), self.labels[part]


@pytest.fixture
def folder(tmp_path):
    """Return a folder of photographs of two classes, which differ by their colour."""
    rng = np.random.default_rng(4)
    for number, name in enumerate(("ants", "bees")):
        (tmp_path / name).mkdir()
        for k in range(11):
            pixels = rng.integers(0, 156, (30 + k, 26, 3)) + np.array([100 * number, 0, 100 - 100 * number])
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name / f"{k}.png")
    return str(tmp_path)


def start(model):
    """Give a model its first weights: the same ones in both libraries."""
    rng = np.random.default_rng(8)
    first = [rng.normal(0, 0.3, weight.shape) for weight in model.get_weights()]
    model.set_weights([each**2 if each.ndim == 1 else each for each in first])  # variances are not negative


@pytest.mark.filterwarnings("ignore:the examples came to their end")  # Keras warns of it as well
@pytest.mark.filterwarnings("ignore:the labels are in order")  # a fixed order, so that both have the same numbers
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_the_same_numbers(path, folder, monkeypatch):
    monkeypatch.setattr(keras.preprocessing.image, "ImageDataGenerator", legacy.ImageDataGenerator, raising=False)
    monkeypatch.setattr(keras.utils, "image_dataset_from_directory", Dataset)
    results = []
    for source in path.read_text(), re.sub(r"\bkeras\b", "minitl", path.read_text()):
        program = {}
        exec(compile(source, path.name, "exec"), program)
        results.append(program["main"](folder, start))
    expected, found = results
    assert list(expected) == list(found) or set(expected) == set(found)
    for name, values in expected.items():
        if np.asarray(values).dtype.kind == "U":
            assert list(values) == list(found[name]), name
        else:
            assert np.allclose(values, found[name], rtol=2e-4, atol=2e-5), (name, values, found[name])

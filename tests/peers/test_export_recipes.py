"""`minitl weights export` takes every model that the recipes save, and ONNX Runtime gives minitl's answers."""

import csv
import json

import numpy as np
import pytest
from cases.layers import several
from PIL import Image

from minitl import applications, cli
from minitl.applications import VGG16
from minitl.data import read_image
from minitl.data.shapes import shapes_on_textures
from minitl.models import load_model
from minitl.recipes import (
    classify,
    finetune_clothing,
    finetune_detection,
    finetune_photographs,
    finetune_segmentation,
    finetune_texts,
    train_language_model,
)
from minitl.utils import set_random_seed

from .compare import assert_close

onnx = pytest.importorskip("onnx", reason="needs the extra 'convert': pip install -e '.[convert]'")
ort = pytest.importorskip("onnxruntime", reason="needs the extra 'peers': pip install -e '.[peers]'")
WORDS = "the a film story with and of this was its actors music scene good bad".split()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Return the path of a file with random weights for VGG16's convolutions."""
    set_random_seed(0)
    path = tmp_path_factory.mktemp("base") / "random.h5"
    VGG16(weights=None, include_top=False).save_weights(path)
    return path


def photographs(folder, base):
    """Fine-tune on photographs of two classes."""
    drawn = shapes_on_textures(12, 40, 48, seed=5)
    for number, image in enumerate(drawn.images):
        place = folder / "photos" / ("even", "odd")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.png")
    finetune_photographs(
        folder / "photos", weights=base, image_size=32, epochs=3, head="unit", learning_rate=1.0,
        save=folder / "m.h5", verbose=0,
    )  # fmt: skip


def pixels(folder, base, network="unet"):
    """Fine-tune on images with masks."""
    drawn = shapes_on_textures(8, 32, 64, seed=5)
    for kind, arrays in (("images", drawn.images), ("masks", drawn.masks)):
        (folder / "pixels" / kind).mkdir(parents=True)
        for number, array in enumerate(arrays):
            Image.fromarray(array).save(folder / "pixels" / kind / f"{number}.png")
    options = dict(network=network, filters=4, epochs=1, variations=1, verbose=0)
    finetune_segmentation(folder / "pixels", weights=base, save=folder / "m.h5", **options)


def boxes(folder, base):
    """Fine-tune on images with boxes, in COCO's layout."""
    drawn = shapes_on_textures(8, 64, 64, seed=3)
    for part, numbers in (("train", range(6)), ("val", range(6, 8))):
        (folder / "boxes" / part).mkdir(parents=True)
        images, found = [], []
        for number in numbers:
            images.append({"id": number, "file_name": f"{number}.png", "width": 64, "height": 64})
            Image.fromarray(drawn.images[number]).save(folder / "boxes" / part / f"{number}.png")
            for (left, top, right, bottom), label in zip(drawn.boxes[number].tolist(), drawn.labels[number].tolist()):
                box = [left, top, right - left, bottom - top]
                found.append({"id": len(found) + 1, "image_id": number, "category_id": label, "bbox": box,
                              "iscrowd": 0, "area": box[2] * box[3]})  # fmt: skip
        categories = [{"id": number, "name": name} for number, name in enumerate(drawn.class_names)]
        (folder / "boxes" / "annotations").mkdir(exist_ok=True)
        text = json.dumps({"images": images, "annotations": found, "categories": categories})
        (folder / "boxes" / "annotations" / f"instances_{part}.json").write_text(text)
    options = dict(filters=8, epochs=1, variations=1, verbose=0)
    finetune_detection(folder / "boxes", weights=str(base), save=folder / "m.h5", **options)


def texts(folder, base, name="glove"):
    """Fine-tune on labelled texts."""
    rng = np.random.default_rng(0)
    rows = [(" ".join(rng.choice(WORDS, 6)) + f" {number}", ("yes", "no")[number % 2]) for number in range(24)]
    with open(folder / "texts.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    options = dict(head="unit", learning_rate=1.0, label_smoothing=0.0) if name == "glove" else {}
    finetune_texts(folder / "texts.csv", base=name, epochs=1, save=folder / "m.h5", verbose=0, **options)


def language(folder, base):
    """Train a language model on a text."""
    (folder / "text.txt").write_text("the cat sat on the mat, and the dog sat on the cat. " * 20)
    sizes = dict(width=16, layers=1, heads=2, length=16)
    train_language_model(folder / "text.txt", **sizes, epochs=1, save=folder / "m.h5", verbose=0)


RECIPES = {
    "photographs": photographs,
    "clothing": lambda folder, base: finetune_clothing(epochs=1, scratch=False, save=folder / "m.h5", verbose=0),
    "unet": pixels,
    "fcn": lambda folder, base: pixels(folder, base, "fcn8"),
    "boxes": boxes,
    "glove": texts,
    "lstm": lambda folder, base: texts(folder, base, "lstm"),
    "language": language,
}


def example(tensor, rng):
    """Return three random examples of an input: RGB from 0 to 255, or tokens with padding at the end."""
    if tensor.is_floating:
        return rng.uniform(0, 255, (3, *(64 if size is None else size for size in tensor.shape[1:]))).astype(np.float32)
    tokens = rng.integers(1, 10, (3, 9)).astype(tensor.dtype)
    return tokens * (np.arange(9) < [[9], [4], [1]])


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_model_that_a_recipe_saves_is_exported(recipe, base, tmp_path, capsys, rng):
    RECIPES[recipe](tmp_path, base)
    model, path = load_model(tmp_path / "m.h5"), tmp_path / "m.onnx"
    prepared = "preprocessing" in model.metadata
    options = ["--preprocessing"] if prepared else []
    assert cli.main(["weights", "export", str(tmp_path / "m.h5"), str(path), *options]) == 0
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = [example(tensor, rng) for tensor in model.inputs]
    found = session.run(None, dict(zip((each.name for each in session.get_inputs()), x)))
    inputs = [applications.preprocessing(model.metadata["preprocessing"])(each) for each in x] if prepared else x
    expected = several(model.forward(inputs if len(inputs) > 1 else inputs[0]))
    for output, each in zip(found, expected, strict=True):
        assert_close(output, each, 1e-5)
        assert np.ptp(each) > 1e-3, "outputs that are all alike prove nothing"
    if recipe == "photographs":  # pixels as they are, cropped as the metadata say
        file = tmp_path / "photos" / "odd" / "1.png"
        pixels = read_image(file, 32, 32, model.metadata["crop"])[None]
        (probabilities,) = session.run(None, {session.get_inputs()[0].name: pixels})
        (answer,) = classify(tmp_path / "m.h5", [file])
        expected = {each["class"]: each["probability"] for each in answer["predictions"]}
        assert dict(zip(model.metadata["class_names"], probabilities[0])) == pytest.approx(expected, abs=1e-5)

"""A program with types that uses the public functions. `mypy` checks it strictly: `.ci/run`. It also runs, in a second.

A name that is misspelled, an argument of another type, or a result that is taken for something else is an error of
mypy here, before the program runs. `tests/commands/test_types.py` runs it, and shows mypy some of these.
"""

import os
import tempfile
from pathlib import Path

import numpy as np

from minitl import transfer
from minitl.applications import VGG16
from minitl.data import ImageSet, fashion_mnist_few_shot, read_image
from minitl.layers import Conv2D, Dense, Flatten, GlobalAveragePooling2D, Input, Layer
from minitl.losses import Loss, SparseCategoricalCrossentropy
from minitl.models import Model, Sequential, load_model
from minitl.optimizers import SGD, Optimizer
from minitl.recipes import Evaluation, classify, finetune_photographs, wilson_interval
from minitl.testing import GradientReport, check_gradients
from minitl.training import History


def small_network() -> Model:
    """Return a network for 8x8 pixels."""
    images = Input((8, 8, 3))
    x = GlobalAveragePooling2D()(Conv2D(4, 3, activation="relu", name="conv")(images))
    return Model(images, Dense(2, activation="softmax", name="top")(x), name="small")


def with_new_head(base: Model, classes: int) -> Model:
    """Return a frozen base with a new head."""
    model = transfer.replace_head(base, [Dense(classes, activation="softmax", name="new")], after=base.layers[-2].name)
    transfer.freeze(model, until=model.layers[-2].name)
    return model


def trained(model: Model, x: np.ndarray, t: np.ndarray) -> list[float]:
    """Train with the loop itself, and with compile and fit; return the losses."""
    criterion: Loss = SparseCategoricalCrossentropy()
    optimizer: Optimizer = SGD(learning_rate=0.1)
    y: np.ndarray = model.forward(x, training=True)
    first: float = criterion.forward(t, y)
    model.backward(criterion.backward())
    optimizer.step(model)
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history: History = model.fit(x, t, epochs=2, verbose=0)
    return [first, *history.history["loss"]]


def kept(model: Model, folder: str | os.PathLike[str]) -> Model:
    """Save a model and load it; export its weights."""
    path = Path(folder) / "model.h5"
    model.save(path)
    model.export(Path(folder) / "model.safetensors", names={"top": "classifier"})
    loaded: Model = load_model(path)
    return loaded


def on_photographs(folder: Path) -> tuple[Evaluation, list[dict[str, object]]]:
    """Fine-tune on a folder of photographs, and ask the model. (It is checked, and not run.)"""
    result = finetune_photographs(folder, base="vgg16", epochs=5)
    evaluation: Evaluation = result.evaluation
    share: float = evaluation.accuracy
    low, high = wilson_interval(share, len(evaluation.labels))
    pixels: np.ndarray = read_image(folder / "a.jpg", 224, 224)
    print(f"{low:.3f} to {high:.3f}", pixels.shape, VGG16(include_top=False, input_shape=(64, 64, 3)).count_params())
    return evaluation, classify(result.model, [folder / "a.jpg"])


def main() -> None:
    """Run all but the photographs."""
    clothes: ImageSet = fashion_mnist_few_shot()
    plain = Sequential([Flatten(input_shape=clothes.x_train.shape[1:]), Dense(10, activation="softmax")])
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((6, 8, 8, 3)).astype(np.float32), np.array([0, 1] * 3)
    model = small_network()
    report: GradientReport = check_gradients(model, x, training=False)
    losses = trained(model, x, t)
    with tempfile.TemporaryDirectory() as folder:
        again = kept(model, folder)
    new: Layer = with_new_head(again, 3).get_layer("new")
    print(plain.count_params(), report.worst < 1e-5, len(losses), new.count_params())


if __name__ == "__main__":
    main()

"""Step 1 of transfer learning: training a base on a large set, so that others need not do it.

`pretrain` teaches the study's network one of the halves A and B, or all ten classes, from the 60,000 training images
of Fashion-MNIST. It made the bundled bases (`weights/README.md` has the commands).
"""

import textwrap
import time

from ... import data
from ...files.bundled import bundled_file
from ...files.results import write_json
from ...files.writable import check_writable
from ...models import load_model
from ...optimizers import SGD
from ...optimizers.schedules import CosineDecay
from ...randomness import set_random_seed
from ...recipes.evaluation import wilson_interval
from ...recipes.settings import require_whole_number
from ...terminal import counted
from ...version import __version__
from ...weights.saving import check_target
from .halves import DEVIATION, MEAN, classes_of, task
from .network import network

BUNDLED = {"similar": "fashion_mnist_similar_a.h5", "dissimilar": "fashion_mnist_dissimilar_a.h5"}
LEARNING_RATE = 0.01  # at 0.05, two of six trainings on 250 images never began to learn
MOMENTUM = 0.9
TEST_BATCH = 100
EPOCHS = 6


def train(model, task, epochs, batch_size, verbose=0):
    """Train in the way of the whole study: SGD with momentum, and a rate that falls along half a cosine to 0.

    Returns (accuracy on the test images, accuracy on the training images in the last epoch).
    """
    steps = -(-len(task.x_train) // batch_size) * epochs
    optimizer = SGD(CosineDecay(LEARNING_RATE, steps), momentum=MOMENTUM)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(task.x_train, task.y_train, batch_size, epochs, verbose=verbose).history
    _, test_accuracy = model.evaluate(task.x_test, task.y_test, TEST_BATCH, verbose=0)
    return test_accuracy, history["accuracy"][-1]


def pretrain(task, epochs=6, batch_size=32, seed=0, verbose=1):
    """Train a new network on a `halves.Task`. Returns (model, accuracy on the test images)."""
    set_random_seed(seed)
    model = network(len(task.class_names))
    test_accuracy, _ = train(model, task, epochs, batch_size, verbose)
    model.metadata = {
        "class_names": list(task.class_names),
        "pixels": f"(grey from 0 to 255 - {MEAN}) / {DEVIATION}",
        "trained_on": f"{len(task.x_train):,} images of Fashion-MNIST, {counted(epochs, 'epoch')}, seed {seed}",
        "test_accuracy": test_accuracy,
    }
    return model, test_accuracy


def pretrain_from_files(folder, classes="all", split=None, epochs=EPOCHS, seed=0, save=None, json=None):
    """Pre-train on Fashion-MNIST's four original files in `folder`, and print the progress. Returns (model, results).

    classes   "all", or "A" or "B": the classes of this half
    split     with "A" or "B", how the classes are divided: one of `halves.HALVES` (default: "similar")
    save      file for the model;   json   file for the results
    """
    check_writable(json, save)
    if save is not None:
        check_target(save)
    require_whole_number("epochs", epochs)
    require_whole_number("seed", seed, least=0)
    chosen = classes_of(classes, split)
    start = time.perf_counter()
    images = data.fashion_mnist(folder)
    to_learn = task(images, chosen or images.class_names)
    names, count = ", ".join(to_learn.class_names), len(to_learn.x_train)
    print(textwrap.fill(f"Training on {count:,} images of the classes {names}.", 80), flush=True)
    model, accuracy = pretrain(to_learn, epochs, seed=seed)
    low, high = wilson_interval(accuracy, len(to_learn.x_test))
    seconds = time.perf_counter() - start
    print(f"accuracy {accuracy:.4f} on {len(to_learn.x_test):,} test images (95% interval {low:.4f} to {high:.4f})")
    print(f"{model.count_params():,} parameters, {seconds:.0f} s in all.")
    if save:
        model.save(save)
        print(f"Saved: {save}. To look inside: minitl weights inspect {save}")
    results = {
        "classes": list(to_learn.class_names),
        "test_accuracy": accuracy,
        "test_accuracy_interval": [low, high],
        "training_pictures": count,
        "parameters": model.count_params(),
        "epochs": epochs,
        "seed": seed,
        "seconds": seconds,
        "versions": {"minitl": __version__},
    }
    write_json(json, results)
    return model, results


def bundled_base(split):
    """Return base A of a split ("similar" or "dissimilar"). `pretrain` made it from 30,000 images."""
    return load_model(bundled_file(BUNDLED[split]))

"""Step 1 of transfer learning: train a base on a large set, so that others need not.

`pretrain` teaches the study's network one of the halves A and B, or all ten classes, from the 60,000 training pictures
of Fashion-MNIST. The bases that come with the project were made by it (`weights/README.md` has the commands).
"""

from ...files.bundled import bundled_file
from ...models import load_model
from ...optimizers import SGD
from ...optimizers.schedules import CosineDecay
from ...randomness import set_random_seed
from .halves import DEVIATION, MEAN
from .network import network

BUNDLED = {"similar": "fashion_mnist_similar_a.h5", "dissimilar": "fashion_mnist_dissimilar_a.h5"}
LEARNING_RATE = 0.01  # at 0.05, two of six trainings on 250 pictures never began to learn
MOMENTUM = 0.9
TEST_BATCH = 100


def train(model, task, epochs, batch_size, verbose=0):
    """Train by the recipe that is used throughout: SGD with momentum, the rate falling along half a cosine to 0.
    Returns (accuracy on the test pictures, accuracy in the last epoch on the training pictures)."""
    steps = -(-len(task.x_train) // batch_size) * epochs
    optimizer = SGD(CosineDecay(LEARNING_RATE, steps), momentum=MOMENTUM)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(task.x_train, task.y_train, batch_size, epochs, verbose=verbose).history
    _, test_accuracy = model.evaluate(task.x_test, task.y_test, TEST_BATCH, verbose=0)
    return test_accuracy, history["accuracy"][-1]


def pretrain(task, epochs=6, batch_size=32, seed=0, verbose=1):
    """A network trained on a `halves.Task`. Returns (model, accuracy on the test pictures)."""
    set_random_seed(seed)
    model = network(len(task.class_names))
    test_accuracy, _ = train(model, task, epochs, batch_size, verbose)
    model.metadata = {
        "class_names": list(task.class_names),
        "pixels": f"(grey from 0 to 255 - {MEAN}) / {DEVIATION}",
        "trained_on": f"{len(task.x_train):,} pictures of Fashion-MNIST, {epochs} epochs, seed {seed}",
        "test_accuracy": test_accuracy,
    }
    return model, test_accuracy


def bundled_base(split):
    """Base A of a split ("similar" or "dissimilar"), as `pretrain` has made it from 30,000 pictures."""
    return load_model(bundled_file(BUNDLED[split]))

"""A training of the encoder: the loop of the front page, with examples that are made anew in each epoch."""

import textwrap
import time

import numpy as np

from ... import data
from ...files.results import write_json
from ...files.writable import check_writable
from ...models import Sequential
from ...optimizers import Adam
from ...optimizers.schedules import CosineDecay
from ...progress import Progress
from ...randomness import set_random_seed
from ...recipes.settings import require_one_of, require_whole_number
from ...terminal import counted
from ...training.history import epoch_line
from ...version import __version__
from ...weights.saving import check_target
from ..study.halves import DEVIATION, MEAN, classes_of, task
from .methods import METHODS, encoder_layers

BATCH_SIZE = 128  # images
EPOCHS = 15


def pretrain(name, images, labels, classes, epochs, seed=0, batch_size=BATCH_SIZE, verbose=1):
    """Train an encoder by one of `METHODS`. Returns (model, losses of the epochs).

    images    float32 (N, 28, 28, 1), as `study.halves.prepare` gives them
    labels    (N,): only "supervised" looks at them; classes: how many there are
    verbose   0 silent, 1 a bar (on a terminal) and a line per epoch
    """
    method = METHODS[name]
    set_random_seed(seed)
    rng = np.random.default_rng([seed, list(METHODS).index(name)])
    model, criterion = method.model(classes), method.loss()
    rows = batch_size * method.rows
    steps = -(-len(images) * method.rows // rows) * epochs
    optimizer, losses = Adam(CosineDecay(method.rate, steps)), []
    for epoch in range(epochs):
        started, total = time.perf_counter(), 0.0
        order = rng.permutation(len(images))  # images are shuffled here: the rows of a pair stay together
        examples = method.examples(images[order], labels[order], rng)
        with Progress(f"Epoch {epoch + 1}/{epochs}", len(examples.x), enabled=verbose == 1) as bar:
            for first in range(0, len(examples.x), rows):
                x, y, weight = (part if part is None else part[first : first + rows] for part in examples)
                predictions = model.forward(x, training=True)
                loss = criterion.forward(y, predictions, weight)
                model.backward(criterion.backward())
                optimizer.step(model)
                total += loss * len(x)
                bar.advance(len(x), f"loss {loss:.4f}")
        losses.append(total / len(examples.x))
        if verbose:
            print(epoch_line(epoch + 1, epochs, {"loss": losses[-1]}, time.perf_counter() - started), flush=True)
    return model, losses


def pretrain_from_files(folder, method, classes="all", split=None, epochs=EPOCHS, seed=0, save=None, json=None):
    """Train an encoder on the images of Fashion-MNIST's four original files in `folder`, and print the progress.

    method    one of `METHODS`, such as "simclr"
    classes   "all", or "A" or "B": the images of this half;   split   how the classes are divided (`study.halves`)
    save      file for the encoder;   json   file for the results

    Returns (encoder, results). The encoder is a model (N, 28, 28, 1) -> (N, 7, 7, 48) without the method's head.
    """
    check_writable(json, save)
    if save is not None:
        check_target(save)
    require_one_of("method", method, METHODS)
    require_whole_number("epochs", epochs)
    require_whole_number("seed", seed, least=0)
    names, start = classes_of(classes, split), time.perf_counter()
    images = data.fashion_mnist(folder)
    whole = task(images, names or images.class_names)
    count = len(whole.x_train)
    print(textwrap.fill(f"{METHODS[method].title.capitalize()} Training on {count:,} images.", 80), flush=True)
    model, losses = pretrain(method, whole.x_train, whole.y_train, len(whole.class_names), epochs, seed)
    encoder = Sequential(encoder_layers(model), name=f"{method}_encoder")
    encoder.metadata = {
        "pixels": f"(grey from 0 to 255 - {MEAN}) / {DEVIATION}",
        "trained_on": f"{count:,} images of Fashion-MNIST, {method}, {counted(epochs, 'epoch')}, seed {seed}",
    }
    seconds = time.perf_counter() - start
    print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}. {encoder.count_params():,} parameters, {seconds:.0f} s in all.")
    if save:
        encoder.save(save)
        print(f"Saved: {save}. To look inside: minitl weights inspect {save}")
    results = {"method": method, "images": count, "losses": losses, "epochs": epochs, "seed": seed, "seconds": seconds}
    write_json(json, {**results, "versions": {"minitl": __version__}})
    return encoder, results

"""A training of the encoder: the loop of the front page, with examples that are made anew in each epoch."""

import time

import numpy as np

from ...optimizers import Adam
from ...optimizers.schedules import CosineDecay
from ...progress import Progress
from ...randomness import set_random_seed
from ...training.history import epoch_line
from .methods import METHODS

BATCH_SIZE = 128  # images


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

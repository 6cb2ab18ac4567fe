"""The training of two models that take turns.

The losses. With D(x) the discriminator's score of an image as a probability, and G(z) an image that the generator made
from random numbers z, one batch of real images and one of made ones gives

    L_D = -(mean log D(x) + mean log(1 - D(G(z)))) / 2       real ones are labelled 1, made ones 0
    L_G = -mean log D(G(z))                                  the generator wants a 1 for its images

L_D is half of the sum that is often written, since it is the mean over the batch of both. If the discriminator can tell
nothing, D = 1/2 everywhere, and both losses are log 2 = 0.693. L_G is the form that does not saturate: where the
discriminator is sure (D(G(z)) near 0), log(1 - D) has hardly a slope, and -log D has a large one.

The generator's gradient goes through the discriminator: dL_G/dG = dL_G/dD dD/dimage, and what comes out at the
discriminator's input is what goes into the generator's `backward`.
"""

from typing import NamedTuple

import numpy as np

from ...losses import BinaryCrossentropy
from ...models import Model
from ...optimizers import Adam
from ...progress import Progress
from ...randomness import set_random_seed
from .networks import NOISE, discriminator, generator, with_classes

BATCH_SIZE = 64
RATE, BETA_1 = 2e-4, 0.5  # of Adam, from the paper of DCGAN


class Pair(NamedTuple):
    """Two models that learn from each other, each with its own loss and its own optimizer."""

    generator: Model
    discriminator: Model
    g_loss: BinaryCrossentropy
    d_loss: BinaryCrossentropy
    g_optimizer: Adam
    d_optimizer: Adam
    classes: int


def new_pair(classes, rate=RATE):
    """Return a `Pair` with random weights."""
    models = generator(classes), discriminator(classes)
    losses = [BinaryCrossentropy(from_logits=True) for _ in range(2)]
    optimizers = [Adam(rate, beta_1=BETA_1) for _ in range(2)]
    return Pair(*models, *losses, *optimizers, classes)


def one_step(pair, real, labels, noise):
    """Let each model make one step. Returns the two losses (L_G, L_D) before the steps.

    real   images (B, 28, 28, 1) from -1 to 1;   labels   their classes (B,);   noise   (B, NOISE)

    The images are made once. The discriminator judges them twice: in its own turn beside the real ones, and after its
    step in the generator's turn.
    """
    g, d, classes = pair.generator, pair.discriminator, pair.classes
    made = g.forward([noise, np.eye(classes, dtype=noise.dtype)[labels]], training=True)
    both = with_classes(np.concatenate([real, made]), np.concatenate([labels, labels]), classes)
    is_real = np.repeat(np.array([[1], [0]], noise.dtype), len(real), axis=0)  # (2B, 1)

    d_loss = pair.d_loss.forward(is_real, d.forward(both, training=True))
    d.backward(pair.d_loss.backward())
    pair.d_optimizer.step(d)

    g_loss = pair.g_loss.forward(is_real[: len(real)], d.forward(both[len(real) :], training=True, gradients="input"))
    g.backward(d.backward(pair.g_loss.backward())[..., :1])  # of the pixels; the planes are given
    pair.g_optimizer.step(g)
    return g_loss, d_loss


def train(images, labels, classes, epochs, seed=0, verbose=1, at_epoch=None):
    """Train a pair on images (N, 28, 28, 1) from -1 to 1. Returns (pair, losses [(L_G, L_D) of each epoch]).

    at_epoch   a function of (number of epochs done, pair), called at the start and after each epoch
    """
    set_random_seed(seed)
    rng, pair, losses = np.random.default_rng(seed), new_pair(classes), []
    size = min(BATCH_SIZE, len(images))  # a shorter last batch is left out: batch normalization needs equal ones
    tell = at_epoch or (lambda epoch, pair: None)
    tell(0, pair)
    for epoch in range(epochs):
        order, found = rng.permutation(len(images)), []
        with Progress(f"Epoch {epoch + 1}/{epochs}", len(images), enabled=verbose == 1) as bar:
            for first in range(0, len(order) - size + 1, size):
                chosen = order[first : first + size]
                noise = rng.standard_normal((len(chosen), NOISE), np.float32)
                found.append(one_step(pair, images[chosen], labels[chosen], noise))
                bar.advance(len(chosen), f"generator {found[-1][0]:.3f}, discriminator {found[-1][1]:.3f}")
        losses.append(tuple(np.mean(found, axis=0)))
        tell(epoch + 1, pair)
    return pair, losses


def made_images(pair, labels, seed=0):
    """Return one made image (N, 28, 28, 1) for each of `labels` (N,). Batch normalization uses its moving statistics,
    so an image does not depend on the others."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((len(labels), NOISE), np.float32)
    one_hot = np.eye(pair.classes, dtype=np.float32)[labels]
    return pair.generator.predict([noise, one_hot], batch_size=250, verbose=0)

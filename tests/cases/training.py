"""A small network with something of everything, and data for it: trained beside PyTorch's and Keras's.

`test_golden.py` compares with numbers that are stored, `tests/peers/test_training.py` with the libraries themselves.
"""

import numpy as np

from . import random

CLASSES = 4
CONV1, NORM, CONV2 = "conv1", "norm", "conv2"

# The kinds of freezing: the beginning; the beginning but for its batch normalization, which then learns from each
# batch and moves its statistics; none at all.
FREEZING = {"frozen-beginning": (CONV1, NORM), "trainable-norm": (CONV1,), "all-trainable": ()}


def small_network(library, activation="relu"):
    """Build conv - batch-norm - conv - pooling - dense from `minitl` or from `keras`. `randomized` gives it weights.

    Under Adam the activation should be 'tanh'. Sooner or later some number comes within rounding of ReLU's kink, where
    two libraries may take different slopes; SGD hardly notices, but Adam makes a whole step of a tiny gradient.
    """
    layers = library.layers
    image = layers.Input((11, 9, 3))
    x = layers.Conv2D(6, (3, 2), padding="same", activation=activation, name=CONV1)(image)
    x = layers.BatchNormalization(momentum=0.9, name=NORM)(x)
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation=activation, name=CONV2)(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.0, name="dropout")(x)
    x = layers.Dense(CLASSES, activation="softmax", name="predictions")(x)
    return library.models.Model(image, x)


def trained_part(model, frozen):
    """Freeze the layers with these names, in either library."""
    for layer in model.layers:
        layer.trainable = layer.name not in frozen
    return model


def randomized(model):
    """Return minitl's `model`; its kernels stay as they are, everything else is moved from its initial value."""
    for position, layer in enumerate(model.layers):
        for name in layer.weight_names:
            noise = 0.2 * random(*getattr(layer, name).shape, seed=position)
            if name in ("gamma", "moving_variance"):
                setattr(layer, name, np.exp(noise))
            elif name != "kernel":
                setattr(layer, name, noise)
    return model


def weights_by_name(model):
    """Return {"conv1/kernel": array, ...} of one of minitl's models: copies."""
    return {f"{la.name}/{name}": w for la in model.layers for name, w in zip(la.weight_names, la.get_weights())}


def small_data(batches=4, batch_size=8):
    """Return noisy images of four patterns, x (batches, batch_size, 11, 9, 3), and their one-hot labels."""
    labels = np.random.default_rng(5).integers(CLASSES, size=(batches, batch_size))
    patterns = random(CLASSES, 11, 9, 3, seed=6)
    x = 0.5 * patterns[labels] + random(batches, batch_size, 11, 9, 3, seed=7)
    return x, np.eye(CLASSES, dtype=np.float32)[labels]


def twenty_steps(step):
    """Return the losses of twenty calls of step(x, labels), which begin again after the last batch."""
    x, labels = small_data()
    return np.array([step(x[i % len(x)], labels[i % len(x)]) for i in range(20)])

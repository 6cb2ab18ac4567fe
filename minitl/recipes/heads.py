"""The head that learns a new task: the layers that every recipe puts on a pre-trained base.

A base ends in maps. `Flatten` makes a row of numbers of them that knows where in the image each was found, which suits
small maps and few channels; `GlobalAveragePooling2D` forgets the places and keeps one number a channel, which suits
photographs. What learns behind either is the same.
"""

from ..layers import BatchNormalization, Dense, Flatten


def learning_layers(classes):
    """Return the layers of a head that learn: they make probabilities (N, classes) of rows of numbers (N, D).

    A pre-trained network's activations are large (VGG16's go into the thousands) and of very different size from
    channel to channel: a dense layer on them would overflow at any useful learning rate, so each feature is normalized
    first. momentum=0.9 lets the moving statistics settle within the few hundred steps of a small data set. The dense
    layer starts at zero: its problem is convex and needs no random start, and 92,160 random numbers are noise that 500
    images cannot wash out.
    """
    return [
        BatchNormalization(momentum=0.9, name="features"),
        Dense(classes, activation="softmax", kernel_initializer="zeros", name="predictions"),
    ]


def flattening_head(classes):
    """Return a whole head, from maps (N, H, W, C) to probabilities (N, classes)."""
    return [Flatten(name="flatten"), *learning_layers(classes)]

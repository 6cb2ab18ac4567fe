"""The programs in Keras on PyTorch, as users of Keras write them."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
from keras import layers

from .. import networks


def base(size):
    """Return VGG16's base."""
    model = keras.applications.VGG16(weights=None, include_top=False, input_shape=(size, size, 3))
    model.set_weights([array for block in networks.base_weights() for pair in block for array in pair])
    return model


def published(name, size):
    """Return ResNet50 or InceptionV3 with the weights of `networks.published`."""
    build = {"resnet50": keras.applications.ResNet50, "inception_v3": keras.applications.InceptionV3}[name]
    convolutions = build(weights=None, include_top=False, input_shape=(size, size, 3), pooling="avg")
    head = layers.Dense(networks.CLASSES, activation="softmax")
    model = keras.Model(convolutions.input, head(convolutions.output))
    model.set_weights(networks.published(name, size).get_weights())
    return model


def inference(options):
    """Return a function that runs a network on a batch."""
    size, x = options["size"], networks.images(options["batch"], options["size"])
    model = published(options["network"], size) if "network" in options else base(size)
    return lambda: model.predict_on_batch(x)


def recipe(options):
    """Return a function that runs ten epochs of transfer learning."""
    size, count = options["size"], options["images"]
    x, t = networks.images(count, size), networks.labels(count)

    def program():
        convolutions = base(size)
        convolutions.trainable = False
        y = layers.Flatten()(convolutions.output)
        y = layers.Dropout(0.5)(layers.Dense(1024, activation="relu")(y))
        model = keras.Model(convolutions.input, layers.Dense(networks.CLASSES, activation="softmax")(y))
        model.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
        fifth = count // 5
        history = model.fit(x[fifth:], t[fifth:], 32, options["epochs"], 0, validation_data=(x[:fifth], t[:fifth]))
        return history.history["loss"]

    return program

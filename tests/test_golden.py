"""The numbers of PyTorch and Keras, kept in small files: the same proof as tests/peers, with neither installed.

`golden/make_golden.py` made the files, from the layers that are listed here.
"""

from pathlib import Path

import numpy as np
import pytest

import minitl
from minitl import layers, optimizers
from minitl.applications import VGG16
from minitl.applications.vgg16 import preprocess_input
from minitl.graph.digest import frozen_digest
from minitl.transfer import remove_layers
from minitl.weights import bundled_file

GOLDEN = Path(__file__).parent / "golden"

# name -> layer, its arguments, the shape of each input, and in which state it runs. The results are Keras's.
LAYERS = {
    "conv-valid": ("Conv2D", {"filters": 4, "kernel_size": (3, 2), "strides": (1, 2)}, [(2, 7, 6, 3)], "training"),
    "conv-same": ("Conv2D", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"},
                  [(2, 8, 7, 3)], "training"),
    "conv-even": ("Conv2D", {"filters": 3, "kernel_size": (2, 4), "padding": "same", "activation": "tanh"},
                  [(2, 5, 7, 2)], "training"),
    "conv-frozen": ("Conv2D", {"filters": 3, "kernel_size": 3, "activation": "sigmoid"}, [(2, 5, 6, 2)], "frozen"),
    "dense": ("Dense", {"units": 4, "activation": "softmax"}, [(5, 7)], "training"),
    "dense-pixels": ("Dense", {"units": 3, "use_bias": False}, [(2, 3, 4, 5)], "training"),
    "zero-padding": ("ZeroPadding2D", {"padding": ((1, 0), (2, 3))}, [(2, 3, 4, 2)], "training"),
    "max-valid": ("MaxPooling2D", {"pool_size": (3, 2), "strides": (2, 1)}, [(2, 8, 5, 3)], "training"),
    "max-same": ("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, [(2, 8, 7, 3)], "training"),
    "average-valid": ("AveragePooling2D", {"pool_size": (2, 3), "strides": (1, 2)}, [(2, 6, 7, 3)], "training"),
    "average-same": ("AveragePooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, [(2, 7, 9, 3)], "training"),
    "global-average": ("GlobalAveragePooling2D", {}, [(3, 4, 5, 2)], "training"),
    "global-max": ("GlobalMaxPooling2D", {"keepdims": True}, [(3, 4, 5, 2)], "training"),
    "flatten": ("Flatten", {}, [(3, 2, 4, 2)], "training"),
    "norm-training": ("BatchNormalization", {"momentum": 0.9}, [(4, 5, 3, 3)], "training"),
    "norm-inference": ("BatchNormalization", {"epsilon": 0.01}, [(4, 5, 3, 3)], "inference"),
    "norm-frozen": ("BatchNormalization", {}, [(4, 5, 3, 3)], "frozen"),
    "relu": ("ReLU", {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.25}, [(4, 30)], "training"),
    "softmax": ("Softmax", {"axis": 1}, [(3, 5, 4)], "training"),
    "add": ("Add", {}, [(2, 4, 3, 2), (2, 4, 3, 2), (2, 1, 1, 2)], "training"),
    "concatenate": ("Concatenate", {"axis": 2}, [(2, 3, 1, 2), (2, 3, 4, 2)], "training"),
    "dropout": ("Dropout", {"rate": 0.5}, [(2, 10)], "inference"),
}  # fmt: skip

# Layers that do not move, and the optimizer: twenty updates, by PyTorch for SGD and by Keras for Adam. Why they have an
# activation each stands in peers/compare.py.
FREEZING = {"frozen-beginning": ("conv1", "norm"), "trainable-norm": ("conv1",), "all-trainable": ()}
ACTIVATIONS = {"SGD": "relu", "Adam": "tanh"}
OPTIMIZERS = {
    "momentum": ("SGD", {"learning_rate": 0.02, "momentum": 0.9}),
    "nesterov": ("SGD", {"learning_rate": 0.02, "momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {"learning_rate": 0.01}),
    "adam-decay": ("Adam", {"learning_rate": 0.01, "weight_decay": 0.05}),
}

EVERY = 7  # which numbers of block3_pool are kept


def golden(name, below=""):
    """The arrays of a file whose names begin with `below`, by the rest of their names."""
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as file:
        return {key.removeprefix(below): file[key] for key in file.files if key.startswith(below)}


def assert_close(found, expected, tolerance, what=""):
    """The largest difference, measured against the largest number that was expected."""
    assert found.shape == expected.shape, what
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max(), err_msg=what)


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    """Output, gradients and statistics of one layer are Keras's."""
    layer_class, arguments, shapes, state = LAYERS[name]
    stored = golden("layers", below=f"{name}/")
    layer = getattr(layers, layer_class)(trainable=state != "frozen", **arguments)
    x = [stored.pop(f"x{number}") for number in range(len(shapes))]
    grad = stored.pop("grad")
    layer.accept([each.shape for each in x] if layer.merges else x[0].shape)
    layer.set_weights([stored.pop(f"before {weight}") for weight in layer.weight_names])

    found = {"y": layer.forward(x if layer.merges else x[0], training=state != "inference")}
    dx = layer.backward(grad)
    found.update({f"dx{number}": each for number, each in enumerate(dx if layer.merges else [dx])})
    found.update({f"d{weight}": gradient for weight, gradient in layer.gradients.items()})
    found.update(zip(layer.weight_names, layer.get_weights()))
    assert found.keys() == stored.keys()
    for what, array in found.items():
        assert_close(array, stored[what], 1e-5, what)


def small_network(activation):
    image = layers.Input((11, 9, 3))
    x = layers.Conv2D(6, (3, 2), padding="same", activation=activation, name="conv1")(image)
    x = layers.BatchNormalization(momentum=0.9, name="norm")(x)
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation=activation, name="conv2")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(4, activation="softmax", name="predictions")(x)
    return minitl.models.Model(image, x)


@pytest.mark.parametrize("freezing", FREEZING)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_twenty_updates(optimizer, freezing):
    """Every loss is the peer's, the weights end where the peer's end, and what is frozen has not moved by a bit."""
    stored = golden("training")
    kind, arguments = OPTIMIZERS[optimizer]
    model = small_network(ACTIVATIONS[kind])
    model.set_weights(list(golden("training", below="initial/").values()))
    for layer in model.layers:
        layer.trainable = layer.name not in FREEZING[freezing]
    model.compile(getattr(optimizers, kind)(**arguments), "categorical_crossentropy")
    before = frozen_digest(model)

    x, labels = stored["x"], stored["labels"]
    losses = [model.train_on_batch(x[i % len(x)], labels[i % len(x)]) for i in range(20)]
    np.testing.assert_allclose(losses, stored[f"losses/{optimizer}/{freezing}"], rtol=1e-4)
    assert frozen_digest(model) == before
    assert_close(model.get_layer("conv2").kernel, stored[f"conv2 kernel/{optimizer}/{freezing}"], 5e-5)


def test_adam_leaves_keras_moving_statistics():
    """After twenty training steps of batch-norm: Keras's statistics, in which the variance is the biased one."""
    stored = golden("training")
    model = small_network(ACTIVATIONS["Adam"])
    model.set_weights(list(golden("training", below="initial/").values()))
    model.get_layer("conv1").trainable = False
    model.compile(optimizers.Adam(0.01), "categorical_crossentropy")
    for i in range(20):
        model.train_on_batch(stored["x"][i % 4], stored["labels"][i % 4])
    for name in "moving_mean", "moving_variance":
        assert_close(getattr(model.get_layer("norm"), name), stored[f"{name}/adam/trainable-norm"], 1e-5, name)


def test_imagenet_weights_give_pytorchs_numbers():
    """The bundled blocks 1 to 3 of VGG16 on a drawn image: every seventh number of block3_pool."""
    stored = golden("vgg16_blocks1to3")
    model = remove_layers(VGG16(weights=None, include_top=False, input_shape=(64, 64, 3)), after="block3_pool")
    model.load_weights(bundled_file("vgg16_imagenet_blocks1to3.h5"))
    y = model.predict(preprocess_input(stored["image"][None]), verbose=0)
    assert y.shape == (1, 8, 8, 256)
    assert_close(y.ravel()[::EVERY], stored["block3_pool"], 1e-5)


def test_golden_files_are_small_and_say_who_made_them():
    files = sorted(GOLDEN.glob("*.npz"))
    assert sum(path.stat().st_size for path in files) < 200_000
    for path in files:
        makers = {str(each).split()[0] for each in golden(path.stem)["versions"]}
        assert makers >= ({"torch", "numpy"} if path.stem == "explain" else {"torch", "keras", "numpy"})

"""The numbers of PyTorch and Keras, kept in small files: the same proof as tests/peers, with neither installed.

`golden/make_golden.py` made the files, from the cases with `golden=` of the tables in `cases/layers.py` and
`cases/optimizers.py`.
"""

import numpy as np
import pytest
from cases.layers import GOLDEN, results_by_name
from cases.optimizers import GOLDEN as GOLDEN_OPTIMIZERS
from cases.training import FREEZING, small_network, trained_part
from conftest import REPOSITORY

import minitl
from minitl import layers, optimizers
from minitl.applications import VGG16
from minitl.applications.vgg16 import preprocess_input
from minitl.graph.digest import frozen_digest
from minitl.transfer import remove_layers
from minitl.weights import bundled_file

GOLDEN_FILES = REPOSITORY / "tests" / "golden"

EVERY = 7  # which numbers of block3_pool are kept


def golden(name, below=""):
    """Return the arrays of a file whose names begin with `below`, by the rest of their names."""
    with np.load(GOLDEN_FILES / f"{name}.npz", allow_pickle=False) as file:
        return {key.removeprefix(below): file[key] for key in file.files if key.startswith(below)}


def assert_close(found, expected, tolerance, what=""):
    """Check the largest difference, relative to the largest expected number."""
    assert found.shape == expected.shape, what
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max(), err_msg=what)


def test_every_stored_layer_is_compared():
    with np.load(GOLDEN_FILES / "layers.npz", allow_pickle=False) as file:
        stored = {key.split("/")[0] for key in file.files if "/" in key}
    assert stored == {case.name for case in GOLDEN}


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case.name)
def test_layer(case):
    """Output, gradients and statistics of one layer are Keras's."""
    stored = golden("layers", below=f"{case.name}/")
    layer = case.make(layers)
    layer.trainable = case.golden != "frozen"
    if isinstance(case.input_shape, list):
        x = [stored.pop(f"x{number}") for number in range(len(case.input_shape))]
    else:
        x = stored.pop("x0")
    grad = stored.pop("grad")
    layer.forward(x)  # creates the parameters
    layer.set_weights([stored.pop(f"before {weight}") for weight in layer.weight_names])

    y = layer.forward(x, training=case.golden != "inference")
    dx = layer.backward(grad)
    found = results_by_name(y, dx, layer.gradients, layer.weight_names, layer.get_weights())
    assert found.keys() == stored.keys()
    for what, array in found.items():
        assert_close(array, stored[what], 1e-5, what)


@pytest.mark.parametrize("freezing", FREEZING)
@pytest.mark.parametrize("case", GOLDEN_OPTIMIZERS, ids=lambda case: case.name)
def test_twenty_updates(case, freezing):
    """Every loss is the peer's, the final weights are the peer's, and frozen weights have not changed by a bit."""
    stored = golden("training")
    model = trained_part(small_network(minitl, case.activation), frozen=FREEZING[freezing])
    model.set_weights(list(golden("training", below="initial/").values()))
    model.compile(case.optimizer(), "categorical_crossentropy")
    before = frozen_digest(model)

    x, labels = stored["x"], stored["labels"]
    losses = [model.train_on_batch(x[i % len(x)], labels[i % len(x)]) for i in range(20)]
    np.testing.assert_allclose(losses, stored[f"losses/{case.name}/{freezing}"], rtol=1e-4)
    assert frozen_digest(model) == before
    assert_close(model.get_layer("conv2").kernel, stored[f"conv2 kernel/{case.name}/{freezing}"], 5e-5)


def test_adam_leaves_keras_moving_statistics():
    """Twenty training steps of batch-norm leave Keras's statistics, in which the variance is the biased one."""
    stored = golden("training")
    model = small_network(minitl, "tanh")
    model.set_weights(list(golden("training", below="initial/").values()))
    model.get_layer("conv1").trainable = False
    model.compile(optimizers.Adam(0.01), "categorical_crossentropy")
    for i in range(20):
        model.train_on_batch(stored["x"][i % 4], stored["labels"][i % 4])
    for name in "moving_mean", "moving_variance":
        assert_close(getattr(model.get_layer("norm"), name), stored[f"{name}/adam/trainable-norm"], 1e-5, name)


def test_imagenet_weights_give_pytorchs_numbers():
    """The bundled blocks 1 to 3 of VGG16 run on a drawn image: every seventh number of block3_pool is PyTorch's."""
    stored = golden("vgg16_blocks1to3")
    model = remove_layers(VGG16(weights=None, include_top=False, input_shape=(64, 64, 3)), after="block3_pool")
    model.load_weights(bundled_file("vgg16_imagenet_blocks1to3.h5"))
    y = model.predict(preprocess_input(stored["image"][None]), verbose=0)
    assert y.shape == (1, 8, 8, 256)
    assert_close(y.ravel()[::EVERY], stored["block3_pool"], 1e-5)


def test_golden_files_are_small_and_say_who_made_them():
    of_bert = {"torch", "transformers", "numpy"}
    of_other_makers = {"explain": {"torch", "numpy"}, "bert": of_bert, "bert_encoder": of_bert}
    of_other_makers["sound_networks"] = {"librosa", "onnxruntime", "numpy"}
    for path in sorted(GOLDEN_FILES.glob("*.npz")):
        assert path.stat().st_size < 100_000
        makers = {str(each).split()[0] for each in golden(path.stem)["versions"]}
        assert makers >= of_other_makers.get(path.stem, {"torch", "keras", "numpy"})

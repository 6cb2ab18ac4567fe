"""Make the .npz files beside this script: the numbers of PyTorch and Keras, for `tests/math/test_golden.py`.

    pip install -e '.[peers]'
    python tests/golden/make_golden.py

Only inputs and initial weights are drawn here, from fixed seeds; every result is a peer's. Run it after a change to the
cases with `golden=` in `cases/layers.py` and `cases/optimizers.py`. On another machine or with other versions the last
digits may differ.
"""

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
HERE = Path(__file__).resolve().parent
# For cases and peers, for test_golden, and for minitl.
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "math"), str(HERE.parent.parent)]

import keras  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from cases import random  # noqa: E402
from cases.layers import GOLDEN, randomize, several  # noqa: E402
from cases.optimizers import GOLDEN as GOLDEN_OPTIMIZERS  # noqa: E402
from cases.training import FREEZING, randomized, small_data, small_network, weights_by_name  # noqa: E402
from peers.compare import keras_layer, keras_losses, torch_sgd_losses, torch_vgg16  # noqa: E402
from test_golden import EVERY  # noqa: E402

import minitl  # noqa: E402
from minitl.weights import bundled_file  # noqa: E402

VERSIONS = np.array([f"{library.__name__} {library.__version__}" for library in (torch, keras, np)])


def layers():
    """Return of each layer of the table: inputs, weights before, upstream gradient, and all that Keras computes."""
    arrays = {}
    for case in GOLDEN:
        shapes = case.input_shape if isinstance(case.input_shape, list) else [case.input_shape]
        x = [random(*shape, seed=number) for number, shape in enumerate(shapes)]
        x = x if isinstance(case.input_shape, list) else x[0]
        mine = case.make(minitl.layers)  # for the shapes of its weights alone
        mine.forward(x)
        randomize(mine)
        grad = random(*case.output_shape, seed=9)
        results = keras_layer(
            case.keras_twin(keras.layers),
            x,
            grad,
            mine.get_weights(),
            training=case.golden != "inference",
            trainable=case.golden != "frozen",
        )
        before = {f"before {weight}": array for weight, array in zip(mine.weight_names, mine.get_weights())}
        inputs = {f"x{number}": each for number, each in enumerate(several(x))}
        arrays.update(
            {f"{case.name}/{key}": array for key, array in {**inputs, **before, "grad": grad, **results}.items()}
        )
    return arrays


def training():
    """Return twenty updates of the small network for each optimizer and each choice of frozen layers."""
    minitl.utils.set_random_seed(3)
    initial = weights_by_name(randomized(small_network(minitl)))
    x, labels = small_data()
    arrays = {"x": x, "labels": labels, **{f"initial/{name}": weight for name, weight in initial.items()}}
    for case in GOLDEN_OPTIMIZERS:
        mine = case.optimizer()
        for freezing, frozen in FREEZING.items():
            if isinstance(mine, minitl.optimizers.SGD):
                arguments = {"lr": mine.learning_rate, "momentum": mine.momentum, "nesterov": mine.nesterov}
                losses, weights = torch_sgd_losses(initial, frozen, **arguments)
            else:
                losses, weights = keras_losses(initial, frozen, case.keras_twin(keras.optimizers), case.activation)
            arrays[f"losses/{case.name}/{freezing}"] = losses
            arrays[f"conv2 kernel/{case.name}/{freezing}"] = weights["conv2/kernel"]
            if (case.name, freezing) == ("adam", "trainable-norm"):
                for name in "moving_mean", "moving_variance":
                    arrays[f"{name}/{case.name}/{freezing}"] = weights[f"norm/{name}"]
    return arrays


def drawn_image():
    """Draw a 64x64 RGB image from whole numbers: three slopes, a disc, a frame and a chequered corner."""
    row, column = np.mgrid[:64, :64]
    image = np.stack([4 * column, 4 * row, 2 * (63 - row) + 2 * (63 - column)], axis=-1)
    image[(row - 24) ** 2 + (column - 38) ** 2 < 200] = (230, 40, 60)
    down, right = np.abs(row - 44), np.abs(column - 18)
    image[(down < 10) & (right < 12) & ((down >= 7) | (right >= 9))] = 20
    corner = (row > 45) & (column > 40)
    image[corner & ((row // 3 + column // 3) % 2 == 0)] = (250, 250, 90)
    return image.astype(np.uint8)


def vgg16():
    """Return PyTorch's block3_pool of the bundled weights, with the preprocessing written out."""
    image = drawn_image()
    x = image[None, :, :, ::-1].astype(np.float32) - np.array([103.939, 116.779, 123.68], np.float32)
    with torch.no_grad():
        y = torch_vgg16(bundled_file("vgg16_imagenet_blocks1to3.h5"), x, blocks=3)[-1]
    return {"image": image, "block3_pool": y.numpy().ravel()[::EVERY]}


def main():
    for name, arrays in ("layers", layers()), ("training", training()), ("vgg16_blocks1to3", vgg16()):
        path = HERE / f"{name}.npz"
        np.savez_compressed(path, versions=VERSIONS, **arrays)
        print(f"wrote {path.name}: {len(arrays)} arrays, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

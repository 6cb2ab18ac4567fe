"""Functions that the comparisons share: the measure of agreement, and the same small models built in each library.

minitl has Keras's names, so a layer or network is written once and built from either library. PyTorch's twins of layers
stand beside the table in `tests/cases/layers.py`; the small network that is trained in each library stands in
`tests/cases/training.py`.
"""

import os

import h5py
import keras
import numpy as np
import torch
import torch.nn.functional as F
from cases import random
from cases.layers import pad_same, randomize, results_by_name
from cases.training import CONV1, CONV2, NORM, small_network, trained_part, twenty_steps

import minitl.layers
import minitl.models

WORST = {}  # test function -> the largest relative difference that any of its cases saw; printed at the end


def note_difference(difference):
    name = os.environ["PYTEST_CURRENT_TEST"].split("[")[0].split(" ")[0].removeprefix("tests/peers/")
    WORST[name] = max(WORST.get(name, 0.0), float(difference))


def assert_close(found, expected, tolerance, what=""):
    """Check the largest difference, relative to the largest expected number."""
    found, expected = np.asarray(found), as_numpy(expected)
    assert found.shape == expected.shape, f"{what}: shape {found.shape}, expected {expected.shape}"
    difference = np.abs(found.astype(np.float64) - expected).max()
    scale = np.abs(expected).max()
    note_difference(difference / (scale or 1))
    assert difference <= tolerance * scale, f"{what}: wrong by {difference / (scale or 1):.2g} of the largest value"


def assert_losses_agree(found, expected, tolerance=1e-4):
    """Check every loss of a sequence to `tolerance` of itself, and that training brought the loss down."""
    note_difference(np.abs(np.divide(found, expected) - 1).max())
    np.testing.assert_allclose(found, expected, rtol=tolerance)
    assert expected[-1] < 0.7 * expected[0], f"nothing was learned: {expected[0]:.3f} to {expected[-1]:.3f}"


def as_numpy(x):
    return x.detach().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)


def leaf(array):
    """Return a tensor that collects its gradient, unless it holds whole numbers."""
    return torch.tensor(array, requires_grad=array.dtype.kind == "f")


# ---- one layer ----


def compare_with_keras(make, x, tolerance=1e-5, training=False, trainable=True, make_twin=None):
    """Compare output, input gradient, parameter gradients and statistics, for a random upstream gradient.

    `make` makes the layer from the module minitl.layers, and its twin from keras.layers, if `make_twin` does not.
    Returns minitl's layer, after its backward.
    """
    layer = make(minitl.layers)
    layer.trainable = trainable
    layer.forward(x)  # creates the parameters
    randomize(layer)
    weights = layer.get_weights()

    y = layer.forward(x, training=training)
    grad = random(*y.shape, seed=9)
    dx = layer.backward(grad)
    found = results_by_name(y, dx, layer.gradients, layer.weight_names, layer.get_weights())
    twin = (make_twin or make)(keras.layers)
    expected = keras_layer(twin, x, grad, weights, training, trainable, layer.weight_names)
    assert found.keys() == expected.keys()
    for what in found:
        assert_close(found[what], expected[what], tolerance, what)
    return layer


def keras_layer(layer, x, grad, weights, training=False, trainable=True, names=None):
    """Return the results of a new Keras layer for x (a list where it takes several) and the upstream gradient.

    names   of its variables in their order, where Keras's own are not unique: those of a layer made from layers
    """
    layer.trainable = trainable
    tensors = [leaf(each) for each in x] if isinstance(x, list) else leaf(x)
    layer(tensors, training=False)  # creates its parameters
    layer.set_weights(weights)
    y = layer(tensors, training=training)
    assert as_numpy(y).shape == grad.shape
    if y.requires_grad:  # not if the input is of whole numbers and the layer is frozen
        y.backward(torch.tensor(grad))
    dx = [tensor.grad for tensor in (tensors if isinstance(x, list) else [tensors])]
    by_id = dict(zip(map(id, layer.weights), names or [variable.name for variable in layer.weights]))
    gradients = {by_id[id(variable)]: variable.value.grad for variable in layer.trainable_variables}
    names = list(by_id.values())
    results = results_by_name(y, dx, gradients, names, layer.get_weights())
    return {name: as_numpy(array) for name, array in results.items()}


def compare_with_torch(make, twin, x, tolerance=1e-5):
    """Compare the layer that `make` makes from minitl.layers with `twin(torch.nn.functional, layer, x, **parameters)`.

    Forward, input gradient and parameter gradients are compared.
    """
    layer = make(minitl.layers)
    layer.forward(x)  # creates the parameters
    randomize(layer)
    tensor = leaf(x)
    parameters = {name: leaf(getattr(layer, name)) for name in layer.weight_names}
    y = layer.forward(x)
    expected = twin(F, layer, tensor, **parameters)
    assert_close(y, expected, tolerance, "y")
    grad = random(*y.shape, seed=9)
    expected.backward(torch.tensor(grad))
    assert_close(layer.backward(grad), tensor.grad, tolerance, "dx")
    assert layer.gradients.keys() == parameters.keys()
    for name, gradient in layer.gradients.items():
        assert_close(gradient, parameters[name].grad, tolerance, f"d{name}")


# ---- the small network, trained ----


def torch_small_network(weights, x, norm_is_frozen):
    """`small_network` with ReLU in PyTorch: x (N, H, W, C) -> logits. `weights` are tensors under the names of
    `weights_by_name`."""

    def conv(x, name, strides):
        kernel = weights[f"{name}/kernel"].permute(3, 2, 0, 1)  # HWIO -> OIHW
        x = pad_same(F, x, kernel.shape[2:], strides)
        return F.relu(F.conv2d(x, kernel, weights[f"{name}/bias"], strides))

    x = conv(x.permute(0, 3, 1, 2), CONV1, (1, 1))
    # PyTorch moves its running statistics towards the unbiased variance, Keras towards the biased one. Here copies are
    # moved and thrown away, so the difference does not matter.
    statistics = (weights[f"{NORM}/moving_mean"].clone(), weights[f"{NORM}/moving_variance"].clone())
    x = F.batch_norm(
        x, *statistics, weights[f"{NORM}/gamma"], weights[f"{NORM}/beta"], training=not norm_is_frozen, eps=1e-3
    )
    x = F.max_pool2d(conv(x, CONV2, (2, 2)), 2)
    x = x.permute(0, 2, 3, 1).flatten(1)  # Flatten counts rows, columns, channels
    return x @ weights["predictions/kernel"] + weights["predictions/bias"]


def torch_sgd_losses(initial_weights, frozen, **sgd):
    """Take twenty steps of torch.optim.SGD from these weights -> (losses, final weights). `frozen` are names of layers,
    or a list of them for each step."""
    weights = {name: torch.tensor(weight) for name, weight in initial_weights.items()}
    parameters = {name: weight.requires_grad_() for name, weight in weights.items() if "moving" not in name}
    optimizer = torch.optim.SGD(parameters.values(), **sgd)
    schedule = iter(frozen if isinstance(frozen, list) else [frozen] * 20)

    def step(x, labels):
        frozen = next(schedule)
        optimizer.zero_grad()
        loss = F.cross_entropy(torch_small_network(weights, torch.tensor(x), NORM in frozen), torch.tensor(labels))
        loss.backward()
        for name, parameter in parameters.items():
            if name.split("/")[0] in frozen:
                parameter.grad = None  # PyTorch's optimizers pass over it
        optimizer.step()
        return loss.item()

    losses = twenty_steps(step)
    return losses, {name: as_numpy(weight) for name, weight in weights.items()}


def keras_losses(initial_weights, frozen, optimizer, activation):
    """Take twenty steps of a Keras optimizer from these weights -> (losses, final weights)."""
    model = trained_part(small_network(keras, activation), frozen)
    model.set_weights(list(initial_weights.values()))
    criterion = keras.losses.CategoricalCrossentropy()

    def step(x, labels):
        model.zero_grad()
        loss = criterion(torch.tensor(labels), model(torch.tensor(x), training=True))
        loss.backward()
        variables = model.trainable_variables
        with torch.no_grad():
            optimizer.apply([variable.value.grad for variable in variables], variables)
        return loss.item()

    losses = twenty_steps(step)
    return losses, dict(zip(initial_weights, model.get_weights()))


# ---- VGG16 ----

VGG16_BLOCKS = (2, 2, 3, 3, 3)  # convolutions in each


def torch_vgg16(path, x, blocks=5):
    """Return PyTorch's outputs of VGG16's blocks, `block1_pool` first: x (N, H, W, 3) -> list of NHWC tensors.

    The weights are taken straight from the arrays of a Keras file, in the type of x.
    """
    outputs = []
    x = torch.as_tensor(x).permute(0, 3, 1, 2)
    with h5py.File(path) as file:
        for block, convolutions in enumerate(VGG16_BLOCKS[:blocks], start=1):
            for number in range(1, convolutions + 1):
                group = file[f"block{block}_conv{number}"]
                kernel, bias = (torch.tensor(group[name][()], dtype=x.dtype) for name in group.attrs["weight_names"])
                x = F.relu(F.conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding=1))
            x = F.max_pool2d(x, 2)
            outputs.append(x.permute(0, 2, 3, 1))
    return outputs

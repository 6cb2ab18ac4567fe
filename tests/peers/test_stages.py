"""The two stages of `minitl finetune PHOTOS/` on real photographs with the real base, beside PyTorch.

The losses of fifty updates of each stage, on the same batches, are PyTorch's. The parts are compared too: rates by
layer, L2-SP, class weights, label smoothing.
"""

import keras
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from minitl import data, features, transfer
from minitl.applications import VGG16
from minitl.applications.vgg16 import preprocess_input
from minitl.layers import Dense
from minitl.losses import CategoricalCrossentropy
from minitl.models import Sequential
from minitl.optimizers import SGD, CosineDecay
from minitl.recipes.heads import learning_layers
from minitl.training import train_step

from .compare import as_numpy, assert_close, assert_losses_agree, note_difference, random

STEPS, BATCH = 50, 8
SIZE = 96  # pixels; with 224 it agrees as well (9e-7), and takes five times as long


@pytest.fixture(scope="module")
def photos(photographs_folder):
    """Return 32 photographs and their one-hot labels."""
    paths = [
        path for name in ("ants", "bees") for path in sorted((photographs_folder / "train" / name).glob("*.jpg"))[:16]
    ]
    images = np.stack([data.read_image(path, SIZE, SIZE, 224 / 256) for path in paths])
    return preprocess_input(images), np.eye(2, dtype=np.float32)[[0] * 16 + [1] * 16]


def fresh(full_base):
    """Return the command's model: (its beginning up to block4, the rest)."""
    base = VGG16(weights=full_base, include_top=False, input_shape=(SIZE, SIZE, 3), pooling="avg")
    transfer.freeze(base)
    model = transfer.replace_head(base, learning_layers(2))
    return features.split(model, model.output_of("block4_pool"))


def batches():
    rng = np.random.default_rng(4)
    return [rng.permutation(32)[:BATCH] for _ in range(STEPS)]


class TorchRest(torch.nn.Module):
    """The same layers: block5, average pooling, batch-norm, dense."""

    def __init__(self, rest):
        super().__init__()
        self.convolutions = torch.nn.ModuleList(torch.nn.Conv2d(512, 512, 3, padding=1) for _ in range(3))
        for number, convolution in enumerate(self.convolutions, start=1):
            kernel, bias = rest.get_layer(f"block5_conv{number}").get_weights()
            convolution.weight.data = torch.tensor(kernel.transpose(3, 2, 0, 1).copy())
            convolution.bias.data = torch.tensor(bias)
        self.norm = torch.nn.BatchNorm1d(512, eps=1e-3, momentum=0.1)
        self.dense = torch.nn.Linear(512, 2)
        torch.nn.init.zeros_(self.dense.weight)
        torch.nn.init.zeros_(self.dense.bias)

    def forward(self, x):
        x = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
        for convolution in self.convolutions:
            x = F.relu(convolution(x))
        return self.dense(self.norm(F.max_pool2d(x, 2).mean((2, 3))))


def torch_losses(network, x, y, optimizer, l2_sp=0.0):
    starts = [(p, p.detach().clone()) for c in network.convolutions for p in c.parameters() if p.requires_grad]
    losses = []
    for batch in batches():
        optimizer.zero_grad()
        loss = F.cross_entropy(network(x[batch]), torch.from_numpy(y[batch]), label_smoothing=0.1)
        loss.backward()
        with torch.no_grad():
            for parameter, start in starts:  # towards where it was, before the step, as decoupled decay is
                parameter -= optimizer.param_groups[0]["lr"] * l2_sp * (parameter - start)
        optimizer.step()
        losses.append(loss.item())
    return losses


def our_losses(rest, x, y, optimizer):
    rest.compile(optimizer, CategoricalCrossentropy(label_smoothing=0.1))
    return [train_step(rest, x[batch], y[batch])[0] for batch in batches()]


def test_both_stages(photos, full_base):
    """Train first the head, then block5 with it. The second stage begins where the first one ended."""
    images, y = photos
    prefix, rest = fresh(full_base)
    x = prefix.predict(images, verbose=0)
    peer = TorchRest(rest)

    for parameter in peer.convolutions.parameters():
        parameter.requires_grad = False
    head = [*peer.norm.parameters(), *peer.dense.parameters()]
    found = our_losses(rest, x, y, SGD(0.001, momentum=0.9))
    expected = torch_losses(peer, x, y, torch.optim.SGD(head, lr=0.001, momentum=0.9))
    assert_losses_agree(found, expected, 1e-3)

    transfer.unfreeze(rest, since="block5_conv1")
    rest.get_layer("features").trainable = False
    # PyTorch divides the variance of a batch by N - 1 for its running statistics, Keras and minitl by N. From here on
    # these statistics are used, so let them be the same.
    peer.norm.running_mean.copy_(torch.tensor(rest.get_layer("features").moving_mean))
    peer.norm.running_var.copy_(torch.tensor(rest.get_layer("features").moving_variance))
    peer.norm.eval()
    peer.norm.requires_grad_(False)
    peer.convolutions.requires_grad_(True)
    groups = [
        {"params": list(peer.convolutions.parameters()), "lr": 0.0003},
        {"params": list(peer.dense.parameters()), "lr": 0.0006},
    ]
    optimizer = SGD(0.0003, momentum=0.9, l2_sp=100.0, rate_factors={"predictions": 2.0})
    found = our_losses(rest, x, y, optimizer)
    expected = torch_losses(peer, x, y, torch.optim.SGD(groups, momentum=0.9), l2_sp=100.0)
    note_difference(np.abs(np.divide(found, expected) - 1).max())
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    kernel = as_numpy(peer.convolutions[1].weight).transpose(2, 3, 1, 0)
    assert_close(rest.get_layer("block5_conv2").kernel, kernel, 1e-4)
    moved = VGG16(weights=full_base, include_top=False).get_layer("block5_conv2").kernel - kernel
    assert np.abs(moved).max() > 1e-6, "it did learn"


@pytest.mark.parametrize("name", ["categorical", "sparse", "binary", "mse"])
def test_class_weights(name):
    """Compare the loss of each step, and the weights, with Keras's under class_weight."""
    x, labels = random(64, 5), np.random.default_rng(1).integers(0, 3, 64)
    y = {"categorical": np.eye(3, dtype=np.float32)[labels], "sparse": labels}.get(name)
    y = (labels > 0).astype(np.float32)[:, None] if y is None else y
    loss = {"mse": "mse", "sparse": "sparse_categorical_crossentropy"}.get(name, f"{name}_crossentropy")
    units, activation = (1, "sigmoid") if name in ("binary", "mse") else (3, "softmax")
    class_weight = {0: 3.0, 1: 0.25} if units == 1 else {0: 3.0, 2: 0.5}
    peer = keras.Sequential([keras.Input((5,)), keras.layers.Dense(units, activation=activation)])
    model = Sequential([Dense(units, activation=activation, input_shape=(5,))])
    model.set_weights([as_numpy(weight) for weight in peer.get_weights()])
    peer.compile(keras.optimizers.SGD(0.5), loss)
    model.compile(SGD(0.5), loss)
    options = {"batch_size": 16, "epochs": 4, "verbose": 0, "shuffle": False, "class_weight": class_weight}
    found, expected = model.fit(x, y, **options).history["loss"], peer.fit(x, y, **options).history["loss"]
    assert_close(np.array(found), np.array(expected), 1e-5)
    for mine, theirs in zip(model.get_weights(), peer.get_weights()):
        assert_close(mine, theirs, 1e-5)


@pytest.mark.parametrize("from_logits", [False, True])
def test_weighted_gradients(from_logits):
    z, t = random(12, 4), np.eye(4, dtype=np.float32)[np.random.default_rng(0).integers(0, 4, 12)]
    weight = np.random.default_rng(2).random(12).astype(np.float32) * 3
    leaf = torch.tensor(z, requires_grad=True)
    rows = F.cross_entropy(leaf, torch.tensor(t), label_smoothing=0.2, reduction="none")
    loss = (rows * torch.tensor(weight)).sum() / 12
    loss.backward()
    criterion = CategoricalCrossentropy(from_logits=from_logits, label_smoothing=0.2)
    model = Sequential([Dense(4, activation="linear" if from_logits else "softmax", input_shape=(4,), use_bias=False)])
    model.set_weights([np.eye(4)])
    found = criterion.forward(t, model.forward(z, training=True, gradients="input"), weight)
    assert found == pytest.approx(loss.item(), rel=1e-5)
    assert_close(model.backward(criterion.backward()), leaf.grad.numpy(), 1e-5)


def test_rates_by_layer_and_decay():
    """Compare with parameter groups of PyTorch's SGD: rates, decoupled decay as in AdamW, and a schedule together."""
    x, y = random(32, 6), np.eye(3, dtype=np.float32)[np.random.default_rng(0).integers(0, 3, 32)]
    model = Sequential([Dense(7, "tanh", input_shape=(6,), name="early"), Dense(3, "softmax", name="late")])
    schedule = CosineDecay(0.2, 30)
    model.compile(SGD(schedule, weight_decay=0.1, rate_factors={"ear*": 0.25, "*": 2.0}), CategoricalCrossentropy())
    parameters = [torch.tensor(w, requires_grad=True) for w in model.get_weights()]
    for step in range(30):
        found, _ = train_step(model, x, y)
        hidden = torch.tanh(torch.tensor(x) @ parameters[0] + parameters[1])
        loss = F.cross_entropy(hidden @ parameters[2] + parameters[3], torch.tensor(y))
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for number, (parameter, gradient) in enumerate(zip(parameters, gradients)):
                rate = schedule(step) * (0.25 if number < 2 else 2.0)
                parameter -= rate * 0.1 * parameter + rate * gradient
        assert found == pytest.approx(loss.item(), rel=1e-4)
    for mine, theirs in zip(model.get_weights(), parameters):
        assert_close(mine, as_numpy(theirs), 1e-5)

"""Learning without labels, and models that take turns, against PyTorch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from minitl.course.gan import networks, training
from minitl.course.gan.networks import with_classes
from minitl.course.self_supervised.methods import with_hidden_patches
from minitl.losses import MeanSquaredError, NTXent

from .compare import assert_close, leaf, note_difference


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1])
def test_nt_xent_and_its_gradient(temperature):
    rng = np.random.default_rng(1)
    rows, images = rng.standard_normal((12, 7)).astype(np.float32), np.repeat(rng.permutation(6), 2)
    tensor = leaf(rows)
    unit = F.normalize(tensor, dim=1)
    similar = (unit @ unit.T / temperature).masked_fill(torch.eye(12, dtype=torch.bool), -torch.inf)
    expected = F.cross_entropy(similar, torch.arange(12) ^ 1)  # the neighbour: 0 and 1, 2 and 3, ...
    expected.backward()
    criterion = NTXent(temperature)
    assert criterion.forward(images, rows) == pytest.approx(expected.item(), rel=1e-5)
    assert_close(criterion.backward(), tensor.grad, 1e-5)


def test_hidden_patches_and_the_gradient_of_their_loss():
    rng = np.random.default_rng(2)
    images = rng.standard_normal((5, 28, 28, 1)).astype(np.float32)
    visible, whole, weight = with_hidden_patches(images, None, rng)
    predictions = rng.standard_normal(images.shape).astype(np.float32)
    tensor, hidden = leaf(predictions), torch.tensor(visible == 0)
    expected = F.mse_loss(tensor[hidden], torch.tensor(images)[hidden])
    expected.backward()
    criterion = MeanSquaredError()
    assert criterion.forward(whole, predictions, weight) == pytest.approx(expected.item(), rel=1e-5)
    assert_close(criterion.backward(), tensor.grad, 1e-5)


def twins(pair):
    """Return (generator, discriminator) in PyTorch with the weights of a pair; images are NCHW there."""
    g, d = pair.generator, pair.discriminator

    def put(module, layer, axes=None):
        with torch.no_grad():
            kernel, *bias = layer.get_weights()
            module.weight.copy_(torch.tensor(kernel.transpose(axes).copy()))
            if bias:
                module.bias.copy_(torch.tensor(bias[0]))
        return module

    c = pair.classes
    dense = put(torch.nn.Linear(networks.NOISE + c, 7 * 7 * 64, bias=False), g.get_layer("dense"), (1, 0))
    up1 = put(torch.nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), g.get_layer("up1"), (3, 2, 0, 1))
    up2 = put(torch.nn.ConvTranspose2d(32, 1, 4, 2, 1), g.get_layer("up2"), (3, 2, 0, 1))
    # Keras's epsilon is 1e-3, and its momentum counts the other way round.
    norms = [torch.nn.BatchNorm2d(channels, 1e-3, 0.1) for channels in (64, 32)]
    generator = torch.nn.ModuleList([dense, *norms, up1, up2])

    def make(noise, one_hot):
        x = dense(torch.cat([noise, one_hot], 1)).reshape(-1, 7, 7, 64).permute(0, 3, 1, 2)
        x = up1(F.leaky_relu(norms[0](x), 0.2))
        return torch.tanh(up2(F.leaky_relu(norms[1](x), 0.2)))

    down1 = put(torch.nn.Conv2d(1 + c, 32, 4, 2, 1), d.get_layer("down1"), (3, 2, 0, 1))
    down2 = put(torch.nn.Conv2d(32, 64, 4, 2, 1), d.get_layer("down2"), (3, 2, 0, 1))
    score = put(torch.nn.Linear(7 * 7 * 64, 1), d.get_layer("score"), (1, 0))
    discriminator = torch.nn.ModuleList([down1, down2, score])

    def judge(images, labels):
        planes = F.one_hot(labels, c).to(images.dtype)[:, :, None, None].expand(-1, -1, 28, 28)
        x = F.leaky_relu(down1(torch.cat([images, planes], 1)), 0.2)
        x = F.leaky_relu(down2(x), 0.2).permute(0, 2, 3, 1).flatten(1)
        return score(x)

    return generator, make, discriminator, judge


def pair_without_dropout(classes, rate):
    """Return a pair whose discriminator draws nothing: PyTorch would draw other numbers."""
    pair = training.new_pair(classes, rate)
    pair.discriminator.get_layer("dropout").rate = 0.0
    return pair


def test_losses_of_fifty_alternating_steps():
    """The test is in float64: two networks that chase each other double each rounding error every few steps."""
    rng, classes = np.random.default_rng(3), 3
    pair = pair_without_dropout(classes, 2e-4)
    generator, make, discriminator, judge = twins(pair)
    for layer in (*pair.generator.layers, *pair.discriminator.layers):
        for name in getattr(layer, "weight_names", ()):
            setattr(layer, name, getattr(layer, name).astype(np.float64))
    generator.double()
    discriminator.double()
    # Adam adds its epsilon before the correction of the bias here, and after it in PyTorch: a small one hides that.
    for optimizer in (pair.g_optimizer, pair.d_optimizer):
        optimizer.epsilon = 1e-20
    adams = [torch.optim.Adam(m.parameters(), 2e-4, (0.5, 0.999), 1e-20) for m in (generator, discriminator)]
    real = np.tanh(rng.standard_normal((16, 28, 28, 1)))
    found, expected = [], []
    for _ in range(50):
        labels, noise = rng.integers(classes, size=16), rng.standard_normal((16, networks.NOISE))
        found.append(training.one_step(pair, real, labels, noise))
        images, numbers = torch.tensor(real).permute(0, 3, 1, 2), torch.tensor(labels)
        made = make(torch.tensor(noise), F.one_hot(numbers, classes).double())
        scores = torch.cat([judge(images, numbers), judge(made.detach(), numbers)])
        d_loss = F.binary_cross_entropy_with_logits(scores, torch.tensor([[1.0]] * 16 + [[0.0]] * 16).double())
        adams[1].zero_grad()
        d_loss.backward()
        adams[1].step()
        g_loss = F.binary_cross_entropy_with_logits(judge(made, numbers), torch.ones(16, 1).double())
        adams[0].zero_grad()
        g_loss.backward()
        adams[0].step()
        expected.append((g_loss.item(), d_loss.item()))
    difference = np.abs(np.divide(found, expected) - 1)
    note_difference(difference.max())
    assert difference[0].max() < 1e-5 and difference.max() < 1e-3


def test_the_generators_gradient_through_the_discriminator():
    rng, classes = np.random.default_rng(4), 2
    pair = pair_without_dropout(classes, 0.0)
    _, make, _, judge = twins(pair)
    labels, noise = rng.integers(classes, size=8), rng.standard_normal((8, networks.NOISE)).astype(np.float32)
    one_hot = np.eye(classes, dtype=np.float32)[labels]
    made = pair.generator.forward([noise, one_hot], training=True)
    scores = pair.discriminator.forward(with_classes(made, labels, classes), training=True, gradients="input")
    loss = pair.g_loss.forward(np.ones_like(scores), scores)
    found = pair.discriminator.backward(pair.g_loss.backward())[..., :1]
    images = make(torch.tensor(noise), torch.tensor(one_hot)).detach().requires_grad_()
    expected = F.binary_cross_entropy_with_logits(judge(images, torch.tensor(labels)), torch.ones(8, 1))
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    assert_close(found, images.grad.permute(0, 2, 3, 1), 1e-5)

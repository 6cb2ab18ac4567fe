"""VGG16 with ImageNet's weights on photographs: PyTorch's numbers, and Keras's."""

import keras
import numpy as np
import pytest
import torch

from minitl.applications import VGG16
from minitl.applications.vgg16 import preprocess_input
from minitl.models import Model
from minitl.transfer import freeze

from .compare import assert_close, leaf, random, torch_vgg16

TOLERANCE = 2e-5  # of the largest value; thirteen layers of float32 sums of up to 4,608 terms


@pytest.fixture(scope="module")
def images(photographs):
    return preprocess_input(photographs)


@pytest.fixture(scope="module")
def base(full_base):
    return VGG16(weights=full_base, include_top=False)


@pytest.fixture(scope="module")
def features(base, images):
    return base.forward(images, gradients="none")


@pytest.fixture(scope="module")
def torch_blocks(full_base, images):
    with torch.no_grad():
        return torch_vgg16(full_base, images)


def test_preprocessing_is_keras(photographs):
    """The results agree to the last bit, for bytes and floats, for one image and several. The images are not
    changed."""
    peer = keras.applications.vgg16.preprocess_input
    for x in photographs, photographs[0], photographs.astype(np.float32) * 0.7:
        before = x.copy()
        found = preprocess_input(x)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(x, before)
        np.testing.assert_array_equal(found, peer(x.copy()))


def test_features_are_pytorchs(features, torch_blocks):
    assert_close(features, torch_blocks[-1], TOLERANCE)


def test_features_are_keras(features, images, full_base):
    peer = keras.applications.VGG16(weights=str(full_base), include_top=False)
    with torch.no_grad():
        assert_close(features, peer(images), TOLERANCE)


@pytest.mark.parametrize("block", range(1, 6))
def test_each_block_alone(block, base, images, torch_blocks):
    """Run each block on PyTorch's output of the block before, so that an error is seen where it is made."""
    if block == 1:
        start, x = base.input, images
    else:
        start, x = base.output_of(f"block{block - 1}_pool"), torch_blocks[block - 2].numpy()
    model = Model(start, base.output_of(f"block{block}_pool"))
    assert_close(model.forward(x, gradients="none"), torch_blocks[block - 1], TOLERANCE)


def test_gradient_through_all_blocks(full_base, images):
    """Compare dL/d(image) of a small crop, through all frozen layers."""
    base = VGG16(weights=full_base, include_top=False, input_shape=(64, 64, 3))
    freeze(base)
    crop = np.ascontiguousarray(images[:, 80:144, 80:144])
    y = base.forward(crop, gradients="input")
    grad = random(*y.shape)
    tensor = leaf(crop)
    torch_vgg16(full_base, tensor)[-1].backward(torch.tensor(grad))
    assert_close(base.backward(grad), tensor.grad, 1e-4)
    assert not any(layer.gradients for layer in base.layers)


@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_pooled_features_are_keras(pooling, full_base, images):
    crop = np.ascontiguousarray(images[:, 64:160, 64:160])
    mine = VGG16(weights=full_base, include_top=False, pooling=pooling)
    peer = keras.applications.VGG16(weights=str(full_base), include_top=False, pooling=pooling)
    with torch.no_grad():
        assert_close(mine.forward(crop), peer(crop), TOLERANCE)


def test_the_architecture_is_keras():
    """Names, shapes and counts of all layers are Keras's, with the top. Images are small to keep the top small."""
    arguments = {"weights": None, "input_shape": (32, 40, 3), "classes": 10}
    mine, peer = VGG16(**arguments), keras.applications.VGG16(**arguments)
    assert [layer.name for layer in mine.layers[1:]] == [layer.name for layer in peer.layers[1:]]
    assert [layer.output_shape for layer in mine.layers[1:]] == [layer.output.shape for layer in peer.layers[1:]]
    assert [layer.count_params() for layer in mine.layers] == [layer.count_params() for layer in peer.layers]

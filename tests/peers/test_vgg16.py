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


@pytest.fixture(scope="module")
def base_of_crops(full_base):
    base = VGG16(weights=full_base, include_top=False)  # for crops of any size
    freeze(base)
    return base


def gradients_of_a_crop(base, path, crop):
    """Return dL/d(crop) through all frozen layers, by minitl and by PyTorch."""
    grad = random(*base.forward(crop, gradients="input").shape).astype(crop.dtype)
    tensor = leaf(crop)
    torch_vgg16(path, tensor)[-1].backward(torch.tensor(grad))
    found = base.backward(grad)
    assert not any(layer.gradients for layer in base.layers)
    return found, tensor.grad


def test_gradient_through_all_blocks(full_base, base_of_crops, images):
    """Compare in float64, where no input of a ReLU is zero up to rounding."""
    crop = np.ascontiguousarray(images[:, 80:144, 80:144], dtype=np.float64)
    assert_close(*gradients_of_a_crop(base_of_crops, full_base, crop), 1e-9)


def test_gradient_through_all_blocks_in_float32(full_base, base_of_crops, images):
    """Compare 25 crops. The gradient of one jumps where an input of a ReLU is zero up to rounding, or two numbers of
    a pooling are equal: then the two libraries are both right, and differ. So the crop in the middle counts, and the
    crops are as small as the network takes them: of crops of 64 pixels every second one jumps."""
    errors = []
    for top in range(0, 200, 40):
        for left in range(0, 200, 40):
            crop = np.ascontiguousarray(images[:1, top : top + 32, left : left + 32])
            found, expected = (np.asarray(each) for each in gradients_of_a_crop(base_of_crops, full_base, crop))
            errors.append(np.abs(found - expected).max() / np.abs(expected).max())
    assert np.median(errors) <= 1e-5, f"errors of the crops, of the largest gradient: {sorted(map(float, errors))}"


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

"""The layers that images go through first, with the random numbers that Keras has drawn."""

import keras
import numpy as np
import pytest

from minitl import layers

X = 255 * np.random.default_rng(0).random((4, 7, 9, 3)).astype(np.float32)
MODES = ["reflect", "wrap", "constant", "nearest"]


def give(layer, *draws):
    """Let the layer draw these numbers, one after the other."""
    draws = list(draws)
    layer.uniform = lambda least, most, count: np.asarray(draws.pop(0), float).reshape(-1)
    return layer


def assert_same(theirs, transformation, mine):
    expected = theirs.transform_images(keras.ops.convert_to_tensor(X), transformation, training=True)
    assert np.allclose(expected, mine.forward(X, training=True), atol=2e-3)


@pytest.mark.parametrize("fill_mode", MODES)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_geometry(fill_mode, interpolation):
    options = {"fill_mode": fill_mode, "interpolation": interpolation, "fill_value": 30.0, "seed": 1}
    theirs, mine = (library.RandomRotation(0.4, **options) for library in (keras.layers, layers))
    drawn = theirs.get_random_transformation(X, training=True)
    assert_same(theirs, drawn, give(mine, drawn["angle"] / 360))
    theirs, mine = (library.RandomTranslation(0.4, (-0.6, 0.1), **options) for library in (keras.layers, layers))
    drawn = theirs.get_random_transformation(X, training=True)
    assert_same(theirs, drawn, give(mine, drawn["translations"][:, 1] / 7, drawn["translations"][:, 0] / 9))
    for width in None, 0.3:
        theirs, mine = (library.RandomZoom((-0.4, 0.5), width, **options) for library in (keras.layers, layers))
        drawn = theirs.get_random_transformation(X, training=True)
        assert_same(theirs, drawn, give(mine, drawn["height_zoom"] - 1, drawn["width_zoom"] - 1))


def test_colours():
    theirs, mine = (library.RandomContrast((0.4, 0.9), seed=1) for library in (keras.layers, layers))
    drawn = theirs.get_random_transformation(X, training=True)
    assert_same(theirs, drawn, give(mine, drawn["contrast_factor"]))
    theirs, mine = (library.RandomBrightness((-0.3, 0.6), (0, 200), seed=1) for library in (keras.layers, layers))
    drawn = theirs.get_random_transformation(X, training=True)
    assert_same(theirs, drawn, give(mine, drawn["rgb_delta"] / 200))


@pytest.mark.parametrize("mode", ["horizontal", "vertical"])
def test_flips(mode):
    theirs, mine = (library.RandomFlip(mode, seed=1) for library in (keras.layers, layers))
    drawn = theirs.get_random_transformation(X, training=True)
    flips = np.asarray(drawn["flips"]).reshape(-1)
    mine.generator = type("Drawn", (), {"random": lambda self, count: np.where(flips, 0.0, 1.0)})()
    assert flips.any()
    assert_same(theirs, drawn, mine)


@pytest.mark.parametrize("axis", [-1, None, (1, 3)])
def test_normalization_is_measured(axis):
    theirs, mine = (library.Normalization(axis=axis) for library in (keras.layers, layers))
    for each in theirs, mine:
        each.adapt(X)
    assert np.allclose(theirs(X), mine.forward(X), atol=1e-5)
    for a, b in zip(theirs.get_weights()[:2], mine.get_weights()[:2], strict=True):
        assert np.allclose(a, b, rtol=1e-5)

"""A recording as an image for VGG16: where its bands and frames are, and which numbers it has."""

import numpy as np
import pytest

from minitl import initializers
from minitl.applications.sound_image import MEAN_GREY, sound_image
from minitl.applications.vgg16 import VGG16
from minitl.transfer import adapt_input

RATE = 16_000


def tone(frequency, rate=RATE, seconds=0.3):
    return 0.2 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


def test_bands_go_up_and_time_goes_right():
    """A low tone before a high one: the first is at the bottom on the left. Silence around it is black."""
    image = sound_image(np.concatenate([tone(300), tone(4_000)]), RATE)
    assert image.shape == (64, 96, 1) and image.dtype == np.float32
    low, high = image[:, 30, 0].argmax(), image[:, 66, 0].argmax()
    assert low > 50 and high < 25
    assert image.max() == pytest.approx(255 - MEAN_GREY, abs=1e-3)
    np.testing.assert_allclose(image[:, :10], -MEAN_GREY, rtol=1e-6)


def test_neither_loudness_nor_rate_change_the_image():
    sound = tone(1_000) + tone(2_500)
    np.testing.assert_allclose(sound_image(sound, RATE), sound_image(0.01 * sound, RATE), atol=0.01)
    twice = sound_image(tone(1_000, 8_000), 8_000)
    assert twice[:, 48, 0].argmax() == sound_image(tone(1_000), RATE)[:, 48, 0].argmax()
    assert np.isfinite(sound_image(np.zeros(100), RATE)).all()
    assert sound_image(tone(500, seconds=3), RATE, frames=40, bands=32).shape == (32, 40, 1)


def test_vgg16_takes_it_as_a_grey_image():
    with initializers.weights_will_be_loaded():
        base = VGG16(weights=None, include_top=False, input_shape=(64, 96, 3))
    assert adapt_input(base, (64, 96, 1)).output_shape == (None, 2, 3, 512)

"""Augmentation of image and mask: one draw moves both, to within half a pixel; colours change in the image alone.

These tests need no file and no Pillow.
"""

import numpy as np
import pytest

from minitl.data import Augmentation, PairedAugmentation
from minitl.data.paired_augmentation import Movement
from minitl.errors import ArgumentError, ShapeError

PLAIN = Augmentation(brightness=0, contrast=0, saturation=0)
WHOLE = Augmentation(area=(1, 1), aspect=1, brightness=0, contrast=0, saturation=0)  # flips, and no cut-out
ALL = {"vertical": True, "quarter_turns": True, "rotation": 25}


def as_image(mask):
    """Return the image whose channels are the numbers of a mask."""
    return np.repeat(mask[..., None], 3, axis=2)


def test_an_image_that_is_its_mask_stays_its_mask():
    """Flips and quarter turns keep pixels whole, so after a hundred draws each pixel is the same in both."""
    mask = np.random.default_rng(0).integers(0, 200, (24, 24)).astype(np.uint8)
    augment, seen = PairedAugmentation(WHOLE, vertical=True, quarter_turns=True), set()
    for number in range(100):
        image, moved = augment(as_image(mask), mask, 24, 24, np.random.default_rng([0, 1, number]))
        assert image.dtype == np.float32 and moved.dtype == np.uint8
        assert np.array_equal(image, as_image(moved).astype(np.float32))
        seen.add(moved.tobytes())
    assert seen == {np.ascontiguousarray(m).tobytes() for turn in range(4) for m in (
        np.rot90(mask, turn), np.rot90(mask, turn)[:, ::-1])}, "all eight, and no other"  # fmt: skip


@pytest.mark.parametrize("size", [(48, 48), (30, 60), (90, 40)])
def test_both_are_moved_to_the_same_place(size):
    """The colours of this image and the numbers of this mask say where a pixel came from: they agree within half a
    pixel, after cut-outs, stretching, flips and rotations."""
    rows, cols = np.mgrid[:120, :200].astype(np.uint8)
    image = np.stack([rows, cols, np.zeros_like(rows)], axis=2)
    augment, compared = PairedAugmentation(PLAIN, **ALL, ignore=255), 0
    for number in range(30):
        for channel, mask in enumerate((rows, cols)):
            found, moved = augment(image, mask, *size, np.random.default_rng([3, 7, number]))
            inside = (moved != 255) & (found[..., 0] > 6) & (found[..., 0] < 113)
            inside &= (found[..., 1] > 6) & (found[..., 1] < 193)  # at the edge, an average holds fewer pixels
            assert np.abs(found[..., channel] - moved)[inside].max(initial=0) <= 0.5 + 1e-3
            compared += inside.sum()
    assert compared > 0.8 * 60 * size[0] * size[1]


def test_no_class_appears_and_outside_is_ignored():
    mask = np.random.default_rng(0).choice(np.array([2, 9], np.uint8), (20, 31))
    augment = PairedAugmentation(PLAIN, rotation=45, ignore=77)
    found = [augment(as_image(mask), mask, 25, 25, np.random.default_rng(n))[1] for n in range(50)]
    assert {int(number) for each in found for number in np.unique(each)} == {2, 9, 77}
    half = Movement(np.eye(2), np.array([0.0, -1.0]), 1, 3)
    assert half.of_mask(np.array([[5, 6]], np.uint8)).tolist() == [[255, 5, 6]]
    assert half.of_image(np.array([[[5.0], [6.0]]]))[..., 0].tolist() == [[5, 5, 6]]


def test_colours_change_in_the_image_alone():
    mask = np.random.default_rng(0).integers(0, 5, (16, 16)).astype(np.uint8)
    image = np.random.default_rng(1).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    a, b = (PairedAugmentation(each)(image, mask, 16, 16, np.random.default_rng(4)) for each in (PLAIN, Augmentation()))
    assert np.array_equal(a[1], b[1]) and np.abs(a[0] - b[0]).max() > 5
    assert a[0].min() >= 0 and b[0].max() <= 255


def test_a_draw_depends_on_seed_epoch_and_number():
    mask = np.random.default_rng(0).integers(0, 5, (16, 20)).astype(np.uint8)
    augment = PairedAugmentation(**ALL)

    def drawn(*key):
        return augment(as_image(mask), mask, 12, 14, np.random.default_rng(key))

    for a, b in zip(drawn(0, 1, 2), drawn(0, 1, 2)):
        assert np.array_equal(a, b)
    assert not any(np.array_equal(drawn(0, 1, 2)[0], drawn(*other)[0]) for other in ((1, 1, 2), (0, 2, 2), (0, 1, 3)))


def test_a_large_image_is_averaged():
    """Each new pixel is the mean of the old ones under it, and not one of them."""
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    small = PairedAugmentation(WHOLE)(image, image[..., 0], 8, 8, np.random.default_rng(1))[0]
    means = image.reshape(8, 8, 8, 8, 3).mean(axis=(1, 3))
    assert min(np.abs(small - each).max() for each in (means, means[:, ::-1])) < 1e-3


def test_wrong_arguments():
    for options in {"rotation": -1}, {"ignore": 256}, {"augmentation": None}:
        with pytest.raises(ArgumentError, match=next(iter(options))):
            PairedAugmentation(**options)
    with pytest.raises(ShapeError, match="of the same size"):
        PairedAugmentation()(np.zeros((4, 5, 3)), np.zeros((5, 4)), 4, 4, np.random.default_rng(0))

"""Augmentation moves boxes as it moves pixels, and drops a box together with its label."""

import numpy as np
import pytest

from minitl.data import Augmentation, BoxedAugmentation
from minitl.data.box_augmentation import MEAN_COLOUR, boxed_example, resized, visible
from minitl.data.box_geometry import CENTRES, SIZES, as_corners, clipped, mirrored, turned_left, upside_down
from minitl.data.detection_folder import BoxedPhoto
from minitl.errors import ArgumentError, ShapeError

pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
from PIL import Image

PLAIN = dict(brightness=0, contrast=0, saturation=0)
ALL = dict(area=(0.2, 1.0), zoom_in=0.5, zoom_out=0.3, largest=3.0, upside_down=True, quarter_turns=True)


def drawn(boxes, height, width):
    """Return a black Pillow image with a bright rectangle for each box: red, green or blue."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for colour, (left, top, right, bottom) in enumerate(np.asarray(boxes, int)):
        pixels[top:bottom, left:right, colour] = 255
    return Image.fromarray(pixels)


def extent(channel):
    """Return left, top, right, bottom of the area that is at least half bright."""
    share = channel / 255
    rows, columns = share.max(1), share.max(0)
    inner = [np.flatnonzero(line > 0.5) for line in (columns, rows)]
    return np.array([inner[0][0], inner[1][0], inner[0][-1] + 1, inner[1][-1] + 1])


def test_boxes_lie_where_the_bright_areas_are(rng):
    """100 draws of all changes: each box that is kept is the extent of its bright area, within a pixel."""
    boxes, labels = np.array([[20, 30, 70, 110], [80, 100, 140, 140], [95, 10, 150, 60]]), np.array([4, 5, 6])
    augment, image, compared, dropped = BoxedAugmentation(**ALL, **PLAIN), drawn(boxes, 150, 160), 0, 0
    for number in range(100):
        pixels, moved, kept = augment(image, boxes, labels, 90, 120, np.random.default_rng([1, 2, number]))
        assert pixels.shape == (90, 120, 3) and pixels.dtype == moved.dtype == np.float32
        assert moved.shape == (len(kept), 4) and len(kept) == len(set(kept.tolist()))
        dropped += len(boxes) - len(kept)
        background = np.abs(pixels - MEAN_COLOUR).max(-1) < 1e-3  # around a shrunk image
        for box, position in zip(moved, kept):
            channel = np.where(background, 0, pixels[..., position])
            assert np.abs(extent(channel) - box).max() <= 1, (number, box)
            compared += 1
    assert compared > 150 and dropped > 20


def test_a_wrong_box_would_be_found_out():
    """A box that is mirrored without its image is off by far more than a pixel."""
    boxes = np.array([[20, 30, 70, 110]])
    pixels, moved = resized(drawn(boxes, 150, 160), boxes, 75, 80)
    assert np.abs(extent(pixels[..., 0]) - moved[0]).max() <= 1
    assert np.abs(extent(pixels[..., 0]) - mirrored(moved, 80)[0]).max() > 10


def test_a_box_that_a_crop_drops_takes_its_label_along(tmp_path, monkeypatch):
    """Two boxes, and the crop keeps the second: its label and marks are the second ones."""
    boxes = np.array([[0, 0, 20, 20], [50, 50, 90, 90]], np.float32)
    drawn(boxes, 100, 100).save(tmp_path / "a.png")
    marks = np.array([True, False]), np.array([False, True])
    photo = BoxedPhoto(tmp_path / "a.png", "", 100, 100, boxes, np.array([3, 8]), *marks)
    monkeypatch.setattr(BoxedAugmentation, "random_box", lambda self, *size_and_rng: (40, 40, 100, 100))
    augment = BoxedAugmentation(flip=False, zoom_in=1.0, zoom_out=0.0)
    _, moved, labels, difficult, crowd = boxed_example(photo, 60, 60, augment)
    assert moved.tolist() == [[10, 10, 50, 50]] and labels.tolist() == [8]
    assert difficult.tolist() == [False] and crowd.tolist() == [True]


@pytest.mark.parametrize(
    "box, least, is_kept",
    [((-4, 0, 6, 10), 0.5, True), ((-6, 0, 4, 10), 0.1, False), ((-4, 0, 6, 10), 0.7, False),
     ((20, 0, 30, 9), 0.1, False), ((0, 0, 10, 10), 1.0, True), ((3, 3, 3, 8), 0.5, False)],
)  # fmt: skip
def test_a_box_needs_its_centre_and_a_share(box, least, is_kept):
    assert len(visible(np.array([box], float), 10, 10, least)) == is_kept


def test_the_same_numbers_give_the_same_variation(tmp_path):
    boxes = np.array([[20, 30, 70, 110]], np.float32)
    drawn(boxes, 150, 160).save(tmp_path / "a.png")
    none = np.zeros(1, bool)
    photo, augment = BoxedPhoto(tmp_path / "a.png", "", 150, 160, boxes, np.array([0]), none, none), BoxedAugmentation()
    first = boxed_example(photo, 60, 60, augment, seed=1, epoch=2, number=3)
    again = boxed_example(photo, 60, 60, augment, seed=1, epoch=2, number=3)
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    for other in dict(seed=2, epoch=2, number=3), dict(seed=1, epoch=3, number=3), dict(seed=1, epoch=2, number=4):
        assert not np.array_equal(first[0], boxed_example(photo, 60, 60, augment, **other)[0])
    unchanged = boxed_example(photo, 75, 80)
    assert unchanged[1].tolist() == [[10, 15, 35, 55]] and np.array_equal(unchanged[0], resized(*open_with(photo))[0])


def open_with(photo):
    return Image.open(photo.path), photo.boxes, 75, 80


def test_images_without_boxes_are_varied_as_well(rng):
    augment = BoxedAugmentation(**ALL)
    for _ in range(20):
        pixels, boxes, kept = augment(drawn([], 30, 40), np.zeros((0, 4)), np.zeros(0, int), 16, 24, rng)
        assert pixels.shape == (16, 24, 3) and boxes.shape == (0, 4) and kept.shape == (0,)
        assert np.isfinite(pixels).all() and 0 <= pixels.min() and pixels.max() <= 255


def test_a_crop_keeps_a_box_if_it_can(rng):
    augment = BoxedAugmentation(area=(0.2, 0.3), zoom_in=1.0, zoom_out=0.0)
    image, boxes = drawn([[0, 0, 12, 12]], 100, 100), np.array([[0, 0, 12, 12]])
    assert all(len(augment(image, boxes, [0], 50, 50, rng)[1]) == 1 for _ in range(50))


def test_turns_are_those_of_numpy(rng):
    """A box and its bright area turn alike, for arrays that are no squares."""
    box = np.array([[2.0, 3, 7, 5]])
    image = np.asarray(drawn(box, 9, 14))[..., 0]
    for quarters in range(-1, 5):
        assert np.array_equal(extent(np.rot90(image, quarters)), turned_left(box, quarters % 4, 9, 14)[0])
    assert np.array_equal(extent(image[::-1]), upside_down(box, 9)[0])
    assert np.array_equal(extent(image[:, ::-1]), mirrored(box, 14)[0])


def test_formats_are_those_of_the_docstring():
    box = (64, 48, 192, 240)
    assert as_corners((64, 48, 128, 192), SIZES, 480, 640) == box
    assert np.allclose(as_corners((0.2, 0.3, 0.2, 0.4), CENTRES, 480, 640), box)
    assert clipped(np.array([[-1.0, 5, 11, 9]]), 8, 10).tolist() == [[0, 5, 10, 8]]


def test_wrong_settings_are_refused(rng):
    for wrong in (
        dict(zoom_in=0.8, zoom_out=0.3),
        dict(largest=0.5),
        dict(least_visible=0),
        dict(zoom_in=-1),
        dict(aspect=0),
    ):
        with pytest.raises(ArgumentError):
            BoxedAugmentation(**wrong)
    with pytest.raises(ShapeError, match="2 boxes and 1 labels"):
        BoxedAugmentation()(drawn([], 9, 9), np.ones((2, 4)), [1], 8, 8, rng)


def test_colours_change_as_without_boxes():
    """The colours go through `Augmentation.recoloured`; the area around a shrunk image keeps the mean colour."""
    augment = BoxedAugmentation(flip=False, zoom_in=0.0, zoom_out=0.0, brightness=0.3)
    image, seeds = Image.fromarray(np.full((8, 8, 3), (90, 60, 30), np.uint8)), range(5)
    for seed in seeds:
        rng = np.random.default_rng(seed)
        found = augment(image, [], [], 8, 8, rng)[0]
        rng = np.random.default_rng(seed)
        rng.random()  # which change of size
        expected = Augmentation(brightness=0.3).recoloured(np.asarray(image, np.float32), rng)
        assert np.allclose(found, expected)
    out = BoxedAugmentation(zoom_in=0.0, zoom_out=1.0, largest=3.0, **PLAIN)
    pixels = out(image, [], [], 30, 30, np.random.default_rng(0))[0]
    flat = pixels.reshape(-1, 3)
    is_image, is_mean = np.all(flat == (90, 60, 30), 1), np.all(flat == MEAN_COLOUR, 1)
    assert is_image.any() and is_mean.any() and (is_image | is_mean).all()

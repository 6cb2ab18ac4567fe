"""Boxes, texts and masks are drawn where they belong, in colours that can be told apart."""

import numpy as np
import pytest

from minitl import data
from minitl.data.drawing import COLOURS, class_colours
from minitl.errors import ArgumentError, ShapeError

GREY = np.full((40, 60, 3), 90, np.uint8)


def test_a_box_is_drawn_on_its_sides_and_nowhere_else():
    image = GREY.copy()
    shown = data.draw_boxes(image, [[10, 5, 30, 25]], colours=[[255, 0, 0]], thickness=2)
    assert np.array_equal(image, GREY)  # a copy was drawn on
    red = np.all(shown == (255, 0, 0), axis=2)
    expected = np.zeros((40, 60), bool)
    expected[5:25, 10:30] = True
    expected[7:23, 12:28] = False
    assert np.array_equal(red, expected)
    expected = np.zeros((40, 60), bool)
    expected[4:26, 9:31] = True
    expected[8:22, 13:27] = False
    assert np.array_equal(np.any(shown != 90, axis=2), expected)  # with an edge of a pixel on both sides


@pytest.mark.parametrize(
    "box",
    [
        (-20, -20, 20, 20),
        (50, 30, 90, 70),
        (-5, 10, 70, 20),
        (-1e12, -1e12, 1e12, 1e12),
        (3, 3, 3, 3),
        (70, 70, 80, 80),
    ],
)
def test_boxes_over_the_edge_are_drawn_as_far_as_they_go(box):
    shown = data.draw_boxes(GREY, [box], ["a long text that has no room"])
    assert shown.shape == GREY.shape and shown.dtype == np.uint8
    if box == (-20, -20, 20, 20):
        text_free = data.draw_boxes(GREY, [box])
        assert np.all(text_free[10, 18] == COLOURS[0]) and np.all(text_free[10, :15] == 90)


def test_nothing_is_drawn_for_no_boxes():
    assert np.array_equal(data.draw_boxes(GREY, np.zeros((0, 4)), []), GREY)


def test_texts_stand_above_their_box():
    pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
    plain = data.draw_boxes(GREY, [[10, 25, 50, 38]])
    shown = data.draw_boxes(GREY, [[10, 25, 50, 38]], ["bee"])
    rows, columns = np.nonzero(np.any(shown != plain, axis=2))
    assert len(rows) > 20 and rows.max() < 25 and columns.min() >= 10
    inside = data.draw_boxes(GREY, [[10, 0, 50, 38]], ["bee"])
    assert np.any(inside[:14] != data.draw_boxes(GREY, [[10, 0, 50, 38]])[:14])
    data.draw_boxes(GREY, [[1, 1, 9, 9]], ["Ω 蜂 \x1b\n"])  # whatever a class is called


def test_a_mask_colours_its_pixels_and_no_others():
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 10:20], mask[0] = 1, 255
    shown = data.overlay_mask(GREY, mask, [[0, 0, 0], [200, 0, 100]], opacity=0.5, without=(0, 255))
    assert np.all(shown[10:20, 10:20] == (145, 45, 95)) and np.all(shown[:10] == 90) and np.all(shown[20:] == 90)
    assert np.array_equal(data.overlay_mask(GREY, mask, opacity=0), GREY)
    assert np.all(data.overlay_mask(GREY, mask, opacity=1)[10:20, 10:20] == COLOURS[1])
    with pytest.raises(ArgumentError, match="classes 0 to 1, and there are 1 colours"):
        data.overlay_mask(GREY, mask, [[0, 0, 0]])


def test_wrong_arrays_are_refused():
    for image in GREY.astype(float), GREY[..., 0]:
        with pytest.raises(ShapeError, match="expected uint8"):
            data.draw_boxes(image, [])
    with pytest.raises(ShapeError, match="1 boxes, 2 texts"):
        data.draw_boxes(GREY, [[1, 2, 3, 4]], ["a", "b"])
    with pytest.raises(ArgumentError, match="not finite"):
        data.draw_boxes(GREY, [[1, 2, np.nan, 4]])
    for mask in np.zeros((40, 61), int), np.zeros((40, 60)):
        with pytest.raises(ShapeError, match="the mask is"):
            data.overlay_mask(GREY, mask)
    with pytest.raises(ArgumentError, match="opacity"):
        data.overlay_mask(GREY, np.zeros((40, 60), int), opacity=2)


# Linear RGB as people see it without one kind of cones (Machado, Oliveira and Fernandes 2009, severity 1).
BLIND = {
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(colours, seen=None):
    """Return colours (K, 3) from 0 to 255 as CIE L*a*b*, in which a distance of 2.3 can just be seen."""
    share = np.asarray(colours, float) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    linear = linear if seen is None else np.clip(linear @ np.array(seen).T, 0, 1)
    xyz = linear @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    xyz /= [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


def least_distance(colours, seen=None):
    points = lab(colours, seen)
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return distances[~np.eye(len(points), dtype=bool)].min()


@pytest.mark.parametrize("kind", BLIND)
def test_the_first_colours_differ_for_people_who_see_two_primary_colours(kind):
    assert least_distance(COLOURS[:7], BLIND[kind]) > 10
    assert least_distance([(255, 0, 0), (0, 160, 0), (0, 0, 255), (160, 110, 0)], BLIND["no green"]) < 10  # a bad table


def test_all_colours_differ_and_begin_again():
    assert least_distance(COLOURS) > 8 and len(COLOURS) == 21
    assert np.array_equal(class_colours([0, 21, 4]), COLOURS[[0, 0, 4]])

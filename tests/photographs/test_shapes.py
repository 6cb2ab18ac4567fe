"""Shapes on textures: masks and boxes fit each other, colour alone tells nothing, and a seed gives the same images."""

import numpy as np
import pytest

from minitl.data import shapes_on_textures
from minitl.data.shapes import LEAST_VISIBLE, MOST_SHAPES, _visible
from minitl.errors import ArgumentError


@pytest.fixture(scope="module")
def shapes():
    return shapes_on_textures(60, 48, 56, seed=3)


def test_arrays(shapes):
    assert shapes.images.shape == (60, 48, 56, 3) and shapes.images.dtype == np.uint8
    assert shapes.masks.shape == (60, 48, 56) and shapes.masks.dtype == np.uint8
    assert set(np.unique(shapes.masks)) == {0, 1, 2, 3} and shapes.class_names == ("disc", "square", "triangle")
    for boxes, labels in zip(shapes.boxes, shapes.labels):
        assert boxes.shape == (len(labels), 4) and boxes.dtype == np.float32 and labels.dtype == np.int64
        assert 1 <= len(labels) <= MOST_SHAPES
    assert np.bincount(np.concatenate(shapes.labels)).min() > 15


def test_boxes_are_the_extent_of_the_pixels(shapes):
    """A class with one shape alone has pixels up to the sides of its box. No pixel lies outside of all boxes."""
    alone = 0
    for mask, boxes, labels in zip(shapes.masks, shapes.boxes, shapes.labels):
        inside = np.zeros(mask.shape, bool)
        for box, label in zip(boxes.astype(int), labels):
            left, top, right, bottom = box
            inside[top:bottom, left:right] = True
            pixels = mask[top:bottom, left:right] == label + 1
            sides = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
            assert all(side.any() for side in sides)
            if (labels == label).sum() == 1:
                alone += 1
                rows, cols = np.nonzero(mask == label + 1)
                assert [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1] == box.tolist()
        assert not mask[~inside].any()
    assert alone > 40


def test_a_shape_of_which_little_is_seen_is_left_out():
    wide, narrow = np.zeros((4, 10), bool), np.zeros((4, 10), bool)
    wide[:, :6], narrow[:, :4] = True, True
    assert [kind for kind, _ in _visible([(0, wide), (1, narrow)])] == [1], "a third of it is seen"
    assert [kind for kind, _ in _visible([(1, narrow), (0, wide)])] == [0]
    narrow[:, 3] = False
    assert 3 / 6 >= LEAST_VISIBLE and [kind for kind, _ in _visible([(0, wide), (1, narrow)])] == [0, 1]
    assert [kind for kind, _ in _visible([(1, narrow), (0, wide), (2, wide)])] == [2], "what is left out covers nothing"


def test_the_colour_of_a_pixel_does_not_tell_its_class():
    """The best class for each of 512 colours, learned on other images, is right no more often than by chance."""
    shapes = shapes_on_textures(120, 48, 48, seed=0)
    colour = (shapes.images // 32).astype(int) @ [64, 8, 1]
    counts = np.zeros((512, 4))
    np.add.at(counts, (colour[:80].ravel(), shapes.masks[:80].ravel()), 1)
    best = (counts / counts.sum(axis=0)).argmax(axis=1)[colour[80:]]
    recalls = [(best == k)[shapes.masks[80:] == k].mean() for k in range(4)]
    assert np.mean(recalls) < 0.35


def test_a_seed_gives_the_same_images_also_of_a_smaller_count(shapes):
    few = shapes_on_textures(5, 48, 56, seed=3)
    assert np.array_equal(few.images, shapes.images[:5]) and np.array_equal(few.masks, shapes.masks[:5])
    assert np.array_equal(few.boxes[4], shapes.boxes[4])
    assert not np.array_equal(shapes_on_textures(5, 48, 56, seed=4).images, few.images)
    assert shapes_on_textures(0, 48, 56).images.shape == (0, 48, 56, 3)


@pytest.mark.parametrize("arguments", [(-1, 64, 64), (1, 15, 64), (1, 64, 8), (1.5, 64, 64)])
def test_sizes_that_hold_no_shapes(arguments):
    with pytest.raises(ArgumentError, match="expected a whole number of at least"):
        shapes_on_textures(*arguments)

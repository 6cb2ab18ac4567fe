"""Outlines and run lengths against pycocotools: the same pixels and the same texts, not one of them different."""

import numpy as np
import pytest

from minitl.data import polygons

peer = pytest.importorskip("pycocotools.mask", reason="needs pycocotools")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pycocotools with a newer NumPy


def random_polygon(rng, height, width, kind):
    """Return a random outline: within the image, reaching far out of it, on whole pixels, or on halves of pixels."""
    corners = int(rng.integers(3, 12))
    drawn = {
        "within": lambda: rng.uniform(0, 1, (corners, 2)) * (width, height),
        "out": lambda: rng.uniform(-30, 90, (corners, 2)),
        "whole": lambda: rng.integers(-5, 70, (corners, 2)).astype(float),
        "halves": lambda: np.round(rng.uniform(-2, 60, (corners, 2)) * 2) / 2,
    }[kind]()
    if rng.random() < 0.2:
        drawn[1] = drawn[0]
    return drawn.ravel().tolist()


@pytest.mark.parametrize("kind", ["within", "out", "whole", "halves"])
def test_polygons_are_the_same_pixels(rng, kind):
    for _ in range(300):
        height, width = rng.integers(1, 60, 2).tolist()
        several = [random_polygon(rng, height, width, kind) for _ in range(rng.integers(1, 4))]
        expected = peer.decode(peer.merge(peer.frPyObjects(several, height, width)))
        assert np.array_equal(polygons.segmentation_mask(several, height, width), expected)


def test_a_large_polygon_is_the_same_pixels(rng):
    angles = np.sort(rng.uniform(0, 2 * np.pi, 500))
    radius = rng.uniform(100, 600, 500)
    outline = np.stack([640 + radius * np.cos(angles), 480 + radius * np.sin(angles)], 1).ravel().tolist()
    expected = peer.decode(peer.frPyObjects([outline], 960, 1280))[..., 0]
    assert np.array_equal(polygons.draw_polygon(outline, 960, 1280), expected)


def test_run_lengths_are_the_same_texts(rng):
    for _ in range(300):
        height, width = rng.integers(1, 80, 2).tolist()
        mask = rng.random((height, width)) < rng.choice([0, 0.02, 0.5, 0.98, 1])
        if rng.random() < 0.5:
            mask = np.repeat(np.repeat(mask, 9, axis=0), 13, axis=1)
        stored = peer.encode(np.asfortranarray(mask.astype(np.uint8)))
        found = polygons.encode_run_lengths(mask)
        assert found == {"size": list(mask.shape), "counts": stored["counts"].decode()}
        assert np.array_equal(polygons.decode_run_lengths(stored), mask)
        counts = polygons.encode_run_lengths(mask, compressed=False)
        assert peer.frPyObjects(counts, *mask.shape)["counts"] == stored["counts"]

"""SimCLR's loss, the random views, and the examples of the methods without labels."""

import numpy as np
import pytest

from minitl.course.self_supervised import methods, views
from minitl.course.self_supervised.methods import METHODS, with_hidden_patches, with_pairs, with_turns
from minitl.errors import DataError
from minitl.kernels.contrastive import nt_xent, nt_xent_naive
from minitl.losses import NTXent
from minitl.losses.contrastive import partners


@pytest.mark.parametrize("temperature, expected", [(0.5, 0.239545), (1.0, 0.551445)])
def test_two_perfect_pairs_that_are_orthogonal(temperature, expected):
    rows = np.array([[3.0, 0], [0, 1], [0.2, 0], [0, 5]])
    assert NTXent(temperature).forward([7, 3, 7, 3], rows) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("pairs", [1, 2, 8])
def test_equal_rows_tell_nothing(pairs):
    rows = np.ones((2 * pairs, 3), np.float32)
    criterion = NTXent()
    assert criterion.forward(np.arange(pairs).repeat(2), rows) == pytest.approx(np.log(2 * pairs - 1), abs=1e-6)
    np.testing.assert_allclose(criterion.backward(), 0, atol=1e-7)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("temperature", [0.07, 0.5, 3])
def test_it_equals_its_twin(rng, temperature, weighted):
    rows, partner = rng.standard_normal((10, 4)), np.array([1, 0, 5, 4, 3, 2, 8, 9, 6, 7])
    weight = rng.random(10) if weighted else None
    expected = nt_xent_naive(rows, partner, temperature, weight)
    assert nt_xent(rows, partner, temperature, weight)[0] == pytest.approx(expected, rel=1e-12)


def test_neither_order_nor_length_of_the_rows_matters(rng):
    rows, images = rng.standard_normal((8, 5)), np.array([0, 0, 1, 1, 2, 2, 3, 3])
    order, lengths = rng.permutation(8), rng.random((8, 1)) + 0.1
    expected = NTXent().forward(images, rows)
    assert NTXent().forward(images[order], (rows * lengths)[order]) == pytest.approx(expected, rel=1e-12)


def test_rows_of_zeros_and_an_empty_batch_are_finite():
    criterion = NTXent()
    assert np.isfinite(criterion.forward([0, 0, 1, 1], np.zeros((4, 3)))) and np.isfinite(criterion.backward()).all()
    assert criterion.forward(np.zeros(0, int), np.zeros((0, 3))) == 0 and criterion.backward().shape == (0, 3)


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match=r"image 2 has 1 rows in this batch; NTXent expected exactly two views"):
        partners(np.array([1, 2, 1]))
    with pytest.raises(DataError, match="image 4 has 3 rows"):
        NTXent().forward([4, 4, 4, 5], np.zeros((4, 2)))
    with pytest.raises(DataError, match="whole numbers"):
        NTXent().forward([0.5, 0.5], np.zeros((2, 2)))
    with pytest.raises(DataError, match=r"predictions \(2, 3, 4\); NTXent expected \(M,\) and \(M, D\)"):
        NTXent().forward([0, 0], np.zeros((2, 3, 4)))


# ---- views ----


def test_a_crop_equals_its_twin(rng):
    images = rng.standard_normal((5, 7, 9, 2))
    top, left = np.array([0, 1.5, 3, 0.2, 0]), np.array([0, 2, 0.5, 4, 0])
    height, width = np.array([7, 4, 3.5, 6, 1]), np.array([9, 7, 3, 2.5, 1])
    found = views.cropped(images, top, left, height, width)
    np.testing.assert_allclose(found, views.cropped_naive(images, top, left, height, width), atol=1e-12)
    np.testing.assert_allclose(found[0], images[0], atol=1e-12)  # the whole image is the image


def test_views_differ_and_come_from_their_image(rng):
    images = np.tile(np.arange(4, dtype=np.float32)[:, None, None, None] * 10, (1, 28, 28, 1))
    found = views.random_views(images, rng)
    assert found.shape == images.shape and found.dtype == np.float32
    low, high = (1 - views.CONTRAST) * images - views.BRIGHTNESS, (1 + views.CONTRAST) * images + views.BRIGHTNESS
    assert (found >= low - 1e-4).all() and (found <= high + 1e-4).all()
    x, numbers, _ = with_pairs(images + rng.standard_normal(images.shape).astype(np.float32), None, rng)
    assert x.shape == (8, 28, 28, 1) and list(numbers) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert all(abs(x[2 * k] - x[2 * k + 1]).max() > 0.01 for k in range(4))


def test_turns_of_views_are_labelled(rng, monkeypatch):
    images = rng.standard_normal((12, 5, 5, 1)).astype(np.float32)
    monkeypatch.setattr(methods, "random_views", lambda images, rng: images + 1)
    x, quarters, _ = with_turns(images, None, rng)
    assert set(quarters) == {0, 1, 2, 3}
    for image, turned, quarter in zip(images, x, quarters):
        np.testing.assert_array_equal(turned, np.rot90(image + 1, quarter))


def test_hidden_patches_alone_count(rng):
    images = rng.standard_normal((6, 28, 28, 1)).astype(np.float32) + 3
    x, y, weight = with_hidden_patches(images, None, rng)
    hidden = x[..., 0] == 0
    assert hidden.reshape(6, -1).sum(axis=1).tolist() == [29 * 16] * 6  # 60 % of 49 patches are 29
    patches = hidden.reshape(6, 7, 4, 7, 4).swapaxes(2, 3).reshape(6, 49, 16)
    assert (patches.all(axis=2) == patches.any(axis=2)).all()
    assert len({patch.tobytes() for patch in patches.all(axis=2)}) == 6  # others in each image
    np.testing.assert_array_equal(y, images)
    criterion, predictions = METHODS["mae"].loss(), rng.standard_normal(images.shape).astype(np.float32)
    loss = criterion.forward(y, predictions, weight)
    assert loss == pytest.approx(float(((predictions - images)[hidden] ** 2).mean()), rel=1e-5)
    assert (criterion.backward()[~hidden] == 0).all()

"""Images as arrays: resizing, and grey to RGB. Pixels run from 0 to 255. The last axis is RGB."""

import numpy as np


def resize(images, height, width):
    """Resize images bilinearly: (N, H, W) or (N, H, W, C) -> float32 with `height` rows and `width` columns.

    Each new pixel is a weighted mean of old pixels, with separate weights along rows and along columns. So resizing is
    one matrix product from the left and one from the right. This is meant for enlarging. Shrink photographs with
    Pillow, which averages over all pixels.
    """
    images = np.asarray(images, np.float32)
    rows = _interpolation(images.shape[1], height)  # (height, H)
    cols = _interpolation(images.shape[2], width)  # (width, W)
    images = np.tensordot(rows, images, axes=(1, 1))  # (height, N, W[, C])
    images = np.tensordot(cols, images, axes=(1, 2))  # (width, height, N[, C])
    return np.ascontiguousarray(np.moveaxis(images, (0, 1), (2, 1)))  # (N, height, width[, C])


def _interpolation(old, new):
    """Return a matrix (new, old) whose row i holds the weights of the two old pixels around new pixel i.

    Pixels are little squares: the centre of new pixel i lies at (i + 1/2) old/new - 1/2 on the old axis. Before the
    first old centre and after the last one, the pixel at the edge has the whole weight.
    """
    position = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    left = np.minimum(position.astype(int), max(old - 2, 0))
    weights = np.zeros((new, old), np.float32)
    weights[np.arange(new), left] = 1 - (position - left)
    weights[np.arange(new), np.minimum(left + 1, old - 1)] += position - left
    return weights


def grey_to_rgb(images):
    """Return grey images (N, H, W) or (N, H, W, 1) as RGB (N, H, W, 3), with three equal channels."""
    if images.ndim == 4:
        images = images[..., 0]
    return np.repeat(images[..., None], 3, axis=3)

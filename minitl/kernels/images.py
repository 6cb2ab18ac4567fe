"""Images as arrays: resizing, and grey to RGB. Pixels run from 0 to 255. The last axis is RGB."""

import numpy as np

from .resampling import interpolation


def resize(images, height, width):
    """Resize images bilinearly: (N, H, W) or (N, H, W, C) -> float32 with `height` rows and `width` columns.

    Each new pixel is a weighted mean of old pixels, with separate weights along rows and along columns. So resizing is
    one matrix product from the left and one from the right. This is meant for enlarging. Shrink photographs with
    Pillow, which averages over all pixels.
    """
    images = np.asarray(images, np.float32)
    rows = interpolation(images.shape[1], height)  # (height, H)
    cols = interpolation(images.shape[2], width)  # (width, W)
    images = np.tensordot(rows, images, axes=(1, 1))  # (height, N, W[, C])
    images = np.tensordot(cols, images, axes=(1, 2))  # (width, height, N[, C])
    return np.ascontiguousarray(np.moveaxis(images, (0, 1), (2, 1)))  # (N, height, width[, C])


def grey_to_rgb(images):
    """Return grey images (N, H, W) or (N, H, W, 1) as RGB (N, H, W, 3), with three equal channels."""
    if images.ndim == 4:
        images = images[..., 0]
    return np.repeat(images[..., None], 3, axis=3)

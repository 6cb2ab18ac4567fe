"""Keras's transforms of single images: rotation, shift, shear, zoom, flips, shifts of the colours and the brightness.

    rng -> parameters (`ImageDataGenerator.get_random_transform`) -> the image (`transformed`)

Rotation, shift, shear and zoom are one affine matrix about the middle of the image. A new pixel (i, j) comes from the
place M (i, j, 1)^T of the old image, where

    M = rotation * shift * shear * zoom    rotation = (cos, -sin; sin, cos)    shift = (1, 0, tx; 0, 1, ty)
                                           shear = (1, -sin s; 0, cos s)       zoom = (zx, 0; 0, zy)

Who calls this: `image_data_generator`.
"""

import numpy as np

from ..errors import ArgumentError
from ..kernels.sampling import OUTSIDE, places, sample
from .pillow_images import array_to_img, img_to_array

# The parameters of a transform and what leaves an image as it is.
UNCHANGED = {
    "theta": 0, "tx": 0, "ty": 0, "shear": 0, "zx": 1, "zy": 1,
    "flip_horizontal": False, "flip_vertical": False, "channel_shift_intensity": None, "brightness": None,
}  # fmt: skip


def transformed(x, parameters, fill_mode="nearest", cval=0.0, interpolation_order=1):
    """Return an image x (H, W, C), transformed by `parameters`: a dict with some of the names of UNCHANGED.

    theta and shear are angles in degrees. tx moves rows and ty columns, by pixels; zx and zy are the old size of a new
    pixel, in rows and in columns.
    """
    unknown = sorted(set(parameters) - set(UNCHANGED))
    if unknown:
        raise ArgumentError(f"a transform has no parameter {unknown[0]!r}; it has {', '.join(UNCHANGED)}.")
    p = {**UNCHANGED, **parameters}
    matrix = _matrix(*(p[name] for name in ("theta", "tx", "ty", "shear", "zx", "zy")), *x.shape[:2])
    if matrix is not None:
        x = affine(x, matrix, fill_mode, cval, interpolation_order)
    if p["channel_shift_intensity"] is not None:
        x = np.clip(x + x.dtype.type(p["channel_shift_intensity"]), x.min(), x.max())
    if p["flip_horizontal"]:
        x = x[:, ::-1]
    if p["flip_vertical"]:
        x = x[::-1]
    return x if p["brightness"] is None else _brightened(x, p["brightness"])


def _matrix(theta, tx, ty, shear, zx, zy, height, width):
    """Return the matrix (2, 3) of a transform about the middle of an image, or None if it changes nothing."""
    if (theta, tx, ty, shear, zx, zy) == (0, 0, 0, 0, 1, 1):
        return None
    theta, shear = np.deg2rad(theta), np.deg2rad(shear)
    about_origin = (
        np.array([[np.cos(theta), -np.sin(theta), 0], [np.sin(theta), np.cos(theta), 0], [0, 0, 1]])
        @ np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
        @ np.array([[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]])
        @ np.diag([zx, zy, 1])
    )
    middle = np.array([[1, 0, height / 2 - 0.5], [0, 1, width / 2 - 0.5], [0, 0, 1]])
    back = np.array([[1, 0, 0.5 - height / 2], [0, 1, 0.5 - width / 2], [0, 0, 1]])
    # The formulas take x before y, and an image has its rows first: both pairs of axes are exchanged.
    swapped = (middle @ about_origin @ back)[[1, 0, 2]][:, [1, 0, 2]]
    return swapped[:2]


def affine(x, matrix, fill_mode="nearest", cval=0.0, order=1):
    """Return an image x (H, W, C) whose pixels come from the places of an affine matrix (2, 3). `fill_mode` says what
    lies outside; 'wrap' repeats the image every H - 1 rows and W - 1 columns, as SciPy does for Keras."""
    if fill_mode not in OUTSIDE:
        raise ArgumentError(f"fill_mode is {fill_mode!r}; expected one of {', '.join(OUTSIDE)}.")
    if order not in (0, 1):
        raise ArgumentError(f"interpolation_order is {order!r}; expected 0 (nearest pixel) or 1 (bilinear).")
    rows, columns = places(matrix[None], *x.shape[:2])  # (1, H, W)
    last = x.shape[0] - 1, x.shape[1] - 1
    if fill_mode == "wrap":
        rows, columns = _wrapped(rows, last[0]), _wrapped(columns, last[1])
    how = "reflect" if fill_mode == "reflect" else "nearest"
    y = sample(x[None], rows, columns, how, interpolation="bilinear" if order else "nearest")[0]
    if fill_mode == "constant":  # beyond the last pixels nothing is interpolated
        y[((rows < 0) | (rows > last[0]) | (columns < 0) | (columns > last[1]))[0]] = cval
    return y


def _wrapped(place, last):
    """Return places from 0 to `last`; those within stay as they are."""
    return np.where((place < 0) | (place > last), place % last if last else 0, place)


def _brightened(x, factor):
    """Return an image whose brightness is multiplied by a factor. Pillow does it, in whole pixels, as in Keras."""
    from PIL import ImageEnhance

    smallest, largest = x.min(), x.max()
    is_outside = smallest < 0 or largest > 255
    y = img_to_array(ImageEnhance.Brightness(array_to_img(x, scale=bool(is_outside))).enhance(factor))
    return y / 255 * (largest - smallest) + smallest if is_outside else y

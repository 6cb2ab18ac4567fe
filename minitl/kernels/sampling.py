"""Sampling: the pixels of a map at any places between its pixels, and the gradient. Rotating, moving and zooming an
image is to sample it at the places where its new pixels come from.

    places       a new pixel (i, j) comes from the place (a i + b j + c, d i + e j + f) of the old map: an affine matrix
    sample       the weighted mean of the four pixels around a place ('bilinear'), or the nearest pixel

A place (r, q) lies between the rows floor(r) and floor(r) + 1, and between two columns likewise. With the remainders
u = r - floor(r) and v = q - floor(q), the four pixels have the weights

    (1 - u)(1 - v)   (1 - u) v
    u (1 - v)        u v

What lies outside the map is one of OUTSIDE: the pixel at the edge (nearest), the map mirrored at its edge (reflect:
d c b a | a b c d | d c b a), the map once more (wrap: a b c d | a b c d), or a constant.

Who calls this: `layers.random_geometry`, `data.image_transforms`.
"""

import numpy as np

OUTSIDE = ("nearest", "reflect", "wrap", "constant")


def places(matrices, height, width):
    """Return the places (rows, columns), two arrays (N, height, width), that the pixels of new maps come from.

    matrices   (N, 2, 3): ((a, b, c), (d, e, f))
    """
    i, j = np.arange(height)[:, None], np.arange(width)  # (height, 1), (width,)
    return tuple(
        matrices[:, k, 0, None, None] * i + matrices[:, k, 1, None, None] * j + matrices[:, k, 2, None, None]
        for k in (0, 1)
    )


def sample(x, rows, columns, outside="reflect", constant=0.0, interpolation="bilinear"):
    """Return the maps x (N, H, W, C) at the places rows, columns (N, P, Q): (N, P, Q, C)."""
    y = np.zeros((*rows.shape, x.shape[3]), x.dtype)
    example = np.arange(len(x))[:, None, None]
    for h, w, weight, is_inside in _neighbours(x.shape[1:3], rows, columns, outside, interpolation):
        pixels = x[example, h, w]  # (N, P, Q, C)
        if not is_inside.all():
            pixels[~is_inside] = constant
        pixels *= weight[..., None].astype(x.dtype)
        y += pixels
    return y


def sample_gradient(grad, rows, columns, image_hw, outside="reflect", interpolation="bilinear"):
    """Return dL/dx (N, H, W, C) from grad = dL/dy (N, P, Q, C).

    y[p] = sum over k of weight[p, k] x[neighbour[p, k]], so each pixel gets the gradients of all places that it is a
    neighbour of, times its weights there: dL/dx[m] = sum over p, k with neighbour[p, k] = m of weight[p, k] grad[p].
    A constant outside the map gets none.
    """
    n, c = len(grad), grad.shape[3]
    size = n * image_hw[0] * image_hw[1]
    dx = np.zeros((size, c), grad.dtype)
    first = (np.arange(n) * (image_hw[0] * image_hw[1]))[:, None, None]
    for h, w, weight, is_inside in _neighbours(image_hw, rows, columns, outside, interpolation):
        pixel = (first + h * image_hw[1] + w)[is_inside]
        for channel in range(c):
            shares = (grad[..., channel] * weight)[is_inside]
            dx[:, channel] += np.bincount(pixel, shares, size)
    return dx.reshape(n, *image_hw, c)


def _neighbours(image_hw, rows, columns, outside, interpolation):
    """Yield (rows, columns, weights, where there is a pixel) of the neighbours of each place."""
    if interpolation == "nearest":
        rows, columns = np.floor(rows + 0.5), np.floor(columns + 0.5)
    top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    u, v = rows - top, columns - left
    for down in (0, 1):
        h, is_row = _into(top + down, image_hw[0], outside)
        for right in (0, 1):
            weight = (u if down else 1 - u) * (v if right else 1 - v)
            if weight.any():
                w, is_column = _into(left + right, image_hw[1], outside)
                yield h, w, weight, np.broadcast_to(is_row & is_column, rows.shape)


def _into(index, size, outside):
    """Return (positions within 0 ... size - 1 for any index, whether there is a pixel)."""
    if outside == "reflect":
        index = index % (2 * size)
        return np.minimum(index, 2 * size - 1 - index), np.True_
    if outside == "wrap":
        return index % size, np.True_
    found = np.clip(index, 0, size - 1)
    return found, found == index if outside == "constant" else np.True_


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def _neighbours_naive(image_hw, r, q, outside, interpolation):
    """Yield (h, w, weight) of the neighbours of one place; h is None for one outside the map that is a constant."""
    if interpolation == "nearest":
        r, q = np.floor(r + 0.5), np.floor(q + 0.5)
    for h in (int(np.floor(r)), int(np.floor(r)) + 1):
        for w in (int(np.floor(q)), int(np.floor(q)) + 1):
            weight, found = (1 - abs(r - h)) * (1 - abs(q - w)), []
            for index, size in zip((h, w), image_hw):
                while outside == "reflect" and not 0 <= index < size:
                    index = -1 - index if index < 0 else 2 * size - 1 - index
                while outside == "wrap" and not 0 <= index < size:
                    index += size if index < 0 else -size
                if outside == "nearest":
                    index = min(max(index, 0), size - 1)
                found.append(index if 0 <= index < size else None)
            yield (*found, weight) if None not in found else (None, None, weight)


def sample_naive(x, rows, columns, outside="reflect", constant=0.0, interpolation="bilinear"):
    """Add up the neighbours of one place after the other."""
    y = np.zeros((*rows.shape, x.shape[3]), x.dtype)
    for n, p, q in np.ndindex(rows.shape):
        place = rows[n, p, q], columns[n, p, q]
        for h, w, weight in _neighbours_naive(x.shape[1:3], *place, outside, interpolation):
            y[n, p, q] += weight * (constant if h is None else x[n, h, w])
    return y


def sample_gradient_naive(grad, rows, columns, image_hw, outside="reflect", interpolation="bilinear"):
    """Add the gradient at one place after the other to its neighbours."""
    dx = np.zeros((len(grad), *image_hw, grad.shape[3]), grad.dtype)
    for n, p, q in np.ndindex(rows.shape):
        place = rows[n, p, q], columns[n, p, q]
        for h, w, weight in _neighbours_naive(image_hw, *place, outside, interpolation):
            if h is not None:
                dx[n, h, w] += weight * grad[n, p, q]
    return dx

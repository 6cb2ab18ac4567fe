"""Priors: the fixed boxes from which a detector begins, spread over the image in several sizes and shapes.

A detector looks at maps of features of several sizes. A cell of a fine map sees few pixels around its centre and has
small priors, a cell of a coarse map has large ones. Together the priors come near every box that a thing may have: to
find it, one of them has to be moved and stretched a little (`boxes.encode_boxes`).

Source: Liu et al., "SSD: Single Shot MultiBox Detector", 2016, section 2.2. Read `boxes` first.
"""

import math

import numpy as np

from ..arguments import is_number, number
from ..errors import ArgumentError


def prior_boxes(maps, sizes, ratios):
    """Return the priors of a network that looks at several maps of features: float32 (P, 4), as corners, in pixels.

    maps     one (rows, columns, step) for each map. A map's cell (i, j) looks at the pixels around the centre
             ((j + 1/2) step, (i + 1/2) step); a step that differs by axis is a pair (down, right)
    sizes    the sizes s_0 < s_1 < ... in pixels, one more than there are maps: map k has boxes from s_k to s_{k+1}
    ratios   for each map, the ratios of width to height, above 1. A ratio stands for lying and standing boxes

    A cell of map k has 2 + 2 len(ratios[k]) boxes around its centre, in this order:

        s_k by s_k;   sqrt(s_k s_{k+1}), square;   then for each ratio r:   s_k sqrt(r) by s_k / sqrt(r), and the same
        box standing, s_k / sqrt(r) by s_k sqrt(r)

    All boxes with s_k have the area s_k^2. The order of all priors is: maps, rows, columns, boxes of the cell. So a
    convolution with K*4 filters on a map, whose outputs are (N, rows, columns, K*4), has its numbers in this order.

    In numbers, for `prior_boxes([(2, 3, 8)], [4, 9], [[4]])`: the cell (0, 1) has the centre (12, 4), and the boxes
    4 by 4, 6 by 6, 8 by 2 and 2 by 8. As corners: (10, 2, 14, 6), (9, 1, 15, 7), (8, 3, 16, 5) and (11, 0, 13, 8).

    SSD300 has maps of 38, 19, 10, 5, 3 and 1 rows and columns with the steps 8, 16, 32, 64, 100 and 300, the sizes 30,
    60, 111, 162, 213, 264 and 315, and the ratio 2, on the second to fourth map also 3:
    38*38*4 + 19*19*6 + 10*10*6 + 5*5*6 + 3*3*4 + 4 = 8,732 priors. A step need not be the image's size divided by the
    number of cells: 300 / 38 is not 8. Priors are not cut off at the edge of the image. Raises ArgumentError.
    """
    return _spread(_cells(maps, sizes, ratios))


def spread_shapes(maps, shapes):
    """Return priors of any shapes: float32 (P, 4), as corners, in pixels, in the order of `prior_boxes`.

    maps     one (rows, columns, step) for each map, as in `prior_boxes`
    shapes   for each map, the (width, height) of the boxes around the centre of each of its cells, in pixels

    The shapes of `prior_boxes` were made for photographs of all kinds of things. For one set of photographs, the boxes
    in it say which shapes are wanted. `spread_shapes([(1, 2, 8)], [[(6, 4)]])` has the two boxes (1, 2, 7, 6) and
    (9, 2, 15, 6). Raises ArgumentError.
    """
    maps, shapes = list(maps), [np.asarray(each, np.float64) for each in shapes]
    if not maps or len(shapes) != len(maps):
        raise ArgumentError(
            f"there are {len(maps)} maps and {len(shapes)} lists of shapes; expected as many, and some."
        )
    for k, each in enumerate(shapes):
        is_array = each.ndim == 2 and each.shape[1] == 2 and len(each)
        if not is_array or not np.isfinite(each).all() or (each <= 0).any():
            raise ArgumentError(
                f"shapes[{k}] is {each.tolist()}; expected (width, height) of boxes, in pixels above 0."
            )
    return _spread([(_map(each, k), of_map) for k, (each, of_map) in enumerate(zip(maps, shapes))])


def _spread(cells):
    """Return the boxes (P, 4) of ((rows, columns, (down, right)), (width, height) of each box of a cell) of maps."""
    boxes = []
    for (rows, columns, (down, right)), shapes in cells:
        y, x = (np.arange(rows) + 0.5) * down, (np.arange(columns) + 0.5) * right
        centres = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1)[:, :, None]  # (rows, columns, 1, 2)
        half = np.array(shapes) / 2  # (K, 2)
        corners = np.concatenate([centres - half, centres + half], axis=-1)  # (rows, columns, K, 4)
        boxes.append(corners.reshape(-1, 4))
    return np.concatenate(boxes).astype(np.float32)  # (P, 4)


def _cells(maps, sizes, ratios):
    """Return ((rows, columns, (down, right)), (width, height) of each box of a cell) for each map."""
    maps, sizes, ratios = list(maps), list(sizes), list(ratios)
    if not maps or len(sizes) != len(maps) + 1 or len(ratios) != len(maps):
        raise ArgumentError(
            f"there are {len(maps)} maps, {len(sizes)} sizes and {len(ratios)} lists of ratios; expected at least one "
            "map, one size more than maps, and a list of ratios for each map."
        )
    if not all(isinstance(each, (tuple, list)) for each in ratios):
        raise ArgumentError(f"ratios are {ratios}; expected a list for each map, such as [[2], [2, 3]].")
    sizes = [number(size, f"sizes[{k}]", 1e-3, 1e6) for k, size in enumerate(sizes)]
    if any(small >= large for small, large in zip(sizes, sizes[1:])):
        raise ArgumentError(f"sizes are {sizes}; expected each to be larger than the one before it.")
    cells = []
    for k, (each, small, large) in enumerate(zip(maps, sizes, sizes[1:])):
        shapes = [(small, small), (math.sqrt(small * large),) * 2]
        for ratio in ratios[k]:
            root = math.sqrt(number(ratio, f"a ratio of ratios[{k}]", 1 + 1e-6, 1e3))
            shapes += [(small * root, small / root), (small / root, small * root)]
        cells.append((_map(each, k), shapes))
    return cells


def _map(given, k):
    """Return (rows, columns, (down, right)) of map k. Raises ArgumentError for anything else."""
    values = tuple(given) if isinstance(given, (tuple, list)) else ()
    if len(values) == 3:
        steps = tuple(values[2]) if isinstance(values[2], (tuple, list)) else (values[2],) * 2
        is_whole = all(isinstance(each, (int, np.integer)) and each > 0 for each in values[:2])
        if is_whole and len(steps) == 2 and all(is_number(step) and step > 0 for step in steps):
            return int(values[0]), int(values[1]), steps
    raise ArgumentError(
        f"maps[{k}] is {given!r}; expected (rows, columns, step), as (38, 38, 8), or (rows, columns, (down, right))."
    )


# ---------------------------------------------------------------------------------------------------------------------
# The definition as loops.


def prior_boxes_naive(maps, sizes, ratios):
    """Go through maps, rows, columns, and the boxes of a cell, one box at a time."""
    boxes = []
    for (rows, columns, (down, right)), shapes in _cells(maps, sizes, ratios):
        for i, j in np.ndindex(rows, columns):
            x, y = (j + 0.5) * right, (i + 0.5) * down
            boxes += [(x - width / 2, y - height / 2, x + width / 2, y + height / 2) for width, height in shapes]
    return np.array(boxes, np.float32)

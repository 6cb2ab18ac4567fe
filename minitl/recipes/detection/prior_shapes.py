"""Shapes of the priors, chosen for a set of photographs: k-means on the sizes of its boxes.

A detector moves and stretches priors, and the less it has to, the better. SSD's shapes were made for photographs of
animals and cars; blood cells are all of one size. So the shapes are the centres of K groups of the boxes to learn from
(Redmon & Farhadi, "YOLO9000", 2017, section 2).

How near a box is to a shape is their IoU when they have the same centre. With widths w, w' and heights h, h':

    shared = min(w, w') min(h, h'),   IoU = shared / (w h + w' h' - shared)

So a box of 10x10 is as far from a shape of 20x20 as one of 100x100 from 200x200: IoU 1/4. The sum of squares, by which
k-means usually measures, would spend nearly all shapes on the large boxes.

K-means repeats two steps: each box goes to the nearest shape, and each shape becomes the mean of its boxes. In numbers,
with the boxes 10x10, 12x10, 40x40, 44x40 and two shapes that begin as 10x10 and 40x40: the first two boxes are nearer
to the first shape. The means are 11x10 and 42x40, nothing changes any more, and these are the shapes.

It begins with boxes at equal distances in the order of their areas, so the same photographs give the same shapes.

Who calls this: `job`. Read next: `targets`.
"""

import numpy as np

from ...errors import DataError

MOST_ROUNDS = 100


def prior_shapes(sizes, counts):
    """Return shapes for each map, from the smallest to the largest: lists of (width, height).

    sizes    (B, 2), the width and height of all boxes to learn from, in pixels of the image that the network is shown
    counts   how many shapes each map has, the finest map first

    The smallest shapes go to the finest map. Raises DataError without boxes.
    """
    sizes = np.asarray(sizes, np.float64).reshape(-1, 2)
    sizes = sizes[(sizes > 0).all(axis=1)]
    if not len(sizes):
        raise DataError("there is no box to learn from, so no shape can be chosen.")
    shapes, nearest = _start(sizes, sum(counts)), None
    for _ in range(MOST_ROUNDS):
        before, nearest = nearest, shape_iou(sizes, shapes).argmax(axis=1)  # (B,)
        if before is not None and (nearest == before).all():
            break
        members = np.bincount(nearest, minlength=len(shapes))
        sums = np.stack([np.bincount(nearest, side, len(shapes)) for side in sizes.T], axis=1)  # (K, 2)
        has_any = members > 0  # a shape without boxes stays where it is
        shapes[has_any] = sums[has_any] / members[has_any, None]
    shapes = shapes[np.argsort(shapes.prod(axis=1), kind="stable")].round(2)
    return [part.tolist() for part in np.split(shapes, np.cumsum(counts)[:-1])]


def shape_iou(sizes, shapes):
    """Return the IoU of boxes with shapes of the same centre: (B, 2), (K, 2) -> (B, K)."""
    sizes, shapes = np.asarray(sizes, np.float64)[:, None], np.asarray(shapes, np.float64)[None]
    shared = np.minimum(sizes, shapes).prod(axis=-1)
    return shared / (sizes.prod(axis=-1) + shapes.prod(axis=-1) - shared)


def _start(sizes, count):
    """Return boxes at equal distances in the order of their areas: (B, 2) -> (K, 2)."""
    ordered = sizes[np.lexsort((sizes[:, 0], sizes.prod(axis=1)))]
    return ordered[((np.arange(count) + 0.5) / count * len(ordered)).astype(int)].copy()

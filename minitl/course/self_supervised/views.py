"""Random changes of small grey images, for a whole batch at once: views, turns, and hidden patches.

`data.augmentation` does the like for photographs, one Pillow image after the other. Here 10,000 images of 28x28 pixels
are changed in every epoch, so each step is a few NumPy operations on all of them.
"""

import numpy as np

AREA = 0.4, 1.0  # of an image that a view shows
ASPECT = 4 / 3  # the most that a view is stretched
BRIGHTNESS = 0.4  # the most that is added to all pixels; the pixels of a set have a deviation of about 1
CONTRAST = 0.4  # the most by which the factor of all pixels differs from 1
PATCH = 4  # pixels, both ways
HIDDEN = 0.6  # the share of patches that is hidden


def random_views(images, rng):
    """Return one view of each image (N, H, W, 1): a random part, enlarged, mirrored in half of the cases, and with
    another brightness and contrast."""
    n, h, w, _ = images.shape
    area, stretch = rng.uniform(*AREA, n), np.exp(rng.uniform(-np.log(ASPECT), np.log(ASPECT), n))
    height = h * np.minimum(np.sqrt(area * stretch), 1)  # (N,)
    width = w * np.minimum(np.sqrt(area / stretch), 1)
    top, left = rng.random(n) * (h - height), rng.random(n) * (w - width)
    views = cropped(images, top, left, height, width)
    mirrored = rng.random(n) < 0.5
    views[mirrored] = views[mirrored, :, ::-1]
    factor = rng.uniform(1 - CONTRAST, 1 + CONTRAST, (n, 1, 1, 1)).astype(images.dtype)
    views *= factor
    views += rng.uniform(-BRIGHTNESS, BRIGHTNESS, (n, 1, 1, 1)).astype(images.dtype)
    return views


def cropped(images, top, left, height, width):
    """Return a part of each image, enlarged to the size of the image by bilinear interpolation.

    images   (N, H, W, C);   top, left, height, width   (N,) in pixels, not necessarily whole ones

    Row r of the result shows the point top + (r + 1/2) height / H - 1/2: the middle of a pixel falls on the middle of
    what it shows. Rows first and columns then, because an image is enlarged in either direction alone.
    """
    n, h, w, _ = images.shape
    lines = _between(images, *_places(top, height, h))  # (N, H, W, C)
    return _between(lines.swapaxes(1, 2), *_places(left, width, w)).swapaxes(1, 2)


def _places(start, length, size):
    """Return for each image the neighbour before each wanted point (N, size), and the share of the one behind it."""
    points = start[:, None] + (np.arange(size) + 0.5) * length[:, None] / size - 0.5
    points = np.clip(points, 0, size - 1)
    before = np.minimum(points.astype(np.intp), size - 2)
    return before, points - before


def _between(images, before, share):
    """Return rows (1 - share) * images[before] + share * images[before + 1], for each image its own."""
    number = np.arange(len(images))[:, None]
    share = share[:, :, None, None].astype(images.dtype)
    first, second = images[number, before], images[number, before + 1]  # (N, H, W, C)
    return first + share * (second - first)


def cropped_naive(images, top, left, height, width):
    """Return the same as `cropped`, one pixel after the other."""
    n, h, w, c = images.shape
    result = np.empty_like(images)
    for image, place in enumerate(zip(top, left, height, width)):
        for row in range(h):
            for column in range(w):
                y = min(max(place[0] + (row + 0.5) * place[2] / h - 0.5, 0), h - 1)
                x = min(max(place[1] + (column + 0.5) * place[3] / w - 0.5, 0), w - 1)
                above, before = min(int(y), h - 2), min(int(x), w - 2)
                down, right = y - above, x - before
                corners = images[image, above : above + 2, before : before + 2]  # (2, 2, C)
                rows = (1 - down) * corners[0] + down * corners[1]
                result[image, row, column] = (1 - right) * rows[0] + right * rows[1]
    return result


def turned(images, quarters):
    """Return each square image (N, H, H, C), turned counterclockwise by its number of quarters (N,), 0 to 3."""
    result = images.copy()
    for quarter in (1, 2, 3):
        chosen = quarters == quarter
        result[chosen] = np.rot90(images[chosen], quarter, axes=(1, 2))
    return result


def hidden_patches(n, side, rng, patch=PATCH, share=HIDDEN):
    """Return which pixels of n square images are hidden, booleans (N, side, side): the same number of whole patches in
    each image, others in each."""
    across = side // patch
    count = round(share * across * across)
    order = rng.random((n, across * across)).argsort(axis=1)
    patches = (order < count).reshape(n, across, 1, across, 1)
    return np.broadcast_to(patches, (n, across, patch, across, patch)).reshape(n, side, side)

"""Outlines and run lengths: the two ways in which a COCO file stores the pixels of an object, and the masks they mean.

**Run lengths.** The pixels are counted column by column, from the top of the first column: so many outside, so many
inside, and so on. The mask

    0 1
    0 1      has the columns 0 0 1 and 1 1 0: two outside, three inside, one outside: counts 2 3 1
    1 0

Compressed, the counts are a text. A count is first replaced by its difference from the one two places before (from the
fourth on), because the runs of neighbouring columns are alike. Then it is written in base 32, the lowest digit first,
each as the letter with code 48 + digit, plus 32 if another digit follows. The highest bit of the last digit (16) is the
sign. So 2 3 1 becomes the letters of 50, 51, 49: "231", and 20 becomes 20 + 32 and 0: "d0".

**Outlines.** A polygon is a list x1 y1 x2 y2 ... in pixels, where pixel (0, 0) reaches from 0 to 1. Which pixels belong
to it is decided by the rule of pycocotools (Dollar & Lin 2014), and the masks here are equal to its masks, pixel by
pixel. The outline is drawn as a line of points on a grid that is five times finer. Where this line steps to the next
column of fine points, and that column is the middle of a column of pixels, the row of the point is noted. Within a
column of pixels, the mask changes between outside and inside at each of these rows. `draw_polygon_naive` does this
point by point. `draw_polygon` does it for all points at once.

`coco` reads the files. Everything here is NumPy, and takes nothing but numbers and texts.
"""

import math
from numbers import Real

import numpy as np

from ..errors import DataError
from .photos import MOST_PIXELS

FINER = 5  # points of the fine grid along a pixel
MOST_POINTS = 5_000_000  # of an outline on the fine grid: 1,000,000 pixels of length
HALF, BITS, MORE, FIRST_LETTER = 16, 5, 32, 48  # of a digit in compressed run lengths


def segmentation_mask(segmentation, height, width):
    """Return the pixels bool (H, W) of an object, of its `segmentation` in a COCO file: a list of polygons, whose union
    counts, or run lengths {"size": [height, width], "counts": list or text}. Raises DataError."""
    if not 0 < height * width <= MOST_PIXELS:
        raise DataError(f"the image has {width}x{height} pixels; expected 1 to {MOST_PIXELS:,}.")
    if isinstance(segmentation, dict):
        mask = decode_run_lengths(segmentation)
        if mask.shape != (height, width):
            raise DataError(
                f"the run lengths are for {mask.shape[1]}x{mask.shape[0]} pixels, and the image has {width}x{height}."
            )
        return mask
    if not isinstance(segmentation, (list, tuple)) or not segmentation:
        raise DataError(
            f"the segmentation is {_short(segmentation)}; expected polygons [[x1, y1, ...]] or run lengths."
        )
    mask = np.zeros((height, width), bool)
    for polygon in segmentation:
        mask |= draw_polygon(polygon, height, width)
    return mask


# ---- run lengths ----


def decode_run_lengths(run_lengths):
    """Return the mask bool (H, W) of {"size": [height, width], "counts": a list of numbers, or a compressed text}.
    Raises DataError if the counts do not fill the image."""
    size, counts = (run_lengths.get(key) if isinstance(run_lengths, dict) else None for key in ("size", "counts"))
    if (
        not isinstance(size, (list, tuple))
        or len(size) != 2
        or not all(type(side) is int and side > 0 for side in size)
    ):
        raise DataError(f"the run lengths have the size {_short(size)}; expected [height, width].")
    height, width = size
    if height * width > MOST_PIXELS:
        raise DataError(f"the run lengths are for {width}x{height} pixels; expected at most {MOST_PIXELS:,}.")
    if isinstance(counts, (str, bytes)):
        counts = decompress_counts(counts)
    elif isinstance(counts, (list, tuple)) and all(
        type(count) is int and 0 <= count <= MOST_PIXELS for count in counts
    ):
        counts = np.array(counts, np.int64)
    else:
        raise DataError(f"the run lengths have the counts {_short(counts)}; expected whole numbers, or a text.")
    if counts.min(initial=0) < 0 or counts.max(initial=0) > MOST_PIXELS or counts.sum() != height * width:
        found = "negative counts" if counts.min(initial=0) < 0 else f"{counts.sum():,} pixels"
        raise DataError(f"the run lengths hold {found}; expected {height * width:,} pixels, {width}x{height}.")
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(width, height).T  # (H, W)


def encode_run_lengths(mask, compressed=True):
    """Return a mask (H, W), of zeros and others, as {"size": [H, W], "counts": text, or list if not `compressed`}."""
    mask = np.asarray(mask) != 0
    if mask.ndim != 2 or not mask.size:
        raise DataError(f"the mask has the shape {mask.shape}; expected (height, width).")
    pixels = mask.T.ravel()  # column by column
    changes = np.flatnonzero(pixels != np.append(False, pixels[:-1]))
    counts = np.diff(changes, prepend=0, append=len(pixels))
    return {"size": list(mask.shape), "counts": compress_counts(counts) if compressed else counts.tolist()}


def compress_counts(counts):
    """Return run lengths as the text of COCO files."""
    counts = np.asarray(counts, np.int64)
    numbers = counts.copy()
    numbers[3:] -= counts[1:-2]
    letters = []
    for number in numbers.tolist():
        is_last = False
        while not is_last:
            digit, number = number & (MORE - 1), number >> BITS
            is_last = number == (-1 if digit & HALF else 0)  # what follows are only digits of the sign
            letters.append(FIRST_LETTER + digit + (0 if is_last else MORE))
    return bytes(letters).decode("ascii")


def decompress_counts(text):
    """Return the run lengths in a text as an array. Raises DataError for a text that holds none."""
    codes = text.encode("ascii", "replace") if isinstance(text, str) else bytes(text)
    letters = np.frombuffer(codes, np.uint8).astype(np.int64) - FIRST_LETTER
    if not len(letters) or letters.min() < 0 or letters.max() >= 2 * MORE or letters[-1] & MORE:
        raise DataError(f"the compressed run lengths {_short(text)} are cut short, or hold letters that are no digits.")
    ends = np.flatnonzero(letters & MORE == 0)  # of the last digit of each number
    starts = np.append(0, ends[:-1] + 1)
    place = np.arange(len(letters)) - np.repeat(starts, ends - starts + 1)  # of a digit in its number
    if place.max() > 6:
        raise DataError(f"the compressed run lengths {_short(text)} hold a number that is larger than any image.")
    numbers = np.add.reduceat((letters & (MORE - 1)) << (BITS * place), starts)
    numbers -= np.where(letters[ends] & HALF, 1 << (BITS * (ends - starts + 1)), 0)
    # Undo the differences: a number is added to the one two places before, for even and odd places on their own.
    numbers[1::2], numbers[2::2] = np.cumsum(numbers[1::2]), np.cumsum(numbers[2::2])
    return numbers


# ---- outlines ----


def draw_polygon(polygon, height, width):
    """Return the pixels bool (height, width) of a polygon, a list x1 y1 x2 y2 ... of three points or more.

    They are those of pycocotools. Raises DataError for another list.
    """
    columns, rows = _line(*_fine_corners(polygon))  # points of the fine grid, along the outline
    steps = np.flatnonzero(columns[1:] != columns[:-1])
    left = np.minimum(columns[steps], columns[steps + 1])  # of the two columns of each step
    top = np.minimum(rows[steps], rows[steps + 1])
    is_middle = (left % FINER == FINER // 2) & (left >= 0) & (left // FINER < width)
    column = left[is_middle] // FINER
    row = np.clip(np.ceil((top[is_middle] + 0.5) / FINER - 0.5), 0, height).astype(np.int64)
    mask = np.zeros((height, width), bool)
    if len(column):
        # Count the changes at each pixel, column by column. An odd count of changes up to a pixel means inside. (A row
        # below the image, `height`, is the first of the next column, where the count so becomes even.)
        first, span = column.min(), column.max() - column.min() + 1
        changes = np.bincount((column - first) * height + row, minlength=span * height)[: span * height]
        mask[:, first : first + span] = (np.cumsum(changes) % 2 == 1).reshape(span, height).T
    return mask


def draw_polygon_naive(polygon, height, width):
    """Return what `draw_polygon` returns, point by point."""
    xs, ys = (corners.tolist() for corners in _fine_corners(polygon))
    points = []
    for x, y, next_x, next_y in zip(xs, ys, [*xs[1:], xs[0]], [*ys[1:], ys[0]]):
        across, down = abs(next_x - x), abs(next_y - y)
        length = max(across, down)
        for step in range(length + 1):
            # A line is computed from its left (or upper) end, whichever way it is walked, and rounded there.
            is_backwards = next_x < x if across >= down else next_y < y
            start, end = ((next_x, next_y), (x, y)) if is_backwards else ((x, y), (next_x, next_y))
            along = length - step if is_backwards else step
            if across >= down:
                slope = (end[1] - start[1]) / across if across else 0.0
                points.append((start[0] + along, int(start[1] + slope * along + 0.5)))
            else:
                points.append((int(start[0] + (end[0] - start[0]) / down * along + 0.5), start[1] + along))
    changes = [0] * (height * width + 1)
    for (column, row), (next_column, next_row) in zip(points, points[1:]):
        left, top = min(column, next_column), min(row, next_row)
        if column != next_column and left % FINER == FINER // 2 and 0 <= left // FINER < width:
            changes[left // FINER * height + min(max(0, math.ceil((top + 0.5) / FINER - 0.5)), height)] += 1
    mask, is_inside = np.zeros((height, width), bool), False
    for pixel in range(height * width):
        is_inside ^= changes[pixel] % 2 == 1
        mask[pixel % height, pixel // height] = is_inside
    return mask


def _fine_corners(polygon):
    """Return the corners of a polygon on the fine grid: columns and rows (n,). Raises DataError."""
    if not isinstance(polygon, (list, tuple)) or len(polygon) < 6 or len(polygon) % 2:
        found = f"{len(polygon)} numbers" if isinstance(polygon, (list, tuple)) else _short(polygon)
        raise DataError(f"a polygon is {found}; expected x1, y1, x2, y2, ... of three points or more.")
    for number in polygon:
        if not isinstance(number, Real) or isinstance(number, bool) or not abs(number) <= MOST_PIXELS:
            raise DataError(f"a polygon holds {_short(number)}; expected places in the image, in pixels.")
    corners = np.array(polygon, np.float64).reshape(-1, 2)
    return (FINER * corners + 0.5).astype(np.int64).T  # towards 0, as pycocotools does


def _line(x, y):
    """Return the points (columns, rows) of the fine grid along the closed line through the corners (x, y)."""
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    is_flat = np.abs(next_x - x) >= np.abs(next_y - y)  # a line with a point for each column; others, for each row
    length = np.maximum(np.abs(next_x - x), np.abs(next_y - y))
    if (length + 1).sum() > MOST_POINTS:
        raise DataError(f"a polygon is {length.sum() // FINER:,} pixels long, more than the limit.")
    start, end = np.where(is_flat, x, y), np.where(is_flat, next_x, next_y)
    start_across, end_across = np.where(is_flat, y, x), np.where(is_flat, next_y, next_x)
    is_backwards = start > end  # a line is computed from its lower end, whichever way it is walked
    low, low_across = np.where(is_backwards, end, start), np.where(is_backwards, end_across, start_across)
    high_across = np.where(is_backwards, start_across, end_across)
    slope = (high_across - low_across) / np.maximum(length, 1)
    counts = length + 1
    edge = np.repeat(np.arange(len(x)), counts)  # the line of each point
    step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    along = np.where(is_backwards[edge], length[edge] - step, step)
    across = (low_across[edge] + slope[edge] * along + 0.5).astype(np.int64)
    along += low[edge]
    return np.where(is_flat[edge], along, across), np.where(is_flat[edge], across, along)


def _short(thing):
    text = repr(thing)
    return text if len(text) <= 60 else f"{text[:57]}..."

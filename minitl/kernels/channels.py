"""The same operation on every pixel: a vector (C,) is added to all pixels (P, C), multiplied with them or compared.

`maps += bias` says it in NumPy, and wastes 40 % of the time where pixels have few channels. The vector begins again
with every pixel, so NumPy starts its loop anew for every pixel. Each start costs as much as 100 channels. Here several
pixels are one long row instead, and the vector is repeated as often:

    pixels of 3 channels    r g b | r g b | r g b | r g b         row of 2 pixels    r g b r g b | r g b r g b
    bias                    1 2 3                                 repeated           1 2 3 1 2 3

`relu` gains more. NumPy has vector instructions for the maximum of two arrays, but not for the maximum of an array and
a number: `np.maximum(maps, 0)` takes one number after the other. So the zero is a row of zeros here. On maps of 256 KB,
in microseconds on one core (`python -m benchmarks.kernels`):

    maps += bias, 64 channels    10 -> 6         np.maximum(maps, 0)    20 -> 6

That is much beside a convolution: the product that makes these maps from 64 channels takes 37.

`Repeated` is for one operation on a block of any number of pixels. `long_rows` is for several operations on whole maps:
it looks for a number of pixels that divides them all, once.

Who calls this: `im2col`, `activations`, `normalization` and `elementwise`, for blocks that are in the cache.
"""

import numpy as np

from .parallel import SMALLEST_SHARED_BYTES, slices, threads

BLOCK_SIZE = 2**19  # numbers of whole maps that a thread works on at a time: 2 MB in float32
# Numbers in a long row: 32 KB in float32, the size of NumPy's buffer. Shorter rows take up to 1.5 times as long.
ROW_SIZE = 8192


class Repeated:
    """A vector (C,) that is combined with every pixel of maps (..., C)."""

    def __init__(self, vector):
        self.channels = len(vector)
        times = -(-ROW_SIZE // max(1, self.channels))
        self.row = np.broadcast_to(vector, (times, self.channels)).reshape(-1)  # np.tile takes three times as long

    def combine(self, operation, maps, out, channels=slice(None)):
        """Compute operation(pixel, vector) for every pixel of maps (..., C) -> out (..., C), which may be `maps`.

        operation   np.add, np.multiply, np.subtract, np.maximum, ...
        channels    the channels that the maps have, if these are not all of the vector's
        """
        vector = self.row[: self.channels][channels]
        # One pixel with some of the channels is contiguous, but the row begins with the first channel.
        is_whole = len(vector) == self.channels and maps.size > 0
        if not (is_whole and maps.flags.c_contiguous and out.flags.c_contiguous):
            return operation(maps, vector, out=out)
        numbers, results, size = maps.reshape(-1), out.reshape(-1), len(self.row)  # views
        whole = len(numbers) - len(numbers) % size
        operation(numbers[:whole].reshape(-1, size), self.row, out=results[:whole].reshape(-1, size))
        operation(numbers[whole:], self.row[: len(numbers) - whole], out=results[whole:])
        return out


def long_rows(*maps):
    """Return maps (..., C) as matrices whose rows hold several pixels each, and the number of pixels in a row.

    A row has ROW_SIZE numbers or up to four times as many. It has fewer where no such number of pixels divides all of
    them, and one pixel where pixels do not follow each other in memory.
    """
    channels = max(1, maps[0].shape[-1])  # maps without channels have no pixels, either
    pixels, least = maps[0].size // channels, -(-ROW_SIZE // channels)
    if not all(each.flags.c_contiguous for each in maps):
        least = 1
    in_a_row = next(k for k in (*range(least, 4 * least), *range(least, 0, -1)) if pixels % k == 0)
    return [each.reshape(-1, in_a_row * channels) for each in maps], in_a_row


def blocks(rows, most_rows=None):
    """Return the rows of a matrix in blocks, the same number for each thread. A small array needs one thread.

    most_rows   the most rows of a block, where they are added up
    """
    count = max(-(-rows.size // BLOCK_SIZE), -(-len(rows) // (most_rows or len(rows) or 1)))
    multiple = threads() if rows.nbytes >= SMALLEST_SHARED_BYTES else 1
    return slices(len(rows), -(-count // multiple) * multiple)

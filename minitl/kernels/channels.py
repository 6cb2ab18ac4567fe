"""The same operation on every pixel: a vector (C,) is added to all pixels (P, C), multiplied with them or compared.

`maps += bias` says it in NumPy, and wastes half of the time where pixels have few channels. The vector begins again
with every pixel, so NumPy starts its loop anew for every pixel, which takes as long as the loop does for 100 channels.
Here several pixels are one long row instead, and the vector is repeated as often:

    pixels of 3 channels    r g b | r g b | r g b | r g b         row of 2 pixels    r g b r g b | r g b r g b
    bias                    1 2 3                                 repeated           1 2 3 1 2 3

`relu` gains more. NumPy has vector instructions for the maximum of two arrays, but not for the maximum of an array and
a number: `np.maximum(maps, 0)` takes one number after the other. So the zero is a row of zeros here. On maps of 256 KB,
in microseconds on one core (`python -m benchmarks.kernels`):

    maps += bias, 64 channels    9 -> 4         np.maximum(maps, 0)    20 -> 3

That is much beside a convolution: the product that makes these maps from 64 channels takes 37.

Who calls this: `im2col`, `activations` and `normalization`, for blocks that are in the cache.
"""

import numpy as np

ROW_SIZE = 4096  # numbers in a long row: 16 KB in float32, so the repeated vector stays in the nearest cache (L1)


class Repeated:
    """A vector (C,) that is combined with every pixel of maps (..., C)."""

    def __init__(self, vector):
        self.channels = len(vector)
        times = max(1, ROW_SIZE // max(1, self.channels))
        self.row = np.broadcast_to(vector, (times, self.channels)).reshape(-1)  # np.tile takes three times as long

    def combine(self, operation, maps, out, channels=slice(None)):
        """Compute operation(pixel, vector) for every pixel of maps (..., C) -> out (..., C), which may be `maps`.

        operation   np.add, np.multiply, np.subtract, np.maximum, ...
        channels    the channels that the maps have, if these are not all of the vector's
        """
        vector = self.row[: self.channels]
        if not (maps.flags.c_contiguous and out.flags.c_contiguous):  # pixels do not follow each other in memory
            return operation(maps, vector[channels], out=out)
        numbers, results, size = maps.reshape(-1), out.reshape(-1), len(self.row)  # views
        whole = len(numbers) - len(numbers) % size
        operation(numbers[:whole].reshape(-1, size), self.row, out=results[:whole].reshape(-1, size))
        operation(numbers[whole:], self.row[: len(numbers) - whole], out=results[whole:])
        return out

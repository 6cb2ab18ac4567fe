"""The speed of each convolution algorithm: the figures in the comments of minitl's kernels.

    python -m benchmarks.kernels            (about a minute)

The members of a pair run in turn, A B A B ...: a machine that slows down slows both. The figures are medians of seven.
"""

import time

import numpy as np

from minitl import kernels
from minitl.kernels import im2col

BATCH = 8
# VGG16's 3x3 layers with 64 channels and more: (pixels, channels in, filters)
LAYERS = [
    (224, 64, 64),
    (112, 64, 128),
    (112, 128, 128),
    (56, 128, 256),
    (56, 256, 256),
    (28, 512, 512),
    (14, 512, 512),
]
BLOCK_MEGABYTES = [1, 2, 4, 8, 32]
ROUNDS = 7


def milliseconds_each(*functions):
    """Return the median milliseconds of each function, called in turn."""
    for function in functions:
        function()
    times = [[] for _ in functions]
    for _ in range(ROUNDS):
        for function, spent in zip(functions, times):
            start = time.perf_counter()
            function()
            spent.append(time.perf_counter() - start)
    return [1000 * float(np.median(spent)) for spent in times]


def by(algorithm, function, *arguments):
    """Return a function that calls `function(*arguments)` with a convolution algorithm."""

    def call():
        kernels.set_convolution(algorithm)
        return function(*arguments, padding="same")

    return call


def main():
    """Measure and print all figures."""
    rng = np.random.default_rng(0)
    print(f"Convolution by im2col and by Winograd, batch {BATCH}, ms an image\n")
    print("layer               forward: im2col  Winograd  ratio   kernel gradient: im2col  Winograd  ratio   error")
    for pixels, c, f in LAYERS:
        x = rng.standard_normal((BATCH, pixels, pixels, c), np.float32)
        kernel = rng.standard_normal((3, 3, c, f), np.float32)
        grad = rng.standard_normal((BATCH, pixels, pixels, f), np.float32)
        ways = "im2col", "winograd"
        forward = milliseconds_each(*(by(way, kernels.conv2d, x, kernel) for way in ways))
        gradient = milliseconds_each(*(by(way, kernels.conv2d_kernel_gradient, x, grad, (3, 3)) for way in ways))
        y, y_winograd = (by(way, kernels.conv2d, x[:1], kernel)() for way in ways)
        cells = [f"{a / BATCH:15.1f}  {b / BATCH:8.1f}  {a / b:5.2f}" for a, b in (forward, gradient)]
        error = np.abs(y - y_winograd).max() / np.abs(y).max()
        print(f"{pixels:3}x{pixels:<3} {c:4} -> {f:<4}{cells[0]}   {cells[1]:>39}   {error:.0e}", flush=True)

    x, kernel = rng.standard_normal((BATCH, 56, 56, 256), np.float32), rng.standard_normal((3, 3, 256, 256), np.float32)
    print("\nim2col in blocks, 56x56 256 -> 256, ms an image")
    default = im2col.FORWARD_BLOCK_BYTES
    for megabytes in BLOCK_MEGABYTES:
        im2col.FORWARD_BLOCK_BYTES = megabytes * 2**20
        (spent,) = milliseconds_each(by("im2col", kernels.conv2d, x, kernel))
        print(f"{megabytes:4} MB {spent / BATCH:6.1f}")
    im2col.FORWARD_BLOCK_BYTES = default

    x = rng.random((BATCH, 224, 224, 64), np.float32)
    exact = x.sum(axis=(0, 1, 2), dtype=np.float64)
    print("\nSums over the pixels of (8, 224, 224, 64), ms and relative error")
    product, plain = milliseconds_each(lambda: kernels.channel_sums(x), lambda: x.sum(axis=(0, 1, 2)))
    print(f"channel_sums {product:5.0f}  {np.abs(kernels.channel_sums(x) / exact - 1).max():.1e}")
    print(f"x.sum        {plain:5.0f}  {np.abs(x.sum(axis=(0, 1, 2)) / exact - 1).max():.1e}")
    kernels.set_convolution("auto")


if __name__ == "__main__":
    main()

"""The speed of each convolution algorithm: the figures in the comments of minitl's kernels.

    python -m benchmarks.kernels            (about three minutes)

The members of a pair run in turn, A B A B ...: a machine that slows down slows both. The figures are medians of seven.
"""

import time
from functools import partial

import numpy as np

from minitl import kernels
from minitl.kernels import im2col, resampling, winograd, winograd_choice
from minitl.kernels.channels import Repeated
from minitl.kernels.dilation import conv2d_dilated
from minitl.kernels.kernel_transform import KernelTransform

BATCH = 8
# VGG16's 3x3 layers with 64 channels and more, then layers of InceptionV3: (window, pixels, channels in, filters)
LAYERS = [
    ((3, 3), 224, 64, 64),
    ((3, 3), 112, 64, 128),
    ((3, 3), 112, 128, 128),
    ((3, 3), 56, 128, 256),
    ((3, 3), 56, 256, 256),
    ((3, 3), 28, 512, 512),
    ((3, 3), 14, 512, 512),
    ((3, 3), 147, 32, 64),
    ((3, 3), 35, 96, 96),
    ((5, 5), 35, 48, 64),
    ((1, 7), 17, 192, 192),
    ((7, 1), 17, 192, 192),
    ((1, 3), 8, 384, 384),
]
TILED_LAYERS = [
    ((3, 3), 112, 64, 128),
    ((3, 3), 112, 128, 128),
    ((3, 3), 56, 256, 256),
    ((3, 3), 71, 80, 192),
    ((3, 3), 35, 96, 96),
    ((3, 3), 14, 256, 256),
    ((3, 3), 14, 512, 512),
    ((1, 7), 17, 128, 128),
    ((1, 7), 17, 192, 192),
    ((7, 1), 17, 192, 192),
]
UNROLLED_LAYERS = [  # (pixels, channels in, filters)
    (149, 32, 32),
    (147, 32, 64),
    (224, 64, 64),
    (112, 64, 128),
    (56, 64, 64),
    (35, 64, 96),
    (28, 128, 128),
    (35, 96, 96),
]
UNROLLED_WAYS = [(0, "im2col"), (0, "winograd"), (10**9, "winograd")]  # (channels up to which, algorithm)
BLOCK_MEGABYTES = [1, 2, 4, 8, 32]
BLOCK_LAYERS = [(112, 128), (56, 256)]  # of Winograd's blocks: (pixels, channels in and out)
DILATIONS = [2, 3, 6]
BANDS = [4, 8, 16, 32, 64, 512]  # rows of a matrix product of the bilinear interpolation; 512: the whole matrix
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
    print("layer                   forward: im2col  Winograd  ratio   kernel gradient: im2col  Winograd  ratio   error")
    for window, pixels, c, f in LAYERS:
        x = rng.standard_normal((BATCH, pixels, pixels, c), np.float32)
        kernel = rng.standard_normal((*window, c, f), np.float32)
        grad = rng.standard_normal((BATCH, pixels, pixels, f), np.float32)
        ways = "im2col", "winograd"
        forward = milliseconds_each(*(by(way, kernels.conv2d, x, kernel) for way in ways))
        gradient = milliseconds_each(*(by(way, kernels.conv2d_kernel_gradient, x, grad, window) for way in ways))
        exact = by("im2col", kernels.conv2d, x[:1].astype(float), kernel.astype(float))()
        y_winograd = by("winograd", kernels.conv2d, x[:1], kernel)()
        cells = [f"{a / BATCH:15.1f}  {b / BATCH:8.1f}  {a / b:5.2f}" for a, b in (forward, gradient)]
        error = np.abs(exact - y_winograd).max() / np.abs(exact).max()
        name = "x".join(map(str, window))
        print(f"{name} {pixels:3}x{pixels:<3} {c:4} -> {f:<4}{cells[0]}   {cells[1]:>39}   {error:.0e}", flush=True)

    tiles_of_winograd(rng)
    unrolled_columns(rng)
    kernels.set_convolution("auto")
    x, kernel = rng.standard_normal((BATCH, 56, 56, 256), np.float32), rng.standard_normal((3, 3, 256, 256), np.float32)
    print("\nim2col in blocks, 56x56 256 -> 256, ms an image")
    default = im2col.FORWARD_BLOCK_BYTES
    for megabytes in BLOCK_MEGABYTES:
        im2col.FORWARD_BLOCK_BYTES = megabytes * 2**20
        (spent,) = milliseconds_each(by("im2col", kernels.conv2d, x, kernel))
        print(f"{megabytes:4} MB {spent / BATCH:6.1f}")
    im2col.FORWARD_BLOCK_BYTES = default

    default = winograd.BLOCK_BYTES, winograd.LARGE_BLOCK_BYTES
    for pixels, c in BLOCK_LAYERS:
        x, kernel = (
            rng.standard_normal((BATCH, pixels, pixels, c), np.float32),
            rng.standard_normal((3, 3, c, c), np.float32),
        )
        print(f"\nWinograd in blocks, 3x3 {pixels}x{pixels} {c} -> {c}, ms an image")
        for megabytes in BLOCK_MEGABYTES:
            winograd.BLOCK_BYTES = winograd.LARGE_BLOCK_BYTES = megabytes * 2**20
            (spent,) = milliseconds_each(by("winograd", kernels.conv2d, x, kernel))
            print(f"{megabytes:4} MB {spent / BATCH:6.1f}")
    winograd.BLOCK_BYTES, winograd.LARGE_BLOCK_BYTES = default

    channel_operations(rng)
    dilation_and_interpolation(rng)

    x = rng.random((BATCH, 224, 224, 64), np.float32)
    exact = x.sum(axis=(0, 1, 2), dtype=np.float64)
    print("\nSums over the pixels of (8, 224, 224, 64), ms and relative error")
    product, plain = milliseconds_each(lambda: kernels.channel_sums(x), lambda: x.sum(axis=(0, 1, 2)))
    print(f"channel_sums {product:5.0f}  {np.abs(kernels.channel_sums(x) / exact - 1).max():.1e}")
    print(f"x.sum        {plain:5.0f}  {np.abs(x.sum(axis=(0, 1, 2)) / exact - 1).max():.1e}")
    kernels.set_convolution("auto")


def tiles_of_winograd(rng):
    """Measure and print Winograd by the smallest tiles and by those that need the fewest points."""
    default = winograd_choice.LARGE_TILE_CHANNELS
    print("\nWinograd in small and in large tiles, ms an image; the ratio of both; the errors of both")
    for window, pixels, c, f in TILED_LAYERS:
        x = np.maximum(rng.standard_normal((BATCH, pixels, pixels, c), np.float32), 0)
        kernel = rng.standard_normal((*window, c, f), np.float32)
        exact = by("im2col", kernels.conv2d, x.astype(float), kernel.astype(float))()
        ways = [in_tiles(from_channels, by("winograd", kernels.conv2d, x, kernel)) for from_channels in (10**9, 1)]
        errors = [np.abs(exact - way()).max() / np.abs(exact).max() for way in ways]
        small, large = milliseconds_each(*ways)
        layer = f"{'x'.join(map(str, window))} {pixels:3}x{pixels:<3} {c:4} -> {f:<4}"
        times = f"{small / BATCH:8.2f} {large / BATCH:8.2f}  {large / small:5.2f}"
        print(f"{layer}{times}   {errors[0]:.1e} {errors[1]:.1e}", flush=True)
    winograd_choice.LARGE_TILE_CHANNELS = default


def unrolled_columns(rng):
    """Measure and print im2col, Winograd by tiles in both directions, and with unrolled columns, for kept kernels."""
    default = winograd_choice.UNROLLED_CHANNELS
    print("\n3x3 by im2col, by tiles in both directions, by unrolled columns, ms an image; the last two as a ratio")
    for pixels, c, f in UNROLLED_LAYERS:
        x = np.maximum(rng.standard_normal((BATCH, pixels, pixels, c), np.float32), 0)
        kernel = rng.standard_normal((3, 3, c, f), np.float32)
        ways = [with_unrolled(*way, x, kernel) for way in UNROLLED_WAYS]
        spent = [each / BATCH for each in milliseconds_each(*ways)]
        times = "".join(f"{each:8.2f}" for each in spent)
        print(f"{pixels:3}x{pixels:<3} {c:4} -> {f:<4}{times}  {spent[2] / spent[1]:5.2f}", flush=True)
    winograd_choice.UNROLLED_CHANNELS = default


def with_unrolled(channels, algorithm, x, kernel):
    """Return a function that convolves, where columns are unrolled up to this number of channels."""
    transform = KernelTransform()

    def call():
        winograd_choice.UNROLLED_CHANNELS = channels
        kernels.set_convolution(algorithm)
        return kernels.conv2d(x, kernel, padding="same", transform=transform)

    return call


def in_tiles(from_channels, function):
    """Return a function that calls `function` where large tiles take this many channels or more."""

    def call():
        winograd_choice.LARGE_TILE_CHANNELS = from_channels
        return function()

    return call


def dilation_and_interpolation(rng):
    """Measure and print dilated beside ordinary convolutions, and bilinear interpolation by the rows of a band."""
    x, kernel = rng.standard_normal((BATCH, 56, 56, 256), np.float32), rng.standard_normal((3, 3, 256, 256), np.float32)
    print("\nDilation, 3x3 56x56 256 -> 256, ms an image")
    for dilation in DILATIONS:
        dilated = partial(conv2d_dilated, dilation=(dilation, dilation))
        ways = [by(way, f, x, kernel) for way in ("im2col", "winograd") for f in (kernels.conv2d, dilated)]
        spent = [each / BATCH for each in milliseconds_each(*ways)]
        print(f"{dilation:4}   im2col {spent[0]:5.1f} -> {spent[1]:5.1f}   Winograd {spent[2]:5.1f} -> {spent[3]:5.1f}")

    kernels.set_convolution("auto")
    x, default = rng.standard_normal((2, 256, 256, 32), np.float32), resampling.BAND
    grad = rng.standard_normal((2, 512, 512, 32), np.float32)
    print("\nBilinear interpolation in bands, 256x256 of 32 channels -> 512x512, ms an image: forward, gradient")
    for rows in BANDS:
        resampling.BAND = rows
        ways = (
            (lambda: resampling.interpolate(x, 512, 512)),
            (lambda: resampling.interpolate_gradient(grad, (256, 256))),
        )
        forward, gradient = milliseconds_each(*ways)
        print(f"{rows:4} rows {forward / 2:6.1f} {gradient / 2:6.1f}")
    resampling.BAND = default


def channel_operations(rng):
    """Measure the same operation on every pixel, in NumPy's words and on long rows (`kernels/channels.py`)."""
    x = rng.standard_normal((1024, 64), np.float32)  # 256 KB
    y, bias, zeros = x.copy(), Repeated(x[0]), Repeated(np.zeros(64, np.float32))
    vector = x[0].copy()
    ways = {
        "maps += bias": lambda: np.add(y, vector, out=y),
        "on long rows": lambda: bias.combine(np.add, y, y),
        "np.maximum(maps, 0)": lambda: np.maximum(y, 0, out=y),
        "with a row of zeros": lambda: zeros.combine(np.maximum, y, y),
    }
    repeats = 100
    spent = milliseconds_each(*(lambda way=way: [way() for _ in range(repeats)] for way in ways.values()))
    print("\nOperations on each channel, 1024 pixels of 64 channels, microseconds")
    for name, milliseconds in zip(ways, spent):
        print(f"{name:20} {1000 * milliseconds / repeats:5.1f}")


if __name__ == "__main__":
    main()

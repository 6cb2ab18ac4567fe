"""Winograd's convolution F(4x4, 3x3): a 3x3 convolution with a quarter of the multiplications.

In one dimension, four outputs of a three-entry kernel, y_i = sum_k x_(i+k) g_k, take 12 multiplications as they
stand. Look at a product of polynomials first: four coefficients u times three coefficients g make six, so the product
is known from its values at six points, and a value of a product is *one* multiplication. With the points 0, 1, -1, 2,
-2 and infinity,

    T(g) u = B [ (G g) * (A u) ]       A and G evaluate u and g at the points, *: value by value, B: back again

where T(g) is the matrix of multiplying by g: T(g)[m, i] = g_(m-i). (Lagrange's formula gives B: column p holds the
coefficients of the product of (t - q) over the other finite points q, and the last one of that over all five. Its
denominators 4, -6, -6, 24, 24 and 1 are divided out in G, so that B has whole numbers.)

The convolution is the transpose of T(g), y_i = sum_m x_m g_(m-i) = (T(g)^T x)_i; so transpose the right side as well:

    y = A^T [ (G g) * (B^T x) ]        x: 6 pixels, g: 3 kernel entries, y: 4 outputs, 6 multiplications

In two dimensions each matrix is applied to the rows and to the columns: 36 products instead of 144 for a 4x4 tile of
outputs. With a, b = 0 .. 5 for the points of rows and columns, and T tiles whose 6x6 pixels begin 4 pixels apart,

    V[a,b] = (B^T x B)[a,b]        (T, C)   for each tile and channel
    U[a,b] = (G g G^T)[a,b]        (C, F)   for each channel and filter
    M[a,b] = V[a,b] @ U[a,b]       (T, F)   36 matrix products: most of the work
    y      = A^T M A               (4, 4)   outputs for each tile and filter

Every step is a product for BLAS on arrays as they lie in memory: six rows of an NHWC image *are* a matrix (6, W*C).
Tiles do not depend on each other, so each thread takes blocks of them through all the steps, in its own cache.

The sums run over numbers of very different size (A^T holds 1 and 8), which costs digits: in float32 the result is off
by up to 2e-5 of the largest value where im2col is off by 1e-6, and one infinite pixel makes its whole tile NaN.
float64, which is there for exactness, therefore goes by im2col; and larger tiles, which would save more
multiplications, would lose too much. Lavin & Gray 2016, arXiv 1509.09308.

On VGG16's layers at batch 8 it is 1.3 to 2.6 times as fast as im2col, its kernel gradient 1.2 to 2.7 times (`python -m
benchmarks.kernels`).
Who calls this: `convolution`, where it `is_possible` and `pays`.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .memory import Scratch, empty
from .parallel import share, slices, threads

BT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
AT = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])

# Tiles that a thread takes through all the steps at a time. The products want many, the cache few.
BLOCK_TILES = 196
# Tiles times channels that a transform works on at a time: 36 values of each are 4.6 MB.
TRANSFORM_SIZE = 32_000
# Bytes of V and dM together. Every block of tiles adds to all of dU, so blocks are large, and all threads work on one.
GRADIENT_BLOCK_BYTES = 32 * 2**20


def is_possible(kernel_shape, rows, cols):
    """Winograd in this form can do a 3x3 kernel at stride 1."""
    return kernel_shape[:2] == (3, 3) and rows.stride == cols.stride == 1


def pays(images, kernel_shape, dtype, rows, cols, u_is_kept=False):
    """Is it the better way where it is possible? Only in float32 (float64 is there for exactness), from about 48
    channels and 32 filters on, where not too much of the tiles hangs over the edge (on 14x14 outputs it is a quarter),
    and from 64 tiles on, or 32 where U is there already: it is four times as large as the kernel, and with few tiles,
    making it and reading it takes longer than the products. (`python -m benchmarks.kernels`)"""
    tiles = _tiles(rows) * _tiles(cols)
    used = rows.out * cols.out / (16 * tiles)  # the share of the tiles' outputs that exist
    c, f = kernel_shape[2:]
    enough = images * tiles >= (32 if u_is_kept else 64)
    return dtype == np.float32 and c >= 48 and f >= 32 and used > 0.6 and enough


def transformed_kernel(kernel, turned=False, allocate=empty):
    """U = G g G^T (36, C, F) for each channel and filter of kernel (3, 3, C, F); for one turned by 180 degrees with
    `turned`, which is nothing else than G with its columns in reverse."""
    c, f = kernel.shape[2:]
    g = (G[:, ::-1] if turned else G).astype(kernel.dtype)
    u = allocate((6, 6, c * f), kernel.dtype)

    def transform(points):
        for a in points:
            over_rows = g[a] @ kernel.reshape(3, 3 * c * f)
            np.matmul(g, over_rows.reshape(3, c * f), out=u[a])  # over columns

    share(transform, range(6))
    return u.reshape(36, c, f)


def conv2d_winograd(x, u, bias, rows, cols, activate, pool=False):
    """`conv2d` for a 3x3 kernel at stride 1. x (N, H, W, C), U (36, C, F) -> activate(y) (N, OH, OW, F), or with `pool`
    the maxima of its 2x2 windows (N, OH//2, OW//2, F)."""
    n, c, f = len(x), *u.shape[1:]
    x = np.ascontiguousarray(x, u.dtype)
    tile_rows, tile_cols = _tiles(rows), _tiles(cols)
    side = 2 if pool else 4
    y = empty((n * tile_rows, side, tile_cols, side, f), u.dtype)  # whole tiles; the surplus is cut off below
    blocks = _blocks(n * tile_rows, tile_cols)  # of tile rows, counted through all images
    # Several blocks are shared out to the threads. A lone one is done by all of them, one step after the other.
    sharers = threads() if len(blocks) == 1 else 1
    scratch = Scratch(u.dtype)

    def convolve(blocks):
        for block in blocks:
            t = len(block) * tile_cols
            v, m = scratch.array("V", 36, t, c), scratch.array("M", 36, t, f)

            def transform_input(parts):
                for part in parts:
                    _to_points(BT, x, (rows.before, cols.before), tile_rows, part, _tiles_of(part, v, block), scratch)

            def multiply(parts):
                for part in parts:
                    np.matmul(v[part], u[part], out=m[part])

            def transform_output(parts):
                for part in parts:
                    tiles = _to_outputs(_tiles_of(part, m, block), bias, scratch)  # (4, 4, T*F)
                    if pool:
                        tiles = np.maximum(tiles[0::2], tiles[1::2])  # (2, 4, T*F)
                        tiles = np.maximum(tiles[:, 0::2], tiles[:, 1::2])  # (2, 2, T*F)
                    # (tile rows, side, tile columns, side, F) -> (side, side, tile rows, tile columns, F)
                    target = y[part.start : part.stop].transpose(1, 3, 0, 2, 4)
                    activate(tiles.reshape(target.shape), out=target)

            share(transform_input, _ranges(block, t * c / TRANSFORM_SIZE, sharers))
            share(multiply, slices(36, sharers))
            share(transform_output, _ranges(block, t * f / TRANSFORM_SIZE, sharers))

    share(convolve, blocks)
    y = y.reshape(n, side * tile_rows, side * tile_cols, f)
    # Copies only where there is something to cut off.
    return np.ascontiguousarray(y[:, : rows.out * side // 4, : cols.out * side // 4])


def kernel_gradient_winograd(x, grad, rows, cols):
    """dL/dkernel (3, 3, C, F), by the chain rule through the steps above.

    y = A^T M A                  ->  dM = A dy A^T
    M[a,b] = V[a,b] @ U[a,b]     ->  dU[a,b] = V[a,b]^T @ dM[a,b], summed over blocks of tiles
    U = G g G^T                  ->  dg = G^T dU G
    """
    n, c, f = len(x), x.shape[3], grad.shape[3]
    dtype = np.result_type(x, grad)
    x, grad = np.ascontiguousarray(x, dtype), np.ascontiguousarray(grad, dtype)
    tile_rows, tile_cols = _tiles(rows), _tiles(cols)
    du = empty((36, c, f), dtype) if n else np.zeros((36, c, f), dtype)  # without images there is no block to set it
    scratch = Scratch(dtype)

    row_bytes = 36 * tile_cols * (c + f) * dtype.itemsize
    for block in _ranges(range(n * tile_rows), n * tile_rows * row_bytes / GRADIENT_BLOCK_BYTES):
        t = len(block) * tile_cols
        v, dm = scratch.array("V", 36, t, c), scratch.array("dM", 36, t, f)

        def transform(parts):
            for part in parts:
                _to_points(BT, x, (rows.before, cols.before), tile_rows, part, _tiles_of(part, v, block), scratch)
                _to_points(AT.T, grad, (0, 0), tile_rows, part, _tiles_of(part, dm, block), scratch)

        def multiply(products):
            for k in products:
                if block.start == 0:
                    np.matmul(v[k].T, dm[k], out=du[k])
                else:
                    du[k] += np.matmul(v[k].T, dm[k], out=scratch.array("product", c, f))

        share(transform, _ranges(block, t * max(c, f) / TRANSFORM_SIZE, threads()))
        share(multiply, range(36))

    dkernel = np.empty((3, 3, c, f), dtype)
    gt = G.T.astype(dtype)

    def transform_back(kernel_rows):
        for i in kernel_rows:
            over_rows = gt[i] @ du.reshape(6, 6 * c * f)
            np.matmul(gt, over_rows.reshape(6, c * f), out=dkernel[i].reshape(3, c * f))

    share(transform_back, range(3))
    return dkernel


def _to_points(matrix, images, before, tile_rows, part, out, scratch):
    """matrix X matrix^T for the windows X of `part`, a range of tile rows -> out (36, T, C).

    matrix (6, size), images (N, H, W, C). Windows of size x size pixels begin 4 pixels apart, the first of them
    `before` = (top, left) pixels outside the image. What is outside is zero, and left out of the products.
    """
    size = matrix.shape[1]
    matrix = matrix.astype(images.dtype)
    (top, left), (h, w, c) = before, images.shape[1:]
    tile_cols = out.shape[1] // len(part)
    row_step = images.strides[1]  # (not strides[3]: NumPy leaves it undefined for images of one channel)

    # Over rows: for each tile row, (6, size) @ (size, W*C). Tile rows that see no edge are one call.
    lines = scratch.array("lines", len(part), 6, 4 * (tile_cols - 1) + size, c)
    lines[:, :, :left] = 0
    lines[:, :, left + w :] = 0
    target = lines[:, :, left : left + w].reshape(len(part), 6, w * c)  # a view
    for k, n, i, count in _runs(part, tile_rows, -(-top // 4), (h + top - size) // 4 + 1):
        first, last = max(4 * i - top, 0), min(4 * i - top + size, h)
        steps = (4 * row_step, row_step, images.itemsize)
        pixels = as_strided(images[n, first:], (count, max(last - first, 0), w * c), steps)
        columns = matrix[:, first - (4 * i - top) :][:, : pixels.shape[1]]
        np.matmul(columns, pixels, out=target[k : k + count])

    # Over columns: a line of W pixels becomes windows of `size` pixels side by side, and these the second dimension.
    windows = scratch.array("windows", len(part), 6, size, tile_cols, c)
    line_step, point_step, pixel_step, channel_step = lines.strides
    steps = (line_step, point_step, pixel_step, 4 * pixel_step, channel_step)
    np.copyto(windows, as_strided(lines, windows.shape, steps))
    target = out.reshape(6, 6, len(part), tile_cols * c).transpose(2, 0, 1, 3)  # a view
    np.matmul(matrix, windows.reshape(len(part), 6, size, tile_cols * c), out=target)


def _to_outputs(m, bias, scratch):
    """A^T M A + bias (4, 4, T*F) for the tiles of m (36, T, F).

    The bias is added to m[1, 1], which is one number in 36 instead of each of the 16 outputs: column 1 of A^T, which
    belongs to the point 1, is all ones, so A^T M A adds M[1, 1] to every output.
    """
    _, t, f = m.shape
    at = AT.astype(m.dtype)
    m = m.reshape(6, 6, t * f)
    if bias is not None:
        point_1_1 = m[1, 1].reshape(t, f)
        point_1_1 += bias
    over_rows = np.matmul(at, m.transpose(1, 0, 2), out=scratch.array("over rows", 6, 4, t * f))
    return np.matmul(at, over_rows.transpose(1, 0, 2), out=scratch.array("outputs", 4, 4, t * f))


def _tiles(axis):
    """Tiles of four outputs along an axis; the last one may reach beyond the end."""
    return -(-axis.out // 4)


def _tiles_of(part, array, block):
    """What belongs to the tile rows `part` in an array (36, T, ...) of those of `block`."""
    tile_cols = array.shape[1] // len(block)
    return array[:, (part.start - block.start) * tile_cols : (part.stop - block.start) * tile_cols]


def _ranges(whole, count, multiple=1):
    """The range `whole` in at least `count` ranges of about the same length, and a multiple of `multiple`."""
    count = -(-count // multiple) * multiple
    return [whole[part] for part in slices(len(whole), max(int(count), multiple))]


def _blocks(tile_rows, tile_cols):
    """All tile rows in blocks of at most about BLOCK_TILES: a lone one, or as many for each thread."""
    count = tile_rows * tile_cols / BLOCK_TILES
    return _ranges(range(tile_rows), count, threads() if count > 1 else 1)


def _runs(part, tile_rows, first_inside, end_inside):
    """Tile rows of `part` that can be transformed in one call: (k, n, i, count) for `count` tile rows from row i of
    image n, which is part[k]. Tile rows first_inside to end_inside see no edge of the image; the others are alone."""
    runs = []
    for k, z in enumerate(part):
        n, i = divmod(z, tile_rows)
        if runs and first_inside < i < end_inside:
            k, n, i, count = runs.pop()
            runs.append((k, n, i, count + 1))
        else:
            runs.append((k, n, i, 1))
    return runs


class KernelTransform:
    """The U of a kernel that is used again and again, made anew when the kernel has changed.

    For VGG16's 512x512 kernels U is 38 MB each, and making it takes 6 ms. Whoever changes a kernel does not have to say
    so: it is compared, every number of it, with a copy of the kernel that U was made from, which takes 1 ms.
    """

    def __init__(self):
        self.drop()

    def drop(self):
        """Forget U and free its memory."""
        self.kept = None

    def of(self, kernel, scale=None):
        """U of `kernel`, or of kernel * scale, scale (F,)."""
        kept = self.kept  # (copies of kernel and scale, their U): read and replaced in one piece, whichever thread does
        if kept is None or not _equal(kept[0], kernel) or not _same_scale(kept[1], scale):
            copies = kernel.copy(), None if scale is None else scale.copy()
            scaled = copies[0] if scale is None else copies[0] * scale
            kept = self.kept = *copies, transformed_kernel(scaled, allocate=np.empty)  # to stay, so not from `memory`
        return kept[2]


def _same_scale(a, b):
    return (a is None) == (b is None) and (a is None or _equal(a, b))


def _equal(a, b):
    """Are two arrays of one type equal, bit for bit?"""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    a, b = (np.ascontiguousarray(each).reshape(-1).view(f"u{each.itemsize}") for each in (a, b))
    same = []

    def compare(parts):
        same.extend(np.array_equal(a[part], b[part]) for part in parts)

    share(compare, slices(len(a), -(-a.nbytes // 2**18)))
    return all(same)

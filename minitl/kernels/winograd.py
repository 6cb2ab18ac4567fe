"""Winograd's convolution F(4x4, 3x3): a 3x3 convolution with a quarter of the multiplications.

In one dimension, four outputs of a three-entry kernel, y_i = sum_k x_(i+k) g_k, take 12 multiplications as written.
Look at a product of polynomials first. A polynomial u with four coefficients times a polynomial g with three has six
coefficients, so the product is determined by its values at six points, and a value of a product is *one*
multiplication. With the points 0, 1, -1, 2, -2 and infinity,

    T(g) u = B [ (G g) * (A u) ]       A and G evaluate u and g at the points, *: value by value, B: back again

where T(g) is the matrix that multiplies by g: T(g)[m, i] = g_(m-i). (Lagrange's formula gives B: column p holds the
coefficients of the product of (t - q) over the other finite points q, and the last column that product over all five.
Its denominators 4, -6, -6, 24, 24 and 1 are divided out in G, so that B has whole numbers.)

The point infinity stands for the leading coefficient. u(t) = u_0 + u_1 t + u_2 t^2 + u_3 t^3 grows like u_3 t^3, so
u(t) / t^3 tends to u_3 for large t: this limit is the "value" at infinity. The leading coefficient of a product is the
product of the leading coefficients: one multiplication, as at the other points. So the last rows of A and G only pick
u_3 and g_2. The other points then determine the rest, which has degree 4.

How the points are chosen. Any six different points are right in exact arithmetic. In floating point, A holds powers of
the points up to t^3, B and G come from products of their differences, and all these numbers should be of similar size.
Infinity, 0, 1 and -1 come first, because their powers are only 0, 1 and -1. Then come pairs of opposite sign: as
(t - p)(t + p) = t^2 - p^2 has no term in t, B has more zeros. The powers of 2 reach 8, those of 3 reach 27. Large
powers cost digits: the large terms of a sum cancel, and their rounding errors stay. 1/2 and -1/2 are about as good as 2
and -2 (their powers fall to 1/8, and the entries of G grow to 4). In a trial in float32, on random tiles of 64
channels, these were the largest errors, relative to the largest output:

    0, +-1, +-2: 6e-6     0, +-1, +-1/2: 7e-6     0, +-1, +-3: 2e-5     0, +-1, +-4: 7e-5     0, 1, 2, 3, 4: 8e-2

The convolution is the transpose of T(g), y_i = sum_m x_m g_(m-i) = (T(g)^T x)_i, so transpose the right side as well:

    y = A^T [ (G g) * (B^T x) ]        x: 6 pixels, g: 3 kernel entries, y: 4 outputs, 6 multiplications

In two dimensions each matrix is applied to the rows and to the columns: 36 products instead of 144 for a 4x4 tile of
outputs. With a, b = 0 .. 5 for the points of rows and columns, and T tiles whose 6x6 pixels begin 4 pixels apart,

    V[a,b] = (B^T x B)[a,b]        (T, C)   for each tile and channel
    U[a,b] = (G g G^T)[a,b]        (C, F)   for each channel and filter
    M[a,b] = V[a,b] @ U[a,b]       (T, F)   36 matrix products: most of the work
    y      = A^T M A               (4, 4)   outputs for each tile and filter

Every step is a matrix product on arrays as they lie in memory: six rows of an NHWC image *are* a matrix (6, W*C). Tiles
do not depend on each other, so each thread takes a block of them through all the steps while it is in the cache.

The sums run over numbers of very different size (A^T holds 1 and 8), which costs digits. In float32 the error is up to
2e-5 of the largest value, where that of im2col is 1e-6. One NaN or infinite pixel spoils all 16 outputs of its tiles
(0 * infinity is NaN), and so does an overflow on the way. This is noticed, and im2col computes the convolution:
`convolution.conv2d` says what holds. float64 is there for exactness, so im2col computes it. Larger tiles would save
more multiplications, but need more points and lose more digits. Lavin & Gray 2016, arXiv 1509.09308.

On VGG16's layers at batch 8, this is 1.3 to 2.6 times as fast as im2col, and its kernel gradient 1.2 to 2.7 times
(`python -m benchmarks.kernels`).
Who calls this: `convolution`, where it `is_possible` and `pays`.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .memory import Scratch, empty
from .parallel import share, slices, threads
from .precision import is_finite_and_moderate

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

# Tiles that a thread takes through all the steps at a time. Products are faster with many, the cache holds only few.
BLOCK_TILES = 196
# Tiles times channels that a transform works on at a time. Each has 36 values: 4.6 MB in all.
TRANSFORM_SIZE = 32_000
# Bytes of V and dM together. Every block adds to the whole dU, so blocks are large, and all threads work on one block.
GRADIENT_BLOCK_BYTES = 32 * 2**20


def is_possible(kernel_shape, rows, cols):
    """Return whether Winograd in this form can do the convolution: a 3x3 kernel at stride 1."""
    return kernel_shape[:2] == (3, 3) and rows.stride == cols.stride == 1


def pays(images, kernel_shape, dtype, rows, cols, u_is_kept=False):
    """Return whether Winograd is faster than im2col, where it is possible.

    It has to be float32 (float64 is there for exactness), with about 48 channels and 32 filters or more. Not too much
    of the tiles may hang over the edge (on 14x14 outputs it is a quarter). And there have to be 64 tiles, or 32 if U is
    kept: U is four times as large as the kernel, and with few tiles it takes longer to make and read U than to
    multiply. (`python -m benchmarks.kernels`)
    """
    tiles = _tiles(rows) * _tiles(cols)
    used = rows.out * cols.out / (16 * tiles)  # the share of the tiles' outputs that exist
    c, f = kernel_shape[2:]
    enough = images * tiles >= (32 if u_is_kept else 64)
    return dtype == np.float32 and c >= 48 and f >= 32 and used > 0.6 and enough


def transformed_kernel(kernel, turned=False, allocate=empty):
    """Return U = G g G^T (36, C, F) for each channel and filter of kernel (3, 3, C, F).

    With `turned`, return the U of the kernel turned by 180 degrees. To reverse the columns of G has the same effect.
    """
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
    """Convolve with a 3x3 kernel at stride 1: x (N, H, W, C), U (36, C, F) -> activate(y) (N, OH, OW, F).

    With `pool`, return the maxima of its 2x2 windows (N, OH//2, OW//2, F). Return None if an output is not finite.
    """
    n, c, f = len(x), *u.shape[1:]
    x = np.ascontiguousarray(x, u.dtype)
    tile_rows, tile_cols = _tiles(rows), _tiles(cols)
    side = 2 if pool else 4
    y = empty((n * tile_rows, side, tile_cols, side, f), u.dtype)  # whole tiles; the surplus is cut off below
    blocks = _blocks(n * tile_rows, tile_cols)  # of tile rows, counted through all images
    # Several blocks are shared out to the threads. All threads work on a lone block, one step after the other.
    sharers = threads() if len(blocks) == 1 else 1
    scratch, spoiled = Scratch(u.dtype), []  # what is found to be not finite

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
                    # NaN and infinity in x, V or M reach all outputs of a tile; A^T has its largest numbers here
                    spoiled.extend(row for row in (2, 3) if not is_finite_and_moderate(tiles[row, 2:]))
                    if pool:
                        tiles = np.maximum(tiles[0::2], tiles[1::2])  # (2, 4, T*F)
                        tiles = np.maximum(tiles[:, 0::2], tiles[:, 1::2])  # (2, 2, T*F)
                    # (tile rows, side, tile columns, side, F) -> (side, side, tile rows, tile columns, F)
                    target = y[part.start : part.stop].transpose(1, 3, 0, 2, 4)
                    activate(tiles.reshape(target.shape), out=target)

            share(transform_input, _ranges(block, t * c / TRANSFORM_SIZE, sharers))
            share(multiply, slices(36, sharers))
            share(transform_output, _ranges(block, t * f / TRANSFORM_SIZE, sharers))

    with np.errstate(over="ignore", invalid="ignore"):
        share(convolve, blocks)
    if spoiled:
        return None
    y = y.reshape(n, side * tile_rows, side * tile_cols, f)
    # Copies only where there is something to cut off.
    return np.ascontiguousarray(y[:, : rows.out * side // 4, : cols.out * side // 4])


def kernel_gradient_winograd(x, grad, rows, cols):
    """Return dL/dkernel (3, 3, C, F), by the chain rule through the steps at the head of this file.

    y = A^T M A                  ->  dM = A dy A^T
    M[a,b] = V[a,b] @ U[a,b]     ->  dU[a,b] = V[a,b]^T @ dM[a,b], summed over blocks of tiles
    U = G g G^T                  ->  dg = G^T dU G
    """
    n, c, f = len(x), x.shape[3], grad.shape[3]
    dtype = np.result_type(x, grad)
    x, grad = np.ascontiguousarray(x, dtype), np.ascontiguousarray(grad, dtype)
    tile_rows, tile_cols = _tiles(rows), _tiles(cols)
    du = empty((36, c, f), dtype) if n else np.zeros((36, c, f), dtype)  # 0 for an empty batch
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
    """Compute matrix X matrix^T for the windows X of `part`, a range of tile rows -> out (36, T, C).

    matrix (6, size), images (N, H, W, C). Windows of size x size pixels begin 4 pixels apart. The first of them begins
    `before` = (top, left) pixels outside the image. Pixels outside are 0, and the products leave them out.
    """
    size = matrix.shape[1]
    matrix = matrix.astype(images.dtype)
    (top, left), (h, w, c) = before, images.shape[1:]
    tile_cols = out.shape[1] // len(part)
    row_step = images.strides[1]  # (not strides[3]: NumPy leaves it undefined for images of one channel)

    # Over rows: for each tile row, (6, size) @ (size, W*C). One call does all neighbouring tile rows that see no edge.
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

    # Over columns: copy each line of W pixels as windows of `size` pixels, with the window's pixels as the second axis.
    windows = scratch.array("windows", len(part), 6, size, tile_cols, c)
    line_step, point_step, pixel_step, channel_step = lines.strides
    steps = (line_step, point_step, pixel_step, 4 * pixel_step, channel_step)
    np.copyto(windows, as_strided(lines, windows.shape, steps))
    target = out.reshape(6, 6, len(part), tile_cols * c).transpose(2, 0, 1, 3)  # a view
    np.matmul(matrix, windows.reshape(len(part), 6, size, tile_cols * c), out=target)


def _to_outputs(m, bias, scratch):
    """Return A^T M A + bias (4, 4, T*F) for the tiles of m (36, T, F).

    The bias is added to m[1, 1], one number of a tile, and not to each of its 16 outputs. Column 1 of A^T belongs to
    the point 1 and holds ones only, so A^T M A adds M[1, 1] to every output.
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
    """Return the number of tiles of four outputs along an axis. The last tile may reach beyond the end."""
    return -(-axis.out // 4)


def _tiles_of(part, array, block):
    """Return the tiles of the tile rows `part`, as a view of an array (36, T, ...) with the tiles of `block`."""
    tile_cols = array.shape[1] // len(block)
    return array[:, (part.start - block.start) * tile_cols : (part.stop - block.start) * tile_cols]


def _ranges(whole, count, multiple=1):
    """Return `whole` in at least `count` ranges of about the same length. Their number is a multiple of `multiple`."""
    count = -(-count // multiple) * multiple
    return [whole[part] for part in slices(len(whole), max(int(count), multiple))]


def _blocks(tile_rows, tile_cols):
    """Return all tile rows in blocks of about BLOCK_TILES tiles at most: one block, or as many for each thread."""
    count = tile_rows * tile_cols / BLOCK_TILES
    return _ranges(range(tile_rows), count, threads() if count > 1 else 1)


def _runs(part, tile_rows, first_inside, end_inside):
    """Return the runs of tile rows in `part` that one call can transform, as tuples (k, n, i, count).

    A run is `count` tile rows from tile row i of image n on, which is part[k]. The tile rows from first_inside up to
    end_inside see no edge of the image and form runs. Each of the others is a run of its own.
    """
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
    """The transform U of a kernel that is used again and again. It is made anew when the kernel has changed.

    For each of VGG16's 512x512 kernels U has 38 MB and takes 6 ms to make. Code that changes a kernel need not report
    it: every number of the kernel is compared with a copy of the kernel that U was made from. That takes 1 ms.
    """

    def __init__(self):
        self.drop()

    def drop(self):
        """Forget U and free its memory."""
        self.kept = None

    def of(self, kernel, scale=None):
        """Return U of `kernel`, or of kernel * scale with scale (F,)."""
        kept = self.kept  # (copy of kernel, copy of scale, U): one tuple, so threads read and replace it as a whole
        if kept is None or not _equal(kept[0], kernel) or not _same_scale(kept[1], scale):
            copies = kernel.copy(), None if scale is None else scale.copy()
            scaled = copies[0] if scale is None else copies[0] * scale
            kept = self.kept = *copies, transformed_kernel(scaled, allocate=np.empty)  # to stay, so not from `memory`
        return kept[2]


def _same_scale(a, b):
    """Return whether both scales are None, or both are equal arrays."""
    return (a is None) == (b is None) and (a is None or _equal(a, b))


def _equal(a, b):
    """Return whether two arrays have the same shape, type and bits."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    a, b = (np.ascontiguousarray(each).reshape(-1).view(f"u{each.itemsize}") for each in (a, b))
    same = []

    def compare(parts):
        same.extend(np.array_equal(a[part], b[part]) for part in parts)

    share(compare, slices(len(a), -(-a.nbytes // 2**18)))
    return all(same)

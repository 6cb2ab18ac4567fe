"""Winograd's convolution F(4x4, 3x3): a 3x3 convolution with a quarter of the multiplications.

In one dimension, four outputs of a three-entry kernel, y_i = sum_k x_(i+k) g_k, take 12 multiplications as they
stand. Look at a product of polynomials first: four coefficients u times three coefficients g make six, so the product
is known from its values at six points, and a value of a product is *one* multiplication. With the points 0, 1, -1, 2,
-2 and infinity,

    T(g) u = B [ (G g) * (A u) ]       A and G evaluate u and g at the points, *: value by value, B: back again

where T(g) is the matrix of multiplying by g: T(g)[m, i] = g_(m-i). The convolution is its transpose, y_i = sum_m x_m
g_(m-i) = (T(g)^T x)_i; so transpose the right side as well:

    y = A^T [ (G g) * (B^T x) ]        x: 6 pixels, g: 3 kernel entries, y: 4 outputs, 6 multiplications

In two dimensions each matrix is applied to the rows and to the columns: 36 products instead of 144 for a 4x4 tile of
outputs. With rows and columns written one after the other, "A X A^T" is the Kronecker product kron(A, A) times X as a
vector, so over all tiles and channels everything is three matrix products, done by BLAS on all cores:

    V = kron(B^T, B^T) @ tiles      (36, 36) @ (36, T*C)       T tiles of 6x6 pixels, 4 apart
    M = V @ U                       36 times (T, C) @ (C, F)   U = kron(G, G) @ kernel, (36, C, F)
    Y = kron(A^T, A^T) @ M          (16, 36) @ (36, T*F)       T tiles of 4x4 outputs

The sums run over numbers of very different size (A^T holds 1 and 8), which costs digits: in float32 the result is off
by up to 1e-5 of the largest value where im2col is off by 1e-6. float64, which is there for exactness, therefore goes by
im2col; and larger tiles, which would save more multiplications, would lose too much. Lavin & Gray 2016, arXiv
1509.09308.

On VGG16's layers with 28 pixels and more (batch 8, two cores) the convolution is 1.4 to 1.7 times as fast as by im2col,
the kernel gradient 1.0 to 1.4 times (`python -m benchmarks.kernels`).
Who calls this: `convolution`, where it `is_possible` and `pays`.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .geometry import crop

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

TO_TILES = np.kron(BT, BT)  # (36, 36)
TO_KERNEL = np.kron(G, G)  # (36, 9)
TO_OUTPUT = np.kron(AT, AT)  # (16, 36)

# Tiles worked on at a time: few enough for the cache, enough rows for a fast product.
BLOCK_TILES = 450


def is_possible(kernel_shape, rows, cols):
    """Winograd in this form can do a 3x3 kernel at stride 1."""
    return kernel_shape[:2] == (3, 3) and rows.stride == cols.stride == 1


def pays(kernel_shape, dtype, rows, cols):
    """Is it the better way where it is possible? Only in float32 (float64 is there for exactness), from about 32
    channels on, and where tiles fit: on 14x14 outputs a quarter of every 16x16 is thrown away, and the
    kernel gradient takes 1.5 times as long as by im2col."""
    used = rows.out * cols.out / (16 * _tiles(rows) * _tiles(cols))  # the share of the tiles' outputs that exist
    return dtype == np.float32 and min(kernel_shape[2:]) >= 32 and used > 0.85


def _tiles(axis):
    """Tiles of four outputs along an axis; the last one may reach beyond the end."""
    return -(-axis.out // 4)


def conv2d_winograd(x, kernel, bias, rows, cols):
    """`conv2d` for a 3x3 kernel at stride 1. x (N, H, W, C), kernel (3, 3, C, F) -> (N, OH, OW, F)."""
    c, f = kernel.shape[2:]
    dtype = np.result_type(x, kernel)
    u = (TO_KERNEL.astype(dtype) @ kernel.reshape(9, c * f)).reshape(36, c, f)
    to_output = TO_OUTPUT.astype(dtype)
    tile_rows, tile_cols = _tiles(rows), _tiles(cols)
    y = np.empty((len(x), tile_rows, 4, tile_cols, 4, f), dtype)  # whole tiles; the surplus is cut off below
    m, outputs = _Buffer(dtype), _Buffer(dtype)
    for block, v in _transformed_tiles(x, rows, cols):
        t = v.shape[1]
        products = np.matmul(v, u, out=m.view(36, t, f))
        tiles = np.matmul(to_output, products.reshape(36, t * f), out=outputs.view(16, t * f))
        target = y[block].transpose(2, 4, 0, 1, 3, 5)  # (4, 4, n, tile rows, tile cols, F), a view
        tiles = tiles.reshape(target.shape)
        if bias is not None:
            tiles += bias
        target[...] = tiles
    y = y.reshape(len(x), 4 * tile_rows, 4 * tile_cols, f)
    return np.ascontiguousarray(y[:, : rows.out, : cols.out])  # copies only where there is something to cut off


def kernel_gradient_winograd(x, grad, rows, cols):
    """dL/dkernel (3, 3, C, F), by the chain rule through the three products above.

    Y = kron(A^T, A^T) @ M      ->  dL/dM = kron(A^T, A^T)^T @ dL/dY
    M_k = V_k @ U_k             ->  dL/dU_k = V_k^T @ dL/dM_k, for each of the 36 k, summed over the blocks
    U = kron(G, G) @ kernel     ->  dL/dkernel = kron(G, G)^T @ dL/dU
    """
    c, f = x.shape[3], grad.shape[3]
    tile_rows, tile_cols = _tiles(rows), _tiles(cols)
    if (4 * tile_rows, 4 * tile_cols) != grad.shape[1:3]:  # outputs that do not exist have no gradient
        grad = np.pad(grad, ((0, 0), (0, 4 * tile_rows - rows.out), (0, 4 * tile_cols - cols.out), (0, 0)))
    grad = grad.reshape(len(x), tile_rows, 4, tile_cols, 4, f)
    dtype = np.result_type(x, grad)
    back_to_products = TO_OUTPUT.T.astype(dtype)
    du, product = np.zeros((36, c, f), dtype), np.empty((36, c, f), dtype)
    gathered, dm = _Buffer(dtype), _Buffer(dtype)
    for block, v in _transformed_tiles(x, rows, cols):
        t = v.shape[1]
        source = grad[block].transpose(2, 4, 0, 1, 3, 5)  # (4, 4, n, tile rows, tile cols, F), a view
        dy = gathered.view(*source.shape)
        np.copyto(dy, source)
        dproducts = np.matmul(back_to_products, dy.reshape(16, t * f), out=dm.view(36, t * f))
        du += np.matmul(v.transpose(0, 2, 1), dproducts.reshape(36, t, f), out=product)
    return (TO_KERNEL.T.astype(dtype) @ du.reshape(36, c * f)).reshape(3, 3, c, f)


def _transformed_tiles(x, rows, cols):
    """Yields (block, V): V (36, T, C) are transformed 6x6 tiles of the padded images; block = (images, tile rows) says
    which. Like im2col's columns, V is one buffer, overwritten by the next block."""
    n, c = len(x), x.shape[3]
    tile_rows, tile_cols = _tiles(rows), _tiles(cols)
    images = max(1, min(n, BLOCK_TILES // (tile_rows * tile_cols)))
    block_rows = tile_rows if images > 1 else max(1, min(tile_rows, BLOCK_TILES // tile_cols))
    padded = np.zeros((images, 4 * tile_rows + 2, 4 * tile_cols + 2, c), x.dtype)
    to_tiles = TO_TILES.astype(x.dtype)
    gathered, transformed = _Buffer(x.dtype), _Buffer(x.dtype)
    for n0 in range(0, n, images):
        n1 = min(n0 + images, n)
        crop(padded, rows, cols)[: n1 - n0] = x[n0:n1]
        for i0 in range(0, tile_rows, block_rows):
            i1 = min(i0 + block_rows, tile_rows)
            image_step, row_step, pixel_step, channel_step = padded.strides
            tiles = as_strided(
                padded[: n1 - n0, 4 * i0 :],
                shape=(6, 6, n1 - n0, i1 - i0, tile_cols, c),
                strides=(row_step, pixel_step, image_step, 4 * row_step, 4 * pixel_step, channel_step),
                writeable=False,
            )
            columns = gathered.view(*tiles.shape)
            np.copyto(columns, tiles)
            columns = columns.reshape(36, -1)  # (36, T*C)
            v = np.matmul(to_tiles, columns, out=transformed.view(*columns.shape))
            yield (slice(n0, n1), slice(i0, i1)), v.reshape(36, -1, c)


class _Buffer:
    """Memory that is used again and again: the first request, which is the largest, allocates it."""

    def __init__(self, dtype):
        self.memory = np.empty(0, dtype)

    def view(self, *shape):
        size = int(np.prod(shape))
        if size > self.memory.size:
            self.memory = np.empty(size, self.memory.dtype)
        return self.memory[:size].reshape(shape)

"""Winograd's convolution at stride 1: a 3x3 convolution with a quarter of the multiplications, a 1x7 with a third.

`winograd_forms` derives F(4,3): four outputs y of a kernel g of three entries, from six pixels x, by the values of
polynomials at six points. In one dimension, and for a tile of 4x4 outputs in two,

    y = A^T [ (G g) * (B^T x) ]                                 * is value by value: 6 multiplications instead of 12
    y = A^T [ (G g G^T) * (B^T x B) ] A                         36 multiplications instead of 144

With a, b for the points of rows and columns, and T tiles whose 6x6 pixels begin 4 pixels apart,

    V[a,b] = (B^T x B)[a,b]        (T, C)   for each tile and channel
    U[a,b] = (G g G^T)[a,b]        (C, F)   for each channel and filter
    M[a,b] = V[a,b] @ U[a,b]       (T, F)   36 matrix products: most of the work
    y      = A^T M A               (4, 4)   outputs for each tile and filter

Rows and columns have a form each, by the size of the kernel and the number of outputs along them: 5x5 takes F(4,5) both
ways, and 1x7 F(1,1) and F(4,7) or F(6,7). P below is the number of points of both together, such as 6 * 6 = 36 or
1 * 12. `winograd_choice` chooses.

Where a kernel of 3x3 gets F(4,3) over the rows and F(1,1) over the columns, its columns are unrolled, as in `im2col`:
three pixels that follow one another in a line are taken as one pixel with three times the channels, and the kernel as
one of 3x1. It takes twice the multiplications, and half of the transforms.

Every step is a matrix product on arrays as they lie in memory: six rows of an NHWC image *are* a matrix (6, W*C). Tiles
do not depend on each other, so each thread takes a block of them through all the steps while it is in the cache.

The sums run over numbers of very different size (A^T of F(4,3) holds 1 and 8, that of F(6,7) 1 and 98), which costs
digits. The largest errors that were measured in float32, on random numbers, are up to 2e-5 of the largest output
(`winograd_forms` has means), where those of im2col are 1e-6. `convolution.conv2d` says how large they can be beside the
pixels of a tile.

One NaN or infinite pixel spoils all outputs of its tiles (0 * infinity is NaN), and so does an overflow on the way.
This is noticed, and im2col computes the convolution: `convolution.conv2d` says what holds. float64 is there for
exactness, so im2col computes it.

On VGG16's layers at batch 8, this is 1.3 to 2.6 times as fast as im2col, and its kernel gradient 1.2 to 2.7 times
(`python -m benchmarks.kernels`).
Who calls this: `convolution`, where `winograd_choice` says so.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .elementwise import contiguous
from .geometry import blocks_of_rows
from .memory import Scratch, empty
from .parallel import share, slices, threads
from .precision import is_finite_and_moderate

# Bytes of V and M together that a thread takes through all the steps at a time. The last cache (L3) then holds the
# blocks of all threads, and most of a block stays in the core's own cache (L2). On 112x112 maps of 128 channels, ms an
# image by the size of a block: 1.8 MB 4.3, 3.6 MB 4.9, 7 MB 5.5 (AMD EPYC).
BLOCK_BYTES = 2.75 * 2**20
# The same where U is larger than BLOCK_BYTES. Every block reads all of U, which then costs more than leaving the cache:
# 56x56 maps of 256 channels take 4.5 ms with blocks of 7 MB, 3.7 with 29 MB. (3.5 with 58 MB, but VGG16 at batch 32
# would need 280 MB more.)
LARGE_BLOCK_BYTES = 32 * 2**20
# Values times channels that a transform works on at a time: 4.6 MB.
TRANSFORM_SIZE = 1_152_000
# Bytes of V and dM together. Every block adds to the whole dU, so blocks are large, and all threads work on one block.
GRADIENT_BLOCK_BYTES = 32 * 2**20


def transformed_kernel(kernel, forms, turned=False, allocate=empty):
    """Return U = G g G^T (P, C, F) for each channel and filter of kernel (KH, KW, C, F).

    `forms` are those of its rows and columns. With `turned`, return the U of the kernel turned by 180 degrees. To
    reverse the columns of G has the same effect.
    """
    kh, kw, c, f = kernel.shape
    if forms[1].taps == 1:  # the columns are unrolled: a kernel of one column, with kw times the channels
        kw, c = 1, kw * c
    over_rows, over_cols = (form.g[:, ::-1] if turned else form.g for form in forms)
    u = allocate((len(over_rows), len(over_cols), c * f), kernel.dtype)

    def transform(points):
        for a in points:
            row_value = over_rows[a] @ kernel.reshape(kh, kw * c * f)
            np.matmul(over_cols, row_value.reshape(kw, c * f), out=u[a])

    share(transform, range(len(u)))
    return u.reshape(-1, c, f)


def conv2d_winograd(x, u, bias, rows, cols, forms, activate, pool=False):
    """Convolve at stride 1: x (N, H, W, C), U (P, C, F) by these `forms` -> activate(y) (N, OH, OW, F).

    With `pool`, return the maxima of its 2x2 windows (N, OH//2, OW//2, F); the tiles must have even sides. Return None
    if an output is not finite.
    """
    n, (p, c, f) = len(x), u.shape
    x = np.ascontiguousarray(x, u.dtype)
    tile_rows, tile_cols = (form.tiles(axis.out) for form, axis in zip(forms, (rows, cols)))
    height, width = forms[0].outputs, tile_cols * forms[1].outputs
    if pool:
        height, width = height // 2, width // 2
    y = empty((n * tile_rows, height, width, f), u.dtype)  # whole tiles; the surplus is cut off below
    block_bytes = BLOCK_BYTES if u.nbytes <= BLOCK_BYTES else LARGE_BLOCK_BYTES
    row_bytes = p * tile_cols * (c + f) * u.itemsize
    blocks = _blocks(n, tile_rows, block_bytes / row_bytes)  # of tile rows, counted through all images
    # Several blocks are shared out to the threads. All threads work on a lone block, one step after the other.
    sharers = threads() if len(blocks) == 1 else 1
    scratch, spoiled = Scratch(u.dtype), []  # what is found to be not finite
    matrices, steps = [form.bt for form in forms], [form.outputs for form in forms]

    def convolve(blocks):
        for block in blocks:
            t = len(block) * tile_cols
            v, m = scratch.array("V", p, t, c), scratch.array("M", p, t, f)

            def transform_input(parts):
                for part in parts:
                    first_pixels = rows.before, cols.before
                    _to_points(matrices, steps, x, first_pixels, tile_rows, part, _tiles_of(part, v, block), scratch)

            def multiply(parts):
                for part in parts:
                    np.matmul(v[part], u[part], out=m[part])

            def transform_output(parts):
                for part in parts:
                    tiles = _to_outputs(forms, _tiles_of(part, m, block), bias, scratch)  # (4, 4, T*F)
                    # NaN and infinity in x, V or M reach all outputs of a tile; A^T has its largest numbers here
                    lower_right = tiles[len(tiles) // 2 :, tiles.shape[1] // 2 :]
                    spoiled.extend(row for row in lower_right if not is_finite_and_moderate(row))
                    if pool:
                        tiles = np.maximum(tiles[0::2], tiles[1::2])  # (2, 4, T*F)
                        if tiles.shape[1] == 1:  # tiles of one column: pairs of them
                            tiles = tiles.reshape(height, len(part) * width, 2, f).swapaxes(1, 2)
                        tiles = np.maximum(tiles[:, 0::2], tiles[:, 1::2])  # (2, 2, T*F)
                    # (tile rows, height, tile columns * width, F) -> (height, width, tile rows, tile columns, F)
                    side = tiles.shape[1]
                    target = y[part.start : part.stop].reshape(len(part), height, width // side, side, f)
                    target = target.transpose(1, 3, 0, 2, 4)
                    activate(tiles.reshape(target.shape), out=target)

            share(transform_input, _ranges(block, p * t * c / TRANSFORM_SIZE, sharers))
            share(multiply, slices(p, sharers))
            share(transform_output, _ranges(block, p * t * f / TRANSFORM_SIZE, sharers))

    with np.errstate(over="ignore", invalid="ignore"):
        share(convolve, blocks)
    if spoiled:
        return None
    y = y.reshape(n, height * tile_rows, width, f)
    # Copies only where there is something to cut off.
    oh, ow = (rows.out // 2, cols.out // 2) if pool else (rows.out, cols.out)
    return contiguous(y[:, :oh, :ow])


def kernel_gradient_winograd(x, grad, rows, cols, forms):
    """Return dL/dkernel (KH, KW, C, F) by these `forms`, by the chain rule through the steps at the head of this file.

    y = A^T M A                  ->  dM = A dy A^T
    M[a,b] = V[a,b] @ U[a,b]     ->  dU[a,b] = V[a,b]^T @ dM[a,b], summed over blocks of tiles
    U = G g G^T                  ->  dg = G^T dU G
    """
    n, c, f = len(x), x.shape[3], grad.shape[3]
    dtype = np.result_type(x, grad)
    x, grad = np.ascontiguousarray(x, dtype), np.ascontiguousarray(grad, dtype)
    tile_rows, tile_cols = (form.tiles(axis.out) for form, axis in zip(forms, (rows, cols)))
    p = forms[0].points * forms[1].points
    du = empty((p, c, f), dtype) if n else np.zeros((p, c, f), dtype)  # 0 for an empty batch
    scratch = Scratch(dtype)
    of_x, of_grad = [form.bt for form in forms], [form.at.T for form in forms]
    steps = [form.outputs for form in forms]

    row_bytes = p * tile_cols * (c + f) * dtype.itemsize
    for block in _ranges(range(n * tile_rows), n * tile_rows * row_bytes / GRADIENT_BLOCK_BYTES):
        t = len(block) * tile_cols
        v, dm = scratch.array("V", p, t, c), scratch.array("dM", p, t, f)

        def transform(parts):
            for part in parts:
                first_pixels = rows.before, cols.before
                _to_points(of_x, steps, x, first_pixels, tile_rows, part, _tiles_of(part, v, block), scratch)
                _to_points(of_grad, steps, grad, (0, 0), tile_rows, part, _tiles_of(part, dm, block), scratch)

        def multiply(products):
            for k in products:
                if block.start == 0:
                    np.matmul(v[k].T, dm[k], out=du[k])
                else:
                    du[k] += np.matmul(v[k].T, dm[k], out=scratch.array("product", c, f))

        share(transform, _ranges(block, p * t * max(c, f) / TRANSFORM_SIZE, threads()))
        share(multiply, range(p))

    dkernel = np.empty((rows.kernel, cols.kernel, c, f), dtype)
    over_rows, over_cols = (form.g.T for form in forms)

    def transform_back(kernel_rows):
        for i in kernel_rows:
            row_value = over_rows[i] @ du.reshape(forms[0].points, -1)
            np.matmul(over_cols, row_value.reshape(forms[1].points, c * f), out=dkernel[i].reshape(-1, c * f))

    share(transform_back, range(rows.kernel))
    return dkernel


def _to_points(matrices, steps, images, before, tile_rows, part, out, scratch):
    """Compute R X S^T for the windows X of `part`, a range of tile rows -> out (P, T, C). R, S = `matrices`.

    R (points of rows, height of X), S (points of columns, width of X), images (N, H, W, C). Windows begin `steps`
    pixels apart. The first of them begins `before` = (top, left) pixels outside the image. Pixels outside are 0, and
    the products leave them out. Where columns are unrolled, out is (P, T, 3*C), with three pixels side by side.
    """
    over_rows, over_cols = matrices
    (points, height), (col_points, width) = over_rows.shape, over_cols.shape
    (top, left), (h, w, c), (row_step, col_step) = before, images.shape[1:], steps
    tile_cols = out.shape[1] // len(part)
    unrolled = out.shape[2] // max(c, 1)  # pixels of a line that are one pixel of `out`: 3 in unrolled columns, else 1
    row_bytes = images.strides[1]  # (not strides[3]: NumPy leaves it undefined for images of one channel)
    line = tile_cols * out.shape[2]
    out = out.reshape(points, col_points, len(part), line).transpose(2, 0, 1, 3)  # a view, tile row by tile row

    # Over rows: for each tile row, (points, height) @ (height, W*C).
    if col_points == unrolled == 1:  # nothing to do over columns
        target = out[:, :, 0]
    else:
        lines = scratch.array("lines", len(part), points, col_step * (tile_cols - 1) + max(width, unrolled), c)
        lines[:, :, :left] = 0
        lines[:, :, left + w :] = 0
        target = lines[:, :, left : left + w].reshape(len(part), points, w * c)  # a view
    if points == 1:
        np.copyto(target[:, 0], images.reshape(-1, w * c)[part.start : part.stop])
    else:  # one call does all neighbouring tile rows that see no edge
        for k, n, i, count in _runs(part, tile_rows, -(-top // row_step), (h + top - height) // row_step + 1):
            first, last = max(row_step * i - top, 0), min(row_step * i - top + height, h)
            strides = (row_step * row_bytes, row_bytes, images.itemsize)
            pixels = as_strided(images[n, first:], (count, max(last - first, 0), w * c), strides)
            columns = over_rows[:, first - (row_step * i - top) :][:, : pixels.shape[1]]
            np.matmul(columns, pixels, out=target[k : k + count])

    # Over columns: copy each line of W pixels as windows of `width` pixels, with the window's pixels as second axis.
    if col_points > 1:
        windows = scratch.array("windows", len(part), points, width, tile_cols, c)
        line_bytes, point_bytes, pixel_bytes, channel_bytes = lines.strides
        strides = (line_bytes, point_bytes, pixel_bytes, col_step * pixel_bytes, channel_bytes)
        np.copyto(windows, as_strided(lines, windows.shape, strides))
        np.matmul(over_cols, windows.reshape(len(part), points, width, tile_cols * c), out=out)
    elif unrolled > 1:  # three pixels that follow one another in memory are three times the channels
        shape = len(part), points, tile_cols, unrolled * c
        np.copyto(out[:, :, 0].reshape(shape), as_strided(lines, shape, lines.strides))


def _to_outputs(forms, m, bias, scratch):
    """Return A^T M A + bias (4, 4, T*F) for the tiles of m (P, T, F), with other sizes for other forms.

    The bias is added to one number of a tile, and not to each of its 16 outputs: to m[1, 1], that of the points 1.
    Their columns of A^T hold ones only, so A^T M A adds M[1, 1] to every output.
    """
    _, t, f = m.shape
    row_form, col_form = forms
    m = m.reshape(row_form.points, col_form.points, t * f)
    if bias is not None:
        point_1_1 = m[row_form.point_of_ones, col_form.point_of_ones].reshape(t, f)
        point_1_1 += bias
    if row_form.points > 1:
        out = scratch.array("over rows", col_form.points, row_form.outputs, t * f)
        m = np.matmul(row_form.at, m.transpose(1, 0, 2), out=out).transpose(1, 0, 2)
    if col_form.points > 1:
        out = scratch.array("outputs", row_form.outputs, col_form.outputs, t * f)
        m = np.matmul(col_form.at, m, out=out)
    return m


def _tiles_of(part, array, block):
    """Return the tiles of the tile rows `part`, as a view of an array (36, T, ...) with the tiles of `block`."""
    tile_cols = array.shape[1] // len(block)
    return array[:, (part.start - block.start) * tile_cols : (part.stop - block.start) * tile_cols]


def _ranges(whole, count, multiple=1):
    """Return `whole` in at least `count` ranges of about the same length. Their number is a multiple of `multiple`."""
    count = -(-count // multiple) * multiple
    return [whole[part] for part in slices(len(whole), max(int(count), multiple))]


def _blocks(images, tile_rows, most):
    """Return all tile rows in blocks of about `most` at most: one block, or as many for each thread.

    A block is whole images or a part of one image, because each image has two edges, where tile rows are transformed
    one by one. On 28x28 maps of 128 channels, blocks across the images take 1.2 times as long.
    """
    multiple = threads() if images * tile_rows > most else 1
    return [
        range(images.start * tile_rows + rows.start, (images.stop - 1) * tile_rows + rows.stop)
        for images, rows in blocks_of_rows(images, tile_rows, most, multiple)
    ]


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

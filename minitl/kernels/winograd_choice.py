"""The choice of Winograd's convolution: where it is possible and pays, and in which tiles.

Who calls this: `convolution`.
"""

import numpy as np

from .blas import small_products_are_slow
from .winograd_forms import FORMS, form_of

# From this number of channels and filters on, forms with larger tiles pay: they save products, which matter little
# where there are few channels. Their times at batch 8, as shares of those with small tiles (AMD EPYC without AVX-512;
# `python -m benchmarks.kernels`, where U is made at each call): 3x3 on 112x112 maps 0.82, on 71x71 0.86, on 35x35 0.93,
# on 14x14 0.94 to 1.01, 1x7 and 7x1 on 17x17 0.8; 112x112 with 64 channels 1.1.
LARGE_TILE_CHANNELS = 80
# Up to this number of channels or filters, `forward_forms` unrolls the columns where small products are slow. Its times
# at batch 8, as shares of those with tiles in both directions (four runs, as above): on 149x149 and 147x147 maps of 32
# channels 0.79 to 0.96, with 64 channels 0.89 to 1.08, with 96 and more 1.02 to 1.3. InceptionV3 takes 0.97 with it.
UNROLLED_CHANNELS = 48 if small_products_are_slow() else 0


def is_possible(kernel_shape, rows, cols):
    """Return whether there is a form for the convolution: a kernel of 3x3, 5x5, 1x3, 1x5, 1x7 or the like at stride 1.

    7x7 is left out: ten or twelve points in both directions would lose too many digits. Along an axis where the kernel
    has one entry there must be no padding.
    """
    window = kernel_shape[:2]
    has_forms = rows.stride == cols.stride == 1 and window != (1, 1) and all(size in FORMS for size in window)
    if not has_forms or any(axis.kernel == 1 and axis.padded > axis.size for axis in (rows, cols)):
        return False
    return 1 in window or max(window) < 7


def forms_for(kernel_shape, rows, cols, dtype, pool=False):
    """Return the forms of rows and columns for a convolution that `is_possible`, with even tiles if `pool`."""
    larger = min(kernel_shape[2:]) >= LARGE_TILE_CHANNELS
    return [form_of(axis.kernel, axis.out, np.dtype(dtype), larger, even=pool) for axis in (rows, cols)]


def forward_forms(kernel_shape, rows, cols, dtype, pool=False):
    """Return the forms of a convolution as `forms_for` does. Where few channels make the transforms more work than the
    products, the columns of 3x3 are unrolled: they get F(1,1), as if the kernel was 3x1 and had three times the
    channels."""
    if kernel_shape[:2] == (3, 3) and min(kernel_shape[2:]) <= UNROLLED_CHANNELS and not (pool and cols.out % 2):
        dtype = np.dtype(dtype)
        return [form_of(3, rows.out, dtype), form_of(1, cols.out, dtype)]
    return forms_for(kernel_shape, rows, cols, dtype, pool)


def pays(images, kernel_shape, dtype, rows, cols, u_is_kept=False):
    """Return whether Winograd is faster than im2col, where it is possible.

    It has to be float32 (float64 is there for exactness), with 32 channels and 32 filters or more. Not too much of the
    tiles may hang over the edge (on 14x14 outputs it is a quarter). And there have to be 64 tiles of 36 points, or as
    many values of other tiles; half of them if U is kept. U is four to seven times as large as the kernel, and with few
    tiles it takes longer to make and read U than to multiply. The smallest tiles of each kernel are counted, whichever
    are taken then. (`python -m benchmarks.kernels`. The rule holds on an Intel Xeon and on two AMD EPYC.)
    """
    row_form, col_form = FORMS[rows.kernel][0], FORMS[cols.kernel][0]
    tiles = row_form.tiles(rows.out) * col_form.tiles(cols.out)
    used = rows.out * cols.out / (tiles * row_form.outputs * col_form.outputs)  # the share of outputs that exist
    values = images * tiles * row_form.points * col_form.points
    c, f = kernel_shape[2:]
    return dtype == np.float32 and min(c, f) >= 32 and used > 0.6 and values >= 36 * (32 if u_is_kept else 64)

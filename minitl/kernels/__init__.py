"""The math on arrays: functions without state. Layers call them. They need nothing but NumPy.

Axis letters, with one meaning everywhere in this project:

    N        examples in the batch (here: images)
    H, W     rows and columns of the input            OH, OW   rows and columns of the output
    C        channels of the input                    F        filters: channels of the output
    KH, KW   rows and columns of the kernel, or of a pooling window

Activations are NHWC, kernels HWIO: (KH, KW, C, F). `W` is a width and never a weight matrix. In a shape comment, a
product of letters is one axis: (N, OH*OW, F) has three axes, the second of OH times OW entries. Sequences are (N, T,
D): T time steps or tokens, D features of one of them. A sound has S samples, which become T frames.

`grad` is always the upstream gradient: the gradient of the loss with respect to a function's *output*. It has that
output's shape. A `*_gradient` function turns it into the gradient with respect to one of the function's inputs.

Most fast functions have a twin beside them whose name ends in `_naive`: the definition, written as loops. Read the
twins first. The tests call them and require the same numbers of both. A program calls them only after
`set_convolution("naive")`.

Reading order: `geometry` (where windows land), `convolution`, `im2col`, `winograd_forms`, `winograd_choice`,
`winograd`, `kernel_transform`, `dilation`, `groups`, `depthwise`, `pooling`, `resampling`, `activations`,
`smooth_units`, `bent_units`, `channels`, `normalization`, `lengths`, `elementwise`, `products`, `precision`, `images`;
for detectors `boxes`, `priors`, `suppression`; for a decoder `rotation`, `gating`; for labels in order `ctc`,
`ctc_decoding`; for sounds `spectra`, `mel`, `gain_normalization`, `resampling_in_time`; for pairs of views
`contrastive`, for rows of one class `circle`. Then read `parallel`, `blas` and `memory`, which make these functions
fast.
"""

from .activations import ACTIVATIONS, log_softmax
from .convolution import (
    conv2d,
    conv2d_input_gradient,
    conv2d_input_gradient_naive,
    conv2d_kernel_gradient,
    conv2d_kernel_gradient_naive,
    conv2d_naive,
    set_convolution,
)
from .geometry import window
from .pooling import (
    average_pool,
    average_pool_gradient,
    average_pool_gradient_naive,
    average_pool_naive,
    global_average_pool,
    global_average_pool_gradient,
    global_average_pool_gradient_naive,
    global_average_pool_naive,
    global_max_pool,
    global_max_pool_gradient,
    global_max_pool_gradient_naive,
    global_max_pool_naive,
    max_pool,
    max_pool_gradient,
    max_pool_gradient_naive,
    max_pool_naive,
)
from .precision import as_float
from .products import channel_sums, matmul

__all__ = [
    "ACTIVATIONS",
    "as_float",
    "average_pool",
    "average_pool_gradient",
    "average_pool_gradient_naive",
    "average_pool_naive",
    "channel_sums",
    "conv2d",
    "conv2d_input_gradient",
    "conv2d_input_gradient_naive",
    "conv2d_kernel_gradient",
    "conv2d_kernel_gradient_naive",
    "conv2d_naive",
    "global_average_pool",
    "global_average_pool_gradient",
    "global_average_pool_gradient_naive",
    "global_average_pool_naive",
    "global_max_pool",
    "global_max_pool_gradient",
    "global_max_pool_gradient_naive",
    "global_max_pool_naive",
    "log_softmax",
    "matmul",
    "max_pool",
    "max_pool_gradient",
    "max_pool_gradient_naive",
    "max_pool_naive",
    "set_convolution",
    "window",
]

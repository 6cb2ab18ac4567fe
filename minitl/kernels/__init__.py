"""The math on arrays: functions without state. Layers call them; they need nothing but NumPy.

Axis letters, with one meaning everywhere in this project:

    N        images in the batch
    H, W     rows and columns of the input            OH, OW   rows and columns of the output
    C        channels of the input                    F        filters: channels of the output
    KH, KW   rows and columns of the window

Activations are NHWC, kernels HWIO: (KH, KW, C, F). `W` is a width and never a weight. In a shape comment, letters
side by side without a comma are axes folded into one: (N, OH*OW, F).

`grad` is always the gradient of the loss with respect to a function's *output*, and has that output's shape; a
`*_gradient` function turns it into the gradient with respect to one of the function's inputs.

Each fast kernel has a twin beside it whose name ends in `_naive`: the definition, written as loops. The twins are only
called by the tests, which hold both to the same numbers, or if you ask for them with `set_convolution("naive")`. Read
them first.

Reading order: `geometry` (where windows land), `convolution`, `im2col`, `winograd`, `pooling`, `activations`,
`normalization`, `elementwise`, `products`, `precision`, `images`; then `parallel` and `memory`, which make them fast.
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

"""Convolution in groups: the channels and the filters are divided into G groups, and a filter sees those channels alone
that belong to its group. With two groups, 4 channels and 6 filters:

    filters 0 1 2    see channels 0 1            kernel (KH, KW, C/G, F) = (KH, KW, 2, 6)
    filters 3 4 5    see channels 2 3

So the layer has 1/G of the parameters and of the work. Krizhevsky, Sutskever & Hinton 2012 (AlexNet, for two GPUs); Xie
et al. 2017 (ResNeXt).

Each group is a convolution of its own: y_g = x_g * kernel_g, and nothing of another group enters it. So every gradient
is that of the group's convolution, too, and lies beside those of the other groups:

    dL/dx_g = input gradient of (grad_g, kernel_g)            dL/dkernel_g = kernel gradient of (x_g, grad_g)

All three take two arrays whose last axis is divided (the channels of x, the filters of the kernel and of grad), and
give one that is put together on its last axis. `in_groups` does this for any of them.

Who calls this: `layers.Conv2D` and `layers.Conv1D`, by `convolution`.
"""

import numpy as np

from .activations import linear
from .convolution import conv2d, conv2d_input_gradient, conv2d_kernel_gradient, conv2d_naive
from .dilation import conv2d_dilated, conv2d_dilated_input_gradient, conv2d_dilated_kernel_gradient


def convolution(is_dilated=False, groups=1):
    """Return the functions (convolution, gradient of x, gradient of the kernel) for these arguments of a layer. All of
    them have the arguments of `conv2d`, `conv2d_input_gradient` and `conv2d_kernel_gradient`; with `is_dilated`, the
    dilation stands in the place of the strides."""
    plain = conv2d, conv2d_input_gradient, conv2d_kernel_gradient
    dilated = conv2d_dilated, conv2d_dilated_input_gradient, conv2d_dilated_kernel_gradient
    found = dilated if is_dilated else plain
    return found if groups == 1 else (_with_bias(found[0], groups), *(in_groups(each, groups) for each in found[1:]))


def in_groups(function, groups):
    """Return the function of (a, b, ...) that calls `function` for each group of the last axes of a and b, and puts the
    results side by side."""

    def grouped(a, b, *others):
        parts = zip(np.split(a, groups, axis=-1), np.split(b, groups, axis=-1))
        found = [function(np.ascontiguousarray(own), np.ascontiguousarray(its), *others) for own, its in parts]
        return np.concatenate(found, axis=-1)

    return grouped


def _with_bias(convolve, groups):
    """Return a convolution in groups with the bias and the activation, which may see all filters (softmax)."""

    def grouped(x, kernel, bias=None, steps=(1, 1), padding="valid", activate=linear, transform=None):
        y = in_groups(convolve, groups)(x, kernel, None, steps, padding)
        if bias is not None:
            y += bias
        return activate(y, out=y)

    return grouped


def conv2d_in_groups_naive(x, kernel, groups, bias=None, strides=(1, 1), padding="valid"):
    """Convolve in groups filter by filter: x (N, H, W, C), kernel (KH, KW, C/G, F) -> (N, OH, OW, F)."""
    channels, filters = kernel.shape[2:]
    maps = []
    for f in range(filters):
        group = f // (filters // groups)
        seen = x[..., group * channels : (group + 1) * channels]
        maps.append(
            conv2d_naive(seen, kernel[..., f : f + 1], None if bias is None else bias[f : f + 1], strides, padding)
        )
    return np.concatenate(maps, axis=-1)

"""Arguments of the layers that slide a window over images or sequences, and the shape of what comes out."""

import numpy as np

from ..arguments import whole_number
from ..errors import ArgumentError, ShapeError
from ..kernels.geometry import PADDINGS, output_size
from ..terminal import counted


def check_padding(padding, expected="'valid' or 'same'"):
    """Return `padding` in lower case. Raises ArgumentError, which says what is `expected`, unless it is 'valid' or
    'same'."""
    if not isinstance(padding, str) or padding.lower() not in PADDINGS:
        raise ArgumentError(f"padding is {padding!r}; expected {expected}.")
    return padding.lower()


def refuse_stride_and_dilation(strides, dilation_rate):
    """Raise ArgumentError if both are more than 1, each a number or a pair. No kernel here has both."""
    if np.max(strides) > 1 and np.max(dilation_rate) > 1:
        raise ArgumentError(
            f"strides is {strides} and dilation_rate is {dilation_rate}; expected one of them to be 1. "
            "Put the stride into a layer before or behind this one."
        )


def checked_groups(groups, filters):
    """Return the number of groups. Raises ArgumentError unless the filters can be divided into them."""
    if filters % whole_number(groups, "groups"):
        raise ArgumentError(f"groups is {groups}, and filters is {filters}; expected a multiple of the groups.")
    return int(groups)


def refuse_uneven_groups(layer, channels):
    """Raise ShapeError unless the channels of an input can be divided into the layer's groups."""
    if channels % layer.groups:
        raise ShapeError(
            f"layer '{layer.name}' has {layer.groups} groups, and its input {counted(channels, 'channel')}; expected "
            "a multiple of the groups."
        )


def windowed_shape(input_shape, kernel_hw, strides, padding, channels=None):
    """Return the output shape (N, OH, OW, C) of sliding a window over (N, H, W, C). H and W may be None, for images of
    any size."""
    n, h, w, c = input_shape
    paddings = (padding, padding) if isinstance(padding, str) else padding
    oh, ow = (output_size(*axis) for axis in zip((h, w), kernel_hw, strides, paddings))
    return n, oh, ow, channels or c

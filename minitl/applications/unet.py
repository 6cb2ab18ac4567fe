"""U-Net's decoder on a pre-trained network. Ronneberger, Fischer & Brox 2015.

The network goes down: each block halves the map and knows more of what is there. The decoder goes up again. At each
step it enlarges its map twice, puts the network's own map of that size beside it (a *skip*), and mixes both with a 3x3
convolution:

    block5_pool (8x8) -> conv -> x2 ; with block4_pool (16x16) -> conv -> x2 ; with block3_pool (32x32) -> conv -> ...

`fcn` adds up scores, a few numbers for each place. Here many channels go up. So the convolution at the next size can
decide what an edge in the fine map means by what the coarse map has found.
"""

from ..errors import ArgumentError
from ..layers import BatchNormalization, Concatenate, Conv2D, Dropout, Softmax, UpSampling2D
from ..models import Model
from .skips import ends_by_stride

STRIDES = (4, 8, 16)


def UNet(base: Model, classes: int, stride: int = 8, filters: int = 128, dropout: float = 0.0) -> Model:
    """Return a `Model` from images (N, H, W, 3) to the probabilities of each pixel (N, H, W, classes).

    base      a network without its top, such as VGG16(include_top=False); its layers are shared, not copied
    stride    4, 8 or 16: the finest map that is joined has a place for so many pixels
    filters   of each convolution;   dropout   the share of their outputs that is dropped in training

    H and W must be multiples of 32. Raises ArgumentError for another stride, and for a base without maps of these
    strides.
    """
    if stride not in STRIDES:
        raise ArgumentError(f"stride is {stride!r}; expected one of {', '.join(map(str, STRIDES))}.")
    ends, x = ends_by_stride(base), None
    for each in (32, 16, 8, 4):
        if each < stride:
            break
        skip = BatchNormalization(momentum=0.9, name=f"stride{each}_normalized")(ends[each])
        if x is not None:
            x = UpSampling2D(2, interpolation="bilinear", name=f"stride{2 * each}_enlarged")(x)
            skip = Concatenate(name=f"stride{each}_joined")([x, skip])
        x = Conv2D(filters, 3, padding="same", activation="relu", name=f"stride{each}_conv")(skip)
        if dropout:
            x = Dropout(dropout, name=f"stride{each}_dropout")(x)
    scores = Conv2D(classes, 1, kernel_initializer="zeros", name="scores")(x)
    pixels = UpSampling2D(stride, interpolation="bilinear", name="enlarged")(scores)
    return Model(base.input, Softmax(name="probabilities")(pixels), name="unet")

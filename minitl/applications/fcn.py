"""FCN: a classifier of photographs becomes a classifier of pixels. Long, Shelhamer & Darrell 2015.

A convolution does not care how large an image is. So VGG16 without its dense layers gives a *map*: for an image of
256x256 pixels 8x8 numbers in each channel, each of which has seen its own part of the image. A 1x1 convolution turns
the channels of each place into one score for each class. Enlarged by the stride of the map (32), the scores are those
of the pixels: this is FCN-32s.

Enlarged 32 times, edges are soft: the map knows *what*, but not exactly *where*. Earlier maps know where: block4_pool
has 16x16 places, block3_pool 32x32. FCN-16s and FCN-8s score these maps too, and add up:

    block5_pool (8x8)    -> scores -> x2 \\
    block4_pool (16x16)  -> scores ------ + -> x2 \\
    block3_pool (32x32)  -> scores --------------- + -> x8 -> softmax, for each pixel of 256x256

Scores are enlarged bilinearly (`UpSampling2D`). The paper does it by a transposed convolution whose kernel begins as
bilinear weights (`initializers.Bilinear`), after a border of 100 pixels around the image. Inside, the numbers are the
same. At the edge of the image the transposed convolution without that border adds up weights of less than 1.

The paper stops there. FCN-4s goes one step further, to block2_pool with its 64x64 places: thin things such as roads
gain by it. That map is as large as the other three together.

Three more things differ from the paper. Its two large convolutions behind block5_pool were VGG16's dense layers. Here
no layer stands for them: the maps themselves are scored, or with `filters` a new 3x3 convolution of each map. The maps
are normalized first, since VGG16's numbers go into the thousands. The scores start at zero, so that the first loss is
log(classes).

Read next: `unet`, which joins the maps before the scores and not after.
"""

from ..errors import ArgumentError
from ..layers import Add, BatchNormalization, Conv2D, Dropout, Softmax, UpSampling2D
from ..models import Model
from .skips import ends_by_stride

STRIDES = (4, 8, 16, 32)  # FCN-4s to FCN-32s: the stride of the finest map that is scored


def FCN(base: Model, classes: int, stride: int = 8, filters: int = 0, dropout: float = 0.0) -> Model:
    """Return a `Model` from images (N, H, W, 3) to the probabilities of each pixel (N, H, W, classes).

    base      a network without its top, such as VGG16(include_top=False); its layers are shared, not copied
    stride    4, 8, 16 or 32: the finest map that is scored has a place for so many pixels
    filters   of the 3x3 convolution on each map; 0 scores the maps themselves
    dropout   the share of these filters' outputs that is dropped in training

    H and W must be multiples of 32. Raises ArgumentError for another stride, and for a base without maps of these
    strides.
    """
    if stride not in STRIDES:
        raise ArgumentError(f"stride is {stride!r}; expected one of {', '.join(map(str, STRIDES))}.")
    ends = ends_by_stride(base)
    scores = None
    for each in reversed(STRIDES):
        if each < stride:
            break
        x = BatchNormalization(momentum=0.9, name=f"stride{each}_normalized")(ends[each])
        if filters:
            x = Conv2D(filters, 3, padding="same", activation="relu", name=f"stride{each}_conv")(x)
            if dropout:
                x = Dropout(dropout, name=f"stride{each}_dropout")(x)
        x = Conv2D(classes, 1, kernel_initializer="zeros", name=f"stride{each}_scores")(x)
        if scores is not None:
            coarse = UpSampling2D(2, interpolation="bilinear", name=f"stride{2 * each}_enlarged")(scores)
            x = Add(name=f"stride{each}_sum")([coarse, x])
        scores = x
    pixels = UpSampling2D(stride, interpolation="bilinear", name="enlarged")(scores)
    return Model(base.input, Softmax(name="probabilities")(pixels), name=f"fcn{stride}s")

"""SSD: a pre-trained network that finds things, and says in which box each of them lies. Liu et al. 2016.

Thousands of fixed boxes, the priors, are spread over the image (`kernels.priors`). For each of them the network says by
how much it has to be moved and stretched (four codes, `kernels.boxes`), and what is in it: a score for the background
and for each class. All of it is one pass, without a first guess where to look.

Small things are found on a fine map, large ones on a coarse map:

    stride 8     block4_conv3 of VGG16      the smallest priors
    stride 16    block5_conv3
    stride 32    new convolutions           and so on: each of further maps is half as large

A map has numbers for each of its places: (4 + 1 + classes) for each prior that is spread from there. A 3x3 convolution
computes them, which looks at the place and its neighbours. In numbers, for an image of 64x96 pixels, two classes, and
three priors at each place of three maps:

    (8*12 + 4*6 + 2*3) places * 3 priors = 378 priors,   outputs (N, 378, 4 + 1 + 2)

Early maps know where an edge is, and little of what it belongs to. With `top_down`, the map of stride 16 is enlarged
and put beside the one of stride 8, and a convolution mixes both, as in `unet` (Lin et al. 2017 call it a feature
pyramid). Without, each map speaks for itself, as in the paper.

Three things differ from the paper. Its map of stride 16 were VGG16's dense layers, made convolutions (`fc6` and `fc7`);
here it is the last map of VGG16's convolutions. The maps are normalized by `BatchNormalization`, or as in the paper by
`L2Normalization`; and the shapes of the priors come from the boxes of the photographs that the network learns from
(`recipes.detection.prior_shapes`).

Read next: `losses.multibox`, by which it learns.
"""

from collections.abc import Sequence

from ..arguments import whole_number
from ..errors import ArgumentError
from ..kernels.priors import spread_shapes
from ..layers import BatchNormalization, Concatenate, Conv2D, L2Normalization, ReLU, Reshape, UpSampling2D
from ..models import Model
from .skips import MAPS, ends_by_stride

STRIDES = (8, 16, 32, 64)
CODES = 4  # numbers that move and stretch a prior
NORMALIZATIONS = ("batch", "l2")


def SSD(
    base: Model, classes: int, priors: Sequence[int] = (3, 3, 3), filters: int = 128, top_down: bool = True,
    normalization: str = "batch",
) -> Model:  # fmt: skip
    """Return a `Model` from images (N, H, W, 3) to the outputs of each prior (N, P, 4 + 1 + classes).

    base            a network without its top, such as VGG16(include_top=False); its layers are shared, not copied
    classes         of things, the background not counted
    priors          how many are spread from a place of the maps of stride 8, 16 and, if there are three or four
                    numbers, 32 and 64
    filters         of each new convolution
    top_down        True: the map of stride 8 also sees what the one of stride 16 has found
    normalization   of the base's maps: "batch" or "l2"

    H and W must be multiples of 32. The priors' boxes are `ssd_priors`, in the order of the outputs. Raises
    ArgumentError.
    """
    classes, priors = whole_number(classes, "classes"), checked_priors(priors)
    if normalization not in NORMALIZATIONS:
        raise ArgumentError(f"normalization is {normalization!r}; expected one of {', '.join(NORMALIZATIONS)}.")
    found = ends_by_stride(base, MAPS)
    fine, coarse = (_normalized(found[stride], normalization, f"stride{stride}_normalized") for stride in (8, 16))
    if top_down:
        coarse = _convolved(coarse, filters, "stride16")
        enlarged = UpSampling2D(2, name="stride16_enlarged")(coarse)
        fine = _convolved(Concatenate(name="stride8_joined")([enlarged, fine]), filters, "stride8")
    maps = [fine, coarse]
    for stride in STRIDES[2 : len(priors)]:
        x = maps[-1] if top_down else _convolved(maps[-1], filters, f"stride{stride}_narrowed", kernel_size=1)
        maps.append(_convolved(x, filters, f"stride{stride}", strides=2))
    outputs = []
    for stride, x, count in zip(STRIDES, maps, priors):
        numbers = CODES + 1 + classes
        x = Conv2D(count * numbers, 3, padding="same", name=f"stride{stride}_outputs")(x)
        # (N, rows, columns, count * numbers) -> (N, rows * columns * count, numbers): the order of `ssd_priors`
        outputs.append(Reshape((-1, numbers), name=f"stride{stride}_rows")(x))
    return Model(base.input, Concatenate(axis=1, name="priors")(outputs), name="ssd")


def ssd_priors(shapes, height, width):
    """Return the boxes of the priors of an image of this size: float32 (P, 4), in the order of SSD's outputs.

    shapes   for each map, the (width, height) of its priors in pixels, from stride 8 on
    """
    checked_priors([len(each) for each in shapes])
    maps = [(-(-height // stride), -(-width // stride), stride) for stride in STRIDES[: len(shapes)]]
    return spread_shapes(maps, shapes)


def checked_priors(priors):
    """Return the number of priors at a place of each map, as a tuple. Raises ArgumentError for anything else."""
    given = tuple(priors) if isinstance(priors, (tuple, list)) else ()
    if not 2 <= len(given) <= len(STRIDES):
        raise ArgumentError(
            f"priors is {priors!r}; expected how many are spread from a place of each map, as (3, 3, 3): two to four "
            f"numbers, for the strides {', '.join(map(str, STRIDES))}."
        )
    return tuple(whole_number(count, f"priors[{k}]") for k, count in enumerate(given))


def _normalized(x, normalization, name):
    """Return a map with numbers of a common size: VGG16's go into the thousands, and differ by map and channel."""
    return L2Normalization(name=name)(x) if normalization == "l2" else BatchNormalization(momentum=0.9, name=name)(x)


def _convolved(x, filters, name, kernel_size=3, strides=1):
    """Return a convolution of a map, normalized, with ReLU."""
    x = Conv2D(filters, kernel_size, strides, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return ReLU(name=f"{name}_relu")(x)

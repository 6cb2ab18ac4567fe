"""InceptionV3: eleven modules, each with branches of several kernel sizes on the same input. Szegedy et al. 2015, arXiv
1512.00567, table 1.

A 7x7 kernel is replaced by a 1x7 and a 7x1 kernel, with the same receptive field for 14 multiplications instead of 49.
Every convolution is followed by a batch normalization and a ReLU. The batch normalization has no gamma, because the
next convolution can take over the scale: relu(c x) = c relu(x) for c > 0.

Layer names are Keras's, which are numbered: conv2d, conv2d_1, ..., conv2d_93. Here the numbers do not depend on which
other layers were built before.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np

from ..arguments import DATA_FORMAT, AnyPath, keras_arguments
from ..data.preparation import SYMMETRIC, preprocess_symmetric
from ..layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    GlobalAveragePooling2D,
    MaxPooling2D,
    SymbolicTensor,
)
from ..models import Model
from .building import Application, add_pooling, check_arguments, first_tensors, load_named_weights
from .imagenet import decode_predictions

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]


class Conv(NamedTuple):
    """A convolution with its batch normalization and its ReLU, as an entry of the table."""

    filters: int
    rows: int
    cols: int
    stride: int = 1
    padding: str = "same"


class Split(NamedTuple):
    """Branches with the same input, whose outputs are concatenated: a module, or a part of one."""

    name: str | None
    branches: list


MAX, AVERAGE = "3x3 maximum, stride 2", "3x3 average"  # poolings


def module_35(name, pool):
    """Return a module with the output 35 x 35 x (64 + 64 + 96 + pool)."""
    return Split(name, [
        [Conv(64, 1, 1)],
        [Conv(48, 1, 1), Conv(64, 5, 5)],
        [Conv(64, 1, 1), Conv(96, 3, 3), Conv(96, 3, 3)],
        [AVERAGE, Conv(pool, 1, 1)],
    ])  # fmt: skip


def module_17(name, c):
    """Return a module with the output 17 x 17 x (4 * 192)."""
    return Split(name, [
        [Conv(192, 1, 1)],
        [Conv(c, 1, 1), Conv(c, 1, 7), Conv(192, 7, 1)],
        [Conv(c, 1, 1), Conv(c, 7, 1), Conv(c, 1, 7), Conv(c, 7, 1), Conv(192, 1, 7)],
        [AVERAGE, Conv(192, 1, 1)],
    ])  # fmt: skip


def module_8(name, inner):
    """Return a module with the output 8 x 8 x (320 + 2 * 384 + 2 * 384 + 192)."""
    return Split(name, [
        [Conv(320, 1, 1)],
        [Conv(384, 1, 1), Split(inner, [[Conv(384, 1, 3)], [Conv(384, 3, 1)]])],
        [Conv(448, 1, 1), Conv(384, 3, 3), Split(None, [[Conv(384, 1, 3)], [Conv(384, 3, 1)]])],
        [AVERAGE, Conv(192, 1, 1)],
    ])  # fmt: skip


# 'valid' windows: (299 - 3) // 2 + 1 = 149; 149 - 2 = 147; (147 - 3) // 2 + 1 = 73; 73 - 2 = 71; (71 - 3) // 2 + 1 = 35
NETWORK = [
    Conv(32, 3, 3, 2, "valid"),  # 149 x 149 x 32
    Conv(32, 3, 3, 1, "valid"),  # 147 x 147 x 32
    Conv(64, 3, 3),              # 147 x 147 x 64
    MAX,                         #  73 x  73 x 64
    Conv(80, 1, 1),              #  73 x  73 x 80
    Conv(192, 3, 3, 1, "valid"), #  71 x  71 x 192
    MAX,                         #  35 x  35 x 192
    module_35("mixed0", 32),     #  35 x  35 x 256
    module_35("mixed1", 64),     #  35 x  35 x 288
    module_35("mixed2", 64),     #  35 x  35 x 288
    Split("mixed3", [            #  17 x  17 x (384 + 96 + 288 = 768):  (35 - 3) // 2 + 1 = 17
        [Conv(384, 3, 3, 2, "valid")],
        [Conv(64, 1, 1), Conv(96, 3, 3), Conv(96, 3, 3, 2, "valid")],
        [MAX],
    ]),
    module_17("mixed4", 128),    #  17 x  17 x 768
    module_17("mixed5", 160),
    module_17("mixed6", 160),
    module_17("mixed7", 192),
    Split("mixed8", [            #   8 x   8 x (320 + 192 + 768 = 1280):  (17 - 3) // 2 + 1 = 8
        [Conv(192, 1, 1), Conv(320, 3, 3, 2, "valid")],
        [Conv(192, 1, 1), Conv(192, 1, 7), Conv(192, 7, 1), Conv(192, 3, 3, 2, "valid")],
        [MAX],
    ]),
    module_8("mixed9", "mixed9_0"),   #   8 x   8 x 2048
    module_8("mixed10", "mixed9_1"),  #   8 x   8 x 2048
]  # fmt: skip

NATIVE_SIZE, SMALLEST_SIZE = 299, 75  # pixels: in training; the smallest, which leaves one pixel at the end


def InceptionV3(
    include_top: bool = True,
    weights: AnyPath | None = "imagenet",
    input_tensor: SymbolicTensor | None = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: str | None = "softmax",
    name: str = "inception_v3",
) -> Model:
    """Return the network as a `Model`.

    include_top   True: with the global average pooling and the dense layer for ImageNet's classes
    weights       'imagenet' (downloaded once), None (random), or the path of a file in any format of `minitl.weights`
    input_tensor  None, or a symbolic tensor with the images, in place of input_shape: layers before it belong to the
                  model, too
    input_shape   (H, W, C) of one image; default: (299, 299, 3) with the top, any size without it
    pooling       without the top: None (the last map), 'avg' or 'max' (one number for each channel)
    classes       the number of outputs of the top; it must be 1000 if the weights are ImageNet's
    classifier_activation   'softmax', or None: then the top ends with its logits

    Prepare the images with `preprocess_input`. `decode_predictions` gives the class names for ImageNet's top. Raises
    ArgumentError for other arguments, and WeightsError for the file.
    """
    sizes = NATIVE_SIZE, SMALLEST_SIZE, input_tensor, classifier_activation
    input_shape = check_arguments(weights, include_top, input_shape, pooling, classes, *sizes)

    with load_named_weights(weights, "inception_v3" if include_top else "inception_v3-notop") as load:
        x, inputs = first_tensors(input_tensor, input_shape)
        x = _row(x, NETWORK, _Names())
        if include_top:
            x = GlobalAveragePooling2D(name="avg_pool")(x)
            x = Dense(classes, activation=classifier_activation, name="predictions")(x)
        else:
            x = add_pooling(x, pooling)
        return load(Model(inputs, x, name=name))


def _row(x, parts, names):
    """Build the layers of `parts`, each on the output of the one before it, and return the last output."""
    for part in parts:
        if part is MAX:
            x = MaxPooling2D(3, strides=2, name=names.next("max_pooling2d"))(x)
        elif part is AVERAGE:
            x = AveragePooling2D(3, strides=1, padding="same", name=names.next("average_pooling2d"))(x)
        elif isinstance(part, Split):
            branches = [_row(x, branch, names) for branch in part.branches]
            x = Concatenate(name=part.name or names.next("concatenate"))(branches)
        else:
            size = (part.rows, part.cols)
            x = Conv2D(part.filters, size, part.stride, part.padding, use_bias=False, name=names.next("conv2d"))(x)
            x = BatchNormalization(scale=False, name=names.next("batch_normalization"))(x)
            x = Activation("relu", name=names.next("activation"))(x)
    return x


class _Names:
    """The automatic names of layers in a fresh session of Keras: conv2d, conv2d_1, conv2d_2, ..."""

    def __init__(self):
        self.taken = Counter()

    def next(self, word):
        number = self.taken[word]
        self.taken[word] += 1
        return f"{word}_{number}" if number else word


@keras_arguments(after="x", data_format=DATA_FORMAT)
def preprocess_input(x) -> np.ndarray:
    """Return RGB images (..., 3) from 0 to 255 as float32 RGB from -1 to 1, as the weights expect."""
    return preprocess_symmetric(x)


APPLICATION = Application(
    name="inception_v3",
    title="InceptionV3",
    build=InceptionV3,
    preparation=SYMMETRIC._replace(function=preprocess_input),
    fine_tuning={f"mixed{number}": f"mixed{number - 1}" for number in range(10, 0, -1)},
    last_layer="mixed10",
    native_size=NATIVE_SIZE,
    smallest_size=SMALLEST_SIZE,
)

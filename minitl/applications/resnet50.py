"""ResNet50: sixteen residual blocks in four stages. He et al. 2015, arXiv 1512.03385, table 1, the column "50-layer".

A residual block computes x + f(x) instead of f(x). So f only has to learn the change of x, and the upstream gradient
passes through the sum to the layers before it undiminished. Every convolution is followed by a batch normalization.

Layer names are Keras's, and so they are the names in the files of weights.
"""

import numpy as np

from ..arguments import DATA_FORMAT, AnyPath, keras_arguments
from ..data.preparation import CAFFE, preprocess_caffe
from ..layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    GlobalAveragePooling2D,
    MaxPooling2D,
    SymbolicTensor,
    ZeroPadding2D,
)
from ..models import Model
from .building import Application, add_pooling, check_arguments, first_tensors, load_named_weights
from .imagenet import decode_predictions

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]

# (stage, residual blocks, filters of their first two convolutions, stride of the first block). The output of a block
# has 4 * filters channels.
# 224 pixels: 7x7 convolution, stride 2: (224 + 2*3 - 7) // 2 + 1 = 112; 3x3 max pooling, stride 2: 56
STAGES = [
    ("conv2", 3, 64, 1),  #  56 x 56 x  256
    ("conv3", 4, 128, 2),  # 28 x 28 x  512     (a 1x1 window with stride 2: (56 - 1) // 2 + 1 = 28)
    ("conv4", 6, 256, 2),  # 14 x 14 x 1024
    ("conv5", 3, 512, 2),  #  7 x  7 x 2048
]

NATIVE_SIZE, SMALLEST_SIZE = 224, 32  # pixels: in training; the smallest, which leaves one pixel at the end


def ResNet50(
    include_top: bool = True,
    weights: AnyPath | None = "imagenet",
    input_tensor: SymbolicTensor | None = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: str | None = "softmax",
    name: str = "resnet50",
) -> Model:
    """Return the network as a `Model`.

    include_top   True: with the global average pooling and the dense layer for ImageNet's classes
    weights       'imagenet' (downloaded once), None (random), or the path of a file in any format of `minitl.weights`
    input_tensor  None, or a symbolic tensor with the images, in place of input_shape: layers before it belong to the
                  model, too
    input_shape   (H, W, C) of one image; default: (224, 224, 3) with the top, any size without it
    pooling       without the top: None (the last map), 'avg' or 'max' (one number for each channel)
    classes       the number of outputs of the top; it must be 1000 if the weights are ImageNet's
    classifier_activation   'softmax', or None: then the top ends with its logits

    Prepare the images with `preprocess_input`. `decode_predictions` gives the class names for ImageNet's top. Raises
    ArgumentError for other arguments, and WeightsError for the file.
    """
    sizes = NATIVE_SIZE, SMALLEST_SIZE, input_tensor, classifier_activation
    input_shape = check_arguments(weights, include_top, input_shape, pooling, classes, *sizes)

    with load_named_weights(weights, "resnet50" if include_top else "resnet50-notop") as load:
        x, inputs = first_tensors(input_tensor, input_shape)
        x = ZeroPadding2D(3, name="conv1_pad")(x)
        x = Conv2D(64, 7, strides=2, name="conv1_conv")(x)
        x = normalized(x, "conv1")
        x = Activation("relu", name="conv1_relu")(x)
        x = ZeroPadding2D(1, name="pool1_pad")(x)
        x = MaxPooling2D(3, strides=2, name="pool1_pool")(x)

        for stage, blocks, filters, stride in STAGES:
            x = residual_block(x, filters, f"{stage}_block1", stride, widen=True)
            for number in range(2, blocks + 1):
                x = residual_block(x, filters, f"{stage}_block{number}")

        if include_top:
            x = GlobalAveragePooling2D(name="avg_pool")(x)
            x = Dense(classes, activation=classifier_activation, name="predictions")(x)
        else:
            x = add_pooling(x, pooling, "avg_pool", "max_pool")
        return load(Model(inputs, x, name=name))


def residual_block(x, filters, name, stride=1, widen=False):
    """Return relu(x + f(x)).

    f is three convolutions: 1x1 to fewer channels, 3x3 on these, where it is cheap, and 1x1 back to 4 * filters
    channels. With `widen`, a 1x1 convolution gives x the size and the channels of f(x).
    """
    shortcut = x
    if widen:
        shortcut = normalized(Conv2D(4 * filters, 1, stride, name=f"{name}_0_conv")(x), f"{name}_0")
    x = normalized(Conv2D(filters, 1, stride, name=f"{name}_1_conv")(x), f"{name}_1")
    x = Activation("relu", name=f"{name}_1_relu")(x)
    x = normalized(Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(x), f"{name}_2")
    x = Activation("relu", name=f"{name}_2_relu")(x)
    x = normalized(Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x), f"{name}_3")
    x = Add(name=f"{name}_add")([shortcut, x])
    return Activation("relu", name=f"{name}_out")(x)


def normalized(x, name):
    """Return x after a batch normalization with Keras's epsilon for this network."""
    return BatchNormalization(epsilon=1.001e-5, name=f"{name}_bn")(x)


@keras_arguments(after="x", data_format=DATA_FORMAT)
def preprocess_input(x) -> np.ndarray:
    """Return RGB images (..., 3) from 0 to 255 as float32 BGR minus ImageNet's mean colour, as the weights expect."""
    return preprocess_caffe(x)


APPLICATION = Application(
    name="resnet50",
    title="ResNet50",
    build=ResNet50,
    preparation=CAFFE._replace(function=preprocess_input),
    fine_tuning={
        "conv5": "conv4_block6_out",
        "conv4": "conv3_block4_out",
        "conv3": "conv2_block3_out",
        "conv2": "pool1_pool",
    },
    last_layer="conv5_block3_out",
    native_size=NATIVE_SIZE,
    smallest_size=SMALLEST_SIZE,
)

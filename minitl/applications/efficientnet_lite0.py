"""EfficientNet-Lite0: sixteen inverted residual blocks in seven stages, for machines without a graphics processor. Tan
& Le 2019, arXiv 1905.11946, table 1, and the Lite variant that its authors published in 2020.

An inverted residual block widens its input to six times as many channels (1x1), looks at the pixels around each one,
channel by channel (depthwise 3x3 or 5x5), and narrows the result again (1x1), without an activation: a ReLU on few
channels would lose too much. Its input is added where the shape stays. 4.65 million parameters and 0.8 billion
operations an image do what takes VGG16 138 million and 31 billion.

The Lite variant leaves out what small devices compute slowly: swish is ReLU6, there is no squeeze-and-excitation, and
the stem and the head keep their width in all sizes of the network.

Layer names are those of Keras's EfficientNet, and so they are the names in the files of weights.
"""

import numpy as np

from ..arguments import AnyPath
from ..data.preparation import Preparation, mistake_symmetric, rgb
from ..layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    GlobalAveragePooling2D,
    SymbolicTensor,
)
from ..models import Model
from .building import Application, SecondStage, add_pooling, check_arguments, first_tensors, load_named_weights
from .imagenet import decode_predictions

__all__ = ["EfficientNetLite0", "decode_predictions", "preprocess_input"]

# (blocks, kernel, stride of the first block, how many times as wide inside, channels of the output)
STAGES = [  # 224 pixels: 3x3 convolution, stride 2, 'same': 112
    (1, 3, 1, 1, 16),  # block1    112 x 112 x  16
    (2, 3, 2, 6, 24),  # block2     56 x  56 x  24
    (2, 5, 2, 6, 40),  # block3     28 x  28 x  40
    (3, 3, 2, 6, 80),  # block4     14 x  14 x  80
    (3, 5, 1, 6, 112),  # block5    14 x  14 x 112
    (4, 5, 2, 6, 192),  # block6     7 x   7 x 192
    (1, 3, 1, 6, 320),  # block7     7 x   7 x 320
]
STEM, TOP = 32, 1280  # channels of the first convolution and of the last one

NATIVE_SIZE, SMALLEST_SIZE = 224, 32  # pixels: in training; the smallest, which leaves one pixel at the end


def EfficientNetLite0(
    include_top: bool = True,
    weights: AnyPath | None = "imagenet",
    input_tensor: SymbolicTensor | None = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: str | None = "softmax",
    name: str = "efficientnet_lite0",
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

    with load_named_weights(weights, "efficientnet_lite0", without_top=not include_top) as load:
        x, inputs = first_tensors(input_tensor, input_shape)
        x = convolution(x, STEM, 3, "stem", strides=2)
        for stage, (blocks, kernel, stride, widen, channels) in enumerate(STAGES, 1):
            for number in range(blocks):
                name = f"block{stage}{'abcd'[number]}"
                x = inverted_residual(x, kernel, stride if number == 0 else 1, widen, channels, name)
        x = convolution(x, TOP, 1, "top")
        if include_top:
            x = GlobalAveragePooling2D(name="avg_pool")(x)
            x = Dropout(0.2, name="top_dropout")(x)
            x = Dense(classes, activation=classifier_activation, name="predictions")(x)
        else:
            x = add_pooling(x, pooling, "avg_pool", "max_pool")
        return load(Model(inputs, x, name=name))


def inverted_residual(x, kernel, stride, widen, channels, name):
    """Return f(x), or x + f(x) where f keeps the shape. f is a 1x1 convolution to `widen` times as many channels, a
    depthwise convolution, and a 1x1 convolution to `channels`."""
    y, before = x, x.shape[-1]
    if widen > 1:
        y = convolution(y, widen * before, 1, f"{name}_expand")
    y = DepthwiseConv2D(kernel, stride, padding="same", use_bias=False, name=f"{name}_dwconv")(y)
    y = BatchNormalization(name=f"{name}_bn")(y)
    y = Activation("relu6", name=f"{name}_activation")(y)
    y = Conv2D(channels, 1, use_bias=False, name=f"{name}_project_conv")(y)
    y = BatchNormalization(name=f"{name}_project_bn")(y)
    return Add(name=f"{name}_add")([y, x]) if stride == 1 and channels == before else y


def convolution(x, filters, kernel, name, strides=1):
    """Return x after a convolution, its batch normalization and a ReLU6."""
    x = Conv2D(filters, kernel, strides, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = BatchNormalization(name=f"{name}_bn")(x)
    return Activation("relu6", name=f"{name}_activation")(x)


def preprocess_input(x) -> np.ndarray:
    """Return RGB images (..., 3) from 0 to 255 as float32 from -0.99 to 1: (x - 127) / 128, as the weights expect."""
    images = np.array(rgb(x), np.float32)
    images -= 127
    images /= 128
    return images


APPLICATION = Application(
    name="efficientnet_lite0",
    title="EfficientNetLite0",
    build=EfficientNetLite0,
    preparation=Preparation(preprocess_input, "-1 to 1", mistake_symmetric),
    fine_tuning={
        "top": "block7a_project_bn",
        "block7": "block6d_add",
        "block6": "block5c_add",
        "block5": "block4c_add",
        "block4": "block3b_add",
        "block3": "block2b_add",
        "block2": "block1a_project_bn",
    },
    last_layer="top_activation",
    native_size=NATIVE_SIZE,
    smallest_size=SMALLEST_SIZE,
    # SGD loses what the head has learned in the first epoch: see `recipes/README.md`, "What it reaches".
    second_stage=SecondStage(epochs=4, rate=0.0001, adam=True),
)

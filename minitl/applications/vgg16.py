"""VGG16: thirteen 3x3 convolutions in five blocks, then three dense layers. Simonyan & Zisserman 2014, column D.

Layer names are Keras's, and so they are the names in the files of weights.
"""

import numpy as np

from ..arguments import DATA_FORMAT, AnyPath, keras_arguments
from ..data.preparation import CAFFE, preprocess_caffe
from ..layers import Conv2D, Dense, Flatten, MaxPooling2D, SymbolicTensor
from ..models import Model
from .building import Application, add_pooling, check_arguments, first_tensors, load_named_weights
from .imagenet import decode_predictions

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]

# (convolutions, filters) of each block. A 2x2 max pooling ends it: 224 -> 112 -> 56 -> 28 -> 14 -> 7 pixels.
BLOCKS = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]

NATIVE_SIZE, SMALLEST_SIZE = 224, 32  # pixels: in training; the smallest, which leaves one pixel at the end


def VGG16(
    include_top: bool = True,
    weights: AnyPath | None = "imagenet",
    input_tensor: SymbolicTensor | None = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: str | None = "softmax",
    name: str = "vgg16",
) -> Model:
    """Return the network as a `Model`.

    include_top   True: with the three dense layers, which fix the input size (224x224 pixels for ImageNet's weights)
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

    with load_named_weights(weights, "vgg16" if include_top else "vgg16-notop") as load:
        x, inputs = first_tensors(input_tensor, input_shape)
        for block, (convolutions, filters) in enumerate(BLOCKS, start=1):
            for number in range(1, convolutions + 1):
                x = Conv2D(filters, 3, padding="same", activation="relu", name=f"block{block}_conv{number}")(x)
            x = MaxPooling2D(2, strides=2, name=f"block{block}_pool")(x)

        if include_top:
            x = Flatten(name="flatten")(x)  # 7 * 7 * 512 = 25,088
            x = Dense(4096, activation="relu", name="fc1")(x)
            x = Dense(4096, activation="relu", name="fc2")(x)
            x = Dense(classes, activation=classifier_activation, name="predictions")(x)
        else:
            x = add_pooling(x, pooling)
        return load(Model(inputs, x, name=name))


@keras_arguments(after="x", data_format=DATA_FORMAT)
def preprocess_input(x) -> np.ndarray:
    """Return RGB images (..., 3) from 0 to 255 as float32 BGR minus ImageNet's mean colour, as the weights expect."""
    return preprocess_caffe(x)


APPLICATION = Application(
    name="vgg16",
    title="VGG16",
    build=VGG16,
    preparation=CAFFE._replace(function=preprocess_input),
    fine_tuning={f"block{number}": f"block{number - 1}_pool" for number in range(len(BLOCKS), 1, -1)},
    last_layer=f"block{len(BLOCKS)}_pool",
    native_size=NATIVE_SIZE,
    smallest_size=SMALLEST_SIZE,
)

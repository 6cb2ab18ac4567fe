"""The layers, one class each, under Keras's names. A layer has parameters, `forward` and `backward`.

Reading order: `base` (what every layer has), `dense` (the shortest layer with parameters, with the derivation of its
gradient), `activations`, `convolutional`, `depthwise`, `pooling`, `reshaping` (padding, cropping, upsampling),
`normalization`, `regularization` (Dropout), `merging` (Add, Concatenate), `input` (where a graph begins), `masking`
(which time steps are real). The axis letters are explained in `minitl.kernels`.

The math of most layers is a pair of functions in `minitl.kernels`; the docstring of each module here names the file.
Read next: `graph/graph.py`, which runs layers forward and backward and keeps what lies between. To add a layer of your
own, follow `course/add_your_own.md`.
"""

from .activations import Activation, ReLU, Softmax
from .base import Layer
from .convolutional import Conv2D, Conv2DTranspose
from .dense import Dense, Flatten
from .depthwise import DepthwiseConv2D, SeparableConv2D
from .input import Input, InputLayer
from .merging import Add, Concatenate
from .normalization import BatchNormalization, L2Normalization, UnitNormalization
from .padding_mask import Masking, PaddingMask, StepMask
from .pooling import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from .regularization import Dropout
from .reshaping import Cropping2D, Reshape, UpSampling2D, ZeroPadding2D
from .symbolic import SymbolicTensor

__all__ = [
    "Activation",
    "Add",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Input",
    "InputLayer",
    "L2Normalization",
    "Layer",
    "Masking",
    "MaxPooling2D",
    "PaddingMask",
    "ReLU",
    "Reshape",
    "SeparableConv2D",
    "Softmax",
    "StepMask",
    "SymbolicTensor",
    "UnitNormalization",
    "UpSampling2D",
    "ZeroPadding2D",
]

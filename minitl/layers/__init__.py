"""Layers: parameters, forward, backward; one idea a class, under Keras's names.

Reading order: `base` (what a layer is), `dense` (the shortest real one), `activations`, `convolutional`, `pooling`,
`normalization`, `regularization`, `merging`. The axis letters are explained in `minitl.kernels`.
"""

from .activations import Activation, ReLU, Softmax
from .base import Layer, SymbolicTensor
from .convolutional import Conv2D, ZeroPadding2D
from .dense import Dense, Flatten
from .input import Input, InputLayer
from .merging import Add, Concatenate
from .normalization import BatchNormalization
from .pooling import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from .regularization import Dropout

__all__ = [
    "Activation",
    "Add",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Input",
    "InputLayer",
    "Layer",
    "MaxPooling2D",
    "ReLU",
    "Softmax",
    "SymbolicTensor",
    "ZeroPadding2D",
]

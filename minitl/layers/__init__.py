"""The layers, one class each, under Keras's names. A layer has parameters, `forward` and `backward`.

Reading order:

    `base`, `symbolic`            what every layer has (with `parameters`, `memory`); the record of its calls
    `on_arrays`, `mode`           a call that computes at once; training=True or False
    `composed`                    layers of your own that are made of others: classes with `call` (with `nested`)
    `dense`                       the shortest layer with parameters, with the derivation of its gradient
    `activations`, `convolutional`, `depthwise`, `pooling`
    `reshaping`                   padding, cropping, upsampling
    `normalization`, `regularization` (Dropout), `noise`, `clipping`
    `channels_first`              any of these with images (N, C, H, W)
    `merging`, `dot`              layers with several inputs: Add, Concatenate
    `arithmetic`, `part`          the signs + - * / of symbolic tensors, and x[:, 0]
    `input`                       where a graph begins
    `masking`, `padding_mask`     which time steps are real; `array_masks`, the same without a graph

What images go through first: `scaling`, `resizing`, `random_images`. For sequences:

    `embedding`, `layer_normalization`
    `recurrent_layer`, `recurrent`, `bidirectional`     LSTM and others
    `wrappers`                                          a layer on each step
    `sequences`, `one_row`, `steps`                     convolution and pooling in time; cropping, padding, repeating
    `attention`; `decoder_attention`, `reversible_embedding`     the latter two are of a language model

`names`, `windows`, `shared_arguments` and `recurrent_arguments` check arguments. The axis letters are explained in
`minitl.kernels`.

The math of most layers is a pair of functions in `minitl.kernels`; the docstring of each module here names the file.
Read next: `graph/graph.py`, which runs layers forward and backward and keeps what lies between. To add a layer of your
own, follow `course/add_your_own.md`.
"""

from ..not_here import missing
from .activations import ELU, Activation, LeakyReLU, ReLU, Softmax
from .arithmetic import Divide, WithNumber
from .attention import MultiHeadAttention
from .base import Layer
from .bidirectional import Bidirectional
from .clipping import Clip
from .convolutional import Conv2D, Conv2DTranspose
from .decoder_attention import CausalSelfAttention, SwiGLU
from .dense import Dense, Flatten
from .depthwise import DepthwiseConv2D, SeparableConv2D
from .dot import Dot, dot
from .embedding import Embedding, PositionEmbedding, TokenTypeEmbedding
from .input import Input, InputLayer
from .layer_normalization import LayerNormalization, RMSNormalization
from .merging import (
    Add,
    Average,
    Concatenate,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    maximum,
    minimum,
    multiply,
    subtract,
)
from .noise import AlphaDropout, GaussianDropout, GaussianNoise
from .normalization import BatchNormalization, L2Normalization, UnitNormalization
from .one_row import Conv1DTranspose, DepthwiseConv1D, SeparableConv1D
from .padding_mask import AnyMask, JoinedMask, Masking, PaddingMask, StepMask
from .part import TakePart
from .pooling import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from .random_images import (
    RandomBrightness,
    RandomContrast,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
)
from .recurrent import GRU, LSTM, SimpleRNN
from .regularization import Dropout, SpatialDropout1D, SpatialDropout2D
from .reshaping import Cropping2D, Identity, Reshape, SelectStep, UpSampling2D, ZeroPadding2D
from .resizing import CenterCrop, RandomCrop, Resizing
from .reversible_embedding import ReversibleEmbedding
from .scaling import Normalization, Rescaling
from .sequences import (
    AveragePooling1D,
    Conv1D,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    MaxPooling1D,
)
from .steps import Cropping1D, Permute, RepeatVector, UpSampling1D, ZeroPadding1D
from .symbolic import SymbolicTensor
from .wrappers import TimeDistributed

__all__ = [
    "Activation",
    "Add",
    "AlphaDropout",
    "AnyMask",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "BatchNormalization",
    "Bidirectional",
    "CausalSelfAttention",
    "CenterCrop",
    "Clip",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Divide",
    "Dot",
    "Dropout",
    "ELU",
    "Embedding",
    "Flatten",
    "GRU",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "Identity",
    "Input",
    "InputLayer",
    "JoinedMask",
    "L2Normalization",
    "LSTM",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxPooling1D",
    "MaxPooling2D",
    "Maximum",
    "Minimum",
    "MultiHeadAttention",
    "Multiply",
    "Normalization",
    "PaddingMask",
    "Permute",
    "PositionEmbedding",
    "RMSNormalization",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Resizing",
    "ReversibleEmbedding",
    "SelectStep",
    "SeparableConv1D",
    "SeparableConv2D",
    "SimpleRNN",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "StepMask",
    "Subtract",
    "SwiGLU",
    "SymbolicTensor",
    "TakePart",
    "TimeDistributed",
    "TokenTypeEmbedding",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "WithNumber",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, __all__)

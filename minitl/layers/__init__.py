"""The layers, one class each, under Keras's names. A layer has parameters, `forward` and `backward`.

Reading order: `base` (what every layer has), `dense` (the shortest layer with parameters, with the derivation of its
gradient), `activations`, `convolutional`, `depthwise`, `pooling`, `reshaping` (padding, cropping, upsampling),
`normalization`, `regularization` (Dropout), `merging` (Add, Concatenate), `input` (where a graph begins), `masking`
(which time steps are real). For sequences: `embedding`, `recurrent_layer` and `recurrent` (LSTM and others),
`bidirectional`, `wrappers` (a layer on each step), `sequences` (convolution and pooling in time), `steps`, `attention`,
`layer_normalization`; `reversible_embedding` and `decoder_attention` (of a language model). The axis letters are
explained in `minitl.kernels`.

The math of most layers is a pair of functions in `minitl.kernels`; the docstring of each module here names the file.
Read next: `graph/graph.py`, which runs layers forward and backward and keeps what lies between. To add a layer of your
own, follow `course/add_your_own.md`.
"""

from ..errors import GraphError
from .activations import Activation, ReLU, Softmax
from .attention import MultiHeadAttention
from .base import Layer
from .bidirectional import Bidirectional
from .convolutional import Conv2D, Conv2DTranspose
from .decoder_attention import CausalSelfAttention, SwiGLU
from .dense import Dense, Flatten
from .depthwise import DepthwiseConv2D, SeparableConv2D
from .embedding import Embedding, PositionEmbedding, TokenTypeEmbedding
from .input import Input, InputLayer
from .layer_normalization import LayerNormalization, RMSNormalization
from .merging import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract
from .normalization import BatchNormalization, L2Normalization, UnitNormalization
from .padding_mask import AnyMask, JoinedMask, Masking, PaddingMask, StepMask
from .pooling import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from .recurrent import GRU, LSTM, SimpleRNN
from .regularization import Dropout
from .reshaping import Cropping2D, Reshape, SelectStep, UpSampling2D, ZeroPadding2D
from .reversible_embedding import ReversibleEmbedding
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
    "AnyMask",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "BatchNormalization",
    "Bidirectional",
    "CausalSelfAttention",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRU",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "Input",
    "InputLayer",
    "JoinedMask",
    "L2Normalization",
    "LSTM",
    "Layer",
    "LayerNormalization",
    "Masking",
    "MaxPooling1D",
    "MaxPooling2D",
    "Maximum",
    "Minimum",
    "MultiHeadAttention",
    "Multiply",
    "PaddingMask",
    "Permute",
    "PositionEmbedding",
    "RMSNormalization",
    "ReLU",
    "RepeatVector",
    "Reshape",
    "ReversibleEmbedding",
    "SelectStep",
    "SeparableConv2D",
    "SimpleRNN",
    "Softmax",
    "StepMask",
    "Subtract",
    "SwiGLU",
    "SymbolicTensor",
    "TimeDistributed",
    "TokenTypeEmbedding",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "ZeroPadding1D",
    "ZeroPadding2D",
]

_CELL = "SimpleRNN, LSTM and GRU are whole layers here. For a step of your own, write a Layer that loops over it."
_NOT_HERE = {
    "RNN": "Use SimpleRNN, LSTM or GRU. For a step of your own, write a Layer that loops over it.",
    "StackedRNNCells": "Put layers one behind the other: LSTM(8, return_sequences=True), then LSTM(8).",
    **dict.fromkeys(("SimpleRNNCell", "LSTMCell", "GRUCell", "AbstractRNNCell"), _CELL),
    **dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), "Use TimeDistributed(Conv2D(...)), then an LSTM."),
    **dict.fromkeys(("CuDNNLSTM", "CuDNNGRU"), "Use LSTM or GRU: their weights are the same."),
}


def __getattr__(name):
    """Refuse Keras's layers that are not here by their names, and say what to use in their place."""
    if name in _NOT_HERE:
        raise GraphError(f"minitl.layers has no {name}. {_NOT_HERE[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

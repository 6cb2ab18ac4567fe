"""The bases of a fine-tuning on texts: from token numbers (N, T) to a vector (N, T, D) of each token.

Each is one model with one input, the token numbers. Where a text ends is seen from them: the padding is number 0
(`layers.PaddingMask`), and no layer looks at it. `settings.BASES` says behind which places a base can be cut.
"""

from typing import NamedTuple

import numpy as np

from ...applications.bert import BERT
from ...data.text import Tokenizer, WordPiece, WordVocabulary
from ...initializers import weights_will_be_loaded
from ...layers import LSTM, Bidirectional, Dense, Dropout, Embedding, GlobalAveragePooling1D, Input, PaddingMask
from ...models import Model
from ...weights import find_vocabulary, glove
from .settings import EMBEDDINGS

LSTM_UNITS, LSTM_DROPOUT = 64, 0.5
MASK = "mask"  # the name of the layer that says which tokens are real


class Base(NamedTuple):
    """A base that is loaded: the whole `model` from tokens to vectors, the `tokenizer`, and {end: its tensor}."""

    model: Model
    tokenizer: Tokenizer
    ends: dict


def build(name):
    """Return the `Base` of this name with its published weights."""
    return {"glove": _glove, "lstm": _glove, "minilm": _minilm}[name]()


def _glove():
    """Return GloVe's vectors as a layer. Number 0 is padding, and 1 any word without a vector: their mean."""
    words, vectors = glove()
    table = np.concatenate([np.zeros_like(vectors[:1]), vectors.mean(axis=0, keepdims=True), vectors])  # (V + 2, D)
    tokens = Input((None,), dtype="int32", name="tokens")
    with weights_will_be_loaded():
        layer = Embedding(*table.shape, mask_zero=True, name=EMBEDDINGS)
        vector = layer(tokens)
    layer.set_weights([table])
    return Base(Model(tokens, vector, name="glove"), WordVocabulary.from_words(words), {EMBEDDINGS: vector})


def _minilm():
    """Return the encoder MiniLM-L6-v2."""
    model = BERT(weights="minilm")
    tokenizer = WordPiece.from_file(find_vocabulary("minilm"))
    raise NotImplementedError


def pooled(tensor):
    """Return the mean of the vectors of a text's tokens (N, D), as a symbolic tensor."""
    return GlobalAveragePooling1D(name="pooled")(tensor)


def reading_head(classes):
    """Return the new layers that read the vectors of a text one by one, in both directions: (N, T, D) -> (N, classes)."""
    return [
        Bidirectional(LSTM(LSTM_UNITS), name="lstm"),
        Dropout(LSTM_DROPOUT, name="dropout"),
        Dense(classes, activation="softmax", name="predictions"),
    ]

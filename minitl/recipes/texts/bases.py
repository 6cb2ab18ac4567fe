"""The bases of a fine-tuning on texts: from token numbers (N, T) to a vector (N, T, D) of each token.

Each is one model with one input, the token numbers. Where a text ends is seen from them: the padding is number 0
(`layers.PaddingMask`), and no layer looks at it. `settings.BASES` says behind which places a base can be cut.
"""

from typing import NamedTuple

import numpy as np

from ...applications import BERT
from ...data.text import Tokenizer, WordPiece, WordVocabulary
from ...layers import (
    LSTM,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    GlobalAveragePooling1D,
    Input,
    PaddingMask,
    SymbolicTensor,
)
from ...models import Model
from ...weights import bundled_file, find_vocabulary, glove
from ...weights.distrust.opening import file_digest
from ...weights.formats.stored_file import array_digest
from ...weights.ledger import AS_IT_IS, Origin, adapted
from ...weights.published.glove import BUNDLED
from .settings import EMBEDDINGS, LAYERS

LSTM_UNITS = 64
DROPPED_VECTORS, DROPPED_STATES = 0.4, 0.5  # shares of the numbers that are dropped in training
MASK = "mask"  # the name of the layer that says which tokens are real


class Base(NamedTuple):
    """A base that is loaded.

    model       from tokens (N, T) to the vectors behind its last layer;   tokenizer   makes the tokens
    ends        {end: its tensor (N, T, D)}, in order;   mask   the tensor (N, T) that says which tokens are real
    """

    model: Model
    tokenizer: Tokenizer
    ends: dict
    mask: SymbolicTensor


def build(name):
    """Return the `Base` of this name with its published weights."""
    return {"glove": _glove, "lstm": _glove, "minilm": _minilm}[name]()


def _glove():
    """Return GloVe's vectors as a layer. Number 0 is padding, and 1 any word without a vector: their mean."""
    words, vectors = glove()
    table = np.concatenate([np.zeros_like(vectors[:1]), vectors.mean(axis=0, keepdims=True), vectors])  # (V + 2, D)
    tokens = Input((None,), dtype="int32", name="tokens")
    layer = Embedding(*table.shape, mask_zero=True, weights=table, name=EMBEDDINGS)
    vector = layer(tokens)
    layer.origins["embeddings"] = _origin_of_glove(vectors, layer.embeddings)
    model = Model(tokens, vector, name="glove")
    return Base(model, WordVocabulary.from_words(words), {EMBEDDINGS: vector}, vector.mask)


def _origin_of_glove(vectors, table):
    """Return where a table of vectors comes from, for the ledger."""
    path = bundled_file(BUNDLED)
    copied = Origin("copied", AS_IT_IS, "", path.name, file_digest(path), "glove/embeddings", array_digest(vectors))
    return adapted(copied, "a row of zeros and the mean of all rows before it", "padding; other words", vectors, table)


def _minilm():
    """Return the encoder MiniLM-L6-v2."""
    encoder = BERT(weights="minilm", pooling=None)
    tokens = Input((None,), dtype="int32", name="tokens")
    mask = PaddingMask(name=MASK)(tokens)
    model = Model(tokens, encoder({"tokens": tokens, "mask": mask}), name="minilm")
    ends = {EMBEDDINGS: model.output_of("embeddings_norm")}
    ends |= {layer: model.output_of(f"{layer}_output_norm") for layer in LAYERS}
    return Base(model, WordPiece.from_file(find_vocabulary("minilm")), ends, mask)


def pooled(tensor, mask, name="pooled"):
    """Return the mean over the tokens of each text: (N, T, D) and (N, T) -> (N, D), symbolic tensors."""
    return GlobalAveragePooling1D(name=name)(tensor, mask=mask)


def reading_head(classes):
    """Return the new layers that read a text's vectors one by one, in both directions: (N, T, D) -> (N, classes)."""
    return [
        Dropout(DROPPED_VECTORS, name="vectors_dropout"),
        Bidirectional(LSTM(LSTM_UNITS, return_sequences=True), name="lstm"),
        GlobalAveragePooling1D(name="lstm_mean"),
        Dropout(DROPPED_STATES, name="lstm_dropout"),
        Dense(classes, activation="softmax", name="predictions"),
    ]

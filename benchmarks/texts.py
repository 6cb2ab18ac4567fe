"""The networks for text that all engines use, with their inputs. They are models of minitl, whose weights the other
engines take over.

    minilm     MiniLM-L6-v2's encoder with random weights: 32 texts of up to 64 tokens -> a vector for each text
    lstm       tokens -> vectors of 128 numbers -> LSTM(128) -> classes: 32 texts of 64 tokens
    decoder    the network that `minitl write` trains, with 96 characters: 32 windows of 128 characters

In a training step, a dense layer on MiniLM's vectors tells classes apart.
"""

import numpy as np

from minitl import transfer
from minitl.applications.bert import BERT, MINILM
from minitl.applications.decoder import Decoder
from minitl.initializers import weights_will_be_loaded
from minitl.layers import LSTM, Dense, Embedding, Input
from minitl.models import Model

from .networks import CLASSES

LENGTHS = {"minilm": 64, "lstm": 64, "decoder": 128}  # tokens of a text
VOCABULARIES = {"minilm": MINILM.vocabulary, "lstm": 1000, "decoder": 96}
UNITS = 128  # of the LSTM, and of the vectors that it reads
LAST_FROZEN = "layer_3_output_norm"  # the end of the fourth of six blocks


def encoder():
    """Return MiniLM's encoder: {"tokens": (N, T), "mask": (N, T)} -> (N, 384)."""
    with weights_will_be_loaded():
        return _with_random_weights(BERT(weights=None))


def trained(network, part):
    """Return the model that a training step trains; `part` is "all layers" or "last blocks", of MiniLM."""
    if network == "decoder":
        with weights_will_be_loaded():
            return _with_random_weights(Decoder(VOCABULARIES["decoder"]))
    with weights_will_be_loaded():
        if network == "minilm":
            base = BERT(weights=None)
            model = Model(base.input, Dense(CLASSES, activation="softmax", name="probabilities")(base.output))
        else:
            tokens = Input((None,), dtype="int32", name="tokens")
            x = LSTM(UNITS, name="lstm")(Embedding(VOCABULARIES["lstm"], UNITS, name="embedding")(tokens))
            model = Model(tokens, Dense(CLASSES, activation="softmax", name="probabilities")(x))
    _with_random_weights(model)
    if part == "last blocks":
        transfer.freeze(model, until=LAST_FROZEN)
    return model


def tokens(network, count):
    """Return token numbers (N, T)."""
    rng = np.random.default_rng(6)
    return rng.integers(0, VOCABULARIES[network], (count, LENGTHS[network]), np.int32)


def mask(count):
    """Return which of MiniLM's tokens are real (N, T): texts have half of all tokens or more, the first has all."""
    longest = LENGTHS["minilm"]
    lengths = np.random.default_rng(7).integers(longest // 2, longest + 1, count)
    lengths[0] = longest
    return np.arange(longest) < lengths[:, None]


def next_tokens(count):
    """Return the tokens that the decoder is to predict (N, T)."""
    return np.roll(tokens("decoder", count), -1, axis=1)


def _with_random_weights(model):
    """Fill the weights with random numbers, which keep the activations at about one size. Return the model."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        for name in layer.weight_names:
            weight = getattr(layer, name)
            weight[...] = rng.standard_normal(weight.shape, np.float32)
            if name in ("gamma", "scale"):  # of a normalization
                weight *= 0.1
                weight += 1
            elif name.endswith("kernel"):
                # An attention's output_kernel is (K, V, D), and its other kernels are (D, K, H).
                inputs = weight[..., 0].size if name == "output_kernel" else len(weight)
                weight *= np.float32(np.sqrt(1 / inputs))
            else:  # biases and tables
                weight *= 0.1
    return model

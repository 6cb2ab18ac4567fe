"""Masks of merged sequences: the same models in Keras, whose layers pass masks on behind the back of `call`.

Behind each merge stands an LSTM, so that the mask that a merge gives shows in the output. Beside it the merge itself is
an output, so that its numbers at padding show. Both must be Keras's, and so must all gradients.
"""

import warnings

import keras
import numpy as np
import pytest
import torch

import minitl
from minitl.errors import MistakeWarning
from minitl.models import load_model

from .compare import as_numpy, assert_close, random

TOKENS = {
    "a": np.array([[3, 1, 4, 1, 5], [2, 6, 0, 0, 0], [0, 0, 7, 3, 0], [8, 0, 0, 0, 0]], np.int32),
    "b": np.array([[1, 2, 3, 4, 0], [5, 0, 6, 0, 0], [7, 8, 0, 0, 0], [0, 1, 0, 2, 0]], np.int32),
}
MERGES = "Add", "Subtract", "Average", "Multiply", "Maximum", "Minimum", "Concatenate"


def words(layers, tokens, name, mask_zero=True):
    return layers.Embedding(9, 3, mask_zero=mask_zero, name=name)(tokens)


def same_tokens(layers, a, b):
    """Return two vectors of each token: the padding of both is the same."""
    return [words(layers, a, "first"), words(layers, a, "second")]


def other_tokens(layers, a, b):
    """Return the vectors of two sequences with padding at different places."""
    return [words(layers, a, "first"), words(layers, b, "second")]


def one_mask(layers, a, b):
    """Return two sequences, of which the second has no mask."""
    return [words(layers, a, "first"), words(layers, b, "second", mask_zero=False)]


def last_mask(layers, a, b):
    """Return two sequences, of which the first has no mask."""
    return one_mask(layers, a, b)[::-1]


def three(layers, a, b):
    """Return three sequences with two masks."""
    return [*other_tokens(layers, a, b), words(layers, b, "third")]


def three_with_one_mask_missing(layers, a, b):
    return [*other_tokens(layers, a, b), words(layers, a, "third", mask_zero=False)]


SEQUENCES = [same_tokens, other_tokens, one_mask, last_mask, three, three_with_one_mask_missing]
CASES = [
    pytest.param(merge, axis, sequences, id=f"{merge}{axis or ''}-{sequences.__name__}")
    for merge in MERGES
    for axis in ([-1, 1] if merge == "Concatenate" else [None])
    for sequences in SEQUENCES
    if merge != "Subtract" or not sequences.__name__.startswith("three")
]


def network(library, layers, merge, axis, sequences):
    """Return a model whose outputs are the merged sequences, and an LSTM that has read them with their mask."""
    a, b = (layers.Input((5,), dtype="int32", name=name) for name in TOKENS)
    options = {} if axis is None else {"axis": axis}
    merged = getattr(layers, merge)(**options, name="merged")(sequences(layers, a, b))
    used = [a] if sequences is same_tokens else [a, b]
    return library.Model(used, [merged, layers.LSTM(2, name="lstm")(merged)]), TOKENS["a"], TOKENS["b"]


@pytest.mark.parametrize("merge, axis, sequences", CASES)
def test_merged_sequences(merge, axis, sequences, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MistakeWarning)  # of a mask that is lost; the next test is about it
        model, *tokens = network(minitl, minitl.layers, merge, axis, sequences)
    twin = network(keras, keras.layers, merge, axis, sequences)[0]
    tokens = tokens[: len(model.inputs)]
    learning = [layer for layer in model.layers if layer.weight_names]
    for layer in learning:
        layer.set_weights([random(*each.shape, seed=k + len(layer.name)) for k, each in enumerate(layer.get_weights())])
        twin.get_layer(layer.name).set_weights(layer.get_weights())  # Keras's own order counts the steps of its masks
    outputs = model.forward(tokens if len(tokens) > 1 else tokens[0])
    grads = [random(*each.shape, seed=30 + k) for k, each in enumerate(outputs)]
    model.backward(grads)
    expected = twin([torch.tensor(each) for each in tokens])
    sum((each * torch.tensor(grad)).sum() for each, grad in zip(expected, grads)).backward()
    for found, theirs, what in zip(outputs, expected, ("merged", "lstm")):
        assert_close(found, theirs, 1e-5, what)
    for layer in learning:
        for name, variable in zip(layer.weight_names, twin.get_layer(layer.name).weights, strict=True):
            assert_close(layer.gradients[name], variable.value.grad, 1e-5, variable.path)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MistakeWarning)
        model.save(tmp_path / "m.h5")
        again = load_model(tmp_path / "m.h5")
    for found, saved in zip(again.predict(tokens, verbose=0), outputs):
        np.testing.assert_allclose(found, saved, atol=1e-6)
    if merge == "Concatenate" and sequences is last_mask:
        return  # Keras reads the file by position, and its order counts the steps of its masks (models/README.md)
    opened = keras.models.load_model(tmp_path / "m.h5", compile=False)
    for found, saved in zip(opened([torch.tensor(each) for each in tokens]), outputs):
        assert_close(as_numpy(found), saved, 1e-5, "opened by Keras")


@pytest.mark.parametrize(
    "behind",
    [
        lambda layers, x: layers.LSTM(4)(layers.Dropout(0.1)(x)),
        lambda layers, x: layers.LSTM(3)(layers.MultiHeadAttention(2, 3)(x, x)),
        lambda layers, x: keras.Sequential([layers.Dense(4), layers.GRU(2)])(x),
        lambda layers, x: layers.LSTM(4)(x * 2.0),  # a mask ends at a sign
        lambda layers, x: layers.LSTM(4)(1.0 - x),
        lambda layers, x: layers.LSTM(4)(x + layers.Dense(3)(x)),
        lambda layers, x: layers.LSTM(4)(layers.Add()([x, layers.Dense(3)(x)])),  # but not at a layer
    ],
)
def test_a_file_of_keras_in_which_an_embedding_makes_a_mask(behind, tmp_path):
    """Keras writes the mask as an operation NotEqual, and hands it to each layer that takes one."""
    tokens = keras.Input((5,), dtype="int32")
    theirs = keras.Model(tokens, behind(keras.layers, keras.layers.Embedding(9, 3, mask_zero=True)(tokens)))
    theirs.save(tmp_path / "words.keras")
    x = np.array([[1, 2, 0, 0, 0], [3, 4, 5, 6, 0]], "int32")
    mine = load_model(tmp_path / "words.keras")
    np.testing.assert_allclose(mine.predict(x, verbose=0), theirs.predict(x, verbose=0), atol=1e-6)


def test_a_mask_ends_at_signs_as_in_keras(tmp_path):
    signs = [lambda x: x * 2, lambda x: 1 - x, lambda x: -x, lambda x: x + x, lambda x: x / x, lambda x: x**2]
    for library in keras, minitl:
        x = library.layers.Embedding(9, 3, mask_zero=True)(library.Input((5,), dtype="int32"))
        for sign in signs:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                y = sign(x)
            assert getattr(y, "_keras_mask" if library is keras else "mask", None) is None
            ends = [str(each.message) for each in caught if issubclass(each.category, MistakeWarning)]
            assert len(ends) == (library is minitl) and all("ends at '" in text for text in ends)


def test_keras_opens_sums_that_end_a_mask(tmp_path):
    tokens = minitl.Input((5,), dtype="int32")
    words = minitl.layers.Embedding(9, 3, mask_zero=True)(tokens)
    with pytest.warns(MistakeWarning, match="ends at 'add'"):
        model = minitl.Model(tokens, minitl.layers.LSTM(4)(words + minitl.layers.Dense(3)(words)))
    model.save(tmp_path / "m.keras")
    x = np.array([[1, 2, 0, 0, 0], [3, 4, 5, 6, 0]], "int32")
    theirs = keras.models.load_model(tmp_path / "m.keras", compile=False)
    assert_close(as_numpy(theirs(torch.tensor(x))), model.predict(x, verbose=0), 1e-5, "opened by Keras")

"""Padded sequences are those of Keras."""

import keras
import numpy as np
import pytest

from minitl.data.text.lengths import pad


@pytest.mark.filterwarnings("ignore::minitl.errors.DataWarning")
@pytest.mark.parametrize("number", [0, 3, -1])
@pytest.mark.parametrize("length", [None, 1, 5, 30])
def test_padding_is_that_of_keras(rng, length, number):
    sequences = [rng.integers(1, 99, rng.integers(0, 12)).tolist() for _ in range(20)]
    theirs = keras.utils.pad_sequences(sequences, length, padding="post", truncating="post", value=number)
    ours = pad(sequences, length, number)
    assert np.array_equal(ours.tokens, theirs) and ours.tokens.dtype == theirs.dtype

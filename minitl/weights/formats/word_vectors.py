"""Files of word vectors: HDF5 with an array (V, D) and the V words, the most frequent first.

    /                               attribute layer_names  = [b"glove"]
    /glove/glove/embeddings:0       float (V, D): the kernel of an Embedding called "glove", so that Keras loads it, too
    /words                          the words as one UTF-8 text of fixed length, a line for each

The array is in the legacy layout (`keras_h5`), so every command for files of weights reads such a file.
"""

import os

import h5py
import numpy as np

from ...errors import WeightsError
from ...files import hdf5
from ...files.atomic import replacing
from . import keras_h5

WORDS = "words"
MOST_WORDS = 2**24  # bytes of the text


def write_word_vectors(path, layer, words, vectors):
    """Write words and their vectors (V, D), whose type is kept, to a file that is complete or not there."""
    if len(words) != len(vectors) or any("\n" in word for word in words):
        raise WeightsError(f"{path}: {len(words)} words for {len(vectors)} vectors, or a word with a line break.")
    with replacing(path, check=os.path.getsize) as temporary, h5py.File(temporary, "w") as file:
        keras_h5.write_legacy(file, [(layer, {"embeddings": vectors})])
        file[WORDS] = np.bytes_("\n".join(words).encode("utf-8"))


def read_words(path):
    """Return the text with the words of a file whose content is known: HDF5's library parses it in this process."""
    with hdf5.opened(path, str(path)) as file:
        text = hdf5.text(file, WORDS, MOST_WORDS)
    if text is None:
        raise WeightsError(f"{path}: expected a text '{WORDS}' with the words of the vectors, found none.")
    return text

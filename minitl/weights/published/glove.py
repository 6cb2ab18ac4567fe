"""GloVe's word vectors as arrays: for each word 50 numbers, learned from six billion words.

The 20,000 most frequent words come with minitl, as float16 (`weights/README.md` says how they were made). More are
fetched as a whole, once (`text.fetch_glove`).
"""

import hashlib

from ...arguments import whole_number
from ...errors import ArgumentError, WeightsError
from ...files.bundled import bundled_file
from ..distrust.opening import open_weights
from ..formats.word_vectors import read_words
from .catalogue import find_weights
from .text import GLOVE_WORDS

BUNDLED = "glove_6b_50d_20000.h5"
BUNDLED_COUNT, ALL = 20_000, 400_000
BUNDLED_WORDS = "a473c8d0924ac51cff4f96f094397f521574fff4b3b0ccb5308323ecfd50625a"  # the sha256 of the text


def glove(words=None):
    """Return GloVe's most frequent words, as a list, and their vectors (V, 50), as float32.

    words   how many; None: the 20,000 that come with minitl. More, up to 400,000, are fetched into $MINITL_HOME/models
            if they are not there.

    The vectors of the bundled words were rounded to float16 (by at most 0.002, 0.0002 of their length); with more than
    20,000 words, all are as published. The words are lower case. Raises WeightsError if they cannot be fetched.
    """
    count = BUNDLED_COUNT if words is None else whole_number(words, "words")
    if not 1 <= count <= ALL:
        raise ArgumentError(f"words is {words!r}; expected a number from 1 to {ALL:,}.")
    is_bundled = count <= BUNDLED_COUNT
    path = bundled_file(BUNDLED) if is_bundled else find_weights("glove-50d")
    with open_weights(path) as file:
        vectors = file.read(file.tensors[0])  # (V, 50)
        text = read_words(path)
        file.check_unchanged()
    found = text.split("\n")
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    if digest != (BUNDLED_WORDS if is_bundled else GLOVE_WORDS) or len(found) != len(vectors):
        raise WeightsError(
            f"{path}: its {len(found):,} words are not those of its {len(vectors):,} vectors: the file is damaged. "
            + ("Install minitl again." if is_bundled else "Run `minitl weights get glove-50d --again`.")
        )
    return found[:count], vectors[:count]

"""Words as vectors: which are near each other, sums and differences of them, and the average of a sentence.

The vectors are GloVe's (`weights.glove`): 50 numbers for each word, learned from which words stand near which in six
billion words of text. Two words that have the same neighbours in texts get nearly the same vector.
"""

import numpy as np

from ...weights import glove


class WordVectors:
    """The bundled vectors of GloVe: `words`, a list of V words; `vectors` (V, D)."""

    def __init__(self):
        self.words, self.vectors = glove()
        self.numbers = {word: number for number, word in enumerate(self.words)}
        self.directions = self.vectors / np.linalg.norm(self.vectors, axis=1, keepdims=True)  # each of length 1

    def of(self, text):
        """Return the vectors of the words of a text (T, D)."""
        return self.vectors[[self.numbers[word] for word in text.split()]]

    def average(self, text):
        """Return the mean of the vectors of a text (D,)."""
        return self.of(text).mean(axis=0)

    def nearest(self, vector, count, without=()):
        """Return the words nearest to a vector (D,) but those of `without`, nearest first, as [(word, cosine)]."""
        cosines = self.directions @ (vector / np.linalg.norm(vector))  # (V, D) @ (D,) -> (V,)
        found = ((self.words[number], float(cosines[number])) for number in np.argsort(-cosines, kind="stable"))
        wanted = (pair for pair in found if pair[0] not in without)
        return [next(wanted) for _ in range(count)]


def cosine(a, b):
    """Return the cosine of the angle between two vectors: 1 in the same direction, 0 at a right angle."""
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

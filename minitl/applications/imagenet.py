"""ImageNet's thousand classes: what the outputs of a published network with its top mean."""

import json
from functools import lru_cache

import numpy as np

from ..arguments import whole_number
from ..errors import ShapeError
from ..files.bundled import bundled_file

CLASS_INDEX = "imagenet_class_index.json"  # {"0": ["n01440764", "tench"], ...}, the file that Keras uses


@lru_cache(maxsize=1)
def classes():
    """A tuple of 1,000 pairs in the order of the outputs: WordNet's number and the English name. Two names stand for
    two classes each ("crane" the bird and the machine, "maillot"); the numbers are unique."""
    index = json.loads(bundled_file(CLASS_INDEX).read_text(encoding="utf-8"))
    return tuple((number, name) for number, name in (index[str(i)] for i in range(1000)))


def decode_predictions(predictions, top=5):
    """Probabilities (N, 1000) -> for each image a list of the `top` most likely classes, best first, as tuples
    (WordNet number, name, probability). Raises ShapeError for outputs of another width."""
    predictions = np.asarray(predictions)
    top = whole_number(top, "top")
    if predictions.ndim != 2 or predictions.shape[1] != 1000 or predictions.dtype.kind not in "iuf":
        raise ShapeError(
            f"predictions have shape {predictions.shape}; expected numbers (N, 1000), what ImageNet's top puts out."
        )
    best = np.argsort(-predictions, axis=1, kind="stable")[:, :top]
    return [[(*classes()[k], float(row[k])) for k in order] for row, order in zip(predictions, best)]

"""ImageNet's thousand classes: the meaning of the outputs of a published network with its top."""

import json
from functools import lru_cache

import numpy as np

from ..arguments import whole_number
from ..errors import ShapeError
from ..files.bundled import bundled_file

CLASS_INDEX = "imagenet_class_index.json"  # {"0": ["n01440764", "tench"], ...}, as in Keras


@lru_cache(maxsize=1)
def classes():
    """Return a tuple of 1,000 pairs in the order of the outputs: the WordNet number and the English name. Two names
    occur twice ("crane", the bird and the machine, and "maillot"). The numbers are unique."""
    index = json.loads(bundled_file(CLASS_INDEX).read_text(encoding="utf-8"))
    return tuple((number, name) for number, name in (index[str(i)] for i in range(1000)))


def decode_predictions(predictions: np.ndarray, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """Return for each row of probabilities (N, 1000) a list of the `top` most likely classes, the best first, as tuples
    (WordNet number, name, probability). Raises ShapeError for another number of outputs."""
    predictions = np.asarray(predictions)
    top = whole_number(top, "top")
    if predictions.ndim != 2 or predictions.shape[1] != 1000 or predictions.dtype.kind not in "iuf":
        raise ShapeError(
            f"predictions have shape {predictions.shape}; expected numbers (N, 1000), the output of ImageNet's top."
        )
    best = np.argsort(-predictions, axis=1, kind="stable")[:, :top]
    return [[(*classes()[k], float(row[k])) for k in order] for row, order in zip(predictions, best)]

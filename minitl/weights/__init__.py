"""Files of weights: what they look like inside, reading them with care, and writing them so that none is ever half
there.

Reading order: `stored` (what a weight file is), `keras_h5` (Keras's two layouts), `reading` (how an unknown file is
opened), `naming` (which tensor is which), `loading` (into a model), `ledger` (where every number comes from),
`model_file`, `store` (where files are found and fetched).
"""

from ..files.bundled import bundled_file
from .distrust.opening import open_weights
from .ledger import ledger_of
from .loading import LoadReport, load_weights
from .published.catalogue import find_weights
from .saving import load_model, save_model, save_weights

__all__ = [
    "LoadReport",
    "bundled_file",
    "find_weights",
    "ledger_of",
    "load_model",
    "load_weights",
    "open_weights",
    "save_model",
    "save_weights",
]

"""Files of weights: reading them with care, and writing them so that none is ever half there.

Three rooms: `formats` (what the files of Keras, PyTorch, ONNX and others look like), `distrust` (opening a file that
may be anything), `published` (what can be fetched, and whether it is what it is called). Beside them: `naming` (which
tensor is which), `loading` (into a model), `ledger` (where every number comes from), `saving`, `convert`, `inspection`. Read in this
order.
"""

from ..files.bundled import bundled_file
from .distrust.opening import open_weights
from .ledger import ledger_of
from .loading import LoadReport, load_weights
from .published.catalogue import find_weights
from .saving import save_model, save_weights

__all__ = [
    "LoadReport",
    "bundled_file",
    "find_weights",
    "ledger_of",
    "load_weights",
    "open_weights",
    "save_model",
    "save_weights",
]

"""Files of weights: reads them with care, and writes each one completely or not at all.

README.md beside this file is the introduction. Three packages lie here: `formats` (what the files of Keras, PyTorch,
ONNX and others look like), `distrust` (opening a file that may be hostile) and `published` (fetching published weights
and checking that they are the right ones). The modules beside them: `naming` (which tensor is which parameter),
`place` (what is done to it on the way), `bert_names` and `bert_config` (both for a BERT), `loading` (from a file into a
model), `ledger` (where each array comes from), `saving`, `convert` and `inspection`. Read them in this order.
"""

from ..files.bundled import bundled_file
from .bert_config import bert_config
from .distrust.opening import open_weights
from .ledger import ledger_of
from .loading import LoadReport, load_weights
from .published.catalogue import find_vocabulary, find_weights
from .published.glove import glove
from .saving import save_model, save_weights

__all__ = [
    "LoadReport",
    "bert_config",
    "bundled_file",
    "find_vocabulary",
    "find_weights",
    "glove",
    "ledger_of",
    "load_weights",
    "open_weights",
    "save_model",
    "save_weights",
]

"""The tests' tables: one of layers, one of losses, one of optimizers, one of networks, one of formats of weight files.

Whoever adds a layer adds a case to `layers.py`, and all that is promised of a layer is tested of the new one: its
shapes, its gradients, freezing, saving, and Keras's numbers. `losses.py`, `optimizers.py`, `networks.py` and
`formats.py` do the same for the others. The head of each file says what a case consists of. Nothing here imports
PyTorch or Keras: their code stands in functions that only the tests in `tests/peers` call.
"""

import numpy as np


def random(*shape, seed=0):
    """Return standard normal numbers in float32, the same ones for the same shape and seed."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape, np.float32)

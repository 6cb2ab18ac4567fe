"""A digest of all that must not move: the proof that frozen is frozen."""

import hashlib

import numpy as np


def frozen_digest(model):
    """A sha256 over everything in `model` that must not move: the parameters and statistics of its frozen layers, with
    their names. Equal before and after training, it proves that nothing frozen has changed by a single bit."""
    digest = hashlib.sha256()
    for layer in model.layers:
        if not layer.trainable:
            for name in layer.weight_names:
                array = np.ascontiguousarray(getattr(layer, name))
                digest.update(f"{layer.name}/{name} {array.dtype.str} {array.shape}\n".encode())
                digest.update(array)
    return digest.hexdigest()

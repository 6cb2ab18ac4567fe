"""A digest of all frozen weights: equal digests prove that nothing frozen has changed."""

import hashlib

import numpy as np


def frozen_digest(model):
    """Return a sha256 over the parameters and statistics of the frozen layers of `model`, with their names.

    If it is the same before and after training, nothing frozen has changed by a single bit. It also differs if other
    layers are frozen: take both digests with the same layers frozen. `fit` does not compare them; a recipe does
    (`recipes.clothing`).
    """
    digest = hashlib.sha256()
    for layer in model.layers:
        if not layer.trainable:
            for name in layer.weight_names:
                array = np.ascontiguousarray(getattr(layer, name))
                digest.update(f"{layer.name}/{name} {array.dtype.str} {array.shape}\n".encode())
                digest.update(array)
    return digest.hexdigest()

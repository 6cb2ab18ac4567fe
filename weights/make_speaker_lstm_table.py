"""Make the table of where each array of the speaker LSTM begins in the file of its package, and print the digest of the
arrays as minitl has them.

    python -m pip install torch
    python weights/make_speaker_lstm_table.py

PyTorch opens the file, without running what its pickles say (`weights_only`). The numbers of an array stand in one
piece, and at one place only.
"""

import csv
import hashlib

import numpy as np
import torch

from minitl.weights.published.sound import (
    SPEAKER,
    SPEAKER_MEMBER,
    SPEAKER_TABLE,
    SPEAKER_TENSORS,
    files_of,
    speaker_layers,
)

NOT_OF_THE_NETWORK = ("similarity_weight", "similarity_bias")  # of its training


def main():
    """Check the source and write the table."""
    names = {f"lstm.{kind}_l{k}": (f"lstm_{k + 1}", kind) for k in range(3)
             for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}  # fmt: skip
    names.update({f"linear.{kind}": ("projection", kind) for kind in ("weight", "bias")})
    table, stored = [], {}
    with files_of(SPEAKER) as files:
        content = files[SPEAKER_MEMBER].read_bytes()
        tensors = torch.load(files[SPEAKER_MEMBER], map_location="cpu", weights_only=True)["model_state"]
    for theirs, (layer, parameter) in names.items():
        array = tensors.pop(theirs).numpy()
        numbers = array.astype("<f4").tobytes()
        place = content.find(numbers)
        if place < 0 or content.find(numbers, place + 1) >= 0:
            raise SystemExit(f"{theirs}: its numbers do not stand at one place of the file.")
        table.append((layer, parameter, "x".join(map(str, array.shape)), place))
        stored.setdefault(layer, {})[parameter] = array
    left = [name for name in tensors if name not in NOT_OF_THE_NETWORK]
    if left:
        raise SystemExit(f"{left[0]} is not in the table.")
    with open(SPEAKER_TABLE, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("layer", "parameter", "shape", "offset"), *table])
    digest, layers = hashlib.sha256(), speaker_layers(stored)
    for layer, parameter in SPEAKER_TENSORS:
        digest.update(np.ascontiguousarray(layers[layer][parameter], "<f4"))
    print(f"wrote {SPEAKER_TABLE}: {len(table)} arrays; arrays sha256 {digest.hexdigest()}")


if __name__ == "__main__":
    main()

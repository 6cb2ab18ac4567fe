"""The weights of a `decoder.Decoder` from files: those of llama2.c, and those that minitl wrote."""

import hashlib
import os

from ..errors import ArgumentError, WeightsError
from ..weights import load_weights
from ..weights.formats.llama2c_file import read_llama2c
from ..weights.formats.stored_file import array_digest
from ..weights.ledger import AS_IT_IS, Origin

TURNED = "axes (outputs, inputs) -> (inputs, outputs)"


def load(model, path):
    """Put the weights of a file into a model. A file of llama2.c is known by its ending."""
    if not isinstance(path, (str, os.PathLike)):
        raise ArgumentError(f"weights is {path!r}; expected None or the path of a file.")
    if os.fspath(path).endswith(".bin"):
        put(model, path, *read_llama2c(path))
    else:
        load_weights(model, path)


def put(model, path, config, arrays):
    """Put the arrays of a file of llama2.c into a model, and note in the ledger where they come from."""
    if not config.shared_classifier:
        raise WeightsError(f"{path}: has a kernel of its own for the output; expected that it shares the embedding.")
    places = _places(config.n_layers)
    found = {}
    for layer, name, key, block, is_turned in places:
        array = arrays[key] if block is None else arrays[key][block]
        found[layer, name] = array.T if is_turned else array
    layers = {layer.name: layer for layer in model.layers}
    expected = {(layer.name, name): getattr(layer, name).shape for layer in model.layers for name in layer.weight_names}
    if {place: array.shape for place, array in found.items()} != expected:
        stated = ", ".join(f"{field} {value}" for field, value in config._asdict().items())
        raise WeightsError(f"{path}: holds a decoder of other sizes ({stated}). decoder_of_file(path) builds that one.")
    with open(path, "rb") as file:
        sha256 = hashlib.sha256(file.read()).hexdigest()
    for layer, name, key, block, is_turned in places:
        getattr(layers[layer], name)[...] = found[layer, name]
        layers[layer].updates += 1
        layers[layer].origins[name] = Origin(
            "copied",
            how=TURNED if is_turned else AS_IT_IS,
            file=os.path.basename(path),
            sha256=sha256,
            name=key if block is None else f"{key}[{block}]",
            numbers=array_digest(getattr(layers[layer], name)),
        )


def _places(blocks):
    """Return (layer, parameter, name of the array in the file, block or None, whether it is stored transposed)."""
    places = [
        ("token_embedding", "embeddings", "token_embedding", None, False),
        ("final_norm", "scale", "rms_final", None, False),
    ]
    for number in range(blocks):
        block = f"block{number + 1}"
        places += [
            (f"{block}_attention_norm", "scale", "rms_att", number, False),
            (f"{block}_attention", "query_kernel", "wq", number, True),
            (f"{block}_attention", "key_kernel", "wk", number, True),
            (f"{block}_attention", "value_kernel", "wv", number, True),
            (f"{block}_attention", "output_kernel", "wo", number, True),
            (f"{block}_feed_forward_norm", "scale", "rms_ffn", number, False),
            (f"{block}_gate", "kernel", "w1", number, True),
            (f"{block}_up", "kernel", "w3", number, True),
            (f"{block}_down", "kernel", "w2", number, True),
        ]
    return places

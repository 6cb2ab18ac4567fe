"""BERT's names: which tensor of a PyTorch state dict is which parameter of minitl's BERT, and in which order of axes.

    PyTorch (Hugging Face)                      minitl: layer, parameter           shape there -> here
    embeddings.word_embeddings.weight           word_embeddings, embeddings        (tokens, D)
    embeddings.LayerNorm.weight                 embeddings_norm, gamma             (D,)
    encoder.layer.0.attention.self.query.weight layer_0_attention, query_kernel    (K*H, D) -> (D, K, H)
    encoder.layer.0.attention.self.query.bias   layer_0_attention, query_bias      (K*H,) -> (K, H)
    encoder.layer.0.attention.output.dense.weight  layer_0_attention, output_kernel  (D, K*H) -> (K, H, D)
    encoder.layer.0.intermediate.dense.weight   layer_0_intermediate, kernel       (units, D) -> (D, units)

D numbers of a token, K heads, H numbers of a head. Files that were converted from Google's have `gamma` and `beta` in
place of the norms' `weight` and `bias`. The words before `embeddings.` ("bert.", "model.", "0.auto_model.") are a
wrapper and are taken away. What belongs to the pre-training, or to a task, is `OPTIONAL`: an encoder need not have it.

Networks of other families have other arithmetic behind names that look alike. They are refused by name.

`naming` calls `places_of_bert`; `bert_parameter` does the same for one array, without a file and a model.
"""

import re

import numpy as np

from ..errors import ArgumentError, WeightsError
from .place import Place

WORDS = "embeddings.word_embeddings.weight"
DENSE = "(units, inputs) -> (inputs, units)"
EMBEDDINGS = ("word_embeddings", "position_embeddings", "token_type_embeddings")  # behind "embeddings."; as here
# Behind "encoder.layer.0.": {their name: (our layer behind "layer_0_", the kind of parameter)}.
BLOCK = {
    "attention.self.query": ("attention", "query"),
    "attention.self.key": ("attention", "key"),
    "attention.self.value": ("attention", "value"),
    "attention.output.dense": ("attention", "output"),
    "attention.output.LayerNorm": ("attention_norm", "norm"),
    "intermediate.dense": ("intermediate", "dense"),
    "output.dense": ("output", "dense"),
    "output.LayerNorm": ("output_norm", "norm"),
}
NORM = {"weight": "gamma", "gamma": "gamma", "bias": "beta", "beta": "beta"}
# Beginnings of the names of what an encoder may lack: the head of the pre-training and those of tasks, and a table of
# the numbers 0, 1, 2, ...
OPTIONAL = ("pooler.", "cls.", "classifier.", "qa_outputs.", "embeddings.position_ids", "embeddings.token_type_ids")
# What only the names of another family contain -> the family.
OTHERS = {
    "roberta.": "RoBERTa",
    "distilbert.": "DistilBERT",
    "transformer.layer.0.attention.q_lin.": "DistilBERT",
    "albert_layer_groups.": "ALBERT",
    "electra.": "ELECTRA",
    "embeddings_project.": "ELECTRA",
    "discriminator_predictions.": "ELECTRA",
    ".SelfAttention.q.": "T5",
    "encoder.relative_attention_bias.": "MPNet",
    "encoder.rel_embeddings.": "DeBERTa",
    "h.0.attn.c_attn.": "GPT-2",
}
ANOTHER_FAMILY = (
    "minitl's BERT is the network of Google's BERT with WordPiece's tokens, and this network computes something else "
    "behind similar names. Choose a file whose model_type is 'bert'."
)


def is_bert(layers):
    """Return whether these names of layers are those of minitl's BERT."""
    return {"word_embeddings", "layer_0_attention"} <= set(layers)


def bert_prefix(names, file):
    """Return what stands before 'embeddings.word_embeddings.weight' among the names of a file, or None without one.

    Raises WeightsError for a network of another family; `file` is the file's name in the message.
    """
    names = list(names)
    for words, family in OTHERS.items():
        if any(words in name for name in names):
            raise WeightsError(f"{file}: its names are those of {family} ('{words.strip('.')}'). {ANOTHER_FAMILY}")
    found = sorted(name.removesuffix(WORDS) for name in names if name.endswith(WORDS))
    if len(found) > 1:
        raise WeightsError(
            f"{file}: holds {len(found)} encoders, under '{found[0]}' and '{found[1]}'. Save one of them alone."
        )
    return found[0] if found else None


def bert_part(name):
    """Return (layer, parameter, axes) of minitl's BERT for a tensor's name without its wrapper; None if it has no such.

    The axes are in words, as in `naming.Place`; behind them, the parameters of an attention are split into heads.
    """
    prefix, _, last = name.rpartition(".")
    if prefix == "pooler.dense" and last in ("weight", "bias"):
        return "pooler", *_dense(last)
    group, _, inner = prefix.partition(".")
    if group == "embeddings" and inner in EMBEDDINGS and last == "weight":
        return inner, "embeddings", ""
    if group == "embeddings" and inner == "LayerNorm" and last in NORM:
        return "embeddings_norm", NORM[last], ""
    block = re.fullmatch(r"encoder\.layer\.(0|[1-9][0-9]{0,3})\.(.+)", prefix)
    if not block or block[2] not in BLOCK:
        return None
    ours, kind = BLOCK[block[2]]
    layer = f"layer_{block[1]}_{ours}"
    if kind == "norm":
        return (layer, NORM[last], "") if last in NORM else None
    if last not in ("weight", "bias"):
        return None
    parameter, axes = _dense(last)
    return layer, parameter if kind == "dense" else f"{kind}_{parameter}", axes


def _dense(last):
    """Return (parameter, axes) of a dense layer for PyTorch's word."""
    return ("kernel", DENSE) if last == "weight" else ("bias", "")


def shape_in_heads(parameter, shape, heads):
    """Return the shape of an attention's parameter, whose axes are in order already, with its heads apart.

    (D, K*H) -> (D, K, H) for a query_kernel, (K*H, D) -> (K, H, D) for the output_kernel, (K*H,) -> (K, H) for a
    query_bias; the output_bias (D,) has no heads. The shape is returned as it is if it cannot be split.
    """
    axis = {"output_kernel": 0, "output_bias": None}.get(parameter, len(shape) - 1)
    if axis is None or len(shape) != (2 if parameter.endswith("kernel") else 1) or shape[axis] % heads:
        return shape
    return (*shape[:axis], heads, shape[axis] // heads, *shape[axis + 1 :])


def places_of_bert(file, layers):
    """Return the `Place` of every tensor of an open file with a PyTorch BERT; none if its names are not BERT's.

    `layers` is {name: layer} of the model. Its attentions say how many heads there are, which the file does not.
    """
    prefix, found = bert_prefix([tensor.name for tensor in file.tensors], file.path), []
    if prefix is None:
        return found
    for tensor in file.tensors:
        name = tensor.name.removeprefix(prefix)
        part = bert_part(name)
        if part is None:  # a table of positions, the head of a pre-training, ...
            owner, _, last = name.rpartition(".")
            whole = owner if last in ("weight", "bias") else name
            found.append(Place(tensor, whole, last, optional=name.startswith(OPTIONAL)))
            continue
        layer, parameter, axes = part
        place = Place(tensor, layer, parameter, axes if len(tensor.shape) == 2 else "")
        if layer not in layers:
            place = place._replace(optional=name.startswith(OPTIONAL))
        elif layer.endswith("_attention"):
            expected = np.shape(getattr(layers[layer], parameter, None))  # (D, K, H), (K, H, D), (K, H) or (D,)
            heads = expected[0 if parameter == "output_kernel" else -2] if len(expected) > 1 else 1
            split = shape_in_heads(parameter, place.shape, heads)
            place = place._replace(heads=split if split != place.shape else None)
        found.append(place)
    return found


def bert_parameter(name, array, heads):
    """Return (layer, parameter, array as minitl has it) for a tensor of a PyTorch BERT, or None if it is `OPTIONAL`.

    name    the name without a wrapper, 'encoder.layer.0.attention.self.query.weight'
    heads   K, the number of heads, which no shape tells

    Raises ArgumentError for a name that BERT does not have, and for heads that do not divide the array.
    """
    part = bert_part(name)
    if part is None:
        if name.startswith(OPTIONAL):
            return None
        raise ArgumentError(f"'{name}' is no name of BERT's; expected one such as '{WORDS}'.")
    layer, parameter, axes = part
    array = np.asarray(array)
    array = array.T if axes else array
    if layer.endswith("_attention"):
        shape = shape_in_heads(parameter, array.shape, heads)
        if shape == array.shape and parameter != "output_bias":
            raise ArgumentError(f"'{name}' of shape {array.shape} cannot be split into {heads} heads.")
        array = array.reshape(shape)
    return layer, parameter, array


def bert_names(layers):
    """Return the names of a BERT of so many layers with its pooler, as PyTorch writes them today."""
    names = [f"embeddings.{inner}.weight" for inner in EMBEDDINGS]
    names += [f"embeddings.LayerNorm.{last}" for last in ("weight", "bias")]
    for number in range(layers):
        names += [f"encoder.layer.{number}.{inner}.{last}" for inner in BLOCK for last in ("weight", "bias")]
    return [*names, "pooler.dense.weight", "pooler.dense.bias"]

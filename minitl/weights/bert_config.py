"""The sizes of a BERT: from its `config.json`, from the shapes of its arrays, or from both, which must agree.

No array tells the number of heads: 384 numbers may be 12 heads of 32 (MiniLM) or 6 of 64 (as in most BERTs), and with
the wrong number the network runs and computes something else. So the heads come from a configuration or from the
caller, and never from a guess. A configuration is read as data: numbers and a few words, all checked.
"""

import json
import os
import re
from pathlib import Path
from typing import NamedTuple

from ..errors import ArgumentError, WeightsError
from .bert_names import ANOTHER_FAMILY, WORDS, bert_prefix
from .distrust.opening import open_weights

MOST_BYTES = 2**20  # of a configuration
MOST = 2**24  # of any size
# Keys of Hugging Face's and Google's configurations -> fields.
SIZES = {"num_hidden_layers": "layers", "hidden_size": "width", "num_attention_heads": "heads",
         "intermediate_size": "hidden", "vocab_size": "vocabulary", "max_position_embeddings": "positions",
         "type_vocab_size": "token_types"}  # fmt: skip
# Their names of activations -> Keras's, with "gelu_tanh" for the approximation of the GELU by a tanh.
ACTIVATIONS = {"gelu": "gelu", "gelu_python": "gelu", "gelu_new": "gelu_tanh", "gelu_fast": "gelu_tanh",
               "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu", "silu": "silu", "swish": "silu"}  # fmt: skip
EPSILON = 1e-12  # Google's; a larger one gives other numbers
# What a configuration may ask for that minitl's BERT does not do: {key: the value that is no such request}.
NOT_HERE = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}
FAMILIES = {"roberta": "RoBERTa", "xlm-roberta": "XLM-RoBERTa", "camembert": "CamemBERT", "distilbert": "DistilBERT",
            "albert": "ALBERT", "electra": "ELECTRA", "t5": "T5", "mpnet": "MPNet",
            "deberta": "DeBERTa", "deberta-v2": "DeBERTa", "gpt2": "GPT-2", "modernbert": "ModernBERT"}  # fmt: skip


class BertConfig(NamedTuple):
    """The sizes of a BERT.

    layers       the encoder's layers: each an attention and two dense layers
    width        D, the numbers of a token
    heads        K, the heads of an attention; each has width / heads numbers
    hidden       the units between the two dense layers
    vocabulary   the tokens;  positions  the most tokens of a text;  token_types  the kinds of sentences
    epsilon      of the layer normalizations
    activation   behind the first dense layer: "gelu", "gelu_tanh" (its approximation), "relu" or "silu"
    """

    layers: int
    width: int
    heads: int
    hidden: int
    vocabulary: int
    positions: int
    token_types: int = 2
    epsilon: float = EPSILON
    activation: str = "gelu"


def bert_config(source, heads=None):
    """Return the `BertConfig` of a BERT.

    source   the path of a config.json; the path of a file of weights, beside which its configuration is looked for
             (NAME.config.json, then config.json); the content of a configuration, as a dict; or {tensor name: array}
    heads    K, if there is no configuration; arrays alone do not tell epsilon and activation either: BERT's own are
             taken

    Raises WeightsError for another family of networks, for a configuration that contradicts the arrays, and if nothing
    tells the heads.
    """
    data = shapes = None
    if isinstance(source, dict):
        name = "the arrays" if any(str(key).endswith(WORDS) for key in source) else "the configuration"
        if name == "the arrays":
            shapes = {key: tuple(getattr(array, "shape", array)) for key, array in source.items()}
        else:
            data = source
    elif isinstance(source, (str, os.PathLike)):
        name, path = str(source), Path(source)
        if path.suffix.lower() == ".json":
            data = _read(path)
        else:
            with open_weights(path) as file:
                shapes = {tensor.name: tensor.shape for tensor in file.tensors}
            beside = [each for each in (path.with_suffix(".config.json"), path.with_name("config.json"))
                      if each.is_file()]  # fmt: skip
            data = _read(beside[0]) if beside else None
    else:
        raise ArgumentError(f"source is {type(source).__name__}; expected a path, a configuration or arrays by name.")
    stated = {} if data is None else _from_data(data, name)
    measured = {} if shapes is None else _from_shapes(shapes, name)
    for key, value in measured.items():
        if stated.get(key, value) != value:
            raise WeightsError(
                f"{name}: its configuration states {key} {stated[key]}, and its arrays have {value}. Put the "
                "configuration of these weights beside them."
            )
    found = {**stated, **measured}
    if heads is not None and found.setdefault("heads", heads) != heads:
        raise ArgumentError(f"heads is {heads}, and the configuration of {name} states {found['heads']}.")
    return _checked(found, name)


def _checked(found, name):
    """Return the `BertConfig` of {field: value}, whose heads may be missing or not fit."""
    missing = [field for field in BertConfig._fields if field not in (*found, *BertConfig._field_defaults)]
    if missing == ["heads"]:
        width = found["width"]
        usual = f" ({width // 64} of 64 numbers is usual)" if width % 64 == 0 else ""
        raise WeightsError(
            f"{name}: nothing tells the number of heads, which divides {width}{usual}. Put its config.json beside it, "
            "or give heads=..., from the description of the network."
        )
    if missing:
        raise WeightsError(f"{name}: does not state {', '.join(missing)}. Give the whole config.json of the network.")
    config = BertConfig(**found)
    if type(config.heads) is not int or config.heads < 1 or config.width % config.heads:
        raise WeightsError(f"{name}: {config.heads!r} heads, expected a number that divides the width {config.width}.")
    return config


def _read(path):
    """Return the content of a configuration's file."""
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES:,} bytes")
        data = json.loads(content.decode("utf-8"))
        if not isinstance(data, dict):
            raise ValueError(f"a {type(data).__name__} in place of names and values")
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: is no configuration that can be read ({error}). Download it again.") from None
    return data


def _from_data(data, name):
    """Return {field: value} of what a configuration states."""
    family = data.get("model_type", "bert")
    if family != "bert":
        shown = FAMILIES.get(family, repr(family)) if isinstance(family, str) else repr(family)
        positions = " Its positions begin at 2, and its tokens are not WordPiece's." if "RoBERTa" in shown else ""
        raise WeightsError(f"{name}: is a configuration of {shown:.100}.{positions} {ANOTHER_FAMILY}")
    for key, usual in NOT_HERE.items():
        if data.get(key, usual) not in (usual, None):
            raise WeightsError(f"{name}: its configuration has {key} {data[key]!r}, expected {usual!r}.")
    found = {}
    for key, field in SIZES.items():
        if key in data:
            if type(data[key]) is not int or not 1 <= data[key] <= MOST:
                raise WeightsError(f"{name}: its {key} is {data[key]!r:.100}, expected a number from 1 to {MOST:,}.")
            found[field] = data[key]
    epsilon, activation = data.get("layer_norm_eps", EPSILON), data.get("hidden_act", "gelu")
    if type(epsilon) is not float or not 0 < epsilon < 1:
        raise WeightsError(f"{name}: its layer_norm_eps is {epsilon!r:.100}, expected a number between 0 and 1.")
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise WeightsError(f"{name}: its hidden_act is {activation!r:.100}, expected one of {', '.join(ACTIVATIONS)}.")
    return {**found, "epsilon": epsilon, "activation": ACTIVATIONS[activation]}


def _from_shapes(shapes, name):
    """Return {field: value} of what {tensor name: shape} tells."""
    prefix = bert_prefix(shapes, name)
    if prefix is None:
        raise WeightsError(f"{name}: has no tensor '{WORDS}', as a BERT of PyTorch has. {ANOTHER_FAMILY}")
    first = "encoder.layer.0.intermediate.dense.weight"
    wanted = {WORDS: ("vocabulary", "width"), first: ("hidden", "width"),
              "embeddings.position_embeddings.weight": ("positions", "width"),
              "embeddings.token_type_embeddings.weight": ("token_types", "width")}  # fmt: skip
    found = {}
    for tensor, fields in wanted.items():
        shape = shapes.get(prefix + tensor)
        if shape is None or len(shape) != 2:
            raise WeightsError(f"{name}: '{prefix}{tensor}' is {shape or 'missing'}, expected an array of two axes.")
        for field, size in zip(fields, shape):
            if found.setdefault(field, size) != size:
                raise WeightsError(
                    f"{name}: '{prefix}{tensor}' is {shape}, expected {found[field]} numbers a token, as in '{WORDS}'."
                )
    pattern = re.compile(re.escape(prefix) + r"encoder\.layer\.([0-9]{1,4})\.")
    numbers = {int(match[1]) for match in map(pattern.match, shapes) if match}
    if numbers != set(range(len(numbers))):
        missing = min(set(range(len(numbers))) - numbers)
        raise WeightsError(f"{name}: has no tensors of encoder.layer.{missing}, and some of a later layer.")
    if found["token_types"] == 1 and found["positions"] % 64 == 2:
        raise WeightsError(
            f"{name}: has {found['positions']} positions and one kind of sentence, as RoBERTa has, whose positions "
            f"begin at 2. {ANOTHER_FAMILY}"
        )
    return {**found, "layers": len(numbers)}

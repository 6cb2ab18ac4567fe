"""Language models from files, each with its tokenizer.

stories260K.bin, tok512.bin     two files of llama2.c: the model and its tokenizer
model.h5                        one file from `minitl language --save`, which holds both
"""

import os
from pathlib import Path

from ...applications.decoder import decoder_of_file
from ...data.text import ScoredMerges, tokenizer_from_data
from ...errors import ArgumentError, DataError
from ...models import load_model

TASK = "language"  # in the metadata of a model


def load(path, tokenizer=None):
    """Return (model, tokenizer) of a language model's file.

    path        a file of llama2.c (.bin), or one from `model.save`
    tokenizer   for a .bin file: its tokenizer's file. Default: tok<V>.bin or tokenizer.bin beside it, for V tokens

    Raises ArgumentError for a model of another kind, WeightsError and DataError for files that are broken or missing.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ArgumentError(f"path is {path!r}; expected the file of a language model.")
    if os.fspath(path).endswith(".bin"):
        model = decoder_of_file(path)
        found = ScoredMerges.from_file(_beside(path, model.output_shape[-1]) if tokenizer is None else tokenizer)
    else:
        if tokenizer is not None:
            raise ArgumentError(f"tokenizer is {os.fspath(tokenizer)}; {path} holds its own. Leave it out.")
        model = load_model(path)
        found = _inside(model, path)
    if len(found) != model.output_shape[-1]:
        raise DataError(
            f"{path}: the model has {model.output_shape[-1]} tokens, its tokenizer {len(found)}. They do not belong "
            "together."
        )
    return model, found


def _beside(path, count):
    """Return the tokenizer's file beside a file of llama2.c. Raises DataError if there is none."""
    names = f"tok{count}.bin", "tokenizer.bin"
    for name in names:
        if (found := Path(path).parent / name).is_file():
            return found
    raise DataError(
        f"{path}: there is no tokenizer beside it ({' or '.join(names)}). Name its file: --tokenizer FILE, or "
        "load(path, tokenizer=FILE)."
    )


def _inside(model, path):
    """Return the tokenizer that a saved model holds."""
    if model.metadata.get("task") != TASK:
        raise ArgumentError(
            f"{path}: is no language model. Expected a file from `minitl language --save`, or one of llama2.c (.bin)."
        )
    return tokenizer_from_data(model.metadata.get("tokenizer"), os.fspath(path))

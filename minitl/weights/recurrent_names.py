"""The weights of recurrent layers under PyTorch's names, in both directions.

    PyTorch                                   minitl and Keras
    lstm.weight_ih_l0   (G*U, D)              kernel            (D, G*U)
    lstm.weight_hh_l0   (G*U, U)              recurrent_kernel  (U, G*U)
    lstm.bias_ih_l0     (G*U,)                bias              (G*U,), the sum of both; of a GRU both, (2, 3U)
    lstm.bias_hh_l0     (G*U,)
    ..._l0_reverse                            backward_kernel, ... of a Bidirectional

G gates of U units lie one behind the other: i f g o in both for an LSTM (Keras calls the third c), r z n for PyTorch's
GRU and z r h here. Each layer says so itself (`torch_gates`), and what else it must be to compute the same
(`torch_requires`): PyTorch's GRU is the one with reset_after=True.

A module of PyTorch may be a stack of layers, l0, l1, ..., each of which is a layer here. The layer of l0 is found by
the name of the module. Those of l1, l2, ... are called lstm_l1, lstm_l2, ..., by names={"lstm_l1": ...} or here; else
they are the recurrent layers that follow in the model. The cells (LSTMCell) have the same names without a number.
"""

import re

import numpy as np

from ..errors import ArgumentError, WeightsError
from ..layers import Dense
from .place import Place

PARTS = {"kernel": ("weight_ih",), "recurrent_kernel": ("weight_hh",), "bias": ("bias_ih", "bias_hh")}
NAME = re.compile(r"(?:(?P<word>(?:weight|bias)_(?:ih|hh|hr)))(?:_l(?P<number>0|[1-9][0-9]{0,3})(?P<end>_reverse)?)?")
AXES = Dense.torch_axes["kernel"]


def recurrent_places(file, tensors, prefixes, layers, names):
    """Return the `Place`s of those tensors that belong to recurrent layers of PyTorch's.

    prefixes   {tensor: what stands before its last dot};   layers   {name: layer} of the model
    names      {name in the file: layer name}

    Raises WeightsError for a layer that PyTorch's cannot be, and for two biases of different shape.
    """
    stacks = {}  # prefix -> {number of the layer: {"" or "_reverse": {word: tensor}}}
    for tensor in tensors:
        part = NAME.fullmatch(tensor.name.rpartition(".")[2])
        if part:
            directions = stacks.setdefault(prefixes[tensor.name], {}).setdefault(int(part["number"] or 0), {})
            directions.setdefault(part["end"] or "", {})[part["word"]] = tensor
    found = []
    for prefix, stack in stacks.items():
        for number, name in _names_in_model(prefix, sorted(stack), layers, names).items():
            for end, words in stack[number].items():
                found += _places_of_cell(file, words, end, name, layers.get(name))
    return found


def _names_in_model(prefix, numbers, layers, names):
    """Return {number in the stack: name of the layer in the model}; names of the file where there is no such layer."""
    row = [name for name, layer in layers.items() if layer.torch_cells]
    found = {}
    for number in numbers:
        own = f"{prefix}_l{number}" if prefix else f"l{number}"
        candidates = [own, prefix] if number == 0 else [own]
        known = [names[each] for each in candidates if each in names] + [each for each in candidates if each in layers]
        first = found.get(0)
        if known:
            found[number] = known[0]
        elif first in row and row.index(first) + number < len(row):
            found[number] = row[row.index(first) + number]
        elif number == 0 and not prefix and len(row) == len(numbers):
            found[number] = row[0]  # the file of a single module, which has no name there
        else:
            found[number] = own if number or not prefix else prefix
    return found


def _places_of_cell(file, words, end, name, layer):
    """Return the `Place`s of the tensors of one direction of a layer; `layer` is None if the model has none."""
    if "weight_hr" in words:
        raise WeightsError(
            f"{file.path}: '{words['weight_hr'].name}' is the projection of an LSTM with proj_size, which minitl's "
            "LSTM does not have."
        )
    cells = layer.torch_cells if layer is not None else {}
    before, cell = cells.get(end, ("backward_" if end else "", None))
    if cell is not None:
        _require_torchs(cell, name, WeightsError, f"{file.path}: ")
    found = []
    for parameter, parts in PARTS.items():
        first, *more = [words[part] for part in parts if part in words] or [None]
        if first is None:
            continue
        if any(each.shape != first.shape or each.dtype != first.dtype for each in more):
            raise WeightsError(
                f"{file.path}: '{first.name}' is {first.shape} of {first.dtype}, and '{more[0].name}' is "
                f"{more[0].shape} of {more[0].dtype}; expected two biases of one shape and type."
            )
        axes, second = AXES if len(first.shape) == 2 else "", more[0] if more else None
        place = Place(first, name, before + parameter, axes, second=second)
        if cell is not None and first.shape[:1] == (cell.gates * cell.units,):
            place = place._replace(gates=cell.torch_gates, as_rows=parameter == "bias" and len(cell.bias_shape) == 2)
        found.append(place)
    return found


def recurrent_arrays(layer):
    """Return {PyTorch's name: array} of a recurrent layer, as the layer l0 of a module. Raises ArgumentError for a
    layer that PyTorch's cannot be.

    A layer with one bias gets a second one of zeros, since PyTorch's has two.
    """
    found = {}
    for end, (before, cell) in layer.torch_cells.items():
        _require_torchs(cell, layer.name, ArgumentError, "")
        for parameter, parts in PARTS.items():
            array = getattr(layer, before + parameter, None)
            if array is None:
                continue
            rows = array.reshape(-1, array.shape[-1]) if parameter == "bias" else [array.T]
            for part, each in zip(parts, [*rows, *[np.zeros_like(each) for each in rows]]):
                blocks = each.reshape(cell.gates, cell.units, *each.shape[1:])
                order = np.argsort(cell.torch_gates or range(cell.gates))
                found[f"{part}_l0{end}"] = np.ascontiguousarray(blocks[order]).reshape(each.shape)
    return found


def _require_torchs(cell, name, error, before):
    """Raise `error` if a recurrent layer computes something else than PyTorch's with the same weights."""
    for argument, values in cell.torch_requires.items():
        if getattr(cell, argument) not in values:
            raise error(
                f"{before}layer '{name}' has {argument}={getattr(cell, argument)!r}; PyTorch's "
                f"{type(cell).__name__} has {' or '.join(map(repr, values))}, and computes something else with the "
                "same weights."
            )

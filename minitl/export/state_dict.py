"""Weights under PyTorch's names, with PyTorch's axes: `module.load_state_dict` takes them.

    layer        parameter         name                 axes
    Conv2D       kernel            conv1.weight         (KH, KW, C, F) -> (F, C, KH, KW)
    Dense        kernel            fc1.weight           (inputs, units) -> (units, inputs)
    BatchNorm... moving_mean       bn1.running_mean     (and num_batches_tracked, which PyTorch wants and nobody reads)
    LSTM         kernel            lstm.weight_ih_l0    (inputs, units) -> (units, inputs): `weights.recurrent_names`

Each layer class states both itself (`torch_names`, `torch_axes`). Recurrent layers and attention are other arrays in
PyTorch: `torch_modules`. PyTorch flattens maps in the order (C, H, W): the inputs of a dense layer behind a Flatten are
reordered. The module itself is yours to write: with the names of the layers for its attributes (`names` says
otherwise), padding by TensorFlow's rules, and the epsilon of each BatchNorm.
"""

import json

import numpy as np

from ..errors import ArgumentError, CheckpointError, MissingExtraError
from ..files.atomic import replacing
from ..layers import BatchNormalization
from ..weights.naming import UNCLEAR, flattened_inputs
from ..weights.place import permutation
from ..weights.recurrent_names import recurrent_arrays
from .torch_modules import arrays_of


def state_dict(model, names=None):
    """Return {PyTorch's name: array} of all weights of a model. Raises ArgumentError, naming a layer whose weights
    PyTorch orders in a way that is not known.

    names   {layer: its name in PyTorch}
    """
    names, found = names or {}, {}
    known = [layer.name for layer in model.layers]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ArgumentError(f"names has '{unknown[0]}', which is no layer of model '{model.name}'.")
    flattened = flattened_inputs(model)
    for layer in model.layers:
        prefix = names.get(layer.name, layer.name)
        if layer.torch_cells:
            arrays = recurrent_arrays(layer)
        else:
            arrays = arrays_of(layer) or _arrays_of(layer, flattened.get(layer.name))
        for word, array in arrays.items():
            name = f"{prefix}.{word}"
            if name in found:
                raise ArgumentError(f"two arrays would be called '{name}'; give the layers different names.")
            found[name] = np.ascontiguousarray(array)
        if isinstance(layer, BatchNormalization):  # PyTorch's has a weight and a bias in any case, and a count
            found.setdefault(f"{prefix}.weight", np.ones_like(layer.moving_mean))
            found.setdefault(f"{prefix}.bias", np.zeros_like(layer.moving_mean))
            found[f"{prefix}.num_batches_tracked"] = np.array(0, np.int64)
    return found


def _arrays_of(layer, flattened):
    """Return {PyTorch's name for a parameter: array} of a layer. Raises ArgumentError for one that PyTorch has not."""
    for parameter in layer.weight_names:
        if parameter not in layer.torch_names:
            raise ArgumentError(
                f"layer '{layer.name}': PyTorch has no name for {parameter} of a {type(layer).__name__}. State it "
                "in the class (torch_names, torch_axes), or save the model with model.save."
            )
    return {layer.torch_names[name]: _in_torchs_order(layer, name, flattened) for name in layer.weight_names}


def _in_torchs_order(layer, parameter, flattened):
    """Return an array of a layer with PyTorch's order of axes, and of a flattened map (H, W, C)."""
    array, axis = getattr(layer, parameter), layer.input_axes.get(parameter)
    if flattened is not None and axis is not None and parameter in layer.torch_axes:
        if flattened == UNCLEAR:
            raise ArgumentError(f"layer '{layer.name}': its inputs are pixels of several maps, in an unclear order.")
        height, width, channels = flattened
        before, after = array.shape[:axis], array.shape[axis + 1 :]
        maps = array.reshape(*before, height, width, channels, *after)  # (..., H, W, C, ...)
        array = np.moveaxis(maps, axis + 2, axis).reshape(array.shape)  # (..., C, H, W, ...) in one axis again
    if parameter in layer.torch_axes:
        array = array.transpose(np.argsort(permutation(layer.torch_axes[parameter])))
    return np.ascontiguousarray(array)


def write_safetensors(model, path, names=None):
    """Write the weights as safetensors: eight bytes with the length of the header, the header as JSON, the arrays."""
    arrays, header, offset = state_dict(model, names), {}, 0
    types = {"float16": "F16", "float32": "F32", "float64": "F64", "int64": "I64"}
    for name, array in arrays.items():
        stop = offset + array.nbytes
        header[name] = {"dtype": types[str(array.dtype)], "shape": list(array.shape), "data_offsets": [offset, stop]}
        offset = stop
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)  # the arrays then begin at a multiple of eight bytes

    def check(temporary):
        with open(temporary, "rb") as file:
            whole = file.read(8 + len(text)) == len(text).to_bytes(8, "little") + text
            for name, array in arrays.items():
                if not whole or file.read(array.nbytes) != _bytes(array):
                    raise CheckpointError(f"{path}: '{name}' read back differently; nothing was saved.")

    with replacing(path, check) as temporary, open(temporary, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            file.write(_bytes(array))


def _bytes(array):
    """Return the numbers of an array as bytes, the lowest byte of each first on every machine."""
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def write_torch(model, path, names=None):
    """Write the weights with `torch.save`, as tensors alone: `torch.load(path, weights_only=True)` reads them."""
    try:
        import torch
    except ImportError:
        raise MissingExtraError(
            f"{path}: writing PyTorch's own files needs PyTorch (the extra 'convert'): python -m pip install torch. "
            "A file that ends in .safetensors holds the same weights and needs nothing."
        ) from None
    tensors = {name: torch.from_numpy(array.copy()) for name, array in state_dict(model, names).items()}

    def check(temporary):
        found = torch.load(temporary, weights_only=True)
        wrong = [name for name, tensor in tensors.items() if not torch.equal(found[name], tensor)]
        if wrong:
            raise CheckpointError(f"{path}: '{wrong[0]}' read back differently; nothing was saved.")

    with replacing(path, check) as temporary:
        torch.save(tensors, temporary)

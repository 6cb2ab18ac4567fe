"""Which tensor of a file is which parameter of a model, and how its axes have to be turned.

Layers are matched by name and never by where they stand: a shape that happens to fit proves nothing. What a name means
depends on the program that wrote it:

    Keras, minitl   'block1_conv1' kernel       axes as they are here: (KH, KW, C, F), dense (inputs, units)
    PyTorch         'features.0.weight'         (F, C, KH, KW), dense (units, inputs); a map (C, H, W) is flattened in
                                                this order, here in the order (H, W, C): so the inputs of the first
                                                dense layer behind a Flatten have to change places, too
    ONNX            whatever the exporter       the operation that uses a tensor says what it is; axes as in PyTorch

PyTorch numbers the layers of a row ('features.0') and has no names for them. `TORCHVISION` says which is which for the
published networks; for others, `names={"features.0": "conv1", ...}` does.
"""

import re
from typing import NamedTuple

from ..errors import WeightsError
from ..layers import BatchNormalization, Dense, Flatten
from .keras_h5 import class_keys
from .stored import StoredTensor

# torchvision's names -> ours. Its VGG16 counts every activation and pooling as a layer.
TORCHVISION = {
    "vgg16": dict(
        zip(
            [*(f"features.{i}" for i in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)),
             *(f"classifier.{i}" for i in (0, 3, 6))],
            [*(f"block{block}_conv{i}" for block, count in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, count + 1)),
             "fc1", "fc2", "predictions"],
        )
    )
}  # fmt: skip
PARAMETERS = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
TORCH_PARAMETERS = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
AS_IT_IS = "as it is"
CONVOLUTION = "axes (F, C, KH, KW) -> (KH, KW, C, F)"
DENSE = "axes (units, inputs) -> (inputs, units)"
FLATTENED = ", inputs in the order (H, W, C) instead of (C, H, W)"
VECTOR = "in the order (H, W, C) instead of (C, H, W)"


class Place(NamedTuple):
    """Where a tensor goes: `layer` and `parameter`; `conversion` says how its axes change on the way, `flattened` is
    (H, W, C) where the order of the inputs changes as well."""

    tensor: StoredTensor
    layer: str
    parameter: str
    conversion: str = AS_IT_IS
    flattened: tuple | None = None

    @property
    def shape(self):
        """The shape in the model's terms."""
        shape = self.tensor.shape
        if self.conversion == CONVOLUTION:
            return shape[2], shape[3], shape[1], shape[0]
        return shape[::-1] if self.conversion.startswith(DENSE) else shape

    def convert(self, array):
        """The numbers as the model wants them."""
        if self.conversion == CONVOLUTION:
            return array.transpose(2, 3, 1, 0)
        if self.conversion.startswith(DENSE):
            array = array.T  # (inputs, units)
        if self.flattened:
            height, width, channels = self.flattened
            rest = array.shape[1:]
            array = array.reshape(channels, height, width, *rest).swapaxes(0, 1).swapaxes(1, 2).reshape(-1, *rest)
        return array


def places(file, model, names=None):
    """The `Place` of every tensor in an open file that is a parameter, in the terms of `model`.

    names   {name in the file: layer name}, for files of programs that call the layers otherwise

    A tensor whose layer the model does not have gets the file's name for it. Raises WeightsError where two tensors
    would go to one place, or where the file's layers have no names and the model is no plain row.
    """
    layers = {layer.name: tuple(layer.weight_names) for layer in model.layers if layer.weight_names}
    names = dict(names or {})
    unknown = [name for name in names.values() if name not in layers]
    if unknown:
        raise WeightsError(f"names: the model has no layer '{unknown[0]}' with weights. It has {', '.join(layers)}.")
    if any(tensor.layer is not None or isinstance(tensor.parameter, int) for tensor in file.tensors):
        found = _of_keras(file, model, layers, names)
    else:
        found = _of_others(file, layers, names, flattened_inputs(model))
    seen = {}
    for place in found:
        first = seen.setdefault((place.layer, place.parameter), place)
        if first is not place:
            raise WeightsError(
                f"{file.path}: layer '{place.layer}' has two tensors called '{place.parameter}': '{first.tensor.name}' "
                f"and '{place.tensor.name}'."
            )
    return found


def own_places(file):
    """The `Place` of every tensor in the file's own terms, without a model: for looking at it and for comparing. Where
    tensors are only numbered, their shapes tell which is which, as far as they do."""
    found, layers = [], {}
    for tensor in file.tensors:
        layers.setdefault(tensor.layer, []).append(tensor)
    for tensor in file.tensors:
        layer, parameter = tensor.layer, tensor.parameter
        if isinstance(parameter, int):
            parameter = _numbered_parameter(parameter, [len(each.shape) for each in layers[layer]])
            layer = layer or tensor.name.rsplit("/vars/", 1)[0]
        elif layer is None:
            layer, _, parameter = tensor.name.rpartition(".")
        elif "/" in layer:
            layer = layer.split("/", 1)[1]
        found.append(Place(tensor, layer, parameter))
    return found


def _numbered_parameter(number, ranks):
    """Which parameter is number 0, 1, ... of a layer with tensors of these ranks, in Keras's order."""
    if ranks[:1] in ([2], [4]) and len(ranks) <= 2:
        return ("kernel", "bias")[number]
    if ranks == [1, 1, 1, 1]:
        return ("gamma", "beta", "moving_mean", "moving_variance")[number]
    return f"number {number}"


def _of_keras(file, model, layers, names):
    """Keras's own names. Only early `.weights.h5` files have none; there its rule is applied, class by class in
    order."""
    nameless = any(tensor.layer is None for tensor in file.tensors)
    if nameless and not model.is_row:
        raise WeightsError(
            f"{file.path}: numbers its layers instead of naming them (Keras before 3.4 did), which is ambiguous for a "
            "model with branches. Save it again as .keras or .h5, which name them."
        )
    keys = dict(class_keys(model.layers))
    found = []
    for tensor in file.tensors:
        layer = tensor.layer
        if layer is None:
            key = tensor.name.split("/")[-3]
            layer = keys[key].name if tensor.name.count("layers/") == 1 and key in keys else tensor.name
        layer = names.get(layer, layer)
        if layer not in layers and "/" in layer:  # "base/conv1": conv1 of a model within the model
            group, inner = layer.split("/", 1)
            layer = group if group in layers else inner
        parameter = tensor.parameter
        if isinstance(parameter, int):
            expected = layers.get(layer) or ()
            parameter = expected[parameter] if parameter < len(expected) else f"number {parameter}"
        found.append(Place(tensor, layer, parameter))
    return found


def _of_others(file, layers, names, flattened):
    """Names of PyTorch and of ONNX exporters, or Keras's words in another format."""
    is_graph = any(tensor.role for tensor in file.tensors)  # ONNX: constants that no layer uses are no weights
    tensors = [
        tensor
        for tensor in file.tensors
        if not tensor.name.endswith("num_batches_tracked") and (tensor.role or not is_graph)
    ]
    prefixes = {tensor.name: tensor.name.rpartition(".")[0] for tensor in tensors}
    if all(prefix.startswith("module.") for prefix in prefixes.values()):  # torch.nn.DataParallel's
        prefixes = {name: prefix.removeprefix("module.") for name, prefix in prefixes.items()}
    ranks = {}
    for tensor in tensors:
        ranks.setdefault(prefixes[tensor.name], {})[tensor.name.rpartition(".")[2]] = len(tensor.shape)
    for table in TORCHVISION.values():
        if set(prefixes.values()) <= set(table) and not set(prefixes.values()) & set(layers):
            names = {**table, **names}
    found = []
    for tensor in tensors:
        prefix, last = prefixes[tensor.name], tensor.name.rpartition(".")[2]
        layer = names.get(prefix, prefix)
        if last in TORCH_PARAMETERS and prefix:
            parameter = _torch_parameter(last, ranks[prefix])
        elif last in PARAMETERS and prefix:
            found.append(Place(tensor, layer, last))
            continue
        else:
            pieces = re.split(r"[/.:]", tensor.name)
            known = [names.get(piece, piece) for piece in pieces if names.get(piece, piece) in layers]
            layer = names.get(tensor.name) or (known[0] if known else tensor.name)
            parameter = tensor.role.split()[0] if tensor.role else tensor.name
        found.append(_turned(tensor, layer, parameter, flattened.get(layer) if last in TORCH_PARAMETERS else None))
    return found


def _torch_parameter(last, ranks):
    """PyTorch says weight and bias of everything; batch normalization is told by its statistics or its rank."""
    normalization = "running_mean" in ranks or ranks.get("weight") == 1
    if last == "weight":
        return "gamma" if normalization else "kernel"
    if last == "bias":
        return "beta" if normalization else "bias"
    return {"running_mean": "moving_mean", "running_var": "moving_variance"}[last]


def _turned(tensor, layer, parameter, flattened):
    """The place of a tensor with PyTorch's or ONNX's axes."""
    rank = len(tensor.shape)
    if parameter == "kernel" and rank == 4:
        return Place(tensor, layer, parameter, CONVOLUTION)
    height, width, channels = flattened or (1, 1, 1)
    fits = height * width > 1 and tensor.shape[-1:] == (height * width * channels,)
    if parameter == "kernel" and rank == 2 and tensor.role != "kernel IO":
        return Place(tensor, layer, parameter, DENSE + FLATTENED * fits, flattened if fits else None)
    if parameter in PARAMETERS[2:] and fits:
        return Place(tensor, layer, parameter, VECTOR, flattened)
    return Place(tensor, layer, parameter)


def flattened_inputs(model):
    """{layer name: (H, W, C)} for layers whose inputs are the pixels of a map that a Flatten has put in a row."""
    shapes, found = {}, {}  # symbolic tensor -> (H, W, C)
    for step in model.steps:
        before = step.inputs[0]
        if isinstance(step.layer, Flatten):
            if len(before.shape) == 4:
                shapes[step] = before.shape[1:]
        elif before in shapes and len(step.inputs) == 1:
            if isinstance(step.layer, (Dense, BatchNormalization)):
                found[step.layer.name] = shapes[before]
            if not isinstance(step.layer, Dense):
                shapes[step] = shapes[before]
    return found

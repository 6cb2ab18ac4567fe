"""Which tensor of a file is which parameter of a model, and how its axes have to be turned.

Layers are matched by name and never by where they stand: a shape that happens to fit proves nothing. What a name means
depends on the program that wrote it:

    Keras, minitl   'block1_conv1' kernel       axes as they are here: (KH, KW, C, F), dense (inputs, units)
    PyTorch         'features.0.weight'         (F, C, KH, KW), dense (units, inputs); a map (C, H, W) is flattened in
                                                this order, here in the order (H, W, C): so the inputs of the first
                                                dense layer behind a Flatten have to change places, too
    ONNX            whatever the exporter       the operation that uses a tensor says what it is; convolutions as in
                    likes                       PyTorch; the order behind a Flatten is PyTorch's if PyTorch exported it

PyTorch numbers the layers of a row ('features.0') and has no names for them. `TORCHVISION` says which is which for the
published networks; for others, `names={"features.0": "conv1", ...}` does.
"""

import math
import re
from typing import NamedTuple

from ..errors import ArgumentError, WeightsError
from ..layers import BatchNormalization, Concatenate, Dense, Flatten
from .formats.keras_h5 import class_keys
from .formats.onnx_file import SCALED
from .formats.stored_file import FLOATS, StoredTensor
from .ledger import AS_IT_IS

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
CONVOLUTION = "axes (F, C, KH, KW) -> (KH, KW, C, F)"
DENSE = "axes (units, inputs) -> (inputs, units)"
REORDERED = "inputs in the order (H, W, C) instead of (C, H, W)"
UNCLEAR = "unclear"


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


def places(file, model, names=None, partial=False):
    """The `Place` of every tensor in an open file that is a parameter, in the terms of `model`.

    names     {name in the file: layer name}, for files of programs that call the layers otherwise
    partial   file and model may each have layers that the other one has not

    A tensor whose layer the model does not have gets the file's name for it. Raises WeightsError where two tensors
    would go to one place, or where the file's layers have no names and the model is no plain row.
    """
    layers = {layer.name: tuple(layer.weight_names) for layer in model.layers if layer.weight_names}
    names = names or {}
    if not isinstance(names, dict) or not all(isinstance(each, str) for each in (*names, *names.values())):
        raise ArgumentError(f"names is {names!r}; expected a dictionary {{name in the file: layer name}}.")
    unknown = [name for name in names.values() if name not in layers]
    if unknown:
        raise WeightsError(f"names: the model has no layer '{unknown[0]}' with weights. It has {', '.join(layers)}.")
    if is_kerass(file):
        found = _of_keras(file, model, layers, names, partial)
    else:
        found = _of_others(file, layers, names, flattened_inputs(model))
    seen = {}
    for place in found:
        first = seen.setdefault((place.layer, place.parameter), place)
        if first is not place:
            raise WeightsError(
                f"{file.path}: layer '{place.layer}' has two tensors called '{place.parameter}': '{first.tensor.name}' "
                f"and '{place.tensor.name}'. Tell them apart with names={{'{owner_of(place.tensor)}': ..., ...}}."
            )
    return found


def is_kerass(file):
    """Does the file say which layer a tensor belongs to, or count the layers, as Keras's formats do?"""
    return any(tensor.layer is not None or isinstance(tensor.parameter, int) for tensor in file.tensors)


def owner_of(tensor):
    """Whatever stands before the parameter in a tensor's name: 'layers/conv2d_1', 'base/conv1', 'features.0'."""
    if isinstance(tensor.parameter, int):
        return tensor.name.removesuffix(f"/vars/{tensor.parameter}")
    return tensor.layer or tensor.name.rpartition(".")[0]


def own_places(file):
    """The `Place` of every tensor in the file's own terms, without a model: for looking at it and for comparing. What
    is no floating-point number is left out. Where tensors are only numbered, their shapes tell which is which, as far
    as they do."""
    tensors, ranks = [tensor for tensor in file.tensors if tensor.dtype in FLOATS], {}
    for tensor in tensors:
        ranks.setdefault(owner_of(tensor), []).append(len(tensor.shape))
    groups = _groups(tensors)
    found = []
    for tensor in tensors:
        layer, parameter = tensor.layer, tensor.parameter
        if isinstance(parameter, int):
            parameter = _numbered_parameter(parameter, ranks[owner_of(tensor)])
            layer = layer or owner_of(tensor)
        elif layer is None:
            layer, _, parameter = tensor.name.rpartition(".")
        elif "/" in layer:
            group, inner = layer.split("/", 1)
            layer = inner if len(groups[group]) > 1 else group
        found.append(Place(tensor, layer, str(parameter)))
    return found


def _groups(tensors):
    """{group of the legacy layout: the layers in it}. More than one: it is a model within the model."""
    groups = {}
    for tensor in tensors:
        if tensor.layer:
            group, _, inner = tensor.layer.partition("/")
            groups.setdefault(group, set()).add(inner or group)
    return groups


def _numbered_parameter(number, ranks):
    """Which parameter is number 0, 1, ... of a layer with tensors of these ranks, in Keras's order."""
    if ranks[:1] in ([2], [4]) and ranks[1:] in ([], [1]):
        return ("kernel", "bias")[number] if number < len(ranks) else f"number {number}"
    if ranks == [1, 1, 1, 1]:
        return ("gamma", "beta", "moving_mean", "moving_variance")[number] if number < 4 else f"number {number}"
    return f"number {number}"


def _of_keras(file, model, layers, names, partial):
    """Keras's own names. Only early `.weights.h5` files have none; there its rule is applied, class by class in
    order."""
    nameless = any(tensor.layer is None for tensor in file.tensors)
    if nameless and not model.is_row:
        raise WeightsError(
            f"{file.path}: numbers its layers instead of naming them (Keras before 3.4 did), which is ambiguous for a "
            "model with branches. Save it again as .keras or .h5, which name them."
        )
    keys, groups = dict(class_keys(model.layers)), _groups(file.tensors)
    names = {**_counted_on(file, model, partial), **names}
    found = []
    for tensor in file.tensors:
        layer, owner = tensor.layer, owner_of(tensor)
        if layer is None:
            container, _, key = owner.rpartition("/")
            layer = keys[key].name if container == "layers" and key in keys else owner
        layer = names.get(owner) or names.get(layer, layer)
        if layer not in layers and "/" in layer:  # "base/conv1": conv1 of a model within the model
            group, inner = layer.split("/", 1)
            if group in layers:
                layer = group
            elif inner not in groups:  # else it is only that the group's tensors bear another layer's name
                layer = inner
        parameter = tensor.parameter
        if isinstance(parameter, int):
            expected = layers.get(layer) or ()
            parameter = expected[parameter] if parameter < len(expected) else f"number {parameter}"
        found.append(Place(tensor, layer, parameter))
    return found


def _counted_on(file, model, partial):
    """{name in the file: layer name} for layers that nobody named. Keras counts those of a class through a whole
    session, early versions from 1 on: InceptionV3's convolutions may be conv2d to conv2d_93, conv2d_1 to conv2d_94 (in
    the published files), or conv2d_94 to conv2d_187. Where file and model have as many of a class, each counted without
    a gap, they are the same ones in the same order; unless they may be parts of different models (`partial`), and the
    layers that are called the same fit each other."""
    theirs, ours, translation = {}, {}, {}  # layer name -> shapes of its tensors
    for tensor in file.tensors:
        theirs.setdefault(tensor.layer, []).append(tensor.shape)
    for layer in model.layers:
        ours[layer.name] = [getattr(layer, name).shape for name in layer.weight_names]
    for stem in {layer.class_name for layer in model.layers if layer.weight_names}:
        numbers, own_numbers = _numbers(stem, theirs), _numbers(stem, ours)
        counted = all(each and each[-1] - each[0] == len(each) - 1 for each in (numbers, own_numbers))
        if not counted or len(numbers) != len(own_numbers) or numbers == own_numbers:
            continue
        same = {_numbered(stem, number) for number in set(numbers) & set(own_numbers)}
        if partial and same and all(sorted(theirs[name]) == sorted(ours[name]) for name in same):
            continue
        pairs = zip(numbers, own_numbers)
        translation.update((_numbered(stem, there), _numbered(stem, here)) for there, here in pairs)
    return translation


def _numbers(stem, names):
    """The numbers behind `stem` among `names`, in order: 0 for the stem alone."""
    matches = [re.fullmatch(rf"{stem}(?:_([1-9][0-9]{{0,6}}))?", name or "") for name in names]
    return sorted(int(match[1] or 0) for match in matches if match)


def _numbered(stem, number):
    return f"{stem}_{number}" if number else stem


def _of_others(file, layers, names, flattened):
    """Names of PyTorch and of ONNX exporters, or Keras's words in another format."""
    is_graph = any(tensor.role for tensor in file.tensors)  # ONNX: constants that no layer uses are no weights
    tensors = [
        tensor
        for tensor in file.tensors
        if not tensor.name.endswith("num_batches_tracked") and (tensor.role or not is_graph)
    ]
    prefixes = {tensor.name: tensor.name.rpartition(".")[0] for tensor in tensors}
    if prefixes and all(prefix.startswith("module.") for prefix in prefixes.values()):  # torch.nn.DataParallel's
        prefixes = {name: prefix.removeprefix("module.") for name, prefix in prefixes.items()}
    ranks = {}
    for tensor in tensors:
        ranks.setdefault(prefixes[tensor.name], {})[tensor.name.rpartition(".")[2]] = len(tensor.shape)
    for table in TORCHVISION.values():
        if set(prefixes.values()) <= set(table) and not set(prefixes.values()) & set(layers):
            names = {**table, **names}
    producer = file.listing.texts.get("producer", "")
    found = []
    for tensor in tensors:
        prefix, last = prefixes[tensor.name], tensor.name.rpartition(".")[2]
        keras_word = prefix and last in PARAMETERS and last not in TORCH_PARAMETERS  # both say "bias"
        if keras_word or "kernel" in ranks[prefix]:
            found.append(Place(tensor, names.get(prefix, prefix), last))  # with Keras's axes
            continue
        if last in TORCH_PARAMETERS and prefix:
            layer, parameter, order = names.get(prefix, prefix), _torch_parameter(last, ranks[prefix]), "CHW"
        else:
            layer, parameter = _of_a_path(file, tensor, layers, names), (tensor.role or tensor.name).split()[0]
            order = {"pytorch": "CHW", "tf2onnx": "HWC"}.get(producer)
        if tensor.role == SCALED and layer in layers:
            raise WeightsError(
                f"{file.path}: '{tensor.name}' is scaled by its Gemm operation, which no Dense layer does."
            )
        found.append(_turned(file, tensor, layer, parameter, flattened.get(layer), order))
    return found


def _of_a_path(file, tensor, layers, names):
    """The layer that a path like 'functional_1/block1_conv1/convolution/ReadVariableOp:0' names."""
    if tensor.name in names:
        return names[tensor.name]
    pieces = {names.get(piece, piece) for piece in re.split(r"[/.:]", tensor.name)} & set(layers)
    if len(pieces) > 1:
        raise WeightsError(
            f"{file.path}: '{tensor.name}' may belong to {' or '.join(sorted(pieces))}. Say which with names={{...}}."
        )
    return pieces.pop() if pieces else tensor.name


def _torch_parameter(last, ranks):
    """PyTorch says weight and bias of everything; batch normalization is told by its statistics or its rank."""
    normalization = "running_mean" in ranks or ranks.get("weight") == 1
    if last == "weight":
        return "gamma" if normalization else "kernel"
    if last == "bias":
        return "beta" if normalization else "bias"
    return {"running_mean": "moving_mean", "running_var": "moving_variance"}[last]


def _turned(file, tensor, layer, parameter, flattened, order):
    """The place of a tensor with PyTorch's or ONNX's axes. `order` is that of a flattened map there, if it is known."""
    rank = len(tensor.shape)
    if parameter == "kernel" and rank == 4:
        return Place(tensor, layer, parameter, CONVOLUTION)
    is_kernel = parameter == "kernel" and rank == 2
    conversion = DENSE if is_kernel and tensor.role != "kernel IO" else AS_IT_IS
    if flattened is None or order == "HWC" or not (is_kernel or parameter in PARAMETERS[2:]):
        return Place(tensor, layer, parameter, conversion)
    if flattened == UNCLEAR or order is None:
        raise WeightsError(
            f"{file.path}: in which order '{tensor.name}' expects the pixels of a flattened map cannot be told. "
            f"Set the weights of '{layer}' by hand."
        )
    inputs = tensor.shape[-1] if conversion == DENSE or rank == 1 else tensor.shape[0]
    if inputs != math.prod(flattened):
        return Place(tensor, layer, parameter, conversion)  # the difference in shape will be told
    conversion = f"{conversion}, {REORDERED}" if conversion == DENSE else REORDERED
    return Place(tensor, layer, parameter, conversion, flattened)


def flattened_inputs(model):
    """{layer name: (H, W, C)} for layers whose inputs are the pixels of a map that a Flatten has put in a row; UNCLEAR
    where several maps have been mixed. A map of one pixel has only one order."""
    shapes, found = {}, {}  # symbolic tensor -> (H, W, C)
    for call in model.calls:
        layer, before = call.layer, [shapes.get(tensor) for tensor in call.inputs]
        if isinstance(layer, Flatten):
            shape = call.inputs[0].shape
            after = shape[1:] if len(shape) == 4 and shape[1:3] != (1, 1) else before[0]
        elif isinstance(layer, (Dense, BatchNormalization)):
            is_known = found.setdefault(layer.name, before[0]) == before[0]
            found[layer.name] = before[0] if is_known else UNCLEAR  # called on maps of several shapes
            after = None if isinstance(layer, Dense) else before[0]
        else:
            same = len(set(before)) == 1 and not isinstance(layer, Concatenate)
            after = before[0] if same or not any(before) else UNCLEAR
        shapes.update((tensor, after) for tensor in call.outputs)
    return {name: shape for name, shape in found.items() if shape}

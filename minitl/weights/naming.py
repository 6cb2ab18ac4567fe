"""Which tensor of a file is which parameter of a model, and how its axes have to be turned.

Layers are matched by name and never by where they stand: a shape that happens to fit proves nothing. What a name means
depends on the program that wrote it:

    Keras, minitl   'block1_conv1' kernel       axes as they are here: (KH, KW, C, F), dense (inputs, units)
    PyTorch         'features.0.weight'         (F, C, KH, KW), dense (units, inputs); a map (C, H, W) is flattened in
                                                this order, here in the order (H, W, C): so the inputs of the first
                                                dense layer behind a Flatten have to change places, too
    ONNX            whatever the exporter       the operation that uses a tensor says what it is; convolutions as in
                    likes                       PyTorch; the order behind a Flatten is PyTorch's if PyTorch exported it

What PyTorch calls a layer's parameters, and how it turns their axes, each layer says itself: `torch_names`,
`torch_axes`, and `input_axes` for the order behind a Flatten.

PyTorch numbers the layers of a row ('features.0') and has no names for them. `TORCHVISION` says which is which for the
published networks; for others, `names={"features.0": "conv1", ...}` does.
"""

import math
import re
from typing import NamedTuple

import numpy as np

from ..errors import ArgumentError, WeightsError
from ..layers import BatchNormalization, Dense
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
# Words behind the last dot of a name by which a layer is known as one, whether the model has it or not.
COMMON_WORDS = {word for cls in (Dense, BatchNormalization) for pair in cls.torch_names.items() for word in pair}
REORDERED = "inputs in the order (H, W, C) instead of (C, H, W)"
UNCLEAR = "unclear"


class Place(NamedTuple):
    """Where a tensor goes.

    layer, parameter   in the model
    axes               how they are turned on the way, as "(units, inputs) -> (inputs, units)"; "": they stay
    flattened          (H, W, C) where the inputs are those of a flattened map, and their order changes; or None
    input_axis         the axis of the inputs, then
    """

    tensor: StoredTensor
    layer: str
    parameter: str
    axes: str = ""
    flattened: tuple | None = None
    input_axis: int = 0

    @property
    def conversion(self):
        """What happens on the way, in the ledger's words."""
        done = [f"axes {self.axes}"] * bool(self.axes) + [REORDERED] * bool(self.flattened)
        return ", ".join(done) or AS_IT_IS

    @property
    def shape(self):
        """The shape in the model's terms."""
        shape = self.tensor.shape
        return tuple(shape[axis] for axis in _order(self.axes)) if self.axes else shape

    def convert(self, array):
        """Return the numbers as the model wants them."""
        if self.axes:
            array = array.transpose(_order(self.axes))
        if self.flattened:
            (height, width, channels), axis = self.flattened, self.input_axis
            taken_apart = array.reshape(*array.shape[:axis], channels, height, width, *array.shape[axis + 1 :])
            array = np.moveaxis(taken_apart, axis, axis + 2).reshape(array.shape)
        return array


def _order(axes):
    """Return the axes of the array there in the order in which they stand here: "(a, b) -> (b, a)" gives [1, 0]."""
    there, here = (side.strip("()").split(", ") for side in axes.split(" -> "))
    return [there.index(axis) for axis in here]


def places(file, model, names=None, partial=False):
    """The `Place` of every tensor in an open file that is a parameter, in the terms of `model`.

    names     {name in the file: layer name}, for files of programs that call the layers otherwise
    partial   file and model may each have layers that the other one has not

    A tensor whose layer the model does not have gets the file's name for it. Raises WeightsError where two tensors
    would go to one place, or where the file's layers have no names and the model is no plain row.
    """
    layers = {layer.name: layer for layer in model.layers if layer.weight_names}
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
            expected = layers[layer].weight_names if layer in layers else []
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
    """Names of PyTorch and of ONNX exporters, or Keras's words in another format. `layers` is {name: layer}."""
    is_graph = any(tensor.role for tensor in file.tensors)  # ONNX: constants that no layer uses are no weights
    tensors = [
        tensor
        for tensor in file.tensors
        if not tensor.name.endswith("num_batches_tracked") and (tensor.role or not is_graph)
    ]
    prefixes = {tensor.name: tensor.name.rpartition(".")[0] for tensor in tensors}
    if prefixes and all(prefix.startswith("module.") for prefix in prefixes.values()):  # torch.nn.DataParallel's
        prefixes = {name: prefix.removeprefix("module.") for name, prefix in prefixes.items()}
    words = {}  # what stands before the last dot -> the words behind it
    for tensor in tensors:
        words.setdefault(prefixes[tensor.name], set()).add(tensor.name.rpartition(".")[2])
    for table in TORCHVISION.values():
        if set(prefixes.values()) <= set(table) and not set(prefixes.values()) & set(layers):
            names = {**table, **names}
    producer = file.listing.texts.get("producer", "")
    found = []
    for tensor in tensors:
        prefix, last = prefixes[tensor.name], tensor.name.rpartition(".")[2]
        name = names.get(prefix, prefix)
        layer = layers.get(name) if prefix else None
        torch_words = {theirs: ours for ours, theirs in layer.torch_names.items()} if layer else {}
        only_ours = set(layer.weight_names) - set(torch_words) if layer else set()  # both say "bias"
        if words[prefix] & only_ours:
            found.append(Place(tensor, name, last))  # with Keras's axes
            continue
        if last in torch_words:
            parameter, order = torch_words[last], "CHW"
        elif prefix and last in COMMON_WORDS:
            parameter, order = last, "CHW"  # what the layer does not have, or a layer that the model does not have
        else:
            name, parameter = _of_a_path(file, tensor, layers, names), (tensor.role or tensor.name).split()[0]
            layer, order = layers.get(name), {"pytorch": "CHW", "tf2onnx": "HWC"}.get(producer)
        if layer is None:
            found.append(Place(tensor, name, parameter))
            continue
        if tensor.role == SCALED:
            raise WeightsError(
                f"{file.path}: '{tensor.name}' is scaled by its Gemm operation, which no Dense layer does."
            )
        found.append(_turned(file, tensor, layer, parameter, flattened.get(name), order))
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


def _turned(file, tensor, layer, parameter, flattened, order):
    """The place of a tensor with PyTorch's or ONNX's axes. `order` is that of a flattened map there, if it is known."""
    axes = layer.torch_axes.get(parameter, "")
    if axes and (tensor.role == "kernel IO" or len(tensor.shape) != len(_order(axes))):
        axes = ""  # the operation takes it with our axes; or it does not fit anyhow, which will be told
    place, axis = Place(tensor, layer.name, parameter, axes), layer.input_axes.get(parameter)
    if flattened is None or order == "HWC" or axis is None or axis >= len(place.shape):
        return place
    if flattened == UNCLEAR or order is None:
        raise WeightsError(
            f"{file.path}: in which order '{tensor.name}' expects the pixels of a flattened map cannot be told. "
            f"Set the weights of '{layer.name}' by hand."
        )
    if place.shape[axis] != math.prod(flattened):
        return place  # the difference in shape will be told
    return place._replace(flattened=flattened, input_axis=axis)


def flattened_inputs(model):
    """{layer name: (H, W, C)} for layers whose inputs are the pixels of a map that a Flatten has put in a row; UNCLEAR
    where several maps have been mixed. A map of one pixel has only one order."""
    shapes, found = {}, {}  # symbolic tensor -> (H, W, C)
    for call in model.calls:
        layer, shape, after_shape = call.layer, call.inputs[0].shape, call.outputs[0].shape
        before = [shapes.get(tensor) for tensor in call.inputs]
        if layer.passes_numbers_on and len(shape) == 4 and len(after_shape) == 2 and shape[1:3] != (1, 1):
            after = shape[1:]
        elif layer.weight_names:
            is_known = found.setdefault(layer.name, before[0]) == before[0]
            found[layer.name] = before[0] if is_known else UNCLEAR  # called on maps of several shapes
            after = before[0] if layer.keeps_channels else None  # else its outputs are no pixels any more
        else:
            same = len(set(before)) == 1 and after_shape[1:] == shape[1:]
            after = before[0] if same or not any(before) else UNCLEAR
        shapes.update((tensor, after) for tensor in call.outputs)
    return {name: shape for name, shape in found.items() if shape}

"""The mapping from the tensors of a file to the parameters of a model: names, and the order of the axes.

Layers are matched by name and never by position: a shape that happens to fit proves nothing. The meaning of a name
depends on the program that wrote the file:

    Keras, minitl   'block1_conv1' kernel       the same axes as here: (KH, KW, C, F), dense (inputs, units)
    PyTorch         'features.0.weight'         (F, C, KH, KW), dense (units, inputs). PyTorch flattens a feature map
                                                in the order (C, H, W), minitl in the order (H, W, C). So the inputs
                                                of the first dense layer behind a Flatten are reordered, too
                    'encoder.layer.0...'        a BERT's names: see `bert_names`
                    'lstm.weight_ih_l0'         a recurrent layer's: see `recurrent_names`
    ONNX            chosen by the exporter      the operation that uses a tensor says what the tensor is; convolutions
                                                as in PyTorch; the order behind a Flatten is PyTorch's if PyTorch
                                                exported the file

Each layer class itself states what PyTorch calls its parameters and how PyTorch orders their axes: `torch_names` and
`torch_axes`, and `input_axes` for the order behind a Flatten.

PyTorch numbers the layers of a Sequential ('features.0'). `known_names` translates the names of published networks; for
other networks, the caller does: `names={"features.0": "conv1", ...}`.
"""

import math
import re

from ..errors import ArgumentError, WeightsError
from ..layers import BatchNormalization, Dense, DepthwiseConv2D
from ..layers.channels_first import ChannelsFirst
from .bert_names import is_bert, places_of_bert
from .formats.keras_h5 import class_keys
from .formats.onnx_file import SCALED
from .formats.stored_file import FLOATS, WITHIN
from .known_names import TORCHVISION, match_counted_names, without_wrappers
from .place import Place, permutation
from .recurrent_names import recurrent_places

__all__ = ["TORCHVISION", "Place", "flattened_inputs", "has_keras_layout", "own_places", "owner_of", "places"]

# Words that, behind the last dot of a name, mark the tensor of a layer, even of a layer that the model does not have.
COMMON_WORDS = {word for cls in (Dense, BatchNormalization) for pair in cls.torch_names.items() for word in pair}
UNCLEAR = "unclear"
# The order in which the network of an ONNX file flattens a map, by the program that wrote it.
ORDERS = {"pytorch": "CHW", "tf2onnx": "HWC", "minitl": "HWC"}


def places(file, model, names=None, partial=False):
    """Return the `Place` in `model` of every tensor of an open file that is a parameter.

    names     {name in the file: layer name}, for files whose layers have other names
    partial   the file may have layers that the model does not have, and the reverse

    A place keeps the file's layer name if the model has no such layer. Raises WeightsError if two tensors would go to
    one place, or if the file's layers have no names and the model is no plain row of layers."""
    layers = {layer.name: layer for layer in model.layers if layer.weight_names}
    names = names or {}
    if not isinstance(names, dict) or not all(isinstance(each, str) for each in (*names, *names.values())):
        raise ArgumentError(f"names is {names!r}; expected a dictionary {{name in the file: layer name}}.")
    unknown = [name for name in names.values() if name not in layers]
    if unknown:
        raise WeightsError(f"names: the model has no layer '{unknown[0]}' with weights. It has {', '.join(layers)}.")
    if has_keras_layout(file):
        found = _places_by_layer(file, model, layers, names, partial)
    else:
        of_bert = places_of_bert(file, layers) if is_bert(layers) and not names else []
        found = of_bert or _places_by_tensor_name(file, layers, names, flattened_inputs(model))
    seen = {}
    for place in found:
        first = seen.setdefault((place.layer, place.parameter), place)
        if first is not place:
            raise WeightsError(
                f"{file.path}: layer '{place.layer}' has two tensors called '{place.parameter}': '{first.tensor.name}' "
                f"and '{place.tensor.name}'. Tell them apart with names={{'{owner_of(place.tensor)}': ..., ...}}."
            )
    return found


def has_keras_layout(file):
    """Return whether the file states each tensor's layer, or counts the layers, as Keras's formats do."""
    return any(tensor.layer is not None or isinstance(tensor.parameter, int) for tensor in file.tensors)


def owner_of(tensor):
    """Return the part of a tensor's name before the parameter: 'layers/conv2d_1', 'base/conv1', 'features.0'."""
    if is_of_part(tensor):
        return tensor.name.removesuffix(f"/{tensor.parameter}")
    if isinstance(tensor.parameter, int):
        return tensor.name.removesuffix(f"/vars/{tensor.parameter}")
    return (tensor.layer or tensor.name.rpartition(".")[0]).replace(WITHIN, "/")


def is_of_part(tensor):
    """Return whether the parameter is the path of a part of the layer in Keras 3's layout, as "cell/vars/0"."""
    return "/vars/" in str(tensor.parameter)


def own_places(file):
    """Return the `Place` of every floating-point tensor by the file's own names, without a model.

    Where a layer's tensors are only numbered, their ranks tell kernel, bias and so on apart, where that is possible.
    """
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
        elif WITHIN in layer:
            group, inner = layer.split(WITHIN, 1)
            layer = inner if len(groups[group]) > 1 and not is_of_part(tensor) else group
        found.append(Place(tensor, layer, str(parameter)))
    return found


def _groups(tensors):
    """Return {group of the legacy layout: its layers}. A group with several layers is a model within the model."""
    groups = {}
    for tensor in tensors:
        if tensor.layer:
            group, _, inner = tensor.layer.partition(WITHIN)
            groups.setdefault(group, set()).add(inner or group)
    return groups


def _numbered_parameter(number, ranks):
    """Return the name of the parameter with this number, in Keras's order, of a layer with tensors of these ranks."""
    if ranks[:1] in ([2], [4]) and ranks[1:] in ([], [1]):
        return ("kernel", "bias")[number] if number < len(ranks) else f"number {number}"
    if ranks == [1, 1, 1, 1]:
        return ("gamma", "beta", "moving_mean", "moving_variance")[number] if number < 4 else f"number {number}"
    return f"number {number}"


def _places_by_layer(file, model, layers, names, partial):
    """Return the `Place` of every tensor of a file that states the layers, as Keras's formats do.

    Early `.weights.h5` files name no layers. There, Keras's rule applies: each class is counted in the model's order.
    """
    nameless = any(tensor.layer is None for tensor in file.tensors)
    if nameless and not model.is_row:
        raise WeightsError(
            f"{file.path}: numbers its layers instead of naming them (Keras before 3.4 did), which is ambiguous for a "
            "model with branches. Save it again as .keras or .h5, which name them."
        )
    keys, groups = dict(class_keys(model.layers)), _groups(file.tensors)
    names = {**match_counted_names(file, model, partial), **names}
    found = []
    for tensor in file.tensors:
        layer, owner = tensor.layer, owner_of(tensor)
        if layer is None:
            container, _, key = owner.rpartition("/")
            layer = keys[key].name if container == "layers" and key in keys else owner
        layer = names.get(owner) or names.get(layer, layer)
        if layer not in layers and WITHIN in layer:  # "base//conv1": conv1 of a model within the model
            layer = _layer_within(layer, layers, groups, names)
        found.append(Place(tensor, layer, tensor.parameter))
    return [place._replace(parameter=_parameter(place, layers.get(place.layer), found)) for place in found]


def _parameter(place, layer, places):
    """Return the name of the parameter in the model's layer (None: it has no such layer) for a tensor of a file of
    Keras, in which it has a number, the path of a part of the layer, or a name.

    The layers within a layer may have other names in the file. Then their tensors are told apart by their order: of two
    that are called 'kernel', the first belongs to the first of the layer's parameters that end in 'kernel'.
    """
    parameter, expected = place.tensor.parameter, layer.weight_names if layer else []
    within = re.fullmatch(r".*/vars/([0-9]{1,4})", str(parameter))
    if within:
        numbered = {path: name for name, (_, path) in layer.keras_paths().items()} if layer else {}
        if parameter in numbered or layer is not None and layer.name == (place.tensor.layer or "").split(WITHIN)[0]:
            return numbered.get(parameter, parameter)
        parameter = int(within[1])
    if isinstance(parameter, int):
        return expected[parameter] if parameter < len(expected) else f"number {parameter}"
    if layer is None or parameter in expected or WITHIN not in (place.tensor.layer or ""):
        return parameter
    alike = [each.tensor for each in places if each.layer == place.layer and each.tensor.parameter == parameter]
    own = [name for name, (path, _) in layer.keras_paths().items() if path.split("/")[-1] == parameter]
    position = alike.index(place.tensor)
    return own[position] if len(own) == len(alike) else parameter


def _layer_within(name, layers, groups, names):
    """Return the layer of the model for 'base//conv1', 'base//base/conv1' or, in DenseNet, 'base//conv1/conv'."""
    group, inner = name.split(WITHIN, 1)
    if names.get(group, group) in layers:  # the parts of a layer, such as the two directions of a Bidirectional
        return names.get(group, group)
    pieces = inner.split("/")
    for start in range(len(pieces)):
        found = "/".join(pieces[start:])
        found = names.get(f"{group}/{found}", names.get(found, found))
        if found in layers and found not in groups:
            return found
    # Not in the model: the last piece, unless the group's tensors merely bear another layer's name.
    return f"{group}/{inner}" if pieces[-1] in groups else pieces[-1]


def _places_by_tensor_name(file, layers, names, flattened):
    """Return the `Place` of every tensor of a file that names only tensors, as PyTorch and ONNX exporters do.

    `layers` is {name: layer}; `flattened` is what `flattened_inputs` returned.
    """
    is_graph = any(tensor.role for tensor in file.tensors)  # ONNX: a constant that no layer uses is no weight
    tensors = [t for t in file.tensors if (t.role or not is_graph) and not t.name.endswith("num_batches_tracked")]
    prefixes = {tensor.name: tensor.name.rpartition(".")[0] for tensor in tensors}
    prefixes, known = without_wrappers(prefixes, {*names, *layers})
    names = {**known, **names}
    words = {}  # the name up to the last dot -> the words behind it
    for tensor in tensors:
        words.setdefault(prefixes[tensor.name], set()).add(tensor.name.rpartition(".")[2])
    producer = file.listing.texts.get("producer", "")
    is_recurrent = not is_graph and any(layer.torch_cells for layer in layers.values())
    found = recurrent_places(file, tensors, prefixes, layers, names) if is_recurrent else []
    known = {tensor.name for place in found for tensor in place.tensors}
    for tensor in (each for each in tensors if each.name not in known):
        prefix, last = prefixes[tensor.name], tensor.name.rpartition(".")[2]
        name = names.get(prefix, prefix)
        layer = layers.get(name) if prefix else None
        torch_words = {theirs: ours for ours, theirs in layer.torch_names.items()} if layer else {}
        only_ours = set(layer.weight_names) - set(torch_words) if layer else set()  # PyTorch says "bias", too
        if words[prefix] & only_ours:
            found.append(Place(tensor, name, last))  # with Keras's axes
            continue
        if last in torch_words:
            parameter, order = torch_words[last], "CHW"
        elif prefix and last in COMMON_WORDS:
            parameter, order = last, "CHW"  # the layer lacks this parameter, or the model lacks the layer
        else:
            name, parameter = _layer_in_path(file, tensor, layers, names), (tensor.role or tensor.name).split()[0]
            layer, order = layers.get(name), ORDERS.get(producer)
        if layer is None:
            found.append(Place(tensor, name, parameter))
            continue
        if tensor.role == SCALED:
            raise WeightsError(
                f"{file.path}: '{tensor.name}' is scaled by its Gemm operation (alpha or beta is not 1), and a Dense "
                f"layer does not scale. Set the weights of '{layer.name}' by hand."
            )
        found.append(_foreign_place(file, tensor, layer, parameter, flattened.get(name), order))
    return found


def _layer_in_path(file, tensor, layers, names):
    """Return the layer named in a path like 'functional_1/block1_conv1/convolution/ReadVariableOp:0'."""
    if tensor.name in names:
        return names[tensor.name]
    pieces = {names.get(piece, piece) for piece in re.split(r"[/.:]", tensor.name)} & set(layers)
    if len(pieces) > 1:
        raise WeightsError(
            f"{file.path}: '{tensor.name}' may belong to {' or '.join(sorted(pieces))}. Choose one with names={{...}}."
        )
    return pieces.pop() if pieces else tensor.name


def _foreign_place(file, tensor, layer, parameter, flattened, order):
    """Return the `Place` of a tensor with PyTorch's or ONNX's axes.

    flattened   the layer's entry in `flattened_inputs`, or None
    order       the order in which the file's program flattens: "CHW", "HWC", or None if it is unknown
    """
    axes = layer.torch_axes.get(parameter, "")
    window = len(tensor.shape) == 4 and bool(axes) and len(permutation(axes)) == 2
    if axes and not window and (tensor.role == "kernel IO" or len(tensor.shape) != len(permutation(axes))):
        axes = ""  # the tensor already has minitl's axes, or a wrong rank, which the caller reports
    place, axis = Place(tensor, layer.name, parameter, axes, window=window), layer.input_axes.get(parameter)
    if isinstance(layer, DepthwiseConv2D) and parameter == "kernel":
        return _depthwise_place(place, layer)
    if flattened is None or order == "HWC" or axis is None or axis >= len(place.shape):
        return place
    if flattened == UNCLEAR or order is None:
        raise WeightsError(
            f"{file.path}: the order in which '{tensor.name}' expects the pixels of a flattened map is unknown. "
            f"Set the weights of '{layer.name}' by hand."
        )
    if place.shape[axis] != math.prod(flattened):
        return place  # the caller reports the difference in shape
    return place._replace(flattened=flattened, input_axis=axis)


def _depthwise_place(place, layer):
    """Return the place of a depthwise kernel (C*M, 1, KH, KW), whose C*M outputs become (C, M) here."""
    shape, own = place.shape, layer.kernel.shape
    is_split = own[3] > 1 and shape == (*own[:2], own[2] * own[3], 1)
    return place._replace(heads=own) if is_split else place


def flattened_inputs(model):
    """Return {layer name: (H, W, C)} for the layers whose inputs are the pixels of a flattened feature map.

    UNCLEAR stands for several maps that were mixed, and for the maps of a model that has the channels first. A map of
    one pixel has only one order and is left out."""
    shapes, found = {}, {}  # shapes: symbolic tensor -> (H, W, C)
    has_channels_first = any(isinstance(layer, ChannelsFirst) for layer in model.layers)
    for call in model.calls:
        layer, shape, after_shape = call.layer, call.inputs[0].shape, call.outputs[0].shape
        before = [shapes.get(tensor) for tensor in call.inputs]
        if layer.passes_numbers_on and len(shape) == 4 and len(after_shape) == 2 and shape[1:3] != (1, 1):
            after = UNCLEAR if has_channels_first else shape[1:]
        elif layer.passes_numbers_on and len(shape) == 4 and after_shape[-1] != shape[-1]:
            after = UNCLEAR  # a Reshape that puts numbers of several pixels into one row
        elif layer.weight_names:
            is_known = found.setdefault(layer.name, before[0]) == before[0]
            found[layer.name] = before[0] if is_known else UNCLEAR  # UNCLEAR: called on maps of several shapes
            after = before[0] if layer.keeps_channels else None  # None: the outputs are no pixels any more
        else:
            same = len(set(before)) == 1 and after_shape[1:] == shape[1:]
            after = before[0] if same or not any(before) else UNCLEAR
        shapes.update((tensor, after) for tensor in call.outputs)
    return {name: shape for name, shape in found.items() if shape}

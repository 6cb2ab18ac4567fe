"""A model as ONNX: its calls in order, with any number of examples in a batch.

The file states opset 17 and IR version 8, which every ONNX Runtime since 1.12 takes. Inputs and outputs have minitl's
shapes and axes, (N, H, W, C), and the names of the model's. Numbers with a point are float32. The file's properties
hold what the model's metadata say: the names of its classes, and how images are prepared for it.
"""

import json

import numpy as np

from ..data.preparation import PREPARATIONS
from ..errors import ArgumentError, CheckpointError
from ..files.atomic import replacing
from ..version import __version__
from .onnx_layers import nodes_of
from .onnx_nodes import IR, OPSET, Nodes, Value, required_onnx

MOST_BYTES = 2**31 - 2**20  # the limit of a file of protocol buffers, with room for the graph itself
SEEN = 4096  # colours on which a preparation is tried


def write_onnx(model, path, preprocessing=False):
    """Write a model as an ONNX file. `preprocessing` is that of `export`."""
    onnx = required_onnx(path)
    size = sum(4 * array.size for layer in model.layers for array in layer.get_weights())
    if size > MOST_BYTES:
        raise ArgumentError(f"{path}: the weights take {size / 1e9:.1f} GB, and an ONNX file can hold 2 GB.")
    proto = onnx_model(onnx, model, preprocessing)

    def check(temporary):
        found = onnx.load(temporary)
        onnx.checker.check_model(found)
        if found != proto:
            raise CheckpointError(f"{path}: read back differently; nothing was saved.")

    with replacing(path, check) as temporary:
        onnx.save(proto, temporary)


def onnx_model(onnx, model, preprocessing=False):
    """Return a model as an `onnx.ModelProto`."""
    nodes, values, inputs = Nodes(onnx), {}, []
    for tensor, name in zip(model.inputs, model.input_structure.names):
        nodes.layer = tensor.layer.name
        inputs.append(_declared(onnx, nodes, name, tensor))
        values[tensor] = Value(len(tensor.shape), name)
    if preprocessing:
        _prepare(nodes, model, values)
    for call in model.calls:
        if call.training and (call.layer.random or call.layer.uses_batch):
            raise ArgumentError(f"layer '{call.layer.name}' was called with training=True; ONNX has inference alone.")
        found = nodes_of(nodes, call, [values[tensor] for tensor in call.inputs])
        values.update(zip(call.outputs, found, strict=True))
    outputs = []
    taken = set(model.input_structure.names)
    for tensor, name in zip(model.outputs, model.output_structure.names):
        name = f"{name}_output" if name in taken else name
        nodes.nodes.append(onnx.helper.make_node("Identity", [nodes.last(values[tensor])], [name], name=f"{name}/end"))
        outputs.append(_declared(onnx, nodes, name, tensor))
    graph = onnx.helper.make_graph(nodes.nodes, model.name, inputs, outputs, nodes.constants)
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR)
    proto.producer_name, proto.producer_version = "minitl", __version__
    about = {**model.metadata, "prepares_images": bool(preprocessing)}
    onnx.helper.set_model_props(
        proto, {key: each if isinstance(each, str) else json.dumps(each) for key, each in about.items()}
    )
    return proto


def _declared(onnx, nodes, name, tensor):
    """Return the declaration of an input or output: its name, type and shape. The batch is "N", and a size that is not
    known has a name of its own."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    sizes = [f"{name}_{axis}" if size is None else size for axis, size in enumerate(tensor.shape)]
    return onnx.helper.make_tensor_value_info(name, kind, ["N", *sizes[1:]])


def _prepare(nodes, model, values):
    """Put the preparation of images in front of the model: one product with a matrix (3, 3), and a sum.

    Each known preparation exchanges, scales and shifts channels, which is such a matrix. It is read off the colours
    black, red, green and blue, and tried on others, so that a preparation of another kind is refused.
    """
    name = model.metadata.get("preprocessing")
    if name not in PREPARATIONS:
        raise ArgumentError(
            f"model '{model.name}': its metadata name no known preparation of images, found {name!r}; expected one of "
            f"{', '.join(PREPARATIONS)}. Set model.metadata['preprocessing'], or leave out preprocessing=True."
        )
    prepare, (images,) = PREPARATIONS[name].function, model.inputs
    colours = np.vstack([np.zeros(3), 255 * np.eye(3)]).astype(np.float32)
    black, *others = prepare(colours[None])[0].astype(np.float64)
    matrix = (np.array(others) - black) / 255  # (3, 3): a row for each channel of the image
    seen = np.random.default_rng(0).uniform(0, 255, (1, SEEN, 3)).astype(np.float32)
    if np.abs(seen @ matrix + black - prepare(seen)).max() > 1e-3:
        raise ArgumentError(f"the preparation of {name} is no sum of channels; export the model without it.")
    nodes.layer = "preprocessing"
    matrix = np.where(np.abs(matrix - np.round(matrix)) < 1e-6, np.round(matrix), matrix)  # exactly 0 and 1
    y = nodes.add("Add", nodes.add("MatMul", values[images].names["last"], matrix), black)
    values[images] = Value(4, y)

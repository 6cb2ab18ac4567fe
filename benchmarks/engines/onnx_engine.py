"""The programs in ONNX Runtime, on models that are written with the `onnx` package.

`options["network"]` names another network than VGG16's base, and `options["threads"]` the number of threads.
"""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from minitl import layers

from .. import networks


def base_bytes(size):
    """Return VGG16's base as an ONNX file."""
    nodes, weights, x = [], [], "images"
    for b, block in enumerate(networks.base_weights(), start=1):
        for c, (kernel, bias) in enumerate(block, start=1):
            name = f"block{b}_conv{c}"
            weights.append(numpy_helper.from_array(kernel.transpose(3, 2, 0, 1).copy(), f"{name}_kernel"))
            weights.append(numpy_helper.from_array(bias, f"{name}_bias"))
            inputs = [x, f"{name}_kernel", f"{name}_bias"]
            nodes.append(helper.make_node("Conv", inputs, [name], kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
            nodes.append(helper.make_node("Relu", [name], [f"{name}_relu"]))
            x = f"{name}_relu"
        nodes.append(helper.make_node("MaxPool", [x], [f"block{b}_pool"], kernel_shape=[2, 2], strides=[2, 2]))
        x = f"block{b}_pool"
    return model_bytes("vgg16_base", nodes, weights, size, x)


def model_bytes(name, nodes, weights, size, output):
    """Return an ONNX file of these nodes and weights."""
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, size, size])
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    model = helper.make_model(
        helper.make_graph(nodes, name, [images], [result], weights), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 9  # ONNX Runtime reads older versions than `onnx` writes
    return model.SerializeToString()


def published_bytes(name, size):
    """Return a model of minitl as an ONNX file, layer by layer. ONNX Runtime folds and fuses layers by itself."""
    model = networks.published(name, size)
    nodes, weights, names = [], [], {model.input: "images"}
    for call in model.calls:
        layer = call.layer
        kind, arrays, attributes = as_node(layer)
        inputs = [names[tensor] for tensor in call.inputs]
        for k, array in enumerate(arrays):
            weights.append(numpy_helper.from_array(np.ascontiguousarray(array), f"{layer.name}/{k}"))
            inputs.append(f"{layer.name}/{k}")
        nodes.append(helper.make_node(kind, inputs, [layer.name], **attributes))
        names[call.outputs[0]] = layer.name
    nodes.append(helper.make_node("Softmax", [names[model.output]], ["result"], axis=1))
    return model_bytes(name, nodes, weights, size, "result")


def as_node(layer):
    """Return one layer as (ONNX operator, weights, attributes)."""
    if isinstance(layer, layers.Conv2D):
        arrays = [layer.kernel.transpose(3, 2, 0, 1)] + ([layer.bias] if layer.use_bias else [])
        return "Conv", arrays, {"kernel_shape": layer.kernel_size, **strides_and_padding(layer)}
    if isinstance(layer, layers.DepthwiseConv2D):
        attributes = {"kernel_shape": layer.kernel_size, "group": layer.kernel.shape[2], **strides_and_padding(layer)}
        return "Conv", [layer.kernel.transpose(2, 3, 0, 1)], attributes
    if isinstance(layer, layers.Activation) and layer.activation == "relu6":
        return "Clip", [np.float32(0), np.float32(6)], {}
    if isinstance(layer, layers.BatchNormalization):
        ones = np.ones_like(layer.moving_mean)
        arrays = [layer.gamma if layer.scale else ones, layer.beta, layer.moving_mean, layer.moving_variance]
        return "BatchNormalization", arrays, {"epsilon": layer.epsilon}
    if isinstance(layer, layers.ZeroPadding2D):
        (top, bottom), (left, right) = layer.padding
        return "Pad", [np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)], {}
    if isinstance(layer, layers.MaxPooling2D):
        return "MaxPool", [], {"kernel_shape": layer.pool_size, **strides_and_padding(layer)}
    if isinstance(layer, layers.AveragePooling2D):
        return "AveragePool", [], {"kernel_shape": layer.pool_size, **strides_and_padding(layer)}
    if isinstance(layer, layers.GlobalAveragePooling2D):
        return "ReduceMean", [], {"axes": [2, 3], "keepdims": 0}
    if isinstance(layer, layers.Dense):
        return "Gemm", [layer.kernel, layer.bias], {}
    kinds = {layers.Activation: "Relu", layers.Add: "Add", layers.Concatenate: "Concat"}
    return kinds[type(layer)], [], {"axis": 1} if isinstance(layer, layers.Concatenate) else {}


def strides_and_padding(layer):
    """Return the strides and the padding of a layer as ONNX attributes."""
    return {"strides": layer.strides, "auto_pad": "SAME_UPPER" if layer.padding == "same" else "VALID"}


def inference(options):
    """Return a function that runs a network on a batch."""
    size = options["size"]
    data = published_bytes(options["network"], size) if "network" in options else base_bytes(size)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.get("threads", 0)  # 0: as many as there are cores
    session = onnxruntime.InferenceSession(data, settings, providers=["CPUExecutionProvider"])
    x = networks.images(options["batch"], size).transpose(0, 3, 1, 2).copy()

    def forward():
        y = session.run(None, {"images": x})[0]
        return y.transpose(0, 2, 3, 1) if y.ndim == 4 else y

    return forward

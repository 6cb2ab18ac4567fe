"""ONNX Runtime, on a model written with the `onnx` package."""

import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from .. import networks


def model_bytes(size):
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
    graph = helper.make_graph(
        nodes,
        "vgg16_base",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, size, size])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, None)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9  # what ONNX Runtime reads lags behind what `onnx` writes
    return model.SerializeToString()


def inference(options):
    session = onnxruntime.InferenceSession(model_bytes(options["size"]), providers=["CPUExecutionProvider"])
    x = networks.images(options["batch"], options["size"]).transpose(0, 3, 1, 2).copy()
    return lambda: session.run(None, {"images": x})[0].transpose(0, 2, 3, 1)

"""The programs in minitl.

`options["algorithm"]` forces a convolution algorithm; `options["network"]` names another network than VGG16's base.
"""

import time
import tracemalloc
from functools import partial

import numpy as np

from minitl import kernels, transfer
from minitl.applications import VGG16
from minitl.graph import graph
from minitl.graph.fusion import Fused
from minitl.initializers import weights_will_be_loaded
from minitl.kernels import memory, parallel
from minitl.kernels.suppression import non_maximum_suppression
from minitl.layers import Conv2D, Dense, Dropout, Flatten, GlobalAveragePooling2D
from minitl.losses import SparseCategoricalCrossentropy
from minitl.models import Model
from minitl.optimizers import SGD, Adam

from .. import networks


def base(size):
    """Return VGG16's base."""
    with weights_will_be_loaded():
        model = VGG16(weights=None, include_top=False, input_shape=(size, size, 3))
    arrays = [array for block in networks.base_weights() for pair in block for array in pair]
    model.set_weights(arrays)
    return model


def network(options):
    """Return the model that the options name."""
    size = options["size"]
    return networks.published(options["network"], size) if "network" in options else base(size)


def inference(options):
    """Return a function that runs a network on a batch; `options["without"]` switches one idea off."""
    kernels.set_convolution(options.get("algorithm", "auto"))
    x = networks.images(options["batch"], options["size"])
    model = network(options)
    without = options.get("without")
    if without == "shared work":  # BLAS uses its own threads then, and all other work one
        parallel._openblas, parallel._allowed = None, 1
    elif without == "reused memory":
        memory.SMALLEST = memory.SMALLEST_SCRATCH = float("inf")
    elif without == "joined steps":
        graph.fused = lambda calls, inputs, outputs, may_be_fused: calls

    def forward():
        if without == "kept transforms":
            for layer in model.layers:
                layer.forget_prepared()
        return model.forward(x, gradients="none")

    return forward


def training(options):
    """Return a function that runs one training step."""
    kernels.set_convolution(options.get("algorithm", "auto"))
    model = trained(options)
    x, t = networks.images(options["batch"], options["size"]), networks.labels(options["batch"])
    criterion, optimizer = SparseCategoricalCrossentropy(), SGD(learning_rate=1e-4, momentum=0.9)

    def step():
        loss = criterion.forward(t, model.forward(x, training=True))
        model.backward(criterion.backward())
        optimizer.step(model)
        return loss

    return step


def trained(options):
    """Return the model that `training` trains, partly frozen as the options say."""
    if "network" in options:
        model = networks.published(options["network"], options["size"])
        if options["part"] == "last stage":  # as in `minitl finetune`, batch normalizations stay frozen
            transfer.freeze(model)
            transfer.unfreeze(model, after=networks.last_stage(options["network"]))
        return model
    convolutions = base(options["size"])
    head = Dense(networks.CLASSES, activation="softmax")
    model = Model(convolutions.input, head(GlobalAveragePooling2D()(convolutions.output)))
    head.set_weights([networks.dense_weights(512, networks.CLASSES), np.zeros(networks.CLASSES, np.float32)])
    if options["part"] != "all layers":
        transfer.freeze(model, until="block4_pool" if options["part"] == "last block" else "block5_pool")
    return model


def recipe(options):
    """Return a function that runs ten epochs of transfer learning."""
    size, count = options["size"], options["images"]
    x, t = networks.images(count, size), networks.labels(count)

    def program():
        convolutions = base(size)
        convolutions.trainable = False
        y = Flatten()(convolutions.output)
        y = Dropout(0.5)(Dense(1024, activation="relu")(y))
        model = Model(convolutions.input, Dense(networks.CLASSES, activation="softmax")(y))
        model.compile(optimizer=Adam(1e-4), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        fifth = count // 5
        return model.fit(
            x[fifth:], t[fifth:], 32, options["epochs"], 0, validation_data=(x[:fifth], t[:fifth])
        ).history["loss"]

    return program


def suppression(options):
    """Return a function that suppresses boxes."""
    boxes, scores = networks.boxes(options["boxes"])
    return lambda: non_maximum_suppression(boxes, scores, networks.IOU_THRESHOLD, most=None)


def convolution(options):
    """Return a function that runs one 3x3 convolution, for the curves: (batch, pixels, channels -> channels)."""
    kernels.set_convolution(options.get("algorithm", "auto"))
    rng = np.random.default_rng(0)
    pixels, channels = options["pixels"], options["channels"]
    x = rng.standard_normal((options["batch"], pixels, pixels, channels), np.float32)
    layer = Conv2D(channels, 3, padding="same", trainable=False)
    layer.forward(x)
    return lambda: layer.forward(x)


def layers(options):
    """Return a function that measures a network layer by layer: {"network": seconds, "rows": [{layer, ...}]}.

    A convolution is measured as it runs in inference: with the layers that are computed with it (`graph.fusion`).
    """
    kernels.set_convolution(options.get("algorithm", "auto"))
    model, x = network(options), networks.images(options["batch"], options["size"])

    def measure():
        whole = least_seconds(lambda: model.forward(x, gradients="none"), runs=2)
        rows, values = [], {model.input: x}
        operations = model._operations(set(), training=False)
        last_user = {tensor: operation for operation in operations for tensor in operation.inputs}
        for operation in operations:
            arrays = [values[tensor] for tensor in operation.inputs]
            row, values[operation.outputs[0]] = measured(operation, arrays)
            rows.append(row)
            for tensor in set(operation.inputs):
                if last_user[tensor] is operation:
                    del values[tensor]
        return {"network": whole / len(x), "rows": rows}

    return measure


def measured(operation, arrays):
    """Return the row of an operation of a graph (a call, or a `Fused`) on its input arrays, and its output."""
    if isinstance(operation, Fused):
        layer, members, run = operation.convolution, operation.layers, lambda: operation.forward(*arrays)
    else:
        layer, members = operation.layer, [operation.layer]
        run = partial(layer.forward, arrays if layer.merges else arrays[0])
    seconds = least_seconds(run)
    memory.release()
    layer.forget()
    tracemalloc.start()
    y = run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    layer.forget()
    weights = sum(weight.nbytes for member in members for weight in member.weights)
    row = {
        "layer": layer.name,
        "like": description(operation, layer, arrays[0].shape, y.shape),
        "seconds": seconds / len(y),
        "flops": 0 if layer.merges else layer.flops(arrays[0].shape),
        "bytes": (sum(array.nbytes for array in arrays) + y.nbytes + weights) / len(y),
        "peak": peak,
    }
    return row, y


def least_seconds(run, runs=3):
    """Return the shortest time of a few runs, after one to warm up."""
    run()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def description(operation, layer, shape, output_shape):
    """Return the size of an operation as text: those with equal texts do equal work.

    Of a convolution, it is the size of the input, of which `shape` is the shape; of all others, that of the output.
    """
    if not isinstance(layer, Conv2D):
        return f"{type(layer).__name__} {'x'.join(map(str, output_shape[1:]))}"
    (kh, kw, c, f), stride = layer.kernel.shape, layer.strides[0]
    text = f"{kh}x{kw}{f'/{stride}' if stride > 1 else ''} {shape[1]}x{shape[2]} {c} -> {f}"
    if isinstance(operation, Fused):
        text += " + average" * (operation.average is not None) + " + add" * (len(operation.inputs) > 1)
        text += " + pool" * operation.pool
    return text


def accuracy(options):
    """Return a function that computes the errors against the same model in float64, by im2col: those of each array.

    The arrays are the output alone or, with `options["gradient"]`, the gradients of all parameters. The error of an
    array is its largest difference, divided by its largest number.
    """

    def compare():
        kernels.set_convolution(options.get("algorithm", "auto"))
        model, x = network(options), networks.images(options["batch"], options["size"])
        compute = gradients if options.get("gradient") else outputs
        found = compute(model, x)
        for layer in model.layers:
            for name in layer.weight_names:
                setattr(layer, name, getattr(layer, name).astype(np.float64))
        kernels.set_convolution("im2col")
        exact = compute(model, x.astype(np.float64))
        kernels.set_convolution("auto")
        assert all(each.dtype == np.float64 for each in exact)
        return [float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, exact)]

    return compare


def outputs(model, x):
    """Return the outputs of a model with one, as a list."""
    return [model.forward(x, gradients="none")]


def gradients(model, x):
    """Return the gradients of all parameters, for a fixed upstream gradient and with fixed statistics."""
    y = model.forward(x)
    model.backward(np.random.default_rng(4).standard_normal(y.shape).astype(y.dtype))
    return [layer.gradients[name] for layer in model.layers for name in layer.trainable_names]


def naive(options):
    """Return a function that runs the loop twin of the convolution, on a layer small enough for a second."""
    x, kernel = np.ones((1, 12, 12, 8), np.float32), np.ones((3, 3, 8, 8), np.float32)
    return lambda: kernels.conv2d_naive(x, kernel, padding="valid")


NAIVE_FLOPS = 2 * 10 * 10 * 9 * 8 * 8

"""The programs in minitl.

`options["algorithm"]` forces a convolution algorithm; `options["network"]` names another network than VGG16's base.
"""

import numpy as np

from minitl import kernels, transfer
from minitl.applications import VGG16
from minitl.graph import graph
from minitl.initializers import weights_will_be_loaded
from minitl.kernels import memory, parallel
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


def inference(options):
    """Return a function that runs a network on a batch; `options["without"]` switches one idea off."""
    kernels.set_convolution(options.get("algorithm", "auto"))
    x = networks.images(options["batch"], options["size"])
    model = networks.published(options["network"], options["size"]) if "network" in options else base(options["size"])
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
    """Return a function that measures VGG16's base layer by layer: [{layer, seconds, flops, bytes, peak}]."""
    import time
    import tracemalloc

    kernels.set_convolution(options.get("algorithm", "auto"))
    model, x = base(options["size"]), networks.images(options["batch"], options["size"])

    def measure():
        rows, values = [], x
        for call in model.calls:
            layer = call.layer
            layer.forward(values)
            seconds = []
            for _ in range(3):
                start = time.perf_counter()
                y = layer.forward(values)
                seconds.append(time.perf_counter() - start)
            memory.release()
            layer.forget()
            tracemalloc.start()
            layer.forward(values)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            layer.forget()
            weights = sum(weight.nbytes for weight in layer.weights)
            flops = 2 * 9 * values.shape[3] * y[0].size if layer.weights else 0
            rows.append(
                {
                    "layer": layer.name,
                    "seconds": min(seconds) / len(x),
                    "flops": flops,
                    "bytes": values[0].nbytes + y[0].nbytes + weights / len(x),
                    "peak": peak,
                }
            )
            values = y
        return rows

    return measure


def accuracy(options):
    """Return a function that computes the largest difference from float64 direct convolution, of the largest output."""

    def compare():
        model, x = base(options["size"]), networks.images(options["batch"], options["size"])
        kernels.set_convolution(options.get("algorithm", "auto"))
        y = model.forward(x, gradients="none")
        values = x.astype(np.float64)
        kernels.set_convolution("im2col")
        for block in networks.base_weights():
            for kernel, bias in block:
                values = kernels.conv2d(values, kernel.astype(np.float64), bias.astype(np.float64), padding="same")
                values = np.maximum(values, 0)
            values = kernels.max_pool(values, (2, 2), (2, 2))
        kernels.set_convolution("auto")
        return float(np.abs(y - values).max() / np.abs(values).max())

    return compare


def naive(options):
    """Return a function that runs the loop twin of the convolution, on a layer small enough for a second."""
    x, kernel = np.ones((1, 12, 12, 8), np.float32), np.ones((3, 3, 8, 8), np.float32)
    return lambda: kernels.conv2d_naive(x, kernel, padding="valid")


NAIVE_FLOPS = 2 * 10 * 10 * 9 * 8 * 8

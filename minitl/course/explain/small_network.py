"""Two updates of a network of 47 weights on one image: every number, forward and backward.

The network has the layers of VGG16 (convolution, ReLU, pooling, a dense layer, softmax). It is so small that a reader
can check any line with a pocket calculator: the image has 6x6 pixels, and pixels and weights have one decimal.
"""

import math

import numpy as np

from ...data import fashion_mnist_few_shot
from ...layers import Conv2D, Dense, Flatten, MaxPooling2D, ReLU, Softmax
from ...losses import SparseCategoricalCrossentropy
from ...models import Sequential
from ...optimizers import SGD
from . import formulas
from .page import Page, signed_products
from .recording import record_step, source_line
from .steps import LOSS, LOSS_GRADIENT, UPDATE, cite_backward, cite_forward, describe, describe_backward

LAYERS = ("conv", "relu", "pool", "flatten", "dense", "softmax")
CLASSES = ("Trouser", "Bag", "Ankle boot")
LEARNING_RATE, MOMENTUM = 0.1, 0.9
SEED = 26  # with it, each kernel gives positive numbers at some places and negative ones at others
NUDGE = 0.005  # of one weight, for the finite difference


def explain_small_network(seed=SEED):
    """Record two updates of the small network.

    Returns (Page, all numbers as plain data). Raises MismatchError where the engine and the formulas differ.
    """
    page = Page()
    x, label = small_image()
    model = small_network(seed)
    criterion, optimizer = SparseCategoricalCrossentropy(), SGD(LEARNING_RATE, momentum=MOMENTUM)
    step = record_step(model, criterion, optimizer, x, np.array([label]))
    page.paragraph(
        "One image, one update. The network makes a prediction (forward). The loss compares it with the label. "
        "Backward finds how the loss changes with each weight, and the update moves each weight a little so that the "
        "loss falls. x is the input of a layer, y its output, L the loss, and dL/dy says how much L grows with y."
    )
    values = _forward(page, step, label)
    _backward(page, step, label, values)
    after = _update(page, step, model, optimizer)
    loss_after = _did_it_help(page, step, model, criterion, x, label, after)
    again = record_step(model, criterion, optimizer, x, np.array([label]))
    _second_step(page, step, again, model, optimizer)
    return page, _as_data(page, step, again, model, loss_after, x, label)


def small_image():
    """Return an ankle boot of 6x6 pixels, 0 for black to 1 for white, and its label in CLASSES: (x (1, 6, 6, 1), 2)."""
    clothes = fashion_mnist_few_shot()
    boot = clothes.class_names.index(CLASSES[2])
    image = clothes.x_train[clothes.y_train == boot][0, 2:26, 2:26] / 255  # (24, 24)
    means = image.reshape(6, 4, 6, 4).mean(axis=(1, 3))  # (6, 6), each the mean of 4x4 pixels
    return means.round(1).astype(np.float32)[None, :, :, None], 2


def small_network(seed):
    """Return the network: 6x6 image -> 2 kernels of 3x3 -> ReLU -> maxima of 2x2 -> 8 numbers -> 3 classes."""
    model = Sequential(
        [
            Conv2D(2, 3, name="conv", input_shape=(6, 6, 1)),
            ReLU(name="relu"),
            MaxPooling2D(name="pool"),
            Flatten(name="flatten"),
            Dense(len(CLASSES), name="dense"),
            Softmax(name="softmax"),
        ]
    )
    random = np.random.default_rng(seed)
    for layer in model.layers:
        # + 0.0: -0.0 becomes 0.0, which is printed without a sign
        layer.set_weights([random.uniform(-0.9, 0.9, weight.shape).round(1) + 0.0 for weight in layer.weights])
    return model


def _forward(page, step, label):
    """Add every output y to the page and check it. Returns {layer: y by formula}."""
    conv, relu, pool, flatten, dense, softmax = (step.layers[name] for name in LAYERS)
    page.heading("Forward: what does the network predict?")
    x, kernel, bias = conv.x[0].tolist(), conv.before["kernel"].tolist(), conv.before["bias"].tolist()
    y = {}
    y["conv"] = _grid(4, 4, 2, lambda i, j, f: formulas.convolution(x, kernel, bias, i, j, f))
    y["relu"] = _grid(4, 4, 2, lambda i, j, f: formulas.relu(y["conv"][i][j][f]))
    y["pool"] = _grid(2, 2, 2, lambda i, j, c: formulas.max_pool(y["relu"], i, j, c))
    y["flatten"] = [number for row in y["pool"] for pixel in row for number in pixel]
    weights, offsets = dense.before["kernel"].tolist(), dense.before["bias"].tolist()
    y["dense"] = [formulas.dense(y["flatten"], weights, offsets, u) for u in range(3)]
    y["softmax"] = [formulas.softmax(y["dense"], k) for k in range(3)]

    describe(page, 1, conv)
    kernels = [(f"kernel {f}", conv.before["kernel"][:, :, 0, f]) for f in (0, 1)]
    page.arrays("numbers", ("x: a boot", conv.x[0, ..., 0]), *kernels, ("bias", bias), decimals=1)
    page.arrays("", *_channels("y", conv.y), decimals=2)
    terms = formulas.convolution_terms(x, kernel, 1, 1, 0)
    page.item(
        "by hand", f"y[1, 1, 0] = {bias[0]:.1f} + {signed_products(terms)} = {y['conv'][1][1][0]:.2f} (kernel 0, its "
        "upper left corner on x[1, 1])"
    )  # fmt: skip
    cite_forward(page, conv)
    describe(page, 2, relu)
    page.arrays("numbers", *_channels("y", relu.y), decimals=2)
    cite_forward(page, relu)
    describe(page, 3, pool)
    page.arrays("numbers", *_channels("y", pool.y), decimals=2)
    cite_forward(page, pool)
    describe(page, 4, flatten)
    page.arrays("numbers", ("y", flatten.y), decimals=2)
    cite_forward(page, flatten)
    describe(page, 5, dense)
    page.arrays("numbers", ("kernel: a column for each class", weights), ("bias", [offsets]), decimals=1)
    page.arrays("", ("y", dense.y), decimals=4)
    terms = [(pixel, row[2]) for pixel, row in zip(y["flatten"], weights)]
    page.item("by hand", f"y[2] = {offsets[2]:.1f} + {signed_products(terms, 2)} = {y['dense'][2]:.4f}")
    cite_forward(page, dense)
    describe(page, 6, softmax)
    page.item("numbers", ", ".join(f"{name} {p:.4f}" for name, p in zip(CLASSES, y["softmax"])))
    exponentials = [math.exp(z) for z in y["dense"]]
    page.item(
        "by hand", f"p[2] = exp({y['dense'][2]:.4f}) / ({' + '.join(f'{e:.4f}' for e in exponentials)}) = "
        f"{y['softmax'][2]:.4f}"
    )  # fmt: skip
    cite_forward(page, softmax)
    loss = formulas.crossentropy(y["softmax"], label)
    page.layer("loss", "cross-entropy: minus the logarithm of the right class's probability")
    page.item("formula", f"L = -log p[{label}] = -log {y['softmax'][label]:.4f} = {loss:.4f}")
    page.source(*source_line(step.lines, *LOSS))
    for name in LAYERS:
        page.check(f"{name}: y", y[name], step.layers[name].y[0])
    page.check("loss", loss, step.loss)
    return y


def _backward(page, step, label, y):
    """Add every gradient to the page, from the last layer to the first, and check it."""
    conv, relu, pool, flatten, dense, softmax = (step.layers[name] for name in LAYERS)
    page.heading("Backward: how does the loss change with each number?")
    t = [float(k == label) for k in range(3)]
    dp = [1 - t[k] / y["softmax"][k] for k in range(3)]  # L = -log(p[label] / sum of p)
    dz = [y["softmax"][k] - t[k] for k in range(3)]
    weights = dense.before["kernel"].tolist()
    d = {"dense": [formulas.dense_input_gradient(dz, weights, i) for i in range(8)]}
    d["flatten"] = np.reshape(d["dense"], (2, 2, 2)).tolist()
    d["pool"] = _grid(4, 4, 2, lambda h, w, c: formulas.max_pool_gradient(d["flatten"], y["relu"], h, w, c))
    d["relu"] = _grid(4, 4, 2, lambda i, j, f: formulas.relu_gradient(d["pool"][i][j][f], y["relu"][i][j][f]))
    x = conv.x[0].tolist()
    dkernel = [
        [[[formulas.convolution_kernel_gradient(x, d["relu"], kh, kw, 0, f) for f in (0, 1)]] for kw in range(3)]
        for kh in range(3)
    ]
    dbias = [formulas.convolution_bias_gradient(d["relu"], f) for f in (0, 1)]
    dweights = [[pixel * dz[u] for u in range(3)] for pixel in y["flatten"]]

    page.layer("loss", "dL/dp[k] = 1 - t[k] / p[k], of L = -log(p[right class] / sum of p)")
    page.item("", "t is 1 for the right class, else 0.")
    page.arrays("numbers", ("dL/dp", softmax.grad), decimals=4)
    page.source(*source_line(step.lines, *LOSS_GRADIENT))
    describe_backward(page, 6, softmax)
    page.arrays("numbers", ("dL/dx", softmax.dx), decimals=4)
    page.item("by hand", f"dL/dx[2] = {y['softmax'][2]:.4f} - 1 = {dz[2]:.4f}: this score should be higher.")
    cite_backward(page, softmax)
    describe_backward(page, 5, dense)
    gradient, bias_gradient = dense.gradients["kernel"], dense.gradients["bias"]
    page.arrays("numbers", ("dL/dkernel", gradient), ("dL/dbias", [bias_gradient]), decimals=4)
    page.arrays("", ("dL/dx", dense.dx), decimals=4)
    terms = list(zip(dz, weights[0]))
    page.item("by hand", f"dL/dx[0] = {signed_products(terms, 4)} = {d['dense'][0]:.4f}")
    cite_backward(page, dense)
    describe_backward(page, 4, flatten)
    page.arrays("numbers", *_channels("dL/dx", flatten.dx), decimals=4)
    cite_backward(page, flatten)
    describe_backward(page, 3, pool)
    page.arrays("numbers", *_channels("dL/dx", pool.dx), decimals=4)
    cite_backward(page, pool)
    describe_backward(page, 2, relu)
    page.arrays("numbers", *_channels("dL/dx", relu.dx), decimals=4)
    cite_backward(page, relu)
    describe_backward(page, 1, conv)
    gradients = [(f"dL/dkernel {f}", conv.gradients["kernel"][:, :, 0, f]) for f in (0, 1)]
    page.arrays("numbers", *gradients, ("dL/dbias", [conv.gradients["bias"]]), decimals=4)
    products = [(d["relu"][i][j][0], x[i][j][0]) for i in range(4) for j in range(4) if d["relu"][i][j][0]]
    page.item("by hand", f"dL/dkernel[0, 0, 0, 0] = {signed_products(products, 4) or '0'} = {dkernel[0][0][0][0]:.4f}")
    page.item("", "dL/dx is not computed for the image itself: its pixels are no parameters.")
    cite_backward(page, conv)
    page.check("dL/dp", dp, softmax.grad[0])
    page.check("softmax: dL/dx", dz, softmax.dx[0])
    for record in dense, flatten, pool, relu:
        page.check(f"{record.layer.name}: dL/dx", d[record.layer.name], record.dx[0])
    page.check("dense: dL/dkernel", dweights, gradient)
    page.check("dense: dL/dbias", dz, bias_gradient)
    page.check("conv: dL/dkernel", dkernel, conv.gradients["kernel"])
    page.check("conv: dL/dbias", dbias, conv.gradients["bias"])


def _update(page, step, model, optimizer):
    """Add the update of the 47 weights to the page and check it. Returns {(layer, parameter): velocity}."""
    page.heading("Update: every weight moves a little")
    page.item("formula", f"v <- {MOMENTUM} * v - {LEARNING_RATE} * dL/dw        w <- w + v")
    page.item("", "w is any weight. v, its velocity, keeps a part of the earlier steps. Before the first step it is 0.")
    for name in ("conv", "dense"):
        record = step.layers[name]
        for parameter in ("kernel", "bias"):
            before, gradient = record.before[parameter], record.gradients[parameter]
            after = getattr(record.layer, parameter)
            velocity = optimizer.state[record.layer, parameter][0]
            moved = [
                formulas.momentum_step(p, 0.0, g, LEARNING_RATE, MOMENTUM)
                for p, g in zip(before.ravel().tolist(), gradient.ravel().tolist())
            ]
            page.check(f"{name} {parameter}: v", [v for v, _ in moved], velocity.ravel())
            page.check(f"{name} {parameter}", [p for _, p in moved], after.ravel())
        shown = (slice(None), slice(None), 0, 0) if name == "conv" else (slice(None), slice(None))
        page.arrays(
            name,
            (f"kernel{' 0' * (name == 'conv')} before", record.before["kernel"][shown], 1),
            ("v", optimizer.state[record.layer, "kernel"][0][shown]),
            ("after", record.layer.kernel[shown]),
            decimals=4,
        )
    page.source(*source_line(step.lines, *UPDATE))
    return {key: state[0].copy() for key, state in optimizer.state.items()}


def _did_it_help(page, step, model, criterion, x, label, velocities):
    """Compare the new loss with the change that the gradient predicts, and measure the gradient of one weight."""
    page.heading("Did the update help?")
    y_true = np.array([label])
    predicted = sum(math.fsum((v * layer.gradients[name]).ravel().tolist()) for (layer, name), v in velocities.items())
    probabilities = model.forward(x, gradients="none")
    loss_after = criterion.forward(y_true, probabilities)
    page.item(
        "predicted", f"L should change by the sum of gradient * step over all 47 weights: {predicted:+.4f}. (This is "
        "exact only if the gradient stays the same during the step.)"
    )  # fmt: skip
    page.item(
        "measured",
        f"L went from {step.loss:.4f} to {loss_after:.4f}, by {loss_after - step.loss:+.4f}. The "
        f"probability of 'ankle boot' was {step.layers['softmax'].y[0, label]:.4f} and is now "
        f"{probabilities[0, label]:.4f}.",
    )
    page.check("loss after the update", formulas.crossentropy(_probabilities(model, x), label), loss_after)

    kernel, gradient = model.get_layer("dense").kernel, step.layers["dense"].gradients["kernel"]
    i, u = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
    old = step.layers["dense"].before["kernel"][i, u]
    saved = model.get_weights()
    for record in step.layers.values():  # as it was before the update
        record.layer.set_weights([record.before[name] for name in record.layer.weight_names])
    losses = []
    for nudged in (old + NUDGE, old - NUDGE):
        kernel[i, u] = nudged
        losses.append(criterion.forward(y_true, model.forward(x, gradients="none")))
    model.set_weights(saved)
    difference = (losses[0] - losses[1]) / (2 * NUDGE)
    page.item(
        "by trying", f"Make the weight [{i}, {u}] of the dense kernel larger and smaller by {NUDGE}, and divide the "
        f"change of L by that of the weight: ({losses[0]:.6f} - {losses[1]:.6f}) / {2 * NUDGE} = {difference:.3f}. "
        f"Backward gave {gradient[i, u]:.4f} for it. This is what a gradient means. Backward finds all 47 of them in "
        "about the time of two forwards. Trying takes 94 forwards."
    )  # fmt: skip
    if not abs(difference - gradient[i, u]) <= 2e-3 * abs(gradient[i, u]) + 1e-4:
        page.check("finite difference", difference, gradient[i, u])
    return loss_after


def _probabilities(model, x):
    """Return the probabilities, computed by formula with the present weights."""
    kernel, bias, weights, offsets = (weight.tolist() for weight in model.get_weights())
    x = x[0].tolist()
    relu = _grid(4, 4, 2, lambda i, j, f: formulas.relu(formulas.convolution(x, kernel, bias, i, j, f)))
    flat = [formulas.max_pool(relu, i, j, c) for i in (0, 1) for j in (0, 1) for c in (0, 1)]
    z = [formulas.dense(flat, weights, offsets, u) for u in range(3)]
    return [formulas.softmax(z, k) for k in range(3)]


def _second_step(page, step, again, model, optimizer):
    """Add a second update on the same image to the page, in which the velocity is not 0."""
    page.heading("The second update: momentum")
    page.item("formula", f"v <- {MOMENTUM} * v - {LEARNING_RATE} * dL/dw. Now v is not 0 before the step.")
    for name in ("conv", "dense"):
        first, second = step.layers[name], again.layers[name]
        for parameter in ("kernel", "bias"):
            old = -LEARNING_RATE * first.gradients[parameter].astype(float)
            moved = [
                formulas.momentum_step(p, v, g, LEARNING_RATE, MOMENTUM)
                for p, v, g in zip(second.before[parameter].ravel().tolist(), old.ravel().tolist(),
                                   second.gradients[parameter].ravel().tolist())
            ]  # fmt: skip
            velocity = optimizer.state[second.layer, parameter][0]
            page.check(f"{name} {parameter}: second v", [v for v, _ in moved], velocity.ravel())
            page.check(f"{name} {parameter} again", [p for _, p in moved], getattr(second.layer, parameter).ravel())
    dense = again.layers["dense"]
    velocity = optimizer.state[dense.layer, "bias"][0]
    first_velocity = -LEARNING_RATE * step.layers["dense"].gradients["bias"]
    page.arrays("dense", ("bias: v before", [first_velocity]), ("dL/dw now", [dense.gradients["bias"]]), decimals=4)
    page.arrays("", ("bias: v now", [velocity]), ("w after", [dense.layer.bias]), decimals=4)
    page.item(
        "by hand", f"{MOMENTUM} * ({first_velocity[2]:.4f}) - {LEARNING_RATE} * ({dense.gradients['bias'][2]:.4f}) = "
        f"{velocity[2]:.4f}. The gradient is smaller than before, the step {_compared(velocity[2], first_velocity[2])}."
    )  # fmt: skip
    page.source(*source_line(again.lines, *UPDATE))


def _compared(new, old):
    """Return "larger" or "smaller, too" for the size of a new number beside the old one."""
    return "larger" if abs(new) > abs(old) else "smaller, too"


def _grid(rows, columns, channels, number):
    """Return number(i, j, k) for all rows, columns and channels, as lists in lists."""
    return [[[number(i, j, k) for k in range(channels)] for j in range(columns)] for i in range(rows)]


def _channels(name, array):
    """Return (title, array (rows, columns)) of each channel of the one example."""
    return [(f"{name}[..., {k}]", array[0, ..., k]) for k in range(array.shape[-1])]


def _as_data(page, step, again, model, loss_after, x, label):
    """Return all numbers in a form that JSON can hold."""

    def layer(record):
        arrays = {"x": record.x, "y": record.y, "grad": record.grad, "dx": record.dx}
        return {
            **{name: None if array is None else array.tolist() for name, array in arrays.items()},
            "before": {name: array.tolist() for name, array in record.before.items()},
            "gradients": {name: array.tolist() for name, array in record.gradients.items()},
        }

    return {
        "classes": list(CLASSES),
        "picture": x[0, ..., 0].tolist(),
        "truth": label,
        "loss": step.loss,
        "loss_after": loss_after,
        "first_step": {name: layer(record) for name, record in step.layers.items()},
        "second_step": {name: layer(record) for name, record in again.layers.items()},
        "weights": [weight.tolist() for weight in model.get_weights()],
        "checked": page.checked,
        "largest_difference": page.largest_difference,
    }

"""One update of the last layers of VGG16 on one image, with the most important numbers of each array.

The network is VGG16's base, of which only the last convolution is trainable, and a new head for the ten kinds of
clothing: the second stage of fine-tuning. The head starts from ridge regression on some of the bundled images, so it
has learned something already. The image is the first one of the test set that the network gets wrong.
"""

import math

import numpy as np

from ... import features, transfer
from ...applications import VGG16
from ...applications.vgg16 import preprocess_input
from ...data import fashion_mnist_few_shot, grey_to_rgb, resize
from ...files.bundled import bundled_file
from ...layers import BatchNormalization, Dense, GlobalAveragePooling2D, Softmax
from ...losses import SparseCategoricalCrossentropy
from ...optimizers import SGD
from ...training import ridge_head
from ...weights.published import catalogue as store
from . import formulas
from .page import Page
from .recording import record_step, source_line
from .steps import LOSS, LOSS_GRADIENT, UPDATE, cite_backward, cite_forward, describe, describe_backward

MOMENTUM = 0.9
IMAGES_FOR_THE_HEAD = 100
# Pixels, last layer kept, its blocks, and a learning rate. It is small because the inputs of these kernels reach
# thousands.
WHOLE = 64, "block5_pool", "all five blocks", 5e-8
BUNDLED = 48, "block3_pool", "blocks 1 to 3", 1e-5
LARGEST_SHOWN = 4


def explain_vgg16():
    """Record one update of VGG16's last layers.

    It takes all five blocks where the published base is on this machine, else the bundled first three. Returns (Page,
    numbers as plain data). Raises MismatchError where the engine and the formulas differ.
    """
    page = Page()
    model, conv_name, where, rate = network()
    x, label, class_names = first_mistake(model)
    before = model.get_layer(conv_name).input
    prefix, rest = features.split(model, before)
    frozen_before = transfer.frozen_digest(prefix)
    page.paragraph(
        f"One update of VGG16's last layers ({where}), as in the second stage of fine-tuning: '{conv_name}' and the "
        f"new dense layer are trainable, and all other layers are frozen. The label of the image is "
        f"'{class_names[label]}'. It is the first of the bundled test images that this network gets wrong."
    )
    kept = prefix.forward(x, gradients="none")
    criterion, optimizer = SparseCategoricalCrossentropy(), SGD(rate, momentum=MOMENTUM)
    step = record_step(rest, criterion, optimizer, kept, np.array([label]))
    conv, pool, mean, norm, dense, softmax = (step.layers[layer.name] for layer in rest.layers)
    frozen = f"Up to '{before.layer.name}', {len(prefix.layers) - 1} layers are frozen. They only run "
    page.heading("Forward: what does the network predict?")
    page.paragraph(f"{frozen}forward. They keep nothing for a backward, and no gradient goes back to them.")
    i, j, f = np.unravel_index(conv.y[0].argmax(), conv.y[0].shape)
    _conv_forward(page, conv, int(i), int(j), int(f))
    place = int(i), int(j), int(f)
    _pooling_forward(page, pool, mean, norm, place)
    _head_forward(page, step, dense, softmax, class_names, label)
    page.heading("Backward: how does the loss change with each number?")
    _head_backward(page, step, dense, softmax, label, class_names)
    weight = _base_backward(page, conv, pool, mean, norm)
    page.heading("Update")
    _update(page, step, conv, dense, optimizer, weight, rate)
    page.heading("Did the update help?")
    probabilities = rest.forward(kept, gradients="none")
    loss_after = criterion.forward(np.array([label]), probabilities)
    promised = sum(
        math.fsum((state[0] * step.layers[layer.name].gradients[name]).ravel().tolist())
        for (layer, name), state in optimizer.state.items()
    )
    page.item("predicted", f"the sum of gradient * step over all weights that moved: {promised:+.4f}")
    page.item("measured", f"L went from {step.loss:.4f} to {loss_after:.4f}, by {loss_after - step.loss:+.4f}.")
    page.item("predicts", f"before: {_most_probable(softmax.y[0], class_names)}")
    page.item("", f"after:  {_most_probable(probabilities[0], class_names)}")
    if transfer.frozen_digest(prefix) != frozen_before:
        raise AssertionError("a frozen weight has moved")  # a bug in the library
    page.item("frozen", f"No bit of the frozen layers has changed: their digest is still {frozen_before[:16]}.")
    return page, {
        "layers": [layer.name for layer in rest.layers],
        "classes": class_names,
        "truth": label,
        "loss": step.loss,
        "loss_after": loss_after,
        "promised": promised,
        "probabilities": softmax.y[0].tolist(),
        "probabilities_after": probabilities[0].tolist(),
        "frozen_digest": frozen_before,
        "checked": page.checked,
        "largest_difference": page.largest_difference,
    }


def network():
    """Return (model, name of its last convolution, its blocks of VGG16 in words, learning rate)."""
    whole = store.present("vgg16-notop")
    size, cut, where, rate = WHOLE if whole else BUNDLED
    base = VGG16(weights=None, include_top=False, input_shape=(size, size, 3))
    base.load_weights(whole or bundled_file("vgg16_imagenet_blocks1to3.h5"), partial=not whole)
    base = transfer.remove_layers(base, cut)
    norm, dense = BatchNormalization(name="features"), Dense(10, name="dense")
    base = transfer.replace_head(base, GlobalAveragePooling2D(name="mean"))
    clothes = fashion_mnist_few_shot()
    chosen = np.random.default_rng(0).permutation(len(clothes.x_train))[:IMAGES_FOR_THE_HEAD]
    pooled = base.predict(_prepared(clothes.x_train[chosen], size), verbose=0)
    model = transfer.replace_head(base, [norm, dense, Softmax(name="softmax")])
    ridge_head(pooled, clothes.y_train[chosen], 10).put_into(norm, dense)
    conv_name = cut.replace("pool", "conv3")
    transfer.freeze(model)
    model.get_layer(conv_name).trainable = dense.trainable = True
    return model, conv_name, where, rate


def first_mistake(model):
    """Return (x (1, H, W, 3), label, class names) of the first test image that the model gets wrong."""
    clothes = fashion_mnist_few_shot()
    for start in range(0, len(clothes.x_test), 25):
        some = slice(start, start + 25)
        x, labels = _prepared(clothes.x_test[some], model.input_shape[1]), clothes.y_test[some]
        wrong = np.flatnonzero(model.predict(x, verbose=0).argmax(axis=1) != labels)
        if len(wrong):
            return x[wrong[:1]], int(labels[wrong[0]]), clothes.class_names
    raise AssertionError("the model gets every test image right, which no network of this size does")


def _prepared(images, size):
    """Return grey images as VGG16 takes them: of this size, with three channels, preprocessed."""
    return preprocess_input(resize(grey_to_rgb(images), size, size))


def _conv_forward(page, conv, i, j, f):
    """Add the largest output of the convolution to the page and check it."""
    describe(page, 1, conv)
    page.item("", "Here a border of zeros, one pixel wide, surrounds the image (padding 'same'), and ReLU follows.")
    _statistics(page, "y", conv.y)
    x, kernel, bias = conv.x[0].tolist(), conv.before["kernel"].tolist(), conv.before["bias"].tolist()
    y = formulas.relu(formulas.convolution(x, kernel, bias, i, j, f, before=1))
    page.check(f"{conv.layer.name}: y", y, conv.y[0, i, j, f])
    terms = formulas.convolution_terms(x, kernel, i, j, f, before=1)
    largest = sorted(terms, key=lambda term: -abs(term[0] * term[1]))[:LARGEST_SHOWN]
    shown = " + ".join(f"{pixel:.1f}*{_bracketed(weight)}" for pixel, weight in largest)
    page.item(
        "by hand", f"the largest output, y[{i}, {j}, {f}] = {bias[f]:.4f} + {shown} + {len(terms) - LARGEST_SHOWN:,} "
        f"smaller products = {y:.2f}"
    )  # fmt: skip
    cite_forward(page, conv)


def _pooling_forward(page, pool, mean, norm, place):
    """Add the three layers that take this output: maximum of its window, mean of its channel, normalization."""
    i, j, f = place[0] // 2, place[1] // 2, place[2]
    describe(page, 2, pool)
    window = formulas.max_pool_window(pool.x[0].tolist(), i, j, f)
    page.check("pooling: y", max(window), pool.y[0, i, j, f])
    page.item("by hand", f"y[{i}, {j}, {f}] = max({', '.join(f'{pixel:.2f}' for pixel in window)}) = {max(window):.2f}")
    cite_forward(page, pool)
    describe(page, 3, mean)
    average = formulas.mean_of_channel(mean.x[0].tolist(), f)
    page.check("mean: y", average, mean.y[0, f])
    pixels = mean.x.shape[1] * mean.x.shape[2]
    page.item("by hand", f"y[{f}] = the sum of {pixels} numbers / {pixels} = {average:.3f}")
    cite_forward(page, mean)
    describe(page, 4, norm)
    gamma, beta, centre, variance = (float(norm.before[name][f]) for name in norm.layer.weight_names)
    y = formulas.normalized(float(mean.y[0, f]), gamma, beta, centre, variance, norm.layer.epsilon)
    page.check("features: y", y, norm.y[0, f])
    page.item(
        "by hand", f"y[{f}] = {gamma:.1f} * ({average:.3f} - {centre:.3f}) / sqrt({variance:.3f} + "
        f"{norm.layer.epsilon}) + {beta:.1f} = {y:.3f}. Mean and variance are those of the images that the head was "
        "trained on."
    )  # fmt: skip
    cite_forward(page, norm)


def _head_forward(page, step, dense, softmax, class_names, label):
    """Add the ten scores, the ten probabilities and the loss to the page, and check them."""
    describe(page, 5, dense)
    x, kernel, bias = dense.x[0].tolist(), dense.before["kernel"].tolist(), dense.before["bias"].tolist()
    scores = [formulas.dense(x, kernel, bias, u) for u in range(10)]
    page.check("dense: y", scores, dense.y[0])
    page.arrays("numbers", ("y", dense.y), decimals=3)
    cite_forward(page, dense)
    describe(page, 6, softmax)
    probabilities = [formulas.softmax(scores, k) for k in range(10)]
    page.check("softmax: y", probabilities, softmax.y[0])
    page.arrays("numbers", ("p", softmax.y), decimals=4)
    page.item("predicts", _most_probable(softmax.y[0], class_names))
    cite_forward(page, softmax)
    loss = formulas.crossentropy(probabilities, label)
    page.check("loss", loss, step.loss)
    page.layer("loss", "cross-entropy: minus the logarithm of the right class's probability")
    page.item("formula", f"L = -log p[{label}] = -log {probabilities[label]:.4f} = {loss:.4f}")
    page.source(*source_line(step.lines, *LOSS))


def _head_backward(page, step, dense, softmax, label, class_names):
    """Add the gradients of softmax and dense layer to the page and check them."""
    page.layer("loss", "dL/dp[k] = 1 - t[k] / p[k], of L = -log(p[right class] / sum of p)")
    page.item("", "t is 1 for the right class, else 0.")
    page.source(*source_line(step.lines, *LOSS_GRADIENT))
    describe_backward(page, 6, softmax)
    dz = [p - (k == label) for k, p in enumerate(softmax.y[0].tolist())]
    page.check("softmax: dL/dx", dz, softmax.dx[0])
    page.arrays("numbers", ("dL/dx", softmax.dx), decimals=4)
    cite_backward(page, softmax)
    describe_backward(page, 5, dense)
    gradient = dense.gradients["kernel"]
    page.check("dense: dL/dbias", dz, dense.gradients["bias"])
    page.check("dense: dL/dkernel", [[x * g for g in dz] for x in dense.x[0].tolist()], gradient)
    kernel = dense.before["kernel"].tolist()
    by_formula = [formulas.dense_input_gradient(dz, kernel, i) for i in range(len(kernel))]
    page.check("dense: dL/dx", by_formula, dense.dx[0])
    i, u = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
    page.item(
        "by hand", f"the largest, dL/dkernel[{i}, {u}] = x[{i}] * dL/dy[{u}] = {dense.x[0, i]:.4f} * ({dz[u]:.4f}) = "
        f"{gradient[i, u]:.4f}. This weight connects feature {i} with class '{class_names[u]}'."
    )  # fmt: skip
    cite_backward(page, dense)


def _base_backward(page, conv, pool, mean, norm):
    """Add the gradients from the features back to the trainable convolution, and check them.

    Returns the index of the convolution's largest gradient.
    """
    kernel_gradient = conv.gradients["kernel"]
    weight = tuple(map(int, np.unravel_index(np.abs(kernel_gradient).argmax(), kernel_gradient.shape)))
    f = weight[3]
    describe_backward(page, 4, norm)
    gamma, variance = float(norm.before["gamma"][f]), float(norm.before["moving_variance"][f])
    dx = float(norm.grad[0, f]) * gamma / math.sqrt(variance + norm.layer.epsilon)
    page.check("features: dL/dx", dx, norm.dx[0, f])
    page.item(
        "by hand", f"dL/dx[{f}] = {norm.grad[0, f]:.5f} * {gamma:.1f} / sqrt({variance:.3f} + {norm.layer.epsilon}) = "
        f"{dx:.5f}"
    )  # fmt: skip
    cite_backward(page, norm)
    describe_backward(page, 3, mean)
    pixels = mean.x.shape[1] * mean.x.shape[2]
    page.check("mean: dL/dx", np.full(mean.x.shape[1:3], dx / pixels), mean.dx[0, ..., f])
    page.item("by hand", f"dL/dx[h, w, {f}] = {dx:.5f} / {pixels} = {dx / pixels:.6f} for each of its pixels")
    cite_backward(page, mean)
    describe_backward(page, 2, pool)
    x, grad = pool.x[0].tolist(), pool.grad[0].tolist()
    by_formula = [[formulas.max_pool_gradient(grad, x, h, w, f) for w in range(len(x[0]))] for h in range(len(x))]
    page.check("pooling: dL/dx", by_formula, pool.dx[0, ..., f])
    receiving = sum(bool(number) for row in by_formula for number in row)
    page.item("numbers", f"of channel {f}'s {len(x) * len(x[0])} pixels, {receiving} get a gradient, the others 0")
    cite_backward(page, pool)
    describe_backward(page, 1, conv)
    dz = [
        [[formulas.relu_gradient(g, y) for g, y in zip(*pixels)] for pixels in zip(*rows)]
        for rows in zip(conv.grad[0].tolist(), conv.y[0].tolist())
    ]
    kh, kw, c, f = weight
    gradient = formulas.convolution_kernel_gradient(conv.x[0].tolist(), dz, kh, kw, c, f, before=1)
    page.check(f"{conv.layer.name}: dL/dkernel", gradient, kernel_gradient[weight])
    page.check(f"{conv.layer.name}: dL/dbias", formulas.convolution_bias_gradient(dz, f), conv.gradients["bias"][f])
    _statistics(page, "dL/dkernel", kernel_gradient)
    products = sum(bool(pixel[f]) for row in dz for pixel in row)
    page.item(
        "by hand", f"the largest, dL/dkernel[{kh}, {kw}, {c}, {f}] = a sum of {products} products = {gradient:.5f}"
    )
    cite_backward(page, conv)
    page.item("", "Backward ends here: all layers before this one are frozen, so dL/dx is not needed.")
    return weight


def _update(page, step, conv, dense, optimizer, weight, rate):
    """Add the step of the weight with the largest gradient to the page, and how far both kernels have moved."""
    page.item("formula", f"v <- {MOMENTUM} * v - {rate:g} * dL/dw        w <- w + v        (v was 0)")
    p, g = float(conv.before["kernel"][weight]), float(conv.gradients["kernel"][weight])
    v, after = formulas.momentum_step(p, 0.0, g, rate, MOMENTUM)
    page.check("v", v, optimizer.state[conv.layer, "kernel"][0][weight])
    page.check("p", after, conv.layer.kernel[weight])
    indices = ", ".join(map(str, weight))
    page.item("by hand", f"that weight, kernel[{indices}]: {p:.6f} - {rate:g} * ({g:.5f}) = {after:.6f}")
    for record in conv, dense:
        moved = np.linalg.norm(record.layer.kernel - record.before["kernel"])
        size = np.linalg.norm(record.before["kernel"])
        page.item(
            "conv" if record is conv else "dense",
            f"{record.layer.count_params():,} weights moved. |change of the kernel| / |kernel| = {moved / size:.1e}",
        )
    page.source(*source_line(step.lines, *UPDATE))


def _statistics(page, name, array):
    """Add the smallest, mean and largest number of an array to the page, each computed twice."""
    numbers = array.ravel().tolist()
    mean = math.fsum(numbers) / len(numbers)
    page.check(name, [min(numbers), mean, max(numbers)], [array.min(), array.mean(dtype=np.float64), array.max()])
    zeros = sum(not number for number in numbers) / len(numbers)
    page.item(
        "numbers", f"{name}: {len(numbers):,} numbers from {min(numbers):.4g} to {max(numbers):.4g}, mean {mean:.3g}; "
        f"{zeros:.0%} are 0"
    )  # fmt: skip


def _most_probable(probabilities, class_names):
    """Return the three most probable classes and their probabilities as text."""
    order = np.argsort(-probabilities)[:3]
    return ", ".join(f"{class_names[k]} {probabilities[k]:.3f}" for k in order)


def _bracketed(number):
    """Return a number as text, a negative one in brackets."""
    return f"({number:.4f})" if number < 0 else f"{number:.4f}"

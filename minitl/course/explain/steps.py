"""Each kind of layer, forward and backward: its formulas, the axes of its arrays, and the place of its source."""

from typing import NamedTuple

from ... import losses, optimizers
from ...kernels import activations, im2col, normalization, pooling, products, winograd
from ...layers import BatchNormalization, Conv2D, Dense, Flatten, GlobalAveragePooling2D, MaxPooling2D, ReLU, Softmax
from .recording import source_line

# N batch, H W rows and columns, C channels, OH OW output rows and columns, F filters
IMAGE, MAP, ROW = ("N", "H", "W", "C"), ("N", "OH", "OW", "F"), ("N", "units")


class Kind(NamedTuple):
    """The explanation of a kind of layer.

    what                             the layer in a few words
    axes                             of x and of y
    forward, backward                formulas; backward has one for each gradient
    forward_places, backward_places  lines of source, for `recording.source_line`
    """

    what: str
    axes: tuple
    forward: str
    forward_places: tuple
    backward: tuple
    backward_places: tuple


KINDS = {
    Conv2D: Kind(
        "each kernel is applied at every place of the image",
        (IMAGE, MAP),
        "y[i, j, f] = bias[f] + sum over kh, kw, c of x[i + kh, j + kw, c] * kernel[kh, kw, c, f]",
        ((im2col.conv2d_im2col, "np.matmul("), (winograd.conv2d_winograd, "np.matmul(")),
        (
            "dL/dkernel[kh, kw, c, f] = sum over i, j of dL/dy[i, j, f] * x[i + kh, j + kw, c]",
            "dL/dbias[f] = sum over i, j of dL/dy[i, j, f]",
        ),
        (
            (im2col.kernel_gradient_im2col, "product(*operands"),
            (im2col.kernel_gradient_im2col, "matmul(x.reshape"),
            (im2col.kernel_gradient_of_small_maps, "product(seen"),
            (winograd.kernel_gradient_winograd, "np.matmul("),
        ),
    ),
    ReLU: Kind(
        "negative numbers become 0",
        (MAP, MAP),
        "y = max(x, 0)",
        ((activations.relu, "np.maximum, x[part]"),),
        ("dL/dx = dL/dy where x > 0, else 0",),
        ((activations.relu_gradient, "np.multiply(grad[example]"),),
    ),
    MaxPooling2D: Kind(
        "the largest of each 2x2 pixels, channel by channel",
        (IMAGE, ("N", "OH", "OW", "C")),
        "y[i, j, c] = max over a, b in 0, 1 of x[2i + a, 2j + b, c]",
        ((pooling._combine, "combine("),),
        ("dL/dx = dL/dy at the largest pixel of its window, 0 at the other three",),
        ((pooling.max_pool_gradient, "np.multiply(dblock"),),
    ),
    Flatten: Kind(
        "the same numbers in one row",
        (IMAGE, ("N", "H*W*C")),
        "y[(h*W + w)*C + c] = x[h, w, c]",
        ((Flatten.forward, "return x.reshape"),),
        ("dL/dx[h, w, c] = dL/dy[(h*W + w)*C + c]",),
        ((Flatten.backward, "return grad.reshape"),),
    ),
    GlobalAveragePooling2D: Kind(
        "the mean of each channel",
        (IMAGE, ("N", "C")),
        "y[c] = sum over h, w of x[h, w, c] / (H*W)",
        ((pooling.global_average_pool, "return (column_sums("),),
        ("dL/dx[h, w, c] = dL/dy[c] / (H*W)",),
        ((pooling.global_average_pool_gradient, "grad / (h * w)"),),
    ),
    BatchNormalization: Kind(
        "each channel to mean 0 and variance 1 (frozen)",
        (("N", "C"), ("N", "C")),
        "y[c] = gamma[c] * (x[c] - mean[c]) / sqrt(variance[c] + epsilon) + beta[c]",
        ((normalization.scale_and_shift, "np.multiply("),),
        ("dL/dx[c] = dL/dy[c] * gamma[c] / sqrt(variance[c] + epsilon)",),
        ((normalization.scale_and_shift, "np.multiply("),),
    ),
    Dense: Kind(
        "all inputs times the template of each class",
        (("N", "inputs"), ROW),
        "y[u] = bias[u] + sum over i of x[i] * kernel[i, u]",
        ((products.matmul, "np.matmul("),),
        (
            "dL/dkernel[i, u] = x[i] * dL/dy[u]        dL/dbias[u] = dL/dy[u]",
            "dL/dx[i] = sum over u of dL/dy[u] * kernel[i, u]",
        ),
        ((Dense.backward_to_parameters, 'self.gradients["kernel"]'),),
    ),
    Softmax: Kind(
        "scores become probabilities: positive, with sum 1",
        (ROW, ROW),
        "p[k] = exp(x[k]) / sum over m of exp(x[m])",
        ((activations.softmax, "y /= y.sum"),),
        ("dL/dx[k] = p[k] - t[k], the prediction minus the label (t is 1 for the right class, 0 for the others)",),
        ((activations.softmax_gradient, "return weighted"),),
    ),
}

LOSS = ((losses.crossentropy._Crossentropy.forward, "return self.reduced(-"),)
LOSS_GRADIENT = ((losses.crossentropy._Crossentropy.backward, "return slope"),)
UPDATE = ((optimizers.SGD.update, "parameter += velocity"),)


def describe(page, number, record):
    """Add the head of a layer's forward to the page: its kind, its formula, the shapes."""
    kind = KINDS[type(record.layer)]
    page.layer(f"{number}  {record.layer.name}", f"{type(record.layer).__name__}: {kind.what}")
    page.item("formula", kind.forward)
    parts = [f"x {shape(record.x, kind.axes[0])}"]
    axes = {"kernel": ("KH", "KW", "C", "F") if record.x.ndim == 4 else ("inputs", "units")}
    for name in record.layer.parameter_names:
        array = record.before[name]
        parts.append(f"{name} {shape(array, axes.get(name, kind.axes[1][-1:]))}")
    page.item("shapes", f"{', '.join(parts)} -> y {shape(record.y, kind.axes[1])}")


def cite_forward(page, record):
    """Add the line of source that computed the layer's output."""
    page.source(*source_line(record.lines, *KINDS[type(record.layer)].forward_places))


def describe_backward(page, number, record):
    """Add the head of a layer's backward to the page: the upstream gradient and the formulas."""
    kind = KINDS[type(record.layer)]
    page.layer(f"{number}  {record.layer.name}", f"from dL/dy {shape(record.grad, kind.axes[1])}")
    for formula in kind.backward:
        page.item("formula", formula)


def cite_backward(page, record):
    """Add the line of source that computed the layer's gradient."""
    page.source(*source_line(record.lines, *KINDS[type(record.layer)].backward_places))


def shape(array, axes):
    """Return a shape with its axes: "(N 1, H 6, W 6, C 1)"."""
    return f"({', '.join(f'{axis} {size}' for axis, size in zip(axes, array.shape))})"

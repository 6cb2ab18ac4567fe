"""Relatives of ReLU that are not flat below 0: leaky ReLU, ELU, CELU, SELU, softplus, squareplus, softsign and others.

Where x < 0, ReLU's slope is 0: a unit that is negative for all examples never learns again. These have a slope there.
Each gradient is written in terms of the output y, as in `activations`, which lists them by their Keras names. Those of
mish and tanh_shrink cannot be: they are given with the output.
"""

import math

import numpy as np

from .precision import as_float

SMALLEST = 1e-30  # what 0 counts as where it is divided by
LEAK = 0.2  # the slope below 0 of Keras's activation "leaky_relu"; its layer LeakyReLU has 0.3
# SELU's numbers: with them, layers with normal weights of variance 1 / inputs keep the mean 0 and the variance 1.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def leaky_relu(x, out=None, leak=LEAK):
    """Return x where x > 0, else leak * x. Maas et al. 2013."""
    return np.multiply(x, np.where(x > 0, 1, leak).astype(as_float(x).dtype), out=out)


def leaky_relu_gradient(grad, y, leak=LEAK):
    """Return grad where y > 0, else leak * grad: y has the sign of x, since leak > 0."""
    return np.where(y > 0, grad, leak * grad).astype(grad.dtype, copy=False)


def elu(x, out=None, alpha=1.0):
    """Return x where x > 0, else alpha (exp(x) - 1), which ends at -alpha. Clevert et al. 2016."""
    x = as_float(x)
    below = alpha * np.expm1(np.minimum(x, 0))  # exp of a large x would overflow
    return _chosen(x > 0, x, below, out)


def elu_gradient(grad, y, alpha=1.0):
    """Return grad where y > 0, else grad (y + alpha): d(alpha exp(x) - alpha)/dx = alpha exp(x) = y + alpha."""
    return grad * np.where(y > 0, 1, y + alpha).astype(y.dtype, copy=False)


def selu(x, out=None):
    """Return s ELU(x) with alpha = 1.673 and s = 1.051. Klambauer et al. 2017."""
    return np.multiply(elu(x, alpha=SELU_ALPHA), SELU_SCALE, out=out)


def selu_gradient(grad, y):
    """Return grad s where y > 0, else grad (y + s alpha), as in `elu_gradient`, multiplied by s."""
    return grad * np.where(y > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA).astype(y.dtype, copy=False)


def softplus(x, out=None):
    """Return log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)), where nothing can overflow."""
    x = as_float(x)
    return np.add(np.maximum(x, 0), np.log1p(np.exp(-np.abs(x))), out=out)


def softplus_gradient(grad, y):
    """Return grad (1 - exp(-y)): dy/dx = exp(x) / (1 + exp(x)), and 1 + exp(x) = exp(y)."""
    return grad * -np.expm1(-y)


def celu(x, out=None, alpha=1.0):
    """Return x where x > 0, else alpha (exp(x/alpha) - 1): an ELU with the slope 1 at 0 for any alpha. Barron 2017."""
    x = as_float(x)
    return _chosen(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha), out)


def squareplus(x, out=None, b=4):
    """Return (x + sqrt(x^2 + b)) / 2: a softplus without exp. Barron 2021."""
    x = as_float(x)
    far = 2 / (np.hypot(x, np.sqrt(b).astype(x.dtype)) + np.abs(x))  # b / 4 of it is y where x < 0, without rounding
    return _chosen(x > 0, x + far * (b / 4), far * (b / 4), out)


def squareplus_gradient(grad, y, b=4):
    """Return grad y^2 / (y^2 + b/4). With r = sqrt(x^2 + b), dy/dx = (1 + x / r) / 2 = y / r; and x = y - b / (4 y), so
    r = 2 y - x = y + b / (4 y)."""
    return grad * (y / (y + b / 4 / np.maximum(y, SMALLEST))).astype(y.dtype, copy=False)


def log_sigmoid(x, out=None):
    """Return log(1 / (1 + exp(-x))) = min(x, 0) - log(1 + exp(-|x|)), where nothing can overflow."""
    x = as_float(x)
    return np.subtract(np.minimum(x, 0), np.log1p(np.exp(-np.abs(x))), out=out)


def log_sigmoid_gradient(grad, y):
    """Return grad (1 - exp(y)): dy/dx = 1 - sigmoid(x), and sigmoid(x) = exp(y)."""
    return grad * -np.expm1(y)


def mish_with_slope(x, out=None, slope=None):
    """Return x w with w = tanh(softplus(x)), and the derivative w + x (1 - w^2) sigmoid(x). Misra 2019.

    With s = softplus(x), sigmoid(x) is ds/dx, and dw/dx = (1 - w^2) ds/dx.
    """
    x = as_float(x)
    s = softplus(x)
    w = np.tanh(s)
    slope = np.add(w, x * (1 - w * w) * -np.expm1(-s), out=slope)
    return np.multiply(x, w, out=out), slope


def mish(x, out=None):
    """Return the first result of `mish_with_slope`."""
    return mish_with_slope(x, out)[0]


def tanh_shrink_with_slope(x, out=None, slope=None):
    """Return x - tanh(x), and the derivative 1 - (1 - tanh(x)^2) = tanh(x)^2."""
    x = as_float(x)
    t = np.tanh(x)
    slope = np.multiply(t, t, out=slope)
    return np.subtract(x, t, out=out), slope


def tanh_shrink(x, out=None):
    """Return the first result of `tanh_shrink_with_slope`."""
    return tanh_shrink_with_slope(x, out)[0]


def softsign(x, out=None):
    """Return x / (1 + |x|): from -1 to 1, and slower to reach them than tanh."""
    x = as_float(x)
    return np.divide(x, 1 + np.abs(x), out=out)


def softsign_gradient(grad, y):
    """Return grad (1 - |y|)^2: dy/dx = 1 / (1 + |x|)^2, and 1 - |y| = 1 / (1 + |x|)."""
    return grad * (1 - np.abs(y)) ** 2


def exponential(x, out=None):
    """Return exp(x)."""
    return np.exp(as_float(x), out=out)


def exponential_gradient(grad, y):
    """Return grad y, since the slope of exp is exp."""
    return grad * y


def _chosen(condition, yes, no, out):
    """Return `yes` where the condition holds and `no` elsewhere, in `out` if that is given."""
    y = np.where(condition, yes, no)
    if out is None:
        return y
    np.copyto(out, y)
    return out


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops: (y, dy/dx) of one number after the other.

DEFINITIONS = {
    "celu": lambda x: (x, 1.0) if x > 0 else (math.exp(x) - 1, math.exp(x)),
    "squareplus": lambda x: ((x + math.sqrt(x * x + 4)) / 2, (1 + x / math.sqrt(x * x + 4)) / 2),
    "log_sigmoid": lambda x: (-math.log(1 + math.exp(-x)), 1 / (1 + math.exp(x))),
    "mish": lambda x: (
        x * math.tanh(math.log(1 + math.exp(x))),
        math.tanh(math.log(1 + math.exp(x))) + x * (1 - math.tanh(math.log(1 + math.exp(x))) ** 2) / (1 + math.exp(-x)),
    ),
    "tanh_shrink": lambda x: (x - math.tanh(x), math.tanh(x) ** 2),
    "hard_tanh": lambda x: (x, 1.0) if abs(x) < 1 else (math.copysign(1, x), 0.0),
    "hard_silu": lambda x: (x * (x + 3) / 6, x / 3 + 0.5) if abs(x) < 3 else (max(x, 0), float(x > 0)),
    "hard_shrink": lambda x: (x, 1.0) if abs(x) > 0.5 else (0.0, 0.0),
    "soft_shrink": lambda x: (x - math.copysign(0.5, x), 1.0) if abs(x) > 0.5 else (0.0, 0.0),
    "sparse_plus": lambda x: ((x + 1) ** 2 / 4, (x + 1) / 2) if abs(x) < 1 else (max(x, 0), float(x > 0)),
    "sparse_sigmoid": lambda x: ((x + 1) / 2, 0.5) if abs(x) < 1 else (float(x > 0), 0.0),
    "leaky_relu": lambda x: (x, 1.0) if x > 0 else (LEAK * x, LEAK),
    "elu": lambda x: (x, 1.0) if x > 0 else (math.exp(x) - 1, math.exp(x)),
    "selu": lambda x: (
        (SELU_SCALE * x, SELU_SCALE)
        if x > 0
        else (SELU_SCALE * SELU_ALPHA * (math.exp(x) - 1), SELU_SCALE * SELU_ALPHA * math.exp(x))
    ),
    "softplus": lambda x: (math.log(1 + math.exp(x)), 1 / (1 + math.exp(-x))),
    "softsign": lambda x: (x / (1 + abs(x)), 1 / (1 + abs(x)) ** 2),
    "exponential": lambda x: (math.exp(x), math.exp(x)),
}


def unit_naive(name, x):
    """Return (y, dy/dx) of an activation of this file or of `bent_units`, number by number from its definition."""
    y, slope = np.zeros_like(x), np.zeros_like(x)
    for place in np.ndindex(x.shape):
        y[place], slope[place] = DEFINITIONS[name](float(x[place]))
    return y, slope

"""Layer normalization: every row of numbers is brought to mean 0 and variance 1. Ba, Kiros & Hinton 2016.

Batch normalization does this with one channel of all examples (`normalization`). Here it is done with all D features of
one token, so a token does not depend on the batch, nor on the other tokens, nor on padding.

    mean = 1/D sum x_i        variance = 1/D sum (x_i - mean)^2        v = (x - mean) / sqrt(variance + epsilon)
    y = gamma * v + beta

epsilon stands inside the root. It keeps a row of equal numbers finite, and otherwise it should not matter: Keras's
default is 1e-3, BERT's 1e-12. The variance is that of the row itself (divided by D and not by D - 1).

In float32, mean and variance are right to about 1e-6, relative, also where the mean is large: the mean is subtracted
before anything is squared, and the mean of what is left is subtracted again. Where a mean is a million times as large
as the deviations, x itself no longer holds the digits.

RMS normalization leaves the mean where it is (Zhang & Sennrich 2019): y = scale * x / sqrt(1/D sum x_i^2 + epsilon).

Each function goes over its rows once, in blocks that stay in the cache. Who calls this: `layers.LayerNormalization`,
`layers.RMSNormalization`, and `graph.fusion`. Shapes: x, other, y and grad are (M, D), M rows; gamma and beta are (D,)
or None.
"""

import numpy as np

from .channels import Repeated
from .memory import Scratch, empty
from .parallel import SMALLEST_SHARED_BYTES, share, slices, threads

BLOCK = 2**18  # numbers that a thread works on at a time: 1 MB in float32


def layer_normalize(x, gamma=None, beta=None, epsilon=1e-3, other=None):
    """Return y, and what the gradient needs: mean and inverse_std = 1 / sqrt(variance + epsilon), (M,) each.

    With `other`, x + other is normalized: the two arrays are added up while a block is in the cache.
    """
    m, d = x.shape
    y = empty(x.shape, x.dtype)
    mean, inverse_std = np.empty(m, x.dtype), np.empty(m, x.dtype)
    ones, gammas, betas = np.full(d, 1 / max(d, 1), x.dtype), _repeated(gamma), _repeated(beta)

    def compute(parts):
        for rows in parts:
            v = y[rows]
            source = x[rows] if other is None else np.add(x[rows], other[rows], out=v)
            _deviations(source, ones, mean[rows], v)
            inverse = inverse_std[rows]
            np.einsum("md,md->m", v, v, out=inverse)
            inverse /= max(d, 1)
            inverse += x.dtype.type(epsilon)
            np.sqrt(inverse, out=inverse)
            np.divide(1, inverse, out=inverse)
            v *= inverse[:, None]
            _scale_and_shift(v, gammas, betas)

    share(compute, _blocks(x))
    return y, mean, inverse_std


def layer_normalize_gradient(grad, x, mean, inverse_std, gamma=None):
    """Return dL/dx, dL/dgamma and dL/dbeta from grad = dL/dy. With gamma = None the last two are those of gamma = 1.

        dL/dgamma_i = sum over rows of grad_i v_i        dL/dbeta_i = sum over rows of grad_i        g = gamma * grad

    g is dL/dv. Within a row, write r for inverse_std, and 1[i = j] for 1 where i = j, else 0. Every x_i moves the mean
    by 1/D and, as `layers.BatchNormalization.backward` derives, the variance by 2 (x_i - mean) / D. So it moves r by
    -r^3/2 * 2 (x_i - mean) / D = -r^2 v_i / D, and

        dv_j/dx_i = r (1[i = j] - 1/D) + (x_j - mean) (-r^2 v_i / D) = r (1[i = j] - 1/D - v_j v_i / D)
        dL/dx_i   = sum_j g_j dv_j/dx_i = r (g_i - 1/D sum_j g_j - v_i 1/D sum_j g_j v_j)

    For a row x = (1, 3), epsilon = 0: mean 2, r = 1, v = (-1, 1). With g = (1, 0): the means are 1/2 and -1/2, so
    dL/dx = (1 - 1/2 - 1/2, 0 - 1/2 + 1/2) = (0, 0). Two numbers always become -1 and 1, whatever they are.
    """
    m, d = x.shape
    dx, parts = empty(x.shape, np.result_type(grad, x)), _blocks(x)
    sums = np.empty((2, len(parts), d), dx.dtype)
    gammas, mean_of, scratch = _repeated(gamma), np.full(d, 1 / max(d, 1), dx.dtype), Scratch(dx.dtype)

    def compute(numbered):
        for k, rows in numbered:
            r, v = inverse_std[rows, None], scratch.array("v", *x[rows].shape)
            np.subtract(x[rows], mean[rows, None], out=v)
            v *= r
            product = scratch.array("product", *v.shape)
            np.multiply(grad[rows], v, out=product)
            ones = np.ones(len(v), dx.dtype)
            np.matmul(ones, product, out=sums[0, k])
            np.matmul(ones, grad[rows], out=sums[1, k])
            g = dx[rows]
            if gammas is None:
                np.copyto(g, grad[rows])
            else:
                gammas.combine(np.multiply, grad[rows], g)
                gammas.combine(np.multiply, product, product)
            means, along = g @ mean_of, product @ mean_of  # of g and of g * v
            v *= along[:, None]
            g -= v
            g -= means[:, None]
            g *= r

    share(compute, list(enumerate(parts)))
    gamma_gradient, beta_gradient = sums.sum(axis=1, dtype=np.float64).astype(dx.dtype)
    return dx, gamma_gradient, beta_gradient


def rms_normalize(x, scale=None, epsilon=1e-6):
    """Return y and inverse = 1 / sqrt(mean of x^2 + epsilon), (M,)."""
    m, d = x.shape
    y, inverse_rms, scales = empty(x.shape, x.dtype), np.empty(m, x.dtype), _repeated(scale)

    def compute(parts):
        for rows in parts:
            inverse = inverse_rms[rows]
            np.einsum("md,md->m", x[rows], x[rows], out=inverse)
            inverse /= max(d, 1)
            inverse += x.dtype.type(epsilon)
            np.sqrt(inverse, out=inverse)
            np.divide(1, inverse, out=inverse)
            block = np.multiply(x[rows], inverse[:, None], out=y[rows])
            _scale_and_shift(block, scales, None)

    share(compute, _blocks(x))
    return y, inverse_rms


def rms_normalize_gradient(grad, x, inverse_rms, scale=None):
    """Return dL/dx and dL/dscale from grad = dL/dy. With r = inverse_rms, v = r x and g = scale * grad:

    dL/dscale_i = sum over rows of grad_i v_i        dr/dx_i = -r^3/2 * 2 x_i / D = -r^2 v_i / D
    dL/dx_i     = r g_i + sum_j g_j x_j dr/dx_i = r (g_i - v_i 1/D sum_j g_j v_j)
    """
    m, d = x.shape
    dx, parts = empty(x.shape, np.result_type(grad, x)), _blocks(x)
    sums, scales, scratch = np.empty((len(parts), d), dx.dtype), _repeated(scale), Scratch(dx.dtype)

    def compute(numbered):
        for k, rows in numbered:
            r = inverse_rms[rows, None]
            v = np.multiply(x[rows], r, out=scratch.array("v", *x[rows].shape))
            product = np.multiply(grad[rows], v, out=scratch.array("product", *v.shape))
            np.matmul(np.ones(len(v), dx.dtype), product, out=sums[k])
            g = dx[rows]
            if scales is None:
                np.copyto(g, grad[rows])
            else:
                scales.combine(np.multiply, grad[rows], g)
            v *= np.einsum("md,md->m", g, v)[:, None] / max(d, 1)
            g -= v
            g *= r

    share(compute, list(enumerate(parts)))
    return dx, sums.sum(axis=0, dtype=np.float64).astype(dx.dtype)


def _blocks(x):
    """Return slices of the rows of x, of about BLOCK numbers each."""
    multiple = threads() if x.nbytes >= SMALLEST_SHARED_BYTES else 1
    return slices(len(x), -(-x.size // (BLOCK * multiple)) * multiple)


def _deviations(x, ones, mean, out):
    """Compute x - mean of each row -> out, and the means. `ones` holds 1/D: a product with it is a mean.

    Beside a large mean, its rounding shows in the deviations. So their own mean is taken off, too.
    """
    np.matmul(x, ones, out=mean)
    np.subtract(x, mean[:, None], out=out)
    rest = out @ ones
    out -= rest[:, None]
    mean += rest


def _repeated(vector):
    """Return the vector in a form that is fast to combine with every row (`channels`), or None."""
    return None if vector is None else Repeated(vector)


def _scale_and_shift(rows, gammas, betas):
    """Multiply rows by gamma and add beta, in place."""
    if gammas is not None:
        gammas.combine(np.multiply, rows, rows)
    if betas is not None:
        betas.combine(np.add, rows, rows)


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def layer_normalize_naive(x, gamma=None, beta=None, epsilon=1e-3, other=None):
    """Normalize one row after the other."""
    x = x if other is None else x + other
    y, mean, inverse_std = np.zeros_like(x), np.zeros_like(x[:, 0]), np.zeros_like(x[:, 0])
    for row, numbers in enumerate(x):
        mean[row] = sum(numbers) / len(numbers)
        variance = sum((number - mean[row]) ** 2 for number in numbers) / len(numbers)
        inverse_std[row] = 1 / np.sqrt(variance + epsilon)
        for i, number in enumerate(numbers):
            v = (number - mean[row]) * inverse_std[row]
            y[row, i] = v * (1 if gamma is None else gamma[i]) + (0 if beta is None else beta[i])
    return y, mean, inverse_std


def layer_normalize_gradient_naive(grad, x, mean, inverse_std, gamma=None):
    """Follow each x_i to each v_j, by the derivative that is derived above."""
    dx = np.zeros_like(grad)
    gamma_gradient, beta_gradient = np.zeros((2, x.shape[1]), grad.dtype)
    for row in range(len(x)):
        r, d = inverse_std[row], x.shape[1]
        v = [(number - mean[row]) * r for number in x[row]]
        for j in range(d):
            gamma_gradient[j] += grad[row, j] * v[j]
            beta_gradient[j] += grad[row, j]
            g = grad[row, j] * (1 if gamma is None else gamma[j])
            for i in range(d):
                dx[row, i] += g * r * ((i == j) - 1 / d - v[j] * v[i] / d)
    return dx, gamma_gradient, beta_gradient


def rms_normalize_naive(x, scale=None, epsilon=1e-6):
    """Divide one row after the other by the root of its mean square."""
    y, inverse_rms = np.zeros_like(x), np.zeros_like(x[:, 0])
    for row, numbers in enumerate(x):
        inverse_rms[row] = 1 / np.sqrt(sum(number**2 for number in numbers) / len(numbers) + epsilon)
        for i, number in enumerate(numbers):
            y[row, i] = number * inverse_rms[row] * (1 if scale is None else scale[i])
    return y, inverse_rms


def rms_normalize_gradient_naive(grad, x, inverse_rms, scale=None):
    """Follow each x_i to each v_j."""
    dx, scale_gradient = np.zeros_like(grad), np.zeros(x.shape[1], grad.dtype)
    for row in range(len(x)):
        r, d = inverse_rms[row], x.shape[1]
        for j in range(d):
            scale_gradient[j] += grad[row, j] * x[row, j] * r
            g = grad[row, j] * (1 if scale is None else scale[j])
            for i in range(d):
                dx[row, i] += g * r * ((i == j) - r * x[row, j] * r * x[row, i] / d)
    return dx, scale_gradient

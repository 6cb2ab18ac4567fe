"""Rotary positions: where a token stands in the text, written into its queries and keys as a rotation. Su et al. 2021.

The numbers of a query or key are taken in pairs (2i, 2i+1), and each pair is a point in a plane. At position t, pair i
is turned by the angle t * f_i:

    f_i = base ** (-2i / H)        pair 0 turns by one radian a step, the last pair hardly at all

Attention sees only products of a query and a key. With both turned, such a product depends on the distance of the two
positions alone: to turn q by t f and k by s f, and then to multiply them, is to turn q by (t - s) f and to multiply it
by k as it is. So what is learned for one place of the text holds at every other place.

Meta's files (Llama) hold kernels for these pairs. Files of Hugging Face hold the same kernels with their columns in
another order, for the pairs (i, i + H/2). With the wrong pairs, position 0 is right, since it is turned by nothing, and
all others are wrong.

A point (a, b) is the complex number a + b j, and to turn it by an angle is to multiply it by cos + sin j. So the fast
functions multiply complex numbers, which NumPy reads from the same memory: two float32 are one complex64.

Who calls this: `layers.CausalSelfAttention`.
"""

import math

import numpy as np

from .elementwise import contiguous


def rotations(first, count, features, base=10000.0, dtype=np.float32):
    """Return the complex numbers (T, H/2) that turn the pairs at the positions `first`, first + 1, ...: `count` of
    them. The angles are computed in float64: at position 1,000, float32 would be off by up to 3e-5."""
    frequencies = base ** (-np.arange(0, features, 2) / features)  # (H/2,)
    angles = np.arange(first, first + count)[:, None] * frequencies  # (T, H/2)
    return (np.cos(angles) + 1j * np.sin(angles)).astype(np.result_type(dtype, np.complex64))


def rotate(x, turns):
    """Return x (N, T, K, H) with each pair turned by its number of `turns` (T, H/2), which `rotations` returns."""
    pairs = contiguous(x).view(turns.dtype)  # (N, T, K, H/2)
    return (pairs * turns[:, None]).view(x.dtype)


def rotate_gradient(grad, turns):
    """Return dL/dx from grad = dL/dy: grad turned back. With c and s the cosine and sine of a pair's angle,

        y_0 = c x_0 - s x_1          dL/dx_0 =  c grad_0 + s grad_1
        y_1 = s x_0 + c x_1          dL/dx_1 = -s grad_0 + c grad_1

    which is the rotation by the negative angle: s has changed its sign. The conjugate of cos + sin j is cos - sin j.
    """
    return rotate(grad, turns.conj())


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def rotate_naive(x, first=0, base=10000.0, direction=1):
    """Turn one pair after the other. `direction` is -1 to turn them back."""
    y = np.zeros_like(x)
    n, t, heads, features = x.shape
    for example, step, head in np.ndindex(n, t, heads):
        for i in range(features // 2):
            angle = direction * (first + step) * base ** (-2 * i / features)
            a, b = x[example, step, head, 2 * i : 2 * i + 2]
            y[example, step, head, 2 * i] = math.cos(angle) * a - math.sin(angle) * b
            y[example, step, head, 2 * i + 1] = math.sin(angle) * a + math.cos(angle) * b
    return y


def rotate_gradient_naive(grad, first=0, base=10000.0):
    """Turn one pair of the gradient after the other back."""
    return rotate_naive(grad, first, base, direction=-1)

"""SwiGLU: one half of a hidden layer opens and closes the other. Shazeer 2020.

    y = silu(a) * b        silu(a) = a * sigmoid(a), a smooth ReLU

a and b are two linear maps of the same input. Where silu(a) is near 0, b does not get through.

Who calls this: `layers.SwiGLU`. All threads share the arrays, block by block.
"""

import math

import numpy as np

from .memory import Scratch, empty
from .parallel import share, slices

BLOCK = 2**16  # numbers in a block


def swiglu(a, b):
    """Return silu(a) * b, number by number. a and b have one shape."""
    y = empty(a.shape, np.result_type(a, b))
    scratch = Scratch(y.dtype)
    flat_a, flat_b, flat_y = a.reshape(-1), b.reshape(-1), y.reshape(-1)

    def compute(parts):
        for part in parts:
            gate = _sigmoid(flat_a[part], scratch.array("gate", part.stop - part.start))
            gate *= flat_a[part]
            np.multiply(gate, flat_b[part], out=flat_y[part])

    share(compute, _blocks(y.size))
    return y


def swiglu_gradient(grad, a, b):
    """Return (dL/da, dL/db) from grad = dL/dy. With s = sigmoid(a), whose slope is s (1 - s):

    dy/db = a s
    dy/da = b (s + a s (1 - s))  =  b (s + a s - (a s) s)
    """
    da, db = empty(grad.shape, grad.dtype), empty(grad.shape, grad.dtype)
    scratch = Scratch(grad.dtype)
    arrays = [each.reshape(-1) for each in (grad, a, b, da, db)]

    def compute(parts):
        for part in parts:
            grad, a, b, da, db = (each[part] for each in arrays)
            s = _sigmoid(a, scratch.array("s", len(a)))
            np.multiply(a, s, out=db)  # silu(a)
            np.multiply(db, s, out=da)
            np.subtract(db, da, out=da)
            da += s
            da *= b
            da *= grad
            db *= grad

    share(compute, _blocks(grad.size))
    return da, db


def _sigmoid(a, out):
    """Compute 1 / (1 + exp(-a)) = (1 + tanh(a / 2)) / 2 -> out. Unlike exp, tanh cannot overflow."""
    np.multiply(a, 0.5, out=out)
    np.tanh(out, out=out)
    out += 1
    out *= 0.5
    return out


def _blocks(size):
    """Return slices of a flat array with about BLOCK numbers each."""
    return slices(size, -(-size // BLOCK))


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def swiglu_naive(a, b):
    """Compute one number after the other."""
    y = np.zeros_like(a)
    for place in np.ndindex(a.shape):
        y[place] = a[place] / (1 + math.exp(-a[place])) * b[place]
    return y


def swiglu_gradient_naive(grad, a, b):
    """Compute one number of each gradient after the other."""
    da, db = np.zeros_like(a), np.zeros_like(b)
    for place in np.ndindex(a.shape):
        s = 1 / (1 + math.exp(-a[place]))
        da[place] = grad[place] * b[place] * (s + a[place] * s * (1 - s))
        db[place] = grad[place] * a[place] * s
    return da, db

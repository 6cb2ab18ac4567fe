"""The gates of a recurrent layer: the products that all gates have alike, and their activations.

The gates of a step are blocks of one array, z (G, N, U), for G gates of U units: `i, f, g, o = z`. The weights of a
layer have the gates side by side, in columns (D, G*U), as Keras does; `stacked` turns them into blocks (G, D, U).

Three of the four gates of an LSTM have a sigmoid, and one has a tanh. But a sigmoid is a tanh, scaled and shifted:

    sigmoid(z) = 1 / (1 + exp(-z)) = 1/2 + 1/2 * tanh(z / 2)

So with a number s for each gate, s = 1/2 where it has a sigmoid and s = 1 where it has a tanh, one line does all gates:

    a = (1 - s) + s * tanh(s * z)

Its derivative is da/dz = s^2 * (1 - tanh(s z)^2), and s * tanh(s z) is a - (1 - s). So

    da/dz = s^2 - (a - (1 - s))^2                 sigmoid: 1/4 - (a - 1/2)^2 = a (1 - a)        tanh: 1 - a^2

None of it needs the gradients that come back from the later steps. So on the way back, `Gates.slopes` computes it for
many steps at once, and the steps themselves are left with a few multiplications.

*What stands around the steps.* The products below need no state, so they are computed for many steps at once:
`blocks_of_steps` cuts the steps into blocks. While one thread goes through the steps of a block, the others compute the
products of the next ones (see `layers.recurrent_layer`). Within a block, P counts steps and examples together.

Who calls this: the steps in `recurrent`, `lstm` and `gru`, and `layers.recurrent_layer`.
"""

from functools import partial

import numpy as np

from .activations import ACTIVATIONS
from .memory import empty
from .parallel import slices
from .products import LEAST_SHARED_OPERATIONS, product

LEAST_ROWS, MOST_BLOCKS = 256, 8  # rows (steps times examples) of a block of steps, and blocks


def swapped(array):
    """Return (N, T, ...) as (T, N, ...), or the other way round: a copy, in memory that is used again."""
    found = empty((array.shape[1], array.shape[0], *array.shape[2:]), array.dtype, is_scratch=True)
    np.copyto(found, array.swapaxes(0, 1))
    return found


def rows_of(array):
    """Return (..., T, N, D) as (..., T*N, D): a view."""
    *leading, steps, n, features = array.shape
    return array.reshape(*leading, steps * n, features)


def blocks_of_steps(steps, examples):
    """Return the steps in at most MOST_BLOCKS slices, with LEAST_ROWS rows (steps times examples) or more in each."""
    return slices(steps, max(1, min(MOST_BLOCKS, steps * examples // LEAST_ROWS)))


def are_worth_sharing(x, kernels):
    """Return whether the products of inputs x (..., D) with kernels (G, D, U) are worth other threads."""
    return 2.0 * x.size * kernels.size / len(kernels[0]) > LEAST_SHARED_OPERATIONS


def stacked(weights, gates, transposed=False):
    """Return weights (D, G*U) as one matrix for each gate: (G, D, U), or (G, U, D) if they are transposed."""
    rows, width = weights.shape
    blocks = _copied(weights.reshape(rows, gates, width // gates).swapaxes(0, 1))
    return _copied(blocks.swapaxes(1, 2)) if transposed else blocks  # both at once takes twice as long


def side_by_side(blocks):
    """Return one matrix for each gate (G, D, U) as weights (D, G*U)."""
    return _copied(blocks.swapaxes(0, 1)).reshape(blocks.shape[1], -1)


def _copied(array):
    """Return a copy whose numbers lie in memory one after the other."""
    y = empty(array.shape, array.dtype, is_scratch=True)
    np.copyto(y, array)
    return y


def products_of_inputs(x, kernels, biases, out):
    """Compute x @ kernel + bias for each gate: x (P, D), kernels (G, D, U), biases (G, U) or None -> out (G, P, U).

    P counts steps and examples together.
    """
    np.matmul(x, kernels, out=out)
    if biases is not None:
        out += biases[:, None]


def products_of_inputs_gradient(dz, kernels_t, out):
    """Compute dL/dx (T, N, D) -> out, from dz (G, T, N, U) and kernels_t (G, U, D), the transposed kernels: every gate
    saw x through a kernel of its own, and the gradients add up."""
    gates, steps, n, units = dz.shape
    parts = empty((gates, steps * n, out.shape[2]), out.dtype, is_scratch=True)
    total, *others = np.matmul(dz.reshape(gates, steps * n, units), kernels_t, out=parts)
    for each in others:
        total += each
    np.copyto(out, total.reshape(out.shape))


def kernel_gradient(x, dz, out, add):
    """Compute dL/dkernel (D, G*U) -> out, from x (P, D) and dz (G, P, U): one product over all steps for each gate.

    Each is a task of `parallel.beside`, whose `add` is given.
    """
    units = dz.shape[2]
    for gate, dz_of_gate in enumerate(dz):
        add(partial(product, x.T, dz_of_gate, out=out[:, gate * units : (gate + 1) * units]))


class Gates:
    """The activations of gates: `names` are Keras's names, one for each block of z (G, N, U).

    Gates with sigmoid and tanh are computed as one array, other gates one after the other.
    """

    def __init__(self, names, dtype):
        self.scale, self.activations = None, [ACTIVATIONS[name] for name in names]
        self.is_tanh = set(names) == {"tanh"}
        if set(names) in ({"sigmoid", "tanh"}, {"sigmoid"}):
            self.scale = np.array([1 / 2 if name == "sigmoid" else 1 for name in names], dtype)[:, None, None]
            self.shift, self.square = 1 - self.scale, self.scale**2

    def activate(self, z, out):
        """Compute the gates of z (G, N, U) -> out (G, N, U), which may be z."""
        if self.is_tanh:
            np.tanh(z, out=out)
        elif self.scale is not None:
            np.multiply(z, self.scale, out=out)
            np.tanh(out, out=out)
            out *= self.scale
            out += self.shift
        else:
            for (activation, _), block, result in zip(self.activations, z, out):
                np.copyto(result, activation(block))

    def slopes(self, a, out):
        """Compute da/dz (G, P, U) from the gates a (G, P, U) -> out."""
        if self.is_tanh:
            np.multiply(a, a, out=out)
            np.subtract(1, out, out=out)
        elif self.scale is not None:
            np.subtract(a, self.shift, out=out)
            out *= out
            np.subtract(self.square, out, out=out)
        else:
            for (_, gradient), block, result in zip(self.activations, a, out):
                np.copyto(result, gradient(np.ones_like(block), block))

"""The gates of a recurrent layer: the products that all gates have alike, and their activations.

The gates of a step are blocks of one array, z (G, N, U), for G gates of U units: `i, f, g, o = z`. The weights of a
layer have the gates side by side, in columns (D, G*U), as Keras does; `stacked` turns them into blocks (G, D, U).

Three of the four gates of an LSTM have a sigmoid, and one has a tanh. But a sigmoid is a tanh, scaled and shifted:

    sigmoid(z) = 1 / (1 + exp(-z)) = 1/2 + 1/2 * tanh(z / 2)

So with a number s for each gate, s = 1/2 where it has a sigmoid and s = 1 where it has a tanh, one line does all gates:

    a = (1 - s) + s * tanh(s * z)

Its derivative is da/dz = s^2 * (1 - tanh(s z)^2), and s * tanh(s z) is a - (1 - s). So

    da/dz = s^2 - (a - (1 - s))^2                 sigmoid: 1/4 - (a - 1/2)^2 = a (1 - a)        tanh: 1 - a^2

Who calls this: the steps in `recurrent`, `lstm` and `gru`, and `layers.recurrent_layer`.
"""

import numpy as np

from .activations import ACTIVATIONS
from .channels import Repeated
from .memory import Scratch, empty
from .parallel import share, slices, threads
from .products import LEAST_SHARED_OPERATIONS, product

ROWS_OF_A_BLOCK = 512  # rows of dL/dx that are computed at a time, so that they stay in the cache


def stacked(weights, gates):
    """Return weights (D, G*U) as one matrix for each gate: (G, D, U)."""
    rows, width = weights.shape
    return np.ascontiguousarray(weights.reshape(rows, gates, width // gates).swapaxes(0, 1))


def side_by_side(blocks):
    """Return one matrix for each gate (G, D, U) as weights (D, G*U)."""
    return np.ascontiguousarray(blocks.swapaxes(0, 1)).reshape(blocks.shape[1], -1)


def products_of_inputs(x, kernels, biases=None):
    """Return x @ kernel + bias of all time steps and gates: x (P, D), kernels (G, D, U), biases (G, U) -> (G, P, U).

    P counts steps and examples together. Each thread computes some rows of some gates.
    """
    z = empty((len(kernels), len(x), kernels.shape[2]), np.result_type(x, kernels))
    count = threads() if 2.0 * z.size * x.shape[1] > LEAST_SHARED_OPERATIONS else 1

    def compute(parts):
        for gate, rows in parts:
            np.matmul(x[rows], kernels[gate], out=z[gate, rows])
            if biases is not None:
                Repeated(biases[gate]).combine(np.add, z[gate, rows], z[gate, rows])

    share(compute, [(gate, rows) for gate in range(len(kernels)) for rows in slices(len(x), count)])
    return z


def products_of_inputs_gradient(dz, kernels):
    """Return dL/dx (P, D) from dz (G, P, U): every gate saw x through its own kernel, and the gradients add up."""
    gates, p, units = dz.shape
    dx = empty((p, kernels.shape[1]), np.result_type(dz, kernels), is_scratch=True)
    scratch = Scratch(dx.dtype)

    def compute(parts):
        for rows in parts:
            block = np.matmul(dz[0, rows], kernels[0].T, out=dx[rows])
            for gate in range(1, gates):
                block += np.matmul(dz[gate, rows], kernels[gate].T, out=scratch.array("part", *block.shape))

    share(compute, slices(p, -(-p // ROWS_OF_A_BLOCK)))
    return dx


def kernel_gradient(x, dz):
    """Return dL/dkernel (D, G*U) from x (P, D) and dz, G arrays (P, U): one product over all steps for each gate."""
    units = dz[0].shape[1]
    found = np.empty((x.shape[1], len(dz) * units), np.result_type(x, dz[0]))
    count = threads() if 2.0 * found.size * len(x) > LEAST_SHARED_OPERATIONS else 1

    def compute(parts):
        for gates in parts:
            for gate in range(gates.start, gates.stop):
                product(x.T, dz[gate], out=found[:, gate * units : (gate + 1) * units])

    share(compute, slices(len(dz), count))
    return found


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

    def multiply_slopes(self, grad, a, work):
        """Turn grad = dL/da (G, N, U) into dL/dz, in place; a (G, N, U) are the gates. `work` is an array of this size,
        which is used where it saves a new one."""
        if self.is_tanh:
            np.multiply(a, a, out=work)
            np.subtract(1, work, out=work)
            grad *= work
        elif self.scale is not None:
            np.subtract(a, self.shift, out=work)
            work *= work
            np.subtract(self.square, work, out=work)
            grad *= work
        else:
            for (_, gradient), block, result in zip(self.activations, a, grad):
                np.copyto(result, gradient(result, block))

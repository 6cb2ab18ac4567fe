"""The activations of a recurrent layer's gates, computed for all gates at once.

The gates of one step lie side by side: z (N, G*U), for G gates of U units. An LSTM has the gates i f c o, three of them
with a sigmoid and one with a tanh. To call a function for each of them would read and write columns in pieces. But a
sigmoid is a tanh that is scaled and shifted:

    sigmoid(z) = 1 / (1 + exp(-z)) = 1/2 + 1/2 * tanh(z / 2)

So with one row of numbers, s = 1/2 where the gate has a sigmoid and s = 1 where it has a tanh, one line does all:

    a = (1 - s) + s * tanh(s * z)

Its derivative is da/dz = s^2 * (1 - tanh(s z)^2), and s * tanh(s z) is a - (1 - s). So

    da/dz = s^2 - (a - (1 - s))^2                 sigmoid: 1/4 - (a - 1/2)^2 = a (1 - a)        tanh: 1 - a^2

Who calls this: `recurrent`, `lstm` and `gru`, whose steps it is a part of.
"""

import numpy as np

from .activations import ACTIVATIONS


class Gates:
    """The activations of gates that lie side by side: `names` are Keras's names, one for each gate of `units` columns.

    Gates with sigmoid and tanh are computed as one block. Other gates are computed one after the other.
    """

    def __init__(self, names, units, dtype):
        self.scale = None
        self.parts = [(slice(k * units, (k + 1) * units), *ACTIVATIONS[name]) for k, name in enumerate(names)]
        if set(names) == {"sigmoid", "tanh"} or set(names) == {"sigmoid"}:
            self.scale = np.repeat([1 / 2 if name == "sigmoid" else 1 for name in names], units).astype(dtype)
            self.shift, self.square = 1 - self.scale, self.scale**2

    def activate(self, z, out):
        """Compute the gates of z (N, G*U) -> out (N, G*U), which may be z."""
        if self.scale is None:
            for part, activation, _ in self.parts:
                out[:, part] = activation(z[:, part])
            return
        np.multiply(z, self.scale, out=out)
        np.tanh(out, out=out)
        out *= self.scale
        out += self.shift

    def multiply_slopes(self, grad, a, work):
        """Turn grad = dL/da (N, G*U) into dL/dz, in place. a (N, G*U) are the gates, `work` is an array of this size"""
        if self.scale is None:
            for part, _, gradient in self.parts:
                grad[:, part] = gradient(grad[:, part], a[:, part])
            return
        np.subtract(a, self.shift, out=work)
        work *= work
        np.subtract(self.square, work, out=work)
        grad *= work

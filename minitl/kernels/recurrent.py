"""One step of a simple recurrent layer, and the way back through all steps.

A recurrent layer reads a sequence x (N, T, D) one time step after the other, and keeps a state h (N, U) that it carries
from step to step. The same weights are used at every step:

    z_t = x_t @ kernel + bias + h_{t-1} @ recurrent_kernel
    h_t = activation(z_t)                                         kernel (D, U), recurrent_kernel (U, U), bias (U,)

*Before the steps.* x_t @ kernel + bias needs no h. So it is one matrix product for all steps, and only the product with
h is left for the loop. What a step gets is z_t without that product.

*Back through time.* The steps are visited from the last to the first. The state h_t has two ways to the loss: as the
output of step t, and through the next step. Their gradients add up:

    dL/dh_t = (gradient of the output at t) + dL/dz_{t+1} @ recurrent_kernel^T
    dL/dz_t = dL/dh_t * activation'(z_t)

*After the steps.* A weight is used in all steps, so its gradient is a sum over them. With the dL/dz_t of all steps in
one array, the sum is one matrix product as well, whose rows are examples and steps together:

    dL/dkernel           = sum over t of  x_t^T @ dL/dz_t
    dL/drecurrent_kernel = sum over t of  h_{t-1}^T @ dL/dz_t
    dL/dbias             = sum over t and examples of  dL/dz_t

*The gradient vanishes.* One step back multiplies the gradient by activation'(z), which is at most 1 for tanh and mostly
less, and by recurrent_kernel^T, the same matrix each time. After k steps these are k factors. Where they are mostly
below 1, nothing is left of what happened 20 steps ago. With one unit, the weight 0.9 and activation' = 0.8, a factor is
0.72, and 20 of them are 0.0014. (Where the factors are above 1, the gradient explodes: clip it.) `lstm` adds a second
state that is carried on by a sum, not by a product: read it next, then `gru`.

Who calls this: `layers.recurrent`, which has the loop over the steps.
"""

import numpy as np

from .activations import ACTIVATIONS


def simple_rnn_step(z, h, recurrent_kernel, gates, out):
    """Compute one step: z (1, N, U) = x_t @ kernel + bias, h (N, U) the state before -> out (N, U), the state after.

    recurrent_kernel   (1, U, U);   gates   `Gates` with the activation. Both are as in layers with more gates. z is
                       overwritten
    """
    z += np.matmul(h, recurrent_kernel, out=out[None])  # `out` is free until the next line
    gates.activate(z, out[None])


def simple_rnn_step_gradient(grad, dz, recurrent_kernel_t):
    """Go one step back. grad = dL/dh_t (N, U) is overwritten with its part of dL/dh_{t-1}.

    dz (1, N, U) holds activation'(z_t), which `Gates.slopes` has computed from the states for all steps at once. It is
    overwritten with dL/dz_t. recurrent_kernel_t (1, U, U) is transposed. The derivation is above.
    """
    dz *= grad
    np.matmul(dz, recurrent_kernel_t, out=grad[None])


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def simple_rnn_step_naive(z, h, recurrent_kernel, activation="tanh"):
    """Return the state after the step for z and h (N, U), one number at a time."""
    units = len(recurrent_kernel)
    after = np.zeros_like(h)
    for n, u in np.ndindex(*h.shape):
        after[n, u] = z[n, u] + sum(h[n, v] * recurrent_kernel[v, u] for v in range(units))
    return ACTIVATIONS[activation][0](after)


def simple_rnn_step_gradient_naive(grad, h, recurrent_kernel, activation="tanh"):
    """Return (dL/dh_{t-1}, dL/dz_t): every product h * recurrent_kernel of the step passes its part back."""
    dz, before = ACTIVATIONS[activation][1](grad.copy(), h), np.zeros_like(h)
    for n, v, u in np.ndindex(len(h), *recurrent_kernel.shape):
        before[n, v] += dz[n, u] * recurrent_kernel[v, u]
    return before, dz

"""One step of an LSTM (long short-term memory), and the way back.

An LSTM keeps two states: h, its output, and c, its memory. Four gates, each with weights of its own, decide what
happens to the memory. They are computed together, in Keras's order i f c o:

    z = x_t @ kernel + bias + h_{t-1} @ recurrent_kernel          (4, N, U), a block for each gate
    i = sigmoid(z_i)      how much of the new is written          g = tanh(z_c)      the new
    f = sigmoid(z_f)      how much of the memory is kept
    o = sigmoid(z_o)      how much of the memory is shown

    c_t = f * c_{t-1} + i * g
    h_t = o * tanh(c_t)                                           every * is number by number

*Back through one step.* Two gradients arrive: dh = dL/dh_t, as in `recurrent`, and dc, what the next step says of c_t.
The memory reaches the loss by both ways, through h_t and through c_{t+1}, so its gradient is a sum:

    dc  <-  dc + dh * o * (1 - tanh(c_t)^2)

From there to the gates, each line the derivative of one of the products above:

    dL/do = dh * tanh(c_t)        dL/di = dc * g        dL/df = dc * c_{t-1}        dL/dg = dc * i

Times the slopes of sigmoid and tanh (`gates`) these are dL/dz (4, N, U). And to the states before:

    dL/dh_{t-1} = sum over the gates of  dL/dz @ recurrent_kernel^T              dL/dc_{t-1} = dc * f

Each line is dh or dc times numbers that are known since the way forward. `lstm_factors` computes these numbers, with
the slopes in them, for many steps at once. A step back is then four multiplications, two sums and the product.

*Why the gradient does not vanish.* The last formula is the reason for all the others. From step to step the gradient of
the memory is multiplied by f alone: no matrix, no slope. Where the network keeps its memory, f is near 1, and after 20
steps with f = 0.99 there is 0.82 of the gradient left (0.0014 in the example of `recurrent`). That is why the bias of f
begins with 1 (`unit_forget_bias`): f is sigmoid(1) = 0.73 before anything is learned, and not 0.5.
Hochreiter & Schmidhuber 1997; the gate f: Gers, Schmidhuber & Cummins 2000.

Who calls this: `layers.LSTM`. Read next: `gru`.
"""

import numpy as np

from .activations import ACTIVATIONS


def lstm_step(z, h, c, recurrent_kernels, gates, cell, out, work):
    """Compute one step: z (4, N, U) = x_t @ kernel + bias, and the states h and c (N, U) before.

    recurrent_kernels   (4, U, U)
    gates               `Gates` of i f c o;   cell   `Gates` of the activation of c
    out                 (h, c, activation of c) after the step, three arrays (N, U) that are filled
    work                an array (4, N, U)

    z is overwritten with the gates i f g o.
    """
    h_after, c_after, shown = out
    z += np.matmul(h, recurrent_kernels, out=work)
    gates.activate(z, z)
    i, f, g, o = z
    np.multiply(f, c, out=c_after)
    c_after += np.multiply(i, g, out=h_after)  # `h_after` is free until it is computed
    cell.activate(c_after[None], shown[None])
    np.multiply(o, shown, out=h_after)


def lstm_factors(a, c, shown, gates, cell, factors, of_memory):
    """Compute what dh and dc are multiplied with on the way back, for any steps (P counts steps and examples together).

    a           (4, P, U), the gates;   c   (P, U), the memory *before* the step;   shown   the activation of c after it
    factors     (4, P, U) is filled: those of dc for i f g, and that of dh for o
    of_memory   (P, U) is filled: dh * of_memory is the part of dc that comes through h_t
    """
    i, _, g, o = a
    cell.slopes(shown[None], of_memory[None])
    of_memory *= o
    gates.slopes(a, factors)
    for factor, other in zip(factors, (g, c, i, shown)):
        factor *= other


def lstm_step_gradient(dh, dc, dz, f, of_memory, recurrent_kernels_t, work):
    """Go one step back. dh = dL/dh_t and dc (N, U) are overwritten with dL/dh_{t-1} and dL/dc_{t-1}.

    dz      (4, N, U), the factors of the step (see `lstm_factors`), which are overwritten with dL/dz
    f       the gate f of the step;   work   an array (4, N, U)
    """
    dc += np.multiply(dh, of_memory, out=work[0])
    dz[:3] *= dc
    dz[3] *= dh
    dc *= f
    np.add.reduce(np.matmul(dz, recurrent_kernels_t, out=work), axis=0, out=dh)


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def lstm_step_naive(z, h, c, recurrent_kernels, activation="tanh", recurrent_activation="sigmoid"):
    """Return (h, c) after the step, one example and one unit after the other. z stays as it is."""
    activate, gate = ACTIVATIONS[activation][0], ACTIVATIONS[recurrent_activation][0]
    h_after, c_after = np.zeros_like(h), np.zeros_like(c)
    for n, u in np.ndindex(*h.shape):
        i, f, g, o = (z[k, n, u] + h[n] @ recurrent_kernels[k][:, u] for k in range(4))
        c_after[n, u] = gate(f) * c[n, u] + gate(i) * activate(g)
        h_after[n, u] = gate(o) * activate(c_after[n, u])
    return h_after, c_after


def lstm_step_gradient_naive(dh, dc, z, h, c, recurrent_kernels, activation="tanh", recurrent_activation="sigmoid"):
    """Return (dL/dh_{t-1}, dL/dc_{t-1}, dL/dz) for dh and dc, and the z, h and c that the step began with."""
    (activate, slope), (gate, gate_slope) = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    dh_before, dc_before, dz = np.zeros_like(h), np.zeros_like(c), np.zeros_like(z)
    for n, u in np.ndindex(*h.shape):
        i, f, g, o = (z[k, n, u] + h[n] @ recurrent_kernels[k][:, u] for k in range(4))
        i, f, g, o = gate(i), gate(f), activate(g), gate(o)
        shown = activate(f * c[n, u] + i * g)
        of_c = dc[n, u] + slope(dh[n, u] * o, shown)
        dz[0, n, u] = gate_slope(of_c * g, i)
        dz[1, n, u] = gate_slope(of_c * c[n, u], f)
        dz[2, n, u] = slope(of_c * i, g)
        dz[3, n, u] = gate_slope(dh[n, u] * shown, o)
        dc_before[n, u] = of_c * f
        for v in range(h.shape[1]):
            dh_before[n, v] += sum(dz[k, n, u] * recurrent_kernels[k][v, u] for k in range(4))
    return dh_before, dc_before, dz

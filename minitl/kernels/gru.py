"""One step of a GRU (gated recurrent unit), and the way back.

A GRU has one state, h, and three gates, in Keras's order z r h: what is kept, what is looked at, and the candidate for
the new. With a = x_t @ kernel + bias (3, N, U), and R_z, R_r, R_h the three blocks of recurrent_kernel (3, U, U):

    z = sigmoid(a_z + h_{t-1} @ R_z)                              how much of h is kept
    r = sigmoid(a_r + h_{t-1} @ R_r)                              how much of h the candidate sees
    g = tanh(a_h + inner)                                         the candidate
    h_t = z * h_{t-1} + (1 - z) * g

There are two versions of what the candidate sees of h:

    reset_after=True  (Keras's default)    inner = r * (h_{t-1} @ R_h + b)        r is applied after the product
    reset_after=False                      inner = (r * h_{t-1}) @ R_h            before it: Cho et al. 2014

With reset_after there is a second bias b, since r multiplies it. In the weights all three gates have one, and bias is
(2, 3U); but for z and r the sum of both biases is all that counts, so it is added before the steps. What a step gets is
b alone, (U,).

*Back through one step*, from dh = dL/dh_t. h_t is a mean of h_{t-1} and g with the weight z, so

    dL/dz = dh * (h_{t-1} - g)        dL/dg = dh * (1 - z)        and dh * z goes straight on to h_{t-1}

Times the slopes, dL/dz and dL/dg give da_z and da_h. From da_h = dL/d(inner), too:

    reset_after=True     dL/dr = da_h * (h_{t-1} @ R_h + b)       du = da_h * r  for the product u = h_{t-1} @ R_h + b
    reset_after=False    dL/dr = (da_h @ R_h^T) * h_{t-1}         (da_h @ R_h^T) * r  goes on to h_{t-1}

dL/dr times its slope is da_r. h_{t-1} then has its gradient from all the places where it was used:

    dL/dh_{t-1} = dh * z + da_z @ R_z^T + da_r @ R_r^T + (du @ R_h^T, or the last line above)

All that dh and da_h are multiplied with is known since the way forward. `gru_factors` computes it for many steps at
once, with the slopes in it, before the steps back.

The first term is why a GRU remembers: where z is near 1, the gradient is carried on by a sum as in `lstm`.

Who calls this: `layers.GRU`.
"""

import numpy as np

from .activations import ACTIVATIONS


def gru_step(a, h, recurrent_kernels, bias, gates, candidate, out, work):
    """Compute one step with reset_after=True: a (3, N, U) = x_t @ kernel + biases, h (N, U) the state before.

    recurrent_kernels   (3, U, U);   bias   (U,), the second bias of g, or None
    gates               `Gates` of z and r;   candidate   `Gates` of g
    out                 (h after the step, u = h @ R_h + b), two arrays (N, U) that are filled
    work                an array (3, N, U)

    a is overwritten with z, r and g.
    """
    h_after, u = out
    _open_gates(a, h, recurrent_kernels, gates, work)
    z, r, g = a
    np.matmul(h, recurrent_kernels[2], out=u)
    if bias is not None:
        u += bias
    g += np.multiply(r, u, out=h_after)  # `h_after` is free until it is computed
    candidate.activate(a[2:], a[2:])
    _mean(z, h, g, h_after)


def gru_factors(a, h, seen, gates, candidate, factors):
    """Compute what gradients are multiplied with on the way back, for any steps (P counts steps and examples together).

    a         (3, P, U), the gates z r g;   h   (P, U), the state *before* the step
    seen      what r is multiplied with: u with reset_after=True, else h
    factors   (3, P, U) is filled: that of dh for a_z; that of the gradient of r * seen for a_r; that of dh for a_h
    """
    z, _, g = a
    of_z, of_r, of_h = factors
    gates.slopes(a[:2], factors[:2])
    candidate.slopes(a[2:], factors[2:])
    of_r *= seen
    of_z *= h - g
    of_h *= 1 - z


def gru_step_gradient(dh, da, du, a, recurrent_kernels_t, work):
    """Go one step back with reset_after=True. dh becomes dL/dh_{t-1}, and du (N, U) is filled with dL/du.

    da      (3, N, U), the factors of the step (see `gru_factors`), which are overwritten with dL/da
    a       (3, N, U), the gates z r g;   work   an array (3, N, U)
    """
    z, r, _ = a
    _, da_r, da_h = da
    da[::2] *= dh  # those of z and h
    da_r *= da_h
    np.multiply(da_h, r, out=du)
    dh *= z
    np.matmul(da[:2], recurrent_kernels_t[:2], out=work[:2])
    np.matmul(du, recurrent_kernels_t[2], out=work[2])
    for part in work:
        dh += part


def gru_step_reset_before(a, h, recurrent_kernels, gates, candidate, out, work):
    """Compute one step with reset_after=False. `out` is (h after the step, r * h); else as `gru_step`."""
    h_after, seen = out
    _open_gates(a, h, recurrent_kernels, gates, work)
    z, r, g = a
    np.multiply(r, h, out=seen)
    g += np.matmul(seen, recurrent_kernels[2], out=h_after)  # `h_after` is free until it is computed
    candidate.activate(a[2:], a[2:])
    _mean(z, h, g, h_after)


def gru_step_reset_before_gradient(dh, da, a, recurrent_kernels_t, work):
    """Go one step back with reset_after=False; as `gru_step_gradient`, without u."""
    z, r, _ = a
    _, da_r, da_h = da
    da[::2] *= dh  # those of z and h
    dh *= z
    of_seen = np.matmul(da_h, recurrent_kernels_t[2], out=work[2])
    da_r *= of_seen
    of_seen *= r
    np.matmul(da[:2], recurrent_kernels_t[:2], out=work[:2])
    for part in work:
        dh += part


def _open_gates(a, h, recurrent_kernels, gates, work):
    """Compute z and r in the place of a_z and a_r."""
    a[:2] += np.matmul(h, recurrent_kernels[:2], out=work[:2])
    gates.activate(a[:2], a[:2])


def _mean(z, h, g, out):
    """Compute z * h + (1 - z) * g = g + z * (h - g)."""
    np.subtract(h, g, out=out)
    out *= z
    out += g


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def gru_step_naive(
    a, h, recurrent_kernels, bias=None, activation="tanh", recurrent_activation="sigmoid", reset_after=True
):
    """Return the state after the step, one example and one unit after the other. a stays as it is."""
    activate, gate = ACTIVATIONS[activation][0], ACTIVATIONS[recurrent_activation][0]
    of_z, of_r, of_h = recurrent_kernels
    bias = np.zeros(h.shape[1], a.dtype) if bias is None else bias
    after, r = np.zeros_like(h), np.zeros_like(h)
    for n, u in np.ndindex(*h.shape):
        r[n, u] = gate(a[1, n, u] + h[n] @ of_r[:, u])
    for n, u in np.ndindex(*h.shape):
        z = gate(a[0, n, u] + h[n] @ of_z[:, u])
        inner = r[n, u] * (h[n] @ of_h[:, u] + bias[u]) if reset_after else (r[n] * h[n]) @ of_h[:, u]
        after[n, u] = z * h[n, u] + (1 - z) * activate(a[2, n, u] + inner)
    return after


def gru_step_gradient_naive(
    dh, a, h, recurrent_kernels, bias=None, activation="tanh", recurrent_activation="sigmoid", reset_after=True
):
    """Return (dL/dh_{t-1}, dL/da, dL/du) for dh, and the a and h that the step began with; dL/du is None without
    reset_after. Each product of the step passes its part back."""
    (activate, slope), (gate, gate_slope) = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    of_z, of_r, of_h = recurrent_kernels
    bias, units = np.zeros(h.shape[1], a.dtype) if bias is None else bias, h.shape[1]
    dh_before, da, du = np.zeros_like(h), np.zeros_like(a), np.zeros_like(h)
    for n in range(len(h)):
        z, r, product = gate(a[0, n] + h[n] @ of_z), gate(a[1, n] + h[n] @ of_r), h[n] @ of_h + bias
        g = activate(a[2, n] + (r * product if reset_after else (r * h[n]) @ of_h))
        for u in range(units):
            dh_before[n, u] += dh[n, u] * z[u]
            da[0, n, u] = gate_slope(dh[n, u] * (h[n, u] - g[u]), z[u])
            da[2, n, u] = slope(dh[n, u] * (1 - z[u]), g[u])
        for u in range(units):
            if reset_after:
                dr, du[n, u] = da[2, n, u] * product[u], da[2, n, u] * r[u]
            else:
                of_seen = sum(da[2, n, v] * of_h[u, v] for v in range(units))
                dr = of_seen * h[n, u]
                dh_before[n, u] += of_seen * r[u]
            da[1, n, u] = gate_slope(dr, r[u])
        for v, u in np.ndindex(units, units):
            dh_before[n, v] += da[0, n, u] * of_z[v, u] + da[1, n, u] * of_r[v, u]
            dh_before[n, v] += du[n, u] * of_h[v, u] if reset_after else 0
    return dh_before, da, du if reset_after else None

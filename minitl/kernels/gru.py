"""One step of a GRU (gated recurrent unit), and the way back.

A GRU has one state, h, and three gates, in Keras's order z r h: what is kept, what is looked at, and the candidate for
the new. With a = x_t @ kernel + bias (N, 3U), and R_z, R_r, R_h the three blocks of recurrent_kernel (U, 3U):

    z = sigmoid(a_z + h_{t-1} @ R_z)                              how much of h is kept
    r = sigmoid(a_r + h_{t-1} @ R_r)                              how much of h the candidate sees
    g = tanh(a_h + inner)                                         the candidate
    h_t = z * h_{t-1} + (1 - z) * g

There are two versions of what the candidate sees of h:

    reset_after=True  (Keras's default)    inner = r * (h_{t-1} @ R_h + b)        r is applied after the product
    reset_after=False                      inner = (r * h_{t-1}) @ R_h            before it: Cho et al. 2014

With reset_after there is a second bias b, since r multiplies it. It belongs to recurrent_kernel: all three gates have
one, though for z and r the sum of both biases is all that counts. So bias is (2, 3U), or else (3U,).

*Back through one step*, from dh = dL/dh_t. h_t is a mean of h_{t-1} and g with the weight z, so

    dL/dz = dh * (h_{t-1} - g)        dL/dg = dh * (1 - z)        and dh * z goes straight on to h_{t-1}

Times the slopes, dL/dz and dL/dg give da_z and da_h. From da_h = dL/d(inner), too:

    reset_after=True     dL/dr = da_h * (h_{t-1} @ R_h + b)       du = da_h * r  for the product u = h_{t-1} @ R_h + b
    reset_after=False    dL/dr = (da_h @ R_h^T) * h_{t-1}         (da_h @ R_h^T) * r  goes on to h_{t-1}

dL/dr times its slope is da_r. h_{t-1} then has its gradient from all the places where it was used:

    dL/dh_{t-1} = dh * z + [da_z, da_r] @ [R_z, R_r]^T + (du @ R_h^T, or the last line above)

The first term is why a GRU remembers: where z is near 1, the gradient is carried on by a sum as in `lstm`.

Who calls this: `layers.GRU`.
"""

import numpy as np

from .activations import ACTIVATIONS
from .lstm import blocks_of


def gru_step(a, h, recurrent_kernel, bias, gates, candidate, out, work):
    """Compute one step with reset_after=True: a (N, 3U) = x_t @ kernel + the first bias, h (N, U) the state before.

    bias        (3U,), the second bias, or None
    gates       `Gates` of z and r;   candidate   `Gates` of g
    out         (h after the step, u = h @ R_h + b), two arrays (N, U) that are filled
    work        an array (N, 3U)

    a is overwritten with z, r and g.
    """
    units = h.shape[1]
    h_after, u = out
    products = np.matmul(h, recurrent_kernel, out=work)
    if bias is not None:
        products += bias
    z_and_r, g = a[:, : 2 * units], a[:, 2 * units :]
    z_and_r += products[:, : 2 * units]
    gates.activate(z_and_r, z_and_r)
    z, r, g = blocks_of(a, 3)
    np.copyto(u, products[:, 2 * units :])
    g += np.multiply(r, u, out=h_after)  # `h_after` is free until it is computed
    candidate.activate(g, g)
    _mean(z, h, g, h_after)


def gru_step_gradient(dh, a, h, u, recurrent_kernel_t, gates, candidate, da, du, work):
    """Go one step back with reset_after=True. dh is overwritten with dL/dh_{t-1}, da (N, 3U) with dL/da, du with dL/du.

    a       (N, 3U), the gates z r g of the step;   h   the state *before* it;   u   what the step has put out
    work    three arrays, (N, U), (N, 2U) and (N, 3U)
    """
    units = h.shape[1]
    z, r, g = blocks_of(a, 3)
    _, dr, da_h = blocks_of(da, 3)
    part, slopes, products = work
    _mean_gradient(dh, z, h, g, da, candidate, part)
    np.multiply(da_h, u, out=dr)
    np.multiply(da_h, r, out=du)
    gates.multiply_slopes(da[:, : 2 * units], a[:, : 2 * units], slopes)
    np.copyto(products[:, : 2 * units], da[:, : 2 * units])
    np.copyto(products[:, 2 * units :], du)
    dh += np.matmul(products, recurrent_kernel_t, out=part)


def gru_step_reset_before(a, h, zr_kernel, h_kernel, gates, candidate, out, work):
    """Compute one step with reset_after=False. zr_kernel (U, 2U) is [R_z, R_r], h_kernel (U, U) is R_h.

    out     (h after the step, r * h), two arrays (N, U) that are filled
    work    an array (N, 2U)

    a is overwritten with z, r and g.
    """
    units = h.shape[1]
    h_after, seen = out
    z_and_r = a[:, : 2 * units]
    z_and_r += np.matmul(h, zr_kernel, out=work)
    gates.activate(z_and_r, z_and_r)
    z, r, g = blocks_of(a, 3)
    np.multiply(r, h, out=seen)
    g += np.matmul(seen, h_kernel, out=h_after)  # `h_after` is free until it is computed
    candidate.activate(g, g)
    _mean(z, h, g, h_after)


def gru_step_reset_before_gradient(dh, a, h, zr_kernel_t, h_kernel_t, gates, candidate, da, work):
    """Go one step back with reset_after=False. dh is overwritten with dL/dh_{t-1}, da (N, 3U) with dL/da.

    a       (N, 3U), the gates z r g of the step;   h   the state *before* it
    work    two arrays, (N, U) and (N, 2U)
    """
    units = h.shape[1]
    z, r, g = blocks_of(a, 3)
    _, dr, da_h = blocks_of(da, 3)
    part, slopes = work
    _mean_gradient(dh, z, h, g, da, candidate, part)
    np.matmul(da_h, h_kernel_t, out=part)
    np.multiply(part, h, out=dr)
    part *= r
    dh += part
    gates.multiply_slopes(da[:, : 2 * units], a[:, : 2 * units], slopes)
    dh += np.matmul(da[:, : 2 * units], zr_kernel_t, out=part)


def _mean(z, h, g, out):
    """Compute z * h + (1 - z) * g = g + z * (h - g)."""
    np.subtract(h, g, out=out)
    out *= z
    out += g


def _mean_gradient(dh, z, h, g, da, candidate, work):
    """Fill da_z with dL/dz and da_h with dL/da_h, and leave dh * z in dh. `work` is an array (N, U)."""
    dz, _, da_h = blocks_of(da, 3)
    np.subtract(h, g, out=dz)
    dz *= dh
    np.multiply(dh, z, out=work)
    np.subtract(dh, work, out=da_h)
    np.copyto(dh, work)
    candidate.multiply_slopes(da_h, g, work)


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def gru_step_naive(
    a, h, recurrent_kernel, bias=None, activation="tanh", recurrent_activation="sigmoid", reset_after=True
):
    """Return the state after the step, one example and one unit after the other. a stays as it is."""
    activate, gate = ACTIVATIONS[activation][0], ACTIVATIONS[recurrent_activation][0]
    units = h.shape[1]
    bias = np.zeros(3 * units, a.dtype) if bias is None else bias
    of_z, of_r, of_h = np.split(recurrent_kernel, 3, axis=1)
    after, r = np.zeros_like(h), np.zeros_like(h)
    for n, u in np.ndindex(*h.shape):
        r[n, u] = gate(a[n, units + u] + h[n] @ of_r[:, u] + bias[units + u])
    for n, u in np.ndindex(*h.shape):
        z = gate(a[n, u] + h[n] @ of_z[:, u] + bias[u])
        if reset_after:
            inner = r[n, u] * (h[n] @ of_h[:, u] + bias[2 * units + u])
        else:
            inner = (r[n] * h[n]) @ of_h[:, u]
        after[n, u] = z * h[n, u] + (1 - z) * activate(a[n, 2 * units + u] + inner)
    return after


def gru_step_gradient_naive(
    dh, a, h, recurrent_kernel, bias=None, activation="tanh", recurrent_activation="sigmoid", reset_after=True
):
    """Return (dL/dh_{t-1}, dL/da, dL/du) for dh, and the a and h that the step began with; dL/du is None without
    reset_after. Each product of the step passes its part back."""
    (activate, slope), (gate, gate_slope) = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    units = h.shape[1]
    bias = np.zeros(3 * units, a.dtype) if bias is None else bias
    of_z, of_r, of_h = np.split(recurrent_kernel, 3, axis=1)
    dh_before, da, du = dh * 0, np.zeros_like(a), np.zeros_like(h)
    for n in range(len(h)):
        z = gate(a[n, :units] + h[n] @ of_z + bias[:units])
        r = gate(a[n, units : 2 * units] + h[n] @ of_r + bias[units : 2 * units])
        product = h[n] @ of_h + bias[2 * units :]
        g = activate(a[n, 2 * units :] + (r * product if reset_after else (r * h[n]) @ of_h))
        da_z, da_r, da_h = np.split(da[n], 3)
        for u in range(units):
            dh_before[n, u] += dh[n, u] * z[u]
            da_z[u] = gate_slope(dh[n, u] * (h[n, u] - g[u]), z[u])
            da_h[u] = slope(dh[n, u] * (1 - z[u]), g[u])
        for u in range(units):
            if reset_after:
                dr, du[n, u] = da_h[u] * product[u], da_h[u] * r[u]
            else:
                of_seen = sum(da_h[v] * of_h[u, v] for v in range(units))
                dr = of_seen * h[n, u]
                dh_before[n, u] += of_seen * r[u]
            da_r[u] = gate_slope(dr, r[u])
        for v in range(units):
            for u in range(units):
                dh_before[n, v] += da_z[u] * of_z[v, u] + da_r[u] * of_r[v, u]
                dh_before[n, v] += du[n, u] * of_h[v, u] if reset_after else 0
    return dh_before, da, du if reset_after else None

"""The loss of SimCLR: two views of an image should be close to each other, and far from the views of all other images.

With M rows z (M, D), two for each of M/2 images, all of length 1 (u = z / |z|), and a temperature t:

    s[i,j] = u_i . u_j / t                        the similarity of two rows, for j != i
    p[i,j] = exp(s[i,j]) / sum_k exp(s[i,k])      a softmax over the M - 1 other rows; p[i,i] = 0
    L = -sum_i w_i log p[i, partner(i)] / M

So each row is a classification with M - 1 classes: which of the other rows is the other view of my image? It is called
NT-Xent, "normalized temperature-scaled cross-entropy". The mean is over all M rows.

The gradient. As in every softmax with cross-entropy, dL/ds = w (p - 1 at the partner) / M; call it g (M, M). A row u_i
appears in the similarities of its own row of s, and in a column of all others, so

    dL/du_i = (sum_j g[i,j] u_j + sum_j g[j,i] u_j) / t  =  ((g + g^T) u)_i / t

Then through u = z / |z|. A change of z along u changes only the length; so what remains is the part that stands upright
on u, divided by the length:

    dL/dz = (dL/du - u (u . dL/du)) / |z|

Who calls this: `losses.NTXent`. Source: Chen, Kornblith, Norouzi & Hinton 2020, "A simple framework for contrastive
learning of visual representations".
"""

import math

import numpy as np

SMALLEST_LENGTH = 1e-12  # a shorter row has no direction: it counts as zeros, and its gradient is divided by this


def nt_xent(z, partner, temperature=0.5, weight=None):
    """Return (loss, what `nt_xent_gradient` needs) of rows z (M, D). `partner` (M,) is the other view's row number.

    weight   (M,): how much each row counts; None: all the same
    """
    m = len(z)
    rows = np.arange(m)
    length = np.maximum(np.sqrt(np.einsum("md,md->m", z, z)), SMALLEST_LENGTH)[:, None]  # (M, 1)
    u = z / length
    s = u @ u.T
    s /= temperature
    s[rows, rows] = -np.inf  # a row is not compared with itself: exp(-inf) = 0
    s -= s.max(axis=1, keepdims=True, initial=np.finfo(z.dtype).min)
    at_partner = s[rows, partner]
    np.exp(s, out=s)
    total = s.sum(axis=1, keepdims=True)  # (M, 1)
    losses = np.log(total[:, 0]) - at_partner
    if weight is not None:
        losses = losses * weight
    s /= total  # p
    return float(losses.sum() / max(m, 1)), (u, length, s, partner, temperature, weight)


def nt_xent_gradient(kept):
    """Return dL/dz (M, D), from the second result of `nt_xent`."""
    u, length, p, partner, temperature, weight = kept
    g = p.copy()
    g[np.arange(len(u)), partner] -= 1
    if weight is not None:
        g *= weight[:, None]
    du = (g @ u + g.T @ u) / (temperature * max(len(u), 1))
    return (du - u * np.einsum("md,md->m", u, du)[:, None]) / length


def nt_xent_naive(z, partner, temperature=0.5, weight=None):
    """Return the loss by its definition, one row after the other."""
    m, total = len(z), 0.0
    unit = [row / max(math.sqrt(sum(value * value for value in row)), SMALLEST_LENGTH) for row in z]
    for i in range(m):
        similar = {j: float(unit[i] @ unit[j]) / temperature for j in range(m) if j != i}
        chance = math.exp(similar[partner[i]]) / sum(math.exp(value) for value in similar.values())
        total -= (1 if weight is None else weight[i]) * math.log(chance)
    return total / max(m, 1)

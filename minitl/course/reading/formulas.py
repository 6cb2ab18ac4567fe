"""The arithmetic of recurrent layers and of attention, one number at a time, as a person would do it by hand.

Numbers and lists of numbers: nothing of the engine is used here, and the engine uses nothing of this. The derivations
stand where the engine computes the same: `kernels/recurrent.py`, `kernels/lstm.py`, `kernels/attention.py`.
"""

import math
from typing import NamedTuple

# ---- a SimpleRNN with one unit: weights w of the input, u of the state, b ----


def rnn_step(x, h, w, u, b):
    """Return the state after a step: tanh(x*w + h*u + b)."""
    return math.tanh(x * w + h * u + b)


def rnn_step_back(dh, h, u):
    """Return (dL/dz of the step, dL/dh of the state before it). `h` is the state after the step."""
    dz = dh * (1 - h * h)
    return dz, dz * u


# ---- an LSTM with one unit: w, u and b have four numbers each, for i f g o ----


class LSTMStep(NamedTuple):
    """The numbers of one step: the gates, the memory c and the state h after it."""

    i: float
    f: float
    g: float
    o: float
    c: float
    h: float


def sigmoid(z):
    """Return 1 / (1 + exp(-z))."""
    return 1 / (1 + math.exp(-z))


def lstm_step(x, h, c, w, u, b):
    """Return the `LSTMStep` from the state h and the memory c before it."""
    zi, zf, zg, zo = (x * w[k] + h * u[k] + b[k] for k in range(4))
    i, f, g, o = sigmoid(zi), sigmoid(zf), math.tanh(zg), sigmoid(zo)
    after = f * c + i * g
    return LSTMStep(i, f, g, o, after, o * math.tanh(after))


def lstm_step_back(dh, dc, step, before, u):
    """Return (dL/dc of this step's memory, [dL/dz of i f g o], dL/dh and dL/dc before the step).

    dh, dc    what arrives: dL/dh of the step, and what the next step says of c
    before    the memory before the step
    """
    i, f, g, o, c, _ = step
    shown = math.tanh(c)
    dc = dc + dh * o * (1 - shown * shown)
    dz = [dc * g * i * (1 - i), dc * before * f * (1 - f), dc * i * (1 - g * g), dh * shown * o * (1 - o)]
    return dc, dz, math.fsum(d * each for d, each in zip(dz, u)), dc * f


# ---- attention of one head: q, k, v are lists of rows ----


def dot(a, b):
    """Return the sum of the products of two rows."""
    return math.fsum(x * y for x, y in zip(a, b))


def scores(q, k):
    """Return S: how well each query fits each key, divided by the root of their length."""
    return [[dot(query, key) / math.sqrt(len(query)) for key in k] for query in q]


def weights(s, seen=None):
    """Return P: the softmax of each row of S. `seen[i][j]` says whether query i may see key j (None: it may)."""
    rows = []
    for i, row in enumerate(s):
        powers = [math.exp(score) if seen is None or seen[i][j] else 0.0 for j, score in enumerate(row)]
        rows.append([power / math.fsum(powers) for power in powers])
    return rows


def outputs(p, v):
    """Return y: of each row of P, the sum of the values times their weights."""
    return [[dot(row, column) for column in zip(*v)] for row in p]


def attention_back(dy, q, k, v, p):
    """Return (dL/dP, dL/dS, dL/dq, dL/dk, dL/dv) for dy = dL/dy."""
    root = math.sqrt(len(q[0]))
    dp = [[dot(row, value) for value in v] for row in dy]
    ds = [[p[i][j] * (dp[i][j] - dot(p[i], dp[i])) for j in range(len(k))] for i in range(len(q))]
    dq = [[dot(row, column) / root for column in zip(*k)] for row in ds]
    dk = [[dot(row, column) / root for column in zip(*q)] for row in zip(*ds)]
    dv = [[dot(row, column) for column in zip(*dy)] for row in zip(*p)]
    return dp, ds, dq, dk, dv

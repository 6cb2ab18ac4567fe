"""An exercise on attention: its gradient at queries, keys and values.

Read next: `listing`.
"""

import math

import numpy as np

from ...kernels import attention as engine
from .exercise import Case, Exercise


def attention_backward(q, k, v, grad):
    scale = 1 / np.sqrt(q.shape[2])
    s = scale * q @ k.transpose(0, 2, 1)
    e = np.exp(s - s.max(axis=2, keepdims=True))
    p = e / e.sum(axis=2, keepdims=True)
    dp = grad @ v.transpose(0, 2, 1)
    ds = p * (dp - (p * dp).sum(axis=2, keepdims=True))
    return scale * ds @ k, scale * ds.transpose(0, 2, 1) @ q, p.transpose(0, 2, 1) @ grad


def attention_backward_by_engine(q, k, v, grad):
    q, k, v, grad = (np.asarray(each, np.float64)[:, :, None] for each in (q, k, v, grad))  # one head
    y, log_sums = engine.attend(q, k, v)
    return tuple(each[:, :, 0] for each in engine.attend_gradient(grad, q, k, v, y, log_sums))


def attention_backward_cases(random):
    def case(what, n, t, s, h, values, factor=1.0):
        shapes = (n, t, h), (n, s, h), (n, s, values), (n, t, values)
        q, k, v, grad = (random.normal(size=shape) for shape in shapes)
        return Case(what, factor * q, k, v, grad)

    return [
        case("2 examples, 3 queries, 4 keys of 6 numbers, values of 5", 2, 3, 4, 6, 5),
        case("a text that looks at itself: as many queries as keys", 2, 4, 4, 3, 3),
        case("one example, one query, 5 keys", 1, 1, 5, 2, 3),
        case("one key: its weight is 1, whatever it is", 2, 3, 1, 4, 2),
        case("scores of about 1000, whose exp is infinite", 2, 3, 5, 4, 2, 1000.0),
    ]


def weights_of(q, k, scale, axis=2):
    """Return the weights P (N, T, S)."""
    s = scale * q @ k.swapaxes(1, 2)
    e = np.exp(s - s.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def backward_of(q, k, v, grad, of_weights, of_scores=None, slope=None):
    """Return the three gradients: `of_weights` scales the scores, `of_scores` their gradient, `slope` is softmax's."""
    p, dp = weights_of(q, k, of_weights), grad @ v.swapaxes(1, 2)
    of_scores = of_weights if of_scores is None else of_scores
    ds = of_scores * (p * (dp - (p * dp).sum(axis=2, keepdims=True)) if slope is None else slope(p, dp))
    return ds @ k, ds.swapaxes(1, 2) @ q, p.swapaxes(1, 2) @ grad


def root(q):
    """Return the scale that is right."""
    return 1 / math.sqrt(q.shape[2])


def scale_forgotten_on_the_way_back(q, k, v, grad):
    """Leave out the scale on the way back: S is q @ k.T times 1/sqrt(H), so the gradients of q and k have this factor,
    too."""
    return backward_of(q, k, v, grad, root(q), 1)


def scale_forgotten(q, k, v, grad):
    """Leave out the scale altogether: without 1/sqrt(H) the scores of long queries are large, and softmax gives nearly
    all the weight to one key."""
    return backward_of(q, k, v, grad, 1)


def divided_by_the_size(q, k, v, grad):
    """Divide by H: it is divided by its root. A sum of H products of random numbers is of the size sqrt(H)."""
    return backward_of(q, k, v, grad, 1 / q.shape[2])


def scaled_by_the_keys(q, k, v, grad):
    """Divide by the root of the number of keys: H is the length of a query, the last axis of q."""
    return backward_of(q, k, v, grad, 1 / math.sqrt(k.shape[1]))


def scaled_by_the_values(q, k, v, grad):
    """Divide by the root of the length of a value: H is the length of a query or key, which may be another one."""
    return backward_of(q, k, v, grad, 1 / math.sqrt(v.shape[2]))


def slope_of_a_sigmoid(q, k, v, grad):
    """Use p * (1 - p) for softmax: that is only how a weight changes with its own score. It changes with all scores of
    its row, since the weights add up to 1."""
    return backward_of(q, k, v, grad, root(q), slope=lambda p, dp: dp * p * (1 - p))


def softmax_passed_by(q, k, v, grad):
    """Take dP for dS: softmax stands between them, and dS = P * (dP - delta)."""
    return backward_of(q, k, v, grad, root(q), slope=lambda p, dp: dp)


def delta_forgotten(q, k, v, grad):
    """Leave out delta: a higher score takes weight from all other keys of the row, and delta is what that costs."""
    return backward_of(q, k, v, grad, root(q), slope=lambda p, dp: p * dp)


def delta_without_weights(q, k, v, grad):
    """Sum dP alone for delta: it is the sum of P * dP, the mean of dP with the weights of the row."""
    return backward_of(q, k, v, grad, root(q), slope=lambda p, dp: p * (dp - dp.sum(axis=2, keepdims=True)))


def plain_mean_for_delta(q, k, v, grad):
    """Take the plain mean of dP for delta: each key counts in it with its weight P."""
    return backward_of(q, k, v, grad, root(q), slope=lambda p, dp: p * (dp - dp.mean(axis=2, keepdims=True)))


def delta_over_the_queries(q, k, v, grad):
    """Sum over the queries for delta: softmax goes along a row, over the keys of one query, and so does the sum."""
    return backward_of(q, k, v, grad, root(q), slope=lambda p, dp: p * (dp - (p * dp).sum(axis=1, keepdims=True)))


def softmax_over_the_queries(q, k, v, grad):
    """Apply softmax over the queries: each query shares out the weight 1 to the keys, along the last axis of S."""
    p, dp = weights_of(q, k, root(q), axis=1), grad @ v.swapaxes(1, 2)
    ds = root(q) * p * (dp - (p * dp).sum(axis=1, keepdims=True))
    return ds @ k, ds.swapaxes(1, 2) @ q, p.swapaxes(1, 2) @ grad


def queries_and_keys_swapped(q, k, v, grad):
    """Return dk before dq: the order is that of the arguments, dq, dk, dv."""
    dq, dk, dv = attention_backward(q, k, v, grad)
    return dk, dq, dv


def values_by_the_scores(q, k, v, grad):
    """Multiply by the scores for dv: y = P @ v, so dv is the transposed weights P times the gradient, behind the
    softmax."""
    dq, dk, _ = attention_backward(q, k, v, grad)
    return dq, dk, (root(q) * q @ k.swapaxes(1, 2)).swapaxes(1, 2) @ grad


def maximum_forgotten(q, k, v, grad):
    """Take exp of the scores as they are: exp(1000) is infinite, and infinity / infinity is NaN. Subtract the largest
    score of each row first."""
    e = np.exp(root(q) * q @ k.swapaxes(1, 2))
    p, dp = e / e.sum(axis=2, keepdims=True), grad @ v.swapaxes(1, 2)
    ds = root(q) * p * (dp - (p * dp).sum(axis=2, keepdims=True))
    return ds @ k, ds.swapaxes(1, 2) @ q, p.swapaxes(1, 2) @ grad


def attention_backward_by_hand(name, index, q, k, v, grad):
    n, row, column = index
    p = weights_of(q[n : n + 1], k[n : n + 1], root(q))[0]
    if name == "dv":
        terms = zip(p[:, row].tolist(), grad[n, :, column].tolist())
        return " + ".join(f"{a:.4f}*({b:.4f})" for a, b in terms)
    dp = grad[n] @ v[n].T
    ds = p * (dp - (p * dp).sum(axis=1, keepdims=True))
    a, b = (ds[row], k[n, :, column]) if name == "dq" else (ds[:, row], q[n, :, column])
    terms = " + ".join(f"({s:.4f})*({other:.4f})" for s, other in zip(a.tolist(), b.tolist()))
    return f"1/sqrt({q.shape[2]}) * ({terms}), with dS times {'k' if name == 'dq' else 'q'},"


ATTENTION_BACKWARD = Exercise(
    "attention_backward",
    title="Attention's gradient",
    text="""In attention each query looks at all keys. Their products are the scores, softmax makes weights of the
    scores of a query, and y is the mean of the values with these weights. Go back, step by step: y is a product of two
    matrices, and so are the scores, so each of the two gets what comes back times the other. Between them is softmax,
    row by row. There a score changes all weights of its row, which gives the formula with delta below. The weights are
    not given: compute them again, and subtract the largest score of a row before exp. On 3-D arrays @ multiplies one
    matrix for each example n.""",
    given={
        "q": "(N, T, H)  the queries: T tokens of N examples, H numbers each",
        "k": "(N, S, H)  the keys of S tokens",
        "v": "(N, S, V)  their values, V numbers each",
        "grad": "(N, T, V)  dL/dy",
    },
    returns={"dq": "(N, T, H)  dL/dq", "dk": "(N, S, H)  dL/dk", "dv": "(N, S, V)  dL/dv"},
    formula="""
for one example, with matrices q, k, v:

S = q @ k.T / sqrt(H)      P = softmax(S), row by row      y = P @ v

dL/dS = P * (dL/dP - delta)
delta = sum of P * dL/dP over the keys, one number for each query
""",
    answer=attention_backward,
    by_engine=attention_backward_by_engine,
    lines=(engine.attend_gradient,),
    cases=attention_backward_cases,
    wrong_answers=(
        scale_forgotten_on_the_way_back, scale_forgotten, divided_by_the_size, scaled_by_the_keys, scaled_by_the_values,
        slope_of_a_sigmoid, softmax_passed_by, delta_forgotten, delta_without_weights, plain_mean_for_delta,
        delta_over_the_queries, softmax_over_the_queries, queries_and_keys_swapped, values_by_the_scores,
        maximum_forgotten,
    ),
    by_hand=attention_backward_by_hand,
    loops=False,
    hints=(
        "Compute S and P as on the way there. k.transpose(0, 2, 1) turns the matrix of each example, and axis=2 with "
        "keepdims=True goes over the keys.",
        "y = P @ v gives dL/dv = P.T @ grad and dL/dP = grad @ v.T, for the matrices of one example. Then dS by the "
        "formula. S = q @ k.T / sqrt(H) gives dq and dk in the same way.",
        "dq = dS @ k / sqrt(H), and dk = dS.T @ q / sqrt(H), where .T stands for transpose(0, 2, 1).",
    ),
    read_next="minitl/kernels/attention.py, which does this in blocks that stay in the cache.",
)  # fmt: skip

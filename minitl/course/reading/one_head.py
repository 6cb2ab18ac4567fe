"""One head of attention by hand: three words, two numbers for each query, key and value; forward, masked, and back."""

import numpy as np

from ...kernels import attention
from ...kernels.parallel import in_this_thread
from ..explain.page import signed_products
from ..explain.recording import source_line, watched
from . import formulas

WORDS = ("dog", "bites", "man")
Q = [[0.5, 1.0], [2.0, -0.5], [-1.0, 1.5]]
K = [[1.5, -1.0], [0.2, 0.8], [-0.5, 1.0]]
V = [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
PAD = [0.7, -0.3], [3.0, 3.0]  # key and value of a padding token
DY = [[0.2, -0.1], [1.0, -1.0], [0.3, 0.4]]  # dL/dy
FORWARD_PLACES = (
    (attention._Plan.scores, "np.matmul(scaled, keys"),
    (attention.attend, "np.exp(p, out=p)"),
    (attention.attend, "np.matmul(p, values[place]"),
)
BACKWARD_PLACES = (
    (attention.attend_gradient, "np.matmul(g, values[place]"),
    (attention.attend_gradient, "dp *= p "),
    (attention.attend_gradient, "np.matmul(dp, some_keys"),
)


def explain_one_head(page):
    """Add the head to the page: without a mask, with the causal mask, with padding, and its gradient."""
    p = _forward(page)
    _masks(page, p)
    _backward(page, p)


def _forward(page):
    """Add scores, weights and outputs to the page. Returns the weights."""
    page.heading("One head by hand: three words")
    page.item("", "Each word has a query (what it looks for), a key (what it offers) and a value (what it hands over).")
    page.arrays("numbers", ("q: dog, bites, man", Q), ("k", K), ("v", V), decimals=1)
    s = formulas.scores(Q, K)
    p = formulas.weights(s)
    y = formulas.outputs(p, V)
    page.item("formula", "S = q k^T / sqrt(H), H = 2      P = softmax of each row of S      y = P v")
    page.arrays("numbers", ("S: row = query", s), ("P: each row adds up to 1", p), ("y", y), decimals=4)
    page.item("by hand", f"S[1, 0] = ({signed_products(zip(Q[1], K[0]))}) / sqrt(2) = {s[1][0]:.4f}: 'bites' and 'dog'")
    powers = [np.exp(score) for score in s[1]]
    page.item(
        "by hand",
        f"P[1, 0] = {powers[0]:.4f} / ({' + '.join(f'{each:.4f}' for each in powers)}) = {p[1][0]:.4f}, with "
        f"{powers[0]:.4f} = exp({s[1][0]:.4f})",
    )
    page.item("by hand", f"y[1] = {_sum_of_values(p[1])} = ({y[1][0]:.4f}, {y[1][1]:.4f})")
    by_engine, weights, lines = _attended(K, V)
    for place in FORWARD_PLACES:
        page.source(*source_line(lines, place))
    page.check("P", p, weights)
    page.check("y", y, by_engine)
    return p


def _sum_of_values(row):
    """Return the sum of the values times their weights as text."""
    return " + ".join(f"{weight:.4f}*({value[0]:.1f}, {value[1]:.1f})" for weight, value in zip(row, V))


def _masks(page, p):
    """Add the weights with the causal mask and with a padding token to the page."""
    page.heading("Masks: what may not be seen")
    s, seen = formulas.scores(Q, K), [[j <= i for j in range(3)] for i in range(3)]
    causal = formulas.weights(s, seen)
    page.item("formula", "S = -infinity where a word may not look, and exp(-infinity) = 0")
    page.arrays("causal", ("P: only words up to its own", causal), decimals=4)
    padded = formulas.weights(formulas.scores(Q, [*K, PAD[0]]))
    page.arrays("padding", ("P of four tokens, the last one empty", padded), ("masked", p), decimals=4)
    page.item("", "Without a mask, the empty token takes a part of each row, and the other weights are smaller.")
    page.check("causal P", causal, _attended(K, V, offset=0)[1])
    keys, values = [*K, PAD[0]], [*V, PAD[1]]
    page.check("padded P", padded, _attended(keys, values)[1])
    shown = np.array([[True, True, True, False]])
    page.check("masked P", [[*row, 0.0] for row in p], _attended(keys, values, keys_shown=shown)[1])
    page.check("masked y", formulas.outputs(p, V), _attended(keys, values, keys_shown=shown)[0])


def _backward(page, p):
    """Add the gradients to the page, from dL/dy to those of queries, keys and values."""
    page.heading("Backward")
    dp, ds, dq, dk, dv = formulas.attention_back(DY, Q, K, V, p)
    page.item("formula", "dL/dv = P^T dL/dy        dL/dP = dL/dy v^T")
    page.item("formula", "dL/dS[i, j] = P[i, j] * (dL/dP[i, j] - sum over m of P[i, m] * dL/dP[i, m])")
    page.item("formula", "dL/dq = dL/dS k / sqrt(H)        dL/dk = dL/dS^T q / sqrt(H)")
    page.arrays("numbers", ("dL/dy", DY, 1), ("dL/dP", dp), ("dL/dS", ds), decimals=4)
    page.arrays("", ("dL/dq", dq), ("dL/dk", dk), ("dL/dv", dv), decimals=4)
    mean = formulas.dot(p[1], dp[1])
    page.item(
        "by hand",
        f"dL/dS[1, 0] = {p[1][0]:.4f} * ({dp[1][0]:.4f} - {mean:.4f}) = {ds[1][0]:.4f}: L grows if 'bites' looks more "
        "at 'dog', since its value is better than the mean of what 'bites' takes now",
    )
    lines = set()
    q, k, v, dy = (_arrays(each) for each in (Q, K, V, DY))
    with watched(lines), in_this_thread():
        y, log_sums = attention.attend(q, k, v)
        gradients = attention.attend_gradient(dy, q, k, v, y, log_sums)
    for place in BACKWARD_PLACES:
        page.source(*source_line(lines, place))
    for name, by_formula, by_engine in zip(("dL/dq", "dL/dk", "dL/dv"), (dq, dk, dv), gradients):
        page.check(name, by_formula, by_engine[0, :, 0])


def _attended(k, v, **masks):
    """Return (y (T, V), P (T, S), the lines of source that ran) of the engine, for the queries Q."""
    lines, weights = set(), np.zeros((1, 1, len(Q), len(k)), np.float32)
    with watched(lines), in_this_thread():
        y, _ = attention.attend(_arrays(Q), _arrays(k), _arrays(v), scores=weights, **masks)
    return y[0, :, 0], weights[0, 0], lines


def _arrays(rows):
    """Return rows (T, H) as the array of one example and one head, (1, T, 1, H)."""
    return np.array(rows, np.float32)[None, :, None]

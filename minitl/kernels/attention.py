"""Attention: every token takes a weighted mean of the values of all tokens. Vaswani et al. 2017, section 3.2.

    scores   S = q k^T / sqrt(H)            how well the query of a token fits the key of each token
    weights  P = softmax(S), row by row     positive, and 1 together
    output   y = P v

K heads do so side by side, each with its own q, k and v. Axis letters: N examples, T queries, S keys and values, K
heads of the queries, G heads of the keys and values, H numbers of a query or key, V numbers of a value:

    q (N, T, K, H)    k (N, S, G, H)    v (N, S, G, V)    ->    y (N, T, K, V)

G is K, or divides it: then query head h takes key head h // (K/G), as in Llama. T and S may differ (a decoder looks at
the encoder's tokens).

What a token may see. `keys_shown` (N, S) is True for real keys and False for padding; `shown` (N or 1, 1 or K, T, S) is
True where a query may see a key; with `offset`, query i sees the keys up to i + offset: 0 is the causal mask of a text
that is read from its beginning, S - T that of T tokens behind S - T earlier ones. A score that is not shown becomes
-infinity, and so its weight exp(-infinity) = 0. Two things follow:

- A query that sees nothing has y = 0. The softmax of nothing is not defined: a large negative number instead of
  -infinity would give the mean of what must not be seen, and plain arithmetic 0/0 = NaN. (Keras does the former.)
- Numbers that are not shown must be finite. Their weight is 0, but 0 * NaN is NaN.

Long texts. S and P have T*S numbers a head: for 4,096 tokens and 12 heads 805 MB. So they are made in blocks of some
heads or of some rows (queries), of at most BLOCK_BYTES, and never as a whole. A block stays in the cache between its
products. The gradient needs P again. It is not kept but computed again, block by block, from q, k and the logarithm of
each row's sum, L = log sum_j exp(S_j), because P_j = exp(S_j - L). That is one product of five, and one exp: a quarter
to a third of the gradient's time, measured on one core for 64 to 2,048 tokens. To keep P would take 6 MB a layer for 32
texts of 64 tokens, but 50 MB for 4 texts of 512 tokens, 300 MB for six layers: as much as all else together.

Who calls this: `layers.MultiHeadAttention`.
"""

import math

import numpy as np

from .memory import Scratch, empty
from .parallel import share, slices, threads

BLOCK_BYTES = 2**21  # bytes of the scores that a thread works on at a time


def attend(q, k, v, keys_shown=None, shown=None, offset=None, dropped=None, scores=None):
    """Return y (N, T, K, V), and L (N, K, T), the logarithms of the sums, for the gradient.

    dropped   (N, K, T, S): by what the weights are multiplied before they meet the values (dropout), or None
    scores    an array (N, K, T, S) to write the weights P to, or None
    """
    n, t, heads, h = q.shape
    y = empty((n, t, heads, v.shape[3]), q.dtype)
    log_sums = np.zeros((n, heads, t), q.dtype)
    plan = _Plan(q, k, keys_shown, shown, offset)
    scratch = Scratch(q.dtype)
    queries, keys, values, results = plan.by_head(q), plan.by_head(k), plan.by_head(v), plan.by_head(y)
    logs, factors, weights = plan.by_group(log_sums), plan.by_group(dropped), plan.by_group(scores)

    def compute(parts):
        for place, rows, columns in parts:
            here = (*place, slice(None), rows)  # examples, groups, heads of a group, queries
            p = plan.scores(queries[here], keys[place][..., columns, :], here, columns, scratch)
            largest = p.max(axis=-1, keepdims=True, initial=plan.lowest)
            p -= largest
            np.exp(p, out=p)
            sums = p.sum(axis=-1, keepdims=True)
            if plan.may_see_nothing:
                largest[sums == 0], sums[sums == 0] = 0, 1
            if weights is not None:
                np.divide(p, sums, out=weights[here][..., columns])
            if factors is not None:
                p *= factors[here][..., columns]
            result = results[here]
            np.matmul(p, values[place][..., columns, :], out=result)
            result /= sums
            np.add(largest, np.log(sums), out=logs[here][..., None])

    if scores is not None:
        scores[...] = 0
    share(compute, plan.parts)
    return y, log_sums


def attend_gradient(
    grad, q, k, v, y, log_sums, keys_shown=None, shown=None, offset=None, dropped=None, of_scores=None, out=None
):
    """Return dL/dq, dL/dk and dL/dv from grad = dL/dy and the results of `attend`.

    of_scores   (N, K, T, S): the upstream gradient of P, if P is an output as well
    out         three arrays to write to: they may be parts of one array

    For one head, with q, k, v as matrices and c = 1 / sqrt(H). Every step is a product, or row by row:

        y = P v             dL/dv = P^T grad              dL/dP = grad v^T
        P = softmax(S)      dL/dS = P * (dL/dP - delta)   delta_i = sum_j dL/dP_ij P_ij       (`softmax_gradient`)
        S = c q k^T         dL/dq = c dL/dS k             dL/dk = c dL/dS^T q

    delta needs no P: sum_j dL/dP_ij P_ij = sum_j (sum_d grad_id v_jd) P_ij = sum_d grad_id y_id.

    With dropout, y = (P * M) v with the factors M. Then dL/dv = (P * M)^T grad and dL/dP = M * (grad v^T), and delta is
    sum_d grad_id y_id as before. If P is an output as well, its upstream gradient is added to dL/dP, and the sum of its
    products with P to delta.

    With fewer heads of keys than of queries, a key serves several heads: dL/dk and dL/dv are sums over these.
    """
    n, t, heads, h = q.shape
    dtype = np.result_type(grad, q)
    dq, dk, dv = (empty(each.shape, dtype) for each in (q, k, v)) if out is None else out
    plan, scratch = _Plan(q, k, keys_shown, shown, offset, shared_rows=True), Scratch(dtype)
    queries, keys, values, results = plan.by_head(q), plan.by_head(k), plan.by_head(v), plan.by_head(y)
    grads, dqs, dks, dvs = plan.by_head(grad), plan.by_head(dq), plan.by_head(dk), plan.by_head(dv)
    logs, factors, upstream = plan.by_group(log_sums), plan.by_group(dropped), plan.by_group(of_scores)

    def compute(parts):
        for place, all_rows, _ in parts:
            dks[place][...] = dvs[place][...] = 0
            for rows, columns in all_rows:
                here = (*place, slice(None), rows)
                g, some_keys = grads[here], keys[place][..., columns, :]
                p = plan.scores(queries[here], some_keys, here, columns, scratch)
                p -= logs[here][..., None]
                np.exp(p, out=p)
                delta = np.einsum("...d,...d->...", g, results[here])[..., None]
                dp = scratch.array("dp", *p.shape)
                np.matmul(g, values[place][..., columns, :].swapaxes(-1, -2), out=dp)
                dropped_p = p
                if factors is not None:
                    m = factors[here][..., columns]
                    dp *= m
                    dropped_p = np.multiply(p, m, out=scratch.array("dropped", *p.shape))
                _add_over_heads(np.matmul(dropped_p.swapaxes(-1, -2), g), dvs[place][..., columns, :])
                if upstream is not None:
                    from_above = upstream[here][..., columns]
                    dp += from_above
                    delta = delta + np.einsum("...s,...s->...", from_above, p)[..., None]
                dp -= delta
                dp *= p  # dL/dS
                dp *= p.dtype.type(plan.scale)
                np.matmul(dp, some_keys, out=dqs[here])
                _add_over_heads(np.matmul(dp.swapaxes(-1, -2), queries[here]), dks[place][..., columns, :])

    share(compute, plan.parts)
    return dq, dk, dv


def _add_over_heads(per_head, total):
    """Add (..., K/G, S, H) to (..., 1, S, H)."""
    total += per_head if per_head.shape[-3] == 1 else per_head.sum(axis=-3, keepdims=True)


class _Plan:
    """The cut of an attention into blocks, and what each of them may see.

    parts    (place, rows, columns) of each block: `place` are its examples and groups of heads, `rows` its queries,
             `columns` the keys that any of them may see. With shared_rows=True all rows of a place are one part,
             because they add to the same dL/dk: then `rows` is a list of (rows, columns)
    """

    def __init__(self, q, k, keys_shown, shown, offset, shared_rows=False):
        (n, self.t, heads, h), (_, self.s, self.groups, _) = q.shape, k.shape
        self.in_group, self.scale, self.dtype = heads // max(self.groups, 1), 1 / math.sqrt(h), q.dtype
        self.lowest = np.finfo(q.dtype).min  # of a row without keys; exp(-infinity - lowest) is 0
        self.keys_shown, self.offset = keys_shown, offset
        self.shown = None if shown is None else self.by_group(np.broadcast_to(shown, (n, heads, self.t, self.s)))
        self.may_see_nothing = keys_shown is not None or shown is not None or offset is not None or self.s == 0
        a_group = max(1, self.in_group * self.t * self.s * q.itemsize)
        rows = max(1, min(self.t, BLOCK_BYTES * self.t // a_group)) if self.t else 1
        groups = min(max(1, BLOCK_BYTES // a_group), max(1, self.groups))
        # Each thread gets work, if there is enough: fewer examples, then fewer groups in a part.
        examples = min(max(1, BLOCK_BYTES // (a_group * max(self.groups, 1))), max(1, -(-n // threads())))
        if -(-n // examples) < threads():
            groups = min(groups, max(1, -(-self.groups // threads())))
        self.parts = []
        for some in slices(n, -(-n // examples)):
            last = self._last_key(some)
            for head in slices(self.groups, -(-self.groups // groups)):
                blocks = [(each, self._columns(each, last)) for each in slices(self.t, -(-self.t // rows))]
                if shared_rows:
                    self.parts.append(((some, head), blocks, None))
                else:
                    self.parts += [((some, head), *block) for block in blocks]

    def by_head(self, x):
        """Return a view of (N, T, K, H) as (N, G, K/G, T, H); K may be G already."""
        n, t, heads, h = x.shape
        in_group = heads // max(self.groups, 1)
        return x.reshape(n, t, self.groups, in_group, h).transpose(0, 2, 3, 1, 4)

    def by_group(self, x):
        """Return a view of (N, K, T, ...) as (N, G, K/G, T, ...), or None for None."""
        return None if x is None else x.reshape(x.shape[0], self.groups, self.in_group, *x.shape[2:])

    def _last_key(self, examples):
        """Return the number of keys up to the last one that is shown in any of these examples."""
        if self.keys_shown is None:
            return self.s
        found = np.flatnonzero(self.keys_shown[examples].any(axis=0))
        return int(found[-1]) + 1 if len(found) else 0

    def _columns(self, rows, last):
        """Return the keys up to the last one that one of these queries may see."""
        return slice(0, last if self.offset is None else max(0, min(last, rows.stop + self.offset)))

    def scores(self, queries, keys, here, columns, scratch):
        """Return S of a block, with -infinity where nothing is shown."""
        examples, groups, _, rows = here
        scaled = scratch.array("queries", *queries.shape)
        np.multiply(queries, queries.dtype.type(self.scale), out=scaled)
        s = scratch.array("scores", *queries.shape[:-1], columns.stop)
        np.matmul(scaled, keys.swapaxes(-1, -2), out=s)
        if self.keys_shown is not None and not self.keys_shown[examples, columns].all():
            s += self._hidden(self.keys_shown[examples, None, None, None, columns])
        if self.shown is not None:
            s += self._hidden(self.shown[here][..., columns])
        if self.offset is not None and rows.start + self.offset + 1 < columns.stop:
            last_seen = np.arange(rows.start, rows.stop)[:, None] + self.offset
            s += self._hidden(np.arange(columns.stop) <= last_seen)
        return s

    def _hidden(self, shown):
        """Return 0 where something is shown, else -infinity."""
        return np.where(shown, self.dtype.type(0), self.dtype.type(-np.inf))


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def attention_weights_naive(q, k, shown):
    """Compute P (N, K, T, S), one query after the other. shown (N, K, T, S): which keys it may see."""
    n, t, heads, h = q.shape
    s, groups = k.shape[1:3]
    weights = np.zeros((n, heads, t, s), q.dtype)
    for e, head, i in np.ndindex(n, heads, t):
        seen = [j for j in range(s) if shown[e, head, i, j]]
        fits = [math.exp(q[e, i, head] @ k[e, j, head // (heads // groups)] / math.sqrt(h)) for j in seen]
        for j, fit in zip(seen, fits):
            weights[e, head, i, j] = fit / sum(fits)
    return weights


def attend_naive(q, k, v, shown):
    """Add up the values of all keys with their weights."""
    weights = attention_weights_naive(q, k, shown)
    n, heads, t, s = weights.shape
    y = np.zeros((n, t, heads, v.shape[3]), q.dtype)
    for e, head, i, j in np.ndindex(weights.shape):
        y[e, i, head] += weights[e, head, i, j] * v[e, j, head // (heads // v.shape[2])]
    return y


def attend_gradient_naive(grad, q, k, v, shown):
    """Follow each weight back to its value, and each score to its query and key."""
    weights = attention_weights_naive(q, k, shown)
    (n, heads, t, s), c = weights.shape, 1 / math.sqrt(q.shape[3])
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    for e, head, i in np.ndindex(n, heads, t):
        group = head // (heads // k.shape[2])
        p = weights[e, head, i]
        dp = [grad[e, i, head] @ v[e, j, group] for j in range(s)]
        delta = sum(p[j] * dp[j] for j in range(s))
        for j in range(s):
            ds = p[j] * (dp[j] - delta)
            dv[e, j, group] += p[j] * grad[e, i, head]
            dq[e, i, head] += c * ds * k[e, j, group]
            dk[e, j, group] += c * ds * q[e, i, head]
    return dq, dk, dv

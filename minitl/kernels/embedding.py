"""Embedding: a number stands for a row of a table. tokens (...) of whole numbers, table (V, D) -> rows (..., D).

Forward is a look-up. Seen as a product, a token is a vector of V numbers that is 1 at the token's place and 0
elsewhere, and its row is this vector times the table. So the gradient of a row is the sum of the gradients at all
places where the token stands; a token that does not occur has the gradient 0.

Who calls this: `layers.Embedding`, `layers.PositionEmbedding`.
"""

import numpy as np

from .memory import empty
from .parallel import example_slices, share, slices

BLOCK = 2**16  # numbers of the rows that are added at a time: 256 KB in float32


def embed(tokens, table):
    """Return the row of each token: (...) -> (..., D). The tokens are numbers from 0 to V - 1."""
    flat = tokens.reshape(-1)
    y = empty((len(flat), table.shape[1]), table.dtype, is_scratch=True)

    def look_up(parts):
        for part in parts:
            # "clip" writes straight to y; "raise", the default, goes through another array.
            np.take(table, flat[part], axis=0, out=y[part], mode="clip")

    share(look_up, example_slices(y))
    return y.reshape(*tokens.shape, table.shape[1])


def embed_gradient(grad, tokens, rows):
    """Return dL/dtable (V, D) from grad = dL/dy (..., D); V is `rows`.

    dL/dtable[v] = sum of grad over the places of token v

    `np.add.at` does this place by place, and slowly. Here the rows of grad are sorted by token first, so that those of
    a token lie side by side, and are then added up in rounds, as in a tournament. In the first round every second row
    of a token is added to the one before it, in the next one every fourth to the one that stands two before it, and so
    on. After k rounds the first row of a token has the sum of up to 2^k rows. For five rows of one token:

        a  b  c  d  e    ->    a+b  .  c+d  .  e    ->    a+b+c+d  .  .  .  e    ->    a+b+c+d+e  .  .  .  .

    The sort is stable, so the order of the sum, and its last digit, depends on nothing but the places. A number goes
    through few additions, even where a token fills a batch (padding): 17 of them for 100,000 rows.
    """
    flat, flat_grad = tokens.reshape(-1), grad.reshape(-1, grad.shape[-1])
    table = empty((rows, grad.shape[-1]), grad.dtype, is_scratch=True)
    table[...] = 0  # `np.zeros` would have the system clear fresh memory, which is slower
    if not table.size or not len(flat):
        return table
    order = np.argsort(flat, kind="stable")
    in_order = flat[order]
    starts = np.flatnonzero(np.diff(in_order, prepend=-1))  # of each token's rows; no token is -1
    ends = np.append(starts[1:], len(order))

    def add_up(parts):
        for tokens in parts:
            first, last = starts[tokens][0], ends[tokens][-1]
            sums = empty((last - first, flat_grad.shape[1]), grad.dtype, is_scratch=True)
            np.take(flat_grad, order[first:last], axis=0, out=sums, mode="clip")
            counts = ends[tokens] - starts[tokens]
            place = np.arange(first, last) - np.repeat(starts[tokens], counts)  # of a row among those of its token
            distance = 1
            while distance < counts.max():
                for added in _in_blocks(np.flatnonzero(place % (2 * distance) == distance), sums):
                    sums[added - distance] += sums[added]
                distance *= 2
            table[in_order[starts[tokens]]] = sums[starts[tokens] - first]

    # A part is some tokens with all their rows: as many parts as threads, with about as many rows in each.
    edges = [*np.searchsorted(starts, [part.start for part in example_slices(flat_grad)]), len(starts)]
    share(add_up, [slice(start, stop) for start, stop in zip(edges, edges[1:]) if start < stop])
    return table


def _in_blocks(numbers, table):
    """Return the numbers of rows of a table in parts, so that the rows of a part are about BLOCK numbers."""
    return [numbers[part] for part in slices(len(numbers), -(-len(numbers) * table.shape[1] // BLOCK))]


def embed_naive(tokens, table):
    """Copy one row after the other."""
    y = np.zeros((*tokens.shape, table.shape[1]), table.dtype)
    for place in np.ndindex(tokens.shape):
        y[place] = table[tokens[place]]
    return y


def embed_gradient_naive(grad, tokens, rows):
    """Add each gradient to the row of its token."""
    table = np.zeros((rows, grad.shape[-1]), grad.dtype)
    for place in np.ndindex(tokens.shape):
        table[tokens[place]] += grad[place]
    return table

"""Embedding: a number stands for a row of a table. tokens (...) of whole numbers, table (V, D) -> rows (..., D).

Forward is a look-up. Seen as a product, a token is a vector of V numbers that is 1 at the token's place and 0
elsewhere, and its row is this vector times the table. So the gradient of a row is the sum of the gradients at all
places where the token stands; a token that does not occur has the gradient 0.

Who calls this: `layers.Embedding`, `layers.PositionEmbedding`.
"""

import numpy as np

from .memory import empty
from .parallel import example_slices, share
from .products import ROWS_OF_A_PARTIAL_SUM


def embed(tokens, table):
    """Return the row of each token: (...) -> (..., D). The tokens are numbers from 0 to V - 1."""
    flat = tokens.reshape(-1)
    y = empty((len(flat), table.shape[1]), table.dtype)

    def look_up(parts):
        for part in parts:
            # "clip" writes straight to y; "raise", the default, goes through another array.
            np.take(table, flat[part], axis=0, out=y[part], mode="clip")

    share(look_up, example_slices(y))
    return y.reshape(*tokens.shape, table.shape[1])


def embed_gradient(grad, tokens, rows):
    """Return dL/dtable (V, D) from grad = dL/dy (..., D); V is `rows`.

    dL/dtable[v] = sum of grad over the places of token v

    `np.add.at` does this place by place, and slowly. Here the places are sorted by token first, so that those of a
    token lie side by side, and `np.add.reduceat` sums up each run of equal tokens. The sort is stable: the order of the
    sum, and so its last digit, is always that of the places. Long runs (padding) are summed up in pieces first, as in
    `products.column_sums`, and the pieces in float64.
    """
    flat, flat_grad = tokens.reshape(-1), grad.reshape(-1, grad.shape[-1])
    table = np.zeros((rows, grad.shape[-1]), grad.dtype)
    if not len(flat):
        return table
    order = np.argsort(flat, kind="stable")
    found, starts, counts = np.unique(flat[order], return_index=True, return_counts=True)
    pieces = -(-counts // ROWS_OF_A_PARTIAL_SUM)  # of each run
    first_piece = np.cumsum(pieces) - pieces
    within = np.arange(pieces.sum()) - np.repeat(first_piece, pieces)  # number of a piece in its run
    piece_starts = np.repeat(starts, pieces) + within * ROWS_OF_A_PARTIAL_SUM
    sums = np.add.reduceat(flat_grad[order], piece_starts, axis=0)
    if len(sums) > len(found):
        sums = np.add.reduceat(sums, first_piece, axis=0, dtype=np.float64)
    table[found] = sums
    return table


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

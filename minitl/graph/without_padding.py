"""Encoders of text, computed for the real tokens alone.

A batch of texts is as long as its longest text, or as all texts of a program, and the shorter ones are filled up with
padding. Attention with a `value_mask` does not see padding, and a mean with a mask leaves it out. So between the
vectors of the tokens and such a mean, padding need not be computed, if no gradient will pass.

Attention is the only layer there that looks at several tokens. All others compute each token by itself. So the R real
tokens of all texts are put one behind the other, and go through these layers as one text. For attention, each text gets
its own T places back, with zeros for padding, between the products with the kernels:

    (N, T, D) -> (1, R, D)           the real tokens
        attention                    (1, R, D) @ kernels -> q, k, v (N, T, K, H) -> y (N, T, K, V)
                                     -> (1, R, K, V) @ output_kernel -> (1, R, D)
        dense layers, norms, sums    (1, R, D) -> (1, R, D)
    (1, R, D) -> (N, T, D) -> mean

Who calls this: `graph`. A batch of MiniLM takes 0.84 of the time with it where 0.77 of the tokens are real, and 0.52
where 0.36 are. (The recipes sort texts by their length, so that their batches have little padding.)
"""

import numpy as np

from ..kernels import as_float
from ..kernels.attention import attend
from ..kernels.memory import empty
from ..layers import Add, Dense, Dropout, GlobalAveragePooling1D, LayerNormalization, MultiHeadAttention
from ..layers.attention import PARTS
from ..layers.attention_masks import shown_keys
from ..layers.symbolic import Call
from .fusion import Fused, NormalizedSum, WithoutSlopes, layers_of
from .relu_pairs import is_watched

# Where more of the tokens are real than this share, padding is computed: it costs less than the copies that avoid it.
MOST_REAL = 0.95


class OfRealTokens(Fused):
    """Operations on tokens, up to a mean over the real tokens of each text. They are computed with the padding where
    there is little of it.

    operations   calls, and calls that are computed as one (`Fused`); the last one is the mean
    mask         the symbolic tensor (N, T) that says which tokens are real. It is the last of `inputs`
    """

    def __init__(self, operations, mask):
        made = {tensor for operation in operations for tensor in operation.outputs}
        used = dict.fromkeys(tensor for operation in operations for tensor in operation.inputs)
        self.operations, self.mask, self.outputs = operations, mask, operations[-1].outputs
        self.layers = [layer for operation in operations for layer in layers_of(operation)]
        self.inputs = (*(tensor for tensor in used if tensor not in made and tensor is not mask), mask)
        self.last_user = {tensor: operation for operation in operations for tensor in operation.inputs}

    def forward(self, *arrays):
        """Compute the means (N, D) from arrays (N, T, D) and the mask (N, T)."""
        *tokens, mask = arrays
        is_real = np.asarray(mask, bool)
        are_tokens = all(x.ndim == 3 and x.shape[:2] == is_real.shape for x in tokens)  # False if one is broadcast
        packing = _Packing(is_real) if are_tokens and _has_padding(is_real) else None
        values = dict(zip(self.inputs, tokens if packing is None else map(packing.rows, tokens)))
        del arrays, tokens
        for operation in self.operations:
            xs = [values[tensor] for tensor in operation.inputs if tensor is not self.mask]
            for tensor in set(operation.inputs):
                if self.last_user[tensor] is operation:
                    values.pop(tensor, None)
            values[operation.outputs[0]] = self._compute(operation, xs, mask, packing)
        return values[self.outputs[0]]

    def _compute(self, operation, xs, mask, packing):
        """Return the output of an operation: of tokens (1, R, ...), or (N, T, ...) without a `packing`."""
        if isinstance(operation, Fused):
            return operation.forward(*xs)
        layer = operation.layer
        if packing is not None and type(layer) is MultiHeadAttention:
            return _attention(layer, *xs, packing)
        if packing is not None and operation is self.operations[-1]:
            xs = [packing.padded(*xs)]
        x, by_name = operation.arguments([*xs, *[mask] * len(operation.names)], training=False)
        return layer.run(x, **by_name)[0]


def _has_padding(mask):
    """Return whether there is enough padding in a batch to leave it out, and one real token or more."""
    return 0 < np.count_nonzero(mask) <= MOST_REAL * mask.size


class _Packing:
    """The places of the real tokens of a batch, and the way there and back.

    mask      (N, T)
    real      (R,): the numbers of the real tokens among all N*T
    padding   (N*T - R,): the numbers of the others
    row       (N*T,): the row of each real token among the R; of padding, any
    """

    def __init__(self, mask):
        self.mask, self.real, self.padding = mask, np.flatnonzero(mask), np.flatnonzero(~mask)
        self.row = np.maximum(np.cumsum(mask) - 1, 0)

    def rows(self, x):
        """Return the real tokens (1, R, ...) of x (N, T, ...)."""
        x = as_float(x)
        return _taken(x.reshape(-1, *x.shape[2:]), self.real)[None]

    def padded(self, rows):
        """Return rows (1, R, D) as (N, T, D), with zeros in the place of padding: the numbers of another text could be
        NaN, and 0 * NaN is NaN."""
        found = _taken(rows[0], self.row)
        found[self.padding] = 0
        return found.reshape(*self.mask.shape, -1)


def _taken(rows, numbers):
    """Return rows[numbers], in the memory of an earlier array, because fresh memory is slow (`kernels.memory`)."""
    found = empty((len(numbers), *rows.shape[1:]), rows.dtype, is_scratch=True)
    return np.take(rows, numbers, axis=0, out=found, mode="clip")  # with mode="raise" NumPy copies `found` once more


def _attention(layer, x, packing):
    """Return the output (1, R, D) of self-attention on the real tokens x (1, R, D)."""
    layer.accept(x.shape)
    n, t = packing.mask.shape
    z = packing.padded(layer.products(x, PARTS)[None])  # q, k and v side by side: (N, T, columns)
    places = layer.apart(z.reshape(n * t, -1), PARTS, (n, t))
    shown = shown_keys(
        layer, n, t, t, query_mask=None, value_mask=packing.mask, key_mask=None, attention_mask=None,
        use_causal_mask=False,
    )[1:]  # fmt: skip
    y, _ = attend(*(places[name] for name in PARTS), *shown)
    return layer.output_product(packing.rows(y))


def without_padding(operations, values, outputs, path, training):
    """Return operations of a forward in order, with an `OfRealTokens` in the place of those that need no padding.

    values    {symbolic input of the graph: its array}
    outputs   the graph's symbolic outputs
    path      the tensors that carry a gradient
    """
    for operation in operations:
        is_mean = _is(operation, GlobalAveragePooling1D) and operation.names == ("mask",)
        if not is_mean or operation.outputs[0] in path or is_watched(operation.layer):
            continue
        mask = values.get(operation.inputs[1])  # None if it will be computed
        if mask is None or _has_padding(mask):
            operations = _before_mean(operations, operation, outputs, training)
    return operations


def _before_mean(operations, mean, outputs, training):
    """Return the operations, in which those that `mean` depends on are an `OfRealTokens`, as far as they work on
    tokens, and if nothing else needs what they compute."""
    tokens, mask = mean.inputs
    chosen, wanted = [mean], {tokens}
    for operation in reversed(operations[: operations.index(mean)]):
        if wanted.intersection(operation.outputs) and _works_on_tokens(operation, mask, training):
            chosen.insert(0, operation)
            wanted.update(operation.inputs)
    others = [operation for operation in operations if operation not in chosen]
    inside = {tensor for operation in chosen[:-1] for tensor in operation.outputs}
    is_seen = inside & {*outputs, *(tensor for operation in others for tensor in operation.inputs)}
    if is_seen or not any(_is(operation, MultiHeadAttention) for operation in chosen):
        return operations
    group = OfRealTokens(chosen, mask)
    return [group if operation is mean else operation for operation in operations if operation not in chosen[:-1]]


def _is(operation, kind):
    """Return whether the operation is a call of a layer of exactly this class: a subclass may do more."""
    return type(operation) is Call and type(operation.layer) is kind


def _works_on_tokens(operation, mask, training):
    """Return whether the operation computes each token by itself, or is attention of tokens to the real ones of their
    text; always in the same way, and not the mask itself. Programs that watch a layer see the padding, too."""
    if mask in operation.outputs or any(is_watched(layer) for layer in layers_of(operation)):
        return False
    if type(operation) is not Call:
        return type(operation) in (NormalizedSum, WithoutSlopes)
    layer = operation.layer
    if operation.mode(training) and layer.random:
        return False
    if _is(operation, MultiHeadAttention):
        masks = dict(zip(operation.names, operation.inputs[1:]))
        is_of_itself = len(operation.by_position) == 1 and not operation.options and not layer.use_gate
        sees_real_tokens = "value_mask" in masks and "attention_mask" not in masks and {*masks.values()} == {mask}
        return is_of_itself and sees_real_tokens
    normalizes_tokens = type(layer) is LayerNormalization and layer.passes_mask
    return not operation.names and (type(layer) in (Add, Dense, Dropout) or normalizes_tokens)

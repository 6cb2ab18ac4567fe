"""Attention with several heads: each time step takes what it needs from all others. The math of attention itself is in
`kernels/attention.py`; this layer has the projections before and behind it."""

import math

import numpy as np

from .. import initializers
from ..arguments import NotHere, is_number, keras_arguments, sizes, truth_value, whole_number, whole_number_or_none
from ..errors import ArgumentError, ShapeError
from ..kernels import as_float, channel_sums, matmul
from ..kernels.activations import sigmoid, sigmoid_gradient
from ..kernels.affine import affine
from ..kernels.attention import attend, attend_gradient
from ..kernels.memory import empty
from ..randomness import generator
from .attention_masks import shown_keys
from .base import Layer
from .shared_arguments import OF_KERNELS

PARTS = ("query", "key", "value")

# Its four kernels have names of their own: no regularizer is here.
NO_REGULARIZERS = {
    name: NotHere(instead="To keep weights small, give the optimizer a weight_decay.") for name in OF_KERNELS
}


class MultiHeadAttention(Layer):
    """Attention with K heads.  query (N, T, D), value (N, S, D), key like value -> (N, T, D).

        q = query @ query_kernel + query_bias      (N, T, K, H)      H is key_dim
        k = key @ key_kernel + key_bias            (N, S, K, H)
        v = value @ value_kernel + value_bias      (N, S, K, V)      V is value_dim
        y = attention(q, k, v) @ output_kernel + output_bias

    `layer(x, x)` is self-attention, `layer(x, memory)` looks from x at another sequence; without `key`, the value is
    the key. On arrays, `forward` takes x alone, or a list [query, value] or [query, value, key].

    Masks say what may be seen, and each is optional: `value_mask` and `key_mask` (N, S) are False for padding;
    `attention_mask` (N, T, S), (N, K, T, S) or (T, S) is True where a query may see a key; with `use_causal_mask`, a
    query sees the time steps up to its own. Where `query_mask` (N, T) is False, or where a query may see nothing, the
    attention gives 0, and the layer output_bias. (This is the one difference from Keras, which gives such a query the
    mean of all values, padding included.) Masks of the inputs are taken without being named.

    sliding_window   w: a query sees the keys that are less than w steps away, before and behind it
    use_gate         True: attention(q, k, v) is multiplied by sigmoid(query @ gate_kernel + gate_bias), (N, T, K, V)

    With `return_attention_scores`, the weights (N, K, T, S) come as a second output, before dropout.

    Parameters, in Keras's shapes: query_kernel and key_kernel (D, K, H), value_kernel (D, K, V), output_kernel (K, V,
    D); biases (K, H), (K, H), (K, V), (D,). Inside they are matrices (D, K*H), and those that are multiplied with the
    same input are put side by side: self-attention makes q, k and v in one product. Vaswani et al. 2017.
    """

    takes_integers = False
    takes_several = True
    keyword_inputs = ("query_mask", "value_mask", "key_mask", "attention_mask")
    masks_of = {"query_mask": 0, "value_mask": 1, "key_mask": 2}
    call_options = ("use_causal_mask", "return_attention_scores")
    config_names = ("num_heads", "key_dim", "value_dim", "dropout", "use_bias", "sliding_window", "use_gate", "seed")
    training_only = ("dropout", "seed")
    input_axes = {"query_kernel": 0, "key_kernel": 0, "gate_kernel": 0, "value_kernel": 0}

    @keras_arguments(after="bias_initializer", **NO_REGULARIZERS)
    @keras_arguments(after="sliding_window", flash_attention=NotHere(None, (False,)))
    @keras_arguments(
        after="output_shape",
        attention_axes=NotHere(None, (1, (1,), [1]), "Attention runs along the time steps of (N, T, D)."),
    )
    def __init__(
        self,
        num_heads,
        key_dim,
        value_dim=None,
        dropout=0.0,
        use_bias=True,
        output_shape=None,
        sliding_window=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        use_gate=False,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads, self.key_dim = whole_number(num_heads, "num_heads"), whole_number(key_dim, "key_dim")
        self.value_dim = self.key_dim if value_dim is None else whole_number(value_dim, "value_dim")
        if not is_number(dropout) or not 0 <= dropout < 1:
            raise ArgumentError(f"dropout is {dropout!r}; expected 0 <= dropout < 1, the share of weights to set to 0.")
        self.dropout, self.use_bias, self.seed = float(dropout), truth_value(use_bias, "use_bias"), seed
        if output_shape is not None:
            output_shape = sizes(
                output_shape if isinstance(output_shape, (tuple, list)) else (output_shape,), "output_shape"
            )
            if not output_shape or None in output_shape:
                raise ArgumentError(f"output_shape is {output_shape}; expected the size of an output, such as 64.")
        self.output_sizes = output_shape
        self.sliding_window = whole_number_or_none(sliding_window, "sliding_window")
        self.use_gate = truth_value(use_gate, "use_gate")
        self.kernel_initializer = initializers.checked(kernel_initializer, "kernel_initializer")
        self.bias_initializer = initializers.checked(bias_initializer, "bias_initializer")
        self.random, self.generator = self.dropout > 0, generator(seed)

    # ---- shapes and parameters ----

    def build(self, query_shape, value_shape=None, key_shape=None):
        """Create the parameters. The shapes are Keras's; the first one may be a list of two or three, as elsewhere."""
        given = [query_shape, value_shape, value_shape if key_shape is None else key_shape]
        query, value, key = _three(query_shape if value_shape is None else given)
        heads, h, v = self.num_heads, self.key_dim, self.value_dim
        out = self.output_sizes or (query[-1],)
        gate = [("gate", query[-1], (heads, v))] if self.use_gate else []
        for name, d, last in (("query", query[-1], (heads, h)), ("key", key[-1], (heads, h)), *gate,
                              ("value", value[-1], (heads, v)), ("output", None, out)):  # fmt: skip
            shape = (heads, v, *out) if d is None else (d, *last)
            self.add_weight(f"{name}_kernel", shape, self.kernel_initializer)
            if self.use_bias:
                self.add_weight(f"{name}_bias", last, self.bias_initializer)

    def check_input(self, input_shape):
        if isinstance(input_shape, list) and len(input_shape) > 3:
            raise ShapeError(f"layer '{self.name}' expected query, value and key, found {len(input_shape)} inputs.")
        shapes = _three(input_shape)
        for name, shape in zip(("query", "value", "key"), shapes):
            self.expect_rank(shape, 3, "(N, T, D)")
            d = len(getattr(self, f"{name}_kernel")) if self.built else shape[-1]
            if shape[-1] is None or shape[-1] != d:
                raise ShapeError(
                    f"layer '{self.name}' expected {d or 'a known number of'} numbers a time step for its {name}, "
                    f"found shape {tuple(shape)}."
                )
        _, value, key = shapes
        if any(None not in pair and pair[0] != pair[1] for pair in zip(value[:2], key[:2])):
            raise ShapeError(
                f"layer '{self.name}': value is {value} and key {key}; expected the same number of time steps."
            )

    def compute_output_shape(
        self, input_shape, value_shape=None, key_shape=None, use_causal_mask=False, return_attention_scores=False
    ):
        if value_shape is not None:
            input_shape = [input_shape, value_shape, value_shape if key_shape is None else key_shape]
            self.check_input(input_shape)
        (n, t, d), (_, s, _), _ = _three(input_shape)
        shape = (n, t, *(self.output_sizes or (d,)))
        return [shape, (n, self.num_heads, t, s)] if return_attention_scores else shape

    def compute_output_mask(self, tensors, mask):
        return tensors[0].mask

    def flops(self, input_shape):
        """Return the operations of the four products with kernels, and of the two of attention."""
        (_, t, _), (_, s, _), _ = _three(input_shape)
        projections = t * (self.query_kernel.size + self.output_kernel.size)
        projections += s * (self.key_kernel.size + self.value_kernel.size)
        projections += t * self.gate_kernel.size if self.use_gate else 0
        return 2 * projections + 2 * t * s * self.num_heads * (self.key_dim + self.value_dim)

    def get_config(self):
        sizes = self.output_sizes if self.output_sizes is None else list(self.output_sizes)
        return {**super().get_config(), "output_shape": sizes}

    def keras_paths(self):
        """Return {parameter: (its path in Keras's legacy files, its path in `.weights.h5`)}: Keras's layer is made of
        dense layers."""
        groups = {name: (name, f"{name}_dense") for name in PARTS}
        groups.update(gate=("gate", "_gate_dense"), output=("attention_output", "output_dense"))
        found = {}
        for parameter in self.weight_names:
            name, _, kind = parameter.partition("_")
            found[parameter] = (f"{groups[name][0]}/{kind}", f"{groups[name][1]}/vars/{int(kind == 'bias')}")
        return found

    def keras_call(self, tensors):
        """Return query, value and key as arguments of their own; the value of self-attention is the query."""
        return [tensors[0], tensors[min(1, len(tensors) - 1)], *tensors[2:]]

    # ---- building a graph ----

    def __call__(self, query, value=None, key=None, **by_name):
        """Record a call on symbolic tensors. Without a value, the query is the value: self-attention.

        The scores are a second output of the call, so what `return_attention_scores` asks for is a list of two.
        """
        if isinstance(query, (list, tuple)):
            query, value, key = [*query, None, None][:3]
        value = query if value is None else value
        key = value if key is None else key
        for name, tensor in zip(self.masks_of, (query, value, key)):
            if name not in by_name and getattr(tensor, "mask", None) is not None:
                by_name[name] = tensor.mask
        if key is value and by_name.get("key_mask") is by_name.get("value_mask"):
            by_name.pop("key_mask", None)
        tensors = [query, value, key] if key is not value else [query, value] if value is not query else [query]
        return super().__call__(tensors, **by_name)

    # ---- computing ----

    def forward(
        self,
        x,
        training=False,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
    ):
        inputs = [as_float(each) for each in x] if isinstance(x, list) else [as_float(x)]
        self.accept([each.shape for each in inputs] if len(inputs) > 1 else inputs[0].shape)
        projected, sources = self._project(inputs)
        q, k, v = (projected[name] for name in PARTS)
        n, t, heads, s = len(q), q.shape[1], self.num_heads, k.shape[1]
        given = query_mask, value_mask, key_mask, attention_mask, use_causal_mask
        query_mask, *shown = shown_keys(self, n, t, s, *given)
        dropped = None
        if training and self.dropout:
            kept = self.generator.random((n, heads, t, s), np.float32) >= self.dropout
            dropped = kept * q.dtype.type(1 / (1 - self.dropout))
        scores = np.empty((n, heads, t, s), q.dtype) if return_attention_scores else None
        y, log_sums = attend(q, k, v, *shown, dropped=dropped, scores=scores)
        if query_mask is not None:
            y *= query_mask[:, :, None, None]
            if scores is not None:
                scores *= query_mask[:, None, :, None]
        gate = sigmoid(np.ascontiguousarray(projected["gate"])) if self.use_gate else None
        attended = (q, k, v, y, log_sums, *shown, dropped)
        self.remember(inputs, sources, attended, gate, query_mask, return_attention_scores)
        y = y if gate is None else y * gate
        result = self.output_product(y)
        return [result, scores] if return_attention_scores else result

    def _project(self, inputs):
        """Return {"query": q (N, T, K, H), ...}, and for each input the names of what is made of it."""
        sources = {1: [PARTS], 2: [("query",), ("key", "value")], 3: [("query",), ("value",), ("key",)]}[len(inputs)]
        sources[0] = (*sources[0], "gate") if self.use_gate else sources[0]
        projected = {}
        for x, names in zip(inputs, sources):
            projected.update(self.apart(self.products(x, names), names, x.shape[:2]))
        return projected, sources

    def products(self, x, names):
        """Return x (N, T, D) @ kernel + bias for the kernels of these names, side by side: (N*T, columns)."""
        bias = np.concatenate([getattr(self, f"{name}_bias").ravel() for name in names]) if self.use_bias else None
        return affine(x.reshape(-1, x.shape[-1]), self._side_by_side(names), bias)[0]

    def output_product(self, y):
        """Return y @ output_kernel + output_bias: (N, T, K, V) -> (N, T, D)."""
        *leading, heads, v = y.shape
        bias = self.output_bias.reshape(-1) if self.use_bias else None
        kernel = self.output_kernel.reshape(heads * v, -1)
        flat, _ = affine(y.reshape(math.prod(leading), heads * v), kernel, bias)
        return flat.reshape(*leading, *self.output_kernel.shape[2:])

    def _side_by_side(self, names):
        """Return the kernels of these names as one matrix (D, columns)."""
        kernels = [getattr(self, f"{name}_kernel") for name in names]
        kernels = [kernel.reshape(len(kernel), -1) for kernel in kernels]
        return kernels[0] if len(kernels) == 1 else np.concatenate(kernels, axis=1)

    def apart(self, z, names, leading):
        """Return {name: its columns of z (N*T, columns) as (N, T, K, H)}, views. `leading` is (N, T)."""
        found, start = {}, 0
        for name in names:
            size = self.value_dim if name in ("value", "gate") else self.key_dim
            columns = z[:, start : start + self.num_heads * size]
            found[name] = columns.reshape(*leading, self.num_heads, size)
            start += self.num_heads * size
        return found

    def backward(self, grad):
        """Return dL/dx for each input: of several a list.

        The way back is that of four dense layers (`Dense.backward`) and, between them, that of attention
        (`kernels.attention.attend_gradient`). What was made of one input by several kernels side by side goes back as
        one product: dL/dx = dL/d[q, k, v] @ [query_kernel, key_kernel, value_kernel]^T, which is the sum of all ways.
        """
        (inputs, sources, *_), gradients = self.remembered(), self._back_to_projections(grad)
        found = [
            matmul(dz, self._side_by_side(names).T).reshape(x.shape) for x, names, dz in zip(inputs, sources, gradients)
        ]
        return found if len(found) > 1 else found[0]

    def backward_to_parameters(self, grad):
        self._back_to_projections(grad)

    def _back_to_projections(self, grad):
        """Compute the gradients of the parameters. Return, for each input, dL/dz of all that was made of it."""
        inputs, sources, (q, k, v, y, log_sums, *shown, dropped), gate, query_mask, has_scores = self.remembered()
        grad, of_scores = grad if has_scores else (grad, None)
        flat_grad = grad.reshape(q.shape[0] * q.shape[1], math.prod(grad.shape[2:]))
        kernel = self.output_kernel.reshape(self.num_heads * self.value_dim, -1)
        flat_y = (y if gate is None else y * gate).reshape(len(flat_grad), len(kernel))
        dy = of_product = matmul(flat_grad, kernel.T).reshape(y.shape)
        if gate is not None:
            dy = of_product * gate
        if query_mask is not None:
            dy = dy * query_mask[:, :, None, None]
            of_scores = None if of_scores is None else of_scores * query_mask[:, None, :, None]
        joint = [empty((x.shape[0] * x.shape[1], self._side_by_side(names).shape[1]), dy.dtype)
                 for x, names in zip(inputs, sources)]  # fmt: skip
        places = {}
        for x, names, dz in zip(inputs, sources, joint):
            places.update(self.apart(dz, names, x.shape[:2]))
        out = [places[name] for name in PARTS]
        if gate is not None:
            places["gate"][...] = sigmoid_gradient(of_product * y, gate)
        attend_gradient(dy, q, k, v, y, log_sums, *shown, dropped=dropped, of_scores=of_scores, out=out)
        if self.trainable:
            self._set_gradient(
                "output", matmul(flat_y.T, flat_grad), channel_sums(flat_grad) if self.use_bias else None
            )
            for x, names, dz in zip(inputs, sources, joint):
                of_kernels = matmul(x.reshape(-1, x.shape[-1]).T, dz)  # (D, columns)
                of_biases = channel_sums(dz) if self.use_bias else None
                start = 0
                for name in names:
                    stop = start + getattr(self, f"{name}_kernel")[0].size
                    bias = None if of_biases is None else of_biases[start:stop]
                    self._set_gradient(name, of_kernels[:, start:stop], bias)
                    start = stop
        return joint

    def _set_gradient(self, name, kernel, bias):
        """Keep the gradients of the kernel and of the bias of one projection, in the shapes of the parameters."""
        shape = getattr(self, f"{name}_kernel").shape
        self.gradients[f"{name}_kernel"] = np.ascontiguousarray(kernel).reshape(shape)
        if bias is not None:
            self.gradients[f"{name}_bias"] = bias.reshape(getattr(self, f"{name}_bias").shape)


def _three(input_shape):
    """Return the shapes of query, value and key, of one to three that are given."""
    shapes = list(input_shape) if isinstance(input_shape, list) else [input_shape]
    return [*shapes, *[shapes[-1]] * (3 - len(shapes))][:3]

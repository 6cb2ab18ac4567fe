"""The two layers of a decoder in Llama's form that other networks do not have: attention to what came before, with
rotary positions and shared keys, and the gate of its feed-forward part.

    x -> RMSNormalization -> CausalSelfAttention -> Add -> RMSNormalization -> Dense, Dense -> SwiGLU -> Dense -> Add

The math is in `kernels.attention`, `kernels.rotation` and `kernels.gating`. `applications.decoder` puts the layers
together, and `recipes.language` lets the network write.
"""

import numpy as np

from .. import initializers
from ..arguments import number, whole_number
from ..errors import ArgumentError, ShapeError
from ..kernels import matmul
from ..kernels.attention import attend, attend_gradient
from ..kernels.gating import swiglu, swiglu_gradient
from ..kernels.precision import as_float
from ..kernels.rotation import rotate, rotate_gradient, rotations
from .base import Layer
from .merging import check_one_shape, common_dtype


class CausalSelfAttention(Layer):
    """Self-attention in which a token sees itself and those before it, and no later one.  x (N, T, D) -> (N, T, D).

        q = rotated(x @ query_kernel)     (N, T, K, H)        v = x @ value_kernel                 (N, T, G, H)
        k = rotated(x @ key_kernel)       (N, T, G, H)        y = attention(q, k, v) @ output_kernel

    head_dim              H, the numbers of a head: an even number, since they are rotated in pairs
    num_query_heads       K
    num_key_value_heads   G, which divides K: query head h reads the key and value head h // (K / G). With G = K each
                          has its own. Fewer make the model smaller, and above all what is kept while it writes, the
                          keys and values (T, G, H) of each block (Ainslie et al. 2023)
    rotary_base           the base of the frequencies of the rotation (`kernels.rotation`)

    Kernels query_kernel (D, K*H), key_kernel and value_kernel (D, G*H), output_kernel (K*H, D); no biases. Keras's
    GroupQueryAttention is the same without rotation, with its kernels in other shapes.

    Keys and values of a token depend on the tokens up to it and on no later one: no token to come can change them. So a
    text is continued without reading it again: `forward(x, past=...)` takes the new tokens alone, and adds their keys
    and values to those of the past (`recipes.language`).
    """

    takes_integers = False
    config_names = ("head_dim", "num_query_heads", "num_key_value_heads", "rotary_base")
    in_keras = False
    input_axes = {"query_kernel": 0, "key_kernel": 0, "value_kernel": 0}
    torch_axes = dict.fromkeys(
        ("query_kernel", "key_kernel", "value_kernel", "output_kernel"), "(outputs, inputs) -> (inputs, outputs)"
    )

    def __init__(
        self,
        head_dim,
        num_query_heads,
        num_key_value_heads=None,
        rotary_base=10000.0,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.head_dim = whole_number(head_dim, "head_dim")
        self.num_query_heads = whole_number(num_query_heads, "num_query_heads")
        groups = num_query_heads if num_key_value_heads is None else num_key_value_heads
        self.num_key_value_heads = whole_number(groups, "num_key_value_heads")
        self.rotary_base = number(rotary_base, "rotary_base", 1, 1e12)
        self.kernel_initializer = initializers.checked(kernel_initializer, "kernel_initializer")
        if self.head_dim % 2:
            raise ArgumentError(f"head_dim is {head_dim}; expected an even number, since its numbers turn in pairs.")
        if self.num_query_heads % self.num_key_value_heads:
            raise ArgumentError(
                f"num_query_heads is {num_query_heads} and num_key_value_heads {num_key_value_heads}; expected that "
                "the first is a multiple of the second, so that as many query heads share each key head."
            )

    def build(self, input_shape):
        d, of_queries = input_shape[-1], self.num_query_heads * self.head_dim
        of_keys = self.num_key_value_heads * self.head_dim
        for name, shape in (
            ("query_kernel", (d, of_queries)),
            ("key_kernel", (d, of_keys)),
            ("value_kernel", (d, of_keys)),
            ("output_kernel", (of_queries, d)),
        ):
            self.add_weight(name, shape, self.kernel_initializer)

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 3, "(N, T, D)")
        if input_shape[-1] is None or (self.built and input_shape[-1] != len(self.query_kernel)):
            expected = f"{len(self.query_kernel)}" if self.built else "a known number"
            raise ShapeError(f"layer '{self.name}' expected {expected} of numbers a token, found shape {input_shape}.")

    def flops(self, input_shape):
        """Return the operations of the four products with kernels, and of the two of attention, for all T tokens."""
        t = input_shape[1] or 0
        return 2 * t * sum(kernel.size for kernel in self.weights) + 4 * t * t * self.num_query_heads * self.head_dim

    def forward(self, x, training=False, past=None):
        """Return y. `past` holds the keys and values of the tokens before those of x: `past.extended(k, v)` adds those
        of x and returns all of them. Without it, x begins the text."""
        self.accept(x.shape)
        x = as_float(x)
        n, t, d = x.shape
        rows = x.reshape(n * t, d)
        q = matmul(rows, self.query_kernel).reshape(n, t, self.num_query_heads, self.head_dim)
        k = matmul(rows, self.key_kernel).reshape(n, t, self.num_key_value_heads, self.head_dim)
        v = matmul(rows, self.value_kernel).reshape(k.shape)
        turns = rotations(past.length if past else 0, t, self.head_dim, self.rotary_base, x.dtype)
        q, k = rotate(q, turns), rotate(k, turns)
        if past is not None:
            k, v = past.extended(k, v)  # (N, S, G, H): S - T tokens before those of x
        y, log_sums = attend(q, k, v, offset=k.shape[1] - t)  # (N, T, K, H)
        self.remember(x, q, k, v, y, log_sums, turns)
        return matmul(y.reshape(n * t, len(self.output_kernel)), self.output_kernel).reshape(n, t, d)

    def backward(self, grad):
        """Return dL/dx. x goes into queries, keys and values, so its gradient is a sum of three:

        dL/dx = dL/dq @ query_kernel^T + dL/dk @ key_kernel^T + dL/dv @ value_kernel^T
        """
        dq, dk, dv = self.backward_to_parameters(grad)
        dx = matmul(dq, self.query_kernel.T)
        dx += matmul(dk, self.key_kernel.T)
        dx += matmul(dv, self.value_kernel.T)
        return dx.reshape(grad.shape)

    def backward_to_parameters(self, grad):
        """Compute the gradients of the four kernels. Each is that of a Dense layer without a bias: input^T @ gradient
        of the output. Returns the gradients of queries, keys and values before the rotation, as rows."""
        x, q, k, v, y, log_sums, turns = self.remembered()
        rows, grad = x.reshape(-1, x.shape[-1]), grad.reshape(-1, grad.shape[-1])
        dy = matmul(grad, self.output_kernel.T).reshape(y.shape)
        dq, dk, dv = attend_gradient(dy, q, k, v, y, log_sums, offset=0)
        dq, dk = rotate_gradient(dq, turns), rotate_gradient(dk, turns)
        dq, dk, dv = (each.reshape(len(rows), each.shape[2] * self.head_dim) for each in (dq, dk, dv))
        if self.trainable:
            self.gradients["query_kernel"] = matmul(rows.T, dq)
            self.gradients["key_kernel"] = matmul(rows.T, dk)
            self.gradients["value_kernel"] = matmul(rows.T, dv)
            self.gradients["output_kernel"] = matmul(y.reshape(len(rows), len(self.output_kernel)).T, grad)
        return dq, dk, dv


class Past:
    """The keys and values of the tokens that a layer has seen: a cache, so that they are not computed again.

    capacity   the most tokens that it holds;   length   those that it holds now

    The arrays are made once. Each token is written behind the last one, and nothing is copied.
    """

    def __init__(self, capacity):
        self.capacity, self.length, self.keys, self.values = capacity, 0, None, None

    def extended(self, k, v):
        """Add the keys and values (N, T, G, H) of the next T tokens, and return those of all S: (N, S, G, H)."""
        start, end = self.length, self.length + k.shape[1]
        if end > self.capacity:
            raise ShapeError(f"the past holds {self.capacity} tokens, and {end} are to be kept. Begin a new one.")
        if self.keys is None:
            self.keys, self.values = (np.empty((len(k), self.capacity, *k.shape[2:]), k.dtype) for _ in "kv")
        self.keys[:, start:end], self.values[:, start:end], self.length = k, v, end
        return self.keys[:, :end], self.values[:, :end]


class SwiGLU(Layer):
    """y = silu(a) * b of two inputs [a, b] of one shape; silu(a) = a * sigmoid(a). Shazeer 2020.

    a is called the gate. Keras has no such layer: there it is Multiply()([Activation("silu")(a), b]).
    """

    merges = True
    takes_integers = False
    is_elementwise = True
    in_keras = False

    def compute_output_dtype(self, input_dtypes):
        return common_dtype(input_dtypes)

    def compute_output_shape(self, input_shapes):
        return tuple(input_shapes[0])

    def check_input(self, input_shapes):
        check_one_shape(self, input_shapes, 2)

    def forward(self, x, training=False):
        self.accept([each.shape for each in x])
        a, b = x
        self.remember(a, b)
        return swiglu(a, b)

    def backward(self, grad):
        """Return the gradients of a and b, derived in `kernels.gating.swiglu_gradient`."""
        return list(swiglu_gradient(grad, *self.remembered()))

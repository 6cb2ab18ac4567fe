"""An embedding that goes both ways: from tokens to vectors, and from vectors to a score for each token."""

import numpy as np

from ..arguments import CONSTRAINT, REGULARIZER, NotHere, is_number, keras_arguments, truth_value
from ..errors import ArgumentError, ShapeError
from ..kernels import as_float, matmul
from .embedding import Embedding


class ReversibleEmbedding(Embedding):
    """A table of vectors, one for each token, that is called twice.

        vectors = table(tokens)                  (N, T) -> (N, T, D): the row of each token
        scores = table(vectors, reverse=True)    (N, T, D) -> (N, T, V): vectors @ embeddings^T

    The score of a token is the product of a vector with the token's row: how far the vector points its way. So a
    network that predicts tokens from tokens needs one table and not two, and what it learns about a token where it is
    read also serves where it is predicted (Press & Wolf 2017). The table's gradient is the sum of those of both calls,
    as for every layer that a graph calls twice.

    input_dim, output_dim, mask_zero    as in `Embedding`; V is input_dim, D is output_dim
    tie_weights      False: another table for the way back, reverse_embeddings (D, V)
    logit_soft_cap   a number c: the scores become c * tanh(scores / c), so that none is larger than c
    """

    config_names = ("input_dim", "output_dim", "tie_weights", "mask_zero", "logit_soft_cap")
    call_options = ("reverse",)
    output_size_argument: str | None = None  # it depends on the call

    @keras_arguments(after="mask_zero", reverse_dtype=NotHere(None, ("float32",)))
    @keras_arguments(
        after="embeddings_initializer", embeddings_regularizer=REGULARIZER, embeddings_constraint=CONSTRAINT
    )
    def __init__(
        self,
        input_dim,
        output_dim,
        tie_weights=True,
        embeddings_initializer="uniform",
        mask_zero=False,
        logit_soft_cap=None,
        **kwargs,
    ):
        super().__init__(input_dim, output_dim, embeddings_initializer, mask_zero=mask_zero, **kwargs)
        self.tie_weights = truth_value(tie_weights, "tie_weights")
        if logit_soft_cap is not None and not (is_number(logit_soft_cap) and 0 < logit_soft_cap < np.inf):
            raise ArgumentError(f"logit_soft_cap is {logit_soft_cap!r}; expected a number above 0, or None.")
        self.logit_soft_cap = None if logit_soft_cap is None else float(logit_soft_cap)

    def build(self, input_shape=None):
        super().build(input_shape)
        if not self.tie_weights:
            self.add_weight("reverse_embeddings", (self.output_dim, self.input_dim), self.embeddings_initializer)

    def compute_output_shape(self, input_shape, reverse=False):
        self.check_call(input_shape, reverse)
        return (*input_shape[:-1], self.input_dim) if reverse else super().compute_output_shape(input_shape)

    def check_call(self, input_shape, reverse):
        """Raise ShapeError unless the input has the shape of tokens, or with reverse=True that of vectors."""
        rank = len(input_shape)
        ranks = ((3,) if self.mask_zero else (2, 3)) if reverse else (1, 2)  # two axes of a mask are those of tokens
        is_right = rank in ranks and (not reverse or input_shape[-1] == self.output_dim)
        if not is_right:
            expected = f"vectors (N, T, {self.output_dim})" if reverse else "tokens (N, T)"
            raise ShapeError(
                f"layer '{self.name}' was called with reverse={reverse}: expected {expected}, found shape "
                f"{tuple(input_shape)}."
            )

    def compute_output_mask(self, tensors, mask):
        return super().compute_output_mask(tensors, mask) if len(tensors[0].shape) <= 2 else mask

    def flops(self, input_shape):
        """Return 2 * V*D for each time step if the input are vectors; a look-up is no product."""
        return 2 * self.embeddings.size * (input_shape[1] or 0) if len(input_shape) == 3 else 0

    def forward(self, x, training=False, reverse=False):
        self.check_call(x.shape, reverse)
        if not reverse:
            return super().forward(x, training)
        self.accept(x.shape)
        x = as_float(x)
        y = matmul(x.reshape(-1, self.output_dim), self.reverse_kernel).reshape(*x.shape[:-1], self.input_dim)
        bent = None
        if self.logit_soft_cap is not None:
            bent = np.tanh(y / self.logit_soft_cap)
            y = bent * self.logit_soft_cap
        self.remember(x, bent, "reverse")
        return y.astype(x.dtype, copy=False)

    @property
    def reverse_kernel(self):
        """Return the matrix (D, V) of the way back."""
        return self.embeddings.T if self.tie_weights else self.reverse_embeddings

    def backward(self, grad):
        """Return dL/dx. After reverse=True, z = x @ R is a Dense layer whose kernel R is the table, turned, or
        reverse_embeddings. With y = c tanh(z / c), dL/dz = dL/dy * (1 - tanh(z / c)^2); without a cap y is z.

        dL/dx = dL/dz @ R^T        dL/dR = x^T @ dL/dz        dL/dembeddings = (dL/dR)^T
        """
        if len(self.remembered()) < 3:
            return super().backward(grad)
        dz = self.backward_to_parameters(grad)
        x = self.remembered()[0]
        return matmul(dz, self.reverse_kernel.T).reshape(x.shape)

    def backward_to_parameters(self, grad):
        """Compute the gradients of the tables. After reverse=True, return dL/dz (N*T, V)."""
        if len(self.remembered()) < 3:
            super().backward_to_parameters(grad)
            if self.trainable and not self.tie_weights:
                self.gradients["reverse_embeddings"] = np.zeros_like(self.reverse_embeddings)
            return None
        x, bent, _ = self.remembered()
        dz = (grad if bent is None else grad * (1 - bent**2)).reshape(-1, self.input_dim)
        if self.trainable and self.tie_weights:
            self.gradients["embeddings"] = matmul(dz.T, x.reshape(-1, self.output_dim))
        elif self.trainable:
            self.gradients["embeddings"] = np.zeros_like(self.embeddings)
            self.gradients["reverse_embeddings"] = matmul(x.reshape(-1, self.output_dim).T, dz)
        return dz

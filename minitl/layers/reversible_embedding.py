"""An embedding that goes both ways: from tokens to vectors, and from vectors to a score for each token."""

from ..arguments import CONSTRAINT, REGULARIZER, NotHere, keras_arguments
from ..errors import ShapeError
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
    """

    config_names = ("input_dim", "output_dim", "mask_zero")
    call_options = ("reverse",)
    output_size_argument: str | None = None  # it depends on the call

    @keras_arguments(after="mask_zero", reverse_dtype=NotHere(), logit_soft_cap=NotHere())
    @keras_arguments(
        after="embeddings_initializer", embeddings_regularizer=REGULARIZER, embeddings_constraint=CONSTRAINT
    )
    @keras_arguments(after="output_dim", tie_weights=NotHere(True))
    def __init__(self, input_dim, output_dim, embeddings_initializer="uniform", mask_zero=False, **kwargs):
        super().__init__(input_dim, output_dim, embeddings_initializer, mask_zero=mask_zero, **kwargs)

    def compute_output_shape(self, input_shape, reverse=False):
        self.check_call(input_shape, reverse)
        return (*input_shape[:2], self.input_dim if reverse else self.output_dim)

    def check_call(self, input_shape, reverse):
        """Raise ShapeError unless the input has the shape of tokens, or with reverse=True that of vectors."""
        is_right = len(input_shape) == 3 and input_shape[2] == self.output_dim if reverse else len(input_shape) == 2
        if not is_right:
            expected = f"vectors (N, T, {self.output_dim})" if reverse else "tokens (N, T)"
            raise ShapeError(
                f"layer '{self.name}' was called with reverse={reverse}: expected {expected}, found shape "
                f"{tuple(input_shape)}."
            )

    def compute_output_mask(self, tensors, mask):
        return super().compute_output_mask(tensors, mask) if len(tensors[0].shape) == 2 else mask

    def flops(self, input_shape):
        """Return 2 * V*D for each time step if the input are vectors; a look-up is no product."""
        return 2 * self.embeddings.size * (input_shape[1] or 0) if len(input_shape) == 3 else 0

    def forward(self, x, training=False, reverse=False):
        self.check_call(x.shape, reverse)
        if not reverse:
            return super().forward(x, training)
        self.accept(x.shape)
        x = as_float(x)
        self.remember(x)
        n, t, d = x.shape
        return matmul(x.reshape(n * t, d), self.embeddings.T).reshape(n, t, self.input_dim)

    def backward(self, grad):
        """Return dL/dx. After reverse=True, y = x @ embeddings^T is a Dense layer whose kernel is the table, turned:

        dL/dx = grad @ embeddings        dL/dembeddings = grad^T @ x
        """
        if len(self.remembered()) > 1:
            return super().backward(grad)
        self.backward_to_parameters(grad)
        (x,) = self.remembered()
        return matmul(grad.reshape(-1, self.input_dim), self.embeddings).reshape(x.shape)

    def backward_to_parameters(self, grad):
        """Compute the gradient of the table."""
        if len(self.remembered()) > 1:
            super().backward_to_parameters(grad)
        elif self.trainable:
            (x,) = self.remembered()
            self.gradients["embeddings"] = matmul(grad.reshape(-1, self.input_dim).T, x.reshape(-1, self.output_dim))

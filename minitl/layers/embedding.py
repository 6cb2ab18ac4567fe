"""Layers that turn numbers into vectors: `Embedding` for tokens, and those that add what a token's vector lacks: its
place (`PositionEmbedding`), and the sentence that it belongs to (`TokenTypeEmbedding`). The math is in
`kernels/embedding.py`."""

import math

import numpy as np

from .. import initializers
from ..arguments import CONSTRAINT, REGULARIZER, NotHere, keras_arguments, truth_value, whole_number
from ..errors import ArgumentError, DataError, ShapeError
from ..kernels import as_float
from ..kernels.elementwise import add
from ..kernels.embedding import embed, embed_gradient
from ..kernels.products import column_sums
from .base import Layer
from .padding_mask import PaddingMask


class Embedding(Layer):
    """A table of vectors, one for each token.  x (N, T), whole numbers from 0 to input_dim - 1 -> (N, T, D).

    input_dim     the number of rows of the table: the largest token number plus 1
    output_dim    D, the numbers of a vector
    mask_zero     the token 0 is padding: layers behind this one that take a mask get that of `PaddingMask`
    weights       the table to begin with (input_dim, output_dim), or a list that holds it: vectors from elsewhere

    Parameter embeddings (input_dim, output_dim). Its gradient is 0 for every token that does not occur in the batch. x
    may also hold whole numbers as floating-point ones, as a Keras program without `dtype` gives them; they have no
    gradient.
    """

    config_names: tuple = ("input_dim", "output_dim", "mask_zero")
    regularized = {"embeddings_regularizer": "embeddings"}
    output_size_argument: str | None = "output_dim"
    torch_names = {"embeddings": "weight"}

    @keras_arguments(after="weights", lora_rank=NotHere(), lora_alpha=NotHere(), quantization_config=NotHere())
    @keras_arguments(
        after="embeddings_initializer", embeddings_regularizer=REGULARIZER, embeddings_constraint=CONSTRAINT
    )
    def __init__(
        self, input_dim, output_dim, embeddings_initializer="uniform", mask_zero=False, weights=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.input_dim, self.output_dim = whole_number(input_dim, "input_dim"), whole_number(output_dim, "output_dim")
        self.embeddings_initializer = initializers.checked(embeddings_initializer, "embeddings_initializer")
        self.mask_zero = truth_value(mask_zero, "mask_zero")
        self.embeddings = None
        self._padding_mask = PaddingMask()
        if weights is not None:
            self._begin_with(weights)

    def _begin_with(self, weights):
        """Make `weights` the table."""
        shape = self.input_dim, self.output_dim
        table = weights[0] if isinstance(weights, (list, tuple)) and len(weights) == 1 else weights
        if np.shape(table) != shape or np.asarray(table).dtype.kind not in "fiu":
            raise ArgumentError(
                f"weights is {type(weights).__name__} of the shape {np.shape(table)}; expected an array of numbers of "
                f"the shape (input_dim, output_dim), {shape}, or a list that holds it."
            )
        self.add_weight("embeddings", shape, "zeros")
        self.embeddings[...] = table

    @property
    def makes_mask(self):
        return self.mask_zero

    def build(self, input_shape=None):
        if self.embeddings is None:
            self.add_weight("embeddings", (self.input_dim, self.output_dim), self.embeddings_initializer)

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.output_dim)

    def compute_output_mask(self, tensors, mask):
        """Return the mask of the tokens, which is one tensor for all layers that look up the same ones."""
        tokens = tensors[0]
        if self.mask_zero and tokens.padding_mask is None:
            tokens.padding_mask = self._padding_mask(tokens)
        return tokens.padding_mask if self.mask_zero else None

    def forward(self, x, training=False):
        self.accept(x.shape)
        tokens = self.checked(x)
        self.remember(tokens, x.dtype)
        return embed(tokens, self.embeddings)

    def checked(self, x):
        """Return x as whole numbers. Raises DataError for numbers that are no rows of the table."""
        tokens = x
        if x.dtype.kind not in "iu":
            tokens = np.asarray(x).astype(np.int64) if np.isfinite(x).all() else np.zeros(0)
            if tokens.shape != x.shape or (tokens != x).any():
                raise DataError(f"layer '{self.name}' expected whole numbers, the numbers of tokens; found {x.dtype}.")
        if tokens.size:
            least, most = int(tokens.min()), int(tokens.max())
            if least < 0 or most >= self.input_dim:
                raise DataError(
                    f"layer '{self.name}' got the token {most if most >= self.input_dim else least}, and its table has "
                    f"{self.input_dim:,} rows: expected numbers from 0 to {self.input_dim - 1:,}. Were the tokens made "
                    "with the vocabulary of this model? input_dim is the largest number plus 1."
                )
        return tokens

    def backward(self, grad):
        """Fill the gradient of the table. Return 0 for tokens given as floating-point numbers, else None: whole numbers
        have no gradient."""
        self.backward_to_parameters(grad)
        tokens, dtype = self.remembered()
        return np.zeros(tokens.shape, dtype) if dtype.kind == "f" else None

    def backward_to_parameters(self, grad):
        tokens, _ = self.remembered()
        if self.trainable:
            self.gradients["embeddings"] = embed_gradient(grad, tokens, self.input_dim)


class PositionEmbedding(Layer):
    """Adds to each time step the learned vector of its place.  x (N, T, D) -> (N, T, D), T <= sequence_length.

    Attention sees a set of tokens without order; with these vectors it can tell places apart. Parameter embeddings
    (sequence_length, D), one row for each place from 0 on. Devlin et al. 2018.
    """

    takes_integers = False
    passes_mask = True
    config_names = ("sequence_length",)
    in_keras = False
    torch_names = {"embeddings": "weight"}

    def __init__(self, sequence_length, initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.sequence_length = whole_number(sequence_length, "sequence_length")
        self.initializer = initializers.checked(initializer, "initializer")
        self.embeddings = None

    def build(self, input_shape):
        self.add_weight("embeddings", (self.sequence_length, input_shape[-1]), self.initializer)

    def check_input(self, input_shape):
        _check_vectors(self, input_shape)
        if input_shape[1] is not None and input_shape[1] > self.sequence_length:
            raise ShapeError(
                f"layer '{self.name}' has vectors for {self.sequence_length} places, found {input_shape[1]} time "
                "steps. Cut the texts to fewer tokens."
            )

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.remember()
        return as_float(x) + self.embeddings[: x.shape[1]]

    def backward(self, grad):
        """Return grad: dy/dx = 1."""
        self.backward_to_parameters(grad)
        return grad

    def backward_to_parameters(self, grad):
        """Compute the gradient of the table: each row was added to its time step of all examples."""
        self.remembered()
        if self.trainable:
            self.gradients["embeddings"] = gradient = np.zeros(self.embeddings.shape, grad.dtype)
            rows = grad.reshape(len(grad), math.prod(grad.shape[1:]))  # (N, T*D)
            gradient[: grad.shape[1]] = column_sums(rows).reshape(grad.shape[1:])


class TokenTypeEmbedding(Layer):
    """Adds to each token the learned vector of its type, such as the sentence that it belongs to.  x (N, T, D).

    x is the tokens' vectors, or a list of these and the types (N, T), whole numbers from 0 to input_dim - 1. Without
    types, all tokens have the type 0. Parameter embeddings (input_dim, D). Devlin et al. 2018.
    """

    takes_several = passes_mask = True
    config_names = ("input_dim",)
    in_keras = False
    torch_names = {"embeddings": "weight"}

    def __init__(self, input_dim=2, initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.input_dim = whole_number(input_dim, "input_dim")
        self.initializer = initializers.checked(initializer, "initializer")
        self.embeddings = None

    def build(self, input_shape):
        of_vectors = input_shape[0] if isinstance(input_shape, list) else input_shape
        self.add_weight("embeddings", (self.input_dim, of_vectors[-1]), self.initializer)

    def check_input(self, input_shape):
        of_vectors, *of_types = input_shape if isinstance(input_shape, list) else [input_shape]
        _check_vectors(self, of_vectors)
        if len(of_types) > 1 or any(len(shape) != 2 or _differ(shape, of_vectors[:2]) for shape in of_types):
            raise ShapeError(
                f"layer '{self.name}' expected types (N, T) of the vectors {of_vectors}, found {of_types}."
            )

    def compute_output_shape(self, input_shape):
        return input_shape[0] if isinstance(input_shape, list) else input_shape

    def forward(self, x, training=False):
        vectors, types = x if isinstance(x, list) else (x, None)
        self.accept(vectors.shape if types is None else [vectors.shape, types.shape])
        if types is None:
            self.remember(None)
            return as_float(vectors) + self.embeddings[0]
        if types.size and not (types.dtype.kind in "iu" and 0 <= types.min() and types.max() < self.input_dim):
            raise DataError(
                f"layer '{self.name}' expected types from 0 to {self.input_dim - 1}, whole numbers; found "
                f"{types.dtype} from {types.min()} to {types.max()}."
            )
        self.remember(types)
        return add(vectors, embed(types, self.embeddings))

    def backward(self, grad):
        """Return grad, since dy/dx = 1; with types, a list of grad and None: types have no gradient."""
        self.backward_to_parameters(grad)
        (types,) = self.remembered()
        return grad if types is None else [grad, None]

    def backward_to_parameters(self, grad):
        (types,) = self.remembered()
        if self.trainable and types is not None:
            self.gradients["embeddings"] = embed_gradient(grad, types, self.input_dim)
        elif self.trainable:
            self.gradients["embeddings"] = np.zeros(self.embeddings.shape, grad.dtype)
            self.gradients["embeddings"][0] = column_sums(grad.reshape(-1, grad.shape[-1]))


def _check_vectors(layer, shape):
    """Raise ShapeError unless `shape` is (N, T, D) with the D that the layer was built for."""
    layer.expect_rank(shape, 3, "(N, T, D)")
    d = None if layer.embeddings is None else layer.embeddings.shape[1]
    if shape[-1] is None or (d is not None and shape[-1] != d):
        raise ShapeError(f"layer '{layer.name}' expected vectors of {d or 'known'} length, found shape {tuple(shape)}.")


def _differ(shape, other):
    """Return whether two shapes differ in a size that both know."""
    return any(None not in pair and pair[0] != pair[1] for pair in zip(shape, other))

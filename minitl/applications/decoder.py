"""A decoder in Llama's form: a network that reads a text and predicts the next token at every place of it.

    tokens (N, T) -> vectors (N, T, D) -> blocks, each with attention and a feed-forward part -> scores (N, T, V)

Compared with the Transformer of 2017: the positions are rotations of queries and keys and no numbers that are added
(Su et al. 2021), the normalization stands before each part and has no mean (Zhang & Sennrich 2019), the feed-forward
part has a gate (Shazeer 2020), and several query heads share one key head (Ainslie et al. 2023). Touvron et al. 2023.

`decoder_weights` reads the files of llama2.c. `recipes.language` trains a decoder on a text and lets it write.
"""

from .. import initializers
from ..arguments import whole_number
from ..errors import ArgumentError
from ..layers import Add, CausalSelfAttention, Dense, Input, ReversibleEmbedding, RMSNormalization, SwiGLU
from ..models import Model
from ..weights.formats.llama2c_file import read_llama2c
from .decoder_weights import load, put

EPSILON = 1e-5  # under the root of the normalization, as in Llama's files


def Decoder(
    vocabulary: int, width: int = 64, layers: int = 5, heads: int = 8, key_value_heads: int = 4,
    hidden: int | None = None, length: int = 512, weights=None,
) -> Model:  # fmt: skip
    """Return a `Model` from token numbers (N, T) to the scores of the token that follows each of them (N, T, V).

    vocabulary        V, the number of tokens;   width   D, the numbers of a token
    layers            the number of blocks;   heads   K, of the queries;   key_value_heads   of keys and values
    hidden            the units of the feed-forward part (default: 8 D / 3, rounded up to a multiple of 4)
    length            the longest text that it is meant for, which is kept in the metadata: T may be anything
    weights           None, or the file of a model of these sizes: of llama2.c (.bin), or what `save_weights` wrote
    """
    _check(vocabulary, width, layers, heads, key_value_heads, length)
    hidden = -(-8 * width // 12) * 4 if hidden is None else whole_number(hidden, "hidden")
    tokens = Input((None,), dtype="int32", name="tokens")
    table = ReversibleEmbedding(vocabulary, width, name="token_embedding")
    x = table(tokens)  # (N, T) -> (N, T, D)
    for block in (f"block{number}" for number in range(1, layers + 1)):
        y = RMSNormalization(epsilon=EPSILON, name=f"{block}_attention_norm")(x)
        y = CausalSelfAttention(width // heads, heads, key_value_heads, name=f"{block}_attention")(y)
        x = Add(name=f"{block}_attention_add")([x, y])
        y = RMSNormalization(epsilon=EPSILON, name=f"{block}_feed_forward_norm")(x)
        gate = Dense(hidden, use_bias=False, name=f"{block}_gate")(y)  # (N, T, hidden)
        y = Dense(hidden, use_bias=False, name=f"{block}_up")(y)
        y = Dense(width, use_bias=False, name=f"{block}_down")(SwiGLU(name=f"{block}_swiglu")([gate, y]))
        x = Add(name=f"{block}_feed_forward_add")([x, y])
    x = RMSNormalization(epsilon=EPSILON, name="final_norm")(x)
    model = Model(tokens, table(x, reverse=True), name="decoder")  # the table again: (N, T, D) @ (D, V)
    model.metadata = {"length": length}
    if weights is not None:
        load(model, weights)
    return model


def decoder_of_file(path):
    """Return the `Decoder` that a file of llama2.c describes, with its weights."""
    config, arrays = read_llama2c(path)
    sizes = config.dim, config.n_layers, config.n_heads, config.n_kv_heads, config.hidden_dim, config.seq_len
    with initializers.weights_will_be_loaded():
        model = Decoder(config.vocab_size, *sizes)
    put(model, path, config, arrays)
    return model


def _check(vocabulary, width, layers, heads, key_value_heads, length):
    """Raise ArgumentError for sizes that do not go together."""
    sizes = {"vocabulary": vocabulary, "width": width, "layers": layers, "heads": heads, "length": length}
    for name, size in {**sizes, "key_value_heads": key_value_heads}.items():
        whole_number(size, name)
    if width % (2 * heads):
        raise ArgumentError(
            f"width is {width} and heads {heads}; expected a multiple of {2 * heads}, so that each head has an even "
            "number of numbers: they are rotated in pairs."
        )
    if heads % key_value_heads:
        raise ArgumentError(
            f"heads is {heads} and key_value_heads {key_value_heads}; expected a multiple of {key_value_heads}, so "
            "that as many query heads share each key head."
        )

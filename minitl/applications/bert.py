"""BERT: an encoder of text. Devlin et al. 2018, arXiv 1810.04805; the block is that of Vaswani et al. 2017, figure 1.

Every token becomes a vector, the sum of what it is, where it stands and which sentence it belongs to. Each block then
lets every token take from all others what it needs (attention), and works on each token by itself (two dense layers).
Both add to the vector instead of replacing it, as a residual block does, and a normalization follows each sum.

    tokens (N, T) -> vectors (N, T, D) -> [ attention -> + -> norm -> dense, GELU, dense -> + -> norm ] x layers

`weights='minilm'` is MiniLM-L6-v2 (Wang et al. 2020; trained by sentence-transformers to place sentences of similar
meaning near each other): 6 blocks, D = 384, 12 heads. Its vector of a sentence is the mean over its tokens. The tokens
are WordPiece's, with the vocabulary beside the weights.

Layer names are those that `weights.bert_names` translates PyTorch's to.
"""

from contextlib import nullcontext

from .. import initializers
from ..arguments import AnyPath, whole_number
from ..errors import ArgumentError
from ..layers import (
    Add,
    Dense,
    Dropout,
    Embedding,
    GlobalAveragePooling1D,
    Input,
    LayerNormalization,
    MultiHeadAttention,
    PositionEmbedding,
    SelectStep,
    TokenTypeEmbedding,
)
from ..models import Model
from ..weights import bert_config, find_weights, load_weights
from ..weights.bert_config import BertConfig

MINILM = BertConfig(layers=6, width=384, heads=12, hidden=1536, vocabulary=30522, positions=512)
POOLINGS = (None, "mean", "cls")
BEGINNING = initializers.RandomNormal(stddev=0.02)  # of random weights, as in the paper's program


def BERT(
    weights: AnyPath | None = "minilm", cut: int | None = None, pooling: str | None = "mean",
    types: bool = False, dropout: float = 0.0, name: str = "bert", **sizes: int,
) -> Model:  # fmt: skip
    """Return the encoder as a `Model` of {"tokens": (N, T) whole numbers, "mask": (N, T) booleans, True: real tokens}.

    weights   'minilm' (downloaded once), None (random), or the path of a file of a PyTorch BERT
    cut       how many blocks are kept, from the first on; None: all
    pooling   'mean': the mean over the real tokens (N, D); 'cls': the pooler, a dense layer on the first token (N, D);
              None: the vectors of all tokens (N, T, D)
    types     True for a third input, "types" (N, T); otherwise every token has the type 0
    dropout   the share of attention weights, and of the outputs before each sum, that is dropped in training; BERT was
              trained with 0.1
    sizes     fields of `weights.bert_config.BertConfig` (layers, width, heads, ...): for random weights, where MiniLM's
              are the default; of a file, they come from the configuration beside it, which `heads` may replace

    Raises ArgumentError for other arguments, and WeightsError for the file.
    """
    path = find_weights("minilm") if weights == "minilm" else weights
    config = _config(path, sizes)
    if pooling not in POOLINGS:
        raise ArgumentError(f"pooling is {pooling!r}; expected one of {', '.join(map(repr, POOLINGS))}.")
    if cut is not None and whole_number(cut, "cut") > config.layers:
        raise ArgumentError(f"cut is {cut}; expected at most {config.layers}, the blocks of this encoder.")

    with initializers.weights_will_be_loaded() if path is not None else nullcontext():
        inputs = {
            "tokens": Input((None,), dtype="int32", name="tokens"),
            "mask": Input((None,), dtype="bool", name="mask"),
        }
        if types:
            inputs["types"] = Input((None,), dtype="int32", name="types")
        x = embedded(inputs["tokens"], inputs.get("types"), config, dropout)
        ends = []
        for number in range(config.layers):
            x = block(x, inputs["mask"], config, dropout, f"layer_{number}")
            ends.append(x)
        y = ends[(cut or config.layers) - 1]
        if pooling == "mean":
            y = GlobalAveragePooling1D(name="mean")(y, mask=inputs["mask"])
        elif pooling == "cls":
            y = Dense(config.width, activation="tanh", name="pooler")(SelectStep(0, name="first_token")(y))
        if path is None:
            return Model(inputs, y, name=name)
        whole = Model(inputs, [x, y], name=name)  # with the blocks behind the cut, which the file has
        load_weights(whole, path)
        return _continue(Model(inputs, y, name=name), whole)


def embedded(tokens, types, config, dropout):
    """Return the vectors of the tokens (N, T) -> (N, T, D): what they are, where they stand, which type they have."""
    x = Embedding(config.vocabulary, config.width, BEGINNING, name="word_embeddings")(tokens)
    x = PositionEmbedding(config.positions, BEGINNING, name="position_embeddings")(x)
    x = TokenTypeEmbedding(config.token_types, BEGINNING, name="token_type_embeddings")(
        x if types is None else [x, types]
    )
    x = LayerNormalization(epsilon=config.epsilon, name="embeddings_norm")(x)
    return Dropout(dropout, name="embeddings_dropout")(x) if dropout else x


def block(x, mask, config, dropout, name):
    """Return norm(x + f(x)) twice: f is attention first, then two dense layers.  (N, T, D) -> (N, T, D)."""
    heads, epsilon, start = config.heads, config.epsilon, {"kernel_initializer": BEGINNING}
    y = MultiHeadAttention(heads, config.width // heads, dropout=dropout, **start, name=f"{name}_attention")(
        x, value_mask=mask
    )
    y = Dropout(dropout, name=f"{name}_attention_dropout")(y) if dropout else y
    x = Add(name=f"{name}_attention_add")([y, x])
    x = LayerNormalization(epsilon=epsilon, name=f"{name}_attention_norm")(x)

    y = Dense(config.hidden, config.activation, **start, name=f"{name}_intermediate")(x)  # (N, T, 4 D)
    y = Dense(config.width, **start, name=f"{name}_output")(y)
    y = Dropout(dropout, name=f"{name}_output_dropout")(y) if dropout else y
    x = Add(name=f"{name}_output_add")([y, x])
    return LayerNormalization(epsilon=epsilon, name=f"{name}_output_norm")(x)


def _config(path, sizes):
    """Return the `BertConfig` of a file and of the sizes that the caller has given. Raises ArgumentError."""
    unknown = [size for size in sizes if size not in BertConfig._fields]
    if unknown:
        raise ArgumentError(f"BERT has no argument {unknown[0]}; its sizes are {', '.join(BertConfig._fields)}.")
    if path is None:
        config = MINILM._replace(**sizes)
        if "width" in sizes and "hidden" not in sizes:
            config = config._replace(hidden=4 * config.width)
        for field in config._fields[:7]:
            whole_number(getattr(config, field), field)
        if config.width % config.heads:
            raise ArgumentError(f"heads is {config.heads}; expected a number that divides the width, {config.width}.")
        return config
    config = bert_config(path, heads=sizes.get("heads"))
    for field, value in sizes.items():
        if getattr(config, field) != value:
            raise ArgumentError(f"{field} is {value!r}, and the weights of {path} have {getattr(config, field)!r}.")
    return config


def _continue(model, whole):
    """Return `model` with the notes and the metadata of the whole encoder, and a note on what was cut off."""
    gone = [layer.name for layer in whole.layers if layer.weight_names and layer not in model.layers]
    model.metadata = dict(whole.metadata)
    model.notes = [*whole.notes, *([f"removed behind the last block: {', '.join(gone)}"] if gone else [])]
    return model

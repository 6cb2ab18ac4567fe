"""Attention: each word takes from all others what it needs. By hand, with masks, and as a map of who looks at whom.

`minitl explain attention` computes one head by hand (`one_head`), lets attention read the sentences of `toy`, with the
places of the words and without, and trains a head to read letters backwards, which shows in its map. At last it looks
into MiniLM, an encoder of six layers, if its weights are on this machine: nothing is downloaded.

Read next: `kernels.attention`, `layers.attention`, and `applications.bert`, the whole encoder on one screen.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from ... import initializers
from ...layers import Dense, Embedding, Input, MultiHeadAttention, PositionEmbedding
from ...models import Model
from ...optimizers import Adam
from ...randomness import set_random_seed
from ...recipes.texts import bases
from ...recipes.texts.words import attention_of
from ...terminal import table
from ...weights.published.catalogue import present
from ..explain.page import Page
from ..printing import heading, say
from . import toy
from .figures import check, draw_maps, map_as_text
from .one_head import explain_one_head
from .words import WordVectors

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORD = "backward"  # of LENGTH letters
LENGTH, WIDTH, RATE = len(WORD), 32, 0.01
SENTENCE = "the dog bit the man because it was hungry"
HEADS = (("layer_0_attention", 2), ("layer_1_attention", 8))  # of MiniLM: they look at the word before, and behind
PADDED = ("dog bites man", "the old man bites the dog")


class Extent(NamedTuple):
    """The extent of the program: sentences, their length and the epochs; words to read backwards, and the epochs."""

    training: int
    test: int
    length: int
    epochs: int
    letters: int
    letter_epochs: int


EXTENT = Extent(training=2000, test=500, length=25, epochs=6, letters=3000, letter_epochs=4)


def explain_attention(plots=None, seed=0):
    """Print what attention computes and what it looks at. Returns the numbers as plain data.

    plots   None, or a folder: `attention.png` is drawn there (needs matplotlib)
    seed    of the networks' first weights, and of the examples
    """
    check(plots)
    page = Page()
    explain_one_head(page)
    print("\n".join(page.lines).lstrip("\n"))
    print(f"\n{page.checked:,} numbers were computed twice, by the formulas above and by the engine.\n", flush=True)
    words = WordVectors()
    padding = _padding(words, seed)
    order = _order(words, seed)
    maps, letters = _backwards(seed)
    of_minilm, first = _minilm()
    if plots is not None:
        draw_maps([*maps, *of_minilm], plots, "attention.png")
    return {
        "padding": padding,
        "accuracy": order,
        "letters": letters,
        "minilm": None if first is None else {"share_of_first_token": first},
        "maps": {title: weights.tolist() for title, _, _, weights in (*maps, *of_minilm)},
        "seed": seed,
    }


def _padding(words, seed):
    """Print what a sentence becomes alone, and in a batch with a longer one. Returns the largest differences."""
    heading("Alone, and in a batch")
    short, long = (words.of(text) for text in PADDED)
    features = short.shape[1]
    batch = np.zeros((2, len(long), features), np.float32)
    batch[0, : len(short)], batch[1] = short, long
    mask = np.arange(len(long)) < np.array([[len(short)], [len(long)]])  # (2, T)
    set_random_seed(seed)
    layer = MultiHeadAttention(2, 16)
    layer(Input((None, features)), Input((None, features)))
    alone = layer.forward(short[None])[0].mean(axis=0)
    found = {"alone": alone}
    found["with a mask"] = layer.forward(batch, value_mask=mask)[0, : len(short)].mean(axis=0)
    found["without"] = layer.forward(batch)[0, : len(short)].mean(axis=0)
    say(
        f"'{PADDED[0]}' in a batch with '{PADDED[1]}': both need {len(long)} tokens, so {len(long) - len(short)} empty "
        "ones stand behind the first. The first four numbers of its vector, the mean of its words after attention:"
    )
    rows = [["", *"1234", "largest difference"]]
    differences = {name: float(np.abs(vector - alone).max()) for name, vector in found.items()}
    for name, vector in found.items():
        rows.append([name, *(f"{each:.4f}" for each in vector[:4]), f"{differences[name]:.1e}"])
    print(f"{table(rows)}\n")
    say("With the mask, what a sentence means does not depend on its neighbours in the batch.")
    return differences


def _order(words, seed):
    """Print how well attention answers the question of `toy`, with the places of the words and without."""
    heading("Who does something to whom?")
    training = toy.sentences(words, EXTENT.training, EXTENT.length)
    test = toy.sentences(words, EXTENT.test, EXTENT.length, test=True)
    say(
        f"The sentences of `minitl explain sentences`, {EXTENT.length} words long. In attention, every word reaches "
        "every other in one step, so nothing vanishes on the way. But it does not know where a word stands, unless a "
        "vector for its place is added to the word's."
    )
    found = {}
    for name, positions in ("without places", False), ("with places", True):
        model = toy.trained(partial(toy.attending, positions=positions), training, EXTENT.epochs, seed)
        found[name] = toy.accuracy(model, test)
        print(f"{name}: accuracy {found[name]:.3f}", flush=True)
    print()
    return found


# ---- letters read backwards ----


def backwards(causal):
    """Return a network from letters (N, T) to the probabilities of the letters in reverse order (N, T, 26)."""
    letters = Input((LENGTH,), dtype="int32")
    x = PositionEmbedding(LENGTH, initializers.RandomNormal(stddev=0.5))(Embedding(len(LETTERS), WIDTH)(letters))
    y = MultiHeadAttention(1, WIDTH, name="attention")(x, x, use_causal_mask=causal)
    return Model(letters, Dense(len(LETTERS), activation="softmax")(y))


def weights_of(model, letters, causal):
    """Return what the head of a network of `backwards` looks at for one word (1, T): its weights (T, T)."""
    layer = model.get_layer("attention")
    vectors = Model(model.input, layer.input).forward(letters)  # (1, T, D)
    _, weights = layer.forward(vectors, use_causal_mask=causal, return_attention_scores=True)
    return weights[0, 0]


def _backwards(seed):
    """Train the head without and with the causal mask, and print its map. Returns (maps for the figure, plain data)."""
    heading("A map: who looks at whom?")
    say(
        f"A head learns to write {LENGTH} letters backwards: what it writes at the first place is the last letter. All "
        "that it knows of the letters comes through attention. The map shows how many percent of the weight each "
        "letter to write (row) gives to each letter to read (column):"
    )
    random = np.random.default_rng(seed)
    x = random.integers(0, len(LETTERS), (EXTENT.letters, LENGTH), dtype=np.int32)
    test = random.integers(0, len(LETTERS), (500, LENGTH), dtype=np.int32)
    word = np.array([[LETTERS.index(letter) for letter in WORD]], np.int32)
    maps, found = [], {}
    for causal in False, True:
        set_random_seed(seed)
        model = backwards(causal)
        model.compile(Adam(RATE), loss="sparse_categorical_crossentropy")
        model.fit(x, x[:, ::-1].copy(), toy.BATCH, EXTENT.letter_epochs, verbose=0)
        right = model.predict(test, verbose=0).argmax(axis=-1) == test[:, ::-1]
        weights = weights_of(model, word, causal)
        title = "causal mask" if causal else "no mask"
        found[title] = right.mean(axis=0).tolist()
        maps.append((f"letters backwards, {title}", list(WORD[::-1]), list(WORD), weights))
        print(f"{title}:\n{map_as_text(WORD[::-1], WORD, weights)}\n", flush=True)
        print(f"right, place by place: {' '.join(f'{share:.2f}' for share in found[title])}\n", flush=True)
    say(
        "With the causal mask, a place sees no letter behind it. So the first half cannot know what to write, and "
        "guesses. A model that writes text is trained with this mask, because the words behind are what it must guess."
    )
    return maps, found


# ---- MiniLM ----


def _minilm():
    """Print what two heads of MiniLM look at, if its weights are here. Returns (maps for the figure, the mean share of
    the first token in all heads), or ([], None)."""
    heading("Heads of an encoder")
    if present("minilm") is None:
        say("MiniLM is not on this machine. `minitl weights get minilm` fetches it (91 MB). Then run this again.")
        return [], None
    base = bases.build("minilm")
    encoded = base.tokenizer.encode(SENTENCE)
    found = dict(attention_of(base.model, encoded.ids[None]))  # {layer: (1, K, T, T)}
    heads = sum(weights.shape[1] for weights in found.values())
    say(f"MiniLM has {len(found)} layers of {heads // len(found)} heads. Nobody has told a head what to look at. Two:")
    maps = []
    for layer, head in HEADS:
        weights = found[layer][0, head]
        maps.append(
            (f"MiniLM, {layer.removesuffix('_attention')}, head {head}", encoded.tokens, encoded.tokens, weights)
        )
        print(f"{layer.removesuffix('_attention')}, head {head}:")
        print(f"{map_as_text(encoded.tokens, encoded.tokens, weights)}\n", flush=True)
    first = float(np.mean([weights[0, :, 1:, 0].mean() for weights in found.values()]))
    say(
        "The first looks at the word before, the second at the word behind. Most are not so clear: over all "
        f"{heads} heads, {first:.0%} of the weight goes to {encoded.tokens[0]}, the token at the beginning of every "
        "sentence. It is thought that a head looks there when it finds nothing to take. So a map says where a head "
        "looks, and not what that is for."
    )
    return maps, first

"""A toy task, and the networks that read it: who does something to whom?

    the dog bites the man near the old bridge ...      label 0: the animal does it
    the man bites the dog near the old bridge ...      label 1: the person does it

Both sentences have the same words, so only their order tells them apart. The words that come afterwards say nothing
about it. They make the sentence longer, so that a network which reads word by word has to remember its beginning. The
animals and people of the test sentences do not occur in those to learn from: that a wolf is an animal can be known from
its vector alone.
"""

from typing import NamedTuple

import numpy as np

from ... import initializers
from ...layers import (
    LSTM,
    Add,
    Dense,
    GlobalAveragePooling1D,
    Input,
    MultiHeadAttention,
    PositionEmbedding,
    SimpleRNN,
)
from ...models import Model
from ...optimizers import Adam
from ...randomness import set_random_seed

ANIMALS = "dog cat horse cow wolf bear lion tiger snake goat sheep pig rat mouse monkey elephant".split()
PEOPLE = (
    "man woman boy girl doctor farmer teacher soldier nurse lawyer priest actor student singer sailor officer".split()
)
TO_LEARN_FROM = 12  # of the animals, and of the people; the others are for the test
DEEDS = "bites sees follows hears finds watches likes helps hits knows catches".split()
REST = (
    "on monday morning", "near the old bridge", "while it was cold", "in the small town", "after the long winter",
    "behind the house", "before the sun came up", "under the big tree", "at the end of the road",
    "because it was late", "during the night", "next to the church",
)  # fmt: skip
UNITS, BATCH, RATE = 32, 32, 0.005
TRAINING_SEED, TEST_SEED = 0, 1  # of the sentences


class Sentences(NamedTuple):
    """Sentences as texts, as vectors (N, T, D), and their labels (N,)."""

    texts: list
    vectors: np.ndarray
    labels: np.ndarray


def sentences(words, count, length, test=False):
    """Return `count` sentences of `length` words, in pairs: each sentence is followed by that with the roles exchanged.

    words   `words.WordVectors`
    """
    random = np.random.default_rng(TEST_SEED if test else TRAINING_SEED)
    some = slice(TO_LEARN_FROM, None) if test else slice(TO_LEARN_FROM)
    texts = []
    for _ in range(count // 2):
        animal, person, deed = (str(random.choice(each)) for each in (ANIMALS[some], PEOPLE[some], DEEDS))
        rest = []
        while len(rest) < length - 5:
            rest += REST[random.integers(len(REST))].split()
        for one, other in (animal, person), (person, animal):
            texts.append(" ".join(["the", one, deed, "the", other, *rest[: length - 5]]))
    labels = np.arange(len(texts)) % 2
    return Sentences(texts, np.stack([words.of(text) for text in texts]), labels)


# ---- the networks: (N, T, D) -> (N, 2) ----


def averaging(length, features):
    """Return a network that sees the mean of the words' vectors."""
    words = Input((length, features))
    return _with_answer(words, Dense(UNITS, activation="relu")(GlobalAveragePooling1D()(words)))


def simple_rnn(length, features):
    """Return a network that reads the words one after the other with a SimpleRNN."""
    words = Input((length, features))
    return _with_answer(words, SimpleRNN(UNITS, name="reader")(words))


def lstm(length, features, forget_bias=1.0):
    """Return a network that reads the words with an LSTM whose gates f begin with this bias."""
    words = Input((length, features))
    reader = LSTM(UNITS, name="reader")
    state = reader(words)
    reader.bias[UNITS : 2 * UNITS] = forget_bias  # the columns are those of the gates i f c o
    return _with_answer(words, state)


def attending(length, features, positions=True):
    """Return a network in which each word takes from all others what it needs. The mean comes afterwards."""
    words = Input((length, features))
    x = Dense(UNITS)(words)
    if positions:
        x = PositionEmbedding(length, initializers.RandomNormal(stddev=0.5))(x)
    x = Add()([x, MultiHeadAttention(2, UNITS // 2, name="attention")(x, x)])
    return _with_answer(words, GlobalAveragePooling1D()(Dense(UNITS, activation="relu")(x)))


def _with_answer(words, features):
    """Return the model that ends with the probabilities of the two answers."""
    return Model(words, Dense(2, activation="softmax", name="answer")(features))


def trained(build, training, epochs, seed):
    """Return the network `build(length, features)`, trained on `Sentences`."""
    set_random_seed(seed)
    model = build(*training.vectors.shape[1:])
    model.compile(Adam(RATE), loss="sparse_categorical_crossentropy")
    model.fit(training.vectors, training.labels, BATCH, epochs, verbose=0)
    return model


def accuracy(model, test):
    """Return the share of the sentences that are answered rightly."""
    return float((model.predict(test.vectors, verbose=0).argmax(axis=1) == test.labels).mean())

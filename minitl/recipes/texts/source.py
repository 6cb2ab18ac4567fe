"""Texts as token numbers, in batches of about one length; and the states of a frozen beginning, for a second stage.

`TextSource` is a `TokenStream` that `features.on_disk` can keep features of. `StateRows` and its mask stand for what
the layers behind a frozen beginning are given.
"""

import hashlib

import numpy as np

from ...data.batches import one_pass
from ...data.text.stream import TokenStream
from ...features.one_pass import outputs
from ...terminal import counted


class TextSource(TokenStream):
    """The tokens of texts: a stream that stands for an int32 array (N, T).

    texts       strings;   tokenizer   makes their numbers
    length      the most tokens of a text
    origins     the name of each text in messages (default: its position)

    dropped_of  how many tokens of each text were cut off (N,)
    unknown_of  for each text, whether the vocabulary has none of its tokens: to a model, all such texts are the same
    """

    def __init__(self, texts, tokenizer, length, origins=None):
        encoded = [tokenizer.encode(text, length, warn=False) for text in texts]
        super().__init__([each.ids for each in encoded], pad=tokenizer.pad)
        self.dropped_of = np.array([each.dropped for each in encoded], int)
        means_nothing = [tokenizer.unknown, *tokenizer.begin, *tokenizer.end]
        self.unknown_of = [bool(np.isin(each.ids, means_nothing).all()) for each in encoded]
        self.preparation = ["texts", tokenizer.digest]
        self.keys = [hashlib.sha256(each.ids.tobytes()).hexdigest() for each in encoded]
        self.origins = [str(number) for number in range(len(encoded))] if origins is None else list(origins)

    def read_unchanged(self, positions):
        """Return (the tokens at `positions`, {}): texts are in memory, and cannot vanish."""
        return self.read(positions), {}


def unknown_share(tokenizer, *sources):
    """Return the share of the tokens that the vocabulary does not have."""
    flat = np.concatenate([source.flat for source in sources])
    return float((flat == tokenizer.unknown).mean()) if len(flat) else 0.0


def cut_off(length, *sources):
    """Return a sentence on the texts that are longer than `length`, or "" if there are none."""
    dropped = np.concatenate([source.dropped_of for source in sources])
    cut = dropped > 0
    if not cut.any():
        return ""
    return (
        f"{counted(int(cut.sum()), 'text')} of {len(dropped):,} are longer than {length} tokens: their ends are not "
        f"read, {counted(int(dropped.sum()), 'token')} in all. --length sets another limit."
    )


class StateRows:
    """The outputs of a frozen graph for each token of each text, without padding: a stream (N, T, D).

    graph    from tokens (N, T) to states (N, T, D);   source   a `TokenStream`
    title    the words before the progress bar

    The states of all texts lie one after the other in one array, in half precision: as exact as the features of
    photographs that are kept.
    """

    is_stream = True
    dtype = np.dtype("float32")

    def __init__(self, graph, source, batch_size, title):
        self.tokens, size = source, graph.outputs[0].shape[-1]
        self.shape = (len(source), None, size)
        self.states = np.empty((len(source.flat), size), np.float16)  # (tokens of all texts, D)
        for batch, states in outputs(graph, source, one_pass((source,), batch_size), title):
            for position, rows in zip(batch, states):  # (T, D)
                start, count = source.starts[position], source.lengths[position]
                self.states[start : start + count] = rows[:count]

    @staticmethod
    def bytes_for(graph, source):
        """Return the memory that the states of a source take."""
        return 2 * len(source.flat) * graph.outputs[0].shape[-1]

    def __len__(self):
        return len(self.tokens)

    @property
    def digest(self):
        """A text that changes whenever the states change."""
        digest = hashlib.sha256(self.tokens.digest.encode())
        digest.update(self.states)
        return digest.hexdigest()[:16]

    def read(self, positions, epoch=None):
        """Return the states at `positions` (a slice or an array): (n, T, D), with 0 as padding."""
        positions = np.arange(len(self))[positions]
        _, mask = self.tokens.padded(positions)  # (n, T)
        found = np.zeros((*mask.shape, self.shape[-1]), np.float32)
        starts, lengths = self.tokens.starts[positions], self.tokens.lengths[positions]
        found[mask] = np.concatenate([self.states[start : start + size] for start, size in zip(starts, lengths)])
        return found

    def order_for(self, batch_size, rng=None):
        """Return the order of the tokens."""
        return self.tokens.order_for(batch_size, rng)

"""The reader of a language model: the scores of the token that comes next, and what it keeps to go on from there.

A decoder is causal: at each place it sees the tokens up to that place and no later one. So what it has computed for a
token does not change when others follow. In each block, a new token needs the keys and values of those before it and
nothing else of them. They are kept (`layers.decoder_attention.Past`), and a step computes one token: the work for a
text of T tokens grows with T (and T^2 in the attention alone), not with T times as much as a whole forward.

    reader = Reader(model)
    scores = reader.scores(ids)            reads all tokens of `ids`, in one pass
    scores = reader.scores([*ids, 17])     reads 17 alone

`scores_anew` computes the same by reading everything again: the definition.

A model knows distances between tokens up to the length that it was trained on, and no longer ones. When a text has
grown beyond it, the older half is forgotten and the rest is read again as if it began there.
"""

import numpy as np

from ...arguments import is_whole_number
from ...errors import ArgumentError
from ...layers.decoder_attention import CausalSelfAttention, Past


class Reader:
    """A model with the keys and values of the text that it has read."""

    def __init__(self, model):
        self.model, self.length = model, longest(model)
        self.begin, self.ids, self.past = 0, [], None

    def scores(self, ids):
        """Return the scores (V,) of the token that follows `ids`, the whole text so far. Tokens that were read by the
        call before are not read again."""
        begin = first_kept(len(ids), self.length)
        known = len(self.ids)
        if self.past is None or begin != self.begin or ids[:known] != self.ids or known == len(ids):
            calls = [call for call in self.model.calls if isinstance(call.layer, CausalSelfAttention)]
            self.begin, self.past, known = begin, {call: Past(self.length) for call in calls}, begin
        self.ids = list(ids)
        return self._read(ids[known:])

    def _read(self, tokens):
        """Return the scores behind new tokens. It is `Graph.forward`, with the past handed to each attention."""
        values = {self.model.input: np.array([tokens], np.int32)}
        for call in self.model.calls:
            x, by_name = call.arguments([values[tensor] for tensor in call.inputs])
            if call in self.past:
                by_name["past"] = self.past[call]
            values[call.outputs[0]] = call.layer.forward(x, **by_name)
            call.layer.forget()
        return values[self.model.output][0, -1]


def scores_anew(model, ids):
    """Return the scores (V,) of the token that follows `ids`, and read all of them for it."""
    tokens = ids[first_kept(len(ids), longest(model)) :]
    return model.forward(np.array([tokens], np.int32), gradients="none")[0, -1]


def first_kept(count, length):
    """Return the place from which on a text of `count` tokens is read by a model for `length` tokens: 0 while it fits.
    One token more, and it moves by half the length, and so on."""
    step = max(1, length // 2)
    return max(0, -(-(count - length) // step)) * step


def longest(model):
    """Return the number of tokens that a model was made for. Raises ArgumentError if its metadata do not say."""
    length = model.metadata.get("length")
    if not is_whole_number(length) or length < 1:
        raise ArgumentError(
            f"model '{model.name}': its metadata 'length' is {length!r}; expected the tokens of the longest text, as "
            "`Decoder` sets it."
        )
    return int(length)

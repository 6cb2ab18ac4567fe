"""The conventions that all ways from text to numbers share, and what is the same in all of them.

A *token* is a piece of text that has a number: a word, a part of a word, a character. `WordPiece`, `WordVocabulary`,
`CharacterVocabulary` and `ScoredMerges` differ in how they cut a text into tokens. Each is a `Tokenizer`:

    encode(text, length)           the numbers of one text, as an `Encoded`
    encode_batch(texts, length)    the numbers of several texts, filled up with `pad`, and their mask, as a `Batch`
    encode_rows(texts, length)     the same as a list of arrays, not filled up
    decode(ids)                    a text again
    len(tokenizer), tokens, pad    how many numbers there are; the token of each number; the number for filling up
    as_data(), from_data(data)     all of it as plain data, for a model's file; `rebuild` knows the class by its name

`length` limits the tokens of a text, special ones such as [CLS] included. What does not fit is counted and warned of.
"""

import functools
import hashlib
import json
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ...arguments import whole_number
from ...errors import DataError, warn_of_data
from .lengths import filled

NOWHERE = (0, 0)  # the place of a special token, which no character of the text stands for


@dataclass(frozen=True, eq=False)
class Encoded:
    """A text, or a pair of texts, as numbers.

    ids       the numbers of the tokens, int32 (T,)
    types     0 for the tokens of the first text and 1 for those of the second, int32 (T,)
    dropped   how many tokens did not fit into the length
    """

    ids: np.ndarray
    types: np.ndarray
    dropped: int
    _tokenizer: "Tokenizer" = field(repr=False)
    _kept: list = field(repr=False)  # (text, how many of its tokens were kept), one or two

    def __len__(self):
        return len(self.ids)

    @functools.cached_property
    def tokens(self):
        """The tokens as texts, special ones included."""
        return [self._tokenizer.tokens[number] for number in self.ids.tolist()]

    @functools.cached_property
    def offsets(self):
        """The places of the tokens in the text as it was given, a list of (start, end): `text[start:end]`.

        A special token stands at (0, 0). Of a pair, `types` says which of the texts is meant.
        """
        spans = [self._tokenizer.spans(text)[:count] for text, count in self._kept]
        return self._tokenizer.framed(spans, NOWHERE)


class Batch(NamedTuple):
    """Texts as numbers, filled up to the longest.

    ids       int32 (N, T)
    mask      True for a token, False for what was filled up, (N, T)
    dropped   how many tokens of each text did not fit, int32 (N,)
    """

    ids: np.ndarray
    mask: np.ndarray
    dropped: np.ndarray


class Tokenizer:
    """A way from text to numbers. A class of this kind defines `numbers`, `spans`, `decode`, `tokens` and SETTINGS."""

    SETTINGS: tuple = ()  # arguments of the constructor, besides the tokens, that a model's file keeps
    pad: int | None = 0  # the number for filling up; None if there is none
    begin = ()  # numbers of the special tokens before a text
    end = ()  # and behind it

    def __len__(self):
        return len(self.tokens)

    def __repr__(self):
        short = {name: value for name, value in self.settings().items() if not isinstance(value, list)}
        settings = "".join(f", {name}={value!r}" for name, value in short.items())
        return f"{type(self).__name__}({len(self):,} tokens{settings})"

    def numbers(self, text):
        """Return the numbers of a text as a list: all of them, without special tokens."""
        raise NotImplementedError(f"{type(self).__name__}.numbers")

    def spans(self, text):
        """Return [(start, end), ...]: where in the text the token of each of its `numbers` stands."""
        raise NotImplementedError(f"{type(self).__name__}.spans")

    def encode(self, text, length=None, warn=True):
        """Return the numbers of a text, special tokens included, as an `Encoded`.

        length   the most tokens; those at the end of a longer text are dropped, and their number returned
        warn     False for no warning of it
        """
        return self._encode([require_text(text)], length, warn)

    def encode_batch(self, texts, length=None, warn=True):
        """Return texts as a `Batch` (ids, mask, dropped), filled up with `pad` to the longest of them.

        A text without any token gives a row in which nothing is True; T is at least 1.
        """
        rows, dropped = self._rows(texts, length, warn)
        return Batch(*self._filled(rows), np.array(dropped, np.int32))

    def encode_rows(self, texts, length=None, warn=True):
        """Return the numbers of texts as a list of int32 arrays, each as long as its text: for a stream, which fills up
        each batch when it needs it."""
        return [np.array(row, np.int32) for row in self._rows(texts, length, warn)[0]]

    def framed(self, parts, special=None):
        """Return a list of the parts, each a list, with the special tokens around them: those of `begin` once, those of
        `end` behind each part. `special` stands in for their numbers."""
        begin, end = (list(each) if special is None else [special] * len(each) for each in (self.begin, self.end))
        return begin + [each for part in parts for each in (*part, *end)]

    def require_numbers(self, ids):
        """Return numbers as a list of ints. Raises DataError for what is no whole number or beyond the table."""
        ids = np.asarray(ids)
        if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
            raise DataError(f"ids are {ids.dtype} of shape {ids.shape}; expected whole numbers of shape (T,).")
        wrong = (ids < 0) | (ids >= len(self))
        if wrong.any():
            place = int(wrong.argmax())
            raise DataError(
                f"ids[{place}] is {ids[place]}; this table of {len(self):,} tokens ends at {len(self) - 1}."
            )
        return ids.tolist()

    # ---- as data ----

    def settings(self):
        """Return {argument: value} of what the numbers depend on besides the tokens."""
        return {name: getattr(self, name) for name in self.SETTINGS}

    def stored_tokens(self):
        """Return the list of texts that a model's file keeps, from which the constructor makes the tokens again."""
        return list(self.tokens)

    def as_data(self):
        """Return the class's name, settings and tokens, and their digest, as plain data for JSON."""
        data = {"kind": type(self).__name__, "settings": self.settings(), "tokens": self.stored_tokens()}
        return {**data, "digest": digest_of(data)}

    @classmethod
    def from_data(cls, data):
        """Return the tokenizer that `as_data` described. It gives the same numbers."""
        return cls(data["tokens"], **data["settings"])

    @functools.cached_property
    def digest(self):
        """The SHA-256 of class, settings and tokens: two tokenizers that have the same one give the same numbers."""
        return self.as_data()["digest"]

    def require_same(self, data, owner="the model"):
        """Raise DataError unless this is the tokenizer that `data` (of `as_data`) describes."""
        kinds = {"kind": str, "settings": dict, "tokens": list, "digest": str}
        if not isinstance(data, dict) or not all(isinstance(data.get(what), kind) for what, kind in kinds.items()):
            raise DataError(f"{owner} states no tokenizer: found {data!r:.60}; expected the data of as_data().")
        if self.digest == data["digest"]:
            return
        mine = self.as_data()
        parts = [what for what in kinds if mine[what] != data[what]]
        differ = [_difference(what, mine[what], data[what]) for what in parts[:-1]] or ["another digest"]
        raise DataError(
            f"The tokenizer is not the one that {owner} learned with: {'; '.join(differ)}. "
            "Use the tokenizer that was saved with it (tokenizer_from_data)."
        )

    # ---- parts of encode ----

    def _encode(self, texts, length, warn):
        """Return one text or a pair as an `Encoded`."""
        ids, kept, dropped = self._row(texts, self._room(length, len(texts)))
        if warn:
            warn_of_dropped([dropped], length)
        types = np.zeros(len(ids), np.int32)
        if len(texts) == 2:
            types[len(self.begin) + kept[0] + len(self.end) :] = 1
        return Encoded(np.array(ids, np.int32), types, dropped, self, list(zip(texts, kept)))

    def _room(self, length, parts=1):
        """Return how many tokens of the texts fit beside the special ones; None for all."""
        if length is None:
            return None
        special = len(self.begin) + parts * len(self.end)
        return whole_number(length, "length", special + parts) - special

    def _rows(self, texts, length, warn):
        """Return ([the numbers of each text], [how many of its tokens were dropped])."""
        texts = [require_text(text, f"text {place}") for place, text in enumerate(require_list(texts))]
        room = self._room(length)
        rows = [self._row([text], room) for text in texts]
        dropped = [lost for *_, lost in rows]
        if warn:
            warn_of_dropped(dropped, length)
        return [ids for ids, *_ in rows], dropped

    def _row(self, texts, room):
        """Return (numbers of one text or a pair with special tokens, [how many were kept of each text], dropped)."""
        parts = [self.numbers(text) for text in texts]
        counts = [len(part) for part in parts]
        kept = counts if room is None else shared_room(counts, room)
        ids = self.framed([part[:count] for part, count in zip(parts, kept)])
        return ids, kept, sum(counts) - sum(kept)

    def _filled(self, rows):
        """Return (ids (N, T), mask (N, T)) of rows of different lengths."""
        lengths = np.array([len(row) for row in rows], int)
        longest = max(1, lengths.max(initial=0))
        if self.pad is None and (lengths != longest).any():
            raise DataError(
                f"The texts have {lengths.min()} to {longest} tokens, and a {type(self).__name__} has no number for "
                "filling up. Give texts of one length."
            )
        flat = np.fromiter((number for row in rows for number in row), np.int32, lengths.sum())
        return filled(flat, lengths, longest, self.pad or 0)


def shared_room(counts, room):
    """Return how many tokens of each text are kept. Of two texts the longer one gives way, until both are equal."""
    if sum(counts) <= room:
        return list(counts)
    if len(counts) == 1:
        return [room]
    short = min(*counts, room // 2)
    return [short, room - short] if counts[0] <= counts[1] else [room - short, short]


def warn_of_dropped(dropped, length):
    """Warn if tokens were dropped: how many, and of how many texts."""
    texts = sum(each > 0 for each in dropped)
    if texts:
        whose = "The text is" if len(dropped) == 1 else f"{texts:,} of {len(dropped):,} texts are"
        total = sum(dropped)
        warn_of_data(
            f"{whose} longer than length={length} tokens: {total:,} token{'s were' if total > 1 else ' was'} dropped. "
            "Give a greater length if the network takes it, or split long texts."
        )


def require_text(text, name="text"):
    """Return a text. Raises DataError for anything else: a missing value of a table must not become a word."""
    if not isinstance(text, str):
        advice = (
            "Decode it first: text.decode('utf-8')."
            if isinstance(text, bytes)
            else "Leave this example out, or give str(value)."
        )
        raise DataError(f"{name} is {text!r:.60}, of type {type(text).__name__}; expected a str. {advice}")
    return str(text)


def require_list(texts):
    """Return several texts as a list. Raises DataError for a single one, whose letters would count as texts."""
    if isinstance(texts, (str, bytes)):
        raise DataError(f"texts is one text, {texts!r:.60}; expected a list of texts. Give [text].")
    try:
        return list(texts)
    except TypeError:
        raise DataError(f"texts is {texts!r:.60}, of type {type(texts).__name__}; expected a list of texts.") from None


def require_tokens(tokens, owner, least=1):
    """Return tokens as a list of at least `least` texts. Raises DataError for an empty or double one, by its number."""
    tokens = require_list(tokens)
    if len(tokens) < least:
        raise DataError(f"{owner} has {len(tokens)} tokens; expected at least {least}.")
    numbers = {}
    for number, token in enumerate(tokens):
        if not isinstance(token, str) or not token:
            raise DataError(f"{owner}: token {number} is {token!r:.60}; expected a text of at least one character.")
        if numbers.setdefault(token, number) != number:
            raise DataError(f"{owner}: token {number}, {token!r}, is there before, as token {numbers[token]}.")
    return tokens


def warn_of_capitals(tokens, lowercase, owner):
    """Warn if many tokens can never occur, because texts are made lower-case and these tokens are not."""
    cased = [token for token in tokens if token != token.lower()] if lowercase else []
    if len(cased) > len(tokens) / 20:
        warn_of_data(
            f"{owner}: {len(cased):,} of {len(tokens):,} tokens, such as {cased[0]!r}, have capitals and cannot occur "
            "with lowercase=True. For a cased vocabulary give lowercase=False."
        )


def digest_of(data):
    """Return the SHA-256 of the kind, settings and tokens in a tokenizer's data."""
    text = json.dumps([data["kind"], data["settings"], data["tokens"]], sort_keys=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _difference(what, mine, theirs):
    """Return a few words about one thing in which two tokenizers differ."""
    if what == "tokens":
        if len(mine) != len(theirs):
            return f"{len(mine):,} stored tokens instead of {len(theirs):,}"
        place = next(number for number, pair in enumerate(zip(mine, theirs)) if pair[0] != pair[1])
        return f"token {place} is {mine[place]!r} instead of {theirs[place]!r}"
    if what == "settings":
        names = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
        return ", ".join(f"{name}={mine.get(name)!r:.40} instead of {theirs.get(name)!r:.40}" for name in names)
    return f"{mine} instead of {theirs}"

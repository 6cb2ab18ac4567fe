"""Whole words as tokens: for networks whose first layer is an `Embedding`, of their own or of GloVe's vectors.

Number 0 fills up short texts, 1 stands for every word that is not in the vocabulary, and the words follow from 2 on. So
row k of a table of vectors, such as GloVe's, belongs to number k + 2.

A text is cut as the texts were that GloVe learned from (the Penn Treebank's rules, here in one regular expression):
punctuation is set apart, and "don't" is "do n't". Of a text that was cut so before, nearly every word stays as it is
(99.9 % of SST-2's); `split="spaces"` leaves it alone.
"""

import re
import unicodedata
from collections import Counter

from ...arguments import truth_value, whole_number
from ...errors import ArgumentError, DataError
from .tokenizer import Tokenizer, require_list, require_text, require_tokens, warn_of_capitals
from .unicode_rules import LazyTable

PAD, UNKNOWN = "[PAD]", "[UNK]"
SPLITS = ("words", "spaces")
WORD = re.compile(
    r"""
      -[lr][rcs]b-                          # brackets, as the Penn Treebank writes them
    | (?<!\w) (?:[a-z]\.){2,}               # u.s.
    | \b(?:mrs?|ms|dr|jr|sr|st|vs|etc|inc)\.
    | \d+ (?:[.,:]\d+)+                     # 3.5 and 1,000
    | \w+? (?=n't\b) | n't\b                # do, n't
    | '(?:s|m|d|re|ve|ll)\b                 # it, 's
    | \w+ (?: -\w+ | '(?!(?:s|m|d|re|ve|ll)\b)\w+ )*     # well-made, o'clock
    | \.{2,} | -{2,} | `` | ''
    | \S                                    # any other sign stands alone
    """,
    re.VERBOSE | re.IGNORECASE,
)


def _shape(character):
    """Return one character of ASCII that WORD treats as it should treat this one.

    A mark belongs to its word, which Python's \\w does not say: without this, half of the world's scripts fall apart.
    """
    if character.isascii():
        return character
    if character == "\u2019":  # the apostrophe of typographers
        return "'"
    if character.isspace():
        return " "
    return "a" if unicodedata.category(character)[0] in "LMN" else "#"


SHAPES = LazyTable(_shape)


class WordVocabulary(Tokenizer):
    """A vocabulary of whole words.

    words       the words from number 2 on; `fit` counts them in texts, `from_words` takes those of a table of vectors
    lowercase   True if words that differ only in capitals are the same
    split       "words": cut a text by the rules of WORD; "spaces": it was cut before, and spaces separate the words
    """

    SETTINGS = ("lowercase", "split")
    pad, unknown = 0, 1

    def __init__(self, words, lowercase=True, split="words"):
        if split not in SPLITS:
            raise ArgumentError(f"split is {split!r}; expected one of {', '.join(map(repr, SPLITS))}.")
        self.words = require_tokens(words, "the vocabulary")
        self.lowercase, self.split = truth_value(lowercase, "lowercase"), split
        self.tokens = [PAD, UNKNOWN, *self.words]
        self._number_of = {word: number for number, word in enumerate(self.words, 2)}

    @classmethod
    def fit(cls, texts, most=20000, lowercase=True, split="words"):
        """Return a vocabulary of the `most` words that are most frequent in texts. Of words that are as frequent, the
        first comes first. Give the training texts only: the words of other texts are what a network does not know."""
        most, counts = whole_number(most, "most"), Counter()
        cutter = cls(["-"], lowercase, split)  # any word; only its rules are used
        for place, text in enumerate(require_list(texts)):
            counts.update(cutter.words_of(require_text(text, f"text {place}")))
        if not counts:
            raise DataError("texts have no word; expected texts to count the words of.")
        return cls([word for word, _ in counts.most_common(most)], lowercase, split)

    @classmethod
    def from_words(cls, words, lowercase=True, split="words"):
        """Return the vocabulary of a table of vectors: row k belongs to number k + 2. GloVe's words are lower-case."""
        made = cls(words, lowercase, split)
        warn_of_capitals(made.words, made.lowercase, "words")
        return made

    def words_of(self, text):
        """Return the words of a text, in the form in which the vocabulary has them."""
        if text.isascii():  # its shape is itself, and so are its words
            text = text.lower() if self.lowercase else text
            return text.split() if self.split == "spaces" else WORD.findall(text)
        return [self._plain(text[start:end]) for start, end in self.spans(text)]

    def numbers(self, text):
        """Return the numbers of a text's words as a list; 1 for those that are not in the vocabulary."""
        number_of = self._number_of
        return [number_of.get(word, 1) for word in self.words_of(text)]

    def spans(self, text):
        """Return [(start, end), ...]: where the words stand in the text."""
        if self.split == "spaces":
            return [found.span() for found in re.finditer(r"\S+", text)]
        return [found.span() for found in WORD.finditer(text.translate(SHAPES))]

    def decode(self, ids):
        """Return the words of numbers with spaces between them, without those that fill up."""
        return " ".join(self.tokens[number] for number in self.require_numbers(ids) if number != self.pad)

    def stored_tokens(self):
        """Return the words: the two tokens before them are the same in every vocabulary."""
        return list(self.words)

    def _plain(self, word):
        """Return a word as the vocabulary has it. The same letter may be stored as one character or as two (a letter
        and a mark): NFC makes it one."""
        word = unicodedata.normalize("NFC", word.replace("\u2019", "'") if self.split == "words" else word)
        return word.lower() if self.lowercase else word

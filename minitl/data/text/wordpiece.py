"""WordPiece, as BERT cuts texts: words first, then the longest pieces of a word that are in the vocabulary.

    "Unaffable!"  ->  unaffable !  ->  un ##aff ##able !  ->  [CLS] un ##aff ##able ! [SEP]

The rules for characters are in `unicode_rules`: they make words lower-case and without accents, and set punctuation
apart. Then each word is cut greedily: its longest beginning that is a token, then the longest beginning of the rest
that is a token with "##" before it, and so on. If a rest has no such beginning, the whole word is [UNK].

Most words of a text have occurred before, so the numbers of what stands between two spaces are remembered. `numbers` is
that fast way; `spans` goes character by character, because it has to know where each one comes from.

Source: Devlin et al. 2018, https://arxiv.org/abs/1810.04805. `vocabulary_files` reads the vocabulary's files.
"""

import re

import numpy as np

from ...arguments import truth_value, whole_number
from ...errors import ArgumentError, DataError
from .tokenizer import Batch, Tokenizer, require_list, require_text, require_tokens, warn_of_capitals, warn_of_dropped
from .unicode_rules import bert_table
from .vocabulary_files import read_vocabulary

PAD, UNKNOWN, BEGIN, END, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
MOST_REMEMBERED = 2**16  # of pieces of text between spaces; then remembering starts again


class WordPiece(Tokenizer):
    """BERT's tokenizer with a given vocabulary.

    vocabulary        the tokens in the order of their numbers, among them [PAD], [UNK], [CLS] and [SEP]
    lowercase         True for an "uncased" vocabulary
    strip_accents     True or False; None for what `lowercase` says, as in BERT
    split_chinese     True if each Chinese character is a word
    longest_word      a word of more characters is [UNK] (Hugging Face's 100; Google's own program has 200)
    special_in_text   False: "[SEP]" typed in a text is text, so nobody can end a sentence by typing. True: special
                      tokens in a text count as such, to ask for a word with [MASK]
    """

    SETTINGS = ("lowercase", "strip_accents", "split_chinese", "longest_word", "special_in_text")

    def __init__(
        self, vocabulary, lowercase=True, strip_accents=None, split_chinese=True, longest_word=100,
        special_in_text=False,
    ):  # fmt: skip
        self.tokens = require_tokens(vocabulary, "the vocabulary")
        self.lowercase = truth_value(lowercase, "lowercase")
        self.strip_accents = self.lowercase if strip_accents is None else truth_value(strip_accents, "strip_accents")
        self.split_chinese = truth_value(split_chinese, "split_chinese")
        self.longest_word = whole_number(longest_word, "longest_word")
        self.special_in_text = truth_value(special_in_text, "special_in_text")

        self._number_of = {token: number for number, token in enumerate(self.tokens)}
        missing = [token for token in (PAD, UNKNOWN, BEGIN, END) if token not in self._number_of]
        if missing:
            raise DataError(
                f"the vocabulary of {len(self.tokens):,} tokens has no {', '.join(missing)}; expected the special "
                "tokens of BERT. Is it the vocabulary of another kind of model?"
            )
        self.pad, self.unknown = self._number_of[PAD], self._number_of[UNKNOWN]
        self.begin, self.end = (self._number_of[BEGIN],), (self._number_of[END],)
        self.mask = self._number_of.get(MASK)  # for learning to fill gaps; None if the vocabulary has no [MASK]
        self._longest_piece = max(map(len, self.tokens))
        self._table = bert_table(self.lowercase, self.strip_accents, self.split_chinese)
        special = [token for token in (PAD, UNKNOWN, BEGIN, END, MASK) if token in self._number_of]
        self._between_special = re.compile(f"({'|'.join(map(re.escape, special))})")
        self._special_numbers = {token: self._number_of[token] for token in special if self.special_in_text}
        self._remembered = {}

    @classmethod
    def from_file(cls, path, **settings):
        """Return a WordPiece with the vocabulary of `vocab.txt`, or of `tokenizer.json`, whose settings are honoured.

        settings   arguments of the constructor. A `vocab.txt` does not say whether it is lower-case: an uncased one is
                   the default. A setting that contradicts `tokenizer.json` is refused.
        """
        tokens, stored = read_vocabulary(path)
        for name, value in stored.items():
            if settings.setdefault(name, value) != value:
                raise DataError(
                    f"{path}: says {name}={value!r}, and {name}={settings[name]!r} was given. Leave it out."
                )
        try:
            made = cls(tokens, **settings)
        except (ArgumentError, DataError) as error:
            raise DataError(f"{path}: {error}") from None
        warn_of_capitals([token for token in tokens if not token.startswith("[")], made.lowercase, path)
        return made

    # ---- text to numbers ----

    def numbers(self, text):
        """Return the numbers of a text as a list, without [CLS] and [SEP]."""
        remembered, numbers = self._remembered, []
        for part in self._parts(text):
            if part in self._special_numbers:
                numbers.append(self._special_numbers[part])
                continue
            for chunk in part.split(" "):
                found = remembered.get(chunk)
                numbers += self._numbers_of_chunk(chunk) if found is None else found
        return numbers

    def _numbers_of_chunk(self, chunk):
        """Return the numbers of what stands between two spaces, and remember them unless it is very long."""
        words = chunk.translate(self._table).split()
        numbers = [self._number_of[piece] for word in words for piece in self._pieces(word)]
        if len(chunk) <= 2 * self.longest_word:
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[chunk] = numbers
        return numbers

    def _pieces(self, word):
        """Return the tokens that a word is cut into, with their "##"; [UNK] alone if one is missing."""
        if len(word) > self.longest_word:
            return [UNKNOWN]
        pieces, start, before = [], 0, ""
        while start < len(word):
            for end in range(min(len(word), start + self._longest_piece), start, -1):  # the longest first
                piece = before + word[start:end]
                if piece in self._number_of:
                    break
            else:
                return [UNKNOWN]
            pieces.append(piece)
            start, before = end, "##"
        return pieces

    def spans(self, text):
        """Return [(start, end), ...]: where in the text, as it was given, the token of each of its numbers stands.

        "İ" is two characters once it is lower-case, and "e" with a mark behind it is one once the mark is dropped.
        So each character that is left remembers the place that it comes from. A token reaches from the place of its
        first character to the end of that of its last.
        """
        spans, start = [], 0
        for part in self._parts(text):
            if part in self._special_numbers:
                spans.append((start, start + len(part)))
            else:
                for word, places in self._words_and_places(part, start):
                    spans += self._spans_of_word(word, places)
            start += len(part)
        return spans

    def _spans_of_word(self, word, places):
        """Yield (start, end) of the pieces of a word whose characters come from `places`."""
        pieces = self._pieces(word)
        first = 0
        for number, piece in enumerate(pieces):
            count = len(piece) - len("##" if number else "")
            last = len(word) - 1 if pieces == [UNKNOWN] else first + count - 1
            yield places[first], places[last] + 1
            first = last + 1

    def _words_and_places(self, text, start):
        """Return [(word, the place of each of its characters), ...]: what `_numbers_of_chunk` does with `str.translate`
        and `split`, one character after another. `start` is the place of the text's first character."""
        words = [([], [])]
        for place, character in enumerate(text, start):
            for each in self._table[ord(character)]:
                if each == " ":
                    words.append(([], []))
                else:
                    words[-1][0].append(each)
                    words[-1][1].append(place)
        return [("".join(characters), places) for characters, places in words if characters]

    def _parts(self, text):
        """Return a text in parts: special tokens, if they count as such, and what stands between them."""
        return self._between_special.split(text) if self.special_in_text else (text,)

    # ---- pairs ----

    def encode_pair(self, first, second, length=None, warn=True):
        """Return two texts as one `Encoded`: [CLS] first [SEP] second [SEP]; `types` tells which is which.

        Of a pair that is too long, the longer text gives way first.
        """
        return self._encode([require_text(first, "first"), require_text(second, "second")], length, warn)

    def encode_pairs(self, firsts, seconds, length=None, warn=True):
        """Return (`Batch`, types (N, T)) of pairs of texts: the network is given ids, mask and types."""
        firsts, seconds = require_list(firsts), require_list(seconds)
        if len(firsts) != len(seconds):
            raise DataError(f"There are {len(firsts)} first and {len(seconds)} second texts; expected pairs.")
        rows = [self.encode_pair(*pair, length=length, warn=False) for pair in zip(firsts, seconds)]
        dropped = [row.dropped for row in rows]
        if warn:
            warn_of_dropped(dropped, length)
        ids, mask = self._filled([row.ids for row in rows])
        types = self._filled([row.types for row in rows])[0] * mask  # 0 where filled up
        return Batch(ids, mask, np.array(dropped, np.int32)), types

    # ---- numbers to text ----

    def decode(self, ids):
        """Return the text of numbers: pieces joined, a space between words, without [CLS], [SEP] and [PAD].

        This is the text as the network sees it: without capitals and accents if the vocabulary has none.
        """
        left_out = {self.pad, *self.begin, *self.end}
        tokens = [self.tokens[number] for number in self.require_numbers(ids) if number not in left_out]
        return " ".join(tokens).replace(" ##", "")

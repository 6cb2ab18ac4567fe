"""Characters as tokens: for a small language model, which learns to spell before it learns anything else."""

import unicodedata

from ...errors import DataError
from .tokenizer import Tokenizer, require_text, require_tokens


class CharacterVocabulary(Tokenizer):
    """A vocabulary of single characters. It has no number for filling up: a language model learns from windows of one
    length, and every number is a character that it may write.

    characters   the characters in the order of their numbers, as a text or a list
    """

    pad = None

    def __init__(self, characters):
        self.tokens = require_tokens(list(characters), "the vocabulary")
        long = next((token for token in self.tokens if len(token) != 1), None)
        if long is not None:
            raise DataError(f"the vocabulary of characters holds {long!r:.60}; expected single characters.")
        self._number_of = {character: number for number, character in enumerate(self.tokens)}

    @classmethod
    def fit(cls, text):
        """Return the vocabulary of all characters that occur in a text, in Unicode's order."""
        return cls(sorted(set(require_text(text))))

    def numbers(self, text):
        """Return the numbers of a text's characters. Raises DataError for the first that is not in the vocabulary."""
        try:
            return [self._number_of[character] for character in text]
        except KeyError as error:
            character = error.args[0]
            name = unicodedata.name(character, "a character without a name")
            raise DataError(
                f"text[{text.index(character)}] is {character!r}, U+{ord(character):04X} ({name}), which is none "
                f"of the {len(self)} characters of the vocabulary. Replace it, or learn from texts that have it."
            ) from None

    def spans(self, text):
        """Return [(start, end), ...]: each character is a token."""
        return [(place, place + 1) for place in range(len(text))]

    def decode(self, ids):
        """Return the text of numbers."""
        return "".join(self.tokens[number] for number in self.require_numbers(ids))

"""BERT's rules for single characters: what a text looks like before it is cut into words.

Each rule looks at one character only, so all of them together are a table {character: what replaces it}, and a whole
text is cleaned by one `str.translate`. `bert_table` holds the rules in their order, and `LazyTable` asks them for each
character that occurs.

Unicode grows: a character that a Python release does not know yet has no category there. Texts of characters newer than
2015 (Unicode 8) may therefore differ between releases of Python, and from other tokenizers, which bring tables of their
own: about 110 punctuation marks and 390 accents, mostly of historic scripts. (Decomposing a whole text also sorts the
marks behind a letter. They are dropped, but for a few musical signs and vowels, which stay here in the order given.)
"""

import functools
import unicodedata

# Chinese, Japanese and Korean ideographs; each becomes a word. The last but two begins at 2B820 in Unicode; BERT as it
# is published by Hugging Face begins at 2B920 and leaves 256 ideographs unsplit, and models have learned from that.
IDEOGRAPHS = (
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF), (0x2F800, 0x2FA1F),
)  # fmt: skip


class LazyTable(dict):
    """A table for `str.translate` that asks a function for each character when it first occurs."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def __missing__(self, code):
        self[code] = replaced = self.function(chr(code))
        return replaced


@functools.cache
def bert_table(lowercase, strip_accents, split_chinese):
    """Return the table of BERT's rules. Spaces in what replaces a character separate words."""

    def replaced(character):
        if is_dropped(character):
            return ""
        if character.isspace():
            return " "
        text = character
        if strip_accents:  # "é" is "e" and a mark, which is dropped
            text = "".join(each for each in unicodedata.normalize("NFD", text) if unicodedata.category(each) != "Mn")
        if lowercase:
            text = text.lower()
        text = "".join(f" {each} " if is_punctuation(each) else each for each in text)
        return f" {text} " if split_chinese and is_ideograph(character) else text

    return LazyTable(replaced)


def is_dropped(character):
    """Return whether a character stands for nothing: controls, invisible formats, private use, halves of surrogates,
    the zero and U+FFFD, which replaces what could not be read. Tab and the ends of lines are spaces."""
    if character in "\t\n\r":
        return False
    return character == "\ufffd" or unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs")


def is_punctuation(character):
    """Return whether a character is a word of its own: Unicode's punctuation, and all signs of ASCII, such as $ + ~."""
    if character.isascii():
        return character.isprintable() and not character.isalnum() and character != " "
    return unicodedata.category(character)[0] == "P"


def is_ideograph(character):
    """Return whether a character is one of IDEOGRAPHS."""
    return character >= "\u3400" and any(first <= ord(character) <= last for first, last in IDEOGRAPHS)

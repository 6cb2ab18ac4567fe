"""Tokenizers from the data that a model's file keeps. It is the only place that knows all kinds of them by name."""

from ...errors import DataError
from .characters import CharacterVocabulary
from .merges import ScoredMerges
from .tokenizer import digest_of
from .wordpiece import WordPiece
from .words import WordVocabulary

KINDS = {kind.__name__: kind for kind in (WordPiece, WordVocabulary, CharacterVocabulary, ScoredMerges)}


def tokenizer_from_data(data, owner="the data"):
    """Return the tokenizer that `as_data` described: it gives the same numbers.

    owner   the file that the data come from, for messages

    Raises DataError for data that are no tokenizer's, or whose digest says that they were changed.
    """
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise DataError(f"{owner}: describes the tokenizer {kind!r:.60}; expected one of {', '.join(KINDS)}.")
    tokens, settings = data.get("tokens"), data.get("settings")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise DataError(f"{owner}: the tokens of its {kind} are no list of texts.")
    if not isinstance(settings, dict) or set(settings) != set(KINDS[kind].SETTINGS):
        expected = ", ".join(KINDS[kind].SETTINGS) or "none"
        raise DataError(f"{owner}: the settings of its {kind} are {settings!r:.200}; expected {expected}.")
    if data.get("digest") != digest_of(data):
        raise DataError(
            f"{owner}: its {kind} was changed: the digest of the {len(tokens):,} tokens and the settings is another. "
            "The model would be given other numbers than it learned from. Take the file as it was saved."
        )
    return KINDS[kind].from_data(data)

"""Text as numbers, in the conventions of `tokenizer`.

`wordpiece` cuts texts as BERT does, by the rules for characters in `unicode_rules` and a vocabulary that
`vocabulary_files` reads. `words` has whole words, `characters` single ones, and `merges` the pieces of Llama. `rebuild`
makes each of them again from what a model's file keeps.

Labelled texts come from files: `tables`, `folder`, `audit`. `lengths` and `stream` make batches of token numbers.
"""

from .characters import CharacterVocabulary
from .merges import ScoredMerges
from .rebuild import tokenizer_from_data
from .tokenizer import Batch, Encoded, Tokenizer
from .wordpiece import WordPiece
from .words import WordVocabulary

__all__ = [
    "Batch",
    "CharacterVocabulary",
    "Encoded",
    "ScoredMerges",
    "Tokenizer",
    "WordPiece",
    "WordVocabulary",
    "tokenizer_from_data",
]

"""Texts: labelled texts become a model that says the class of a text, and how right it is; and search by meaning.

    settings    the options, and the bases to begin with;   bases   what each of these computes
    source      texts as token numbers, and the states of a frozen beginning
    job         the whole job: `finetune_texts`;   stages   its steps
    unlabelled, prediction      a saved model on single texts and files, and on labelled texts to measure it
    advice      behind which layer to cut, and how many texts are enough
    search      the texts that are nearest in meaning to a query
    words, report      the words that decided; the page of `--report`

Read in this order. `recipes.two_stages` has the steps that this job shares with the one for photographs.
"""

from .job import FinetunedTexts, finetune_texts
from .prediction import TextClassifier, classify_texts, classify_texts_each, evaluate_texts
from .settings import TextSettings

__all__ = [
    "FinetunedTexts",
    "TextClassifier",
    "TextSettings",
    "classify_texts",
    "classify_texts_each",
    "evaluate_texts",
    "finetune_texts",
]

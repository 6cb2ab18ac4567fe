"""Recordings: labelled ones become a model that says the class of a recording, and how right it is.

    settings    the options;   bases   what a recording is heard with: front ends and networks
    job         the whole job: `finetune_sounds`;   stages   its steps
    left_out    each group, such as a speaker, measured by a head that has not heard it
    prediction      a saved model on single recordings, and on labelled ones to measure it
    advice      which base hears best what is to be told apart
    report      the page of `--report`: spectrograms and players;   players   a recording within a page

Read in this order. `recipes.two_stages` has the steps that this job shares with those for photographs and texts.
"""

from .advice import advise_sounds
from .job import FinetunedSounds, finetune_sounds
from .prediction import SoundClassifier, classify_sounds, classify_sounds_each, evaluate_sounds
from .settings import SoundSettings

__all__ = [
    "FinetunedSounds",
    "SoundClassifier",
    "SoundSettings",
    "advise_sounds",
    "classify_sounds",
    "classify_sounds_each",
    "evaluate_sounds",
    "finetune_sounds",
]

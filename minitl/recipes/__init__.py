"""Whole jobs as functions, each with a plain settings object: from the data to a measured result.

    from minitl.recipes import finetune_photographs
    result = finetune_photographs("photos/", base="resnet50", epochs=5)
    print(result.evaluation)
    result.model.save("model.h5")

Recipes have defaults and print on a terminal. The packages that they use do neither. The command line calls these
functions and adds nothing of its own.

Read in this order:

    clothing          transfer learning in six steps, on the bundled images
    photographs       the job on a folder of your own photographs;   photograph_stages, two_stages   each of its steps
    settings          the options of both jobs
    heads, schedules, view, run_folder      the parts of both jobs
    segmentation      the same job for masks: the class of each pixel;   places   its steps
    detection         the same job for boxes around things
    texts             the same job for the class of a text, and search by meaning
    sounds            the same job for the class of a recording
    language          a small language model: trained on a text, it writes
    spoken_strings    several spoken words in a row, learned from single ones
    tasks             which of these jobs a folder is meant for
    rehearsal         a dry run: what a job would do
    evaluation        how accurate a model is, and how sure that is
    prediction        the predictions of a saved model
    models_by_name, conversion      other people's weights
    reporting         from a finished job to its report

Two packages lie within this one: `advice` (where to cut, and what it will cost) and `report` (a page that shows a
fine-tuning).
"""

from .clothing import ClothingSettings, FinetunedClothing, finetune_clothing
from .conversion import convert_weights
from .detection import DetectionSettings, detect, evaluate_detection, finetune_detection
from .evaluation import Evaluation, paired_interval, wilson_interval
from .language import LanguageSettings, train_language_model
from .photographs import FinetunedPhotographs, find_learning_rate, finetune_photographs
from .prediction import classify, evaluate_folder
from .rehearsal import dry_run
from .segmentation import SegmentationSettings, evaluate_segmentation, finetune_segmentation, segment
from .settings import PhotographSettings, SettingError
from .sounds import SoundSettings, advise_sounds, classify_sounds, evaluate_sounds, finetune_sounds
from .spoken_strings import LearnedStrings, StringSettings, learn_strings
from .texts import TextSettings, classify_texts, evaluate_texts, finetune_texts
from .texts.advice import advise_texts
from .texts.search import search_texts

__all__ = [
    "ClothingSettings",
    "DetectionSettings",
    "Evaluation",
    "FinetunedClothing",
    "FinetunedPhotographs",
    "LanguageSettings",
    "LearnedStrings",
    "PhotographSettings",
    "SegmentationSettings",
    "SettingError",
    "SoundSettings",
    "StringSettings",
    "TextSettings",
    "advise_sounds",
    "advise_texts",
    "classify",
    "classify_sounds",
    "classify_texts",
    "convert_weights",
    "detect",
    "dry_run",
    "evaluate_detection",
    "evaluate_folder",
    "evaluate_segmentation",
    "evaluate_sounds",
    "evaluate_texts",
    "find_learning_rate",
    "finetune_clothing",
    "finetune_detection",
    "finetune_photographs",
    "finetune_segmentation",
    "finetune_sounds",
    "finetune_texts",
    "learn_strings",
    "paired_interval",
    "search_texts",
    "segment",
    "train_language_model",
    "wilson_interval",
]

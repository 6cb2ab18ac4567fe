"""Whole jobs as functions, each with a plain settings object: what a person wants done, from data to a measured result.

    from minitl.recipes import finetune_photographs
    result = finetune_photographs("photos/", base="resnet50", epochs=5)
    print(result.evaluation)
    result.model.save("model.h5")

The rooms below know nothing of defaults and say nothing on a terminal; recipes do both. The command line calls these
functions and adds nothing of its own.

Reading order: `clothing` (transfer learning in six steps, on the bundled pictures), `photographs` (the order of events
on a folder of your own), `two_stages` (each of these events), `settings` (what can be chosen), `heads`, `schedules`,
`view` and `run_folder` (their parts), `evaluation` (how good is it, and how sure is that?), `prediction` (what
does a saved model say?), `models_by_name` and `conversion` (other people's weights), `reporting` (from a finished job
to its report). Two rooms of their own: `advice` (where to cut, and what will it cost?) and `report` (a page of what
happened).
"""

from .clothing import ClothingSettings, FinetunedClothing, finetune_clothing
from .conversion import convert_weights
from .evaluation import Evaluation, paired_interval, wilson_interval
from .photographs import FinetunedPhotographs, find_learning_rate, finetune_photographs
from .prediction import classify, evaluate_folder
from .settings import PhotographSettings, SettingError

__all__ = [
    "ClothingSettings",
    "Evaluation",
    "FinetunedClothing",
    "FinetunedPhotographs",
    "PhotographSettings",
    "SettingError",
    "classify",
    "convert_weights",
    "evaluate_folder",
    "find_learning_rate",
    "finetune_clothing",
    "finetune_photographs",
    "paired_interval",
    "wilson_interval",
]

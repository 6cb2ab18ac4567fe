"""The mistake lab: twenty mistakes that people really make in transfer learning, to be made on purpose.

    minitl mistakes                            the list
    minitl mistakes softmax-twice              one: symptom, both programs, their numbers, diagnosis, mend
    minitl mistakes --symptom "loss stuck"     what might be wrong when one sees this?
    minitl mistakes --all                      all of them, in a table

Nearly none of them raises an error anywhere: shapes fit, the loss falls, and only a number is worse than it could be.
That is why they are worth knowing by sight. Each is one function, whose docstring says what is seen (Symptom), why
(Diagnosis, with the check that reveals it) and what to do (Mend). It runs the wrong program and the mended one on real
pictures; the lines in which they differ end in "# wrong" and "# mended". It returns the two numbers that show it.

Where the engine can see such a mistake happen, it says so by itself, as a `MistakeWarning`: `training.warned`.

Reading order: any function of `pictures`, `freezing`, `training`, `evaluating`, `caching`; then `workbench`, what they
share, `running`, which makes a mistake of a function, and `showing`, which prints it.
"""

from . import caching, evaluating, freezing, pictures, training
from .running import Mistake
from .workbench import Outcome

THEMES = {
    "pictures": (
        pictures.another_networks_preprocessing,
        pictures.pixels_from_0_to_1,
        pictures.red_and_blue_swapped,
        pictures.axes_reshaped,
        pictures.another_crop,
    ),
    "freezing": (
        freezing.head_frozen_too,
        freezing.batch_norm_runs_in_frozen_base,
        freezing.unfrozen_too_early,
    ),
    "training": (
        training.softmax_twice,
        training.classes_in_order,
        training.zeros_in_a_hidden_layer,
        training.raw_activations,
    ),
    "evaluating": (
        evaluating.dropout_left_on,
        evaluating.batch_of_one,
        evaluating.class_order,
        evaluating.same_picture_in_both_sets,
        evaluating.chosen_by_the_test_set,
        evaluating.rare_class_never_found,
    ),
    "caching": (
        caching.augmentation_lost_in_kept_features,
        caching.stale_features,
    ),
}
MISTAKES = tuple(Mistake(theme, program) for theme, programs in THEMES.items() for program in programs)

__all__ = ["MISTAKES", "THEMES", "Mistake", "Outcome"]

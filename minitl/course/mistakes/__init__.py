"""The mistake lab: twenty mistakes that people really make in transfer learning, made on purpose.

    minitl mistakes                            the list
    minitl mistakes softmax-twice              one: symptom, both programs, their numbers, diagnosis, mend
    minitl mistakes --symptom "loss stuck"     which mistakes have this symptom?
    minitl mistakes --all                      all of them, in a table

Most of them raise no error in any library: shapes fit, the loss falls, and only a number is worse than it could be. So
it is worth knowing their symptoms. Each mistake is one function. Its docstring says what one sees (Symptom), why it
happens and which check reveals it (Diagnosis), and what to do (Mend). The function runs the wrong program and the
mended one on real images, and returns the two numbers that show the mistake. The lines in which the programs differ end
in "# wrong" and "# mended".

Where the engine can detect such a mistake, it warns by itself with a `MistakeWarning` (`training.warned`).

Reading order: any function of `pictures`, `freezing`, `training`, `evaluating`, `caching`. Then `workbench` (what they
share), `running` (a mistake as an object) and `showing` (what is printed).
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

"""The exercises of the course, in their order, and those of a teacher's own file."""

import runpy
from pathlib import Path

from ...arguments import nearest
from ...errors import ArgumentError
from . import (
    attention,
    branches,
    convolution,
    convolution_gradients,
    dense,
    fine_tuning,
    foreign_weights,
    freezing,
    grad_cam,
    im2col,
    losses,
    lstm,
    normalization,
    pooling,
    training,
    winograd,
)
from .exercise import Exercise

THEMES = {
    "losses": (losses.SOFTMAX, losses.CROSSENTROPY_GRADIENT),
    "dense layers": (dense.DENSE_BACKWARD,),
    "training": (training.TRAINING_LOOP, training.MOMENTUM_STEP),
    "convolution": (
        convolution.CONVOLUTION,
        convolution.SAME_PADDING,
        im2col.IM2COL,
        convolution_gradients.KERNEL_GRADIENT,
        convolution_gradients.INPUT_GRADIENT,
    ),
    "pooling": (pooling.MAX_POOL_GRADIENT,),
    "normalization": (normalization.BATCH_NORM, normalization.BATCH_NORM_BACKWARD),
    "branches": (branches.BRANCH_BACKWARD,),
    "freezing": (freezing.TRAIN_THE_END,),
    "foreign weights": (
        foreign_weights.KERNEL_FROM_TORCH,
        foreign_weights.DENSE_AFTER_FLATTEN,
        foreign_weights.GREY_LAYER,
    ),
    "fine-tuning": (fine_tuning.WARM_UP_AND_COSINE, fine_tuning.L2_SP_STEP),
    "fast convolution": (winograd.WINOGRAD_ROW,),
    "explaining": (grad_cam.GRAD_CAM,),
    "sequences": (lstm.LSTM_STEP_BACKWARD, attention.ATTENTION_BACKWARD),
}
EXERCISES = tuple(exercise for exercises in THEMES.values() for exercise in exercises)


def exercises_of(file=None):
    """Return the exercises in a Python file, in the order in which they stand there; without a file, the course's.

    The file is run. Raises ArgumentError for one that cannot be run or holds no `Exercise`.
    """
    if file is None:
        return EXERCISES
    try:
        names = runpy.run_path(str(Path(file)), run_name=Path(file).stem)
    except Exception as error:
        raise ArgumentError(f"{file}: cannot be run ({type(error).__name__}: {error}). Check the file.") from None
    found = tuple(value for value in names.values() if isinstance(value, Exercise))
    if not found:
        raise ArgumentError(f"{file}: holds no exercise. Make one with minitl.course.exercises.Exercise.")
    return found


def exercise_called(name, file=None):
    """Return the exercise of this name. Raises ArgumentError, which names the nearest one."""
    wanted, exercises = str(name).removesuffix(".py").replace("-", "_").lower(), exercises_of(file)
    for exercise in exercises:
        if exercise.name.lower() == wanted:
            return exercise
    near = nearest(wanted, [exercise.name for exercise in exercises], 1)
    hint = f"Did you mean {near[0]}?" if near else "minitl exercises lists them."
    raise ArgumentError(f"there is no exercise called '{name}'. {hint}")

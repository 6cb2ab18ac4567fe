"""Every error that minitl raises on purpose.

All of them are a `MinitlError`, so `except MinitlError` catches whatever can be wrong with a file, a shape, a label
or a run, and the command line prints exactly their text. A message names the layer, file or argument, says what was
expected and what was found, and ends with what to do next.
"""

import os
import sys
import warnings
from pathlib import Path

_PACKAGE = str(Path(__file__).parent) + os.sep


class MinitlError(Exception):
    """The family: catch this one to catch them all."""


class ArgumentError(MinitlError, ValueError):
    """An argument has a value that the function cannot work with."""


class ShapeError(MinitlError, ValueError):
    """An array or a layer's input has a shape that does not fit."""


class GraphError(MinitlError, ValueError):
    """Layers are connected in a way that gives no model, or a model is asked for what it is not ready for."""


class DataError(MinitlError, ValueError):
    """Images or labels are not what training expects: type, range, length, order of axes."""


class WeightsError(MinitlError, ValueError):
    """A weight file cannot be read, or does not fit the model."""


class UnsafeFileError(WeightsError):
    """A file asks for something that reading names and arrays never needs."""


class CheckpointError(MinitlError):
    """A saved model or checkpoint cannot be written or read back."""


class DivergedError(MinitlError, ArithmeticError):
    """The loss or a gradient is not finite, or too large to step by. Raised before the update: the weights are still
    finite."""


class GradientError(MinitlError, AssertionError):
    """A gradient differs from the finite difference (`minitl.testing.check_gradients`)."""


class MissingExtraError(MinitlError, ImportError):
    """An optional package is needed for this and is not installed."""


class MismatchError(MinitlError, AssertionError):
    """A number that the engine computed is not what its formula gives (`minitl explain`)."""


class MistakeWarning(UserWarning):
    """Something that is possible, and in nearly every case not meant: one of the classic mistakes, seen as it happens.
    Not an error: the work goes on. The text ends with the `minitl mistakes NAME` that shows what comes of it."""


def warn_of_mistake(text, mistake):
    """Say that something looks like one of the mistakes of `minitl mistakes`, at the line of the caller's own program
    that did it: the nearest one outside this package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(f"{text} (minitl mistakes {mistake})", MistakeWarning, stacklevel=level)

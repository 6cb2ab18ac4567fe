"""The errors that minitl raises on purpose, and its warnings of mistakes.

Every error is a `MinitlError`, so `except MinitlError` catches every problem with a file, a shape, a label or a run.
The command line prints the text of the error and nothing else. The text names the layer, file or argument, says what
was expected and what was found, and ends with what to do next.
"""

import os
import sys
import warnings
from pathlib import Path

_PACKAGE = str(Path(__file__).parent) + os.sep


class MinitlError(Exception):
    """The base of all errors: `except MinitlError` catches every one of them."""

    def for_command_line(self):
        """Return the message with the names of options instead of arguments, where it names some."""
        return str(self)


class ArgumentError(MinitlError, ValueError):
    """An argument has a value that the function cannot work with."""


class ShapeError(MinitlError, ValueError):
    """An array or a layer's input has a shape that does not fit."""


class GraphError(MinitlError, ValueError):
    """Layers are connected in a way that gives no model, or a model is used before it is ready (a backward without a
    forward)."""


class DataError(MinitlError, ValueError):
    """Examples or labels are not as training expects them: type, range, length, order of axes."""


class WeightsError(MinitlError, ValueError):
    """A weight file cannot be read, or does not fit the model."""


class UnsafeFileError(WeightsError):
    """A file contains something that weights never need, such as a link to another file or code."""


class CheckpointError(MinitlError):
    """A saved model or checkpoint cannot be written or read back."""


class DivergedError(MinitlError, ArithmeticError):
    """The loss or a gradient is not finite, or too large for an update. Raised before the update, so the weights are
    still finite."""


class GradientError(MinitlError, AssertionError):
    """A gradient differs from its finite difference (`minitl.testing.check_gradients`)."""


class NotHereError(GraphError, ImportError):
    """A name of Keras that minitl does not have was asked for (`not_here`)."""


class NoAttributeError(GraphError, AttributeError):
    """A method or attribute of Keras was asked for that an object of minitl does not have (`not_here`)."""


class MissingExtraError(MinitlError, ImportError):
    """An optional package is needed and not installed."""


class MismatchError(MinitlError, AssertionError):
    """A number that the engine computed differs from the result of its formula (`minitl explain`)."""


class AnswerError(MinitlError, AssertionError):
    """The answer to an exercise is not right yet (`minitl exercises check`)."""


class MistakeWarning(UserWarning):
    """A warning of a classic mistake at the moment when it is made: possible, but in nearly every case not intended.

    It is no error, and the work goes on. The text ends with the command `minitl mistakes NAME` that shows the result of
    the mistake.
    """


class DataWarning(UserWarning):
    """A warning that the numbers in a file of data may not mean what they are taken for."""


class WeightsWarning(UserWarning):
    """A warning that a file of weights may give other outputs in this model than in the one that it was saved from."""


def warn_of_weights(text):
    """Warn with a `WeightsWarning`, which shows the line of the user's program that loaded the file."""
    _warn(text, WeightsWarning)


def warn_of_data(text):
    """Warn with a `DataWarning`, which shows the line of the user's program that read the file."""
    _warn(text, DataWarning)


def warn_of_mistake(text, mistake=None):
    """Warn that something looks like a mistake: the one of this name in `minitl mistakes`, if it is shown there.

    The warning shows the line of the user's program that did it: the nearest caller outside this package.
    """
    _warn(f"{text} (minitl mistakes {mistake})" if mistake else text, MistakeWarning)


def _warn(text, kind):
    """Warn, and show the line of the nearest caller outside this package."""
    frame, level = sys._getframe(2), 3
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, kind, stacklevel=level)

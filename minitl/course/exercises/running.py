"""Running a function that somebody else wrote: what it returns, raises, prints and changes, and for how long it runs.

A function in plain Python is stopped when its time is over: a trace function counts the lines that run and looks at the
clock. What it cannot stop (a call that never comes back) is stopped with its process (`child`).
"""

import contextlib
import io
import linecache
import math
import sys
import time
import traceback
import warnings
from typing import NamedTuple

import numpy as np

from ...kernels.parallel import in_this_thread

MOST_PRINTED = 2000  # characters that are kept of what a function prints
STEPS_BETWEEN_LOOKS = 64  # at the clock


class OutOfTime(BaseException):
    """The time is over. It is no Exception, so that `except Exception` in the function does not catch it."""


class Run(NamedTuple):
    """The events of a function that ran.

    result     what it returned
    error      the exception that it raised, or None
    line       number of the line of its file that raised the error, or at which the time was over
    source     what stands in that line
    printed    the beginning of what it printed
    changed    numbers of the arguments, arrays, that are not what they were before
    count      how many of its lines ran, each as often as it did
    """

    result: object = None
    error: BaseException | None = None
    line: int | None = None
    source: str = ""
    printed: str = ""
    changed: tuple = ()
    count: int = 0  # type: ignore[assignment]  # a tuple has a method of this name, which is not needed


class Printed(io.StringIO):
    """A text file that keeps only its beginning: an endless loop may print without end."""

    def write(self, text):
        """Keep what there is still room for."""
        super().write(text[: max(MOST_PRINTED - self.tell(), 0)])
        return len(text)


def run(function, arguments, seconds, file=None):
    """Call a function with these arguments, and return a `Run`.

    seconds   the most that it may take (None: any time, and no line is counted)
    file      whose lines are counted (None: the file in which the function was written)
    """
    before = [argument.copy() if isinstance(argument, np.ndarray) else None for argument in arguments]
    file, printed = file or file_of(function), Printed()
    counter = Counter(math.inf if seconds is None else seconds)
    result = error = line = None
    with contextlib.redirect_stdout(printed), warnings.catch_warnings(), in_this_thread():
        warnings.simplefilter("ignore")  # of NumPy: what comes of it is looked at
        with counter.of(None if seconds is None else file):
            try:
                result = function(*arguments)
            except (Exception, SystemExit, OutOfTime) as raised:
                error, line = raised, line_of(raised, file)
    changed = tuple(
        k for k, (array, argument) in enumerate(zip(before, arguments))
        if array is not None and not np.array_equal(array, argument, equal_nan=array.dtype.kind in "fc")
    )  # fmt: skip
    source = linecache.getline(file, line).strip() if line else ""
    return Run(result, error, line, source, printed.getvalue(), changed, counter.count)


class Counter:
    """A counter of the lines of one file that run. It raises OutOfTime when the time is over: that of the processor, so
    that a busy machine stops no answer."""

    def __init__(self, seconds):
        self.count, self.end = 0, time.thread_time() + seconds

    @contextlib.contextmanager
    def of(self, file):
        """Count the lines of this file that run in this thread within the block."""

        looks = 0

        def trace(frame, event, _):
            nonlocal looks
            if frame.f_code.co_filename != file:
                return None
            frame.f_trace_opcodes = True  # `while True: pass` is one line, which is entered once
            self.count += event in ("call", "line")
            looks += 1
            if looks % STEPS_BETWEEN_LOOKS == 0 and time.thread_time() > self.end:
                raise OutOfTime
            return trace

        before = sys.gettrace()
        if file is not None:
            sys.settrace(trace)
        try:
            yield
        finally:
            sys.settrace(before)


def file_of(function):
    """Return the file in which a function was written; None for one that is not written in Python."""
    code = getattr(function, "__code__", None)
    return None if code is None else code.co_filename


def line_of(error, file):
    """Return the last line of this file in the traceback of an error, or None."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] if lines else None

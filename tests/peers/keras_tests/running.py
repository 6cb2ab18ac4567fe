"""Runs Keras's test files on minitl, case by case.

pass              the assertions of Keras hold
fail              minitl gives another answer
refused clearly   minitl says that it does not have this, or does not take it: one of its own errors
refused unclearly any other error
"""

import contextlib
import gc
import io
import signal
import unittest
import warnings
from collections import Counter
from fnmatch import fnmatchcase
from typing import NamedTuple

import keras
import numpy as np
import pytest

import minitl
from minitl.errors import MinitlError

from . import files, names
from .case import KerasTestCase

RESULTS = PASS, FAIL, CLEAR, UNCLEAR, INTERNAL = "pass", "fail", "refused clearly", "refused unclearly", "internal"


class Case(NamedTuple):
    """One case: its file, class and name, its result, and the error."""

    file: str
    name: str
    result: str
    error: str = ""

    @property
    def full_name(self):
        return f"{self.file}::{self.name}"


def run_file(path):
    """Return the `Case`s of a test file, without those that Keras itself skips on PyTorch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras's, and those of temporary folders that a test leaves behind
        found = list(_cases_of(path))
        gc.collect()
    return found


def _cases_of(path):
    """Yield the `Case`s of a test file."""
    namespace = names.load(path)
    for cls in list(namespace.values()):
        if not (isinstance(cls, type) and issubclass(cls, KerasTestCase) and cls.__module__ == namespace["__name__"]):
            continue
        for name in unittest.defaultTestLoader.getTestCaseNames(cls):
            result = None if is_skipped(cls) or is_skipped(getattr(cls, name)) else run_case(cls, name)
            if result is not None:
                case = Case(path, f"{cls.__name__}.{name}", *result)
                yield case._replace(result=judged(case)) if case.result in (FAIL, UNCLEAR) else case


def judged(case):
    """Return the result of a case that fails: of those in `files.SET_ASIDE` and in `files.DECISIONS` what stands there.
    A decision counts as a failure, whatever error ends the case."""
    if matches(case, [each for patterns in files.SET_ASIDE.values() for each in patterns]):
        return INTERNAL
    return FAIL if matches(case, files.DECISIONS) else case.result


def matches(case, patterns):
    """Return whether one of the patterns is that of a case."""
    return any(fnmatchcase(case.full_name, each) for each in patterns)


def _too_long(*args):
    raise TimeoutError("more than 5 s")


def is_skipped(thing):
    """Return whether a class or a test has a mark that skips it."""
    marks = getattr(thing, "pytestmark", [])
    return getattr(thing, "__unittest_skip__", False) or any(
        mark.name == "skip" or (mark.name == "skipif" and mark.args[0]) for mark in marks
    )


def run_case(cls, name):
    """Return (result, error) of one case; None if it skips itself."""
    test = cls(name)
    keras.utils.set_random_seed(1)
    minitl.set_random_seed(1)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            signal.signal(signal.SIGPROF, _too_long)
            signal.setitimer(signal.ITIMER_PROF, 5)
            try:
                test.setUp()
                getattr(test, name)()
                test.tearDown()
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
                test.doCleanups()
    except (unittest.SkipTest, pytest.skip.Exception):
        return None
    except names.Internal as error:
        return outcome(INTERNAL, error)
    except AttributeError as error:
        private = (error.name or "").startswith("_") or isinstance(error.obj, (np.ndarray, float))
        clear = isinstance(error, MinitlError)
        return outcome(CLEAR if clear else INTERNAL if private else UNCLEAR, error)
    except MinitlError as error:
        return outcome(CLEAR, error)
    except (AssertionError, pytest.fail.Exception) as error:
        within = error.__context__  # what ended a `with pytest.warns(...)` before its warning
        return outcome(CLEAR, within) if isinstance(within, MinitlError) else outcome(FAIL, error)
    except Exception as error:
        return outcome(UNCLEAR, error)
    return (PASS,)


def outcome(result, error):
    """Return a result with the text of its error."""
    return result, f"{type(error).__name__}: {error}"


def table(cases):
    """Return the table of results by file as text."""
    by_file = {}
    for case in cases:
        by_file.setdefault(case.file, Counter())[case.result] += 1
    rows = [f"{'file':68}{'cases':>7}{'pass':>7}{'fail':>7}{'clear':>7}{'unclear':>9}{'internal':>10}"]
    for file, count in [*by_file.items(), ("all", Counter(case.result for case in cases))]:
        counted = sum(count[each] for each in (PASS, FAIL, CLEAR, UNCLEAR))
        numbers = [counted, *(count[each] for each in RESULTS)]
        rows.append(f"{file:68}" + "".join(f"{n:{w}}" for n, w in zip(numbers, (7, 7, 7, 7, 9, 10))))
    return "\n".join(rows)


def share_of(cases):
    """Return {result: its share} of all cases that count: all but the internal ones."""
    count = Counter(case.result for case in cases if case.result != INTERNAL)
    return {result: count[result] / max(sum(count.values()), 1) for result in RESULTS if result != INTERNAL}


def shares(cases):
    """Return the shares as text."""
    share = share_of(cases)
    offered = share[PASS] / max(1 - share[CLEAR], 1e-9)
    texts = ", ".join(f"{result} {100 * each:.1f} %" for result, each in share.items())
    return f"of all: {texts}\nof those that are not refused clearly, {100 * offered:.1f} % pass"

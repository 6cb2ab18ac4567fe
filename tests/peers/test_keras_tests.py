"""Keras's own tests of what minitl offers: they pass, or minitl says clearly what it does not have.

`tests/peers/keras_tests` runs them, and `python -m tests.peers.keras_tests -v` shows each case that does not pass.
"""

from fnmatch import fnmatchcase

import pytest

from .keras_tests import files, running
from .keras_tests.names import SOURCE

LEAST_PASS = 0.75  # of all cases
LEAST_PASS_OF_OFFERED = 0.98  # of the cases that are not refused clearly
MOST_FAIL = 0.01


@pytest.fixture(scope="module")
def cases():
    if not (SOURCE / files.FILES[0]).exists():
        pytest.skip("the installed Keras has no tests in it")
    return [case for path in files.FILES for case in running.run_file(path)]


def test_no_case_is_refused_unclearly(cases):
    assert [case.full_name for case in cases if case.result == running.UNCLEAR] == []


def test_each_case_that_fails_is_a_decision(cases):
    failing = [case.full_name for case in cases if case.result == running.FAIL]
    assert [name for name in failing if not any(fnmatchcase(name, each) for each in files.DECISIONS)] == []
    assert [each for each in files.DECISIONS if not any(fnmatchcase(name, each) for name in failing)] == [], "mended"


def test_the_shares_are_at_least_what_they_were(cases):
    share = running.share_of(cases)
    assert share[running.FAIL] <= MOST_FAIL, running.table(cases)
    assert share[running.PASS] >= LEAST_PASS, running.table(cases)
    assert share[running.PASS] / (1 - share[running.CLEAR]) >= LEAST_PASS_OF_OFFERED, running.table(cases)

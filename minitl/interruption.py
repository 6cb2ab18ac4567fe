"""Ctrl-C and SIGTERM without a loss: the first one is a request to stop at the next good place, the second one stops
at once.

    with interruption.graceful():       # handlers are in place
        for batch in batches:
            work(batch)
            interruption.check()        # raises Interrupted here if it was asked for

Every `Progress` bar calls `check` as it advances, and `training.fit` after each batch: between two of them nothing is
half done. Outside of `graceful`, Ctrl-C does what it always does in Python.
"""

import os
import signal
import sys
import threading
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_requested = None  # the first signal that came
_is_caught = False
_deferrals = 0  # how many blocks of `deferred` the program is in


class StoppedAtOnce(KeyboardInterrupt):
    """Raised by the second signal, wherever the program is. `exit_status` is what a shell expects: 130 or 143."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number


class Interrupted(StoppedAtOnce):
    """Raised by `check` after the first signal, between two batches, where everything can be saved."""


@contextmanager
def graceful():
    """Catch both signals within the block. In a thread other than the main one, and within another such block,
    nothing changes: Python delivers signals to the main thread alone."""
    global _requested, _is_caught
    if _is_caught or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}  # of background jobs
    _requested, _is_caught = None, True
    try:
        for number in before:
            signal.signal(number, _note)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: it was not Python's
        _requested, _is_caught = None, False


@contextmanager
def deferred():
    """Within it, `check` does not raise: something is going on that must not be half done."""
    global _deferrals
    _deferrals += 1
    try:
        yield
    finally:
        _deferrals -= 1


def check():
    """Raise `Interrupted` if a signal has come."""
    if _requested is not None and not _deferrals and threading.current_thread() is threading.main_thread():
        raise Interrupted(_requested)


def _note(number, frame):
    global _requested
    if _requested is not None:
        raise StoppedAtOnce(number)
    _requested = number
    try:
        if sys.stderr is not None:  # not by print, which may be in the middle of a line
            os.write(sys.stderr.fileno(), b"\nStopping after this batch. (Once more stops at once.)\n")
    except (OSError, ValueError):  # nobody listens any more, as in `... | tee log`: no reason to lose work
        pass

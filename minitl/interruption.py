"""Ctrl-C and SIGTERM without loss of work.

The first signal asks the program to stop at the next safe place. The second stops it at once.

    with interruption.graceful():       # handlers are in place
        for batch in batches:
            work(batch)
            interruption.check()        # raises Interrupted here if a signal has come

Every `Progress` bar calls `check` as it advances, and `training.fit` calls it after each batch. At these moments no
piece of work is half done. Outside of `graceful`, Ctrl-C does what it always does in Python.
"""

import os
import signal
import sys
import threading
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_requested = None  # the first signal that came
_is_caught = False  # are the handlers of `graceful` in place?
_words = ""  # what the first signal prints
_deferrals = 0  # how many nested blocks of `deferred` the program is in


class StoppedAtOnce(KeyboardInterrupt):
    """Raised by the second signal, wherever the program is. `exit_status` is the one that shells expect: 130 or 143."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number


class Interrupted(StoppedAtOnce):
    """Raised by `check` after the first signal: between two batches, where everything can be saved."""


@contextmanager
def graceful(words="Stopping after this batch."):
    """Catch both signals within the block. The first one prints the `words`.

    A block within another one changes nothing. Neither does a block in another thread than the main one: Python
    delivers signals to the main thread alone.
    """
    global _requested, _is_caught, _words
    if _is_caught or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    # A background job ignores Ctrl-C, and continues to do so.
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}
    _requested, _is_caught, _words = None, True, words
    try:
        for number in before:
            signal.signal(number, _handle_signal)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: not set by Python
        _requested, _is_caught = None, False


@contextmanager
def deferred():
    """Keep `check` from raising within the block, for work that must not be left half done."""
    global _deferrals
    _deferrals += 1
    try:
        yield
    finally:
        _deferrals -= 1


def check():
    """Raise `Interrupted` if a signal has come, unless it is deferred or this is not the main thread."""
    if _requested is not None and not _deferrals and threading.current_thread() is threading.main_thread():
        raise Interrupted(_requested)


def _handle_signal(number, frame):
    """Record the first signal for `check`, and raise `StoppedAtOnce` at the second."""
    global _requested
    if _requested is not None:
        raise StoppedAtOnce(number)
    _requested = number
    try:
        if sys.stderr is not None:  # os.write, since a print may be interrupted in the middle of a line
            os.write(sys.stderr.fileno(), f"\n{_words} (Once more stops at once.)\n".encode())
    except (OSError, ValueError):  # stderr is closed, as in `... | tee log`: no reason to lose work
        pass

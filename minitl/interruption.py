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
import threading
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_requested = None  # the first signal that came
_is_caught = False


class Interrupted(KeyboardInterrupt):
    """Raised between two batches, where everything can be saved. `exit_status` is what a shell expects: 130 or 143."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number


@contextmanager
def graceful():
    """Catch both signals within the block. In a thread other than the main one, and within another such block,
    nothing changes: Python delivers signals to the main thread alone."""
    global _requested, _is_caught
    if _is_caught or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    _requested, _is_caught = None, True
    try:
        for number in SIGNALS:
            signal.signal(number, _note)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: it was not Python's
        _requested, _is_caught = None, False


def check():
    """Raise `Interrupted` if a signal has come."""
    if _requested is not None and threading.current_thread() is threading.main_thread():
        raise Interrupted(_requested)


def _note(number, frame):
    global _requested
    if _requested is not None:
        raise KeyboardInterrupt(signal.Signals(number).name)
    _requested = number
    os.write(2, b"\nStopping after this batch. (Once more stops at once.)\n")  # print may be in the middle of a line

"""Progress bars: minitl is never silent for long.

    with Progress("Predicting", 500) as bar:
        bar.advance(32)

A bar appears when a piece of work has been silent for a second. A thread draws it again, so that it also moves while a
single step takes long. Within `watched`, as in every command and recipe, each `Progress` is shown, even that of a
function which was called with verbose=0, and a line "Working" where there is none.
"""

import os
import shutil
import sys
import threading
import time
from contextlib import contextmanager

from . import interruption

PATIENCE = 1.0  # seconds of silence before a bar appears on a terminal
PATIENCE_ELSEWHERE = 1.3  # and before a plain line is printed where the output is no terminal
BETWEEN_DRAWINGS = 0.2  # seconds, on a terminal
BETWEEN_LINES = 1.8  # seconds between two plain lines, where the output is no terminal
BAR = 24  # width in characters


class Progress:
    """A piece of work, and how much of it is done.

    title     the name of the work
    total     the amount of work; 0 or None if it is unknown
    enabled   False shows nothing, except within `watched`
    unit      of the total: "" for things that are counted, "MB" for bytes
    lines     print plain lines if the output is no terminal; False: nothing is shown there, but on the standard error
              within `watched`
    covers    True: show this piece of work, and not the many short ones within it

    The bar is removed from a terminal at the end.
    """

    def __init__(self, title, total=None, enabled=True, unit="", lines=True, covers=False):
        self.title, self.total, self.unit, self.done, self.note = title, total or 0, unit, 0, ""
        self.enabled, self.lines, self.covers = enabled, lines, covers

    def __enter__(self):
        self.start = time.perf_counter()
        _screen.push(self)
        return self

    def advance(self, count, note=""):
        """Record that `count` more of the work is done, and draw the bar. `note` is shown behind it."""
        self.done, self.note = self.done + count, note
        interruption.check()  # here no part of the work is half done
        _screen.draw()

    def line(self):
        """Return the line to show: `Predicting [######......] 120/500  60/s  6 s left`. It fits the terminal."""
        width = shutil.get_terminal_size((80, 24)).columns - 1
        state = self.state(time.perf_counter() - self.start)
        if len(state) + min(len(self.title), 20) > width:
            state = state.rpartition("] ")[2]  # without the bar
        title, room = self.title, width - len(state) - 1
        if len(title) > room:
            title = title[: max(8, room - 3)] + "..."
        return f"{title} {state}  {self.note}".rstrip()[:width]

    def state(self, seconds):
        """Return the bar as text, such as `[######......] 120/500  60/s  6 s left`."""
        if not self.total and not self.done:
            return f"{seconds:.0f} s"
        scale, digits = (1e6, 1) if self.unit == "MB" else (1, 0)
        unit = f" {self.unit}".rstrip()
        rate = self.done / seconds if seconds else 0.0
        done, speed = f"{self.done / scale:.{digits}f}", f"{rate / scale:.1f}{unit}/s"
        if not self.total:
            return f"{done}{unit}  {speed}"
        filled = min(BAR, BAR * self.done // self.total)
        bar = f"[{'#' * filled}{'.' * (BAR - filled)}] {done}/{self.total / scale:.{digits}f}{unit}"
        if not rate:
            return f"{bar}  {seconds:.0f} s"
        if rate < 0.1 and not unit:
            speed = f"{1 / rate:.0f} s each"
        return f"{bar}  {speed}  {max(0, self.total - self.done) / rate:.0f} s left"

    def __exit__(self, *exception):
        _screen.pop(self)


@contextmanager
def watched():
    """Let no second of silence pass unseen within the block: show whatever `Progress` there is, or "Working".

    `sys.stdout` is replaced within the block by an object that notes when something is printed. A block within another
    one changes nothing.
    """
    if _screen.stream is not None or sys.stdout is None:
        yield
        return
    before = sys.stdout
    sys.stdout = _screen.stream = _WatchedStream(before)
    try:
        with Progress("Working", lines=False):
            yield
    finally:
        _screen.stream = None
        if isinstance(sys.stdout, _WatchedStream):
            sys.stdout = before


@contextmanager
def unwatched():
    """Show no `Progress` within the block, also within `watched`: a server that waits for requests is silent."""
    before, _screen.is_shown = _screen.is_shown, False
    try:
        yield
    finally:
        _screen.is_shown = before


class _WatchedStream:
    """A stream that removes the bar before something is printed, and notes the time."""

    def __init__(self, stream):
        self.stream, self.is_new_line = stream, True

    def write(self, text):
        with _screen.lock:
            _screen.erase()
            count = self.stream.write(text)
            if text:
                self.is_new_line, _screen.printed = text.endswith("\n"), time.perf_counter()
        return count

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def __getattr__(self, name):
        return getattr(self.stream, name)


class _Screen:
    """The screen: the work under way, the innermost one last, and the times of the last print and the last bar."""

    def __init__(self):
        self.lock, self.work, self.thread = threading.RLock(), [], None
        self.stream = None  # the `_WatchedStream` of `watched`
        self.is_shown = True  # False within `unwatched`
        self.printed = self.drawn = 0.0  # when text was printed, and when a bar was drawn
        self.bar_stream = None  # the terminal on which a bar is to be seen

    def push(self, bar):
        """Note that a piece of work begins."""
        with self.lock:
            if not self.work:
                self.printed = time.perf_counter()
            self.work.append(bar)
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self.keep_drawing, name="progress", daemon=True)
                self.thread.start()

    def pop(self, bar):
        """Note that a piece of work has ended."""
        with self.lock:
            if bar in self.work:
                self.work.remove(bar)
            self.erase()

    def keep_drawing(self):
        """Draw until no work is left: the thread."""
        while True:
            time.sleep(BETWEEN_DRAWINGS)
            with self.lock:
                if not self.work:
                    self.thread = None
                    return
            try:
                self.draw()
            except (OSError, ValueError):  # the output is closed; the main thread notices as well
                pass

    def draw(self):
        """Show the innermost piece of work if it is time for it."""
        with self.lock:
            stream, now = sys.stdout, time.perf_counter()
            is_watched = self.stream is not None
            if stream is None or not self.is_shown or (is_watched and stream is not self.stream):
                return  # within `unwatched` or `silent_unless(0)`
            terminal = stream.isatty()
            shown = [bar for bar in self.work if is_watched or (bar.enabled and (terminal or bar.lines))]
            covering = next((place for place, bar in enumerate(shown) if bar.covers), len(shown))
            shown = shown[: covering + 1]
            patience = PATIENCE if terminal else PATIENCE_ELSEWHERE
            if not shown or now - self.printed < patience or (is_watched and not stream.is_new_line):
                return
            is_first = self.drawn < self.printed
            if not is_first and now - self.drawn < (BETWEEN_DRAWINGS if terminal else BETWEEN_LINES):
                return
            if not is_watched and now - shown[-1].start < patience:
                return
            raw, self.drawn = (stream.stream if is_watched else stream), now
            if not terminal and not shown[-1].lines:
                raw = sys.stderr or raw  # results of other kinds go to `raw`, perhaps to be read by a program
            raw.write(f"\r\033[K{shown[-1].line()}" if terminal else f"{shown[-1].line()}\n")
            raw.flush()
            self.bar_stream = raw if terminal else None

    def erase(self):
        """Remove the bar from the terminal."""
        if self.bar_stream is not None:
            self.bar_stream.write("\r\033[K")
            self.bar_stream.flush()
            self.bar_stream = None


_screen = _Screen()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_screen.__init__)  # the thread does not exist there, and the lock may be taken

"""A progress bar with rate and time left, for work that takes longer than two seconds."""

import sys
import time

from . import interruption


class Progress:
    """A progress bar: `with Progress("Predicting", 500) as bar: bar.advance(32)`.

    title     the name of the work
    total     the amount of work; 0 or None if it is unknown
    enabled   False shows nothing
    unit      of the total: "" for things that are counted, "MB" for bytes
    lines     print a plain line every ten seconds if the output is no terminal; otherwise nothing is shown there

    The bar appears when the work has taken two seconds, and is removed from a terminal at the end.
    """

    PATIENCE = 2.0  # seconds before the bar appears
    BAR = 24  # width in characters
    BETWEEN_LINES = 10.0  # seconds between two plain lines

    def __init__(self, title, total, enabled=True, unit="", lines=False):
        self.title, self.total, self.unit, self.done = title, total or 0, unit, 0
        self.terminal = sys.stdout.isatty()
        self.enabled = enabled and (self.terminal or lines)

    def __enter__(self):
        self.start = self.last_drawn = time.perf_counter()
        self.drawn = False
        return self

    def advance(self, count, note=""):
        """Record that `count` more of the work is done, and draw the bar. `note` is shown behind it."""
        self.done += count
        interruption.check()  # here no part of the work is half done
        now = time.perf_counter()
        between = 0.2 if self.terminal else self.BETWEEN_LINES
        if self.enabled and now - self.start >= self.PATIENCE and now - self.last_drawn >= between:
            line = f"{self.title} {self.state(now - self.start)}  {note}".rstrip()
            sys.stdout.write(f"\r\033[K{line}" if self.terminal else f"{line}\n")
            sys.stdout.flush()
            self.last_drawn, self.drawn = now, True

    def state(self, seconds):
        """Return the bar as text, such as `[######......] 120/500  60/s  6 s left`."""
        scale, digits = (1e6, 1) if self.unit == "MB" else (1, 0)
        unit = f" {self.unit}".rstrip()
        rate = self.done / seconds if seconds else 0.0
        done, speed = f"{self.done / scale:.{digits}f}", f"{rate / scale:.1f}{unit}/s"
        if not self.total:
            return f"{done}{unit}  {speed}"
        filled = min(self.BAR, self.BAR * self.done // self.total)
        bar = "#" * filled + "." * (self.BAR - filled)
        left = max(0, self.total - self.done) / rate if rate else 0
        return f"[{bar}] {done}/{self.total / scale:.{digits}f}{unit}  {speed}  {left:.0f} s left"

    def __exit__(self, *exception):
        if self.drawn and self.terminal:
            sys.stdout.write("\r\033[K")
            sys.stdout.flush()

"""What training tells: the record that `fit` returns, and the lines that it prints."""

import sys
import time


class History:
    """`history.history` maps "loss", "accuracy", "val_loss", "val_accuracy" to a list with one number an epoch."""

    def __init__(self):
        self.history = {}
        self.epoch = []

    def add(self, epoch, results):
        self.epoch.append(epoch)
        for name, value in results.items():
            self.history.setdefault(name, []).append(value)


def epoch_line(epoch, epochs, results, seconds):
    """`Epoch  3/10  loss 0.4321  accuracy 0.8720  1.2 s`"""
    numbers = "  ".join(f"{name} {value:.4f}" for name, value in results.items())
    return f"Epoch {epoch:>{len(str(epochs))}}/{epochs}  {numbers}  {seconds:.1f} s"


class Progress:
    """A bar for work of known length: `with Progress("Predicting", 500) as bar: bar.advance(32)`.

    It appears on a terminal only, once the work has taken two seconds, and removes itself at the end.
    """

    PATIENCE = 2.0  # seconds without a bar
    BAR = 24  # characters

    def __init__(self, title, total, enabled=True):
        self.title, self.total, self.done = title, total, 0
        self.enabled = enabled and sys.stdout.isatty()

    def __enter__(self):
        self.start = self.last_drawn = time.perf_counter()
        self.drawn = False
        return self

    def advance(self, count, note=""):
        self.done += count
        now = time.perf_counter()
        if not self.enabled or now - self.start < self.PATIENCE or now - self.last_drawn < 0.2:
            return
        filled = self.BAR * self.done // self.total
        seconds_left = (now - self.start) * (self.total - self.done) / self.done
        bar = "#" * filled + "." * (self.BAR - filled)
        sys.stdout.write(f"\r\033[K{self.title} [{bar}] {self.done}/{self.total}  {seconds_left:.0f} s left  {note}")
        sys.stdout.flush()
        self.last_drawn, self.drawn = now, True

    def __exit__(self, *exception):
        if self.drawn:
            sys.stdout.write("\r\033[K")
            sys.stdout.flush()

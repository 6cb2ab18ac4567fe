"""Small helpers: one seed for everything random and one-hot labels, under Keras's names; checks of numbers."""

import os
import re
import sys
import warnings
from pathlib import Path

import numpy as np

from .errors import ArgumentError, DataError, MistakeWarning

_PACKAGE = str(Path(__file__).parent) + os.sep
_generator = np.random.default_rng(0)


def set_random_seed(seed):
    """Start all random numbers of the library again from `seed` (an int): initial weights, the masks of Dropout layers
    made from now on, shuffling.

    Without a call, a fresh process starts from seed 0, so the same program gives the same numbers on the same machine.
    (Across machines the random numbers are equal too, but matrix products may round differently.)
    """
    global _generator
    _generator = np.random.default_rng(whole_number(seed, "seed", least=0))


def random_state():
    """Where the sequence that `set_random_seed` began has come to, as data; `set_random_state` goes back there."""
    return _generator.bit_generator.state


def set_random_state(state):
    _generator.bit_generator.state = state


def generator(seed=None):
    """A random generator of its own: from `seed`, or the next one in the sequence that `set_random_seed` began."""
    if seed is not None:
        return np.random.default_rng(seed)
    return np.random.default_rng(int(_generator.integers(2**63)))


def to_categorical(labels, num_classes=None):
    """Integer labels (N,) -> one-hot rows (N, num_classes) in float32."""
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"labels are {labels.dtype} of shape {labels.shape}; expected integers of shape (N,).")
    if num_classes is None:
        num_classes = int(labels.max()) + 1 if len(labels) else 0
    if len(labels) and not (0 <= labels.min() and labels.max() < num_classes):
        raise DataError(f"labels run from {labels.min()} to {labels.max()}; expected 0 to {num_classes - 1}.")
    return np.eye(num_classes, dtype=np.float32)[labels]


def whole_number(value, argument, least=1):
    """`value` as an int of at least `least`, or ArgumentError."""
    if not isinstance(value, (int, np.integer)) or value < least:
        raise ArgumentError(f"{argument} is {value!r}; expected a whole number of at least {least}.")
    return int(value)


def number(value, argument, least, most):
    """A number from `least` to `most`, or ArgumentError."""
    if not isinstance(value, (int, float, np.number)) or not least <= value <= most:
        raise ArgumentError(f"{argument} is {value!r}; expected a number from {least:g} to {most:g}.")
    return float(value)


def printable(text):
    """Text with names from files: what a terminal would obey, or cannot show, is written as an escape."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def snake_case(class_name):
    """MaxPooling2D -> max_pooling2d, as Keras names layers."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def peak_bytes():
    """The most memory that this process has held so far, or None where the system does not say (Windows)."""
    try:
        status = Path("/proc/self/status").read_text()  # Linux: getrusage would count the process that started this one
        return 1024 * int(re.search(r"VmHWM:\s*(\d+)", status)[1])
    except (OSError, TypeError):
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def all_finite(array):
    """No NaN and no infinity. Either one makes the sum not finite, and the sum makes no large temporary array; only a
    sum that overflowed by itself needs the second look."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())


def warn_of_mistake(text, mistake):
    """Say that something looks like one of the mistakes of `minitl mistakes`, at the line of the caller's own program
    that did it: the nearest one outside this package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(f"{text} (minitl mistakes {mistake})", MistakeWarning, stacklevel=level)

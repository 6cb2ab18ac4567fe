"""Recordings of one length: silence is put around shorter ones, and longer ones lose both ends.

Nothing is cut without the caller's knowledge: `longer_than` says how many recordings would be.

Who calls this: `applications.speech_embedding`, and jobs on clips.
"""

import numpy as np

from ...arguments import whole_number
from ...kernels.spectra import checked_samples


def centred(samples, count):
    """Return `count` samples with the middle of a sound in their middle: (S,) -> (count,), of the same type.

    A shorter sound gets silence on both sides, a longer one loses both ends. An odd sample more stands, or is lost, at
    the end.
    """
    samples, count = checked_samples(samples), whole_number(count, "count")
    missing = count - len(samples)
    if missing >= 0:
        return np.pad(samples, (missing // 2, missing - missing // 2))
    start = -missing // 2
    return samples[start : start + count]


def longer_than(recordings, count):
    """Return how many recordings have more than `count` samples, and so would lose some."""
    return sum(len(samples) > count for samples in recordings)

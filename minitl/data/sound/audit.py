"""The audit of recordings: what is wrong with one of them, and what is doubtful about all.

A recording that can teach nothing is left out, by name: a broken file, silence, one that is too short or too long. What
can be learned from, but not as it seems, is said: samples that were cut off because they were too loud, recordings of
another rate, several channels, copies.

Who calls this: `folder.audit_sounds`.
"""

import hashlib
from collections import Counter

import numpy as np

from ...terminal import counted

SILENCE = 2.0**-11  # the loudest sample of silence: 66 decibels below the limit
SHORTEST, LONGEST = 0.05, 60.0  # seconds
CLIPPED = 0.001  # the share of samples at the limit from which a recording is called clipped
FEW = 10  # recordings of a class from which nothing reliable is learned
PARTS = {"train": "training", "val": "validation"}


def fault_of(sound, shortest=SHORTEST, longest=LONGEST):
    """Return why a `Sound` must be left out, or None. `shortest` and `longest` are in seconds."""
    if sound.seconds < shortest:
        return f"is too short: {sound.seconds:.3g} s; expected at least {shortest:g} s"
    if sound.seconds > longest:
        return f"is too long: {sound.seconds:.1f} s; expected at most {longest:g} s. Cut it into parts"
    if sound.loudest < SILENCE:
        return "is silent"
    if np.abs(sound.samples).max() < SILENCE:
        return "its channels cancel each other: their mean is silent. Save one of them"
    if np.ptp(sound.samples) < SILENCE:  # a microphone that is not there, in front of a converter with an offset
        return f"is silent: all its samples are nearly {sound.samples[0]:.3f}"
    return None


def digest_of(sound):
    """Return a sha256 over the samples and the rate of a `Sound`: equal for copies, whatever their files are."""
    digest = hashlib.sha256(f"{sound.rate} ".encode())
    digest.update(np.ascontiguousarray(sound.samples, "<f4"))
    return digest.hexdigest()


def same_sounds(parts):
    """Return lists of (part, `Recording`) with the same samples, for each recording that is there more than once.
    `parts` is {part: list of `Recording`}."""
    found = {}
    for part, recordings in parts.items():
        for each in recordings:
            found.setdefault(each.sha256, []).append((part, each))
    return [group for group in found.values() if len(group) > 1]


def notes_on(class_names, parts, name_of):
    """Return sentences about what is doubtful.

    parts   {part: list of `Recording`};   name_of   gives the name of a recording in messages
    """
    everything, notes = [each for recordings in parts.values() for each in recordings], []
    for part, recordings in parts.items():
        counts = counts_of(recordings, len(class_names))
        few = [f"{name} {count}" for name, count in zip(class_names, counts) if 0 < count < FEW]
        if part == "train" and few:
            notes.append(f"few recordings to learn from: {', '.join(few[:10])}. Expected at least {FEW} of each class.")
        if part == "train" and max(counts) > 10 * max(1, min(counts)):
            notes.append(f"the classes are out of balance: {min(counts):,} to {max(counts):,} training recordings.")
    clipped = [each for each in everything if each.clipped > CLIPPED * each.count]
    if clipped:
        worst = max(clipped, key=lambda each: each.clipped / each.count)
        notes.append(
            f"{counted(len(clipped), 'recording')} clipped (too loud, so that peaks are cut off), most of all "
            f"{name_of(worst)}: {worst.clipped / worst.count:.1%} of its samples."
        )
    rates = Counter(each.rate for each in everything)
    if len(rates) > 1:
        listed = ", ".join(f"{rate:,} Hz {count:,}" for rate, count in rates.most_common(5))
        notes.append(f"the rates differ: {listed}. All will be resampled.{_told(class_names, everything)}")
    several = [each for each in everything if each.channels > 1]
    if several:
        some = f"{counted(len(several), 'recording')} with several channels, such as {name_of(several[0])}"
        notes.append(f"{some}: the channels are averaged.")
    return notes


def _told(class_names, recordings):
    """Return a sentence on a class whose recordings alone have a rate: a network may learn the microphone instead."""
    rates = [{each.rate for each in recordings if each.label == label} for label in range(len(class_names))]
    for label, own in enumerate(rates):
        others = set().union(*(rates[:label] + rates[label + 1 :]))
        if own and not own & others:
            return (
                f" Class '{class_names[label]}' has rates that no other class has: a network may learn to tell the "
                "microphones apart."
            )
    return ""


def counts_of(recordings, classes):
    """Return the number of recordings of each class."""
    return np.bincount([each.label for each in recordings], minlength=classes).tolist()

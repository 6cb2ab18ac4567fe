"""The study of pre-training without labels in words and tables: its plan, its progress and its result."""

import textwrap

from ...terminal import counted, table
from ..study.halves import HALVES
from ..study.words import WIDTH, cell, finding_text
from .findings import PLACES, findings, summary
from .methods import METHODS
from .worth import BASES, TASKS

WAYS = {"probe": "linear head on the frozen features", "tuned": "fine-tuned with new layers"}


def about(extent):
    """Return a description of the measurement, in one line."""
    return (
        f"{extent.unlabelled:,} images of A without labels, {counted(extent.epochs, 'epoch')}; "
        f"{extent.test_images:,} test images; mean of {extent.seeds} seeds ± its 95% interval"
    )


def introduction(extent):
    """Return a text about the study before it begins."""
    lines = [f"{half}: {', '.join(HALVES[extent.split][half])}" for half in TASKS.values()]
    lines += [textwrap.fill(f"{about(extent)}.", WIDTH), ""]
    lines += [f"{name:<10}  {METHODS[name].title}" for name in METHODS]
    return "\n".join([*lines, ""])


def progress_line(base, seed, found, seconds):
    """Return a line about a base that has been measured: its probes from the most labels."""
    most = max(each.labels for each in found)
    probes = "  ".join(
        f"{name} {each.accuracy:.3f}"
        for name in TASKS
        for each in found
        if (each.task, each.way, each.labels) == (name, "probe", most)
    )
    return f"{base:<10}  seed {seed}  {probes}  ({most} labels a class)  {seconds:4.0f} s"


def report(results, extent, seconds_of, seconds):
    """Return the tables and the findings."""
    lines = []
    for name, ways in summary(results).items():
        for way, bases in ways.items():
            labels = [n for n in extent.labels if any(n in by_labels for by_labels in bases.values())]
            rows = [["labels a class", *labels]]
            rows += [[base, *[cell(by_labels.get(n)) for n in labels]] for base, by_labels in bases.items()]
            title = f"Accuracy on {PLACES[name]} ({TASKS[name]}), {WAYS[way]}"
            lines += ["", textwrap.fill(title, WIDTH), table(rows)]
    found = findings(results)
    if found:
        lines += ["", "What was claimed before the study was run"]
        lines += [finding_text(finding) for finding in found]
    done = counted(len(seconds_of), "base")
    longest = max(seconds_of.values(), default=0)
    lines += [
        "",
        f"{done} of {len(BASES)} kinds, {seconds / 60:.1f} min in all; the longest pre-training {longest:.0f} s.",
    ]
    return "\n".join([*lines, "Read next: minitl/course/self_supervised/methods.py"])

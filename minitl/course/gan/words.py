"""The study of made images in words and tables: its plan, its progress, its result, and whether claims hold."""

import textwrap

import numpy as np

from ...terminal import counted, table
from ..study.findings import SMALLEST, interval, judged
from ..study.words import WIDTH, cell, finding_text

# (number, claim, first, second, claimed, worthless): the accuracy from `first` minus that from `second`
CLAIMS = (
    (1, "Made images alone teach more than the few real ones", "made", "few", 0.0, SMALLEST),
    (2, "Few real images and made ones teach more than the few alone", "few and made", "few", 0.0, SMALLEST),
    (3, "The same, if the generator has seen only the few", "few and made from few", "few", 0.0, SMALLEST),
    (4, "Few real and made images are as good as all real ones that the generator has seen", "few and made",
     "all real", -SMALLEST, -SMALLEST),
)  # fmt: skip


def introduction(extent):
    """Return a text about the study before it begins."""
    text = (
        f"A generator learns from {extent.real:,} real images ({counted(extent.epochs, 'epoch')}), a second one from "
        f"{extent.few} of each class. Classifiers learn from {extent.made:,} made images, and from real ones; "
        f"{extent.test_images:,} real test images; {extent.seeds} seeds."
    )
    return textwrap.fill(text, WIDTH) + "\n"


def progress_line(run):
    """Return a line about a seed that has ended."""
    first, last = run.distances[min(run.distances)], run.distances[max(run.distances)]
    return (
        f"seed {run.seed}  Frechet distance {first:.0f} -> {last:.1f}  {run.right:.3f} named as asked for  "
        f"{run.seconds:.0f} s"
    )


def report(runs, extent, seconds):
    """Return the tables and the claims."""
    if not runs:
        return "Nothing was measured."
    epochs = sorted(runs[0].distances)
    distances = [interval([run.distances[epoch] for run in runs]) for epoch in epochs]
    factors = [run.distances[epochs[0]] / run.distances[epochs[-1]] for run in runs]
    lines = ["", f"Frechet distance to real images, mean of {counted(len(runs), 'seed')}"]
    lines.append(table([["epochs", *epochs], ["distance", *[f"{each.mean:.1f}" for each in distances]]]))
    lines.append(f"It fell by a factor of {min(factors):.1f} to {max(factors):.1f}.")
    by_class = np.mean([run.right_by_class for run in runs], axis=0)
    right = interval([run.right for run in runs])
    lines += [
        "",
        textwrap.fill(
            f"A network that was trained on other real images names {cell(right)} of the made ones as they were asked "
            f"for; of the worst class {by_class.min():.2f}.",
            WIDTH,
        ),
        "",
        "Accuracy of classifiers on real test images",
    ]
    rows = [[name, cell(interval([run.accuracies[name] for run in runs]))] for name in runs[0].accuracies]
    lines.append(table([["learned from", "accuracy"], *rows]))
    if len(runs) > 1:
        lines += ["", "What was claimed before the study was run"]
        lines += [finding_text(each) for each in findings(runs)]
    minutes = f"{counted(len(runs), 'seed')}, {seconds / 60:.1f} min in all."
    return "\n".join([*lines, "", f"{minutes} Read next: minitl/course/gan/training.py"])


def findings(runs):
    """Return the findings (`course.study.findings.Finding`) of several runs."""
    found = []
    for number, claim, first, second, claimed, worthless in CLAIMS:
        values = [run.accuracies[first] - run.accuracies[second] for run in runs]
        statistic = f"Accuracy from {first} minus that from {second}"
        found.append(judged("all classes", number, claim, statistic, values, claimed, worthless))
    return found

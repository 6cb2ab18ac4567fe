"""The study in words and tables: its plan and its result."""

import textwrap

from ...terminal import counted, table
from . import findings, halves, transfer_study
from .network import CUTTABLE

WIDTH = 80  # columns


def about(study, seeds):
    """Return a description of the measurement, in one line."""
    task = next(iter(study.tasks.values()))
    return (
        f"{len(task.x_train):,} training images of B, {len(task.x_test):,} test images; "
        f"mean of {seeds} seeds ± its 95% interval"
    )


def introduction(study, splits, seeds):
    """Return a text about the study before it begins."""
    lines = []
    for split in splits:
        for half, title in ("A", f"{split} halves"), ("B", ""):
            lines.append(f"{title:<17}  {half}: {', '.join(halves.HALVES[split][half])}")
    lines += [
        textwrap.fill(f"{about(study, seeds)}.", WIDTH),
        f"{study.trainings} trainings of {study.epochs} epochs:",
        "",
    ]
    return "\n".join(lines)


def progress_line(result, done, trainings, left):
    """Return a line about a training that has ended. `left` is in seconds."""
    what = f"{result.split:<10}  {result.treatment:<5}  " + (f"n = {result.cut}" if result.cut else "     ")
    time_left = f"{left / 60:.0f} min" if left > 90 else f"{left:.0f} s"
    return (
        f"{done:>{len(str(trainings))}}/{trainings}  {what}  seed {result.seed}  accuracy {result.accuracy:.3f}  "
        f"{result.seconds:4.1f} s  ({time_left} left)"
    )


def report(study, results, seconds):
    """Return the tables and the findings."""
    lines = []
    for split, curves in findings.summary(results).items():
        base = curves.get(transfer_study.BASE, {}).get(0)
        rows = [["n", "up to", *transfer_study.TREATMENTS]]
        for cut in study.cuts:
            cells = [cell(curves.get(name, {}).get(cut)) for name in transfer_study.TREATMENTS]
            rows.append([cut, CUTTABLE[cut - 1], *cells])
        lines += ["", f"{split} halves: accuracy on B", table(rows), f"baseB: {cell(base)}"]
    found = findings.findings(results)
    for split in dict.fromkeys(finding.split for finding in found):
        where = "both halves" if split == findings.BOTH else f"the {split} halves"
        lines += ["", f"The findings of the paper, in {where}"]
        lines += [finding_text(finding) for finding in found if finding.split == split]
    how = "Read next: minitl/course/study/transfer_study.py"
    return "\n".join([*lines, "", f"{counted(len(results), 'training')}, {seconds / 60:.1f} min in all. {how}"])


def cell(interval):
    """Return an accuracy and half the width of its interval as text."""
    if interval is None:
        return ""
    spread = "" if interval.high is None else f" ±{interval.high - interval.mean:.3f}"
    return f"{interval.mean:.3f}{spread}"


def finding_text(finding):
    """Return a finding as text: its verdict, and below it the measured effect."""
    verdict, measured = str(finding).split("\n")
    return "\n".join([
        textwrap.fill(verdict, WIDTH, initial_indent="  ", subsequent_indent="      "),
        textwrap.fill(measured, WIDTH, initial_indent="      ", subsequent_indent="      "),
    ])  # fmt: skip

"""The study in words and tables: what is being done, and what came of it."""

import textwrap

from ...terminal import table
from . import findings, halves, transfer_study
from .network import CUTTABLE


def about(study, seeds):
    """Return what was measured, in one line."""
    task = next(iter(study.tasks.values()))
    return (
        f"{len(task.x_train):,} pictures of B to learn from, {len(task.x_test):,} to test on; "
        f"mean of {seeds} seeds and its 95% interval (t)"
    )


def introduction(study, splits, seeds):
    """Return what is going to be done."""
    lines = []
    for split in splits:
        for half, title in ("A", f"{split} halves"), ("B", ""):
            lines.append(f"{title:<17}  {half}: {', '.join(halves.HALVES[split][half])}")
    lines += [f"{about(study, seeds)}.", f"{study.trainings} trainings of {study.epochs} epochs:", ""]
    return "\n".join(lines)


def progress_line(result, done, trainings, left):
    """Return a line for a training that has just been finished; `left` is in seconds."""
    what = f"{result.split:<10}  {result.treatment:<5}  " + (f"n = {result.cut}" if result.cut else "     ")
    time_left = f"{left / 60:.0f} min" if left > 90 else f"{left:.0f} s"
    return (
        f"{done:>{len(str(trainings))}}/{trainings}  {what}  seed {result.seed}  accuracy {result.accuracy:.3f}  "
        f"{result.seconds:4.1f} s  ({time_left} left)"
    )


def report(study, results, seconds):
    """Return the tables, and what they say."""
    lines = []
    for split, curves in findings.summary(results).items():
        base = curves.get(transfer_study.BASE, {}).get(0)
        rows = [["n", "last copied", *transfer_study.TREATMENTS]]
        for cut in study.cuts:
            cells = [cell(curves.get(name, {}).get(cut)) for name in transfer_study.TREATMENTS]
            rows.append([cut, CUTTABLE[cut - 1], *cells])
        lines += ["", f"{split} halves: accuracy on B", table(rows), f"baseB: {cell(base)}"]
    found = findings.findings(results)
    for split in dict.fromkeys(finding.split for finding in found):
        where = "these two" if split == findings.BOTH else f"the {split} halves"
        lines += ["", f"What of the paper is seen in {where}"]
        lines += [finding_text(finding) for finding in found if finding.split == split]
    how = "How this was done: minitl/course/study/transfer_study.py"
    return "\n".join([*lines, "", f"{len(results)} trainings, {seconds / 60:.1f} min in all. {how}"])


def cell(interval):
    if interval is None:
        return ""
    spread = "" if interval.high is None else f" ±{interval.high - interval.mean:.3f}"
    return f"{interval.mean:.3f}{spread}"


def finding_text(finding):
    """Return a finding: its verdict, and below it what was measured."""
    verdict, measured = str(finding).split("\n")
    return "\n".join([
        textwrap.fill(verdict, 100, initial_indent="  ", subsequent_indent="      "),
        textwrap.fill(measured, 100, initial_indent="      ", subsequent_indent="      "),
    ])  # fmt: skip

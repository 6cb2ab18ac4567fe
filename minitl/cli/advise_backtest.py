"""`minitl advise --backtest`: carry every plan out, and compare what was said with what came.

The machine is measured again before and after each run that is timed, and the prediction is the mean of both: another
program that slows the machine down then slows both, and what is tested is the model of costs, not the weather. A timed
run finds no kept features. The others, with other seeds, only say how much the accuracy depends on chance.
"""

import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from .. import interruption
from ..advice import costs
from ..errors import MinitlError
from .output import printable, table


def run(subject, ranking, all_plans, seeds):
    """Print the comparison as it grows, and return it as data. The accuracies that count were not known to anybody when
    `ranking` was made."""
    print(f"\nBacktest: {len(all_plans)} plans, each carried out with {seeds} seeds", flush=True)
    said, rows = {cut.name: cut.accuracy for cut in ranking.order}, []
    with tempfile.TemporaryDirectory() as folder:
        before = subject.measure()[1]
        for number, plan in enumerate(all_plans):
            came = finetune(subject, plan, 0, Path(folder))
            after = subject.measure()[1]
            rows.append(row(before[number], after[number], came))
            rows[-1]["left_out_accuracy"] = None if plan.unfreeze else said[plan.cut]
            before = after
            print(
                printable("  {name}: {seconds_said:.1f} s said, {seconds:.1f} s taken".format(**rows[-1])), flush=True
            )
        for seed in range(1, seeds):
            for plan, each in zip(all_plans, rows):
                each["accuracies"].append(accuracy(finetune(subject, plan, seed, Path(folder))))
            print(f"  seed {seed}: done", flush=True)
    for each in rows:
        each["accuracy"] = float(np.mean(each["accuracies"]))
    results = {"plans": rows, "load": costs.load(), **verdict(rows, ranking)}
    print(f"\n{comparison(rows)}\n\n" + "\n".join(in_words(results)), flush=True)
    return results


def row(before, after, came):
    """What a plan promised, measured before and after it was carried out, and what came of it."""
    return {
        "name": before.name,
        "cut": before.cut,
        "unfreeze": before.unfreeze,
        "accuracies": [accuracy(came)],
        "seconds_said": (before.seconds + after.seconds) / 2,
        "seconds": came["seconds"],
        "bytes_said": before.peak_bytes,
        "bytes": came["peak_bytes"],
    }


def accuracy(results):
    """On the held-back pictures, of what `minitl finetune --json` wrote."""
    return results.get("accuracy", results.get("test_accuracy"))


def finetune(subject, plan, seed, folder):
    """The results of `minitl finetune` in a process of its own; with seed 0 nothing is kept from before."""
    results = folder / "results.json"
    arguments = [*plan.arguments, "--seed", str(seed), "--json", str(results)]
    if subject.is_of_photographs:
        arguments += ["--run", str(folder / "run"), *(["--no-cache"] if seed == 0 else [])]
    with open(folder / "said", "w+", encoding="utf-8") as said:
        process = subprocess.Popen([sys.executable, "-m", "minitl", "finetune", *arguments], stdout=said, stderr=said)
        try:
            while process.poll() is None:
                try:
                    process.wait(timeout=0.2)
                except subprocess.TimeoutExpired:
                    interruption.check()
        finally:
            process.kill()  # if it is still there
            process.wait()
        interruption.check()
        if process.returncode:
            said.seek(0)
            last_line = said.read().strip().rpartition("\n")[2]
            raise MinitlError(f"--backtest: minitl {shlex.join(['finetune', *plan.arguments])} failed: {last_line}")
    return json.loads(results.read_text(encoding="utf-8"))


def comparison(rows):
    lines = [["what learned", "left out", "held back", "lowest to highest", "time said", "taken", "error",
              "memory said", "taken", "error"]]  # fmt: skip
    for row in rows:
        left_out = "" if row["left_out_accuracy"] is None else f"{row['left_out_accuracy']:.3f}"
        memory = [f"{row['bytes_said'] / 1e6:.0f} MB", "", ""]
        if row["bytes"]:
            memory[1:] = f"{row['bytes'] / 1e6:.0f} MB", percent(row["bytes_said"], row["bytes"])
        lines.append([
            row["name"], left_out, f"{row['accuracy']:.3f}",
            f"{min(row['accuracies']):.3f} to {max(row['accuracies']):.3f}",
            f"{row['seconds_said']:.1f} s", f"{row['seconds']:.1f} s",
            percent(row["seconds_said"], row["seconds"]), *memory,
        ])  # fmt: skip
    return table(lines)


def percent(said, came):
    return f"{100 * (said / came - 1):+.0f} %"


def verdict(rows, ranking):
    """The figures that say whether the advice was good: points lost by each way to choose, and the largest errors."""
    came = {row["cut"]: row["accuracy"] for row in rows if row["unfreeze"] is None}
    best = max(came.values())
    choices = {
        "The advice": ranking.advised,
        "The left-out accuracy": ranking.order[0],
        "LogME": max(ranking.order, key=lambda cut: cut.logme),
        "The H-score": max(ranking.order, key=lambda cut: cut.h_score),
    }
    errors = {
        what: [abs(row[f"{what}_said"] / row[what] - 1) for row in rows if row[what]] for what in ("seconds", "bytes")
    }
    return {
        "best_cut": max(came, key=came.get),
        "choices": {name: {"cut": cut.name, "lost": best - came[cut.name]} for name, cut in choices.items()},
        "order": sorted(came, key=lambda cut: -came[cut]),
        "said_order": [cut.name for cut in ranking.order],
        **{f"largest_error_{what}": max(each, default=None) for what, each in errors.items()},
        **{f"median_error_{what}": float(np.median(each)) if each else None for what, each in errors.items()},
    }


def in_words(results):
    yield f"The order said: {', '.join(results['said_order'])}. The order that came: {', '.join(results['order'])}."
    for name, choice in results["choices"].items():
        yield f"{name} takes {choice['cut']}, {100 * choice['lost']:.1f} points below the best cut."
    for what, name in ("seconds", "Time"), ("bytes", "Memory"):
        if results[f"largest_error_{what}"] is not None:
            median, largest = results[f"median_error_{what}"], results[f"largest_error_{what}"]
            yield f"{name} was off by {100 * median:.0f} % in the middle case, {100 * largest:.0f} % in the worst."

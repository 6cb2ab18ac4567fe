"""`minitl advise --backtest`: carry every plan out, and compare what was said with what came.

Before each run the machine is measured again: another program that slows it down then slows both, and the comparison is
of the model of costs, not of the weather. The first run of a plan finds no kept features, and is the one that is timed;
the others, with other seeds, only say how much the accuracy depends on chance.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from .. import interruption
from ..errors import MinitlError
from .output import printable, table


def run(subject, ranking, all_plans, seeds):
    """Print the comparison as it grows, and return it as data. The accuracies that count were not known to anybody when
    `ranking` was made."""
    print(f"\nBacktest: {len(all_plans)} plans, each carried out with {seeds} seeds", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for number in range(len(all_plans)):
            _, predicted = subject.measure()
            rows.append(carry_out(predicted[number], seeds, Path(folder), subject.is_of_photographs))
            print(printable(line(rows[-1])), flush=True)
    said = {cut.name: cut.accuracy for cut in ranking.order}
    for row in rows:
        row["left_out_accuracy"] = said[row["cut"]] if row["unfreeze"] is None else None
    print("\n" + comparison(rows))
    results = {"plans": rows, **verdict(rows, ranking)}
    print("\n" + "\n".join(in_words(results)), flush=True)
    return results


def carry_out(plan, seeds, folder, is_of_photographs):
    """What `plan` promised, and what came of it."""
    runs = [finetune(plan, seed, folder, is_of_photographs) for seed in range(seeds)]
    accuracies = [each.get("accuracy", each.get("test_accuracy")) for each in runs]
    return {
        "name": plan.name,
        "cut": plan.cut,
        "unfreeze": plan.unfreeze,
        "accuracies": accuracies,
        "accuracy": float(np.mean(accuracies)),
        "predicted_seconds": plan.seconds,
        "seconds": runs[0]["seconds"],
        "predicted_bytes": plan.peak_bytes,
        "bytes": runs[0]["peak_bytes"],
    }


def finetune(plan, seed, folder, is_of_photographs):
    """The results of `minitl finetune` in a process of its own."""
    results = folder / "results.json"
    arguments = [*plan.arguments, "--seed", str(seed), "--json", str(results)]
    if is_of_photographs:
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
            raise MinitlError(f"--backtest: minitl finetune failed ({said.read().strip().splitlines()[-1:]}).")
    return json.loads(results.read_text(encoding="utf-8"))


def line(row):
    return f"  {row['name']}: {row['accuracy']:.3f}; {row['predicted_seconds']:.1f} s predicted, {row['seconds']:.1f} s taken"


def comparison(rows):
    lines = [["what learned", "left out", "held back", "lowest to highest", "time said", "taken", "error",
              "memory said", "taken", "error"]]  # fmt: skip
    for row in rows:
        left_out = "" if row["left_out_accuracy"] is None else f"{row['left_out_accuracy']:.3f}"
        memory = [f"{row['predicted_bytes'] / 1e6:.0f} MB", "", ""]
        if row["bytes"]:
            memory[1:] = f"{row['bytes'] / 1e6:.0f} MB", percent(row["predicted_bytes"], row["bytes"])
        lines.append([
            row["name"], left_out, f"{row['accuracy']:.3f}",
            f"{min(row['accuracies']):.3f} to {max(row['accuracies']):.3f}",
            f"{row['predicted_seconds']:.1f} s", f"{row['seconds']:.1f} s",
            percent(row["predicted_seconds"], row["seconds"]), *memory,
        ])  # fmt: skip
    return table(lines)


def percent(said, came):
    return f"{100 * (said / came - 1):+.0f} %"


def verdict(rows, ranking):
    """The figures that say whether the advice was good: points lost by each way to choose, and the largest errors."""
    came = {row["cut"]: row["accuracy"] for row in rows if row["unfreeze"] is None}
    best = max(came.values())
    choices = {
        "the advice": ranking.advised,
        "the left-out accuracy": ranking.order[0],
        "LogME": max(ranking.order, key=lambda cut: cut.logme),
        "the H-score": max(ranking.order, key=lambda cut: cut.h_score),
    }
    errors = {
        what: [abs(row[f"predicted_{what}"] / row[what] - 1) for row in rows if row[what]]
        for what in ("seconds", "bytes")
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
        yield f"{name[0].upper()}{name[1:]} takes {choice['cut']}, {100 * choice['lost']:.1f} points below the best cut."
    for what, name in ("seconds", "Time"), ("bytes", "Memory"):
        if results[f"largest_error_{what}"] is not None:
            median, largest = results[f"median_error_{what}"], results[f"largest_error_{what}"]
            yield f"{name}: off by {100 * median:.0f} % in the middle case, {100 * largest:.0f} % in the worst."

"""`minitl advise --backtest`: carry every plan out, and compare what was said with what came.

A plan is carried out by the function that carries it out for everybody, `finetune_photographs` or `finetune_clothing`,
in a process of its own (`carry_out`): only so are its time and its memory its own.

All plans are carried out in turn, with one seed after the other. None finds features that were kept. The machine is
measured again before and after each run, and the prediction is the mean of both: another program that slows the machine
down then slows both, and what is tested is the model of costs, not the weather. A squall that hits a run alone is left
to the median over the seeds.
"""

import json
import shlex
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ... import interruption
from ...errors import MinitlError
from ...terminal import printable, table
from . import costs


def run(subject, ranking, all_plans, seeds):
    """Print the comparison as it grows, and return it as data. The accuracies that count were not known to anybody when
    `ranking` was made."""
    print(f"\nBacktest: {len(all_plans)} plans, each carried out with {seeds} seeds", flush=True)
    runs = [[] for _ in all_plans]
    with tempfile.TemporaryDirectory() as folder:
        before = subject.measure()[1]
        for seed in range(seeds):
            for number, plan in enumerate(all_plans):
                came = carried_out(subject, plan, seed, Path(folder))
                after = subject.measure()[1]
                said = (before[number].seconds + after[number].seconds) / 2
                runs[number].append({"seconds_said": said, "bytes_said": after[number].peak_bytes, **came})
                line = f"  seed {seed}, {plan.name}: {said:.1f} s said, {came['seconds']:.1f} s taken"
                print(printable(line), flush=True)
                before = after
    left_out = {cut.name: cut.accuracy for cut in ranking.order}
    rows = [row(*each, left_out) for each in zip(all_plans, runs)]
    results = {"plans": rows, "load": costs.system_load(), **verdict(rows, ranking)}
    print(f"\n{comparison(rows)}\n\n" + "\n".join(in_words(results)), flush=True)
    return results


def row(plan, runs, left_out):
    """Return what was said of a plan, and what came of it. Of times and bytes, the medians; `error_of_...` is the
    median of each run's own."""
    accuracies = [each.get("accuracy", each.get("test_accuracy")) for each in runs]
    found = {
        "name": plan.name,
        "cut": plan.cut,
        "unfreeze": plan.unfreeze,
        "left_out_accuracy": None if plan.unfreeze else left_out[plan.cut],
        "accuracies": accuracies,
        "accuracy": float(np.mean(accuracies)),
    }
    for what, key in ("seconds", "seconds"), ("bytes", "peak_bytes"):
        said, came = [each[f"{what}_said"] for each in runs], [each[key] for each in runs]
        is_known = None not in came
        found[f"{what}_said"], found[what] = float(np.median(said)), float(np.median(came)) if is_known else None
        found[f"error_of_{what}"] = float(np.median(np.divide(said, came))) - 1 if is_known else None
        found[f"runs_{what}"] = [list(pair) for pair in zip(said, came)]
    return found


def carried_out(subject, plan, seed, folder):
    """Return the results of a plan, carried out in a process of its own."""
    task, results = folder / "task.json", folder / "results.json"
    settings = {**asdict(subject.settings_for(plan)), "seed": seed, "json": str(results)}
    if subject.photos is not None:  # as a first run: it finds nothing that another one has left
        settings.update(run_folder=str(folder / "run"), keep_features=False)
    task.write_text(json.dumps({"photos": subject.photos, "settings": settings}), encoding="utf-8")
    with open(folder / "said", "w+", encoding="utf-8") as said:
        worker = [sys.executable, "-m", "minitl.recipes.advice.carry_out", str(task)]
        process = subprocess.Popen(worker, stdout=said, stderr=said)
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
    for each in rows:
        left_out = "" if each["left_out_accuracy"] is None else f"{each['left_out_accuracy']:.3f}"
        memory = [f"{each['bytes_said'] / 1e6:.0f} MB", "", ""]
        if each["bytes"]:
            memory[1:] = f"{each['bytes'] / 1e6:.0f} MB", f"{100 * each['error_of_bytes']:+.0f} %"
        lines.append([
            each["name"], left_out, f"{each['accuracy']:.3f}",
            f"{min(each['accuracies']):.3f} to {max(each['accuracies']):.3f}",
            f"{each['seconds_said']:.1f} s", f"{each['seconds']:.1f} s", f"{100 * each['error_of_seconds']:+.0f} %",
            *memory,
        ])  # fmt: skip
    return table(lines)


def verdict(rows, ranking):
    """Return the figures that say whether the advice was good: points lost by each way to choose, and the largest
    errors."""
    came = {row["cut"]: row["accuracy"] for row in rows if row["unfreeze"] is None}
    best = max(came.values())
    choices = {
        "The advice": ranking.advised,
        "The left-out accuracy": ranking.order[0],
        "LogME": max(ranking.order, key=lambda cut: cut.logme),
        "The H-score": max(ranking.order, key=lambda cut: cut.h_score),
    }
    errors = {
        what: [abs(row[f"error_of_{what}"]) for row in rows if row[f"error_of_{what}"] is not None]
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
        yield f"{name} takes {choice['cut']}, {100 * choice['lost']:.1f} points below the best cut."
    for what, name in ("seconds", "Time"), ("bytes", "Memory"):
        if results[f"largest_error_{what}"] is not None:
            median, largest = results[f"median_error_{what}"], results[f"largest_error_{what}"]
            yield f"{name} was off by {100 * median:.0f} % in the middle case, {100 * largest:.0f} % in the worst."

"""`minitl advise --backtest`: carry out every plan, and compare the predictions with the results.

A plan is carried out by `finetune_photographs` or `finetune_clothing`, as for every user, in a process of its own
(`carry_out`): otherwise its time and memory could not be separated from those of the advice.

All plans are carried out in turn, with one seed after the other, and none finds features that were kept. The machine is
measured again before and after each run, and the prediction is the mean of both. Another program that slows down the
machine then slows down both, so the model of costs is tested, not the load of the machine. The median over the seeds
removes the disturbance of a single run.

With a `map`, other machines carry out the plans, several at a time (`minitl.cluster`). The accuracies are the same.
Time and memory are then not compared: the predictions are those of this machine.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from ... import interruption
from ...errors import MinitlError
from ...progress import Progress
from ...terminal import counted, printable, table, wrapped
from . import costs


def run(subject, ranking, all_plans, seeds, map=None):
    """Carry out all plans, print the comparison, and return it as data.

    map   a callable like Python's `map` that carries out plans elsewhere; None: one after the other, here

    The accuracies are those on held-back images, which were not used for `ranking`.
    """
    print(f"\nBacktest: {counted(len(all_plans), 'plan')}, each carried out with {counted(seeds, 'seed')}", flush=True)
    runs = (runs_here if map is None else partial(runs_elsewhere, map))(subject, all_plans, seeds)
    left_out = {cut.name: cut.accuracy for cut in ranking.order}
    rows = [row(*each, left_out) for each in zip(all_plans, runs)]
    results = {"plans": rows, "load": costs.system_load(), **verdict(rows, ranking)}
    print(f"\n{comparison(rows)}\n\n" + "\n".join(wrapped(each, "  ") for each in sentences(results)), flush=True)
    return results


def runs_here(subject, all_plans, seeds):
    """Return for each plan the results of its runs on this machine, one with each seed, and the predictions."""
    runs = [[] for _ in all_plans]
    with tempfile.TemporaryDirectory() as folder:
        before = subject.measure()[1]
        for seed in range(seeds):
            for number, plan in enumerate(all_plans):
                results = carried_out(subject, plan, seed, Path(folder))
                after = subject.measure()[1]
                predicted = (before[number].seconds + after[number].seconds) / 2
                runs[number].append({"seconds_said": predicted, "bytes_said": after[number].peak_bytes, **results})
                line = f"  seed {seed}, {plan.name}: {predicted:.1f} s predicted, {results['seconds']:.1f} s taken"
                print(wrapped(printable(line), "    "), flush=True)
                before = after
    return runs


def runs_elsewhere(map, subject, all_plans, seeds):
    """Return for each plan the results of its runs by `map`, one with each seed. Their times and memory, which are
    those of other machines, are left out."""
    runs = [[] for _ in all_plans]
    jobs = [(number, seed) for seed in range(seeds) for number in range(len(all_plans))]
    data = [job_of(subject, all_plans[number], seed) for number, seed in jobs]
    photos = subject.photos and os.path.abspath(subject.photos)
    with Progress("Carrying out plans", len(jobs)) as bar:
        for (number, seed), results in zip(jobs, map(partial(carried_out_there, photos), data)):
            plan = all_plans[number]
            said = {"seconds_said": plan.seconds, "bytes_said": plan.peak_bytes}
            runs[number].append({**results, **said, "seconds": None, "peak_bytes": None})
            print(wrapped(printable(f"  seed {seed}, {plan.name}: done"), "    "), flush=True)
            bar.advance(1)
    return runs


def row(plan, runs, left_out):
    """Return the predictions for a plan beside its results, as data.

    Times and bytes are medians over the runs; `error_of_...` is the median of the runs' errors.
    """
    accuracies = [each.get("accuracy", each.get("test_accuracy")) for each in runs]
    found = {
        "name": plan.name,
        "cut": plan.cut,
        "unfreeze": plan.unfreeze,
        "left_out_accuracy": None if plan.unfreeze else left_out[plan.cut],
        "accuracies": accuracies,
        "accuracy": float(np.mean(accuracies)),
    }
    for name, key in ("seconds", "seconds"), ("bytes", "peak_bytes"):
        predicted, measured = [each[f"{name}_said"] for each in runs], [each[key] for each in runs]
        is_known = None not in measured
        found[f"{name}_said"] = float(np.median(predicted))
        found[name] = float(np.median(measured)) if is_known else None
        found[f"error_of_{name}"] = float(np.median(np.divide(predicted, measured))) - 1 if is_known else None
        found[f"runs_{name}"] = [list(pair) for pair in zip(predicted, measured)]
    return found


def carried_out(subject, plan, seed, folder):
    """Return the results of a plan, carried out in a process of its own, whose files go to `folder`."""
    return finetuned(subject.photos, folder, job_of(subject, plan, seed))


def carried_out_there(photos, job):
    """Return the results of a `job_of` a plan, with a temporary folder for its files, and with one thread: others are
    carried out beside it."""
    with tempfile.TemporaryDirectory() as folder:
        return finetuned(photos, Path(folder), job, {**os.environ, "OPENBLAS_NUM_THREADS": "1"})


def job_of(subject, plan, seed):
    """Return (the settings that carry out a plan, its command line), as plain data."""
    settings = {**asdict(subject.settings_for(plan)), "seed": seed}
    if subject.photos is not None:  # as a first run: it finds no features of another run
        settings["keep_features"] = False
    return settings, shlex.join(["finetune", *plan.arguments])


def finetuned(photos, folder, job, environment=None):
    """Return the results of a `job_of` a plan, carried out in a process of its own.

    photos   the folder, or None for the bundled images;   environment   of the process (None: that of this one)
    """
    settings, command = job
    task, results = folder / "task.json", folder / "results.json"
    settings = {**settings, "json": str(results)}
    if photos is not None:
        settings["run_folder"] = str(folder / "run")
    task.write_text(json.dumps({"photos": photos, "settings": settings}), encoding="utf-8")
    with open(folder / "output", "w+", encoding="utf-8") as output:
        worker = [sys.executable, "-m", "minitl.recipes.advice.carry_out", str(task)]
        process = subprocess.Popen(worker, stdout=output, stderr=output, env=environment)
        try:
            while process.poll() is None:  # the command's progress shows that it goes on
                try:
                    process.wait(timeout=0.2)
                except subprocess.TimeoutExpired:
                    interruption.check()
        finally:
            process.kill()  # if it is still running
            process.wait()
        interruption.check()
        if process.returncode:
            output.seek(0)
            last_line = output.read().strip().rpartition("\n")[2]
            raise MinitlError(f"--backtest: minitl {command} failed: {last_line}")
    return json.loads(results.read_text(encoding="utf-8"))


def comparison(rows):
    """Return a table of all plans: predicted and measured accuracy, time and memory."""
    lines = [["plan", "left out", "held back", "lowest to highest", "time: predicted", "taken", "error",
              "memory: predicted", "taken", "error"]]  # fmt: skip
    for each in rows:
        left_out = "" if each["left_out_accuracy"] is None else f"{each['left_out_accuracy']:.3f}"
        time = [f"{each['seconds_said']:.1f} s", "", ""]
        if each["seconds"]:
            time[1:] = f"{each['seconds']:.1f} s", f"{100 * each['error_of_seconds']:+.0f} %"
        memory = [f"{each['bytes_said'] / 1e6:.0f} MB", "", ""]
        if each["bytes"]:
            memory[1:] = f"{each['bytes'] / 1e6:.0f} MB", f"{100 * each['error_of_bytes']:+.0f} %"
        lines.append([
            each["name"], left_out, f"{each['accuracy']:.3f}",
            f"{min(each['accuracies']):.3f} to {max(each['accuracies']):.3f}",
            *time, *memory,
        ])  # fmt: skip
    return table(lines)


def verdict(rows, ranking):
    """Return whether the advice was good: the accuracy lost by each way to choose a cut, and the largest errors."""
    measured = {row["cut"]: row["accuracy"] for row in rows if row["unfreeze"] is None}
    best = max(measured.values())
    choices = {
        "The advice": ranking.advised,
        "The left-out accuracy": ranking.order[0],
        "LogME": max(ranking.order, key=lambda cut: cut.logme),
        "The H-score": max(ranking.order, key=lambda cut: cut.h_score),
    }
    errors = {
        name: [abs(row[f"error_of_{name}"]) for row in rows if row[f"error_of_{name}"] is not None]
        for name in ("seconds", "bytes")
    }
    return {
        "best_cut": max(measured, key=measured.get),
        "choices": {name: {"cut": cut.name, "lost": best - measured[cut.name]} for name, cut in choices.items()},
        "order": sorted(measured, key=lambda cut: -measured[cut]),
        "said_order": [cut.name for cut in ranking.order],
        **{f"largest_error_{name}": max(each, default=None) for name, each in errors.items()},
        **{f"median_error_{name}": float(np.median(each)) if each else None for name, each in errors.items()},
    }


def sentences(results):
    """Yield the verdict as sentences."""
    yield f"Predicted order: {', '.join(results['said_order'])}. Measured order: {', '.join(results['order'])}."
    for name, choice in results["choices"].items():
        yield f"{name} chooses {choice['cut']}, {100 * choice['lost']:.1f} points below the best cut."
    for key, name in ("seconds", "Time"), ("bytes", "Memory"):
        if results[f"largest_error_{key}"] is not None:
            median, largest = results[f"median_error_{key}"], results[f"largest_error_{key}"]
            yield f"{name}: the median error is {100 * median:.0f} %, the largest {100 * largest:.0f} %."

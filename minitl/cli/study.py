"""How transferable are features? The experiment of Yosinski et al. (2014) at small scale.

minitl study transfer                          on the bundled pictures: ten minutes on two cores
minitl study transfer --quick                  three seeds and three cuts: two minutes
minitl study transfer --plot study.svg         a picture as well (needs matplotlib)
minitl study transfer --data fashion_mnist/    on more pictures, from the original files

A network learns task B. Then, for every n, the first n layers of it, or of a network that has
learned task A, are kept, frozen or not, and the rest is learned anew. Prints the accuracies, and
which of the paper's findings they show. Ctrl-C ends it with what is done until then.
"""

import argparse
import textwrap
import time
from typing import NamedTuple

import numpy as np

from .. import __version__, data, interruption
from ..arguments import whole_number
from ..course.study import findings, halves, plot, transfer_study
from ..course.study.network import CUTTABLE
from ..errors import ArgumentError, MinitlError
from ..files.results import check_writable, write_json
from ..kernels.parallel import threads
from ..terminal import table

HELP = "which layers carry over to another task? (Yosinski et al. 2014)"


class Extent(NamedTuple):
    """How much is done. `pictures` of each class are drawn for each seed; None: all that there are."""

    seeds: int
    epochs: int
    cuts: tuple | None = None
    pictures: int | None = None


# Epochs: enough that baseB is right on every picture that it has learned from.
BUNDLED = Extent(seeds=8, epochs=20)
MOST_PROCESSES = 16  # each takes a core and 100 MB; Windows allows 61
BUNDLED_PICTURES = 50  # of each class
QUICK = Extent(seeds=3, epochs=20, cuts=(1, 3, 6))
ORIGINAL = Extent(seeds=5, epochs=12, pictures=200)


def add_arguments(parser):
    studies = parser.add_subparsers(dest="study", metavar="STUDY", required=True)
    one = studies.add_parser(
        "transfer",
        help="copy the first n layers, for every n",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("--data", metavar="IDX_FOLDER", help="the folder with Fashion-MNIST's four original files")
    one.add_argument("--quick", action="store_true", help="three seeds, three cuts, the bundled pictures")
    one.add_argument(
        "--split", choices=[*halves.HALVES, "both"], default="both", help="how the classes are divided (default: both)"
    )
    one.add_argument(
        "--seeds", type=int, help=f"repetitions (default: {BUNDLED.seeds}; with --data {ORIGINAL.seeds}; at least 2)"
    )
    one.add_argument(
        "--pictures", type=int, metavar="N", help=f"with --data: to learn from, a class (default: {ORIGINAL.pictures})"
    )
    one.add_argument("--plot", metavar="FILE", help=f"draw the curves there ({', '.join(plot.FORMATS)})")
    one.add_argument("--json", metavar="FILE", default=argparse.SUPPRESS, help="write the results there as well")


def run(options):
    check_writable(options.json, options.plot)
    if options.plot:
        plot.check(options.plot)
    extent = extent_of(options)
    pictures = data.fashion_mnist(options.data) if options.data else data.fashion_mnist_few_shot()
    splits = halves.HALVES if options.split == "both" else [options.split]
    study = transfer_study.new_study(pictures, splits, extent.seeds, extent.epochs, extent.cuts, extent.pictures)
    introduce(study, splits, extent)
    start, results = time.perf_counter(), []

    def finish(is_complete):
        seconds = time.perf_counter() - start
        report(study, results, seconds)
        if options.plot and results:
            plot.draw(findings.summary(results), options.plot, about(study, len({each.seed for each in results})))
            print(f"\nThe picture: {options.plot}")
        write_json(options.json, as_data(study, results, extent, seconds, is_complete))

    with interruption.graceful():
        try:
            for result in transfer_study.run(study, workers=min(threads(), MOST_PROCESSES)):
                results.append(result)
                left = (time.perf_counter() - start) / len(results) * (study.trainings - len(results))
                print(progress_line(result, len(results), study.trainings, left), flush=True)
        except (interruption.Interrupted, MinitlError):
            print(f"\nEnded after {len(results)} of {study.trainings} trainings.")
            finish(is_complete=False)
            raise
    finish(is_complete=True)


def extent_of(options):
    """How much the options ask for. Raises ArgumentError where they contradict each other."""
    if options.quick and options.data:
        raise ArgumentError("--quick is for the bundled pictures; leave out --data, or make it small with --pictures.")
    if options.pictures is not None and not options.data:
        raise ArgumentError("--pictures goes with --data; all of the bundled ones are used.")
    extent = QUICK if options.quick else ORIGINAL if options.data else BUNDLED
    given = {"seeds": options.seeds, "pictures": options.pictures}
    if options.pictures is not None:  # of few pictures, as many are looked at in all as of the bundled ones
        looks = BUNDLED.epochs * BUNDLED_PICTURES
        given["epochs"] = max(extent.epochs, -(-looks // whole_number(options.pictures, "--pictures")))
    return extent._replace(**{name: value for name, value in given.items() if value is not None})


def about(study, seeds):
    """What was measured, in one line."""
    task = next(iter(study.tasks.values()))
    return (
        f"{len(task.x_train):,} pictures of B to learn from, {len(task.x_test):,} to test on; "
        f"mean of {seeds} seeds and its 95% interval (t)"
    )


def introduce(study, splits, extent):
    for split in splits:
        for half, title in ("A", f"{split} halves"), ("B", ""):
            print(f"{title:<17}  {half}: {', '.join(halves.HALVES[split][half])}")
    print(f"{about(study, extent.seeds)}.\n{study.trainings} trainings of {study.epochs} epochs:\n", flush=True)


def progress_line(result, done, trainings, left):
    what = f"{result.split:<10}  {result.treatment:<5}  " + (f"n = {result.cut}" if result.cut else "     ")
    time_left = f"{left / 60:.0f} min" if left > 90 else f"{left:.0f} s"
    return (
        f"{done:>{len(str(trainings))}}/{trainings}  {what}  seed {result.seed}  accuracy {result.accuracy:.3f}  "
        f"{result.seconds:4.1f} s  ({time_left} left)"
    )


def report(study, results, seconds):
    """The tables, and what they say."""
    for split, curves in findings.summary(results).items():
        print(f"\n{split} halves: accuracy on B")
        base = curves.get(transfer_study.BASE, {}).get(0)
        rows = [["n", "last copied", *transfer_study.TREATMENTS]]
        for cut in study.cuts:
            rows.append(
                [cut, CUTTABLE[cut - 1], *(cell(curves.get(n, {}).get(cut)) for n in transfer_study.TREATMENTS)]
            )
        print(table(rows))
        print(f"baseB: {cell(base)}")
    found = findings.findings(results)
    for split in dict.fromkeys(finding.split for finding in found):
        print(f"\nWhat of the paper is seen in {'these two' if split == findings.BOTH else f'the {split} halves'}")
        for finding in found:
            if finding.split == split:
                say(finding)
    print(
        f"\n{len(results)} trainings, {seconds / 60:.1f} min in all. How this was done: minitl/course/study/transfer_study.py"
    )


def cell(interval):
    if interval is None:
        return ""
    spread = "" if interval.high is None else f" ±{interval.high - interval.mean:.3f}"
    return f"{interval.mean:.3f}{spread}"


def as_data(study, results, extent, seconds, is_complete):
    """What `--json` writes."""
    key = next(iter(study.tasks))
    return {
        "is_complete": is_complete,
        "halves": {split: halves.HALVES[split] for split, _ in study.tasks},
        "training_pictures": len(study.tasks[key].x_train),
        "test_pictures": len(study.tasks[key].x_test),
        "seeds": extent.seeds,
        "epochs": extent.epochs,
        "cuts": {cut: CUTTABLE[cut - 1] for cut in study.cuts},
        "summary": {
            split: {name: {cut: each._asdict() for cut, each in cuts.items()} for name, cuts in curves.items()}
            for split, curves in findings.summary(results).items()
        },
        "findings": [{**each._asdict(), "effect": each.effect._asdict()} for each in findings.findings(results)],
        "accuracy": by_seed(results),
        "trainings": len(results),
        "seconds": seconds,
        "seconds_of_all_processes": sum(each.seconds for each in results),
        "versions": {"minitl": __version__, "numpy": np.__version__},
    }


def by_seed(results):
    """{split: {treatment: {cut: {seed: accuracy}}}}: everything that was measured."""
    found = {}
    for each in sorted(results):
        cuts = found.setdefault(each.split, {}).setdefault(each.treatment, {})
        cuts.setdefault(each.cut, {})[each.seed] = each.accuracy
    return found


def say(finding):
    verdict, measured = str(finding).split("\n")
    print(textwrap.fill(verdict, 100, initial_indent="  ", subsequent_indent="      "))
    print(textwrap.fill(measured, 100, initial_indent="      ", subsequent_indent="      "))

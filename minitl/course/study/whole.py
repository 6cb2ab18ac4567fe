"""The whole study: its extent, its run, and its results, also where it is ended early."""

import time
from typing import NamedTuple

import numpy as np

from ... import data, interruption
from ...arguments import truth_value
from ...errors import MinitlError
from ...files.results import write_json
from ...files.writable import check_writable
from ...kernels.parallel import threads
from ...recipes.settings import SettingError, require_whole_number
from ...version import __version__
from . import findings, halves, plot, transfer_study, words
from .network import CUTTABLE

MOST_PROCESSES = 16  # each takes a core and 100 MB; Windows allows 61
BUNDLED_IMAGES = 50  # of each class


class Extent(NamedTuple):
    """The extent of a study. `pictures` training images of each class are drawn for each seed; None: all of them."""

    seeds: int
    epochs: int
    cuts: tuple | None = None
    pictures: int | None = None


# Epochs: enough that baseB is right on every training image.
BUNDLED = Extent(seeds=8, epochs=20)
QUICK = Extent(seeds=3, epochs=20, cuts=(1, 3, 6))
ORIGINAL = Extent(seeds=5, epochs=12, pictures=200)


def extent_of(folder_of_files=None, quick=False, seeds=None, pictures=None):
    """Return the `Extent` for the arguments of `study_transfer`. Raises SettingError where they contradict."""
    quick = truth_value(quick, "quick")
    if seeds is not None:
        require_whole_number("seeds", seeds, least=2)  # one seed has no interval
    if quick and folder_of_files:
        text = "{} is for the bundled images. Leave out {}, or make it small with {}."
        raise SettingError(text, "quick", "folder_of_files", "pictures")
    if pictures is not None and not folder_of_files:
        raise SettingError("{} needs {}: of the bundled images, all are used.", "pictures", "folder_of_files")
    extent = QUICK if quick else ORIGINAL if folder_of_files else BUNDLED
    given = {"seeds": seeds, "pictures": pictures}
    if pictures is not None:  # with fewer images more epochs, so that the number of steps is that of the bundled set
        require_whole_number("pictures", pictures)
        given["epochs"] = max(extent.epochs, -(-BUNDLED.epochs * BUNDLED_IMAGES // pictures))
    return extent._replace(**{name: value for name, value in given.items() if value is not None})


def study_transfer(
    folder_of_files=None, quick=False, split="both", seeds=None, pictures=None, picture=None, json=None, map=None
):
    """Run the study, and print its progress and its result. Returns the results as data.

    folder_of_files    Fashion-MNIST's four original files (default: the bundled images)
    quick      three seeds and three cuts, with the bundled images
    split      how the classes are divided: one of `halves.HALVES`, or "both"
    seeds      number of repetitions;   pictures   training images of each class
    picture    file for the figure;   json   file for the results
    map        a callable like Python's `map` that does the trainings elsewhere; None: processes on this machine

    After Ctrl-C or an error, it prints and keeps the results so far, and raises.
    """
    check_writable(json, picture)
    if picture:
        plot.check(picture)
    extent = extent_of(folder_of_files, quick, seeds, pictures)
    images = data.fashion_mnist(folder_of_files) if folder_of_files else data.fashion_mnist_few_shot()
    splits = halves.HALVES if split == "both" else [split]
    study = transfer_study.new_study(images, splits, extent.seeds, extent.epochs, extent.cuts, extent.pictures)
    print(words.introduction(study, splits, extent.seeds), flush=True)
    start, results = time.perf_counter(), []

    def finish(is_complete):
        seconds = time.perf_counter() - start
        print(words.report(study, results, seconds))
        if picture and results:
            seen = len({each.seed for each in results})
            plot.draw(findings.summary(results), picture, words.about(study, seen))
            print(f"\nThe figure: {picture}")
        found = as_data(study, results, extent, seconds, is_complete)
        write_json(json, found)
        return found

    with interruption.graceful():
        try:
            for result in transfer_study.run(study, min(threads(), MOST_PROCESSES), map):
                results.append(result)
                left = (time.perf_counter() - start) / len(results) * (study.trainings - len(results))
                print(words.progress_line(result, len(results), study.trainings, left), flush=True)
        except (interruption.Interrupted, MinitlError):
            print(f"\nEnded after {len(results)} of {study.trainings} trainings.")
            finish(is_complete=False)
            raise
    return finish(is_complete=True)


def as_data(study, results, extent, seconds, is_complete):
    """Return everything in a form that JSON can hold."""
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
    """Return {split: {treatment: {cut: {seed: accuracy}}}}: everything that was measured."""
    found = {}
    for each in sorted(results):
        cuts = found.setdefault(each.split, {}).setdefault(each.treatment, {})
        cuts.setdefault(each.cut, {})[each.seed] = each.accuracy
    return found

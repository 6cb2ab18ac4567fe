"""The whole study of pre-training without labels: its extent, its run, what is kept of it, and its results."""

import time
from functools import partial

import numpy as np

from ... import interruption
from ...errors import MinitlError
from ...files.results import write_json
from ...files.writable import check_writable
from ...kernels.parallel import threads
from ...progress import Progress
from ...version import __version__
from ..study import kept
from ..study.extents import chosen_extent
from ..study.processes import runner
from . import plot, words
from .findings import findings, summary
from .worth import BASES, Extent, Worth, measure

MOST_PROCESSES = 16
WHOLE = Extent(None, unlabelled=10_000, epochs=10, labels=(10, 50, 500), test_images=2_000, seeds=5)
QUICK = Extent(None, unlabelled=2_000, epochs=4, labels=(10, 50), test_images=1_000, seeds=3)
BUNDLED = Extent(None, unlabelled=250, epochs=40, labels=(10, 40), test_images=500, seeds=3)


def extent_of(folder_of_files=None, quick=False, seeds=None):
    """Return the `Extent` for the arguments of `study_pretraining`."""
    return chosen_extent(WHOLE, QUICK, BUNDLED, 250, folder_of_files, quick, seeds)


def study_pretraining(folder_of_files=None, quick=False, seeds=None, keep=None, picture=None, json=None):
    """Measure what bases are worth that were trained without labels. Prints the progress and the result, and returns
    the results as data.

    folder_of_files   Fashion-MNIST's four original files; None: the bundled images, with `quick` alone
    quick             few images and epochs: three minutes
    seeds             number of repetitions
    keep              a folder for what is done: the same command goes on there after it was stopped
    picture           file for the figure;   json   file for the results

    After Ctrl-C or an error, it prints and keeps the results so far, and raises.
    """
    check_writable(json, picture)
    if picture:
        plot.check(picture)
    extent = extent_of(folder_of_files, quick, seeds)
    print(words.introduction(extent), flush=True)
    start, results, seconds_of = time.perf_counter(), [], {}

    def finish(is_complete):
        print(words.report(results, extent, seconds_of, time.perf_counter() - start))
        if picture and results:
            plot.draw(summary(results), picture, words.about(extent))
            print(f"\nThe figure: {picture}")
        found = as_data(results, extent, seconds_of, time.perf_counter() - start, is_complete)
        write_json(json, found)
        return found

    with interruption.graceful():
        try:
            for base, seed, found, seconds in _all_measured(extent, keep):
                results += found
                seconds_of[base, seed] = seconds
                print(words.progress_line(base, seed, found, seconds), flush=True)
        except (interruption.Interrupted, MinitlError):
            print(f"\nEnded after {len(seconds_of)} of {len(BASES) * extent.seeds} bases.")
            finish(is_complete=False)
            raise
    return finish(is_complete=True)


def _all_measured(extent, keep):
    """Yield (base, seed, list of `Worth`, seconds) for each base and seed, first those that were kept before."""
    jobs = []
    for seed in range(extent.seeds):  # seed by seed, so that a study that was stopped has complete seeds
        for base in BASES:
            before = kept.found(keep, f"{base}-{seed}", extent, _read)
            if before is None:
                jobs.append((base, seed))
            else:
                yield base, seed, *before
    workers = min(threads(), MOST_PROCESSES, max(len(jobs), 1))
    with runner(workers) as run_all, Progress("Bases", len(jobs), covers=True) as bar:
        for base, seed, found, seconds in run_all(partial(measured, extent), jobs):
            kept.store(keep, f"{base}-{seed}", extent, {"worth": found, "seconds": seconds})
            bar.advance(1)
            yield base, seed, found, seconds


def measured(extent, job):
    """Return (base, seed, list of `Worth`, seconds) of a job (base, seed)."""
    return *job, *measure(extent, *job)


def _read(result):
    """Return (list of `Worth`, seconds) of what was kept."""
    return [Worth(*each) for each in result["worth"]], float(result["seconds"])


def as_data(results, extent, seconds_of, seconds, is_complete):
    """Return everything in a form that JSON can hold."""
    return {
        "is_complete": is_complete,
        **{name: value for name, value in extent._asdict().items() if name != "folder"},
        "summary": {
            task: {way: {base: {n: i._asdict() for n, i in by_labels.items()} for base, by_labels in bases.items()}
                   for way, bases in ways.items()} for task, ways in summary(results).items()
        },
        "findings": [{**each._asdict(), "effect": each.effect._asdict()} for each in findings(results)],
        "accuracies": [each._asdict() for each in results],
        "seconds_of_pretraining": {f"{base}-{seed}": value for (base, seed), value in seconds_of.items()},
        "seconds": seconds,
        "versions": {"minitl": __version__, "numpy": np.__version__},
    }  # fmt: skip

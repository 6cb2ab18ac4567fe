"""The whole study of images that are made: does the generator learn, and are its images of use to a classifier?

For each seed:

 1. A pair learns from real images with labels (`training`). The Fréchet distance of its images to real ones is measured
    at the start and as it learns; at the end, a network that was trained on *other* real images names the made ones.
 2. A second pair learns from a few of these images only, for as many steps.
 3. Classifiers learn from: the few real images; the made ones of the first pair; few real and made ones together, of
    the first pair and of the second; and all real images that the first pair has seen. All are tried on the same real
    test images.

The first pair has seen all real images with their labels, so its images may bring something to the few. A fair question
is asked of the second pair: it knows nothing but the few, so can its images add anything to them?
"""

import time
from functools import partial
from typing import NamedTuple

import numpy as np

from ... import data, interruption
from ...errors import MinitlError
from ...files.results import write_json
from ...files.writable import check_writable
from ...kernels.parallel import threads
from ...progress import Progress
from ...version import __version__
from ..study import kept
from ..study.extents import chosen_extent
from ..study.findings import interval
from ..study.halves import DEVIATION, MEAN, Task, fewer, task
from ..study.processes import runner
from . import samples, words
from .judging import as_prepared, new_judge, worth
from .networks import SIDE
from .training import made_images, train

CLASSIFIERS = ("few", "made", "few and made", "few and made from few", "all real")


class Extent(NamedTuple):
    """The extent of the study.

    folder    Fashion-MNIST's four files; None: the bundled images
    real      images that the first pair learns from;   few   images of each class, for the second pair
    epochs    of the first pair;   made   images that a classifier learns from
    steps     of a classifier, of 32 images each
    shown     the epochs after which images are kept for the figure, and the distance is measured
    """

    folder: str | None
    real: int
    few: int
    epochs: int
    made: int
    test_images: int
    seeds: int
    steps: int
    shown: tuple


class Run(NamedTuple):
    """The result of one seed.

    distances    {epochs: Fréchet distance};   losses   of each epoch (generator, discriminator)
    right        the share of made images that are named as they were asked for;   right_by_class   of each class
    accuracies   {what a classifier learned from: accuracy on real test images}
    samples      {epochs: uint8 (classes, 10, 28, 28)}, ten images of each class
    seconds      of the first pair's training
    """

    seed: int
    distances: dict
    losses: list
    right: float
    right_by_class: list
    accuracies: dict
    samples: dict
    seconds: float


WHOLE = Extent(None, 10_000, 50, 12, 5_000, 2_000, 5, 1_250, (0, 1, 2, 4, 8, 12))
QUICK = Extent(None, 3_000, 50, 6, 2_000, 1_000, 2, 400, (0, 1, 2, 4, 6))
BUNDLED = Extent(None, 500, 25, 30, 1_000, 500, 2, 400, (0, 5, 10, 20, 30))


def extent_of(folder_of_files=None, quick=False, seeds=None):
    """Return the `Extent` for the arguments of `study_gan`."""
    return chosen_extent(WHOLE, QUICK, BUNDLED, 500, folder_of_files, quick, seeds)


def study_gan(folder_of_files=None, quick=False, seeds=None, plot=None, json=None, keep=None):
    """Run the study, and print its progress and its result. Returns the results as data.

    folder_of_files   Fashion-MNIST's four original files; None: the bundled images, with `quick` alone
    quick             few images and epochs;   seeds   number of repetitions
    plot              file for the figure of the made images;   json   file for the results
    keep              a folder for the seeds that are done: the same command goes on there after it was stopped

    After Ctrl-C or an error, it prints and keeps the results so far, and raises.
    """
    check_writable(json, plot)
    if plot:
        samples.check(plot)
    extent = extent_of(folder_of_files, quick, seeds)
    print(words.introduction(extent), flush=True)
    start, runs = time.perf_counter(), []

    def finish(is_complete):
        print(words.report(runs, extent, time.perf_counter() - start))
        if plot and runs:
            samples.draw(min(runs, key=lambda run: run.seed), plot)
            print(f"\nThe figure: {plot}")
        found = as_data(runs, extent, time.perf_counter() - start, is_complete)
        write_json(json, found)
        return found

    with interruption.graceful():
        try:
            for run in _all_measured(extent, keep):
                runs.append(run)
                print(words.progress_line(run), flush=True)
        except (interruption.Interrupted, MinitlError):
            print(f"\nEnded after {len(runs)} of {extent.seeds} seeds.")
            finish(is_complete=False)
            raise
    return finish(is_complete=True)


def _all_measured(extent, keep):
    """Yield the `Run` of each seed, first those that were kept before."""
    seeds = []
    for seed in range(extent.seeds):
        before = kept.found(keep, f"seed-{seed}", extent, _read)
        if before is None:
            seeds.append(seed)
        else:
            yield before
    workers = min(threads(), max(len(seeds), 1))
    with runner(workers) as run_all, Progress("Seeds", len(seeds), covers=True) as bar:
        for run in run_all(partial(measured, extent), seeds):
            shown = {epoch: images.tobytes().hex() for epoch, images in run.samples.items()}
            kept.store(keep, f"seed-{run.seed}", extent, {**run._asdict(), "samples": shown})
            bar.advance(1)
            yield run


def _read(result):
    """Return the `Run` of what was kept: epochs, the keys, become numbers again, and texts images."""
    distances = {int(epoch): distance for epoch, distance in result["distances"].items()}
    shape = len(result["right_by_class"]), 10, SIDE, SIDE
    shown = {
        int(epoch): np.frombuffer(bytes.fromhex(text), np.uint8).reshape(shape)
        for epoch, text in result["samples"].items()
    }
    return Run(**{**result, "distances": distances, "samples": shown})


def measured(extent, seed):
    """Run one seed of the study. Returns a `Run`."""
    images = data.fashion_mnist(extent.folder) if extent.folder else data.fashion_mnist_few_shot()
    whole = task(images, images.class_names)
    whole = whole._replace(x_test=whole.x_test[: extent.test_images], y_test=whole.y_test[: extent.test_images])
    order = np.random.default_rng(seed).permutation(len(whole.x_train))
    real = _part(whole, order[: extent.real])
    other = _part(whole, order[-extent.real :])  # no image of these is seen by a pair, if there are enough
    judge = new_judge(other, -(-extent.steps * 32 // len(other.x_train)), seed)

    classes = len(whole.class_names)
    labels = np.arange(extent.made) % classes
    distances, shown, started = {}, {}, time.perf_counter()

    def look(epoch, pair):
        if epoch in extent.shown:
            made = made_images(pair, labels[:2000], seed)
            distances[epoch] = judge.distance(as_prepared(made))
            shown[epoch] = pixels(made[: 10 * classes]).reshape(10, classes, SIDE, SIDE).swapaxes(0, 1)

    pair, losses = train(scaled(real.x_train), real.y_train, classes, extent.epochs, seed, 0, look)
    seconds = time.perf_counter() - started
    few = fewer(real, extent.few, seed)
    epochs = -(-extent.epochs * len(real.x_train) // len(few.x_train))
    second, _ = train(scaled(few.x_train), few.y_train, classes, epochs, seed, 0)
    made, from_few = (as_prepared(made_images(each, labels, seed + 1)) for each in (pair, second))
    right, by_class = judge.named_right(made, labels)
    sets = {
        "few": (few.x_train, few.y_train),
        "made": (made, labels),
        "few and made": (np.concatenate([few.x_train, made]), np.concatenate([few.y_train, labels])),
        "few and made from few": (np.concatenate([few.x_train, from_few]), np.concatenate([few.y_train, labels])),
        "all real": (real.x_train, real.y_train),
    }
    accuracies = {name: worth(x, y, whole, -(-extent.steps * 32 // len(x)), seed) for name, (x, y) in sets.items()}
    return Run(seed, distances, losses, right, by_class, accuracies, shown, seconds)


def _part(whole, chosen):
    """Return a task with these training images only."""
    return Task(whole.x_train[chosen], whole.y_train[chosen], whole.x_test, whole.y_test, whole.class_names)


def scaled(images):
    """Return images of `study.halves.prepare` in the generator's scale, -1 to 1."""
    return ((images * np.float32(DEVIATION) + np.float32(MEAN)) / np.float32(127.5) - 1).astype(np.float32)


def pixels(images):
    """Return images (N, H, W, 1) from -1 to 1 as uint8 (N, H, W)."""
    return np.clip(np.rint((images[..., 0] + 1) * 127.5), 0, 255).astype(np.uint8)


def as_data(runs, extent, seconds, is_complete):
    """Return everything in a form that JSON can hold; the images are left out."""
    runs = sorted(runs, key=lambda run: run.seed)
    names = CLASSIFIERS if runs else ()
    return {
        "is_complete": is_complete,
        **{name: value for name, value in extent._asdict().items() if name != "folder"},
        "accuracy": {name: interval([run.accuracies[name] for run in runs])._asdict() for name in names},
        "runs": [{**run._asdict(), "samples": None, "losses": np.array(run.losses).tolist()} for run in runs],
        "seconds": seconds,
        "versions": {"minitl": __version__, "numpy": np.__version__},
    }

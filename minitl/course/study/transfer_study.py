"""The experiment: for every n, keep the first n layers of a trained network, renew the rest, and train on task B.

    baseB   the network trained on B from random weights: all others are compared with it
    BnB     the first n layers of baseB, frozen; the rest starts at random again and is trained on B, too
    BnB+    the same, but the first n layers are fine-tuned with the rest
    AnB     the first n layers of a network that was trained on A, frozen
    AnB+    the same, fine-tuned
    RnB     the first n layers are random, frozen: the accuracy when they have learned nothing

Each pair of these answers a question. BnB below baseB: layers that were trained together depend on each other, and
training does not restore the lost ones ("fragile co-adaptation"). AnB below BnB: the layers have become specific to A.
AnB above RnB: they are not *only* specific to A. AnB+ above BnB+: layers trained on A help even where all layers are
trainable.

For one seed, all treatments train on the same images in the same order, and their new layers start from the same random
numbers. So treatments can be compared in pairs. These random numbers differ from those of baseB: a new layer must not
start where the lost one did.

Base A is the same for all seeds (`pretraining.bundled_base`). It was trained on 30,000 images. baseB is trained anew
for each seed, on the few images of B that the others get. In the paper, both were trained on the same number.

Read before: `halves`, `network`, `pretraining`. Called by `minitl study transfer`. Read next: `findings`.
"""

import threading
import time
from functools import partial
from typing import NamedTuple

from ... import transfer
from ...arguments import whole_number
from ...errors import ArgumentError
from ...kernels.parallel import in_this_thread
from ...randomness import set_random_seed
from .halves import HALVES, fewer, task
from .network import CUTTABLE, network
from .pretraining import bundled_base, train
from .processes import runner

BATCH_SIZE = 25
_one_at_a_time = threading.Lock()  # minitl's random numbers are one sequence for the whole process


class Treatment(NamedTuple):
    """The origin of the first layers ("A", "B", or None for random ones), and whether they are frozen."""

    base: str | None
    frozen: bool


TREATMENTS = {
    "BnB": Treatment("B", frozen=True),
    "BnB+": Treatment("B", frozen=False),
    "AnB": Treatment("A", frozen=True),
    "AnB+": Treatment("A", frozen=False),
    "RnB": Treatment(None, frozen=True),
}
BASE = "baseB"


class Job(NamedTuple):
    """One training. For baseB, `cut` is 0."""

    split: str
    treatment: str
    cut: int
    seed: int


class Result(NamedTuple):
    """The result of a job: accuracy on the test images, on the training images in the last epoch, and the time."""

    split: str
    treatment: str
    cut: int
    seed: int
    accuracy: float
    training_accuracy: float
    seconds: float


class Study(NamedTuple):
    """The extent of a study.

    tasks      {(split, seed): `halves.Task` B}
    bases_a    {split: layers of base A, as `layers_of` returns them}
    epochs     of each training
    cuts       the numbers n of layers that are copied
    """

    tasks: dict
    bases_a: dict
    epochs: int
    cuts: tuple

    @property
    def base_jobs(self):
        """Return the trainings of baseB."""
        return [Job(split, BASE, 0, seed) for split, seed in self.tasks]

    @property
    def treatment_jobs(self):
        """Return all other trainings, seed by seed, so that an interrupted study has complete seeds."""
        by_seed = sorted(self.tasks, key=lambda key: key[1])
        return [Job(split, name, cut, seed) for split, seed in by_seed for cut in self.cuts for name in TREATMENTS]

    @property
    def trainings(self):
        """Return the number of trainings."""
        return len(self.base_jobs) + len(self.treatment_jobs)


def new_study(image_set, splits, seeds, epochs, cuts=None, per_class=None):
    """Return a `Study` of the tasks B in a `data.ImageSet`.

    splits      names in `halves.HALVES`
    seeds       number of repetitions, each with other random numbers
    per_class   training images of each class, others for each seed; None: all of them
    cuts        three or more of them; default: every one
    """
    whole_number(seeds, "seeds", least=2)  # one seed has no interval
    whole_number(epochs, "epochs")
    cuts = tuple(range(1, len(CUTTABLE) + 1)) if cuts is None else tuple(sorted(set(cuts)))
    if len(cuts) < 3 or cuts[0] < 1 or cuts[-1] > len(CUTTABLE):
        raise ArgumentError(f"cuts are {cuts}; expected at least three of 1 to {len(CUTTABLE)}.")
    tasks, bases_a = {}, {}
    for split in splits:
        whole = task(image_set, HALVES[split]["B"])
        bases_a[split] = layers_of(bundled_base(split))
        for seed in range(seeds):
            tasks[split, seed] = whole if per_class is None else fewer(whole, per_class, seed)
    return Study(tasks, bases_a, epochs, cuts)


def run(study, workers=1, map=None):
    """Run all trainings, and yield a `Result` as each of them ends.

    Each of `workers` is a process, because the layers are too small to be divided among threads. With several, the
    order of the results varies. The results are the same whoever does the trainings.

    map   a callable like Python's `map` that does the trainings elsewhere, instead of `workers`
    """
    layers_b = {}
    with runner(workers, map, _own_part) as run_all:
        for result, layers in run_all(partial(train_base, study), study.base_jobs):
            layers_b[result.split, result.seed] = layers
            yield result
        yield from run_all(partial(train_treated, study, layers_b), study.treatment_jobs)


def _own_part(work, job):
    """Return the work with only the job's own part of what all jobs share: it is sent to the process with each job."""
    study, *layers_b = work.args
    key = job.split, job.seed
    own = study._replace(tasks={key: study.tasks[key]})
    return partial(work.func, own, *({key: each[key]} for each in layers_b))


def layers_of(model):
    """Return {name: copies of its weights} of all layers that can be copied."""
    return {name: model.get_layer(name).get_weights() for name in CUTTABLE}


def train_base(study, job):
    """Train baseB. Returns (`Result`, its layers)."""
    with _one_at_a_time, in_this_thread(as_threads=1):
        set_random_seed(2 * job.seed)
        model = network(len(study.tasks[job.split, job.seed].class_names))
        return _trained(model, study, job), layers_of(model)


def train_treated(study, layers_b, job):
    """Run the training of a treatment. Returns its `Result`. `layers_b` is {(split, seed): layers of baseB}."""
    layers = {"A": study.bases_a[job.split], "B": layers_b[job.split, job.seed], None: {}}
    classes = len(study.tasks[job.split, job.seed].class_names)
    with _one_at_a_time, in_this_thread(as_threads=1):
        model = operated(job.treatment, job.cut, layers[TREATMENTS[job.treatment].base], classes, 2 * job.seed + 1)
        digest = transfer.frozen_digest(model)
        result = _trained(model, study, job)
    if transfer.frozen_digest(model) != digest:
        raise AssertionError("a frozen weight has moved")  # a bug in the library, not in anybody's input
    return result


def operated(treatment, cut, layers, classes, seed):
    """Return the network of a treatment before training.

    The first `cut` layers are copied from `layers` ({name: weights}) and frozen, as the treatment says. The rest gets
    random numbers by `seed`.
    """
    set_random_seed(seed)
    model = network(classes)
    if TREATMENTS[treatment].base is not None:
        for name in CUTTABLE[:cut]:
            model.get_layer(name).set_weights(layers[name])
    if TREATMENTS[treatment].frozen:
        transfer.freeze(model, until=CUTTABLE[cut - 1])
    return model


def _trained(model, study, job):
    """Train the model for a job and return the `Result`."""
    start = time.perf_counter()
    accuracy, training_accuracy = train(model, study.tasks[job.split, job.seed], study.epochs, BATCH_SIZE)
    return Result(*job, accuracy, training_accuracy, time.perf_counter() - start)

"""Batches that a program makes: a generator, a `PyDataset`, or any other object that gives one batch after the other.

    def batches():
        while True:
            yield images, labels                          # or images alone, or images, labels, sample weights

Nothing is known of a batch before it is made. So a frozen beginning runs in every epoch, and a stopped training cannot
go on in the middle. Where the examples are files or arrays, `ImageDataGenerator` and `image_dataset_from_directory`
give sources instead (`batches`).

Who calls this: `training.feeding`.
"""

from itertools import count as all_numbers
from itertools import islice

from ..errors import DataError, warn_of_data
from ..terminal import counted
from .batches import is_stream


class PyDataset:
    """Keras's base class of batches that a program makes by their numbers; Keras 2 called it `Sequence`.

    A subclass defines `__len__`, the number of batches, and `__getitem__(number)`, which returns a batch: (x, y) or
    (x, y, sample_weight). If it defines `on_epoch_begin` or `on_epoch_end`, they are called there. `num_batches` is
    None where the batches do not end. The arguments say how Keras shares the work, and change nothing here.
    """

    def __init__(self, workers=1, use_multiprocessing=False, max_queue_size=10):
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index):
        raise DataError(f"class {type(self).__name__} has no __getitem__(number), which returns the batch.")

    @property
    def num_batches(self):
        """The number of batches of an epoch, or None."""
        if not hasattr(self, "__len__"):
            raise DataError(f"class {type(self).__name__} has no __len__(), the number of batches of an epoch.")
        return len(self)

    def on_epoch_begin(self):
        """Do what is needed before an epoch."""

    def on_epoch_end(self):
        """Do what is needed after an epoch, such as drawing a new order."""


def makes_batches(x):
    """Return whether x is an object that makes batches, and neither an array, a stream, nor a list or dict of these."""
    if is_stream(x) or hasattr(x, "__array__") or isinstance(x, (list, tuple, dict, str, bytes)):
        return False
    return hasattr(x, "__iter__") or hasattr(type(x), "__getitem__")


class MadeBatches:
    """The batches of an object that makes them, divided into epochs as Keras does.

    made    the object
    steps   None: an epoch takes all batches. A number: it takes so many, and the next one goes on from there
    """

    def __init__(self, made, steps=None):
        self.made, self.steps = made, steps
        self.running = None  # the iterator that the next batch comes from
        self.seen = 0  # the batches that it has given

    @property
    def count(self):
        """The number of all batches, or None if it is unknown."""
        if hasattr(type(self.made), "num_batches"):
            return self.made.num_batches
        try:
            return len(self.made)
        except TypeError:  # a generator, or an object of another library that does not know it
            return None

    @property
    def total(self):
        """The number of batches of an epoch, or None if it is unknown."""
        return self.steps or self.count

    def epoch(self, rng=None, begins_anew=False):
        """Yield the batches of one epoch: (x, y, sample_weight), of which the last ones may be None.

        rng           draws the order of the batches where they have numbers. None: their own order
        begins_anew   True: begin with the first batch, as an evaluation does. A generator goes on all the same
        """
        self._tell("on_epoch_begin")
        if self.running is None or self.steps is None or begins_anew:
            self.running, self.seen = self._start(rng), 0
        done = 0
        for batch in islice(self.running, self.total):
            done, self.seen = done + 1, self.seen + 1
            yield unpacked(batch)
        if self.steps and done < self.steps or not done:
            _warn_of_the_end(done, self.steps)
        if self.seen == self.count or self.steps and done < self.steps:
            self.running = None  # the next epoch begins with the first batch again
        self._tell("on_epoch_end")

    def _start(self, rng):
        if not hasattr(type(self.made), "__getitem__"):
            return iter(self.made)
        if self.count is None:
            return map(self.made.__getitem__, all_numbers())
        order = range(self.count) if rng is None else rng.permutation(self.count).tolist()
        return map(self.made.__getitem__, order)

    def _tell(self, event):
        getattr(self.made, event, lambda: None)()


def _warn_of_the_end(done, steps):
    """Warn that there are fewer batches than an epoch wants."""
    wanted = f"an epoch takes {counted(steps, 'batch')}" if steps else "the next epoch has none left"
    advice = "Make the generator endless and give the number of batches, or give an object with a length."
    warn_of_data(f"the data came to its end after {counted(done, 'batch')}, and {wanted}. {advice}")


def unpacked(batch):
    """Return a batch as (x, y, sample_weight). Raises DataError for one of another form."""
    if isinstance(batch, dict) or hasattr(batch, "__array__"):
        return batch, None, None
    if not isinstance(batch, (tuple, list)) or not 1 <= len(batch) <= 3:
        size = f" of {len(batch)}" if isinstance(batch, (tuple, list)) else ""
        raise DataError(
            f"a batch is {type(batch).__name__}{size}; expected a tuple (x, y) or (x, y, sample_weight). With several "
            "inputs, x is a list or dict of arrays."
        )
    return (*batch, None, None)[:3]

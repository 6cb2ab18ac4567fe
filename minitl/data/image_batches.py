"""Images with labels as a set: what `ImageDataGenerator.flow...` and `image_dataset_from_directory` return.

    images = ImageStream(...)                            a stream: it reads and varies images when they are needed
    batches = ImageBatches(images, labels, 32)           a set: model.fit(batches)
    for x, y in batches: ...                             or batch by batch

`fit` takes the stream and the labels out of the set (`batches`), so that everything goes on as with arrays: the next
batch is read while this one is computed, a frozen beginning runs only once if the images do not vary, and a stopped
training goes on.
"""

import hashlib
import os
from pathlib import Path

import numpy as np

from ..arguments import whole_number
from ..errors import ArgumentError, DataError
from ..randomness import generator
from .photos import in_threads

OF_GENERATOR = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff")  # Keras's endings for ImageDataGenerator
OF_DATASET = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")  # and for image_dataset_from_directory


class ImageStream:
    """A stream of images that `load(number)` returns: float32 (H, W, C), N of them.

    load       returns an unprepared image
    prepare    `prepare(image, rng)` returns the image that a network is shown. `rng` draws how it varies; None: it does
               not vary
    varies     whether the images differ in each epoch
    identity   a function without arguments: returns a text that changes whenever the images change
    """

    is_stream = True
    dtype = np.dtype("float32")

    def __init__(self, load, shape, prepare, varies, identity, seed=0):
        self.load, self.shape, self.prepare, self.is_augmented, self.seed = load, shape, prepare, varies, seed
        self.identity = identity

    def __len__(self):
        return self.shape[0]

    @property
    def digest(self):
        """A text that changes whenever the images change."""
        return hashlib.sha256(repr((self.shape, self.seed, self.is_augmented, self.identity())).encode()).hexdigest()[
            :16
        ]

    def read(self, positions, epoch=None):
        """Return the images at `positions` (a slice or an array): (n, H, W, C). They vary with the epoch, also where it
        is None: as in Keras, a generator that varies images does so wherever it is used."""

        def one(position):
            rng = np.random.default_rng([self.seed, epoch or 0, position]) if self.is_augmented else None
            return self.prepare(self.load(position), rng)

        positions = np.arange(len(self))[positions].tolist()
        found = np.empty((len(positions), *self.shape[1:]), np.float32)
        for place, image in enumerate(in_threads(one, positions)):
            found[place] = image
        return found


class ImageBatches:
    """Images with labels, batch by batch. `fit`, `evaluate` and `predict` take it as a whole, and in its order.

    images          an `ImageStream`;   labels, sample_weight   arrays (N, ...), or None
    shuffle, seed   whether iterating draws a new order in each pass, and from which seed
    endless         True: iterating never ends, as in Keras's `flow`. False: it ends after one pass
    learns_images   True: the labels are the images themselves. Then it is no set: `fit` takes it batch by batch
    facts           further attributes: class_names, file_paths, ...
    """

    def __init__(
        self, images, labels, batch_size, shuffle, seed=None, sample_weight=None, endless=True, learns_images=False,
        **facts,
    ):  # fmt: skip
        self.images, self._labels, self._sample_weight, self.endless = images, labels, sample_weight, endless
        self.learns_images, self.is_set = learns_images, not learns_images
        self.batch_size, self.shuffles = whole_number(batch_size, "batch_size"), bool(shuffle)
        self.seed = int(generator().integers(2**31)) if seed is None else whole_number(seed, "seed", 0)
        self.n = self.samples = len(images)
        vars(self).update(facts)
        self.passes, self.batch_index = 0, 0

    @property
    def examples(self):
        return self.images, self._labels, self._sample_weight

    def __len__(self):
        return -(-self.n // self.batch_size)

    def __getitem__(self, number):
        if not -len(self) <= number < len(self):
            raise IndexError(f"batch {number} of {len(self)}")  # ends a loop over the numbers
        return self._batch(number % len(self), self.passes)

    def __iter__(self):
        return self if self.endless else map(self.__getitem__, range(len(self)))

    def __next__(self):
        batch = self._batch(self.batch_index, self.passes)
        self.batch_index += 1
        if self.batch_index == len(self):
            self.on_epoch_end()
        return batch

    def next(self):
        """Return the next batch, as `next(batches)` does."""
        return next(self)

    def reset(self):
        """Begin with the first batch again."""
        self.batch_index = 0

    def on_epoch_end(self):
        """Begin a new pass: images vary anew and, with `shuffle`, come in a new order."""
        self.passes, self.batch_index = self.passes + 1, 0

    def _batch(self, number, passes):
        order = np.random.default_rng([self.seed, passes]).permutation(self.n) if self.shuffles else np.arange(self.n)
        positions = order[number * self.batch_size : (number + 1) * self.batch_size]
        x = self.images.read(positions, passes)
        if self.learns_images:
            return x, x.copy()
        given = [each[positions] for each in (self._labels, self._sample_weight) if each is not None]
        return (x, *given) if given else x


def class_folders(directory):
    """Return the names of the folders in a folder, sorted, without hidden ones. Raises DataError if there are none."""
    try:
        names = sorted(each.name for each in os.scandir(directory) if each.is_dir() and not each.name.startswith("."))
    except OSError as error:
        raise DataError(f"{directory}: is no folder that can be read ({error.strerror}).") from None
    if not names:
        raise DataError(f"{directory}: has no subfolders; expected one with images for each class.")
    return names


def image_files(directory, names, suffixes, follow_links=False):
    """Return (paths within `directory`, their class numbers) of the files with these endings below the folders `names`,
    in Keras's order: class by class, folder by folder, sorted by name. A link to a folder is followed only with
    `follow_links`."""
    paths, labels = [], []
    for label, name in enumerate(names):
        top = os.path.join(directory, name)
        for folder, _, files in sorted(os.walk(top, followlinks=follow_links)):
            inside = os.path.relpath(folder, directory)
            found = [file for file in sorted(files) if Path(file).suffix.lower() in suffixes]
            paths += [os.path.normpath(os.path.join(inside, file)) for file in found]
            labels += [label] * len(found)
    return paths, labels


def identity_of(paths):
    """Return a text that changes whenever one of the files is replaced by one of another size or time."""
    digest = hashlib.sha256()
    for path in paths:
        status = os.stat(path)
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def one_hot_or_numbers(labels, mode, classes):
    """Return class numbers as Keras's modes have them: 'categorical' one-hot rows, 'binary' one column's numbers,
    'sparse' or 'int' the numbers; None for None."""
    labels = np.asarray(labels)
    if mode is None:
        return None
    if mode == "categorical":
        return np.eye(classes, dtype=np.float32)[labels]
    if mode == "binary" and classes != 2:
        raise ArgumentError(f"the labels are 'binary', but there are {classes} classes; expected 2.")
    return labels.astype(np.int32 if mode == "int" else np.float32)

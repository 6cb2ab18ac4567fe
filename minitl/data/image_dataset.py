"""`image_dataset_from_directory`: the images of a folder as a set, resized, from 0 to 255.

    train, val = image_dataset_from_directory("photos", image_size=(224, 224), validation_split=0.2, subset="both")
    model.fit(train, validation_data=val)                     # the model begins with Rescaling(1 / 255), say

For photographs of one's own, `data.audit_folder` also checks the files, and divides them so that copies stay together.
"""

import os

import numpy as np

from ..arguments import DATA_FORMAT, NotHere, keras_arguments, number, pair
from ..errors import ArgumentError, DataError
from ..kernels.images import resize
from ..randomness import generator
from .image_batches import (
    OF_DATASET,
    ImageBatches,
    ImageStream,
    class_folders,
    identity_of,
    image_files,
    one_hot_or_numbers,
)
from .made_batches import PyDataset
from .pillow_images import CHANNELS, img_to_array, load_img, require_color_mode

LABEL_MODES = {"int": "int", "categorical": "categorical", "binary": "binary", None: None}


@keras_arguments(after="crop_to_aspect_ratio", pad_to_aspect_ratio=NotHere(False), data_format=DATA_FORMAT)
@keras_arguments(after="crop_to_aspect_ratio", format=NotHere("tf", ("grain",)))
def image_dataset_from_directory(
    directory,
    labels="inferred",
    label_mode="int",
    class_names=None,
    color_mode="rgb",
    batch_size=32,
    image_size=(256, 256),
    shuffle=True,
    seed=None,
    validation_split=None,
    subset=None,
    interpolation="bilinear",
    follow_links=False,
    crop_to_aspect_ratio=False,
    verbose=True,
):
    """Return an `ImageDataset` of the images in a folder with a subfolder for each class.

    labels        "inferred" from the subfolders; None; or a list with the class number of each file, in sorted order
    label_mode    "int": numbers; "categorical": one-hot rows; "binary": 0.0 and 1.0, (N, 1); None: images alone
    class_names   None, or the names of the subfolders in the order of their numbers
    shuffle       a new order in each pass. The files are mixed once by `seed` before they are divided, as in Keras: the
                  same seed gives the same parts
    subset        with validation_split: "training", "validation", or "both" for a list of the two
    interpolation              "bilinear" or "nearest"
    crop_to_aspect_ratio       True: the largest part in the middle with the aspect ratio of image_size is resized

    Raises DataError if there are no images, ArgumentError for arguments that do not go together.
    """
    if interpolation not in ("bilinear", "nearest"):
        raise ArgumentError(f"interpolation is {interpolation!r}; expected 'bilinear' or 'nearest'.")
    if label_mode not in LABEL_MODES:
        raise ArgumentError(f"label_mode is {label_mode!r}; expected one of {', '.join(map(repr, LABEL_MODES))}.")
    require_color_mode(color_mode)
    _require_parts(validation_split, subset, shuffle, seed)
    seed = int(generator().integers(10**6)) if seed is None else seed
    folders = [""] if labels != "inferred" else list(class_names or class_folders(directory))
    if labels == "inferred" and class_names and set(class_names) != set(class_folders(directory)):
        raise ArgumentError(f"class_names is {class_names}; expected the subfolders {class_folders(directory)}.")
    files, numbers = image_files(directory, folders, OF_DATASET, follow_links)
    if class_names is not None and labels != "inferred":
        raise ArgumentError("class_names is given, and labels is not 'inferred'; leave class_names out.")
    if isinstance(labels, str) and labels != "inferred":
        raise ArgumentError(f"labels is {labels!r}; expected 'inferred', None, or a list with a number for each file.")
    if labels != "inferred":
        numbers, label_mode = ([0] * len(files), None) if labels is None else (list(labels), label_mode)
        folders = [] if labels is None else [str(label) for label in sorted(set(labels))]
        if len(numbers) != len(files):
            raise DataError(f"{directory}: holds {len(files)} images, and there are {len(numbers)} labels.")
    if verbose:
        print(f"Found {len(files)} files" + (f" belonging to {len(folders)} classes." if folders else "."))
    paths, numbers = np.array([os.path.join(directory, file) for file in files], object), np.array(numbers, np.int32)
    if shuffle:
        order = np.arange(len(paths))
        np.random.RandomState(seed).shuffle(order)  # Keras's order
        paths, numbers = paths[order], numbers[order]
    held_back = int((validation_split or 0) * len(paths))
    parts = {"training": slice(None, len(paths) - held_back), "validation": slice(len(paths) - held_back, None)}
    how = (color_mode, pair(image_size, "image_size"), interpolation, crop_to_aspect_ratio)
    found = []
    for name in [None] if subset is None else parts if subset == "both" else [subset]:
        part = slice(None) if name is None else parts[name]
        if not len(paths[part]):
            raise DataError(
                f"{directory}: no images were found{f' for {name}' if name else ''} ({', '.join(OF_DATASET)})."
            )
        of_part = one_hot_or_numbers(numbers[part], label_mode, len(folders))
        if label_mode == "binary":
            of_part = of_part[:, None]  # (N, 1), as Keras's set has them
        mixes = shuffle and not (subset == "both" and name == "validation")
        found.append(_dataset(paths[part].tolist(), of_part, how, batch_size, mixes, seed, folders or None))
    return found if subset == "both" else found[0]


def _require_parts(validation_split, subset, shuffle, seed):
    """Raise ArgumentError unless validation_split and subset go together, and the parts can be made again."""
    if validation_split is not None:
        number(validation_split, "validation_split", 0, 1)
    if (not validation_split) != (subset is None) or subset not in (None, "training", "validation", "both"):
        raise ArgumentError(
            f"subset is {subset!r} and validation_split {validation_split!r}; expected both or neither, and subset "
            "'training', 'validation' or 'both'."
        )
    if validation_split and shuffle and seed is None and subset != "both":
        raise ArgumentError("with validation_split and shuffle, give a seed: else the two parts would overlap.")


def _dataset(paths, labels, how, batch_size, shuffle, seed, class_names):
    color_mode, size, interpolation, crop = how

    def load(position):
        return resized(img_to_array(load_img(paths[position], color_mode)), size, interpolation, crop)

    def identity():
        return f"{identity_of(paths)} {how}"

    stream = ImageStream(load, (len(paths), *size, CHANNELS[color_mode]), _unchanged, False, identity, seed)
    return ImageDataset(
        stream, labels, batch_size, shuffle, seed, endless=False, class_names=class_names, file_paths=paths
    )


def _unchanged(image, rng):
    return image


def resized(image, size, interpolation="bilinear", crop=False):
    """Return an image (H, W, C) with size = (rows, columns). As in Keras, a smaller image is not the mean of all
    pixels: each new pixel is read from the old ones around its place."""
    height, width = image.shape[:2]
    if crop:
        kept_height = max(min(height, int(width * size[0] / size[1])), 1)
        kept_width = max(min(width, int(height * size[1] / size[0])), 1)
        top, left = (height - kept_height) // 2, (width - kept_width) // 2
        image, (height, width) = image[top : top + kept_height, left : left + kept_width], (kept_height, kept_width)
    if interpolation == "bilinear":
        return resize(image[None], *size)[0]
    rows, columns = ((2 * np.arange(new) + 1) * old // (2 * new) for new, old in zip(size, (height, width)))
    return image[rows][:, columns]


class ImageDataset(ImageBatches):
    """The set that `image_dataset_from_directory` returns: (images, labels) batch by batch, with methods of tf.data.

    class_names, file_paths    the names of the classes, and the files in the order of `shuffle=False`
    """

    def take(self, count):
        """Return the first `count` batches, of the order of the next pass."""
        return self._part(slice(0, count * self.batch_size if count >= 0 else None))

    def skip(self, count):
        """Return all but the first `count` batches."""
        return self._part(slice(count * self.batch_size, None))

    def shuffle(self, buffer_size=None, seed=None, reshuffle_each_iteration=True):
        """Return the same images, with a new order of all of them in each pass."""
        return self._with(self.images, slice(None), True, seed)

    def prefetch(self, buffer_size=None):
        """Return this set: `fit` reads the next batch while it computes, in any case."""
        return self

    def cache(self, filename=None):
        """Return the same images, each of which is read from its file only once and then kept in memory."""
        if filename not in (None, ""):
            raise ArgumentError("cache keeps images in memory; it has no file. Leave the filename out.")
        kept, images = {}, self.images

        def load(position):
            if position not in kept:
                kept[position] = images.load(position)
            return kept[position]

        stream = ImageStream(load, images.shape, images.prepare, images.is_augmented, images.identity, images.seed)
        return self._with(stream, slice(None), self.shuffles, self.seed)

    def map(self, map_func, num_parallel_calls=None, deterministic=None):
        """Return batches map_func(images, labels), computed when they are needed. `fit` takes them one by one: a frozen
        beginning runs in every epoch. Layers at the beginning of the model do the same without this."""
        return MappedBatches(self, map_func)

    def _part(self, part):
        order = np.random.default_rng([self.seed, self.passes]).permutation(self.n) if self.shuffles else None
        positions = np.arange(self.n)[part] if order is None else order[part]
        images = self.images

        def identity():
            return f"{images.identity()} {positions.tolist()}"

        shape = (len(positions), *images.shape[1:])
        stream = ImageStream(
            lambda number: images.load(positions[number]),
            shape,
            images.prepare,
            images.is_augmented,
            identity,
            self.seed,
        )
        return self._with(stream, positions, False, self.seed)

    def _with(self, stream, positions, shuffle, seed):
        labels = None if self._labels is None else self._labels[positions]
        paths = [self.file_paths[number] for number in np.arange(self.n)[positions]]
        facts = {"class_names": self.class_names, "file_paths": paths}
        return type(self)(stream, labels, self.batch_size, shuffle, seed, endless=False, **facts)

    def __getattr__(self, name):
        _refuse(name, self)


class MappedBatches(PyDataset):
    """Batches of an `ImageDataset`, changed by a function."""

    def __init__(self, batches, function):
        super().__init__()
        self.batches, self.function, self.class_names = batches, function, batches.class_names

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, number):
        if number >= len(self):
            raise IndexError(f"batch {number} of {len(self)}")  # ends a loop over the numbers
        batch = self.batches[number]
        return self.function(*batch) if isinstance(batch, tuple) else self.function(batch)

    def on_epoch_end(self):
        self.batches.on_epoch_end()

    def map(self, map_func, num_parallel_calls=None, deterministic=None):
        """Return these batches, changed by one more function."""
        return MappedBatches(self, map_func)

    def prefetch(self, buffer_size=None):
        """Return these batches."""
        return self

    def __getattr__(self, name):
        _refuse(name, self)


def _refuse(name, batches):
    """Raise an AttributeError that says what to write for a method of tf.data that is not here."""
    advice = {
        "batch": "It has batches already: give image_dataset_from_directory its batch_size.",
        "unbatch": "Give image_dataset_from_directory batch_size=1.",
        "repeat": "Leave it out: fit begins again in each epoch.",
        "cache": "Call cache() before map().",
        "take": "Call take() before map().",
        "skip": "Call skip() before map().",
    }.get(name, "It has map, take, skip, cache and prefetch.")
    raise AttributeError(f"{type(batches).__name__} has no {name}. {advice}")

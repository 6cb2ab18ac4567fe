"""`ImageDataGenerator`: images from a folder, a table or an array, varied and normalized in Keras's (old) way.

    ImageDataGenerator(rescale=1 / 255, horizontal_flip=True).flow_from_directory("photos/train", (224, 224))

New programs keep the images as they are and put the preparation into the model: `image_dataset_from_directory`, then
the layers `Rescaling` and `RandomFlip`.

Read next: `image_transforms` (the transforms), `image_batches` (what the flows return).
"""

import hashlib
import os

import numpy as np

from ..arguments import DATA_FORMAT, NotHere, keras_arguments, pair
from ..errors import ArgumentError, DataError, warn_of_data
from .image_batches import (
    OF_GENERATOR,
    ImageBatches,
    ImageStream,
    class_folders,
    identity_of,
    image_files,
    one_hot_or_numbers,
)
from .image_transforms import transformed
from .pillow_images import CHANNELS, img_to_array, load_img, require_color_mode

NOT_SAVED = NotHere(instead="To look at the images, write those of a batch with minitl.utils.save_img.")
SAVING = {"save_to_dir": NOT_SAVED, "save_prefix": NotHere(""), "save_format": NotHere("png")}
EPSILON = 1e-6  # added to standard deviations


class ImageDataGenerator:
    """Random variations and the normalization of images, with Keras's arguments.

    rotation_range                          degrees, in either direction
    width_shift_range, height_shift_range   a share of the size if below 1, else pixels; a list: one of these numbers
    shear_range                             degrees;   zoom_range   0.2 for factors from 0.8 to 1.2, or (least, most)
    channel_shift_range, brightness_range   what is added to the pixels at most; factors (least, most)
    horizontal_flip, vertical_flip          in half of the cases
    fill_mode, cval, interpolation_order    what lies outside an image, and how it is read between its pixels
    preprocessing_function, rescale         applied after the variation, in this order
    samplewise_*, featurewise_*             subtract the mean, divide by the standard deviation: of each image, or of
                                            those that `fit` was given
    validation_split                        the share of each class that subset="validation" takes
    """

    @keras_arguments(after="samplewise_std_normalization", zca_whitening=NotHere(False), zca_epsilon=NotHere(1e-6))
    @keras_arguments(after="preprocessing_function", data_format=DATA_FORMAT)
    @keras_arguments(after="interpolation_order", dtype=NotHere(None, ("float32",)))
    def __init__(
        self,
        featurewise_center=False,
        samplewise_center=False,
        featurewise_std_normalization=False,
        samplewise_std_normalization=False,
        rotation_range=0,
        width_shift_range=0.0,
        height_shift_range=0.0,
        brightness_range=None,
        shear_range=0.0,
        zoom_range=0.0,
        channel_shift_range=0.0,
        fill_mode="nearest",
        cval=0.0,
        horizontal_flip=False,
        vertical_flip=False,
        rescale=None,
        preprocessing_function=None,
        validation_split=0.0,
        interpolation_order=1,
    ):
        if validation_split and not 0 < validation_split < 1:
            raise ArgumentError(f"validation_split is {validation_split!r}; expected a share between 0 and 1.")
        self.featurewise_center = featurewise_center or featurewise_std_normalization
        self.samplewise_center = samplewise_center or samplewise_std_normalization
        self.featurewise_std_normalization = featurewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.rotation_range, self.shear_range = rotation_range, shear_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.zoom_range = _range(zoom_range, "zoom_range", around=1)
        self.brightness_range = None if brightness_range is None else _range(brightness_range, "brightness_range")
        self.channel_shift_range, self.fill_mode, self.cval = channel_shift_range, fill_mode, cval
        self.horizontal_flip, self.vertical_flip = horizontal_flip, vertical_flip
        self.rescale, self.preprocessing_function = rescale, preprocessing_function
        self.validation_split, self.interpolation_order = validation_split, interpolation_order
        self.mean = self.std = None

    # ---- one image ----

    def get_random_transform(self, img_shape, seed=None):
        """Return the parameters of a random transform of images of this shape (`image_transforms`). The same seed gives
        those that Keras draws."""
        return self._drawn(img_shape, np.random.RandomState(seed))

    def _drawn(self, shape, rng):
        found = {"theta": rng.uniform(-self.rotation_range, self.rotation_range) if self.rotation_range else 0}
        found["tx"] = _shift(self.height_shift_range, shape[0], rng)
        found["ty"] = _shift(self.width_shift_range, shape[1], rng)
        found["shear"] = rng.uniform(-self.shear_range, self.shear_range) if self.shear_range else 0
        zooms = tuple(self.zoom_range) != (1, 1)
        found["zx"], found["zy"] = rng.uniform(*self.zoom_range, 2) if zooms else (1, 1)
        found["flip_horizontal"] = rng.random() < 0.5
        found["flip_vertical"] = rng.random() < 0.5
        found["flip_horizontal"] &= bool(self.horizontal_flip)
        found["flip_vertical"] &= bool(self.vertical_flip)
        most = self.channel_shift_range
        found["channel_shift_intensity"] = rng.uniform(-most, most) if most else None
        found["brightness"] = None if self.brightness_range is None else rng.uniform(*self.brightness_range)
        return found

    def apply_transform(self, x, transform_parameters):
        """Return an image (H, W, C), transformed as `get_random_transform` says."""
        return transformed(x, transform_parameters, self.fill_mode, self.cval, self.interpolation_order)

    def random_transform(self, x, seed=None):
        """Return a random variation of an image (H, W, C)."""
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def standardize(self, x):
        """Return an image, or a batch of them, normalized."""
        x = np.array(x, np.float32)
        if self.preprocessing_function:
            x = np.array(self.preprocessing_function(x), np.float32)
        if self.rescale:
            x *= self.rescale
        if self.samplewise_center:
            x -= x.mean()
        if self.samplewise_std_normalization:
            x /= x.std() + EPSILON
        if self.featurewise_center and self.mean is None:
            warn_of_data("the generator has seen no images yet, so it cannot center them: call its fit(images) before.")
        elif self.featurewise_center:
            x -= self.mean
            if self.featurewise_std_normalization:
                x /= self.std + EPSILON
        return x

    def fit(self, x, augment=False, rounds=1, seed=None):
        """Measure the mean and the standard deviation of each channel of images x (N, H, W, C), for `featurewise_*`."""
        if np.ndim(x) != 4 or augment or rounds != 1:
            raise ArgumentError("fit takes images (N, H, W, C) and measures them as they are: augment=False, rounds=1.")
        x = np.array(x, np.float32) * np.float32(self.rescale or 1)
        if self.featurewise_center:
            self.mean = x.mean(axis=(0, 1, 2), dtype=np.float64).astype(np.float32)
        if self.featurewise_std_normalization:
            self.std = x.std(axis=(0, 1, 2), dtype=np.float64).astype(np.float32)

    # ---- many images ----

    @property
    def _varies(self):
        ranges = (self.rotation_range, self.width_shift_range, self.height_shift_range, self.shear_range)
        others = (self.channel_shift_range, self.horizontal_flip, self.vertical_flip, self.brightness_range)
        return tuple(self.zoom_range) != (1, 1) or any(np.any(each) for each in (*ranges, *others) if each is not None)

    def _stream(self, load, shape, identity, seed):
        def prepare(image, rng):
            if rng is not None:
                image = self.apply_transform(image, self._drawn(image.shape, rng))
            return self.standardize(image)

        settings = {name: repr(value) for name, value in vars(self).items() if name != "preprocessing_function"}
        named = getattr(self.preprocessing_function, "__qualname__", None)
        return ImageStream(load, shape, prepare, self._varies, lambda: f"{identity()} {settings} {named}", seed or 0)

    @keras_arguments(after="seed", **SAVING)
    def flow(
        self, x, y=None, batch_size=32, shuffle=True, sample_weight=None, seed=None, ignore_class_split=False,
        subset=None,
    ):  # fmt: skip
        """Return `ImageBatches` of the images x (N, H, W, C) and labels y (N, ...).

        subset   None, "training" or "validation": the part of x after, or within, the share `validation_split`
        """
        if np.ndim(x) != 4:
            raise DataError(f"x has the shape {np.shape(x)}; expected images (N, H, W, C).")
        arrays = [None if each is None else np.asarray(each) for each in (x, y, sample_weight)]
        for name, each in zip(("y", "sample_weight"), arrays[1:]):
            if each is not None and len(each) != len(x):
                raise DataError(f"x holds {len(x)} images and {name} has {len(each)} rows; expected one for each.")
        if subset is not None:
            end = int(len(x) * self.validation_split)
            both = [
                [None if each is None else each[part] for each in arrays] for part in (slice(end), slice(end, None))
            ]
            if y is not None and not ignore_class_split and len({str(np.unique(part[1])) for part in both}) > 1:
                raise DataError(
                    "the parts of training and validation have different classes. Shuffle x and y in the same way, or "
                    "give ignore_class_split=True."
                )
            arrays = both[0 if self._is_validation(subset) else 1]
        images, labels, weights = arrays

        def identity():
            return hashlib.sha256(np.ascontiguousarray(images)).hexdigest()

        stream = self._stream(lambda number: images[number].astype(np.float32), images.shape, identity, seed)
        return ImageBatches(stream, labels, batch_size, shuffle, seed, weights, x=images, y=labels)

    @keras_arguments(after="seed", **SAVING)
    def flow_from_directory(
        self,
        directory,
        target_size=(256, 256),
        color_mode="rgb",
        classes=None,
        class_mode="categorical",
        batch_size=32,
        shuffle=True,
        seed=None,
        follow_links=False,
        subset=None,
        interpolation="nearest",
        keep_aspect_ratio=False,
    ):
        """Return `ImageBatches` of the images in a folder with a subfolder for each class.

        classes       None, or the names of the subfolders in the order of their numbers
        class_mode    "categorical" (one-hot), "binary", "sparse" (numbers), "input" (the images themselves) or None

        The other arguments are those of `load_img` and `flow`. Prints how many images it has found.
        """
        names = list(classes or class_folders(directory))
        paths, labels = [], []
        for label, name in enumerate(names):
            found = image_files(directory, [name], OF_GENERATOR, follow_links)[0]
            if subset is not None:  # of each class, the first share is for validation
                end = int(self.validation_split * len(found))
                found = found[:end] if self._is_validation(subset) else found[end:]
            paths, labels = paths + found, labels + [label] * len(found)
        print(f"Found {len(paths)} images belonging to {len(names)} classes.")
        files = [os.path.join(directory, path) for path in paths]
        how = (target_size, color_mode, interpolation, keep_aspect_ratio)
        facts = {"filenames": paths, "class_indices": dict(zip(names, range(len(names)))), "directory": directory}
        return self._from_files(files, labels, len(names), class_mode, how, batch_size, shuffle, seed, facts)

    @keras_arguments(after="seed", **SAVING)
    @keras_arguments(after="y_col", weight_col=NotHere(instead="Give fit the sample weights of a PyDataset."))
    @keras_arguments(after="interpolation", validate_filenames=NotHere(True, (False,)))
    def flow_from_dataframe(
        self,
        dataframe,
        directory=None,
        x_col="filename",
        y_col="class",
        target_size=(256, 256),
        color_mode="rgb",
        classes=None,
        class_mode="categorical",
        batch_size=32,
        shuffle=True,
        seed=None,
        subset=None,
        interpolation="nearest",
    ):
        """Return `ImageBatches` of the images that a table names: a pandas DataFrame, or a dict of lists.

        x_col, y_col   the columns with the paths (within `directory`) and with the classes
        class_mode     as in `flow_from_directory`, or "raw": the numbers of y_col as they are. Then, and for None and
                       "input", the classes are not read
        """
        paths = [os.path.join(directory or "", str(path)) for path in dataframe[x_col]]
        given = list(dataframe[y_col]) if class_mode not in (None, "input") else [0] * len(paths)
        if subset is not None:  # the first share is for validation
            end = int(self.validation_split * len(paths))
            part = slice(end) if self._is_validation(subset) else slice(end, None)
            paths, given = paths[part], given[part]
        names = sorted(set(given)) if not classes else list(dict.fromkeys(classes))
        if class_mode == "raw":
            names, labels = [], np.asarray(given)
        else:
            rows = [row for row, name in enumerate(given) if name in names]
            paths, labels = [paths[row] for row in rows], [names.index(given[row]) for row in rows]
        print(f"Found {len(paths)} image files belonging to {len(names)} classes.")
        facts = {"filenames": paths, "class_indices": dict(zip(names, range(len(names)))), "directory": directory}
        how = (target_size, color_mode, interpolation, False)
        return self._from_files(paths, labels, len(names), class_mode, how, batch_size, shuffle, seed, facts)

    def _from_files(self, files, labels, classes, class_mode, how, batch_size, shuffle, seed, facts):
        (target_size, color_mode, interpolation, keep_aspect_ratio) = how
        modes = ("categorical", "binary", "sparse", "raw", "input", None)
        if class_mode not in modes:
            raise ArgumentError(f"class_mode is {class_mode!r}; expected one of {', '.join(map(repr, modes))}.")
        require_color_mode(color_mode)
        if not files:
            raise DataError(f"{facts['directory']}: no images were found for these classes and this subset.")
        size = pair(target_size, "target_size")

        def load(number):
            image = load_img(files[number], color_mode, size, interpolation, keep_aspect_ratio)
            return img_to_array(image)

        shape = (len(files), *size, CHANNELS[color_mode])
        stream = self._stream(load, shape, lambda: f"{identity_of(files)} {how}", seed)
        mode = {"input": None}.get(class_mode, class_mode)
        of_mode = labels if mode == "raw" else one_hot_or_numbers(labels, mode, classes)
        facts = {**facts, "filepaths": files, "num_classes": classes, "class_mode": class_mode}
        facts = {**facts, "classes": np.asarray(labels, np.int32) if mode != "raw" else labels}
        facts.update(target_size=size, color_mode=color_mode, image_shape=shape[1:])
        return ImageBatches(stream, of_mode, batch_size, shuffle, seed, learns_images=class_mode == "input", **facts)

    def _is_validation(self, subset):
        if subset not in ("training", "validation"):
            raise ArgumentError(f"subset is {subset!r}; expected 'training' or 'validation'.")
        return subset == "validation"


def _shift(most, size, rng):
    """Return a shift in pixels: from -most to most, or one of the numbers `most` in either direction."""
    if not np.any(most):
        return 0
    if isinstance(most, (float, np.floating)):
        found = rng.uniform(-most, most)
    else:  # of a whole number: one of those below it
        found = rng.choice(most) * rng.choice([-1, 1])
    return found * size if np.max(most) < 1 else found


def _range(value, name, around=None):
    """Return (least, most) as a list. With `around`, a single number is the distance from it."""
    if around is not None and isinstance(value, (int, float)) and not isinstance(value, bool):
        return [around - value, around + value]
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ArgumentError(f"{name} is {value!r}; expected (least, most){'' if around is None else ' or a number'}.")
    return list(value)

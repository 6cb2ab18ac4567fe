"""Photographs as an array that is never there: `fit` reads a batch of it at a time, and the next one meanwhile."""

import hashlib

import numpy as np

from ..errors import ArgumentError, DataError
from .images import read_image
from .photos import in_threads, open_photo


class PhotoStream:
    """The pictures of `photos` (`data.Photo`s), ready for a network: stands for an array (N, height, width, 3).

    prepare           the network's `preprocess_input`
    height, width     pixels
    crop              as in `data.read_image`
    augment           None, or an `Augmentation` for training; validation and prediction see the pictures as they are
    seed              of the augmentation
    mirrored          for each photograph its mirror image as well, behind all the others

    However many pictures there are, one batch is in memory, and the next one while it is decoded. `features.on_disk`
    can keep what a network makes of them: that is what `keys`, `origins`, `preparation` and `read_unchanged` are for.
    """

    is_stream = True
    dtype = np.dtype("float32")
    noun = "picture"

    def __init__(self, photos, prepare, height, width, crop=1.0, augment=None, seed=0, mirrored=False):
        photos = list(photos)
        self.prepare, self.crop, self.augment, self.seed = prepare, crop, augment, seed
        self.files = len(photos)  # the example at `position` is of the file number position % files
        self.photos = photos * 2 if mirrored else photos
        self.origins = [photo.path for photo in self.photos]
        self.keys = [photo.sha256 for photo in photos]
        if mirrored:
            self.keys += [f"{photo.sha256}mirrored" for photo in photos]
        self.shape = (len(self.photos), height, width, 3)

    def __len__(self):
        return len(self.photos)

    @property
    def is_augmented(self):
        """Are the pictures others in each epoch? Then nothing computed from them can be kept."""
        return self.augment is not None

    @property
    def digest(self):
        """A text that is another one when there is something else to be seen."""
        digest = hashlib.sha256(repr((self.shape, self.crop, self.augment, self.seed)).encode())
        for key in self.keys:
            digest.update(key.encode())
        return digest.hexdigest()[:16]

    @property
    def preparation(self):
        """How a file becomes an example, as plain data."""
        name = f"{self.prepare.__module__}.{self.prepare.__qualname__}"
        if "<" in name:
            raise ArgumentError(
                f"the pictures are prepared by {name}, which cannot be told from others of this name. Give PhotoStream "
                "a function that is defined at the head of a module, as an application's preprocess_input is."
            )
        return ["photographs", name, self.crop]

    def read(self, positions, epoch=None):
        """Return the pictures at `positions` (a slice or an array): (n, height, width, 3). In an `epoch` they are
        augmented; None: as they are. Raises DataError for a file that cannot be read (any more)."""
        positions = np.arange(len(self))[positions].tolist()
        return self._prepared(list(in_threads(lambda position: self._read_one(position, epoch), positions)), positions)

    def read_unchanged(self, positions):
        """Return (the pictures at `positions`, {position: reason} of those whose file cannot be read any more, or has
        another sha256 than its `Photo` says). A file whose picture and mirror image are both wanted is decoded once."""
        positions = np.arange(len(self))[positions].tolist()
        files = list(dict.fromkeys(position % self.files for position in positions))
        found = dict(zip(files, in_threads(self._read_or_reason, files)))
        reasons = {p: found[p % self.files] for p in positions if isinstance(found[p % self.files], str)}
        good = [position for position in positions if position not in reasons]
        return self._prepared([found[position % self.files] for position in good], good), reasons

    def _read_one(self, position, epoch):
        path, (_, height, width, _) = self.photos[position].path, self.shape
        if self.augment is None or epoch is None:
            return read_image(path, height, width, self.crop)
        rng = np.random.default_rng([self.seed, epoch, position])
        return self.augment(open_photo(path), height, width, rng)

    def _read_or_reason(self, position):
        """The picture, or a text that says why it cannot be had."""
        photo = self.photos[position]
        try:
            image = self._read_one(position, None)
            if hashlib.sha256(photo.path.read_bytes()).hexdigest() != photo.sha256:
                raise DataError(f"{photo.path}: has changed since the folder was looked through.")
            return image
        except (DataError, OSError) as error:
            return str(error).removeprefix(f"{photo.path}: ").rstrip(".")

    def _prepared(self, images, positions):
        """The batch of `images`, those of mirror images turned around."""
        turned = [image[:, ::-1] if position >= self.files else image for image, position in zip(images, positions)]
        return self.prepare(np.stack(turned)) if turned else np.empty((0, *self.shape[1:]), self.dtype)

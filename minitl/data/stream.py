"""Photographs as an array that is never there: `fit` reads a batch of it at a time, and the next one meanwhile."""

import hashlib

import numpy as np

from .images import read_image
from .photos import in_threads, open_photo


class PhotoStream:
    """The pictures of `photos` (`data.Photo`s), ready for a network: stands for an array (N, height, width, 3).

    prepare           the network's `preprocess_input`
    height, width     pixels
    crop              as in `data.read_image`
    augment           None, or an `Augmentation` for training; validation and prediction see the pictures as they are
    seed              of the augmentation

    However many pictures there are, one batch is in memory, and the next one while it is decoded.
    """

    is_stream = True
    dtype = np.dtype("float32")

    def __init__(self, photos, prepare, height, width, crop=1.0, augment=None, seed=0):
        self.photos, self.prepare, self.crop, self.augment, self.seed = list(photos), prepare, crop, augment, seed
        self.shape = (len(self.photos), height, width, 3)

    def __len__(self):
        return len(self.photos)

    @property
    def is_augmented(self):
        """Are the pictures others in each epoch? Then nothing computed from them can be kept."""
        return self.augment is not None

    @property
    def digest(self):
        """Of what there is to be seen."""
        digest = hashlib.sha256(repr((self.shape, self.crop, self.augment, self.seed)).encode())
        for photo in self.photos:
            digest.update(photo.sha256.encode())
        return digest.hexdigest()[:16]

    def read(self, positions, epoch=None):
        """The pictures at `positions` (a slice or an array) -> (n, height, width, 3). In an `epoch` they are augmented;
        None: as they are. Raises DataError for a file that cannot be read (any more)."""
        positions = np.arange(len(self))[positions].tolist()
        return self.prepare(np.stack(list(in_threads(lambda position: self._read_one(position, epoch), positions))))

    def _read_one(self, position, epoch):
        path, (_, height, width, _) = self.photos[position].path, self.shape
        if self.augment is None or epoch is None:
            return read_image(path, height, width, self.crop)
        rng = np.random.default_rng([self.seed, epoch, position])
        return self.augment(open_photo(path), height, width, rng)

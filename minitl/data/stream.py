"""Streams of photographs: a stream stands for an array of images, but only the current and the next batch are read."""

import copy
import hashlib

import numpy as np

from ..errors import ArgumentError, DataError
from .images import BORDER, PADDED, WHOLE, read_image, reading
from .photos import in_threads, open_photo, read_content


class PhotoStream:
    """A stream of the images of `photos` (`data.Photo`s), prepared for a network. It stands for an array
    (N, height, width, 3).

    prepare           the network's `preprocess_input`
    height, width     the size of the images in pixels
    crop              as in `data.read_image`
    augment           None, or an `Augmentation` for training; validation and prediction get the unchanged images
    seed              the seed of the augmentation
    mirrored          True: add the mirror image of each photograph, after all the others

    Only one batch is in memory, and the next one while it is decoded, however many photographs there are.
    `features.on_disk` can keep a network's features of them. It uses `keys`, `origins`, `preparation` and
    `read_unchanged` for that. `reading_with` lets another process read the files elsewhere.
    """

    is_stream = True
    dtype = np.dtype("float32")
    noun = "photograph"

    def __init__(self, photos, prepare, height, width, crop=1.0, augment=None, seed=0, mirrored=False):
        photos = list(photos)
        self.prepare, self.crop, self.augment, self.seed = prepare, crop, augment, seed
        self.read_file = read_content
        self.files = len(photos)  # the example at `position` comes from the file number position % files
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
        """True if the images differ in each epoch. Then nothing that is computed from them can be kept."""
        return self.augment is not None

    @property
    def digest(self):
        """A text that changes whenever the images change."""
        digest = hashlib.sha256(repr((self.shape, self.crop, self.augment, self.seed)).encode())
        for key in self.keys:
            digest.update(key.encode())
        return digest.hexdigest()[:16]

    @property
    def preparation(self):
        """A description, as plain data, of how a file becomes an example."""
        name = f"{self.prepare.__module__}.{self.prepare.__qualname__}"
        if "<" in name:
            raise ArgumentError(
                f"the images are prepared by {name}, a name that does not identify one function. Give PhotoStream a "
                "function that is defined at the top level of a module, such as an application's preprocess_input."
            )
        return ["photographs", name, self.crop, *reading()]

    def reading_with(self, read_file):
        """Return the same stream, whose `read_unchanged` gets the bytes of a file from `read_file(path)`. The digests
        of the photographs tell whether they are the right ones."""
        other = copy.copy(self)
        other.read_file = read_file
        return other

    def read(self, positions, epoch=None):
        """Return the images at `positions` (a slice or an array): (n, height, width, 3). They are augmented for this
        `epoch`, or unchanged if it is None. Raises DataError for a file that cannot be read (any more)."""
        positions = np.arange(len(self))[positions].tolist()
        return self._prepared(list(in_threads(lambda position: self._read_one(position, epoch), positions)), positions)

    def read_unchanged(self, positions):
        """Return (the images at `positions`, {position: reason} of those whose file cannot be read any more, or whose
        sha256 is not that of its `Photo`). A file is decoded once, even if its mirror image is wanted as well."""
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
        rng, image, aspect = np.random.default_rng([self.seed, epoch, position]), open_photo(path), None
        if self.crop == PADDED:
            image = with_borders(image, width / height)
        elif self.crop == WHOLE:
            aspect = image.width / image.height  # a part is stretched as the whole image is in validation
        return self.augment(image, height, width, rng, aspect)

    def _read_or_reason(self, position):
        """Return the image at `position`, or a text with the reason why it cannot be read."""
        photo, (_, height, width, _) = self.photos[position], self.shape
        try:
            content = self.read_file(photo.path)
            image = read_image(photo.path, height, width, self.crop, content)
            if hashlib.sha256(content).hexdigest() != photo.sha256:
                raise DataError(f"{photo.path}: has changed since the folder was looked through.")
            return image
        except (DataError, OSError) as error:
            return str(error).removeprefix(f"{photo.path}: ").rstrip(".")

    def _prepared(self, images, positions):
        """Return `images` as a prepared batch. Images at the positions of mirror images are mirrored."""
        images = [image[:, ::-1] if position >= self.files else image for image, position in zip(images, positions)]
        return self.prepare(np.stack(images)) if images else np.empty((0, *self.shape[1:]), self.dtype)


def with_borders(image, aspect):
    """Return a Pillow image in RGB in the middle of a grey one with this aspect ratio (width / height)."""
    from PIL import Image

    width, height = max(image.width, round(image.height * aspect)), max(image.height, round(image.width / aspect))
    padded = Image.new("RGB", (width, height), (BORDER, BORDER, BORDER))
    padded.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return padded

"""A stream of photographs in several variations, each of which is drawn once.

`PhotoStream` with an `Augmentation` draws a new variation in every epoch. Then nothing that a network computes from an
image can be kept. Here a photograph has a fixed number of variations: the first shows it unchanged, the others are
drawn once, by a seed and the photograph's content. They stand one after the other:

    photographs A, B, C in 2 variations:    A  B  C  A'  B'  C'

So a frozen base runs once over each variation, its features are kept (`features.on_disk`), and an epoch of training
takes a fraction of the time. Eight variations of each of 56 photographs are 448 examples.

What is to be learned moves with the pixels: the mask of a photograph, or its boxes. `drawn(position)` returns both.
So whoever has read an example for the base has drawn what is to be learned as well: it is kept until `targets` asks.
"""

import hashlib

import numpy as np

from ..errors import DataError
from .images import reading
from .photos import in_threads


class Variations:
    """A stream of photographs, each in several variations, prepared for a network: (N * variations, height, width, 3).

    photos         objects with the attributes `path` and `sha256`
    draw           `draw(photo, height, width, rng)` -> (pixels float32 (height, width, 3) from 0 to 255, whatever is to
                   be learned). With rng=None it shows the photograph unchanged
    prepare        the network's `preprocess_input`
    variations     the number of variations of each photograph, the unchanged one counted
    seed           of all draws
    described      plain data that say how `draw` works; kept features of another description are not used
    depends_on     `depends_on(photo)` -> a text that changes whenever something else does on which a drawn variation
                   depends, such as the boxes that a random part of the image must not lose

    It can be kept by `features.on_disk`.
    """

    is_stream = True
    dtype = np.dtype("float32")
    noun = "photograph"

    def __init__(
        self, photos, draw, prepare, height, width, variations=1, seed=0, described=(), depends_on=lambda photo: ""
    ):
        self.files, self.draw, self.prepare, self.seed = len(photos), draw, prepare, seed
        self.photos = list(photos) * variations  # the example at `position` shows the file number position % files
        self.origins = [photo.path for photo in self.photos]
        self.keys = [
            photo.sha256
            if number < self.files
            else f"{photo.sha256} variation {number // self.files} of {seed} {depends_on(photo)}".rstrip()
            for number, photo in enumerate(self.photos)
        ]
        self.described, self.targets_drawn = list(described), {}  # {position: what is to be learned}
        self.shape = (len(self.photos), height, width, 3)

    def __len__(self):
        return len(self.photos)

    @property
    def digest(self):
        """A text that changes whenever the examples change."""
        text = repr((self.shape, self.described, self.keys))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def preparation(self):
        """A description, as plain data, of how a file becomes an example."""
        return ["variations", f"{self.prepare.__module__}.{self.prepare.__qualname__}", *self.described, *reading()]

    def drawn(self, position):
        """Return (pixels float32 (height, width, 3) from 0 to 255, what is to be learned) of one example."""
        photo, variation = self.photos[position], position // self.files
        rng = np.random.default_rng([self.seed, variation, int(photo.sha256[:15], 16)]) if variation else None
        return self.draw(photo, *self.shape[1:3], rng)

    def targets(self, positions=None):
        """Yield what is to be learned of each example in order, or of those at `positions`. What `read_unchanged` has
        drawn is not drawn once more, and not kept any longer."""
        positions = range(len(self)) if positions is None else positions
        yield from in_threads(self._target, list(positions))

    def _target(self, position):
        kept = self.targets_drawn.pop(position, None)
        return self.drawn(position)[1] if kept is None else kept

    def read(self, positions, epoch=None):
        """Return the prepared examples at `positions` (a slice or an array): (n, height, width, 3). They are the same
        in every epoch. Raises DataError for a file that cannot be read (any more)."""
        positions = np.arange(len(self))[positions].tolist()
        return self._prepared(list(in_threads(lambda position: self.drawn(position)[0], positions)))

    def read_unchanged(self, positions):
        """Return (the prepared examples at `positions`, {position: reason} of those whose file cannot be read any more,
        or whose sha256 is not that of its photograph)."""
        positions = np.arange(len(self))[positions].tolist()
        found = dict(zip(positions, in_threads(self._pixels_or_reason, positions)))
        reasons = {position: each for position, each in found.items() if isinstance(each, str)}
        return self._prepared([found[position] for position in positions if position not in reasons]), reasons

    def _pixels_or_reason(self, position):
        """Return the pixels of one example, or a text with the reason why there are none."""
        photo = self.photos[position]
        try:
            pixels, target = self.drawn(position)
            if hashlib.sha256(photo.path.read_bytes()).hexdigest() != photo.sha256:
                raise DataError(f"{photo.path}: has changed since the folder was looked through.")
            self.targets_drawn[position] = target
            return pixels
        except (DataError, OSError) as error:
            return str(error).removeprefix(f"{photo.path}: ").rstrip(".")

    def _prepared(self, images):
        return self.prepare(np.stack(images)) if images else np.empty((0, *self.shape[1:]), self.dtype)

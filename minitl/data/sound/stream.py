"""Streams of recordings: each batch is read when it is needed, and is as long as its longest recording.

    x = SoundStream(folder.train, LogMel(rate=16000))              stands for (N, T, 40), where T varies
    model.fit([x, x.mask], x.labels)                               a model that takes a mask

    x = SoundStream(folder.train, LogMel(rate=16000), length=98)   stands for (N, 98, 40)
    model.fit(x, x.labels)                                         a model of inputs of one size

Each recording goes through the front end alone, and padding comes after: so it has the same numbers alone as in a
batch, to the last bit, in the places that the mask calls real. Without `length`, a model that does not use the mask is
given padding as if it were sound, and its output depends on what else is in the batch. With `length` this cannot
happen, but a longer recording is cut: `dropped` counts the steps that are lost, and a DataWarning says so.

A variation of a recording is drawn anew in each epoch (`augment`, `masks`), or a fixed number of them is drawn once
(`variations`), so that what a frozen base computes from them can be kept (`features.on_disk`).

Read next: `front_ends`, `augmentation`.
"""

import hashlib

import numpy as np

from ...arguments import whole_number
from ...errors import ArgumentError, DataError, warn_of_data
from ...terminal import counted
from ..photos import in_threads
from ..text.lengths import BUCKET, batches_by_length
from .audit import digest_of
from .reading import read_sound

PLACES = ("start", "center")


class SoundStream:
    """A stream of recordings, for `fit`, `evaluate` and `predict`. It stands for a float32 array (N, T, ...).

    recordings   `folder.Recording`s
    prepare      a front end, such as `front_ends.LogMel`
    length       T of all batches, in steps of the front end (frames, or samples). None: that of the longest recording
                 of a batch, and `shape` is (N, None, ...)
    place        where a recording stands among `length` steps: "start" or "center". It also says which part of a longer
                 one is kept
    shortest     the least T of a batch where `length` is None: a convolution over five frames needs five
    augment      None, or `augmentation.SoundAugmentation`, which changes the samples
    masks        None, or `augmentation.SpectrogramMasks`, which hide parts of what the front end returns
    seed         of all that is drawn
    variations   how many variations of each recording there are, the unchanged one counted, drawn once. 1: what
                 `augment` and `masks` draw differs in each epoch
    bucket       as in `text.lengths.batches_by_length`
    """

    is_stream = True
    dtype = np.dtype("float32")
    noun = "recording"

    def __init__(
        self, recordings, prepare, length=None, place="start", shortest=1, augment=None, masks=None, seed=0,
        variations=1, bucket=BUCKET,
    ):  # fmt: skip
        recordings = list(recordings)
        if not recordings:
            raise DataError("there are no recordings; expected at least one.")
        if place not in PLACES:
            raise ArgumentError(f"place is {place!r}; expected 'start' or 'center'.")
        if whole_number(variations, "variations") > 1 and augment is None and masks is None:
            raise ArgumentError(f"variations is {variations}, and nothing varies: give augment or masks.")
        self.length = None if length is None else whole_number(length, "length")
        self.prepare, self.place, self.augment, self.masks, self.seed = prepare, place, augment, masks, seed
        self.shortest, self.bucket = whole_number(shortest, "shortest"), whole_number(bucket, "bucket")
        self.files, self.variations = len(recordings), variations
        self.recordings = recordings * variations  # the example at `position` is the recording position % files
        self.labels = np.array([each.label for each in self.recordings])
        self.origins = [each.path for each in self.recordings]
        self.keys = [self._key(number, each) for number, each in enumerate(self.recordings)]
        full = np.array([prepare.steps(each.count, each.rate) for each in self.recordings])
        self.lengths = full if length is None else np.minimum(full, self.length)
        self.dropped = int((full - self.lengths).sum())
        self._require_steps(full)
        if self.dropped:
            lost = (full - self.lengths)[: self.files]
            ends = "the end" if place == "start" else "both ends"
            warn_of_data(
                f"{int((lost > 0).sum()):,} of {counted(self.files, 'recording')} longer than "
                f"{counted(self.length, prepare.unit)}: {ends} of each will be cut off, "
                f"{counted(int(lost.sum()), prepare.unit)} in all. Give a greater length (the longest needs "
                f"{full.max():,}), or cut them into parts."
            )
        self.shape = (len(self.recordings), self.length, *prepare.shape)

    def __len__(self):
        return len(self.recordings)

    @property
    def is_augmented(self):
        """True if the examples differ in each epoch. Then nothing that is computed from them can be kept."""
        return self.variations == 1 and (self.augment is not None or self.masks is not None)

    @property
    def mask(self):
        """The stream of the masks: bool (N, T), True for what is real."""
        return SoundMask(self)

    @property
    def digest(self):
        """A text that changes whenever the batches change."""
        settings = (self.shape, self.place, self.shortest, self.bucket, self.prepare.described, self._drawn_by())
        digest = hashlib.sha256(repr(settings).encode())
        digest.update("".join(self.keys).encode())
        return digest.hexdigest()[:16]

    @property
    def preparation(self):
        """A description, as plain data, of how a recording becomes an example. Raises ArgumentError without `length`:
        the features of an example must not depend on the others of its batch."""
        if self.length is None:
            raise ArgumentError(
                "features of recordings that differ in length would depend on what else is in the batch. Give "
                "SoundStream a length."
            )
        return ["recordings", list(self.prepare.described), self.length, self.place]

    def read(self, positions, epoch=None):
        """Return the examples at `positions` (a slice or an array): (n, T, ...), varied for this `epoch`, or unchanged
        if it is None. Raises DataError for a file that cannot be read (any more), or has changed."""
        positions = np.arange(len(self))[positions].tolist()
        return self._padded(list(in_threads(lambda position: self._example(position, epoch), positions)))

    def read_unchanged(self, positions):
        """Return (the examples at `positions`, {position: reason} of those whose file cannot be read any more, or has
        changed since the folder was looked through)."""
        positions = np.arange(len(self))[positions].tolist()
        found = dict(zip(positions, in_threads(self._example_or_reason, positions)))
        reasons = {position: each for position, each in found.items() if isinstance(each, str)}
        return self._padded([found[position] for position in positions if position not in reasons]), reasons

    def mask_at(self, positions):
        """Return the masks at `positions`: bool (n, T). No file is read for them."""
        lengths = self.lengths[np.arange(len(self))[positions]]
        total = self.length or max(self.shortest, int(lengths.max(initial=0)))
        starts = self._starts(lengths, total)[:, None]  # (n, 1)
        return (np.arange(total) >= starts) & (np.arange(total) < starts + lengths[:, None])

    def order_for(self, batch_size, rng=None):
        """Return the order of all positions in which a pass takes them, `batch_size` at a time: an array (N,)."""
        if self.length is not None:
            return np.arange(len(self)) if rng is None else rng.permutation(len(self))
        return np.concatenate(batches_by_length(self.lengths, batch_size, rng, self.bucket))

    def _drawn_by(self):
        varied = [each.described for each in (self.augment, self.masks) if each is not None]
        return [self.seed, self.variations, *varied] if varied else []

    def _key(self, number, recording):
        variation = number // self.files
        return f"{recording.sha256} variation {variation} of {self._drawn_by()}" if variation else recording.sha256

    def _example(self, position, epoch):
        """Return one example without padding: (t, ...)."""
        recording, variation = self.recordings[position], position // self.files
        sound = read_sound(recording.path)
        if digest_of(sound) != recording.sha256:
            raise DataError(f"{recording.path}: has changed since the folder was looked through.")
        rng = None
        if variation:
            rng = np.random.default_rng([self.seed, variation, int(recording.sha256[:15], 16)])
        elif self.is_augmented and epoch is not None:
            rng = np.random.default_rng([self.seed, epoch, position])
        samples = sound.samples if rng is None or self.augment is None else self.augment(sound.samples, sound.rate, rng)
        example = self.prepare(samples, sound.rate)
        return example if rng is None or self.masks is None else self.masks(example, rng)

    def _example_or_reason(self, position):
        """Return one example, or a text with the reason why there is none."""
        path = self.recordings[position].path
        try:
            return self._example(position, None)
        except (DataError, OSError) as error:
            return str(error).removeprefix(f"{path}: ").rstrip(".")

    def _padded(self, examples):
        """Return examples of different lengths as one array (n, T, ...), with silence around them."""
        total = self.length or max([self.shortest, *map(len, examples)])
        batch = np.full((len(examples), total, *self.prepare.shape), self.prepare.silence, np.float32)
        for row, example in zip(batch, examples):
            kept = min(len(example), total)
            start = int(self._starts(np.array([kept]), total)[0])
            first = (len(example) - kept) // 2 if self.place == "center" else 0
            row[start : start + kept] = example[first : first + kept]
        return batch

    def _starts(self, lengths, total):
        """Return where examples of these lengths begin among `total` steps."""
        return (total - lengths) // 2 if self.place == "center" else np.zeros_like(lengths)

    def _require_steps(self, full):
        """Raise DataError for a recording that is shorter than one frame."""
        if not full.all():
            path = self.origins[int(np.argmin(full))]
            raise DataError(f"{path}: is shorter than one {self.prepare.unit} of the front end. Remove it.")


class SoundMask:
    """A stream of the masks of a `SoundStream`, for the input of a model that is the mask: bool (N, T)."""

    is_stream = True
    dtype = np.dtype("bool")
    noun = "recording"

    def __init__(self, sounds):
        self.sounds, self.shape = sounds, sounds.shape[:2]

    def __len__(self):
        return len(self.sounds)

    @property
    def digest(self):
        """A text that changes whenever the masks change."""
        return f"mask of {self.sounds.digest}"

    def read(self, positions, epoch=None):
        """Return the masks at `positions`: bool (n, T)."""
        return self.sounds.mask_at(positions)

    def order_for(self, batch_size, rng=None):
        """Return the order of the recordings."""
        return self.sounds.order_for(batch_size, rng)

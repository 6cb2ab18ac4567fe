"""Streams of token sequences: a stream stands for an array (N, T), and each batch has a T of its own.

    x = TokenStream(sequences)                       sequences: lists of token numbers, from a tokenizer
    model.fit(x, labels)                             a model of the tokens alone
    model.fit([x, x.mask], labels)                   a model of tokens and mask

A batch is as long as its longest sequence, not as the longest of all, and in training, sequences of about one length
meet in a batch (`lengths`). A model for it begins with `Input((None,), dtype="int32")`, and `Input((None,),
dtype="bool")` for the mask.

The order of an epoch is drawn by the loop's own generator, so it is the same for the same seed and epoch, and a
training that was interrupted goes on in the order that it had (`training.recovery`).
"""

import hashlib

import numpy as np

from ...arguments import whole_number
from ...errors import DataError
from .lengths import BUCKET, batches_by_length, checked_tokens, filled, warn_of_truncation, whole_int32


class TokenStream:
    """A stream of sequences of token numbers, for `fit`, `evaluate` and `predict`. It stands for an int32 array (N, T),
    padded at the end.

    sequences   lists or arrays of token numbers. All are kept in one array, without padding
    length      T of all batches. A longer sequence loses its end: `dropped` counts the tokens, and a DataWarning says
                so. None: each batch is as long as its longest sequence, and `shape` is (N, None)
    pad         the number after the end of a sequence
    shortest    the least T of a batch: a convolution over five tokens needs five
    bucket      as in `lengths.batches_by_length`

    `mask` is the stream of its masks (N, T), True for what is real. It reads the same positions, so the two fit.
    Sequences of other numbers for the same tokens, such as the number of the sentence that a token is in, are another
    TokenStream. If a model has several such inputs, the first one chooses the batches.
    """

    is_stream = True
    dtype = np.dtype("int32")
    noun = "text"

    def __init__(self, sequences, length=None, pad=0, shortest=1, bucket=BUCKET):
        rows = [checked_tokens(sequence, f"sequences[{n}]") for n, sequence in enumerate(sequences)]
        if not rows:
            raise DataError("there are no sequences; expected at least one.")
        self.length = None if length is None else whole_number(length, "length")
        self.shortest, self.bucket = whole_number(shortest, "shortest"), whole_number(bucket, "bucket")
        whole_int32(pad, "pad")
        self.pad, self.dropped = pad, 0
        full = np.array([len(row) for row in rows], dtype=np.int64)
        self.lengths = full if length is None else np.minimum(full, self.length)
        self.dropped = int((full - self.lengths).sum())
        if self.dropped:
            warn_of_truncation(self.dropped, int((full > self.lengths).sum()), self.length)
        self.flat = np.concatenate([row[:size] for row, size in zip(rows, self.lengths)])
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.shape = (len(rows), self.length)

    def __len__(self):
        return len(self.lengths)

    @property
    def mask(self):
        """The stream of the masks: bool (N, T), True for what is real."""
        return MaskStream(self)

    @property
    def digest(self):
        """A text that changes whenever the batches change."""
        digest = hashlib.sha256(repr((self.length, self.pad, self.shortest, self.bucket)).encode())
        digest.update(self.lengths.astype("<i8").tobytes())
        digest.update(self.flat.astype("<i4").tobytes())
        return digest.hexdigest()[:16]

    def read(self, positions, epoch=None):
        """Return the tokens at `positions` (a slice or an array): int32 (n, T). They are the same in each epoch."""
        return self.padded(positions)[0]

    def padded(self, positions):
        """Return (tokens int32 (n, T), mask bool (n, T)) at `positions`."""
        positions = np.arange(len(self))[positions]
        lengths = self.lengths[positions]
        length = self.length or max(self.shortest, int(lengths.max(initial=0)))
        rows = [self.flat[start : start + size] for start, size in zip(self.starts[positions], lengths)]
        flat = np.concatenate([np.zeros(0, np.int32), *rows])
        return filled(flat, lengths, length, self.pad)

    def order_for(self, batch_size, rng=None):
        """Return the order of all positions in which a pass takes them, `batch_size` at a time: an array (N,)."""
        return np.concatenate(batches_by_length(self.lengths, batch_size, rng, self.bucket))


class MaskStream:
    """A stream of the masks of a `TokenStream`, for the input of a model that is the mask: bool (N, T)."""

    is_stream = True
    dtype = np.dtype("bool")
    noun = "text"

    def __init__(self, tokens):
        self.tokens, self.shape = tokens, tokens.shape

    def __len__(self):
        return len(self.tokens)

    @property
    def digest(self):
        """A text that changes whenever the masks change."""
        return f"mask of {self.tokens.digest}"

    def read(self, positions, epoch=None):
        """Return the masks at `positions`: bool (n, T)."""
        return self.tokens.padded(positions)[1]

    def order_for(self, batch_size, rng=None):
        """Return the order of the tokens."""
        return self.tokens.order_for(batch_size, rng)

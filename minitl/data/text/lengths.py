"""Sequences of different lengths in one batch: padding, and batches in which little of it is needed.

A batch is an array (N, T), and sequences are not equally long. The shorter ones get padding at their end, and a mask
says what is real:

    [5, 8, 2], [7]   ->   tokens [[5, 8, 2], [7, 0, 0]]     mask [[1, 1, 1], [1, 0, 0]]

Padding is computed like everything else and then thrown away. How much there is depends on which sequences meet in a
batch: one long one makes a batch long for all. With the lengths 1, 2, 9, 10 in batches of two,

    (1, 10), (2, 9)   needs 2*10 + 2*9 = 38 places for 22 tokens: 42 % is padding
    (1, 2), (9, 10)   needs 2*2 + 2*10 = 24 places:                8 %

To sort all sequences by length would be best for time, and bad for learning: nearly the same batches would come in
every epoch. So `batches_by_length` shuffles first, and sorts only within *buckets* of some batches each. On the 6,920
sentences of SST-2 (2 to 52 words, the median 19), in batches of 32:

    shuffled, not sorted    52 % of the places are padding
    buckets of 10 batches   12 %
    buckets of 50 batches    3 %     the default
    all sorted               1 %

(`tests/texts/test_lengths.py` computes these figures where the sentences are at hand.)

Who calls this: `stream.TokenStream`, for training and for prediction.
"""

from typing import NamedTuple

import numpy as np

from ...arguments import is_whole_number, whole_number
from ...errors import DataError, ShapeError, warn_of_data
from ...terminal import counted

BUCKET = 50  # batches within which sequences are sorted
INT32 = np.iinfo(np.int32)


class Padded(NamedTuple):
    """Sequences as arrays: tokens int32 (N, T), mask bool (N, T), True for what is real; and `dropped`, the number of
    tokens that had no room."""

    tokens: np.ndarray
    mask: np.ndarray
    dropped: int


def pad(sequences, length=None, pad=0):
    """Return sequences of whole numbers as `Padded`: tokens int32 (N, T), mask bool (N, T), and what was dropped.

    sequences   lists or arrays of token numbers
    length      T. None: that of the longest sequence. A longer sequence loses its end, and a DataWarning says so
    pad         the number after the end of a sequence

    The tokens are those of Keras's `pad_sequences(sequences, padding="post", truncating="post")`.
    """
    rows = [checked_tokens(sequence, f"sequences[{n}]") for n, sequence in enumerate(sequences)]
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    length = int(lengths.max(initial=0)) if length is None else whole_number(length, "length")
    dropped = int(np.maximum(lengths - length, 0).sum())
    if dropped:
        warn_of_truncation(dropped, int((lengths > length).sum()), length)
    flat = np.concatenate([row[:length] for row in rows]) if rows else np.zeros(0, np.int32)
    return Padded(*filled(flat, np.minimum(lengths, length), length, pad), dropped)


def pad_naive(sequences, length=None, pad=0):
    """Return what `pad` returns, one token after the other."""
    length = max(map(len, sequences), default=0) if length is None else length
    tokens = np.full((len(sequences), length), pad, dtype=np.int32)
    mask = np.zeros((len(sequences), length), dtype=bool)
    dropped = 0
    for n, sequence in enumerate(sequences):
        for t, token in enumerate(sequence):
            if t < length:
                tokens[n, t], mask[n, t] = token, True
            else:
                dropped += 1
    return Padded(tokens, mask, dropped)


def filled(flat, lengths, length, pad):
    """Return (tokens int32 (N, T), mask bool (N, T)) of N sequences that stand one after the other in `flat`.

    A row of the mask is True in its first places, as many as its sequence is long. NumPy fills the True places of an
    array in order, row by row, and so each token of `flat` goes to its place.
    """
    whole_int32(pad, "pad")
    mask = np.arange(length) < np.asarray(lengths)[:, None]  # (N, T)
    tokens = np.full(mask.shape, pad, dtype=np.int32)
    tokens[mask] = flat
    return tokens, mask


def batches_by_length(lengths, batch_size, rng=None, bucket=BUCKET):
    """Return batches of sequences that are about equally long: a list of arrays of positions in `lengths`.

    lengths      of the sequences (N,)
    batch_size   of all batches. If it does not divide N, the last batch is the smaller one
    rng          a random generator. None: all sorted, the longest first; the same each time (for prediction)
    bucket       the number of batches within which sequences are sorted

    Every position is in one batch. In training (with `rng`), all sequences are shuffled and divided into buckets; each
    bucket is sorted by length and cut into batches, and then the batches of all buckets are shuffled. Sequences of one
    length stay in the order that was drawn. Which lengths the smaller batch gets is drawn as well: if it always got the
    longest, or the shortest, these would count more than others in every epoch.
    """
    lengths = np.asarray(lengths)
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu":
        raise DataError(f"lengths are {lengths.dtype} of shape {lengths.shape}; expected whole numbers (N,).")
    size, count = whole_number(batch_size, "batch_size"), len(lengths)
    bucket = whole_number(bucket, "bucket")
    if rng is None:
        in_order = np.argsort(-lengths.astype(np.int64), kind="stable")
        return [in_order[first : first + size] for first in range(0, count, size)]
    order, full, last = rng.permutation(count), [], None
    for first in range(0, count, bucket * size):
        some = order[first : first + bucket * size]
        some = some[np.argsort(lengths[some], kind="stable")]
        left_over = len(some) % size  # 0 in all buckets but the last one
        if left_over:
            start = size * int(rng.integers(len(some) // size + 1))
            last = some[start : start + left_over]
            some = np.concatenate([some[:start], some[start + left_over :]])
        full += np.split(some, len(some) // size) if len(some) else []
    shuffled = [full[number] for number in rng.permutation(len(full))]
    return shuffled if last is None else [*shuffled, last]


def padding_share(lengths, batches):
    """Return which share of the places (N, T) of these batches is padding, from 0 to below 1. `batches` are slices, or
    arrays of positions."""
    lengths = np.asarray(lengths)
    places = sum(len(lengths[batch]) * int(lengths[batch].max(initial=0)) for batch in batches)
    real = sum(int(lengths[batch].sum()) for batch in batches)
    return 1 - real / places if places else 0.0


def checked_tokens(sequence, what):
    """Return a sequence of token numbers as an int32 array (T,). Raises DataError for anything else."""
    try:
        found = np.asarray(sequence)
    except ValueError:  # lists of different lengths within
        found = np.empty((0, 0))
    if found.ndim != 1:
        kind = type(sequence).__name__ if found.ndim == 0 else f"of shape {found.shape}"
        raise ShapeError(f"{what} is {kind}; expected one row of token numbers (T,).")
    if not len(found):
        return np.zeros(0, np.int32)
    if found.dtype.kind not in "iu":
        raise DataError(f"{what} holds {found.dtype}; expected token numbers. A tokenizer makes them of a text.")
    if found.min() < INT32.min or found.max() > INT32.max:
        raise DataError(f"{what} holds {found.min()} to {found.max()}; expected numbers that fit into int32.")
    return found.astype(np.int32, copy=False)


def whole_int32(value, argument):
    """Raise DataError unless `value` is a whole number that fits into int32."""
    if not is_whole_number(value) or not INT32.min <= value <= INT32.max:
        raise DataError(f"{argument} is {value!r}; expected a whole number that fits into int32.")


def warn_of_truncation(dropped, sequences, length):
    """Warn that sequences lost their ends."""
    warn_of_data(
        f"{counted(sequences, 'sequence')} longer than {length} lost the end, {counted(dropped, 'token')} in all. Give "
        "a greater length, or shorten the texts yourself where the end matters."
    )

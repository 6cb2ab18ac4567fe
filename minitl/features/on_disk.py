"""Features kept on disk: what a frozen base makes of an example, computed once in a lifetime.

An example's features depend on the base's numbers, on how the example was prepared, and on the example. So they are
kept in a folder under a key made of the first two, each example's under a key of its own, as the sha256 of its file: a
second run over the same photographs looks at none of them, and one over a folder with ten new ones looks at ten. The
folder's key also has the versions of minitl and NumPy, which may round differently.

    $MINITL_HOME/features/<key>/         a `store.Store`: one row an example

Any source can be kept that is a stream (see `data.batches`) and also has

    keys            for each example a text that says what it is: another one whenever the example is another
    origins         for each example what it is read from, as a path. Examples of one origin (a photograph and its
                    mirror image, the parts of a recording) are read together, and left out together
    preparation     plain data that says how an example is prepared
    noun            what an example is called in messages: "picture"
    read_unchanged  `read_unchanged(positions)` -> (the examples there, {position: reason} of those that cannot be read
                    any more or are no longer what their keys say)

`data.PhotoStream` is one. Nothing is held in memory but the batch at work.

The base runs on batches of one fixed size, the last one filled up: then an example's features do not depend on its
neighbours, and kept features are those that would be computed, bit for bit.
"""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np

from ..errors import ArgumentError, DataError, MinitlError
from ..files.home import home_folder
from ..graph.architecture import architecture
from ..graph.digest import frozen_digest
from ..version import __version__
from .one_pass import output_shapes, outputs
from .store import Store

BATCH = 8  # examples at a time: as fast as 32, and a quarter of the memory


class FeatureRows:
    """Features of examples, read from the disk as they are needed: stands for an array (N, ...).

    positions   for each row the position of its example in the source
    left_out    (origin, reason) of examples that could not be read any more
    """

    is_stream = True

    def __init__(self, store, source, positions, left_out):
        self.store, self.source, self.positions, self.left_out = store, source, positions, left_out
        keys = [source.keys[position] for position in positions]
        self.rows = [store.index[key][0] for key in keys]
        self.shape, self.dtype = (len(keys), *store.shape), store.dtype
        self.digest = hashlib.sha256("".join(keys).encode() + store.key.encode()).hexdigest()[:16]

    def __len__(self):
        return len(self.rows)

    @property
    def photos(self):
        """The `data.Photo` of each row, where the source is a `data.PhotoStream`."""
        return [self.source.photos[position] for position in self.positions]

    def read(self, positions, epoch=None):
        """Return the rows at `positions` (a slice or an array): (n, ...). They are the same in each `epoch`."""
        rows = [self.rows[position] for position in np.arange(len(self))[positions]]
        features = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for row, place in zip(rows, features):
            self.store.read(row, place)
        return features


def kept_features(graph, source, keep=True, verbose=1):
    """Return the output of the frozen `graph` for each example of `source`, as `FeatureRows`.

    keep   look on the disk first, and leave there what was computed; else in a file that is gone afterwards

    The next examples are read while the graph computes. One that has vanished or changed since the source was made is
    left out.
    """
    keys, origins, store = source.keys, source.origins, open_store(graph, source, keep)
    with store.writing():
        wanted = {key: position for position, key in enumerate(keys)}
        missing = [position for key, position in wanted.items() if key not in store.index]
        reasons = _compute(store, graph, source, missing, verbose)
    left_out = list(dict.fromkeys((origin, reasons[key]) for origin, key in zip(origins, keys) if key in reasons))
    gone = {origin for origin, _ in left_out}
    there = [position for position, origin in enumerate(origins) if origin not in gone]
    if not there:
        reason = left_out[0][1] if left_out else ""
        raise DataError(f"none of the {len(set(origins))} {source.noun}s could be read: {reason}")
    if verbose:
        computed = len({origins[position] for position in missing})
        kept = len({origins[position] for position in wanted.values()}) - computed
        size = len(store.index) * store.row_bytes / 1e6
        print(f"Features: {computed} {source.noun}s went through the base, {kept} were kept from before", end="")
        print(f" ({size:,.0f} MB in {store.folder}).", flush=True) if store.folder else print(".", flush=True)
    return FeatureRows(store, source, there, left_out)


def room_for(graph, source, keep=True):
    """Is there room for what `kept_features` would have to write, and as much again? Return (yes or no, bytes)."""
    store = open_store(graph, source, keep)
    store.load()
    wanted = len(set(source.keys) - set(store.index)) * store.row_bytes
    folder = store.folder or Path(tempfile.gettempdir())
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return 2 * wanted <= shutil.disk_usage(folder).free, wanted


def open_store(graph, source, keep):
    """Return the place for this graph's features of such a source; a temporary file where none can be kept."""
    _check(graph, source)
    what = [frozen_digest(graph), architecture(graph), source.preparation, list(source.shape[1:]), source.dtype.str,
            BATCH, __version__, np.__version__]  # fmt: skip
    key = hashlib.sha256(json.dumps(what).encode("utf-8")).hexdigest()[:32]
    (shape,), dtype = output_shapes(graph, (source,)), source.dtype if graph.dtype is None else graph.dtype
    if keep:
        try:
            return Store(key, shape, dtype, home_folder() / "features" / key)
        except (OSError, MinitlError) as error:
            print(f"The features cannot be kept for the next run ({error}).", flush=True)
    return Store(key, shape, dtype, None)


def _check(graph, source):
    """Refuse what would make kept features wrong ones: they are found again by what is frozen, and by the keys."""
    for layer in graph.layers:
        if layer.trainable and layer.weight_names:
            raise ArgumentError(
                f"layer '{layer.name}' is not frozen: features that are kept would not be those that it computes after "
                "it has learned. Call transfer.freeze(model) first."
            )
    if getattr(source, "is_augmented", False):
        raise ArgumentError(
            f"the {source.noun}s are others in each epoch (augmentation): features of them cannot be kept. Leave out "
            "the augmentation, or run the whole model in every epoch."
        )


def _compute(store, graph, source, positions, verbose):
    """Put the features of the examples at `positions` into the store. Return {key: reason} of those that cannot be
    read."""
    readable, keys = _FullBatches(source), source.keys
    title = "Features" if verbose else None
    for batch, features in outputs(graph, readable, _batches(positions, source.origins), title, lines=True):
        try:
            store.append([keys[position] for position in batch if position not in readable.reasons], features)
        except OSError as error:
            size = store.row_bytes / 1e6
            raise DataError(
                f"{store.folder or tempfile.gettempdir()}: no room for features of {size:.1f} MB a {source.noun} "
                f"({error.strerror}). Make room, or set MINITL_HOME to a folder on a larger disk."
            ) from None
    return {keys[position]: reason for position, reason in readable.reasons.items()}


def _batches(positions, origins):
    """Return lists of at most BATCH of the `positions`. Those of one origin are in one list, if they are no more than
    that: its file is then read once."""
    of_origin = {}
    for position in positions:
        of_origin.setdefault(origins[position], []).append(position)
    batches = []
    for together in of_origin.values():
        for first in range(0, len(together), BATCH):
            part = together[first : first + BATCH]
            if not batches or len(batches[-1]) + len(part) > BATCH:
                batches.append([])
            batches[-1] += part
    return batches


class _FullBatches:
    """What can be read of a source, in batches that are filled up to BATCH examples by taking the first ones again.
    `reasons` says why the others cannot be read: {position: reason}."""

    is_stream = True

    def __init__(self, source):
        self.source, self.reasons = source, {}

    def __len__(self):
        return len(self.source)

    def read(self, positions, epoch=None):
        examples, reasons = self.source.read_unchanged(positions)
        self.reasons.update(reasons)
        return examples[np.arange(BATCH) % len(examples)] if len(examples) else None

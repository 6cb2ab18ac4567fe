"""Features on the disk: the output of a frozen base for each example, computed once and kept for later runs.

The features of an example depend on the weights of the base, on how the example was prepared, and on the example. They
are kept in a folder. The name of the folder is a key made of the first two. In the folder each example has a key of its
own, such as the sha256 of its file. So a second run over the same photographs reads none of them, and a run over a
folder with ten new ones reads ten. The key of the folder also contains the versions of minitl and NumPy, because
another version may round differently.

    $MINITL_HOME/features/<key>/         a `store.Store`: one row for each example

The features of any source can be kept that is a stream (see `data.batches`) and also has

    keys            for each example a text that identifies it, and that changes whenever the example changes
    origins         for each example the path that it is read from. Examples of one origin (a photograph and its mirror
                    image, the parts of a recording) are read together, and left out together
    preparation     plain data that describes how an example is prepared
    noun            the word for an example's origin in messages, such as "photograph"
    read_unchanged  `read_unchanged(positions)` -> (the examples there, {position: reason} of those that cannot be read
                    any more, or that have changed since their keys were made)

`data.PhotoStream` is such a source. Only the current batches are in memory.

The base runs on batches of one fixed size, and the last batch is filled up to it. So the features of an example do not
depend on the other examples, and kept features are equal to computed ones, bit for bit.
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
    """A stream of the features of examples, read from the disk when they are needed. It stands for an array (N, ...).

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
        """Return the rows at `positions` (a slice or an array): (n, ...). They are the same in every epoch."""
        rows = [self.rows[position] for position in np.arange(len(self))[positions]]
        features = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for row, place in zip(rows, features):
            self.store.read(row, place)
        return features


def kept_features(graph, source, keep=True, verbose=1):
    """Return the output of the frozen `graph` for each example of `source`, as `FeatureRows`.

    keep   True: use the features that are on the disk, and keep the computed ones there. False: compute all of them,
           in a temporary file

    The next examples are read while the graph computes. An example that has vanished or changed since the source was
    made is left out.
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
    """Return (whether there is room, the bytes that `kept_features` would write). Room for twice as many is needed."""
    store = open_store(graph, source, keep)
    store.load()
    wanted = len(set(source.keys) - set(store.index)) * store.row_bytes
    folder = store.folder or Path(tempfile.gettempdir())
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return 2 * wanted <= shutil.disk_usage(folder).free, wanted


def open_store(graph, source, keep):
    """Return the `Store` for this graph's features of this source. If the home folder cannot be used, the store is in a
    temporary file."""
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
    """Raise ArgumentError if kept features would become wrong: if a layer of the graph is trainable, or if the examples
    differ in each epoch."""
    for layer in graph.layers:
        if layer.trainable and layer.weight_names:
            raise ArgumentError(
                f"layer '{layer.name}' is not frozen: after training, the kept features would no longer be its output. "
                "Call transfer.freeze(model) first."
            )
    if getattr(source, "is_augmented", False):
        raise ArgumentError(
            f"the {source.noun}s differ in each epoch (augmentation), so their features cannot be kept. Leave out the "
            "augmentation, or run the whole model in every epoch."
        )


def _compute(store, graph, source, positions, verbose):
    """Compute the features of the examples at `positions`, and put them into the store. Return {key: reason} of the
    examples that cannot be read."""
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
    """Return the `positions` as lists of at most BATCH. If one origin has at most BATCH positions, they are all in one
    list, so that its file is read only once."""
    by_origin = {}
    for position in positions:
        by_origin.setdefault(origins[position], []).append(position)
    batches = []
    for same_origin in by_origin.values():
        for first in range(0, len(same_origin), BATCH):
            part = same_origin[first : first + BATCH]
            if not batches or len(batches[-1]) + len(part) > BATCH:
                batches.append([])
            batches[-1] += part
    return batches


class _FullBatches:
    """A stream of the readable examples of a source, in batches of exactly BATCH examples. A smaller batch is filled up
    by repeating its examples. `reasons` is {position: reason} of the examples that cannot be read."""

    is_stream = True

    def __init__(self, source):
        self.source, self.reasons = source, {}

    def __len__(self):
        return len(self.source)

    def read(self, positions, epoch=None):
        examples, reasons = self.source.read_unchanged(positions)
        self.reasons.update(reasons)
        return examples[np.arange(BATCH) % len(examples)] if len(examples) else None

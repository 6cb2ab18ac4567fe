"""Features on the disk: the output of a frozen base for each example, computed once and kept for later runs.

The features of an example depend on the base, on how the example was prepared, and on the example. They are kept in a
folder:

    $MINITL_HOME/features/<key>/         a `store.Store`: one row for each example

The name of the folder is a key, a digest of all that the features depend on except the example itself:

    weights         the digest of all weights of the base (`weights_digest`)
    architecture    the layers of the base: their classes, names, arguments and inputs
    preparation     the source's description of how an example is prepared
    shape and type  of a prepared example
    precision       whether maps are kept in two bytes a number
    batch           `BATCH`, the number of examples that go through the base at a time
    versions        of minitl and of NumPy: another version may round differently

In the folder each example has a key of its own, such as the sha256 of its file. So a second run over the same
photographs reads none of them, and a run over a folder with ten new ones reads ten.

The key of the folder does not contain the names of the input and of a last pooling. So the pooled output of a block has
the same key whichever network it was computed with: the base alone, the base with ImageNet's head, or a saved model.

`kept_features` keeps the output of one graph. `kept_together` keeps those of several graphs that begin with the same
input, such as the pooled outputs of all blocks. An example that is not there yet goes through their layers only once.

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
depend on the other examples. On the same machine with the same number of threads, kept features are equal to computed
ones, bit for bit. Another machine or number of threads may round differently, and uses the kept features all the same.

Read next: `batch_by_batch`, the pass through the base, here or on other machines; `store`, the files; `cache`, which
lists and removes them.
"""

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ..errors import ArgumentError, DataError, MinitlError
from ..files.home import home_folder
from ..graph.architecture import architecture
from ..layers import GlobalAveragePooling1D, GlobalAveragePooling2D
from ..progress import Progress
from ..terminal import counted
from ..version import __version__
from .batch_by_batch import BATCH, batches_of, computed_rows
from .cache import keep_within_limit, limit_bytes, size_text
from .one_pass import output_shapes
from .store import Store, entries_of


class FeatureRows:
    """A stream of the features of examples, read from the disk when they are needed. It stands for an array (N, ...).

    positions   for each row the position of its example in the source
    left_out    (origin, reason) of examples that could not be read any more
    """

    is_stream = True

    def __init__(self, store, source, positions, left_out):
        self.store, self.source, self.positions, self.left_out = store, source, positions, left_out
        keys = [source.keys[position] for position in positions]
        self.rows = [store.place_of(key) for key in keys]
        self.shape, self.dtype = (len(keys), *store.shape), store.dtype
        self.digest = hashlib.sha256("".join(keys).encode() + store.key.encode()).hexdigest()[:16]

    def __repr__(self):
        return f"<FeatureRows {self.shape}, {self.dtype}, from {self.store.folder or 'a temporary file'}>"

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


def kept_features(graph, source, keep=True, verbose=1, half=False, about=None, map=None):
    """Return the output of the frozen `graph` for each example of `source`, as `FeatureRows`.

    keep    True: use the features that are on the disk, and keep the computed ones there. False: compute all of them,
            in a temporary file
    half    True: maps (outputs with more than one axis) take two bytes a number on the disk, rounded to 11 bits
    about   {"base": ..., "folder": ...} for the list of `minitl cache`
    map     a callable like Python's `map` that computes the batches elsewhere (`batch_by_batch`); None: this process

    The next examples are read while the graph computes. An example that has vanished or changed since the source was
    made is left out.
    """
    return kept_together([graph], source, keep, verbose, half, about, map)[0]


def kept_together(graphs, source, keep=True, verbose=1, half=False, about=None, map=None):
    """Return `FeatureRows` for each of several `graphs` that begin with the same input; the rest as `kept_features`.

    All of them have rows for the same examples. An example whose features are missing somewhere goes through the layers
    once, however many graphs share them.
    """
    keys, origins = source.keys, source.origins
    if keep:
        limit_bytes()  # refused now, if it is no number
    digests = {}
    graph_of, stores = _distinct(graphs, [open_store(each, source, keep, half, about, digests) for each in graphs])
    wanted = {key: position for position, key in enumerate(keys)}
    with ExitStack() as locks:
        for _, store in sorted(graph_of.items()):  # always in the same order: two runs do not wait for each other
            locks.enter_context(store[1].writing(wanted))
        missing = {
            name: [position for key, position in wanted.items() if key not in store.index]
            for name, (_, store) in graph_of.items()
        }
        positions = sorted(set().union(*missing.values()))
        if verbose and positions:
            size = sum(len(missing[name]) * store.row_bytes for name, (_, store) in graph_of.items())
            place = "on the disk" if keep else "in a temporary file"
            count = _count(origins, positions, source)
            print(f"Features of {count} will be computed: {size_text(size)} {place}.")
        lacking = [graph_of[name] for name in missing if missing[name]]
        reasons = _compute(lacking, source, positions, verbose, map)
    left_out = list(dict.fromkeys((origin, reasons[key]) for origin, key in zip(origins, keys) if key in reasons))
    gone = {origin for origin, _ in left_out}
    there = [position for position, origin in enumerate(origins) if origin not in gone]
    if not there:
        reason = left_out[0][1] if left_out else ""
        raise DataError(f"none of the {counted(len(set(origins)), source.noun)} could be read: {reason}")
    folder = stores[0].home
    if verbose:
        computed = len({origins[position] for position in positions})
        kept = len({origins[position] for position in wanted.values()}) - computed
        print(f"Features: {counted(computed, source.noun)} went through the base, {kept} were kept from before", end="")
        print("." if folder is None else f"\n({folder.parent}).", flush=True)
    if folder is not None:
        keep_within_limit(folder.parent)
    return [FeatureRows(store, source, there, left_out) for store in stores]


def _distinct(graphs, stores):
    """Return ({key of a store: (graph, store)}, the store of each graph): equal graphs share one."""
    first = {}
    for graph, store in zip(graphs, stores):
        first.setdefault(store.key, (graph, store))
    return first, [first[store.key][1] for store in stores]


def _count(origins, positions, source):
    """Return the number of origins at these positions, with their noun."""
    return counted(len({origins[position] for position in positions}), source.noun)


def room_for(graphs, source, keep=True, half=False, about=None):
    """Return (whether there is room, the bytes that `kept_together` would write). Room for twice as many is needed.

    graphs   one graph, or several;   about   as in `kept_together`
    """
    graphs, digests = graphs if isinstance(graphs, list) else [graphs], {}
    stores = [open_store(graph, source, keep, half, about, digests) for graph in graphs]
    wanted = 0
    for store in {store.key: store for store in stores}.values():
        store.load(set(source.keys))
        wanted += len(set(source.keys) - set(store.index)) * store.row_bytes
    folder = stores[0].folder or Path(tempfile.gettempdir())
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return 2 * wanted <= shutil.disk_usage(folder).free, wanted


def has_kept(graph, source):
    """Return whether an earlier run has kept features of this graph, of examples that are prepared as this source's."""
    return any((home_folder() / "features" / key_of(graph, source)).glob("*/index.json"))


def kept_keys(graph, source, half=False):
    """Return the set of the source's keys whose features of this graph an earlier run has kept. Nothing is opened to
    write."""
    folders = (home_folder() / "features" / key_of(graph, source, half)).glob("*/index.json")
    return set(source.keys).intersection(*[set().union(*(entries_of(path.parent) for path in folders))])


def open_store(graph, source, keep, half=False, about=None, digests=None):
    """Return the `Store` for this graph's features of this source. If the home folder cannot be used, the store is in a
    temporary file. `digests` is that of `weights_digest`."""
    _check(graph, source)
    key = key_of(graph, source, half, digests)
    (shape,), dtype = output_shapes(graph, (source,)), source.dtype if graph.dtype is None else graph.dtype
    about = {"base": graph.name, "noun": f"{source.noun}s", "folder": _folder(source), **(about or {})}
    folder = os.path.abspath(about["folder"]) if about["folder"] else ""
    about |= {"example": list(source.shape[1:]), "features": list(shape), "folder": folder}
    name = hashlib.sha256(str(about["folder"]).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    half = half and len(shape) > 1
    if keep:
        try:
            return Store(key, shape, dtype, home_folder() / "features" / key, name, half, about)
        except (OSError, MinitlError) as error:
            print(f"The features cannot be kept for the next run ({error}).", flush=True)
    return Store(key, shape, dtype, None, half=half)


def key_of(graph, source, half=False, digests=None):
    """Return the key of this graph's features of this source: equal for networks that compute the same. `digests` is
    that of `weights_digest`."""
    layers = architecture(graph)["layers"]
    names = {layers[0]["config"]["name"]: "input"}
    if isinstance(graph.calls[-1].layer, (GlobalAveragePooling1D, GlobalAveragePooling2D)):
        names[graph.calls[-1].layer.name] = "pooled"
    described = json.loads(json.dumps(layers))
    for entry in described:
        entry["inputs"] = [names.get(each, each) if isinstance(each, str) else each for each in entry["inputs"]]
        if "config" in entry:
            entry["config"]["name"] = names.get(entry["config"]["name"], entry["config"]["name"])
            entry["config"].pop("trainable", None)
    described[0]["config"].pop("shape", None)  # the source's counts
    is_half = half and len(graph.outputs[0].shape) > 2
    what = [weights_digest(graph, digests), described, source.preparation, list(source.shape[1:]), source.dtype.str,
            is_half, BATCH, __version__, np.__version__]  # fmt: skip
    return hashlib.sha256(json.dumps(what).encode("utf-8")).hexdigest()[:32]


def weights_digest(graph, known=None):
    """Return a sha256 over all weights of a graph, frozen or not.

    known   {layer: its digest}, to which new ones are added: graphs that share layers are digested faster
    """
    known = {} if known is None else known
    for layer in graph.layers:
        if layer not in known:
            known[layer] = digest = hashlib.sha256()
            for name in layer.weight_names:
                array = np.ascontiguousarray(getattr(layer, name))
                digest.update(f"{layer.name}/{name} {array.dtype.str} {array.shape}\n".encode())
                digest.update(array)
    return hashlib.sha256(b"".join(known[layer].digest() for layer in graph.layers)).hexdigest()


def _folder(source):
    """Return the folder that all origins of a source lie in, as text; "" if they are no paths."""
    paths = {str(Path(origin).parent) for origin in source.origins if isinstance(origin, os.PathLike)}
    return os.path.commonpath([os.path.abspath(path) for path in paths]) if paths else ""


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


def _compute(lacking, source, positions, verbose, map):
    """Compute the features of the examples at `positions`, and put them where they are missing.

    lacking   (graph, store) of each graph whose features are missing for some of the examples

    Returns {key: reason} of the examples that cannot be read.
    """
    reasons, keys = {}, source.keys
    if not positions:
        return reasons
    first = lacking[0][0]
    graph = first if len(lacking) == 1 else first.part(first.input, [each.output for each, _ in lacking])
    if hasattr(source, "order_for"):  # texts of about one length come together: less padding is computed
        wanted = set(positions)
        positions = [position for position in source.order_for(BATCH).tolist() if position in wanted]
    batches = batches_of(positions, source.origins)
    with Progress("Features" if verbose else "Computing", len(positions), enabled=bool(verbose)) as bar:
        for batch, rows in zip(batches, computed_rows(graph, source, batches, map)):
            reasons.update(rows.reasons)
            for (_, store), features in zip(lacking, rows.features):
                new = [k for k, position in enumerate(rows.positions) if keys[position] not in store.index]
                try:
                    store.append([keys[rows.positions[k]] for k in new], features[new])
                except OSError as error:
                    size = store.row_bytes / 1e6
                    raise DataError(
                        f"{store.folder or tempfile.gettempdir()}: no room for features of {size:.1f} MB a "
                        f"{source.noun} ({error.strerror}). Make room (`minitl cache clean`), or set MINITL_HOME to a "
                        "folder on a larger disk."
                    ) from None
            bar.advance(len(batch))
    return {keys[position]: reason for position, reason in reasons.items()}

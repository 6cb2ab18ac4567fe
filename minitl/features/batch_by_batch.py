"""One pass of a source through a frozen graph, cut into batches that do not depend on each other.

    for rows in computed_rows(graph, source, batches):            # in this process; the next batch is read meanwhile
    for rows in computed_rows(graph, source, batches, map=map):   # Python's `map`, one batch after the other
    for rows in computed_rows(graph, source, batches, map=cluster.map)         # on other machines: `minitl.cluster`

A batch is a list of positions in the source. `rows_of` makes `Rows` of it: a plain function whose arguments can all be
sent to another process. Whatever calls it, the rows are the same, bit for bit, on equal machines with one number of
threads. The graph and the source are bound to `rows_of` by `functools.partial`, so that a `map` which sends its work
elsewhere can tell what is the same for all batches, and send that only once.

Who calls this: `on_disk`, which keeps the rows.
"""

import threading
import zlib
from functools import partial
from typing import NamedTuple

import numpy as np

from ..data.batches import read_ahead
from ..errors import DataError
from ..graph.packed import packed, unpacked
from ..terminal import shortened

BATCH = 8  # examples at a time: as fast as 32, and a quarter of the memory


class Rows(NamedTuple):
    """The features of a batch.

    positions   those of the examples that could be read;   reasons   {position: reason} of the others
    features    for each output of the graph an array (n, ...), one row for each of the positions
    checksums   for each output the CRC-32 of each row; None where the rows have not left this process
    """

    positions: list
    features: list
    reasons: dict
    checksums: list | None = None


class FrozenGraph:
    """A graph that can be sent to another process: it is pickled as its architecture and its arrays, as plain data.

    Each thread gets layers of its own. Two threads that run the same layers at a time would disturb each other.
    """

    def __init__(self, graph):
        self._data, self._made = None, threading.local()
        self._made.graph = self._original = graph

    def __getstate__(self):
        return packed(self._original) if self._data is None else self._data

    def __setstate__(self, data):
        self._data, self._made = data, threading.local()

    @property
    def graph(self):
        """Return the graph of this thread."""
        if not hasattr(self._made, "graph"):
            self._made.graph = unpacked(self.__getstate__())
        return self._made.graph


def computed_rows(graph, source, batches, map=None):
    """Yield the `Rows` of each batch in order.

    graph     a frozen `Graph`;   source   as in `on_disk`;   batches   lists of positions (`batches_of`)
    map       a callable like Python's `map`, which may call its function in any process; None: this process

    Raises DataError if a row that comes from another process is not what its checksum says.
    """
    if map is None:
        for batch, (examples, reasons) in zip(batches, read_ahead(_Batches(source), batches)):
            yield _rows(graph, batch, examples, reasons)
        return
    for rows in map(partial(rows_of, FrozenGraph(graph), source), batches):
        if rows.checksums != _checksums(rows.features):
            names = shortened(", ".join(str(source.origins[position]) for position in rows.positions), 200)
            raise DataError(f"the features of {names} were damaged on their way to this process. Start again.")
        yield rows


def rows_of(frozen, source, batch):
    """Return the `Rows` of a batch, with checksums. `frozen` is a `FrozenGraph`."""
    rows = _rows(frozen.graph, batch, *_Batches(source).read(batch))
    return rows._replace(checksums=_checksums(rows.features))


def batches_of(positions, origins):
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


class _Batches:
    """A stream of the batches of a source. `read` returns (the examples that can be read, {position: reason} of the
    others). There are exactly BATCH examples: a smaller batch is filled up by repeating its own. If none can be read,
    they are None."""

    is_stream = True

    def __init__(self, source):
        self.source = source

    def read(self, positions, epoch=None):
        examples, reasons = self.source.read_unchanged(positions)
        return (examples[np.arange(BATCH) % len(examples)] if len(examples) else None), reasons


def _rows(graph, batch, examples, reasons):
    """Return the `Rows` of the examples that `_Batches` has read."""
    positions = [position for position in batch if position not in reasons]
    if examples is None:
        return Rows([], [], reasons)
    y = graph.forward(graph.input_structure.packed((examples,)), gradients="none")
    return Rows(positions, [each[: len(positions)] for each in graph.output_structure.flat(y, "outputs")], reasons)


def _checksums(features):
    """Return the CRC-32 of each row of each array."""
    return [[zlib.crc32(np.ascontiguousarray(row)) for row in each] for each in features]

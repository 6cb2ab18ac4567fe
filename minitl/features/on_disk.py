"""Features kept on disk: what a frozen base makes of a picture, computed once in a lifetime.

A picture's features depend on the base's numbers, on how the picture was prepared, and on the picture. So they are kept
in a folder under a key made of the first two, each picture's by the sha256 of its file: a second run over the same
pictures looks at none of them, and one over a folder with ten new ones looks at ten. The key also has the versions of
minitl and NumPy, which may round differently.

    $MINITL_HOME/features/<key>/rows         the numbers, one row a picture
    $MINITL_HOME/features/<key>/index.json   {picture: [its row, a checksum of it]}

Rows are only ever appended, and the index is replaced when they are on the disk: what an interrupted run has computed
is there for the next one. Nothing is held in memory but the batch at work.

The base runs on batches of one fixed size, the last one filled up: then a picture's features do not depend on its
neighbours, and kept features are those that would be computed, bit for bit.
"""

import hashlib
import json
import math
import os
import shutil
import tempfile
import threading
import time
import weakref
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from .. import __version__, data
from ..errors import DataError, MinitlError
from ..files.atomic import replacing
from ..files.home import home_folder
from ..files.locks import locked
from ..graph.architecture import architecture
from ..graph.digest import frozen_digest
from ..progress import Progress

BATCH = 8  # pictures at a time: as fast as 32, and a quarter of the memory
SECONDS_BETWEEN = 10.0  # index files


class FeatureRows:
    """Features of pictures, read from the disk as they are needed: stands for an array (N, ...).

    photos     the `data.Photo` of each row
    left_out   (path, reason) of pictures that could not be read any more
    """

    is_stream = True

    def __init__(self, store, keys, photos, left_out):
        self.store, self.photos, self.left_out = store, photos, left_out
        self.rows = [store.index[key][0] for key in keys]
        self.shape, self.dtype = (len(keys), *store.shape), store.dtype
        self.digest = hashlib.sha256("".join(keys).encode() + store.key.encode()).hexdigest()[:16]

    def __len__(self):
        return len(self.rows)

    def read(self, positions, epoch=None):
        """The rows at `positions` (a slice or an array) -> (n, ...). They are the same in each `epoch`."""
        rows = [self.rows[position] for position in np.arange(len(self))[positions]]
        features = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for row, place in zip(rows, features):
            self.store.read(row, place)
        return features


def features_of(base, photos, prepare, crop=1.0, keep=True, mirrored=False, verbose=1):
    """The output of the frozen model `base` for each of `photos` (`data.Photo`s), as `FeatureRows`.

    prepare    the base's `preprocess_input`;   crop   as in `data.read_image`
    keep       look on the disk first, and leave there what was computed; else in a file that is gone afterwards
    mirrored   for each picture its mirror image as well, behind all the others

    Pictures are decoded while the base computes. One that has vanished since the folder was looked through is left out.
    """
    views = ("", "mirrored") if mirrored else ("",)
    store = open_store(base, prepare, crop, keep)
    with store.writing():
        wanted = {photo.sha256: photo for photo in photos}
        missing = [photo for sha, photo in wanted.items() if any(sha + view not in store.index for view in views)]
        reasons = _compute(store, base, missing, views, prepare, crop, verbose)
    left_out = [(photo.path, reasons[photo.sha256]) for photo in photos if photo.sha256 in reasons]
    there = [photo for photo in photos if all(photo.sha256 + view in store.index for view in views)]
    if not there:
        raise DataError(f"none of the {len(photos)} pictures could be read: {left_out[0][1] if left_out else ''}")
    if verbose:
        kept = len(wanted) - len(missing)
        size = len(store.index) * store.row_bytes / 1e6
        print(f"Features: {len(missing)} pictures went through the base, {kept} were kept from before", end="")
        print(f" ({size:,.0f} MB in {store.folder}).", flush=True) if store.folder else print(".", flush=True)
    keys = [photo.sha256 + view for view in views for photo in there]
    return FeatureRows(store, keys, there * len(views), left_out)


def _compute(store, base, photos, views, prepare, crop, verbose):
    """Put the features of `photos` into the store. Returns {sha256: reason} for those that cannot be read."""
    height, width = base.input_shape[1:3]
    batches, left_out = [photos[first : first + BATCH] for first in range(0, len(photos), BATCH)], {}

    def decode(batch):
        images, good = [], []
        for photo in batch:
            try:
                image = data.read_image(photo.path, height, width, crop)
                if hashlib.sha256(photo.path.read_bytes()).hexdigest() != photo.sha256:
                    raise DataError(f"{photo.path}: has changed since the folder was looked through.")
                images.append(image)
                good.append(photo)
            except (DataError, OSError) as error:
                left_out[photo.sha256] = str(error).removeprefix(f"{photo.path}: ").rstrip(".")
        return images, good

    with ThreadPoolExecutor(1) as decoder, Progress("Features", len(photos), enabled=bool(verbose), lines=True) as bar:
        ahead = [decoder.submit(decode, batch) for batch in batches[:1]]
        for batch, following in zip(batches, [*batches[1:], None]):
            images, good = ahead.pop().result()
            if following:
                ahead.append(decoder.submit(decode, following))
            for view in views if good else ():
                pixels = np.stack(images)[:, :, :: -1 if view else 1]
                filled = prepare(pixels)[np.arange(BATCH) % len(images)]  # the last batch: its pictures again
                store.append([photo.sha256 + view for photo in good], base.forward(filled, gradients="none"))
            bar.advance(len(batch))  # may raise Interrupted: what was computed until then is kept
    return left_out


def open_store(base, prepare, crop, keep):
    """The place for features of this base; in a temporary file where none can be kept."""
    what = [frozen_digest(base), architecture(base), f"{prepare.__module__}.{prepare.__qualname__}", crop, BATCH,
            __version__, np.__version__]  # fmt: skip
    key = hashlib.sha256(json.dumps(what).encode("utf-8")).hexdigest()[:32]
    shape, dtype = base.output_shape[1:], base.dtype
    if keep:
        try:
            return Store(key, shape, dtype, home_folder() / "features" / key)
        except (OSError, MinitlError) as error:
            print(f"The features cannot be kept for the next run ({error}).", flush=True)
    return Store(key, shape, dtype, None)


def room_for(base, photos, prepare, crop=1.0, keep=True, mirrored=False):
    """Is there room for what `features_of` would have to write, and as much again? Returns (yes or no, bytes)."""
    store = open_store(base, prepare, crop, keep)
    if store.folder is not None:
        store.load()
    views = ("", "mirrored") if mirrored else ("",)
    missing = {photo.sha256 + view for photo in photos for view in views} - set(store.index)
    wanted = len(missing) * store.row_bytes
    folder = store.folder or Path(tempfile.gettempdir())
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return 2 * wanted <= shutil.disk_usage(folder).free, wanted


class Store:
    """Rows of one shape in a file, and where each key's is. `folder` None: in a file that goes with this object."""

    def __init__(self, key, shape, dtype, folder):
        self.key, self.shape, self.dtype, self.folder = key, shape, dtype, folder
        self.row_bytes = math.prod(shape) * dtype.itemsize
        self.turn = threading.Lock()
        if folder is None:
            self.file = tempfile.TemporaryFile()
        else:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "rows").touch()
            self.file = open(folder / "rows", "r+b")
        weakref.finalize(self, self.file.close)
        self.index, self.next_row, self.saved_at = {}, 0, time.monotonic()

    def load(self):
        """Read the index, without rows that are damaged or were never finished."""
        try:
            entries = json.loads((self.folder / "index.json").read_text(encoding="utf-8"))
            entries = {str(key): (int(row), int(checksum)) for key, (row, checksum) in entries.items()}
        except (OSError, ArithmeticError, ValueError, TypeError, AttributeError, RecursionError):
            entries = {}
        place, end = np.empty(self.row_bytes, np.uint8), os.fstat(self.file.fileno()).st_size
        self.index, self.next_row = {}, -(-end // self.row_bytes)  # behind everything: somebody may be reading it
        for key, (row, checksum) in entries.items():
            if 0 <= row < end // self.row_bytes:
                self.read(row, place)
                if zlib.crc32(place) == checksum:
                    self.index[key] = row, checksum

    def writing(self):
        """Within it, this process alone writes; what others wrote until then is seen."""
        return nullcontext() if self.folder is None else _Writing(self)

    def append(self, keys, features):
        """A row for each key."""
        try:
            with self.turn:
                for key, row in zip(keys, np.ascontiguousarray(features, self.dtype)):
                    self.file.seek(self.next_row * self.row_bytes)
                    self.file.write(row.data)
                    self.index[key] = self.next_row, zlib.crc32(row)
                    self.next_row += 1
                self.file.flush()
            if time.monotonic() - self.saved_at > SECONDS_BETWEEN:
                self.save()
        except OSError as error:
            size = self.row_bytes / 1e6
            raise DataError(
                f"{self.folder or tempfile.gettempdir()}: no room for features of {size:.1f} MB a picture "
                f"({error.strerror}). Make room, or set MINITL_HOME to a folder on a larger disk."
            ) from None

    def save(self):
        """Bring rows and index to the disk, in this order."""
        if self.folder is None:
            return
        self.saved_at = time.monotonic()
        os.fsync(self.file.fileno())
        with replacing(self.folder / "index.json", lambda written: json.loads(Path(written).read_text())) as temporary:
            Path(temporary).write_text(json.dumps(self.index), encoding="utf-8")

    def read(self, row, place):
        """Fill the array `place` with a row."""
        with self.turn:  # a file has one position for all threads
            self.file.seek(row * self.row_bytes)
            count = self.file.readinto(place.data.cast("B"))
        if count != self.row_bytes:
            raise DataError(f"{self.folder}: has become shorter while it was in use. Start again.")


class _Writing:
    def __init__(self, store):
        self.store = store

    def __enter__(self):
        what = "another process is computing these features"
        self.lock = locked(self.store.folder, what)
        self.lock.__enter__()
        self.store.load()
        self.rows_before = self.store.next_row

    def __exit__(self, *exception):
        try:
            if self.store.next_row > self.rows_before:
                self.store.save()
        except (OSError, MinitlError) as error:
            print(f"The features cannot be kept for the next run ({error}).", flush=True)
        finally:
            self.lock.__exit__(*exception)

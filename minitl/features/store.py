"""A store: files of rows, and an index that gives the row of each key.

    FOLDER/SET/rows         the numbers, one row after the other
    FOLDER/SET/index.json   {key: [number of its row, checksum of its row]}
    FOLDER/SET/about.json   plain data for `features.cache`: whose features these are

A run writes to one *set*, such as that of a folder of photographs, and reads all sets of the store. So two runs on
different folders write at the same time, and each finds what earlier runs on other folders have kept. The date of the
file `rows` is that of its last use. Whoever reads or writes a set holds a shared lock on this file, so that
`features.cache` removes no set that is in use.

Rows are only appended, and the index is replaced after they are on the disk. So the next run finds the rows of an
interrupted run, and a row never changes while another process reads it.
"""

import json
import math
import os
import tempfile
import threading
import time
import weakref
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import DataError, MinitlError
from ..files.atomic import replacing
from ..files.locks import hold, locked
from ..progress import Progress

SECONDS_BETWEEN = 10.0  # the index is written at most this often
LARGEST_HALF = 2.0**15  # half precision ends at 65,504


class Store:
    """Rows of one shape in the files of a folder, and the place of each key.

    key, shape, dtype   of the features
    folder   the folder of the store; None: one temporary file, which is removed with this object
    name     the set that is written to
    half     True: the numbers take two bytes on the disk. They are read as `dtype`, rounded to 11 bits
    about    plain data for the file `about.json` of the set

    index    {key: (set, number of its row, checksum)}
    """

    def __init__(self, key, shape, dtype, folder, name="set", half=False, about=None):
        self.key, self.shape, self.dtype, self.name, self.about = key, tuple(shape), np.dtype(dtype), name, about or {}
        self.half, self.home = half and self.dtype.itemsize > 2, folder
        numbers = math.prod(self.shape)
        self.row_bytes = 4 + 2 * numbers if self.half else numbers * self.dtype.itemsize
        self.folder = None if folder is None else folder / name
        self.lock, self.files, self.checked = threading.Lock(), {}, set()
        self.index, self.next_row, self.saved_at = {}, 0, time.monotonic()
        self.file = tempfile.TemporaryFile() if folder is None else self._open(self.folder, write=True)
        weakref.finalize(self, self.file.close)
        self.files[name] = self.file

    def _open(self, folder, write=False):
        """Open the rows of a set, hold them, and note that they are used."""
        if write:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "rows").touch()
        file = open(folder / "rows", "r+b")
        hold(file)
        os.utime(folder / "rows")
        return file

    def load(self, keys=None):
        """Read the index, and leave out rows that are damaged or incomplete.

        keys   only the rows of these keys are read to be checked, and the others are not in the index (None: all)
        """
        if self.folder is None:
            return
        self.index = {}
        for name in sorted({path.parent.name for path in self.home.glob("*/index.json")} - {self.name}):
            self._load_set(name, keys)
        self._load_set(self.name, keys)
        self._check_rows()

    def _load_set(self, name, keys):
        """Add what the index of one set says."""
        folder = self.home / name
        entries = entries_of(folder)
        if name not in self.files:
            if keys is not None and not any(key in entries for key in keys):
                return
            try:
                self.files[name] = self._open(folder)
            except OSError:
                return
            weakref.finalize(self, self.files[name].close)
        end = os.fstat(self.files[name].fileno()).st_size
        if name == self.name:
            self.next_row = -(-end // self.row_bytes)  # new rows go to the end: others may read
        for key, (row, checksum) in entries.items():
            if 0 <= row < end // self.row_bytes and (keys is None or key in keys):
                self.index[key] = name, row, checksum

    def _check_rows(self):
        """Leave out rows whose checksum is wrong."""
        place = np.empty(self.row_bytes, np.uint8)
        with Progress("Checking kept features", len(self.index) * self.row_bytes, unit="MB") as bar:
            for key, entry in list(self.index.items()):
                if entry not in self.checked:
                    self._read_bytes(entry, place)
                    if zlib.crc32(place) == entry[2]:
                        self.checked.add(entry)
                    else:
                        del self.index[key]
                bar.advance(self.row_bytes)

    @contextmanager
    def writing(self, keys=None):
        """Lock the set for writing in the `with` block. At its beginning the block reads the rows that others have
        written. At its end its own rows are saved, even after an exception."""
        if self.folder is None:
            yield
            return
        with locked(self.folder, "another process is computing these features"):
            self.load(keys)
            rows_before = self.next_row
            try:
                yield
            finally:
                if self.next_row > rows_before:
                    self._save_if_possible()

    def append(self, keys, rows):
        """Write one of the `rows` for each of the `keys`."""
        with self.lock:
            for key, row in zip(keys, np.ascontiguousarray(rows, self.dtype)):
                stored = self._encoded(row)
                self.file.seek(self.next_row * self.row_bytes)
                self.file.write(stored)
                self.index[key] = self.name, self.next_row, zlib.crc32(stored)
                self.checked.add(self.index[key])
                self.next_row += 1
            self.file.flush()
        if time.monotonic() - self.saved_at > SECONDS_BETWEEN:
            self.save()

    def save(self):
        """Flush the rows to the disk, and then the index."""
        if self.folder is None:
            return
        self.saved_at = time.monotonic()
        os.fsync(self.file.fileno())
        entries = entries_of(self.folder)  # it may have keys that nobody has asked for now
        entries |= {key: [row, checksum] for key, (name, row, checksum) in self.index.items() if name == self.name}
        for name, data in ("about.json", self.about), ("index.json", entries):
            with replacing(self.folder / name, lambda written: json.loads(Path(written).read_text())) as temporary:
                Path(temporary).write_text(json.dumps(data), encoding="utf-8")

    def _save_if_possible(self):
        """Save, or print that it failed. The rows can still be read as long as this process runs."""
        try:
            self.save()
        except (OSError, MinitlError) as error:
            print(f"The features cannot be kept for the next run ({error}).", flush=True)

    def place_of(self, key):
        """Return the place of a key's row, for `read`."""
        return self.index[key]

    def read(self, place, row):
        """Fill the array `row` with the row at a place."""
        if not self.half:
            self._read_bytes(place, row)
            return
        stored = np.empty(self.row_bytes, np.uint8)
        self._read_bytes(place, stored)
        np.multiply(stored[4:].view(np.float16).reshape(self.shape), stored[:4].view(np.float32), out=row)

    def _encoded(self, row):
        """Return the bytes of a row on the disk. In half precision, the first four bytes are a power of two by which
        the numbers were divided: it is 1 unless one of them is too large."""
        if not self.half:
            return row.tobytes()
        largest = float(np.abs(row).max(initial=0))
        scale = np.float32(1)
        if LARGEST_HALF < largest < np.inf:
            scale = np.float32(2.0 ** math.ceil(math.log2(largest / LARGEST_HALF)))
        return scale.tobytes() + (row / scale).astype(np.float16).tobytes()

    def _read_bytes(self, place, row):
        name, number, _ = place
        with self.lock:  # all threads share the position of the file
            file = self.files[name]
            file.seek(number * self.row_bytes)
            count = file.readinto(row.data.cast("B"))
        if count != self.row_bytes:
            raise DataError(f"{self.folder}: its file of rows has become shorter while it was in use. Start again.")


def entries_of(folder):
    """Return the index of the set in `folder`, {key: (number of its row, checksum)}. It is empty if it is damaged."""
    try:
        entries = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        return {str(key): (int(row), int(checksum)) for key, (row, checksum) in entries.items()}
    except (OSError, ArithmeticError, ValueError, TypeError, AttributeError, RecursionError):
        return {}

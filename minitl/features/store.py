"""A file of rows, and the index that says which row belongs to which key.

    FOLDER/rows         the numbers, one row after the other
    FOLDER/index.json   {key: [number of its row, a checksum of it]}

Rows are only ever appended, and the index is replaced once they are on the disk: what an interrupted run has written is
there for the next one, and a row that somebody is reading never changes.
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
from ..files.locks import locked

SECONDS_BETWEEN = 10.0  # index files


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
        if self.folder is None:
            return
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

    @contextmanager
    def writing(self):
        """Let this process alone write within the `with` block, which sees what others wrote until then. What it wrote
        itself is saved at the end, also where an exception ends it."""
        if self.folder is None:
            yield
            return
        with locked(self.folder, "another process is computing these features"):
            self.load()
            rows_before = self.next_row
            try:
                yield
            finally:
                if self.next_row > rows_before:
                    self._save_if_possible()

    def append(self, keys, rows):
        """Write a row for each key."""
        with self.turn:
            for key, row in zip(keys, np.ascontiguousarray(rows, self.dtype)):
                self.file.seek(self.next_row * self.row_bytes)
                self.file.write(row.data)
                self.index[key] = self.next_row, zlib.crc32(row)
                self.next_row += 1
            self.file.flush()
        if time.monotonic() - self.saved_at > SECONDS_BETWEEN:
            self.save()

    def save(self):
        """Bring rows and index to the disk, in this order."""
        if self.folder is None:
            return
        self.saved_at = time.monotonic()
        os.fsync(self.file.fileno())
        with replacing(self.folder / "index.json", lambda written: json.loads(Path(written).read_text())) as temporary:
            Path(temporary).write_text(json.dumps(self.index), encoding="utf-8")

    def _save_if_possible(self):
        """Save, or say that it could not be done: the rows can be read all the same, as long as this process runs."""
        try:
            self.save()
        except (OSError, MinitlError) as error:
            print(f"The features cannot be kept for the next run ({error}).", flush=True)

    def read(self, row, place):
        """Fill the array `place` with a row."""
        with self.turn:  # a file has one position for all threads
            self.file.seek(row * self.row_bytes)
            count = self.file.readinto(place.data.cast("B"))
        if count != self.row_bytes:
            raise DataError(f"{self.folder}: has become shorter while it was in use. Start again.")

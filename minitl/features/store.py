"""A store: a file of rows, and an index that gives the row of each key.

    FOLDER/rows         the numbers, one row after the other
    FOLDER/index.json   {key: [number of its row, checksum of its row]}

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
from ..files.locks import locked

SECONDS_BETWEEN = 10.0  # the index is written at most this often


class Store:
    """Rows of one shape in a file, and the row number of each key. If `folder` is None, the file is temporary and is
    removed with this object."""

    def __init__(self, key, shape, dtype, folder):
        self.key, self.shape, self.dtype, self.folder = key, shape, dtype, folder
        self.row_bytes = math.prod(shape) * dtype.itemsize
        self.lock = threading.Lock()
        if folder is None:
            self.file = tempfile.TemporaryFile()
        else:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "rows").touch()
            self.file = open(folder / "rows", "r+b")
        weakref.finalize(self, self.file.close)
        self.index, self.next_row, self.saved_at = {}, 0, time.monotonic()

    def load(self):
        """Read the index, and leave out rows that are damaged or incomplete."""
        if self.folder is None:
            return
        try:
            entries = json.loads((self.folder / "index.json").read_text(encoding="utf-8"))
            entries = {str(key): (int(row), int(checksum)) for key, (row, checksum) in entries.items()}
        except (OSError, ArithmeticError, ValueError, TypeError, AttributeError, RecursionError):
            entries = {}
        place, end = np.empty(self.row_bytes, np.uint8), os.fstat(self.file.fileno()).st_size
        self.index, self.next_row = {}, -(-end // self.row_bytes)  # new rows go to the end: others may read
        for key, (row, checksum) in entries.items():
            if 0 <= row < end // self.row_bytes:
                self.read(row, place)
                if zlib.crc32(place) == checksum:
                    self.index[key] = row, checksum

    @contextmanager
    def writing(self):
        """Lock the store for writing in the `with` block. At its beginning the block reads the rows that others have
        written. At its end its own rows are saved, even after an exception."""
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
        """Write one of the `rows` for each of the `keys`."""
        with self.lock:
            for key, row in zip(keys, np.ascontiguousarray(rows, self.dtype)):
                self.file.seek(self.next_row * self.row_bytes)
                self.file.write(row.data)
                self.index[key] = self.next_row, zlib.crc32(row)
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
        with replacing(self.folder / "index.json", lambda written: json.loads(Path(written).read_text())) as temporary:
            Path(temporary).write_text(json.dumps(self.index), encoding="utf-8")

    def _save_if_possible(self):
        """Save, or print that it failed. The rows can still be read as long as this process runs."""
        try:
            self.save()
        except (OSError, MinitlError) as error:
            print(f"The features cannot be kept for the next run ({error}).", flush=True)

    def read(self, row, place):
        """Fill the array `place` with the row of this number."""
        with self.lock:  # all threads share the position of the file
            self.file.seek(row * self.row_bytes)
            count = self.file.readinto(place.data.cast("B"))
        if count != self.row_bytes:
            raise DataError(f"{self.folder}: its file of rows has become shorter while it was in use. Start again.")

"""Opening a weight file that may be hostile: a known file directly, an unknown one through a child process.

A file of weights is input from a stranger. `open_weights` first computes its digest. If minitl wrote, checked or read
this content before (`known_files`), its listing is known and the arrays are read at once. If not, a child process with
limited time and memory parses the file (`child_process`) and returns the offset of each array; then this process reads
the arrays as plain bytes. The process that holds your work thus never parses the structures of an unknown file.

This costs about 0.3 s the first time a file is read (2 s for PyTorch's format), and nothing from then on.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from ... import errors
from ...errors import ArgumentError, MinitlError, UnsafeFileError, WeightsError
from ..formats.stored_file import Listing, StoredFile, remove_copy, signature_of
from . import child_process, known_files

CHUNK = 2**20  # bytes
BASE_MEMORY = 2 * 2**30  # address space of Python, NumPy and h5py, in bytes
TORCH_MEMORY = 8 * 2**30  # the same with PyTorch
BASE_SECONDS = 60
# The same of a processor's time, which waiting for a slow disk does not take: damage can make HDF5 compute for ever.
PROCESSOR_SECONDS = 15
ANSWER_LIMIT = 2**28  # bytes of JSON from the child process


def open_weights(path, progress=None):
    """Open a weight file of any format that minitl reads, and return it as a `StoredFile`.

    `progress` is called with the number of bytes of each piece that was read for the digest. Raises WeightsError,
    UnsafeFileError for a file that asks for something weights never need, and MissingExtraError for PyTorch's files
    if PyTorch is not installed.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ArgumentError(f"path is {path!r}; expected the path of a file.")
    try:
        if not Path(path).is_file():
            os.stat(path)  # raises the system's own reason
            raise WeightsError(f"{path}: expected a file, found a folder or a device. Check the path.")
        return _opened(path, open(path, "rb", buffering=0), progress)
    except (OSError, ValueError) as error:
        if isinstance(error, MinitlError):
            raise
        raise WeightsError(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}). Check the path."
        ) from None


def _opened(path, file, progress):
    """Return the `StoredFile` of the open `file` with this path.

    The digest and the arrays are both read from this open file. So they belong together, even if another file takes its
    name meanwhile.
    """
    copy = None
    try:
        signature = signature_of(file.fileno())
        known_digest = known_files.digest_without_reading(path, signature)
        sha256 = known_digest or _digest(file, progress, "sha256")
        listing = known_files.listing(sha256)
        if listing is None and known_files.is_trusted(sha256):
            listing = child_process.list_file(path, child_process.Copy(os.devnull, 0))
        if listing is None or not listing.is_located:
            listing, copy = _through_child(path)
        if signature_of(path)[:2] != signature[:2] or signature_of(file.fileno()) != signature:
            raise WeightsError(f"{path}: was written to while it was read. Try again when the writing has ended.")
        if not known_digest and copy is None:
            known_files.remember(path, sha256, listing, signature)
        return StoredFile(path, listing, sha256, copy, file)
    except BaseException:
        file.close()
        if copy is not None:
            remove_copy(copy)
        raise


def file_digest(path, progress=None, algorithm="sha256"):
    """Return the sha256 (or another `algorithm`) of a file. `progress` gets the number of bytes of each piece."""
    with open(path, "rb", buffering=0) as file:
        return _digest(file, progress, algorithm)


def _digest(file, progress, algorithm):
    """Return the digest of an open file, read to its end."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    while chunk := file.read(CHUNK):
        digest.update(chunk)
        if progress:
            progress(len(chunk))
    return digest.hexdigest()


def _through_child(path):
    """Let a child process list the file. Return the listing and the path of the copy of packed arrays, or None."""
    file_bytes = os.path.getsize(path)
    most_bytes = max(2**28, 10 * file_bytes)  # the most that compressed arrays may unpack to
    folder = tempfile.mkdtemp(prefix="minitl-")
    copy = os.path.join(folder, "numbers")
    try:
        answer = _ask_child(Path(path).absolute(), copy, most_bytes, file_bytes)
        if "error" in answer:
            raise _error(path, answer)
        try:
            copied = os.path.getsize(copy) if os.path.exists(copy) else 0
            listing = Listing.from_data(answer, file_bytes, copied)
        except (ArithmeticError, ValueError, TypeError, KeyError) as error:
            raise UnsafeFileError(f"{path}: cannot be read ({error}). Do not trust this file.") from None
        if copied:
            folder = None  # the StoredFile removes it when it is closed
        return listing, copy if copied else None
    finally:
        if folder:
            remove_copy(copy)


def _ask_child(path, copy, most_bytes, file_bytes):
    """Run `child_process.main` in a process of its own, with the same import path. Return its answer."""
    is_torch = path.suffix.lower() in child_process.TORCH
    seconds = BASE_SECONDS + file_bytes // 20_000_000
    of_processor = (BASE_SECONDS if is_torch else PROCESSOR_SECONDS) + file_bytes // 20_000_000
    memory = (TORCH_MEMORY if is_torch else BASE_MEMORY) + 2 * most_bytes
    request = json.dumps([str(path), copy, most_bytes, memory, of_processor])
    places = [str(place) for place in sys.path]
    program = f"import sys; sys.path[:] = {places!r}; from minitl.weights.distrust.child_process import main; main()"
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    if not sys.executable:
        raise WeightsError(
            f"{path}: cannot be read safely: no child process can be started, since sys.executable is empty."
        )
    command = [sys.executable, "-c", program, request]
    try:
        run = subprocess.run(command, capture_output=True, timeout=seconds, env=environment, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise UnsafeFileError(f"{path}: reading it did not end within {seconds} s. Do not trust this file.") from None
    if hasattr(signal, "SIGXCPU") and run.returncode == -signal.SIGXCPU:
        raise UnsafeFileError(
            f"{path}: reading it did not end within {of_processor} s of computing. The file is damaged or hostile. "
            "Download or save it again."
        )
    try:
        if len(run.stdout) > ANSWER_LIMIT:
            raise ValueError("the answer is too long")
        return json.loads(run.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        last = (run.stderr.decode("utf-8", "replace").strip().splitlines() or [""])[-1]
        how = f"ended by signal {-run.returncode}" if run.returncode < 0 else f"exit status {run.returncode}"
        raise UnsafeFileError(
            f"{path}: reading it crashed the child process ({how}{'; ' + last[:150] if last else ''}). "
            "The file is damaged or hostile. Download or save it again."
        ) from None


def _error(path, answer):
    """Return the error that the child process reports: one of minitl's own classes, whatever the answer names."""
    kind = getattr(errors, str(answer.get("kind")), WeightsError)
    if not (isinstance(kind, type) and issubclass(kind, MinitlError)):
        kind = WeightsError
    return kind(str(answer["error"]).replace(str(Path(path).absolute()), str(path)))

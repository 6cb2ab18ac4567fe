"""The memory of files whose content is known, so that they can be read without a child process.

A file is known by its sha256: the files that come with minitl, published files, and files that this machine has read or
written before. The listing is kept with the digest (in memory, and in `$MINITL_HOME/known_files.json`), so the next
reading does not parse the file's structures at all.

Computing the sha256 of VGG16's base takes twice as long as reading it. So, as in git's index, the digest of a file that
still has the same size, inode and times is not computed again. The exception is a file that was written in the last
seconds before its digest was computed: the clock of a file system may be too coarse to show another change.
"""

import hashlib
import json
import time
from pathlib import Path

from ...errors import MinitlError, WeightsError
from ...files.atomic import replacing
from ...files.home import home_folder
from ..formats.stored_file import Listing, signature_of

# sha256 of a whole file -> its name; `published.catalogue` adds a published file once it has checked it.
TRUSTED = {
    "7e8782dd0b18c8ddf34bc0dae49b2f73b9f917faf49af682aa2580247c0ab953": "vgg16, blocks 1 to 3",
    "6383b039fd421131507be8b767d26a5f80608a3301b6757241b393650ff2508b": "minitl study, base A of the similar halves",
    "7d92157305f8ea898995e15ae4fc9c4223292f9ba09f84d432a57da042323bb8": "minitl study, base A of the dissimilar halves",
    "8a6c67d44f5ed5e0aa8550388108d80cfec34756e08d523f84a1250079d30433": "GloVe 6B 50d, 20,000 words as float16",
}
LISTINGS = 2  # changes when the readers begin to list more of a file, so that what was listed before is not used
SETTLED = 2.0  # seconds without a change after which a file's times can be trusted
MOST_FILES = 100  # kept on disk
MOST_BYTES = 2**25  # of known_files.json

_listings = {}  # sha256 -> (Listing, size)
_digests = {}  # resolved path -> (signature, or None if the file was too fresh; sha256)
_read_from = None  # the known_files.json that both were read from


def digest_without_reading(path, signature=None):
    """Return the sha256 of a file that has not changed since it was computed; None if that is not certain.

    `signature` is the signature of the file when it was opened.
    """
    _load()
    taken, digest = _digests.get(_key(path), (None, None))
    return digest if digest and taken == (signature or signature_of(path)) else None


def listing(sha256):
    """Return the listing of a file with this content, or None if no such file was read before."""
    _load()
    return _listings.get(sha256, (None, 0))[0]


def is_trusted(sha256):
    """Return whether this content comes with minitl or was checked against a published digest."""
    return name_of(sha256) is not None


def name_of(sha256):
    """Return the name of the published weights with this content, or None."""
    _load()
    return TRUSTED.get(sha256)


def trust(sha256, name):
    """Note that this content was checked against a published digest."""
    TRUSTED[sha256] = name


def remember(path, sha256, listing, signature=None, on_disk=True):
    """Keep the listing of a file under its digest.

    `signature` is the file's signature from before its digest was computed. A listing of copied arrays is not kept,
    since the copy is removed.
    """
    if not listing.is_located:
        return
    _load()
    signature = signature or signature_of(path)
    _listings[sha256] = listing, signature[0]
    settled = time.time() - max(signature[1], signature[2]) / 1e9 > SETTLED
    _digests.pop(_key(path), None)  # so that the newest stands last
    _digests[_key(path)] = signature if settled else None, sha256
    if on_disk:
        _save()


def _key(path):
    """Return the path by which a file is remembered."""
    return str(Path(path).resolve())


def _memory_path():
    """Return the path of the memory on disk."""
    return home_folder() / "known_files.json"


def _load():
    """Read the memory from disk, once for each $MINITL_HOME. Damaged entries are left out."""
    global _read_from
    try:
        memory_path = _memory_path()
    except WeightsError:  # this user has no home folder, so there is no memory on disk
        memory_path = None
    if _read_from == memory_path:
        return
    _read_from = memory_path
    _digests.clear()
    try:
        if memory_path is None or memory_path.stat().st_size > MOST_BYTES:
            return
        for path, entry in json.loads(memory_path.read_text(encoding="utf-8")).items():
            if entry.pop("checksum") != _checksum(entry):
                continue
            size, signature = int(entry["size"]), entry["signature"] and [int(number) for number in entry["signature"]]
            _listings[str(entry["sha256"])] = Listing.from_data(entry["listing"], size, 0), size
            _digests[path] = signature, str(entry["sha256"])
            if entry.get("name"):
                TRUSTED.setdefault(str(entry["sha256"]), str(entry["name"]))
    except (OSError, ArithmeticError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass


def _checksum(entry):
    """Return the digest of an entry, by which a damaged one is recognized: a wrong offset would give wrong numbers."""
    return hashlib.sha256(json.dumps([LISTINGS, entry], sort_keys=True).encode("utf-8")).hexdigest()


def _save():
    """Write the newest entries to disk. If the folder is not writable, the memory lasts as long as this process."""
    entries = {
        path: {
            "size": _listings[sha256][1],
            "signature": signature,
            "sha256": sha256,
            "name": TRUSTED.get(sha256),
            "listing": _listings[sha256][0].as_data(),
        }
        for path, (signature, sha256) in list(_digests.items())[-MOST_FILES:]
        if sha256 in _listings
    }
    for entry in entries.values():
        entry["checksum"] = _checksum(entry)
    try:
        memory_path = _memory_path()
        memory_path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(memory_path, check=lambda path: json.loads(Path(path).read_text("utf-8"))) as temporary:
            Path(temporary).write_text(json.dumps(entries), encoding="utf-8")
    except (OSError, MinitlError):
        pass

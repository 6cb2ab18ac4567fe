"""Files whose content is known, so that they can be read without precautions.

Content is known by its sha256: of files that come with minitl, of published files, and of files that this machine has
read or written before. For these the listing is kept as well (in memory, and in `$MINITL_HOME/known_files.json`), so
that the next reading needs no look into the file's structures at all.

Taking the sha256 of VGG16's base takes twice as long as reading it. As git does with its index, a file that has the
same size, inode and times as when its digest was taken is not read through again. A file that changed within the last
seconds before that is the exception: the clock of a file system may be too coarse to show another change.
"""

import hashlib
import json
import time
from pathlib import Path

from ...errors import MinitlError, WeightsError
from ...files.atomic import replacing
from ...files.home import home_folder
from ..formats.stored_file import Listing, signature_of

# sha256 of whole files -> what they are; `published.catalogue` adds published files when it has checked them.
TRUSTED = {
    "7e8782dd0b18c8ddf34bc0dae49b2f73b9f917faf49af682aa2580247c0ab953": "vgg16, blocks 1 to 3",
    "6383b039fd421131507be8b767d26a5f80608a3301b6757241b393650ff2508b": "minitl study, base A of the similar halves",
    "7d92157305f8ea898995e15ae4fc9c4223292f9ba09f84d432a57da042323bb8": "minitl study, base A of the dissimilar halves",
}
SETTLED = 2.0  # seconds without a change after which a file's times can be trusted
MOST_FILES = 100  # remembered on disk
MOST_BYTES = 2**25

_listings = {}  # sha256 -> (Listing, size)
_digests = {}  # resolved path -> (signature, None where the file was too fresh; sha256)
_read_from = None  # the file that both were completed from


def digest_without_reading(path, signature=None):
    """The sha256 of a file that has not changed since it was taken; None where nobody can tell. `signature` is that of
    the file as it was opened."""
    _load()
    taken, digest = _digests.get(_key(path), (None, None))
    return digest if digest and taken == (signature or signature_of(path)) else None


def listing(sha256):
    """The listing of a file with this content, if it was seen before."""
    _load()
    return _listings.get(sha256, (None, 0))[0]


def is_trusted(sha256):
    """Is this content one of the files that come with minitl, or that it has checked against a published digest?"""
    return name_of(sha256) is not None


def name_of(sha256):
    """Which published weights this content is, if that was checked."""
    _load()
    return TRUSTED.get(sha256)


def trust(sha256, name):
    """Content that was checked against a published digest."""
    TRUSTED[sha256] = name


def remember(path, sha256, listing, signature=None, on_disk=True):
    """Keep a file's listing under its digest. `signature` is the one from before the digest was taken."""
    if not listing.is_located:
        return
    _load()
    signature = signature or signature_of(path)
    _listings[sha256] = listing, signature[0]
    settled = time.time() - max(signature[1], signature[2]) / 1e9 > SETTLED
    _digests.pop(_key(path), None)  # the newest go last
    _digests[_key(path)] = signature if settled else None, sha256
    if on_disk:
        _save()


def _key(path):
    return str(Path(path).resolve())


def _place():
    return home_folder() / "known_files.json"


def _load():
    """Complete the memory from the disk, once for each $MINITL_HOME. What is damaged there is left out."""
    global _read_from
    try:
        place = _place()
    except WeightsError:  # there is no home, so nothing is remembered there
        place = None
    if _read_from == place:
        return
    _read_from = place
    _digests.clear()
    try:
        if place is None or place.stat().st_size > MOST_BYTES:
            return
        for path, entry in json.loads(place.read_text(encoding="utf-8")).items():
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
    """So that a damaged entry is left out: an offset that is wrong would give wrong numbers."""
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode("utf-8")).hexdigest()


def _save():
    """Write the newest entries. Where the folder cannot be written to, the memory lasts as long as this process."""
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
        place = _place()
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place, check=lambda written: json.loads(Path(written).read_text(encoding="utf-8"))) as temporary:
            Path(temporary).write_text(json.dumps(entries), encoding="utf-8")
    except (OSError, MinitlError):
        pass

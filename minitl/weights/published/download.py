"""The download of a published file: over https, checked by md5, resumed after a cut, and never left half-written."""

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

from ...errors import WeightsError
from ...progress import Progress

ATTEMPTS = 3
TIMEOUT = 20  # seconds without an answer
CHUNK = 2**18  # bytes
MOST_BYTES = 2**30  # of one file


class HttpsOnly(urllib.request.HTTPRedirectHandler):
    """A handler that follows redirects to https addresses only."""

    def redirect_request(self, request, file, code, message, headers, address):
        """Return the request for the new address. Raises URLError for one that is not https."""
        if not address.startswith("https://"):
            raise urllib.error.URLError(f"it was redirected to {address}, which is not https")
        return super().redirect_request(request, file, code, message, headers, address)


def download(address, target, md5):
    """Fetch `address` into the file `target`, and check that its md5 sum is the published one.

    The bytes go into `<target>.part`, which is renamed to `target` when it is complete and correct. A download whose
    connection was cut is continued from there, and so is a part that an earlier process left. Call this function within
    `locks.locked(target)`: then several processes that need the same file share one download. Raises WeightsError; a
    file with a wrong sum is removed.
    """
    target = Path(target)
    part = target.with_name(f"{target.name}.part")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _fetch(address, part)
            found = _md5(part)
            if found == md5:
                os.replace(part, target)
                return
            part.unlink()
            reason = f"its md5 sum is {found}, expected {md5}; it was removed"
        except (OSError, ValueError, http.client.HTTPException) as error:  # urllib's errors and time-outs are OSErrors
            reason = str(getattr(error, "reason", None) or error)
            if not part.is_file():  # not one byte came, so another attempt would fail as well
                break
        if attempt < ATTEMPTS:
            time.sleep(attempt)
    raise WeightsError(f"it could not be downloaded ({reason})")


def _fetch(address, part):
    """Append the missing bytes to the file `part`."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(address, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.build_opener(HttpsOnly).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # 416: no byte follows; the part is complete, or it is of another file
            raise
        return
    with response:
        resumed = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        size = int(response.headers.get("Content-Length") or 0)
        start = have if resumed else 0  # a server that cannot resume sends all of it again
        if size > MOST_BYTES:
            raise OSError(f"it is {size:,} bytes long, more than any published file")
        with open(part, "ab" if resumed else "wb") as file:
            title = f"Downloading {address.rsplit('/', 1)[-1]}"
            with Progress(title, start + size if size else 0, unit="MB", lines=True) as bar:
                bar.advance(start)
                received = 0
                while chunk := response.read(CHUNK):
                    file.write(chunk)
                    received += len(chunk)
                    bar.advance(len(chunk))
                    if start + received > MOST_BYTES:
                        raise OSError(f"it does not end: {MOST_BYTES:,} bytes have come")
    if received < size:
        raise OSError(f"the connection was cut after {start + received:,} of {start + size:,} bytes")


def _md5(path):
    """Return the md5 sum of a file."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()

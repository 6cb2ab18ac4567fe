"""Fetching a published file: over https, checked, and never half there."""

import hashlib
import os
import tempfile
import time
import urllib.request
from pathlib import Path

from ..errors import WeightsError

ATTEMPTS = 3
TIMEOUT = 30  # seconds without an answer
CHUNK = 2**20  # bytes


def download(address, target, md5):
    """Fetch `address` into the file `target`. Its md5 sum must be the published one.

    The bytes go into a temporary file beside `target`, which takes its name only when it is complete and correct: a
    download that is cut off, or several at once, leave one good file or none. Raises WeightsError.
    """
    target = Path(target)
    print(f"Downloading {address}\n         to {target}", flush=True)
    for attempt in range(1, ATTEMPTS + 1):
        temporary = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
            with os.fdopen(handle, "wb") as file:
                found = _fetch(address, file)
            if found == md5:
                os.replace(temporary, target)
                return
            reason = f"its md5 sum is {found}, expected {md5}"
        except OSError as error:  # urllib's errors, time-outs and disk errors all are OSErrors
            reason = str(error)
        finally:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
        if attempt < ATTEMPTS:
            time.sleep(attempt)
    raise WeightsError(
        f"{target.name} could not be downloaded ({reason}; {ATTEMPTS} attempts). Fetch {address} (md5 {md5}) on a "
        f"machine that reaches it and put it at {target}, or pass weights=<path>."
    )


def _fetch(address, file):
    """Copy what lies at `address` into an open file. Returns its md5 sum."""
    digest, received, percent_shown = hashlib.md5(usedforsecurity=False), 0, 0
    with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
        if not response.geturl().startswith("https://"):
            raise OSError(f"it was redirected to {response.geturl()}, which is not https")
        size = int(response.headers.get("Content-Length") or 0)
        while chunk := response.read(CHUNK):
            file.write(chunk)
            digest.update(chunk)
            received += len(chunk)
            if size and 100 * received // size >= percent_shown + 10:
                percent_shown = 10 * (10 * received // size)
                print(f"{percent_shown:4}% of {size / 1e6:.1f} MB", flush=True)
    if received < size:
        raise OSError(f"the connection was cut after {received:,} of {size:,} bytes")
    return digest.hexdigest()

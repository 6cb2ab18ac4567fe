"""Features kept on disk: what a frozen base makes of a picture, computed once in a lifetime.

A picture's features depend on the base's numbers, on how the picture was prepared, and on the picture. So they are kept
under a key made of the first two, by the sha256 of the file: a second run over the same folder looks at no picture at
all, and one over a folder with ten new pictures looks at ten. The key also has the versions of minitl and NumPy, which
may round differently.

The base runs on batches of one fixed size, the last one filled up: then a picture's features do not depend on its
neighbours, and kept features are those that would be computed, bit for bit.
"""

import hashlib
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from . import __version__, data
from .errors import MinitlError
from .progress import Progress
from .transfer import frozen_digest
from .weights.atomic import replacing
from .weights.known import home_folder
from .weights.model_file import architecture

BATCH = 8  # pictures at a time: as fast as 32, and a quarter of the memory


def features_of(base, photos, prepare, crop=1.0, keep=True, verbose=1):
    """The output of the frozen model `base` for each of `photos` (`data.Photo`s) -> (N, ...).

    prepare   the base's `preprocess_input`;   crop   as in `data.read_image`
    keep      look on the disk first, and write there what was computed

    Pictures are decoded while the base computes. One batch of them is in memory at a time, so the number of pictures
    does not matter, only the size of their features.
    """
    place = home_folder() / "features" / f"{_key(base, prepare, crop)}.npz"
    known = _read(place) if keep else {}
    missing = [photo for photo in {photo.sha256: photo for photo in photos}.values() if photo.sha256 not in known]
    if missing:
        known.update(_compute(base, missing, prepare, crop, verbose))
        if keep:
            _write(place, known)
    if verbose:
        kept = len(photos) - len(missing)
        print(f"Features: {len(missing)} pictures went through the base, {kept} were kept from before.", flush=True)
    return np.stack([known[photo.sha256] for photo in photos])


def _compute(base, photos, prepare, crop, verbose):
    height, width = base.input_shape[1:3]
    batches = [photos[first : first + BATCH] for first in range(0, len(photos), BATCH)]
    found = {}

    def decode(batch):
        return prepare(np.stack([data.read_image(photo.path, height, width, crop) for photo in batch]))

    with ThreadPoolExecutor(1) as decoder, Progress("Features", len(photos), enabled=bool(verbose), lines=True) as bar:
        ahead = decoder.submit(decode, batches[0])
        for i, batch in enumerate(batches):
            images = ahead.result()
            if i + 1 < len(batches):
                ahead = decoder.submit(decode, batches[i + 1])
            filled = images[np.arange(BATCH) % len(images)]  # the last batch: its pictures again
            for photo, features in zip(batch, base.forward(filled, gradients="none")):
                found[photo.sha256] = features.copy()
            bar.advance(len(batch))
    return found


def _key(base, prepare, crop):
    what = [frozen_digest(base), architecture(base), f"{prepare.__module__}.{prepare.__qualname__}", crop, BATCH,
            __version__, np.__version__]  # fmt: skip
    return hashlib.sha256(json.dumps(what).encode("utf-8")).hexdigest()[:32]


def _read(place):
    """{sha256 of a picture: features}; empty where there is no file, or a damaged one."""
    try:
        with open(place, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            return dict(zip(file["sha256"].tolist(), file["features"], strict=True))
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
        return {}


def _write(place, known):
    """Keep the features. A disk that is full or not ours costs only the time of computing them again."""

    def check(written):
        if len(_read(Path(written))) != len(known):
            raise OSError("it was read back differently")

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place, check) as temporary, open(temporary, "wb") as file:
            np.savez(file, sha256=np.array(list(known)), features=np.stack(list(known.values())))
    except (OSError, MinitlError) as error:
        print(f"The features could not be kept for the next run ({error}).")

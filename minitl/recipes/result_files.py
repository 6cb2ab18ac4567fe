"""Files of predictions for photographs: their names, and what they may replace.

Who calls this: `segmentation.written` and `detection.written`, for `minitl predict MODEL FILES --out DIR`.
"""

import os
from collections import Counter
from pathlib import Path

from ..errors import ArgumentError
from ..files.atomic import replacing
from ..files.writable import check_folder_writable, is_ours

QUALITY = 90  # of JPEG files


def names_of(paths):
    """Return the name of each photograph's files, without ending: its path below the folder that all of them lie in.
    Two that differ in their endings only keep these: `a.jpg` and `a.png`."""
    places = [Path(os.path.abspath(path)) for path in paths]
    try:
        root = os.path.commonpath([place.parent for place in places])
        names = [os.path.relpath(place, root) for place in places]
    except ValueError:  # on several disks of Windows
        names = [place.name for place in places]
    count = Counter(os.path.splitext(name)[0] for name in dict.fromkeys(names))
    stems = [os.path.splitext(name)[0] for name in names]
    return [stem if count[stem] == 1 else name for stem, name in zip(stems, names)]


def check_targets(folder, targets):
    """Raise ArgumentError unless these files can be written in a folder, and replace none but minitl's."""
    try:
        folder.mkdir(exist_ok=True)
        check_folder_writable(folder)
    except OSError as error:
        raise ArgumentError(f"{folder}: cannot be written ({error.strerror}). Name a folder to write into.") from None
    for path in targets:
        if path.exists() and not is_ours(path):
            raise ArgumentError(f"{path}: is there already, and minitl has not written it. Name another folder.")


def write_overlay(path, image):
    """Write an image uint8 (H, W, 3) as JPEG."""
    from PIL import Image

    with replacing(path, check=os.path.getsize) as temporary:
        Image.fromarray(image).save(temporary, "JPEG", quality=QUALITY, comment=b"minitl")

"""Found boxes as files in a folder: each photograph with its boxes drawn on it, and one file with all of them.

    DIR/blood.jpg               the photograph with its boxes, as JPEG or PNG, whatever the original was
    DIR/detections.json         COCO's format of results, which pycocotools reads

The numbers of the classes in the JSON file are those of the files that the model has learned from, with their gaps.
Each file is written as a whole or not at all.

Who calls this: `minitl predict MODEL FILES --out DIR`.
"""

import os
from collections import Counter
from pathlib import Path

import numpy as np

from ...data.drawing import class_colours, draw_boxes
from ...data.photos import open_photo
from ...errors import ArgumentError
from ...files.atomic import replacing
from ...files.results import json_list
from ...files.writable import check_folder_writable
from .prediction import Detector, detect_each
from ..prediction import files_in

RESULTS = "detections.json"
KINDS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}  # other endings become .png


def detect_into(model, files, folder, score=None, verbose=1):
    """Find boxes as `detect_each`, write them into a folder, and yield each entry when its image is written.

    The folder is made if it is not there. An image that would be written over one of the photographs is refused.
    Raises ArgumentError if the folder cannot be written.
    """
    detector = model if isinstance(model, Detector) else Detector(model)
    paths, folder = files_in([files] if isinstance(files, (str, os.PathLike)) else files), Path(folder)
    try:
        folder.mkdir(exist_ok=True)
        check_folder_writable(folder)
    except OSError as error:
        raise ArgumentError(f"{folder}: cannot be written ({error.strerror}). Name a folder to write into.") from None
    targets = [folder / name for name in _names(paths)]
    own = {Path(path).resolve() for path in paths}
    taken = [target for target in targets if target.resolve() in own]
    if taken:
        raise ArgumentError(f"{taken[0]}: is one of the photographs and would be written over. Name another folder.")
    results = detect_each(detector, paths, score, verbose)
    with json_list(folder / RESULTS) as add:
        for number, (target, result) in enumerate(zip(targets, results), start=1):
            if "error" not in result:
                _write_image(target, drawn(result, detector.class_names))
                for entry in coco_results(result, number, detector):
                    add(entry)
            yield result


def drawn(result, class_names):
    """Return the photograph of an entry of `detect` with its boxes: uint8 (H, W, 3)."""
    image = np.asarray(open_photo(result["file"]))
    boxes = result["boxes"][::-1]  # the best one is drawn last, over the others
    labels = [class_names.index(each["class"]) for each in boxes]
    texts = [f"{each['class']} {each['score']:.2f}" for each in boxes]
    return draw_boxes(image, [each["box"] for each in boxes], texts, class_colours(labels))


def coco_results(result, number, detector):
    """Return the boxes of an entry of `detect` in COCO's format of results; `number` is that of the image.

    COCO's boxes are [left, top, width, height]. `file_name` says which photograph the number stands for.
    """
    found = []
    for each in result["boxes"]:
        left, top, right, bottom = each["box"]
        found.append({
            "image_id": number,
            "file_name": os.path.basename(result["file"]),
            "category_id": detector.category_number(each["class"]),
            "category_name": each["class"],
            "bbox": [left, top, round(right - left, 2), round(bottom - top, 2)],
            "score": each["score"],
        })  # fmt: skip
    return found


def _names(paths):
    """Return a name for the image of each photograph: its own, and with a number where two have the same."""
    names, seen = [], Counter()
    for path in map(Path, paths):
        ending = path.suffix.lower() if path.suffix.lower() in KINDS else ".png"
        seen[path.stem + ending] += 1
        count = seen[path.stem + ending]
        names.append(f"{path.stem}{f'-{count}' if count > 1 else ''}{ending}")
    return names


def _write_image(path, pixels):
    """Write pixels (H, W, 3) as an image file."""
    from PIL import Image

    with replacing(path, check=os.path.getsize) as temporary:
        Image.fromarray(pixels).save(temporary, KINDS[path.suffix])

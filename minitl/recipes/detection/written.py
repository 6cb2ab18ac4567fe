"""Found boxes as files and as lines: `minitl predict MODEL FILES --out DIR`.

    DIR/overlays/blood.jpg     the photograph with its boxes drawn on it
    DIR/annotations.json       all boxes in COCO's format, each with its score

The numbers of the classes in the JSON file are those of the files that the model has learned from, with their gaps. Its
"annotations" are what pycocotools takes as results: `coco.loadRes(json.load(file)["annotations"])`. Each file is
written as a whole or not at all, and none is replaced that minitl has not written.
"""

from pathlib import Path

import numpy as np

from ...data.drawing import class_colours, draw_boxes
from ...data.photos import open_photo
from ...files.results import write_json
from ...terminal import columns, printable, shortened
from ..result_files import check_targets, names_of, write_overlay
from .prediction import Detector, detect_each, paths_in

ANNOTATIONS = "annotations.json"


def detect_into(model, files, folder, score=None, verbose=1):
    """Find boxes as `detect_each`, write them into a folder, and yield each entry when its image is written, with its
    path under "overlay_file".

    The folder is made if it is not there; its parent must be. Raises ArgumentError if it cannot be written, or if it
    holds a file of that name which minitl has not written.
    """
    detector = model if isinstance(model, Detector) else Detector(model)
    paths, folder = paths_in(files), Path(folder)
    targets = [folder / "overlays" / f"{name}.jpg" for name in names_of(paths)]
    check_targets(folder, [folder / ANNOTATIONS, *targets])
    coco = CocoBoxes(detector)
    for target, result in zip(targets, detect_each(detector, paths, score, verbose)):
        if "error" not in result:
            pixels = np.asarray(open_photo(result["file"]))
            target.parent.mkdir(parents=True, exist_ok=True)
            write_overlay(target, drawn(pixels, result["boxes"], detector.class_names))
            coco.add(result, *pixels.shape[:2])
            result = {**result, "overlay_file": str(target)}
        yield result
    if coco.images:
        write_json(folder / ANNOTATIONS, coco.as_data())


def drawn(pixels, boxes, class_names):
    """Return pixels uint8 (H, W, 3) with the boxes of an entry of `detect` drawn on them."""
    boxes = boxes[::-1]  # the best one is drawn last, over the others
    texts = [f"{each['class']} {each['score']:.2f}" for each in boxes]
    colours = class_colours([class_names.index(each["class"]) for each in boxes])
    return draw_boxes(pixels, [each["box"] for each in boxes], texts, colours)


class CocoBoxes:
    """The content of a COCO file with the boxes that a `Detector` has found.

    COCO's boxes are [left, top, width, height].
    """

    def __init__(self, detector):
        self.detector, self.images, self.annotations = detector, [], []

    def add(self, result, height, width):
        """Add an entry of `detect` for a photograph of this size."""
        number = len(self.images) + 1
        self.images.append({"id": number, "file_name": Path(result["file"]).name, "height": height, "width": width})
        for each in result["boxes"]:
            left, top, right, bottom = each["box"]
            sides = [round(right - left, 2), round(bottom - top, 2)]
            self.annotations.append({
                "id": len(self.annotations) + 1,
                "image_id": number,
                "category_id": self.detector.category_number(each["class"]),
                "bbox": [left, top, *sides],
                "area": round(sides[0] * sides[1], 2),
                "iscrowd": 0,
                "score": each["score"],
            })  # fmt: skip

    def as_data(self):
        """Return the content, as JSON can hold it."""
        names = self.detector.class_names
        return {
            "info": {"description": "boxes, found by minitl"},
            "images": self.images,
            "annotations": self.annotations,
            "categories": [{"id": self.detector.category_number(name), "name": name} for name in names],
        }


class DetectedLines:
    """The lines that tell of photographs one by one: the name, and how many boxes of each class were found.

    names   the names of all photographs
    """

    def __init__(self, names):
        self.width = max(5, min(max(map(len, names), default=0), columns() // 2))

    def line(self, result):
        """Return the line of an entry of `detect`: `blood.jpg  12 RBC (0.98), 1 WBC (0.99)`, with the best scores."""
        best, counts = {}, {}
        for each in result["boxes"]:  # the best one of a class comes first
            best.setdefault(each["class"], each["score"])
            counts[each["class"]] = counts.get(each["class"], 0) + 1
        first = shortened(printable(result["file"]), self.width).ljust(self.width)
        found = ", ".join(f"{counts[name]} {printable(name)} ({best[name]:.2f})" for name in best) or "nothing"
        return f"{first}  {shortened(found, columns() - self.width - 2)}"

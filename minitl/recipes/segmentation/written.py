"""Predictions for pixels as files and as lines: `minitl predict MODEL FILES --out DIR`.

    DIR/masks/street.png       class numbers, with the colour of each class in the palette: a mask to learn from
    DIR/overlays/street.jpg    the photograph with these colours over it
    DIR/annotations.json       the same masks in COCO's format, as run lengths (`data.polygons`)

A class has the colour that masks of the training had for it, or one of `data.drawing.COLOURS`. A first class called
background is black in masks, and nothing is laid over its pixels. Each file is written as a whole or not at all, and
none is replaced that minitl has not written.
"""

import os
from pathlib import Path

import numpy as np

from ...data.coco import has_background
from ...data.drawing import class_colours, overlay_mask
from ...data.images import read_whole_image
from ...data.polygons import encode_run_lengths
from ...files.atomic import replacing
from ...files.results import write_json
from ...terminal import columns, printable, shortened
from ..result_files import check_targets, names_of, write_overlay
from .prediction import Segmenter, paths_in, segment_each

ANNOTATIONS = "annotations.json"
KINDS = {"mask": ("masks", ".png"), "overlay": ("overlays", ".jpg")}  # of files: their folder and ending
OPACITY = 0.5  # of overlays


def segment_into(model, files, folder, scale=None, verbose=1):
    """Find the class of each pixel as `segment_each`, write masks and overlays into a folder, and yield each entry when
    its files are written, with their paths under "mask_file" and "overlay_file".

    The folder is made if it is not there; its parent must be. Raises ArgumentError if it cannot be written, or if it
    holds a file of that name which minitl has not written.
    """
    segmenter = model if isinstance(model, Segmenter) else Segmenter(model)
    paths, folder = paths_in(files), Path(folder)
    targets = [
        {kind: folder / place / f"{name}{ending}" for kind, (place, ending) in KINDS.items()}
        for name in names_of(paths)
    ]
    check_targets(folder, [folder / ANNOTATIONS, *(path for each in targets for path in each.values())])
    colours, without = colours_of(segmenter)
    coco = CocoMasks(segmenter.class_names)
    for target, result in zip(targets, segment_each(segmenter, paths, verbose, scale)):
        if "error" not in result:
            image = read_whole_image(result["file"])
            for path in target.values():
                path.parent.mkdir(parents=True, exist_ok=True)
            _write_mask(target["mask"], result["mask"], colours)
            write_overlay(target["overlay"], overlay_mask(image, result["mask"], colours, OPACITY, without))
            coco.add(result["file"], result["mask"])
            result = {**result, **{f"{kind}_file": str(path) for kind, path in target.items()}}
        yield result
    if coco.images:
        write_json(folder / ANNOTATIONS, coco.as_data())


def colours_of(segmenter):
    """Return (the colours of the classes uint8 (classes, 3), the numbers over which nothing is laid)."""
    names, table = segmenter.class_names, segmenter.colours or {}
    background = has_background(names)
    colours = class_colours(np.arange(len(names)) - background)
    if background:
        colours[0] = 0
    for key, number in reversed(table.items()):  # the first colour of a class counts
        if isinstance(key, tuple) and number < len(names):
            colours[number] = key[:3]
    return colours, (0,) if background else ()


def _write_mask(path, mask, colours):
    """Write a mask (H, W) as PNG with a palette."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    about, image = PngInfo(), Image.fromarray(mask)
    about.add_text("Software", "minitl")
    image.putpalette(colours.tobytes())
    with replacing(path, check=os.path.getsize) as temporary:
        image.save(temporary, "PNG", pnginfo=about, optimize=True)


class CocoMasks:
    """The content of a COCO file with predicted masks: an annotation for each class in each photograph.

    The number of a category is that of its class in the masks. A background has no annotations: it is what is left.
    """

    def __init__(self, class_names):
        self.class_names, self.images, self.annotations = class_names, [], []

    def add(self, file, mask):
        """Add the mask uint8 (H, W) of a photograph."""
        number, first = len(self.images) + 1, int(has_background(self.class_names))
        height, width = mask.shape
        name = Path(file).name
        self.images.append({"id": number, "file_name": name, "height": height, "width": width})
        for label in range(first, len(self.class_names)):
            pixels = mask == label
            if pixels.any():
                rows, cols = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
                left, top = int(cols[0]), int(rows[0])
                self.annotations.append({
                    "id": len(self.annotations) + 1,
                    "image_id": number,
                    "category_id": label,
                    "segmentation": encode_run_lengths(pixels),
                    "area": int(pixels.sum()),
                    "bbox": [left, top, int(cols[-1]) + 1 - left, int(rows[-1]) + 1 - top],
                    "iscrowd": 0,
                })  # fmt: skip

    def as_data(self):
        """Return the content, as JSON can hold it."""
        return {
            "info": {"description": "classes of pixels, predicted by minitl"},
            "images": self.images,
            "annotations": self.annotations,
            "categories": [{"id": label, "name": name} for label, name in enumerate(self.class_names)],
        }


class SegmentedLines:
    """The lines that tell of photographs one by one: the name, and the shares of the classes, the largest first.

    names   the names of all photographs
    """

    def __init__(self, names):
        self.width = max(5, min(max(map(len, names), default=0), columns() // 2))

    def line(self, result):
        """Return the line of an entry of `segment`. Classes that do not fit, or have less than 0.5 %, are counted."""
        first = shortened(printable(result["file"]), self.width).ljust(self.width)
        shares = sorted(((share, name) for name, share in result["classes"].items() if share), reverse=True)
        shown, room = [], columns() - self.width - 2 - len("  and 99 more")
        for share, name in shares:
            words = f"{shortened(printable(name), 24)} {share:.0%}"
            if shown and (share < 0.005 or room < len(words)):
                break
            shown.append(words)
            room -= len(words) + 2
        more = len(shares) - len(shown)
        return "  ".join([first, *shown, *([f"and {more} more"] if more else [])])

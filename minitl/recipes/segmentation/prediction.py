"""Predictions of a saved model for pixels: of photographs of any size, or on a folder with masks, to measure it.

    from minitl.recipes import evaluate_segmentation, segment
    for photograph in segment("model.h5", ["street.jpg"]):
        photograph["mask"]                               # uint8 (H, W), as large as the photograph
        photograph["classes"]                            # {"road": 0.62, "sky": 0.38}: shares of its pixels
    evaluation, left_out = evaluate_segmentation("model.h5", "streets/val")

`showing` says at which scale a photograph is shown to the network, and `tiles` how a large one is answered in parts.
"""

import itertools
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ... import transfer
from ...applications import preprocessing
from ...arguments import AnyPath, truth_value
from ...data.coco import CocoMask
from ...data.images import read_whole_image
from ...data.masked_photos import read_pair
from ...data.masks import IGNORE
from ...data.segmentation_folder import audit_segmentation
from ...errors import ArgumentError, DataError
from ...metrics.iou import pixel_confusion
from ...models import Model
from ...progress import Progress
from ...terminal import printable, silent_unless, wrapped
from ..prediction import BATCH, files_in, opened_model, require_task
from ..settings import is_number
from .evaluation import PixelEvaluation
from .showing import Scale, bordered, on_grid, renumbered, resized
from .tiles import CORE, MARGIN, Span, classes_at, neighbours, spans

MOST_PIXELS_AT_A_TIME = 2**20  # of a batch: four images of 512x512
FIT = "fit"  # the scale at which a photograph lies within the frame of the training


class Segmenter:
    """A model for pixels (or the file of one) with all that a prediction needs.

    class_names   by the numbers in its masks
    size          (height, width) of the images that it was trained on;   scale   the `Scale` of the training
    ignore        the number of unlabelled pixels in masks of the training
    colours       the table by which these masks were read, {colour or number: class number}, or None
    core, margin  of the tiles of a large image, in pixels (`tiles`)

    Raises ArgumentError where the metadata of the model do not say these, or where they do not fit.
    """

    margin = MARGIN

    def __init__(self, model):
        model, name = opened_model(model)
        require_task(model, name, "segment")
        self.class_names, self.size = model.metadata.get("class_names"), model.metadata.get("size")
        usual, self.ignore = model.metadata.get("photograph_size"), model.metadata.get("ignore", IGNORE)
        classes = model.output_shape[-1]
        if not isinstance(self.class_names, list) or len(self.class_names) != classes or len(model.output_shape) != 4:
            raise ArgumentError(f"{name}: its metadata do not name the {classes} classes of its pixels.")
        for key, found in ("size", self.size), ("photograph_size", usual):
            sides = found if isinstance(found, list) and len(found) == 2 else [0, 0]
            if not all(is_number(side) and 1 <= side < 2**31 for side in sides):
                raise ArgumentError(f"{name}: its metadata '{key}' is {found!r}; expected [height, width] in pixels.")
        self.scale = Scale(self.size[0] / usual[0], self.size[1] / usual[1])
        self.colours = _table_from(model.metadata.get("colours"), name)
        self.prepare = preprocessing(model.metadata.get("preprocessing"))
        self.model = transfer.adapt_input(model, (None, None, 3))  # shares all layers; takes images of any size
        self.core = max(CORE, on_grid(max(self.size)) - 2 * MARGIN)  # what was one image in training is one tile

    def scale_for(self, size, scale=None):
        """Return the `Scale` at which a photograph of `size` (height, width) is shown.

        scale   None: as in training; `FIT`: small enough to lie within the frame of the training; a number: that many
                times as large as in training
        """
        if scale is None:
            return self.scale
        if scale == FIT:
            return self.scale.fitting(size, self.size)
        if not is_number(scale) or not 0 < scale <= 100:
            raise ArgumentError(f"scale is {scale!r}; expected {FIT!r}, or a number above 0 such as 0.5.")
        return Scale(self.scale.rows * scale, self.scale.columns * scale)

    def answer(self, file, mask):
        """Return what `segment` says of a photograph."""
        shares = np.bincount(mask.reshape(-1), minlength=len(self.class_names)) / mask.size
        return {"file": file, "mask": mask, "classes": dict(zip(self.class_names, shares.tolist()))}

    def masks(self, images, scale=None):
        """Return the most probable class of each pixel, uint8 (H, W), for each of some images uint8 (H, W, 3) of any
        sizes. `scale` is that of `scale_for`."""
        masks, tiles = [np.empty(image.shape[:2], np.uint8) for image in images], []
        for image, mask in zip(images, masks):
            size = image.shape[:2]
            height, width = self.scale_for(size, scale).shown(*size)
            shown, columns = resized(image, height, width), spans(width, self.core, self.margin)
            tiles += [_Tile(shown, r, c, mask) for r in spans(height, self.core, self.margin) for c in columns]
        for batch in _batches(tiles):
            self._answer(batch)
        return masks

    def _answer(self, tiles):
        """Write the classes of some tiles, which have the same `size`, into their masks."""
        images = np.stack([bordered(tile.seen, *tile.size) for tile in tiles])
        probabilities = self.model.forward(self.prepare(images.astype(np.float32)), gradients="none")
        for found, tile in zip(probabilities, tiles):
            height, width = tile.seen.shape[:2]
            rows = neighbours(tile.rows, tile.shown.shape[0], tile.mask.shape[0])
            columns = neighbours(tile.columns, tile.shown.shape[1], tile.mask.shape[1])
            classes_at(found[:height, :width], rows, columns, tile.mask)


class _Tile(NamedTuple):
    """A part of an image: the whole image as it is shown to the network, the `Span`s, and the mask to be filled."""

    shown: np.ndarray
    rows: Span
    columns: Span
    mask: np.ndarray

    @property
    def seen(self):
        """The pixels that the network sees."""
        return self.shown[self.rows.start : self.rows.stop, self.columns.start : self.columns.stop]

    @property
    def size(self):
        """(height, width) of these pixels with a border that brings them to the grid."""
        height, width = self.seen.shape[:2]
        return on_grid(height), on_grid(width)


def _batches(tiles):
    """Yield the tiles in lists: neighbours in order that have the same size, as many as are run at a time."""
    for (height, width), group in itertools.groupby(tiles, lambda tile: tile.size):
        alike, most = list(group), max(1, min(BATCH, MOST_PIXELS_AT_A_TIME // (height * width)))
        for first in range(0, len(alike), most):
            yield alike[first : first + most]


def segment(model: Model | AnyPath, files: Sequence[AnyPath], verbose: int = 1, scale=None) -> list[dict]:
    """Find the class of each pixel of photographs, with a model for pixels or the file of one.

    files   photographs and .npy files; a folder means all files in it and below
    scale   None: photographs are shown to the network at the scale of its training; "fit": small enough to lie within
            its images, for photographs that are much larger than those of the training; a number: so many times as
            large as in training

    Returns for each photograph {"file", "mask": uint8 (H, W) of class numbers, "classes": {name: share of the pixels}}.
    Raises DataError for the first file that cannot be read.
    """
    results = []
    with silent_unless(verbose):
        for result in segment_each(model, files, verbose, scale):
            if "error" in result:
                raise DataError(f"{result['file']}: {result['error']}.")
            results.append(result)
    return results


def segment_each(model, files, verbose=1, scale=None):
    """Yield what `segment` returns, photograph by photograph, as soon as each is known. In place of one that cannot be
    read stands {"file", "error"}. `model` may be a `Segmenter`."""
    segmenter = model if isinstance(model, Segmenter) else Segmenter(model)
    segmenter.scale_for(segmenter.size, scale)  # a wrong scale is refused now
    paths = paths_in(files)
    with Progress("Predicting", len(paths), enabled=bool(verbose), lines=False) as bar:
        for batch in _read_together(paths, _pixels_or_reason):
            masks = iter(segmenter.masks([image for _, image in batch if not isinstance(image, str)], scale))
            for path, image in batch:
                yield {"file": path, "error": image} if isinstance(image, str) else segmenter.answer(path, next(masks))
            bar.advance(len(batch))


def paths_in(files):
    """Return the paths of files as `files_in` does. Raises ArgumentError if there are none."""
    paths = files_in([files] if isinstance(files, (str, os.PathLike)) else files)
    if not paths:
        raise ArgumentError("no files to predict: name photographs, or folders of them.")
    return paths


def _pixels_or_reason(path):
    """Return the pixels of a file uint8 (H, W, 3), or the reason why there are none, as text."""
    try:
        return read_whole_image(path)
    except (DataError, OSError) as error:
        return str(error).removeprefix(f"{path}: ").rstrip(".")


def _read_together(things, read):
    """Yield lists of (thing, read(thing)), as many images at a time as fit into one batch, but at least one."""
    together, pixels = [], 0
    for thing in things:
        found = read(thing)
        image = found[0] if isinstance(found, tuple) else found
        together.append((thing, found))
        pixels += 0 if isinstance(image, str) else image.shape[0] * image.shape[1]
        if len(together) == BATCH or pixels >= MOST_PIXELS_AT_A_TIME:
            yield together
            together, pixels = [], 0
    if together:
        yield together


def evaluate_segmentation(
    model: Model | AnyPath, folder: AnyPath, strict=False, verbose=1, follow_links=False, scale=None
) -> tuple[PixelEvaluation, list]:
    """Measure a model for pixels, or the file of one, on a folder of photographs with masks.

    Where the folder names its classes (`classes.txt`, a COCO file), they are those of the model by name, in any order.
    Otherwise the numbers in the masks are the model's; and where the model was trained with a table of colours, this
    table says which class a colour is. All photographs count, also where the folder has `train/`.
    `scale` is that of `segment`.

    Returns (`PixelEvaluation`, [(path, reason) of everything that was left out]). With `strict`, raises DataError for
    the first of these instead. Raises DataError for a class that the model does not have.
    """
    strict, follow_links = truth_value(strict, "strict"), truth_value(follow_links, "follow_links")
    with silent_unless(verbose):
        segmenter = Segmenter(model)
        segmenter.scale_for(segmenter.size, scale)
        found = audit_segmentation(
            folder, 0, None, segmenter.colours, segmenter.ignore, strict, follow_links=follow_links
        )
        for note in found.notes:
            print(wrapped(printable(f"WARNING: {note}"), "  "))
        numbers = _numbers_in_model(segmenter, found)
        evaluation, vanished = evaluate_photographs(segmenter, [*found.train, *found.val], found.path, numbers, scale)
        found.skipped += vanished
        for path, reason in found.skipped:
            print(wrapped(printable(f"left out: {path}: {reason}"), "  "))
    return evaluation, found.skipped


def _numbers_in_model(segmenter, folder):
    """Return the model's number of each number in the masks of a folder, uint8 (256,): the same class by its name.

    Masks that were read by the model's own table of colours have its numbers already, however the folder numbers its
    names.
    """
    if segmenter.colours and not isinstance(folder.train[0].mask, CocoMask):
        return np.arange(256, dtype=np.uint8)
    numbers, counts = np.arange(256, dtype=np.uint8), folder.pixel_counts()
    names = [str(number) for number in range(len(folder.class_names))]
    has_names = folder.class_names != names
    for number, name in enumerate(folder.class_names):
        if has_names and name in segmenter.class_names:
            numbers[number] = segmenter.class_names.index(name)
        elif counts[number] and (has_names or number >= len(segmenter.class_names)):
            raise DataError(
                f"{folder.path}: the model has no class '{name}'. Its classes are {', '.join(segmenter.class_names)}."
            )
    return numbers


def evaluate_photographs(segmenter, photos, root, numbers=None, scale=None):
    """Return (`PixelEvaluation` of `MaskedPhoto`s below the folder `root`, [(path, reason) of those that cannot be read
    any more]).

    numbers   the model's number of each number in the masks, uint8 (256,) (None: the same)
    """

    def pair_or_reason(photo):
        """Return (image, mask), or the reason why there is none, as text."""
        try:
            return read_pair(photo)
        except (DataError, OSError) as error:
            return str(error).removeprefix(f"{photo.path}: ").rstrip(".")

    classes, names, vanished = len(segmenter.class_names), [], []

    def confusions():
        """Yield the confusion of each photograph, and add its name to `names`: only one is in memory."""
        with Progress("Measuring", len(photos)) as bar:
            for batch in _read_together(photos, pair_or_reason):
                there = [(photo, *pair) for photo, pair in batch if not isinstance(pair, str)]
                masks = segmenter.masks([image for _, image, _ in there], scale)
                for (photo, _, mask), predicted in zip(there, masks):
                    labels = renumbered(mask, segmenter.ignore)
                    if numbers is not None:
                        labels = np.where(labels == IGNORE, labels, numbers[labels])
                    names.append(str(photo.path.relative_to(root)))
                    yield pixel_confusion(labels, predicted, classes, IGNORE)
                gone = ((photo, reason) for photo, reason in batch if isinstance(reason, str))
                vanished.extend((photo.path.relative_to(root), reason) for photo, reason in gone)
                bar.advance(len(batch))

    evaluation = PixelEvaluation(confusions(), segmenter.class_names, names)
    return evaluation, vanished


def _table_from(entries, name):
    """Return the table of colours {colour or number: class number} from a model's metadata, or None. Raises
    ArgumentError."""
    if entries is None:
        return None
    try:
        return {(tuple(key) if isinstance(key, list) else key): number for key, number in entries}
    except (TypeError, ValueError):
        raise ArgumentError(f"{name}: its metadata 'colours' is no table of colours and class numbers.") from None

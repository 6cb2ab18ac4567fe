"""Fine-tune a pre-trained network on a folder of photographs with masks: from the folder to a measured model.

    from minitl.recipes import finetune_segmentation
    result = finetune_segmentation("streets/", epochs=20)
    print(result.evaluation)
    result.model.save("streets.h5")

The folder has images/ and masks/ (`data.pairing` has the other layouts). Every photograph goes once, in each of its
variations, through the frozen part of a pre-trained network, and the maps that the new layers begin with are kept. The
new layers learn on them; if asked for, the last block of the network learns with them in a second stage. The result is
measured on photographs that were held back, pixel by pixel at the size of their masks.

`places.PlaceJob` has the steps, and this file what is particular to pixels. `settings` has the options, `showing` says
how a photograph is shown to the network, `evaluation` what the figures mean. The command `minitl finetune FOLDER` calls
`finetune_segmentation`.
"""

import time
from dataclasses import dataclass

import numpy as np

from ...applications.fcn import FCN
from ...applications.unet import UNet
from ...arguments import AnyPath
from ...data.augmentation import Augmentation
from ...data.masked_photos import read_pair
from ...data.masks import IGNORE, colour_table
from ...data.paired_augmentation import PairedAugmentation
from ...data.segmentation_folder import audit_segmentation
from ...data.variations import Variations
from ...errors import DataError
from ...losses import SparseCategoricalCrossentropy
from ...metrics.iou import MeanIoU
from ...progress import Progress
from ...terminal import printable
from ..job_on_folder import Finetuned, finetuned, keep_model
from ..places import PlaceJob, sides_for
from .prediction import Segmenter, evaluate_photographs
from .report import report_on_segmentation
from .settings import LARGEST_WEIGHT, SegmentationSettings
from .showing import in_frame, renumbered, training_scale

EDITION = 1  # of how a photograph becomes an example. Add 1 when it changes: kept maps are then not used


@dataclass(frozen=True, repr=False)
class FinetunedSegmentation(Finetuned):
    """The result of a fine-tuning for pixels: a `Finetuned` with a `PixelEvaluation`, a `data.SegmentationFolder` and
    `SegmentationSettings`, and

    mean_iou      {stage: mean IoU on the photographs that were held back}: "head", "blocks"
    """

    mean_iou: dict

    def own_data(self):
        """Return what only this class has, as JSON can hold it."""
        return {"task": "segment", "mean_iou_by_stage": self.mean_iou, "notes": list(self.folder.notes)}


def finetune_segmentation(
    folder: AnyPath, settings: SegmentationSettings | None = None, verbose: int = 1, **changes
) -> FinetunedSegmentation:
    """Fine-tune on a folder of photographs with masks. Returns `FinetunedSegmentation`.

    settings, changes   a `SegmentationSettings`, and single settings by name: epochs=20
    verbose             1: print each step and its progress; 0: print nothing

    Ctrl-C and SIGTERM stop it: it saves a checkpoint and raises `interruption.Interrupted`. The same call with
    resume=True goes on, and its results are those of an unbroken run to the last bit.
    """
    return finetuned(SegmentationJob, _in_two_stages, folder, SegmentationSettings, settings, changes, verbose)


def _in_two_stages(folder, job):
    """Run the whole job, step by step. `job` is a `SegmentationJob` that has not begun."""
    start, settings = time.perf_counter(), job.settings
    job.find(folder)
    with Progress(f"Loading {settings.base}"):
        job.build()
    job.run_frozen_part()
    history, mean_iou = {"head": job.train_head()}, {}
    if settings.has_second_stage:
        mean_iou["head"] = job.evaluation().mean_iou
        print(f"Mean IoU on the held-back photographs after this stage: {mean_iou['head']:.3f}", flush=True)
        history["blocks"] = job.train_blocks()
    evaluation = job.evaluation()
    mean_iou["blocks" if settings.has_second_stage else "head"] = evaluation.mean_iou
    print(f"\nOn the photographs that were held back:\n{evaluation}")
    seconds = keep_model(job, start, " --out DIR")
    result = FinetunedSegmentation.of(job, evaluation, history, seconds, mean_iou=mean_iou)
    if settings.report:
        page = report_on_segmentation(job, evaluation, result.history, mean_iou, seconds)
        print(f"\nReport: {page}", flush=True)
    return result


class SegmentationJob(PlaceJob):
    """One fine-tuning on the photographs and masks of a folder, step by step.

    scale    the `Scale` at which photographs are shown;   sizes   of all photographs, [(height, width)]
    """

    def find(self, path):
        """Find the photographs and masks, and print what was found. Raises DataError if there are too few."""
        settings = self.settings
        self.folder = folder = audit_segmentation(
            path,
            settings.validation,
            colours=settings.colours,
            ignore=settings.ignore,
            strict=settings.strict,
            follow_links=settings.follow_links,
        )
        print(f"{folder.path}\n{printable(str(folder))}", flush=True)
        if not 2 <= len(folder.class_names) <= IGNORE:
            raise DataError(
                f"{folder.path}: has {len(folder.class_names)} classes of pixels; expected 2 to {IGNORE}. The "
                "background is one of them. If 255 is an object, give a table of colours: 0: background, 255: object."
            )
        self.sizes = [photo.size for photo in (*folder.train, *folder.val)]
        self.image_hw = (settings.height, settings.width) if settings.height else sides_for(self.sizes)
        self.scale = training_scale([photo.size for photo in folder.train], self.image_hw)

    def network(self, base):
        """Return the FCN or U-Net with new layers on a base, with all that a prediction needs in its metadata."""
        settings, classes = self.settings, len(self.folder.class_names)
        options = {"filters": settings.filters, "dropout": settings.dropout}
        if settings.network == "unet":
            model = UNet(base, classes, **options)
        else:
            model = FCN(base, classes, int(settings.network.removeprefix("fcn")), **options)
        usual = np.median([photo.size for photo in self.folder.train], axis=0)
        table, _ = colour_table(settings.colours, self.folder.class_names)
        model.metadata = {
            "task": "segment",
            "class_names": list(self.folder.class_names),
            "preprocessing": settings.base,
            "size": list(self.image_hw),
            "photograph_size": [float(side) for side in usual],
            "ignore": settings.ignore,
            "colours": [[list(key) if isinstance(key, tuple) else key, number] for key, number in table.items()]
            or None,
        }
        return model

    def stream(self, photos, variations):
        """Return photographs as `Variations`, whose labels are masks."""
        settings = self.settings
        augmentation = PairedAugmentation(Augmentation(), settings.turns, settings.turns, ignore=IGNORE)

        def draw(photo, height, width, rng):
            image, mask = read_pair(photo)
            labels = renumbered(mask, settings.ignore)
            if rng is not None:
                return augmentation(image, labels, height, width, rng)
            pixels, labels = in_frame(image, labels, self.scale, (height, width))
            return pixels.astype(np.float32), labels

        described = ["in a frame", EDITION, list(self.scale), repr(augmentation)]
        return Variations(photos, draw, self.prepare, *self.image_hw, variations, settings.seed, described)

    def labels(self, stream, positions):
        """Return the classes of the pixels, uint8 (N, height, width)."""
        labels = np.empty((len(positions), *stream.shape[1:3]), np.uint8)
        for place, each in zip(labels, stream.targets(positions)):
            place[...] = each
        return labels

    def loss(self):
        """Return the cross-entropy over all labelled pixels."""
        return SparseCategoricalCrossentropy(ignore_class=IGNORE)

    def metrics(self):
        """Return the mean IoU, which is measured in each epoch on the images in their frame."""
        return [MeanIoU(len(self.folder.class_names), ignore_class=IGNORE)]

    def class_weight(self):
        """Return {class: weight} of the classes with training pixels, or None if all count alike."""
        if not self.settings.class_weights:
            return None
        return weights_of_classes(self.folder.pixel_counts(self.folder.train))

    def evaluation(self):
        """Return the `PixelEvaluation` on the photographs that were held back, which are shown as `segment` shows
        them."""
        evaluation, vanished = evaluate_photographs(Segmenter(self.model), self.folder.val, self.folder.path)
        self.folder.skipped += [each for each in vanished if each not in self.folder.skipped]
        return evaluation


def weights_of_classes(counts):
    """Return {class: weight} for numbers of pixels (classes,): total / (classes that occur * pixels of the class), at
    most `LARGEST_WEIGHT`.

    Of 900, 90 and 10 pixels the weights are 0.37, 3.7 and, instead of 33, 10. Without the limit, each class would count
    as much as any other.
    """
    occur = np.flatnonzero(counts)
    even = counts.sum() / max(1, len(occur))
    return {int(label): min(LARGEST_WEIGHT, float(even / counts[label])) for label in occur}

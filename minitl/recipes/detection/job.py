"""Fine-tune a pre-trained network into a detector: from a folder of photographs with boxes to a measured model.

`finetune_detection` calls the steps in order. `DetectionJob` says what is different from other jobs that answer
"where?": `places.PlaceJob` has the steps themselves.
"""

import hashlib
import time
from dataclasses import dataclass

import numpy as np

from ...applications.ssd import SSD, ssd_priors
from ...arguments import AnyPath
from ...data.batches import in_order
from ...data.box_augmentation import BoxedAugmentation
from ...data.detection_folder import audit_detection
from ...data.variations import Variations
from ...errors import DataError
from ...features.one_pass import outputs
from ...losses import MultiBoxLoss
from ...progress import Progress
from ...terminal import counted, wrapped
from ..job_on_folder import Finetuned, finetuned, keep_model
from ..places import PlaceJob, sides_for
from .decoding import decoded, enlarged
from .evaluation import BoxEvaluation, labels_of
from .prior_shapes import prior_shapes, shape_iou
from .report import report_on_detection
from .settings import DetectionSettings
from .targets import drawing, prior_targets

BATCH = 8  # photographs at a time
LARGEST_SIDE = 320  # pixels, of images whose size nobody has chosen: four times as fast as 640


@dataclass(frozen=True, repr=False)
class FinetunedDetection(Finetuned):
    """The result of a fine-tuning on photographs with boxes: a `Finetuned` with a `BoxEvaluation`, a
    `data.DetectionFolder` and `DetectionSettings`, and

    mean_average_precision    {stage: that of VOC on what was held back}: "head" and "last"; None where no class has a
                  box there
    shapes        the (width, height) of the priors of each map, in pixels of the image that the network is shown
    """

    mean_average_precision: dict
    shapes: list

    def own_data(self):
        """Return what only this class has, as JSON can hold it."""
        left_out = self.folder.left_out_boxes
        return {
            "mean_average_precision_by_stage": self.mean_average_precision,
            "prior_shapes": self.shapes,
            "image_size": list(self.model.input_shape[1:3]),
            "left_out_boxes": [[str(file), str(box), reason] for file, box, reason in left_out],
        }


class DetectionJob(PlaceJob):
    """The job of `finetune_detection`, step by step.

    shapes   the (width, height) of the priors of each map;   priors   their boxes (P, 4)
    """

    def find(self, path):
        """Find the photographs and boxes in the folder, and print what was found."""
        settings = self.settings
        self.folder = folder = audit_detection(
            path, settings.validation, strict=settings.strict, layout=settings.layout, train_list=settings.train_list,
            val_list=settings.val_list, follow_links=settings.follow_links,
        )  # fmt: skip
        print(folder, flush=True)
        if not sum(len(photo.boxes) for photo in folder.val):
            raise DataError(
                f"{folder.path}: none of the photographs that are held back has a box, so nothing could be measured. "
                "Expected a few photographs more, or a larger share to hold back (validation)."
            )
        sizes = [(photo.height, photo.width) for photo in folder.train]
        self.image_hw = (settings.height, settings.width) if settings.height else sides_for(sizes, LARGEST_SIDE)
        self.choose_priors()

    def choose_priors(self):
        """Choose the shapes of the priors by the boxes to learn from."""
        height, width = self.image_hw
        sizes = np.concatenate([
            (photo.boxes[:, 2:] - photo.boxes[:, :2])[~(photo.difficult | photo.crowd)]
            * (width / photo.width, height / photo.height)
            for photo in self.folder.train
        ])  # fmt: skip
        self.shapes = prior_shapes(sizes, self.settings.priors)
        self.priors = ssd_priors(self.shapes, height, width)
        fit = shape_iou(sizes, [shape for of_map in self.shapes for shape in of_map]).max(axis=1).mean()
        text = ", ".join(f"{w:.0f}x{h:.0f}" for of_map in self.shapes for w, h in of_map)
        shapes = counted(sum(map(len, self.shapes)), "shape")
        line = f"Images of {width}x{height} pixels, with {len(self.priors):,} priors of {shapes}: {text}. "
        line += f"A box has an IoU of {fit:.2f} with the nearest shape, on average."
        print(wrapped(line), flush=True)

    def network(self, base):
        """Return SSD on the base."""
        settings, classes = self.settings, len(self.folder.class_names)
        return SSD(base, classes, settings.priors, settings.filters, settings.top_down, settings.normalization)

    def stream(self, photos, variations):
        """Return photographs with their boxes, in so many variations."""
        # The priors fit the boxes as they are: boxes that a variation makes half as large would find none.
        height, width = self.image_hw
        turns, is_square = self.settings.turns, max(height, width) < 1.1 * min(height, width)
        augment = BoxedAugmentation(
            area=(0.7, 1.0), zoom_in=0.3, zoom_out=0.0, upside_down=turns, quarter_turns=turns and is_square
        )
        described = ["boxes", repr(augment)]
        return Variations(
            photos,
            drawing(augment),
            self.prepare,
            *self.image_hw,
            variations,
            self.settings.seed,
            described,
            boxes_text,
        )

    def labels(self, stream, positions):
        """Return what the network has to say about each prior of the examples at these positions: (N, P, 5)."""
        targets = np.empty((len(positions), len(self.priors), 5), np.float32)
        for place, boxes in zip(targets, stream.targets(positions)):
            place[:] = prior_targets(*boxes, self.priors, self.settings.match)
        return targets

    def loss(self):
        """Return the loss."""
        return MultiBoxLoss(self.settings.negatives)

    def evaluation(self):
        """Return the `BoxEvaluation` on the photographs that were held back."""
        settings, photos, found = self.settings, self.photos["_val"], []
        for batch, y in outputs(self.part, self.x_val, in_order(len(photos), BATCH), "Finding boxes"):
            detections = decoded(y, self.priors, *self.image_hw, settings.floor, settings.suppression, settings.most)
            found += [
                enlarged(each, *self.image_hw, photo.height, photo.width)
                for each, photo in zip(detections, np.array(photos, object)[batch])
            ]
        names = [str(photo.path.relative_to(self.folder.path)) for photo in photos]
        with Progress("Measuring"):
            return BoxEvaluation(found, list(map(labels_of, photos)), self.folder.class_names, names, settings.score)

    def metadata(self):
        """Return all that a saved model needs to find boxes, as plain data."""
        settings = self.settings
        return {
            "task": "detect",
            "class_names": self.folder.class_names,
            "category_numbers": self.folder.category_numbers,
            "preprocessing": settings.base,
            "priors": self.shapes,
            **{name: getattr(settings, name) for name in ("suppression", "floor", "most", "score")},
        }


def boxes_text(photo):
    """Return a digest of a photograph's boxes, as text: a random part of the image depends on them."""
    return hashlib.sha256(photo.boxes.tobytes() + photo.labels.tobytes()).hexdigest()[:16]


def finetune_detection(
    folder: AnyPath, settings: DetectionSettings | None = None, verbose: int = 1, **changes
) -> FinetunedDetection:
    """Fine-tune on a folder of photographs with boxes: Pascal VOC, COCO or YOLO. Returns `FinetunedDetection`.

    settings, changes   a `DetectionSettings`, and single settings by name: epochs=20
    verbose             1: print each step and its progress; 0: print nothing

    Ctrl-C and SIGTERM stop it: it saves a checkpoint and raises `interruption.Interrupted`. The same call with
    resume=True goes on, and its results are those of an unbroken run to the last bit.
    """
    return finetuned(DetectionJob, _in_two_stages, folder, DetectionSettings, settings, changes, verbose)


def _in_two_stages(folder, job):
    """Run the whole job, step by step. `job` is a `DetectionJob` that has not begun."""
    start, settings = time.perf_counter(), job.settings
    job.find(folder)
    with Progress(f"Loading {settings.base}"):
        job.build()
    job.run_frozen_part()
    history = {"head": job.train_head()}
    evaluation = job.evaluation()
    reached = {"head": evaluation.mean_average_precision}
    if settings.has_second_stage:
        shown = "-" if reached["head"] is None else f"{reached['head']:.3f}"
        print(f"Mean average precision after this stage: {shown}", flush=True)
        history["blocks"] = job.train_blocks()
        evaluation = job.evaluation()
    reached["last"] = evaluation.mean_average_precision
    print(f"\nOn the photographs that were held back:\n{evaluation}")
    job.model.metadata = job.metadata()
    result = FinetunedDetection.of(
        job, evaluation, history, keep_model(job, start), mean_average_precision=reached, shapes=job.shapes
    )
    if settings.report:
        report_on_detection(job, result)
    return result

"""Fine-tune a pre-trained network into a detector: from a folder of photographs with boxes to a measured model.

`finetune_detection` calls the steps in order. `DetectionJob` says what is different from other jobs that answer
"where?": `places.PlaceJob` has the steps themselves.
"""

import hashlib
import time
from dataclasses import dataclass

import numpy as np

from ...applications.ssd import SSD, ssd_priors
from ...data.batches import in_order
from ...data.box_augmentation import BoxedAugmentation
from ...data.detection_folder import DetectionFolder, audit_detection
from ...data.variations import Variations
from ...errors import DataError
from ...features.one_pass import outputs
from ...files.results import write_json
from ...kernels.memory import peak_bytes
from ...losses import MultiBoxLoss
from ...models import Model
from ...progress import Progress
from ...terminal import counted, printable, wrapped
from ...version import __version__
from ..job_on_folder import prepared
from ..places import PlaceJob, sides_for
from ..settings import require_path, settings_from
from .decoding import decoded, enlarged
from .evaluation import BoxEvaluation, labels_of
from .prior_shapes import prior_shapes, shape_iou
from .report import report_on_detection
from .settings import DetectionSettings
from .targets import drawing, prior_targets

BATCH = 8  # photographs at a time
LARGEST_SIDE = 320  # pixels, of images whose size nobody has chosen: four times as fast as 640


@dataclass(frozen=True)
class FinetunedDetection:
    """The result of a fine-tuning on photographs with boxes.

    model         ready to be saved: its metadata hold all that `detect` needs
    evaluation    `BoxEvaluation` on the photographs that were held back
    mean_average_precision    {stage: that of VOC on them}: "head" and "last"; None where no class has a box there
    history       {stage: {"loss": [of each epoch], "val_loss": ...}}: "head" and "blocks"
    shapes        the (width, height) of the priors of each map, in pixels of the image that the network is shown
    folder        the `data.DetectionFolder`: its photographs, and what was left out
    settings      the `DetectionSettings`
    training_pictures   the number of images that it learned from, variations counted
    seconds       in all;   peak_bytes   the most memory that the process had, or None
    """

    model: Model
    evaluation: BoxEvaluation
    mean_average_precision: dict
    history: dict
    shapes: list
    folder: DetectionFolder
    settings: DetectionSettings
    training_pictures: int
    seconds: float
    peak_bytes: int | None

    def __repr__(self):
        return f"<{type(self).__name__} from {self.folder.path}: {self.evaluation!r}, {self.model!r}>"

    def as_data(self):
        """Return everything but the model, as JSON can hold it."""
        return {
            **self.evaluation.as_data(),
            "mean_average_precision_by_stage": self.mean_average_precision,
            "history": self.history,
            "prior_shapes": self.shapes,
            "image_size": list(self.model.input_shape[1:3]),
            "training_pictures": self.training_pictures,
            "left_out": [[str(path), reason] for path, reason in self.folder.skipped],
            "left_out_boxes": [[str(file), str(box), reason] for file, box, reason in self.folder.left_out_boxes],
            "ledger": self.model.ledger.summary(),
            "options": self.settings.as_data(),
            "seconds": self.seconds,
            "peak_bytes": self.peak_bytes,
            "versions": {"minitl": __version__, "numpy": np.__version__},
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


def finetune_detection(folder, settings=None, verbose=1, **changes):
    """Fine-tune on a folder of photographs with boxes: Pascal VOC, COCO or YOLO. Returns `FinetunedDetection`.

    settings, changes   a `DetectionSettings`, and single settings by name: epochs=20
    verbose             1: print each step and its progress; 0: print nothing

    Ctrl-C and SIGTERM stop it: it saves a checkpoint and raises `interruption.Interrupted`. The same call with
    resume=True goes on, and its results are those of an unbroken run to the last bit.
    """
    require_path("folder", folder)
    settings = settings_from(DetectionSettings, settings, changes)
    with prepared(DetectionJob, folder, settings, verbose) as job:
        result = _in_two_stages(folder, job)
        write_json(job.settings.json, result.as_data())
        job.runs.clear()
    return result


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
    print("\nWhere the model's parameters come from:")
    print("\n".join(wrapped(printable(line), " " * 12) for line in job.model.ledger.summary()))
    if settings.save:
        job.model.save(settings.save)
        print(f"\nSaved: {settings.save}. Try it: minitl predict {settings.save} PHOTOGRAPH ...")
    seconds = time.perf_counter() - start
    print(f"\n{seconds:.0f} s in all.")
    result = FinetunedDetection(
        job.model, evaluation, reached, {stage: each.history for stage, each in history.items()}, job.shapes,
        job.folder, settings, len(job.y), seconds, peak_bytes(),
    )  # fmt: skip
    if settings.report:
        report_on_detection(job, result)
    return result

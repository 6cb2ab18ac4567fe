"""The contents of the report: the images to show, Grad-CAM maps, kernels, feature maps and costs.

It is computed once, for the page and for the PNG files.
"""

from dataclasses import dataclass

import numpy as np

from ...progress import Progress
from .grad_cam import grad_cam, map_layer
from .measured import costs, feature_maps, first_kernels

MOST_MISTAKES = 12
MOST_CAMS = 4  # Grad-CAM maps of right predictions, and as many of wrong ones
COST_BATCH = 8  # images


@dataclass
class Case:
    """One held-back image with its label and prediction (positions of classes), and the probabilities of both.

    `cam_predicted` and `cam_label` are the Grad-CAM maps for both classes. None: not computed. A right prediction has
    no `cam_label`.
    """

    name: str
    rgb: np.ndarray
    label: int
    predicted: int
    probability: float  # of the prediction
    probability_of_label: float
    cam_predicted: np.ndarray | None = None
    cam_label: np.ndarray | None = None


@dataclass
class Findings:
    """All that is computed for the report.

    examples       uint8 images of the training set, for each class
    mistakes       `Case`s, the most confident first;  right   some right predictions, with Grad-CAM maps
    cam_layer      the layer whose maps Grad-CAM weighs
    kernels        `measured.first_kernels`
    maps, traced   `measured.feature_maps` of one image, and its `Case`
    costs          `measured.costs`
    """

    examples: list
    mistakes: list
    right: list
    cam_layer: str
    kernels: np.ndarray | None
    maps: list
    traced: Case | None
    costs: list


def find_all(fine_tuning):
    """Compute the `Findings` of a `FineTuning`, and show the progress."""
    model, evaluation, held_back = fine_tuning.model, fine_tuning.evaluation, fine_tuning.held_back
    with Progress("Report", 6) as bar:
        examples = _examples(fine_tuning.training, len(fine_tuning.class_names))
        bar.advance(1)
        mistakes = _cases(fine_tuning, evaluation.surest(right=False, count=MOST_MISTAKES))
        right = _cases(fine_tuning, _some_of_each_class(evaluation))
        bar.advance(1)
        cam_layer = map_layer(model)
        for case in mistakes[:MOST_CAMS] + right:
            _add_grad_cam(model, case, held_back.prepare)
        bar.advance(1)
        traced = (right or mistakes or [None])[0]
        maps = feature_maps(model, held_back.prepare(traced.rgb[None].astype(np.float32))) if traced else []
        bar.advance(1)
        black = np.zeros((COST_BATCH, *model.input_shape[1:]), np.float32)  # all images take the same time
        batch = held_back.prepare(black)
        found = costs(model, batch, advance=lambda: bar.advance(0))
        bar.advance(1)
        kernels = first_kernels(model, held_back.prepare)
        bar.advance(1)
    return Findings(examples, mistakes, right, cam_layer, kernels, maps, traced, found)


def _examples(training, classes):
    """Return the first images of each class: two rows of four for few classes, one row for more, one image for many."""
    count = 8 if classes <= 7 else 4 if classes <= 15 else 1
    found = []
    for label in range(classes):
        images = (training.rgb(position) for position in np.flatnonzero(training.labels == label)[:count])
        found.append([rgb for rgb in images if rgb is not None])
    return found


def _some_of_each_class(evaluation):
    """Return the positions of the most confident right predictions, of as many classes as there is room for."""
    order = evaluation.surest(right=True, count=len(evaluation.labels))
    rank = np.zeros(len(order), int)  # the rank of each within its class
    for label in set(evaluation.labels[order].tolist()):
        of_class = evaluation.labels[order] == label
        rank[of_class] = np.arange(of_class.sum())
    return order[np.argsort(rank, kind="stable")][:MOST_CAMS]


def _cases(fine_tuning, positions):
    """Return `Case`s of held-back images, without those that cannot be read any more."""
    evaluation, cases = fine_tuning.evaluation, []
    for position in positions:
        rgb = fine_tuning.held_back.rgb(position)
        if rgb is not None:
            label, predicted = int(evaluation.labels[position]), int(evaluation.predicted[position])
            probabilities = evaluation.probabilities[position]
            name = str(evaluation.names[position])
            both = float(probabilities[predicted]), float(probabilities[label])
            cases.append(Case(name, rgb, label, predicted, *both))
    return cases


def _add_grad_cam(model, case, prepare):
    """Add the Grad-CAM map for the prediction to a case and, where that is wrong, the map for the label."""
    classes = [case.predicted] if case.predicted == case.label else [case.predicted, case.label]
    x = np.repeat(prepare(case.rgb[None].astype(np.float32)), len(classes), axis=0)
    maps = grad_cam(model, x, classes)
    case.cam_predicted, case.cam_label = maps[0], maps[1] if len(classes) > 1 else None

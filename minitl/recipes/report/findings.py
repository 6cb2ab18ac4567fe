"""What the report has to find out that the fine-tuning did not: the pictures to show, where the network looked, its
insides and its costs. Computed once, for the page and for the PNG files."""

from dataclasses import dataclass

import numpy as np

from ...progress import Progress
from .grad_cam import grad_cam, map_layer
from .measured import costs, feature_maps, first_kernels

MOST_MISTAKES = 12
MOST_CAMS = 4  # of the right ones, and as many of the wrong ones
COST_BATCH = 8  # pictures


@dataclass
class Case:
    """One held-back picture: what it is and what it was called (positions of classes), with which probabilities, and
    the Grad-CAM maps for both (None: not computed; of a right one, the second is None)."""

    name: str
    rgb: np.ndarray
    label: int
    called: int
    sure: float  # of what it was called
    sure_of_label: float
    cam_called: np.ndarray | None = None
    cam_label: np.ndarray | None = None


@dataclass
class Findings:
    """examples    for each class, uint8 pictures of its training set
    mistakes       `Case`s, the most confident first;  right: some that were called rightly, with Grad-CAM
    cam_layer      the layer whose maps Grad-CAM weighs
    kernels        `measured.first_kernels`
    maps, traced   `measured.feature_maps` of one picture, and that `Case`
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


def look_into(fine_tuning):
    """All of it, as `Findings`. Shows its progress."""
    model, evaluation, held_back = fine_tuning.model, fine_tuning.evaluation, fine_tuning.held_back
    with Progress("Report", 6, lines=True) as bar:
        examples = _examples(fine_tuning.training, len(fine_tuning.class_names))
        bar.advance(1)
        mistakes = _cases(fine_tuning, evaluation.surest(right=False, count=MOST_MISTAKES))
        right = _cases(fine_tuning, _some_of_each_class(evaluation))
        bar.advance(1)
        cam_layer = map_layer(model)
        for case in mistakes[:MOST_CAMS] + right:
            _look_where(model, case, held_back.prepare)
        bar.advance(1)
        traced = (right or mistakes or [None])[0]
        maps = feature_maps(model, held_back.prepare(traced.rgb[None].astype(np.float32))) if traced else []
        bar.advance(1)
        batch = held_back.prepare(
            np.zeros((COST_BATCH, *model.input_shape[1:]), np.float32)
        )  # any pictures take as long
        found = costs(model, batch, advance=lambda: bar.advance(0))
        bar.advance(1)
        kernels = first_kernels(model, held_back.prepare)
        bar.advance(1)
    return Findings(examples, mistakes, right, cam_layer, kernels, maps, traced, found)


def _examples(training, classes):
    """Return the first pictures of each class, in rows of four: two rows of a few classes, one picture of each of
    many."""
    count = 8 if classes <= 7 else 4 if classes <= 15 else 1
    found = []
    for label in range(classes):
        pictures = (training.rgb(position) for position in np.flatnonzero(training.labels == label)[:count])
        found.append([rgb for rgb in pictures if rgb is not None])
    return found


def _some_of_each_class(evaluation):
    """Positions of pictures called rightly, the surest, of as many classes as there is room for."""
    order = evaluation.surest(right=True, count=len(evaluation.labels))
    rank = np.zeros(len(order), int)  # the how-manieth of its class each is
    for label in set(evaluation.labels[order].tolist()):
        of_class = evaluation.labels[order] == label
        rank[of_class] = np.arange(of_class.sum())
    return order[np.argsort(rank, kind="stable")][:MOST_CAMS]


def _cases(fine_tuning, positions):
    """`Case`s of held-back pictures, without those that cannot be read any more."""
    evaluation, cases = fine_tuning.evaluation, []
    for position in positions:
        rgb = fine_tuning.held_back.rgb(position)
        if rgb is not None:
            label, called = int(evaluation.labels[position]), int(evaluation.predicted[position])
            sure = evaluation.probabilities[position]
            name = str(evaluation.names[position])
            cases.append(Case(name, rgb, label, called, float(sure[called]), float(sure[label])))
    return cases


def _look_where(model, case, prepare):
    """Grad-CAM for what it was called and, where that is wrong, for what it is."""
    classes = [case.called] if case.called == case.label else [case.called, case.label]
    x = np.repeat(prepare(case.rgb[None].astype(np.float32)), len(classes), axis=0)
    maps = grad_cam(model, x, classes)
    case.cam_called, case.cam_label = maps[0], maps[1] if len(classes) > 1 else None

"""Boxes and average precision against pycocotools, OpenCV, and torchvision's formulas in PyTorch."""

import contextlib
import io
import math

import numpy as np
import pytest
import torch

from minitl.kernels.boxes import box_iou, decode_boxes, encode_boxes
from minitl.kernels.priors import prior_boxes
from minitl.kernels.suppression import non_maximum_suppression, suppress_per_class
from minitl.metrics import coco_average_precision

from .compare import assert_close, note_difference


def random_boxes(rng, count, size=100):
    start = rng.uniform(0, size, (count, 2))
    return np.concatenate([start, start + rng.uniform(1, size / 2, (count, 2))], axis=1).astype(np.float32)


def left_top_width_height(boxes):
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).astype(np.float64)


# ---- pycocotools ----


def test_overlap_is_pycocotools(rng):
    """Compare in float64, with and without an area."""
    mask = pytest.importorskip("pycocotools.mask")
    boxes, others = (random_boxes(rng, count).astype(np.float64) for count in (70, 50))
    boxes[:5, 2] = boxes[:5, 0]
    others[:40] = boxes[:40]
    expected = mask.iou(left_top_width_height(boxes), left_top_width_height(others), [0] * len(others))
    np.testing.assert_allclose(box_iou(boxes, others), expected, rtol=0, atol=1e-12)


def random_images(rng, case):
    """Return detections, labels and classes. Coordinates are quarters of a pixel: all areas are exact, so that rounding
    turns no IoU that is exactly a threshold."""
    images, classes = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    most = 600 if case % 10 == 0 else 15
    detections, labels = [], []
    for _ in range(images):
        count = int(rng.integers(0, 8))
        start, size = rng.integers(0, 400, (count, 2)) / 4, rng.integers(4, 400, (count, 2)) / 4
        true = np.concatenate([start, start + size], axis=1)
        near = true[rng.integers(0, count, rng.integers(0, most))] if count else np.zeros((0, 4))
        near = near + rng.integers(-8, 9, near.shape) / 4
        start, size = rng.integers(0, 400, (3, 2)) / 4, rng.integers(4, 400, (3, 2)) / 4
        boxes = np.concatenate([near, np.concatenate([start, start + size], axis=1)])
        boxes[:, 2:] = np.maximum(boxes[:, :2], boxes[:, 2:])
        labels.append(
            {
                "boxes": true,
                "classes": rng.integers(1, classes + 1, count),
                "is_crowd": rng.random(count) < 0.25,
                "areas": np.prod(true[:, 2:] - true[:, :2], axis=1) * rng.choice([0.5, 1], count),
            }
        )
        scores = rng.integers(0, 20, len(boxes)) / 20 if case % 2 else rng.random(len(boxes))
        classes_found = rng.integers(1, classes + 2, len(boxes))  # the last class has no label
        detections.append({"boxes": boxes, "scores": scores, "classes": classes_found})
    return detections, labels, list(range(1, classes + 2))


def evaluate_with_pycocotools(detections, labels, classes):
    """Return COCOeval after `accumulate`. Its numbers of labels begin at 1: it takes 0 for none."""
    pycocotools = pytest.importorskip("pycocotools.coco")
    from pycocotools.cocoeval import COCOeval

    annotations, results = [], []
    for number, (found, true) in enumerate(zip(detections, labels)):
        for box, name, is_crowd, area in zip(
            left_top_width_height(true["boxes"]), true["classes"], true["is_crowd"], true["areas"]
        ):
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": int(name), "bbox": box.tolist(),
                 "iscrowd": int(is_crowd), "area": float(area)}
            )  # fmt: skip
        for box, name, score in zip(left_top_width_height(found["boxes"]), found["classes"], found["scores"]):
            results.append({"image_id": number, "category_id": int(name), "bbox": box.tolist(), "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = pycocotools.COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": number} for number in range(len(labels))],
            "categories": [{"id": each} for each in classes],
            "annotations": annotations,
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval


@pytest.mark.parametrize("group", range(4))
def test_average_precision_is_pycocotools(rng, group):
    """Compare every class, IoU threshold, area and number of detections, in 200 cases: with crowds, more than 100
    detections, equal scores, and a class without labels."""
    pytest.importorskip("pycocotools")
    measured = [(0, m, most, None) for m, most in enumerate((1, 10, 100))]  # COCO's six columns
    measured += [(a + 1, 2, 100, each) for a, each in enumerate([(0, 32**2), (32**2, 96**2), (96**2, 1e10)])]
    seen = {"differences": [], "absent": 0, "crowds": 0, "above 100": 0}
    for case in range(group * 50, (group + 1) * 50):
        detections, labels, classes = random_images(rng, case)
        expected = evaluate_with_pycocotools(detections, labels, classes)
        for a, m, most, area_range in measured:
            result = coco_average_precision(detections, labels, classes, most=most, area_range=area_range)
            precisions = expected["precision"][:, :, :, a, m].mean(axis=1)  # (T, K)
            seen["differences"].append(np.abs(result.precisions - precisions).max())
            seen["differences"].append(np.abs(result.recalls - expected["recall"][:, :, a, m]).max())
            seen["absent"] += (precisions == -1).any()
        seen["crowds"] += sum(each["is_crowd"].sum() for each in labels)
        seen["above 100"] += sum((np.bincount(each["classes"]) > 100).any() for each in detections)
    note_difference(max(seen["differences"]))
    assert max(seen["differences"]) < 1e-6
    assert seen["absent"] and seen["crowds"] and seen["above 100"]


# ---- OpenCV ----


def test_suppression_is_opencv(rng):
    """Compare the boxes that are kept. OpenCV also suppresses above the threshold, and not at it."""
    cv2 = pytest.importorskip("cv2")
    for _ in range(100):
        boxes, scores = random_boxes(rng, 60), rng.uniform(0.01, 1, 60).astype(np.float32)
        threshold = float(rng.uniform(0.1, 0.9))
        expected = cv2.dnn.NMSBoxes(left_top_width_height(boxes), scores, 0.0, threshold)
        assert non_maximum_suppression(boxes, scores, threshold).tolist() == np.ravel(expected).tolist()
        classes = rng.integers(0, 4, 60)
        expected = cv2.dnn.NMSBoxesBatched(left_top_width_height(boxes), scores, classes, 0.0, threshold)
        assert suppress_per_class(boxes, scores, classes, threshold).tolist() == np.ravel(expected).tolist()
    half = np.array([[0, 0, 10, 10], [0, 0, 10, 5]], np.float32)
    assert np.ravel(cv2.dnn.NMSBoxes(left_top_width_height(half), [0.9, 0.8], 0.0, 0.5)).tolist() == [0, 1]
    assert non_maximum_suppression(half, [0.9, 0.8], 0.5).tolist() == [0, 1]


# ---- torchvision ----


def torch_codes(boxes, priors):
    """Return torchvision's `encode_boxes` with the weights (10, 10, 5, 5), written out."""
    size, prior_size = boxes[:, 2:] - boxes[:, :2], priors[:, 2:] - priors[:, :2]
    centre, prior_centre = boxes[:, :2] + 0.5 * size, priors[:, :2] + 0.5 * prior_size
    return torch.cat([10 * (centre - prior_centre) / prior_size, 5 * torch.log(size / prior_size)], dim=1)


def torch_boxes(codes, priors):
    """Return torchvision's `BoxCoder.decode_single` with the same weights, written out."""
    prior_size = priors[:, 2:] - priors[:, :2]
    centre = codes[:, :2] / 10 * prior_size + priors[:, :2] + 0.5 * prior_size
    size = torch.exp(torch.clamp(codes[:, 2:] / 5, max=math.log(1000.0 / 16))) * prior_size
    return torch.cat([centre - 0.5 * size, centre + 0.5 * size], dim=1)


def torch_priors(image_size, maps, steps, scales, ratios):
    """Return torchvision's `DefaultBoxGenerator` without clipping, written out: shares of the image, times its size."""
    boxes = []
    for k, cells in enumerate(maps):
        shapes = [(scales[k], scales[k]), (math.sqrt(scales[k] * scales[k + 1]),) * 2]
        for ratio in ratios[k]:
            root = math.sqrt(ratio)
            shapes += [(scales[k] * root, scales[k] / root), (scales[k] / root, scales[k] * root)]
        centre = (torch.arange(cells) + 0.5) / (image_size / steps[k])
        y, x = torch.meshgrid(centre, centre, indexing="ij")
        centres = torch.stack([x.reshape(-1), y.reshape(-1)] * len(shapes), dim=-1).reshape(-1, 2)
        sizes = torch.tensor(shapes).repeat(cells * cells, 1)
        boxes.append(torch.cat([centres - 0.5 * sizes, centres + 0.5 * sizes], dim=1))
    return image_size * torch.cat(boxes)


def test_priors_and_codes_are_torchvision(rng):
    maps, steps, sizes = (38, 19, 10, 5, 3, 1), (8, 16, 32, 64, 100, 300), (30, 60, 111, 162, 213, 264, 315)
    ratios = [[2], [2, 3], [2, 3], [2, 3], [2], [2]]
    priors = prior_boxes([(cells, cells, step) for cells, step in zip(maps, steps)], sizes, ratios)
    assert_close(priors, torch_priors(300, maps, steps, [size / 300 for size in sizes], ratios), 1e-6)
    boxes = random_boxes(rng, len(priors), 300)
    codes = encode_boxes(boxes, priors)
    assert_close(codes, torch_codes(torch.tensor(boxes), torch.tensor(priors)), 1e-6)
    codes = rng.normal(0, 8, codes.shape).astype(np.float32)
    assert_close(decode_boxes(codes, priors), torch_boxes(torch.tensor(codes), torch.tensor(priors)), 1e-6)

"""Boxes from the outputs of a detector: which priors have found something, where it is, and what it is.

For each image, from (P, 4 + 1 + classes) numbers:

    softmax of the scores -> the probability of each class, background among them
    a prior and a class whose probability is above a floor are a candidate; a prior may be one for two classes
    its codes move and stretch the prior (`kernels.boxes.decode_boxes`); what lies outside of the image is cut off
    of candidates of a class that overlap, the best one stays (`kernels.suppression`)

The floor is low (0.01): average precision looks at all scores, from the best one down. Who wants boxes to look at takes
those above a higher one.
"""

import numpy as np

from ...kernels.activations import softmax
from ...kernels.boxes import box_areas, decode_boxes
from ...kernels.suppression import suppress_per_class


def decoded(outputs, priors, height, width, floor=0.01, suppression=0.45, most=200):
    """Return the detections of each image, best first: dicts of "boxes" (K, 4), "scores" (K,), "classes" (K,).

    outputs       (N, P, 4 + 1 + classes), those of `applications.ssd`
    priors        (P, 4);   height, width   of the image that the network was shown
    floor         a candidate's probability is above it
    suppression   the IoU from which on two boxes of a class are the same thing
    most          boxes in an image

    Boxes are float32 pixels of that image, classes positions in the class names: the background is none. Raises
    DataError for outputs that are not finite.
    """
    probabilities = softmax(outputs[..., 4:])[..., 1:]  # (N, P, classes)
    edges = np.array([width, height, width, height], np.float32)
    found = []
    for codes, of_image in zip(outputs[..., :4], probabilities):
        which, classes = np.nonzero(of_image > floor)
        boxes = np.clip(decode_boxes(codes[which], priors[which]), 0, edges)
        scores = of_image[which, classes]
        inside = box_areas(boxes) > 0
        boxes, scores, classes = boxes[inside], scores[inside], classes[inside]
        kept = suppress_per_class(boxes, scores, classes, suppression, most)
        found.append({"boxes": boxes[kept], "scores": scores[kept], "classes": classes[kept]})
    return found


def enlarged(detections, height, width, photo_height, photo_width):
    """Return the detections of one image, shown to the network in this size, in pixels of its photograph."""
    scale = np.array([photo_width / width, photo_height / height] * 2)
    return {**detections, "boxes": (detections["boxes"] * scale).astype(np.float32)}


def above(detections, score):
    """Return those of the detections of one image whose score is at least `score`."""
    is_above = detections["scores"] >= score
    return {name: array[is_above] for name, array in detections.items()}

"""Non-maximum suppression in OpenCV."""

import cv2
import numpy as np

from .. import networks


def suppression(options):
    """Return a function that suppresses boxes. OpenCV takes them as (left, top, width, height)."""
    boxes, scores = networks.boxes(options["boxes"])
    boxes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    return lambda: np.ravel(cv2.dnn.NMSBoxes(boxes, scores, 0.0, networks.IOU_THRESHOLD))

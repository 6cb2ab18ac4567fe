"""The boxes of a photograph as a detector learns them: four codes and a class number for each prior.

    (N, P, 4 + 1)   the codes of the box that the prior has to find (`kernels.boxes.encode_boxes`), then
                    1 + the class, 0 for the background, or -1 where nothing is learned (`losses.multibox`)

A prior is ignored (-1) if it lies on a thing that nobody is asked to find: it is neither taught to find it nor to
overlook it. These are things that are hard to see (VOC's *difficult*), and *crowds* (COCO), one box around many things.
A prior lies on a hard thing if their IoU reaches the threshold. A crowd is much larger than the prior of one thing in
it, so there the share of the prior's own area counts. A prior that has to find another thing still has to.
"""

import numpy as np

from ...data.box_augmentation import resized
from ...data.photos import open_photo
from ...kernels.boxes import box_areas, box_intersections, box_iou, encode_boxes, match_boxes


def drawing(augment):
    """Return the function that draws an example of a `BoxedPhoto`, as `data.variations` calls it.

    augment   a `BoxedAugmentation` for all variations but the unchanged one

    What is to be learned of an example is (boxes (B, 4), labels (B,), difficult (B,), crowd (B,)).
    """

    def draw(photo, height, width, rng):
        image = open_photo(photo.path)
        if rng is None:
            pixels, boxes = resized(image, photo.boxes, height, width)
            kept = np.arange(len(boxes))
        else:
            pixels, boxes, kept = augment(image, photo.boxes, photo.labels, height, width, rng)
        return pixels, (boxes, photo.labels[kept], photo.difficult[kept], photo.crowd[kept])

    return draw


def prior_targets(boxes, labels, difficult, crowd, priors, threshold):
    """Return what a detector has to say about each prior: float32 (P, 5).

    boxes (B, 4), labels (B,), difficult (B,), crowd (B,)   as in `data.BoxedPhoto`, in pixels of the network's image
    priors      (P, 4)
    threshold   the IoU from which on a prior has to find a box (`kernels.boxes.match_boxes`)
    """
    targets = np.zeros((len(priors), 5), np.float32)
    has_area = box_areas(boxes) > 0  # a box of less than a pixel may have lost it
    is_asked = has_area & ~difficult & ~crowd
    asked = boxes[is_asked]
    matches = match_boxes(asked, priors, threshold)  # (P,)
    is_positive = matches >= 0
    found = matches[is_positive]
    targets[is_positive, :4] = encode_boxes(asked[found], priors[is_positive])
    targets[is_positive, 4] = labels[is_asked][found] + 1
    hard, crowds = boxes[has_area & difficult & ~crowd], boxes[has_area & crowd]
    on_them = np.zeros(len(priors), bool)
    if len(hard):
        on_them |= box_iou(hard, priors).max(axis=0) >= threshold
    if len(crowds):
        on_them |= (box_intersections(crowds, priors) / box_areas(priors)).max(axis=0) >= threshold
    targets[on_them & ~is_positive, 4] = -1
    return targets

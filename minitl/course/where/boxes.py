"""Detection: a small SSD finds the discs, squares and triangles, and draws a box around each.

`minitl explain boxes` prints what each of five ideas does on the shapes. Each idea is one function:

    priors        `kernels.priors.prior_boxes`              fixed boxes from which the network begins
    matching      `kernels.boxes.match_boxes`               which prior has to find which thing
    coding        `kernels.boxes.encode_boxes`              how a prior is moved and stretched: what the network learns
    hard negatives `losses.multibox.hard_negatives`         which priors without a thing are learned from
    suppression   `kernels.suppression.suppress_per_class`  one box for each thing

and `metrics.average_precision` says how good the result is.

    block3_pool (8x8) -> convs -----------------> 4 * (4 codes + 4 scores) for each place: small things
                          \\-> conv, stride 2 (4x4) -> 4 * (4 codes + 4 scores)           large things

Read next: `applications.ssd`, the same network on all of VGG16.
"""

from typing import NamedTuple

import numpy as np

from ...data.drawing import class_colours, draw_boxes
from ...kernels.activations import softmax
from ...kernels.boxes import box_iou, decode_boxes, encode_boxes, match_boxes
from ...kernels.priors import prior_boxes
from ...kernels.suppression import suppress_per_class
from ...layers import BatchNormalization, Concatenate, Conv2D, Input, ReLU, Reshape
from ...losses import MultiBoxLoss
from ...metrics.average_precision import voc_average_precision
from ...models import Model
from ...optimizers import Adam
from ...optimizers.schedules import CosineDecay
from ...randomness import set_random_seed
from ...terminal import table
from ..printing import heading, say
from .figures import check, enlarged, pale, write_rows
from .maps import SIDE, examples

CLASSES = ("disc", "square", "triangle")
MAPS = ((8, 8, 8), (4, 4, 16))  # (rows, columns, pixels from one place to the next)
SIZES, RATIOS = (16, 25, 38), ((1.6,), (1.6,))  # of the priors
BOXES_OF_A_PLACE = 4
NUMBERS = 4 + 1 + len(CLASSES)  # of a prior: codes, and scores of background and classes
THRESHOLD = 0.5  # the IoU from which on a prior has to find a thing, and a detection is right
SUPPRESSION = 0.45  # the IoU above which two boxes of a class are the same thing
FLOOR = 0.05  # a box with a lower score is no detection
CERTAIN = 0.5  # boxes in the figure have at least this score after suppression
BATCH = 8
CELL = 3, 3  # the place whose priors are shown
TIMES = 5  # the figure is so many times as large as the image


class Extent(NamedTuple):
    """The extent of the program: images, filters of the convolutions, epochs and learning rate."""

    training: int
    test: int
    filters: int
    epochs: int
    rate: float


EXTENT = Extent(training=1000, test=200, filters=64, epochs=8, rate=0.005)


def explain_boxes(plots=None, seed=0):
    """Train the detector, and print what each idea does. Returns the numbers as plain data.

    plots   None, or a folder: `boxes.png` is drawn there (needs Pillow)
    seed    of the network's first weights and of the order of the images
    """
    check(plots)
    heading("The task")
    say(
        f"{EXTENT.training} images of 64x64 pixels to learn from, {EXTENT.test} to test on: discs, squares and "
        "triangles on textures. A label for every thing: its class, and its box (left, top, right, bottom) in pixels."
    )
    set_random_seed(seed)
    training, test = examples(EXTENT.training, EXTENT.test, [8])
    priors = prior_boxes(MAPS, SIZES, RATIOS)  # (P, 4)
    heading("Priors")
    say(
        f"8x8 places, 8 pixels apart, and 4x4 places, 16 pixels apart, with {BOXES_OF_A_PLACE} priors each: "
        f"{len(priors)} priors. Those of a place in the middle:"
    )
    for box in priors[of_cell()]:
        print(f"  {_as_text(box)}: {box[2] - box[0]:.1f} wide, {box[3] - box[1]:.1f} high")
    print()
    matched = _matching(training.shapes, priors)
    targets = np.stack([target(*each, priors) for each in zip(training.shapes.boxes, training.shapes.labels)])
    hardest = _training(training, targets, model := detector())
    outputs = model.predict(test.maps[8], verbose=0)  # (N, P, 8)
    every, kept = (detections(outputs, priors, suppress) for suppress in (False, True))
    scores = _quality(test.shapes, every, kept)
    if plots is not None:
        place = next((k for k, boxes in enumerate(test.shapes.boxes) if len(boxes) > 2), 0)
        write_rows(panels(test.shapes, place, priors, every[place], kept[place]), plots, "boxes.png", times=1)
    return {
        "classes": CLASSES,
        "training_images": len(training.shapes.images),
        "test_images": len(test.shapes.images),
        "seed": seed,
        "priors": len(priors),
        **matched,
        **hardest,
        **scores,
    }


def of_cell():
    """Return the places of the priors of CELL among all priors, as a slice."""
    first = (CELL[0] * MAPS[0][1] + CELL[1]) * BOXES_OF_A_PLACE
    return slice(first, first + BOXES_OF_A_PLACE)


# ---- the network and its labels ----


def detector():
    """Return the model from block3_pool's maps (N, 8, 8, 256) to the outputs of all priors (N, P, 4 + 1 + classes)."""
    maps = Input((*MAPS[0][:2], 256))
    fine = _convolved(_convolved(BatchNormalization(momentum=0.9)(maps)))
    coarse = _convolved(fine, strides=2)
    rows = []
    for x in fine, coarse:
        x = Conv2D(BOXES_OF_A_PLACE * NUMBERS, 3, padding="same")(x)
        rows.append(Reshape((-1, NUMBERS))(x))  # (N, places * 4, 8): the order of `prior_boxes`
    return Model(maps, Concatenate(axis=1)(rows), name="detector")


def _convolved(x, strides=1):
    """Return a convolution of a map, normalized, with ReLU."""
    x = Conv2D(EXTENT.filters, 3, strides, padding="same", use_bias=False)(x)
    return ReLU()(BatchNormalization(momentum=0.9)(x))


def target(boxes, labels, priors):
    """Return what the network has to say about each prior of an image: (P, 5), four codes and a class number.

    boxes (B, 4), labels (B,). The class number is 0 for the background, else 1 + the label.
    """
    matches = match_boxes(boxes, priors, THRESHOLD)  # (P,)
    is_positive = matches >= 0
    found = matches[is_positive]
    rows = np.zeros((len(priors), 5), np.float32)
    rows[is_positive, :4] = encode_boxes(boxes[found], priors[is_positive])
    rows[is_positive, 4] = 1 + labels[found]
    return rows


def detections(outputs, priors, suppress=True):
    """Return the boxes that the outputs (N, P, 8) stand for, best first: dicts of "boxes", "scores" and "classes"."""
    found = []
    for image in outputs:
        probabilities = softmax(image[:, 4:])[:, 1:]  # (P, 3), without the background
        prior, classes = np.nonzero(probabilities > FLOOR)
        scores = probabilities[prior, classes]
        boxes = np.clip(decode_boxes(image[prior, :4], priors[prior]), 0, SIDE)
        order = suppress_per_class(boxes, scores, classes, SUPPRESSION) if suppress else np.argsort(-scores)
        found.append({"boxes": boxes[order], "scores": scores[order], "classes": classes[order]})
    return found


# ---- the numbers ----


def _matching(shapes, priors):
    """Print how well the priors fit the boxes of the training images, and the code of a box. Returns plain data."""
    boxes, labels = np.concatenate(shapes.boxes), np.concatenate(shapes.labels)
    best = box_iou(boxes, priors).max(axis=1)
    positives = sum((match_boxes(each, priors, THRESHOLD) >= 0).sum() for each in shapes.boxes) / len(shapes.boxes)
    heading("Matching and coding")
    say(
        f"The {len(shapes.boxes)} training images show {len(boxes)} things. {np.mean(best >= THRESHOLD):.1%} of them "
        f"have an IoU of {THRESHOLD} or more with a prior. The others get the best prior there is. So "
        f"{positives:.1f} of an image's {len(priors)} priors have something to find."
    )
    p = int(box_iou(boxes[:1], priors)[0].argmax())
    code = encode_boxes(boxes[:1], priors[p : p + 1])[0]
    again = decode_boxes(code[None], priors[p : p + 1])[0]
    print(f"a {CLASSES[labels[0]]}   {_as_text(boxes[0])}")
    print(f"its prior  {_as_text(priors[p])}, IoU {best[0]:.3f}")
    print(f"its code   {_as_text(code, 2)}")
    print(f"decoded    {_as_text(again)}\n", flush=True)
    return {"things": len(boxes), "within_reach": float(np.mean(best >= THRESHOLD)), "positives": float(positives)}


def _training(training, targets, model):
    """Train the model, and print which negatives count. Returns plain data."""
    heading("Training, with hard negatives")
    positives = (targets[..., 4] > 0).sum(axis=1)  # (N,)
    used = float(np.minimum(3 * np.maximum(positives, 1), targets.shape[1] - positives).mean())
    others = targets.shape[1] - float(positives.mean())
    say(
        f"Of the {others:.1f} priors of an image that lie on nothing, the loss takes the {used:.1f} that are "
        "taken for something the most: three for each that has something to find."
    )
    steps = -(-len(targets) // BATCH) * EXTENT.epochs
    model.compile(Adam(CosineDecay(EXTENT.rate, steps)), loss=MultiBoxLoss(negatives=3))
    losses = model.fit(training.maps[8], targets, BATCH, EXTENT.epochs, verbose=0).history["loss"]
    print(f"loss {losses[0]:.2f} in the first epoch, {losses[-1]:.2f} in epoch {len(losses)}\n", flush=True)
    return {"negatives_used": used, "losses": losses}


def _quality(shapes, every, kept):
    """Print how many boxes are suppressed, and the average precision. Returns plain data."""
    labels = [{"boxes": boxes, "classes": each} for boxes, each in zip(shapes.boxes, shapes.labels)]
    before, after = (sum(len(image["boxes"]) for image in found) for found in (every, kept))
    things = sum(map(len, shapes.boxes))
    heading("Suppression and average precision")
    say(
        f"On {len(labels)} test images with {things} things, {before} boxes have a score above {FLOOR}. "
        f"Suppression keeps {after}."
    )
    numbers = range(len(CLASSES))
    with_it, without = (voc_average_precision(found, labels, numbers, THRESHOLD) for found in (kept, every))
    rows = [["", "things", "AP", "recall", "AP, nothing suppressed"]]
    for k, name in enumerate(CLASSES):
        count = sum(int((each == k).sum()) for each in shapes.labels)
        figures = with_it.precisions[0, k], with_it.recalls[0, k], without.precisions[0, k]
        rows.append([name, count, *(f"{each:.3f}" for each in figures)])
    rows.append(["mean", things, *(f"{each:.3f}" for each in (with_it.mean, with_it.mean_recall, without.mean))])
    print(f"{table(rows)}\n")
    say(f"A detection is right if its IoU with a thing of its class is at least {THRESHOLD}.")
    return {
        "before_suppression": before,
        "after_suppression": after,
        "test_things": things,
        "average_precision": dict(zip(CLASSES, with_it.precisions[0].tolist())),
        "recall": dict(zip(CLASSES, with_it.recalls[0].tolist())),
        "mean_average_precision": with_it.mean,
        "average_precision_unsuppressed": dict(zip(CLASSES, without.precisions[0].tolist())),
        "mean_average_precision_unsuppressed": without.mean,
    }


def _as_text(numbers, digits=1):
    """Return four numbers as text: "(10.0, 2.5, 30.0, 18.1)"."""
    return f"({', '.join(f'{each:.{digits}f}' for each in numbers)})"


# ---- the figure ----


def panels(shapes, k, priors, every, kept):
    """Return four images of test image k in two rows: priors of a place, matched priors; boxes before and after."""
    image = enlarged(pale(shapes.images[k]), TIMES)
    matches = match_boxes(shapes.boxes[k], priors, THRESHOLD)
    is_matched = matches >= 0
    certain = np.flatnonzero(kept["scores"] >= CERTAIN)[::-1]  # the best one is drawn last

    def drawn(boxes, labels, texts=None):
        return draw_boxes(image, TIMES * boxes, texts, class_colours(labels))

    texts = [f"{CLASSES[c]} {s:.2f}" for c, s in zip(kept["classes"][certain], kept["scores"][certain])]
    return [
        [
            drawn(priors[of_cell()], np.full(BOXES_OF_A_PLACE, 3)),
            drawn(priors[is_matched], shapes.labels[k][matches[is_matched]]),
        ],
        [
            drawn(every["boxes"][::-1], every["classes"][::-1]),
            drawn(kept["boxes"][certain], kept["classes"][certain], texts),
        ],
    ]

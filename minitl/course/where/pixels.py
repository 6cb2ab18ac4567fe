"""Segmentation: a small FCN says of every pixel whether it is background, disc, square or triangle.

`minitl explain pixels` trains the network in the three stages of the paper (Long, Shelhamer & Darrell 2015), and prints
what each of them adds:

    block3_pool, pooled (4x4)   -> scores -> x16 -> softmax                         stage 1: a classifier at every place
    block3_pool (8x8)           -> scores + the scores of stage 1, x2 -> x8 -> ...  stage 2
    block2_pool (16x16)         -> scores + the scores of stage 2, x2 -> x4 -> ...  stage 3

The scores of a new stage begin with zeros. So each stage begins with the scores of the one before it, which are only
enlarged in two steps instead of one.

Read next: `applications.fcn`, the same network on all five blocks of VGG16, and `metrics.iou`.
"""

from typing import NamedTuple

import numpy as np

from ...layers import Add, BatchNormalization, Conv2D, Input, MaxPooling2D, ReLU, Softmax, UpSampling2D
from ...losses import SparseCategoricalCrossentropy
from ...metrics.iou import iou_from_confusion, pixel_accuracy, pixel_confusion
from ...models import Model
from ...optimizers import Adam
from ...optimizers.schedules import CosineDecay
from ...randomness import set_random_seed
from ...terminal import table
from ..printing import heading, say
from .figures import check, class_map, write_rows
from .maps import examples

CLASSES = ("background", "disc", "square", "triangle")
STRIDES = (16, 8, 4)  # of the stages
IGNORED = 255  # the label of a pixel that does not count
BATCH = 8
SHOWN = 5  # images in the figure


class Extent(NamedTuple):
    """The extent of the program: images, and for each stage the filters of its 3x3 convolutions, epochs and rate."""

    training: int
    test: int
    filters: tuple
    epochs: tuple
    rates: tuple


EXTENT = Extent(
    training=1000,
    test=200,
    filters=((64, 64, 64), (64,), (32,)),
    epochs=(10, 4, 2),
    rates=(0.005, 0.002, 0.002),
)


def explain_pixels(plots=None, seed=0):
    """Train the network, and print what each part of it does. Returns the numbers as plain data.

    plots   None, or a folder: `pixels.png` is drawn there (needs Pillow)
    seed    of the network's first weights and of the order of the images
    """
    check(plots)
    heading("The task")
    say(
        f"{EXTENT.training} images of 64x64 pixels to learn from, {EXTENT.test} to test on: discs, squares and "
        "triangles on textures. A label for every pixel: 0 background, 1 disc, 2 square, 3 triangle."
    )
    set_random_seed(seed)
    training, test = examples(EXTENT.training, EXTENT.test, [8, 4])
    labels = test.shapes.masks
    heading("Three stages")
    say("VGG16 is frozen up to block3_pool, and has run once over all images. The scores of its maps are learned.")
    confusions = {"background only": pixel_confusion(labels, np.zeros_like(labels), len(CLASSES))}
    predictions = {}
    for number, (stride, model) in enumerate(zip(STRIDES, stages(training.maps))):
        _train(model, training, EXTENT.epochs[number], EXTENT.rates[number])
        probabilities = model.predict(inputs_of(model, test), verbose=0)  # (N, H, W, classes)
        if number == 0:
            blocks = _enlarged_by_nearest(model, test)
            confusions["stride 16, in blocks"] = pixel_confusion(labels, blocks, len(CLASSES))
        name = f"{'with ' * (number > 0)}stride {stride}"
        confusions[name] = pixel_confusion(labels, probabilities, len(CLASSES))
        predictions[name] = probabilities.argmax(axis=-1)
        print(f"stage {number + 1}: {name}, mean IoU {_mean_iou(confusions[name]):.3f}", flush=True)
    print()
    _print_scores(confusions)
    without_edges = _ignoring_edges(labels, probabilities)
    if plots is not None:
        colours = [[class_map(each) for each in masks[:SHOWN]] for masks in (labels, *predictions.values())]
        write_rows([list(test.shapes.images[:SHOWN]), *colours], plots, "pixels.png")
    return {
        "classes": CLASSES,
        "training_images": len(training.shapes.images),
        "test_images": len(labels),
        "seed": seed,
        "confusion": {name: counts.tolist() for name, counts in confusions.items()},
        "pixel_accuracy": {name: pixel_accuracy(counts) for name, counts in confusions.items()},
        "iou": {name: iou_from_confusion(counts).tolist() for name, counts in confusions.items()},
        "mean_iou": {name: _mean_iou(counts) for name, counts in confusions.items()},
        **without_edges,
    }


# ---- the network ----


def stages(maps):
    """Yield the model of each stage, from VGG16's maps of stride 8, then also 4, to probabilities (N, H, W, 4).

    The models share their layers. So what one stage has learned is there in the next one.
    """
    inputs, scores = {8: Input(maps[8].shape[1:], name="map8"), 4: Input(maps[4].shape[1:], name="map4")}, None
    for stride, filters in zip(STRIDES, EXTENT.filters):
        x = MaxPooling2D(2)(inputs[8]) if stride == 16 else inputs[stride]
        x = BatchNormalization(momentum=0.9)(x)  # VGG16's numbers go into the thousands
        for count in filters:
            x = Conv2D(count, 3, padding="same", use_bias=False)(x)
            x = ReLU()(BatchNormalization(momentum=0.9)(x))
        x = Conv2D(len(CLASSES), 1, kernel_initializer="zeros", name=f"scores{stride}")(x)  # (N, 64/s, 64/s, 4)
        if scores is not None:
            x = Add()([UpSampling2D(2, interpolation="bilinear")(scores), x])
        scores = x
        pixels = Softmax()(UpSampling2D(stride, interpolation="bilinear")(scores))  # (N, 64, 64, 4)
        yield Model([inputs[8], inputs[4]] if stride == 4 else inputs[8], pixels, name=f"stride{stride}")


def inputs_of(model, examples):
    """Return the maps of examples that a model takes."""
    return [examples.maps[8], examples.maps[4]] if len(model.inputs) == 2 else examples.maps[8]


def _train(model, training, epochs, rate):
    """Train a stage. Pixels whose label is IGNORED would not count; there are none in these masks."""
    steps = -(-len(training.shapes.masks) // BATCH) * epochs
    loss = SparseCategoricalCrossentropy(ignore_class=IGNORED)
    model.compile(Adam(CosineDecay(rate, steps)), loss=loss)
    model.fit(inputs_of(model, training), training.shapes.masks, BATCH, epochs, verbose=0)


def _enlarged_by_nearest(model, examples):
    """Return the classes of the pixels (N, H, W) if each place gives its class to all of its 16x16 pixels."""
    scores = Model(model.input, model.output_of("scores16")).predict(examples.maps[8], verbose=0)  # (N, 4, 4, 4)
    return UpSampling2D(16, interpolation="nearest").forward(scores).argmax(axis=-1)


# ---- the numbers ----


def _print_scores(confusions):
    """Print the table of all networks: accuracy, mean IoU, and the IoU of each class."""
    rows = [["", "accuracy", "mean IoU", *CLASSES]]
    for name, counts in confusions.items():
        of_classes = [f"{each:.3f}" for each in iou_from_confusion(counts)]
        rows.append([name, f"{pixel_accuracy(counts):.3f}", f"{_mean_iou(counts):.3f}", *of_classes])
    heading("On the test images")
    print(f"{table(rows)}\n")
    say("Accuracy is the share of pixels that are right. The last four columns are the IoU of each class.")


def _ignoring_edges(labels, probabilities):
    """Print the mean IoU of the last stage without the pixels at edges. Returns the numbers as plain data."""
    edges = at_edges(labels)
    marked = np.where(edges, IGNORED, labels)
    counts = pixel_confusion(marked, probabilities, len(CLASSES), ignore=IGNORED)
    heading("Pixels that do not count")
    say(
        f"{edges.mean():.1%} of the pixels have a neighbour of another class. With the label {IGNORED}, which is "
        f"ignored, these pixels do not count, and the mean IoU of the last stage is {_mean_iou(counts):.3f}."
    )
    return {"edge_pixels": float(edges.mean()), "mean_iou_without_edges": _mean_iou(counts)}


def at_edges(masks):
    """Return which pixels have a neighbour of another class above, below, to the left or right: (N, H, W) booleans."""
    edges = np.zeros(masks.shape, bool)
    differ = masks[:, 1:] != masks[:, :-1]  # (N, H - 1, W)
    edges[:, 1:] |= differ
    edges[:, :-1] |= differ
    differ = masks[:, :, 1:] != masks[:, :, :-1]
    edges[:, :, 1:] |= differ
    edges[:, :, :-1] |= differ
    return edges


def _mean_iou(counts):
    """Return the mean IoU of the classes that occur."""
    return float(np.nanmean(iou_from_confusion(counts)))

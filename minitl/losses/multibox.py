"""The loss of a detector with prior boxes: SSD (Liu et al. 2016, "SSD: Single Shot MultiBox Detector", equations 1-3).

A detector of this kind has P boxes at fixed places in the image, its *priors*. For each it predicts how to move the
prior onto an object (four numbers, the *codes*), and a score for background and for each class of objects. Before the
training, each prior is matched with an object, or with none. The labels say what came out of that.

    y_true (N, P, 4 + 1)             four codes of the box that the prior is matched with, then a class number:
                                     1 to classes: the prior is *positive*, matched with an object of this class
                                     0: background, the prior is *negative*
                                     -1: ignored, neither of the two, such as a crowd or an object that is hard to see
    y_pred (N, P, 4 + 1 + classes)   four codes, then the scores (logits) of background and of each class

    L = (sum over positives of smooth L1 of the codes
         + sum over positives and chosen negatives of softmax cross-entropy) / M

M is the number of positives of the whole batch, at least 1. Smooth L1 (`regression.huber`) is added up over the codes.

Nearly all priors are negatives: in a photograph with one dog, 8,700 of 8,732. All together they would outweigh the
rest, so only the hardest are chosen, three for each positive of the same image. The *hardest* are those with the
highest cross-entropy. `hard_negatives` chooses them:

    cross-entropy   2  5  1  4          prior 0 is positive: with a ratio of 2, priors 1 and 3 are chosen

An image without objects has no positive, and by this rule no negative either: then it teaches nothing, and in a batch
of such images L is 0. That is how the paper's program, ssd.pytorch and torchvision do it. Others keep some negatives of
each image (TensorFlow's object detection has min_negatives_per_image, in several of its published settings 3). So does
this loss: an image without positives counts as one with a single positive. Three of its negatives are chosen.

Which negatives are chosen is a constant for the gradient. They are chosen anew in each batch.
"""

import math

import numpy as np

from ..arguments import NAME, NotHere, keras_arguments, number
from ..errors import DataError
from ..kernels import as_float, log_softmax
from .base import ONLY_MEAN, Loss, check_count, same_sizes, weights
from .regression import huber, huber_slope

LOGITS = NotHere(True, instead="The scores of the classes are logits: leave the softmax out.")
CODES = 4  # numbers that describe a box


class MultiBoxLoss(Loss):
    """The loss of SSD: smooth L1 for boxes and softmax cross-entropy for classes. The head of this file says what
    labels and predictions are.

    negatives   how many negatives are chosen for each positive of an image. An image without positives counts as one
                with a single positive

    A sample weight, (N,) for images or (N, P) for priors, multiplies all terms of a prior. M stays the number of
    positives. The hardest negatives are those with the highest weighted cross-entropy, so priors of weight 0 come last.
    """

    names = ("multibox",)
    final_activation = "softmax"
    from_logits = True
    takes_class_weight = False

    @keras_arguments(after="negatives", from_logits=LOGITS, reduction=ONLY_MEAN, name=NAME)
    def __init__(self, negatives=3):
        super().__init__()
        self.negatives = number(negatives, "negatives", 0, 1e9)

    def check_labels(self, y_true, output_shape):
        """Raise DataError unless labels are (N, P, 5), outputs (N, P, 5 + classes), and class numbers fit them."""
        check_count(y_true, output_shape)
        shape, outputs = np.shape(y_true), tuple(output_shape)
        are_outputs = len(outputs) == 3 and (outputs[-1] is None or outputs[-1] > CODES + 1)
        if not are_outputs or not same_sizes(shape[1:], (outputs[1], CODES + 1)):
            of_outputs = ", ".join(map(str, outputs[1:]))
            raise DataError(
                f"labels have shape {shape}, outputs (N, {of_outputs}). MultiBoxLoss expected labels (N, priors, 5): "
                "four codes and a class number; and outputs (N, priors, 5 + classes): four codes and the scores of "
                "background and classes."
            )
        y_true = np.asarray(y_true)
        if y_true.dtype.kind not in "biuf":
            raise DataError(f"labels are of type {y_true.dtype}; expected numbers.")
        classes = y_true[..., CODES]
        if np.any(classes != np.floor(classes)):
            raise DataError("class numbers, the last entries of the labels of boxes, must be whole numbers.")
        most = math.inf if outputs[-1] is None else outputs[-1] - CODES - 1
        if classes.size and not (-1 <= classes.min() and classes.max() <= most):
            raise DataError(
                f"class numbers run from {classes.min():g} to {classes.max():g}; the model has scores for {most} "
                f"beside the background, so they must lie between 1 and {most}, or be 0 (background) or -1 (ignored). "
                "Number the classes from 1, and give the last layer 5 + classes numbers for each prior."
            )

    def counted(self, y_true, y_pred, sample_weight=None):
        """Return which priors are not ignored and have a weight above 0, as booleans (N, P)."""
        is_known = np.asarray(y_true)[..., CODES] >= 0
        counted = super().counted(y_true, y_pred, sample_weight)
        return is_known if counted is None else is_known & counted

    def forward(self, y_true, y_pred, sample_weight=None):
        """Return the loss of a batch. It keeps the arrays that `backward` needs. `count` is M."""
        y_pred = as_float(y_pred)
        self.check_labels(y_true, y_pred.shape)
        y_true = np.asarray(y_true, y_pred.dtype)
        classes = y_true[..., CODES:].astype(np.int64)  # (N, P, 1)
        is_positive = classes > 0
        weight = weights(sample_weight, y_pred)  # (N, P, 1), or 1 for N or P
        self.count = max(int(np.count_nonzero(is_positive)), 1)

        self.difference = np.where(is_positive, y_pred[..., :CODES] - y_true[..., :CODES], 0)  # (N, P, 4)
        self.log_p = log_softmax(y_pred[..., CODES:])  # (N, P, 1 + classes)
        self.labels = np.maximum(classes, 0)  # an ignored prior needs some class, but has the weight 0
        crossentropy = -weight * np.take_along_axis(self.log_p, self.labels, axis=-1)  # (N, P, 1)
        chosen = hard_negatives(crossentropy[..., 0], is_positive[..., 0], self.negatives, classes[..., 0] < 0)

        is_used = is_positive | chosen[..., None]
        self.box_weight, self.class_weight = weight * is_positive, weight * is_used  # (N, P, 1)
        boxes = (self.box_weight * huber(self.difference)).sum()
        return float((boxes + np.where(is_used, crossentropy, 0).sum()) / self.count)

    def backward(self):
        """Return dL/dy_pred (N, P, 4 + 1 + classes).

        Codes: the slope of smooth L1 is the difference cut off at -1 and 1, so dL/dcode = w clip(d, -1, 1) / M for
        positives, 0 for all other priors.

        Scores: dL/dz = w (p - t) / M for positives and chosen negatives, as in `crossentropy`, with t = 1 for the
        label's class and 0 for the others; 0 for all other priors.
        """
        codes = self.box_weight * huber_slope(self.difference)
        scores = self.class_weight * np.exp(self.log_p)  # w p
        labelled = np.take_along_axis(scores, self.labels, axis=-1)
        np.put_along_axis(scores, self.labels, labelled - self.class_weight, axis=-1)  # w p - w t
        return np.concatenate([codes, scores], axis=-1) / self.count


def hard_negatives(losses, is_positive, ratio, is_ignored=None):
    """Return which negatives are chosen, as booleans (N, P): those with the highest losses of each image.

    losses        the cross-entropy of each prior (N, P). NaN counts as the highest, so that it is not overlooked
    is_positive   booleans (N, P)
    ratio         how many are chosen for each positive, rounded down: all negatives where there are fewer. An image
                  without positives counts as one with a single positive
    is_ignored    None, or booleans (N, P): priors that are neither positive nor negative

    Of equal losses, those of earlier priors are chosen.
    """
    losses, is_positive = np.asarray(losses), np.asarray(is_positive, bool)
    is_negative = ~is_positive if is_ignored is None else ~(is_positive | np.asarray(is_ignored, bool))
    wanted = np.floor(ratio * np.maximum(is_positive.sum(axis=1, keepdims=True), 1))  # (N, 1)
    hardness = np.where(is_negative, np.where(np.isnan(losses), np.inf, losses), -np.inf)
    order = np.argsort(-hardness, axis=1, kind="stable")  # (N, P): the hardest first, and behind them no negatives
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(losses.shape[1])[None], axis=1)  # rank 0: the hardest of its image
    return is_negative & (rank < wanted)


def hard_negatives_naive(losses, is_positive, ratio, is_ignored=None):
    """Return the same as `hard_negatives`, written as loops."""
    chosen = np.zeros(np.shape(losses), bool)
    for n, of_image in enumerate(losses):
        negatives = []
        for prior in range(len(of_image)):
            if not is_positive[n][prior] and not (is_ignored is not None and is_ignored[n][prior]):
                negatives.append(prior)
        negatives.sort(key=lambda prior: -math.inf if math.isnan(of_image[prior]) else -of_image[prior])  # stable
        wanted = math.floor(ratio * max(sum(is_positive[n]), 1))
        for prior in negatives[:wanted]:
            chosen[n, prior] = True
    return chosen

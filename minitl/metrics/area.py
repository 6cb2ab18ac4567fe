"""The area under a curve that is drawn through the counts of many thresholds (`confusion`).

    ROC      recall, over the share of false positives FP / (FP + TN)
    PR       precision, over recall
    PRGAIN   the gain of precision, over the gain of recall (Flach & Kull 2015): how much better than a yes to all

A gain is 1 for a perfect share and 0 for that of a yes to all: with r = (TP + FN) / (TN + FP), the ratio of labels,

    gain of recall = 1 - r FN / TP       gain of precision = 1 - r FP / TP
"""

import numpy as np

from ..arguments import call_text, is_number, truth_value, whole_number, whole_number_or_none
from ..errors import ArgumentError, DataError
from ..kernels.activations import sigmoid
from .base import spread
from .confusion import _Counts, quotient

EPSILON = 1e-7  # by which the outermost thresholds lie beyond 0 and 1
CURVES, METHODS = ("ROC", "PR", "PRGAIN"), ("interpolation", "majoring", "minoring")


class AUC(_Counts):
    """The area under the curve of recall over the share of false positives (ROC), or another one.

    For ROC it is the probability that an example labelled yes has a larger output than one labelled no: 0.5 is chance.
    The curve is drawn through `num_thresholds` points, at equal distances from 0 to 1.

    curve              "ROC", "PR" or "PRGAIN"
    summation_method   how points are connected: "interpolation"; or by steps at the larger height of two neighbours,
                       "majoring", or at the smaller one, "minoring"
    thresholds         the points between 0 and 1, in the place of num_thresholds
    multi_label        True: outputs (N, labels) are several questions, and the result is the mean of their areas.
                       False: all answers go into one curve
    num_labels         with multi_label: the number of labels, if it should be checked
    label_weights      how much each label counts: in the mean of the areas, or, without multi_label, in the counts
    """

    name = "auc"

    def __init__(
        self,
        num_thresholds=200,
        curve="ROC",
        summation_method="interpolation",
        name=None,
        dtype=None,
        thresholds=None,
        multi_label=False,
        num_labels=None,
        label_weights=None,
        from_logits=False,
    ):
        for value, argument, known in (curve, "curve", CURVES), (summation_method, "summation_method", METHODS):
            if value not in known:
                raise ArgumentError(f"{argument} is {value!r}; expected one of {', '.join(map(repr, known))}.")
        if thresholds is not None and not (isinstance(thresholds, (list, tuple)) and all(map(is_number, thresholds))):
            raise ArgumentError(f"thresholds is {thresholds!r}; expected a list of numbers from 0 to 1.")
        self.num_thresholds = (
            whole_number(num_thresholds, "num_thresholds", 2) if thresholds is None else len(thresholds) + 2
        )
        self.curve, self.summation_method, self.from_logits = curve, summation_method, from_logits
        self.multi_label = truth_value(multi_label, "multi_label")
        self.num_labels = whole_number_or_none(num_labels, "num_labels")
        if num_labels is not None and not multi_label:
            raise ArgumentError("num_labels is needed only with multi_label=True.")
        self.label_weights = label_weights
        self.given_thresholds = thresholds
        steps = self.num_thresholds - 1
        between = [k / steps for k in range(1, steps)] if thresholds is None else sorted(thresholds)
        super().__init__([], name, dtype)
        self.limits = np.array([-EPSILON, *between, 1 + EPSILON], self.dtype)
        self.thresholds = self.limits.tolist()
        self.reset()

    def __repr__(self):
        return call_text(self, thresholds=self.given_thresholds)

    def get_config(self):
        """Return the constructor's arguments for an equal metric."""
        config = super().get_config()
        if self.given_thresholds is None:
            del config["thresholds"]
        else:
            config["thresholds"] = self.thresholds[1:-1]
        return config

    def reset(self):
        """Forget all batches."""
        if not self.multi_label:
            super().reset()
            return
        shape = getattr(self, "counts", np.zeros((4, 0, self.num_labels or 0))).shape
        self.counts = np.zeros((4, len(self.limits), shape[-1]))  # of each label

    def update(self, y_true, y_pred, sample_weight=None):
        """Add a batch of labels 0 and 1 and outputs from 0 to 1, or logits with from_logits=True."""
        y_pred = np.asarray(y_pred)
        if self.from_logits:
            y_pred = sigmoid(y_pred.astype(np.float64))
        self._check_labels(y_pred.shape)
        if self.label_weights is not None and not self.multi_label:
            weight = spread(1.0 if sample_weight is None else sample_weight, y_pred.shape, self.name)
            sample_weight = weight * np.asarray(self.label_weights)
        if self.multi_label and self.counts.shape[-1] != y_pred.shape[1]:
            self.counts = np.zeros((4, len(self.limits), y_pred.shape[1]))
        super().update(y_true, y_pred, sample_weight)

    def _check_labels(self, shape):
        """Raise DataError unless outputs of this shape have the labels that were said."""
        known = self.num_labels if self.label_weights is None else len(self.label_weights)
        if (self.multi_label and len(shape) != 2) or (known is not None and shape[-1] != known):
            raise DataError(
                f"metric '{self.name}' got outputs {shape}; expected (N, {'labels' if known is None else known})."
            )

    def count_answers(self, is_true, scores, weight):
        """Add the four counts: of flat arrays, or of each label."""
        if not self.multi_label:
            super().count_answers(is_true, scores, weight)
            return
        labels = self.counts.shape[-1]
        of_all, found = self.counts, np.zeros_like(self.counts)
        for label in range(labels):
            self.counts = np.zeros((4, len(self.limits)))
            super().count_answers(*(each[label::labels] for each in (is_true, scores, weight)))
            found[..., label] = self.counts
        self.counts = of_all + found

    def result(self):
        """Return the area; with multi_label the mean of the labels' areas."""
        areas = self.pr_areas() if (self.curve, self.summation_method) == ("PR", METHODS[0]) else self.areas()
        if not self.multi_label or not areas.size:
            return float(areas.sum())
        return float(np.average(areas, weights=self.label_weights))

    def areas(self):
        """Return the sum of the areas between neighbouring points, of each label: width times height."""
        tp, fp, tn, fn = self.counts
        recall = quotient(tp, tp + fn)
        if self.curve == "ROC":
            x, y = quotient(fp, fp + tn), recall
        elif self.curve == "PR":
            x, y = recall, quotient(tp, tp + fp)
        else:  # without a true positive the gains are -inf: as in Keras, recall's counts as 0, precision's as 1
            ratio = quotient(tp + fn, tn + fp)
            x = np.where(tp == 0, 0, np.maximum(1 - ratio * quotient(fn, tp), 0))
            y = np.where(tp == 0, 1, 1 - ratio * quotient(fp, tp))
        height = {"interpolation": lambda a, b: (a + b) / 2, "majoring": np.maximum, "minoring": np.minimum}
        return ((x[:-1] - x[1:]) * height[self.summation_method](y[:-1], y[1:])).sum(axis=0)

    def pr_areas(self):
        """Return the areas under PR, interpolated, of each label.

        Between two points, TP and P = TP + FP are taken to grow evenly, TP = TP_0 + s (P - P_0). The integral of
        precision TP / P over recall is then, with c = TP_0 - s P_0,  s (TP_1 - TP_0 + c log(P_1 / P_0)) / (TP + FN).
        Davis & Goadrich 2006.
        """
        tp, fp, _, fn = self.counts
        positives = tp + fp
        grown = tp[:-1] - tp[1:]
        slope = quotient(grown, np.maximum(positives[:-1] - positives[1:], 0))
        start = tp[1:] - slope * positives[1:]
        both = (positives[:-1] > 0) & (positives[1:] > 0)
        ratio = np.where(both, quotient(positives[:-1], positives[1:]), 1)
        terms = slope * (grown + start * np.log(np.where(ratio > 0, ratio, 1)))
        return quotient(terms, (tp + fn)[1:]).sum(axis=0)

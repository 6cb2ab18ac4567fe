"""The best of one share where another is large enough: recall at a precision, sensitivity at a specificity.

Each threshold gives a pair of shares (`confusion`). Among the thresholds for which the one is at least what is asked,
the largest of the other is the result; 0 if there are none.

    sensitivity = recall = TP / (TP + FN)     specificity = TN / (TN + FP)     precision = TP / (TP + FP)
"""

import numpy as np

from ..arguments import number, whole_number
from .confusion import _Counts, quotient


class _AtLeast(_Counts):
    """The base of the metrics below.

    num_thresholds   thresholds at equal distances from 0 to 1
    class_id         None, or the only class that counts
    """

    asked = ""  # the argument with the least value

    def __init__(self, least, num_thresholds=200, class_id=None, name=None, dtype=None):
        setattr(self, self.asked, number(least, self.asked, 0, 1))
        self.num_thresholds = whole_number(num_thresholds, "num_thresholds")
        self.class_id = None if class_id is None else whole_number(class_id, "class_id", 0)
        limits = [0.5] if num_thresholds == 1 else np.linspace(0, 1, self.num_thresholds).tolist()
        super().__init__(limits, name, dtype)

    def shares(self):
        """Return (the share that is asked for, the share that is wanted) of each threshold."""
        raise NotImplementedError

    def result(self):
        """Return the largest wanted share."""
        given, wanted = self.shares()
        return float(np.max(np.where(given >= getattr(self, self.asked), wanted, 0), initial=0))


class SensitivityAtSpecificity(_AtLeast):
    """The largest sensitivity where the specificity is at least `specificity`."""

    name, asked = "sensitivity_at_specificity", "specificity"

    def __init__(self, specificity, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def shares(self):
        """Return (specificity, sensitivity)."""
        tp, fp, tn, fn = self.counts
        return quotient(tn, tn + fp), quotient(tp, tp + fn)


class SpecificityAtSensitivity(_AtLeast):
    """The largest specificity where the sensitivity is at least `sensitivity`."""

    name, asked = "specificity_at_sensitivity", "sensitivity"

    def __init__(self, sensitivity, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def shares(self):
        """Return (sensitivity, specificity)."""
        tp, fp, tn, fn = self.counts
        return quotient(tp, tp + fn), quotient(tn, tn + fp)


class PrecisionAtRecall(_AtLeast):
    """The largest precision where the recall is at least `recall`."""

    name, asked = "precision_at_recall", "recall"

    def __init__(self, recall, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def shares(self):
        """Return (recall, precision)."""
        tp, fp, _, fn = self.counts
        return quotient(tp, tp + fn), quotient(tp, tp + fp)


class RecallAtPrecision(_AtLeast):
    """The largest recall where the precision is at least `precision`."""

    name, asked = "recall_at_precision", "precision"

    def __init__(self, precision, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def shares(self):
        """Return (precision, recall)."""
        tp, fp, _, fn = self.counts
        return quotient(tp, tp + fp), quotient(tp, tp + fn)

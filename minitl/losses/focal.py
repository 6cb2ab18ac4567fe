"""Focal losses: cross-entropy in which predictions that are nearly right count less.

A detector looks at thousands of places, and nearly all of them are background. Each costs little, but together they
outweigh the few objects. The focal loss (Lin et al. 2017, "Focal Loss for Dense Object Detection", equations 4 and 5)
multiplies the cross-entropy by a power of what is missing to certainty:

    FL = -(1 - p_t)^gamma log p_t       p_t: the probability that the model gives to the label

With gamma = 2, a place with p_t = 0.9 costs 0.01 * 0.105 and one with p_t = 0.1 costs 0.81 * 2.303: the ratio of their
losses is 1,770, in cross-entropy 22. With gamma = 0 it is cross-entropy itself.

Both losses here are cross-entropies (`crossentropy`) with this factor. Labels, probabilities of 0 and 1, and
from_logits are treated as there. Keras clips probabilities to at least 1e-7, also with from_logits=True, so its loss
stops growing at 16.1 and there its slope is 0. Ours, from logits, is exact: at z = -10,000 and the label 1 the loss is
10,000 and its slope -1.
"""

import numpy as np

from ..arguments import DTYPE, keras_arguments, number, truth_value
from ..errors import ArgumentError, DataError
from ..kernels import ACTIVATIONS, as_float
from .base import LAST_AXIS, NAME, REDUCTION, mean_of_rows, of_rows
from .crossentropy import BinaryCrossentropy, CategoricalCrossentropy


class BinaryFocalCrossentropy(BinaryCrossentropy):
    """The focal loss for yes-or-no labels, the mean over all entries.

    apply_class_balancing   whether entries with the label 1 count alpha times, those with the label 0 1 - alpha times
    gamma                   the power of 1 - p_t
    label_smoothing s       t' = (1 - s) t + s / 2
    """

    names = ("binary_focal_crossentropy",)

    @keras_arguments(after="label_smoothing", axis=LAST_AXIS, reduction=REDUCTION, name=NAME, dtype=DTYPE)
    def __init__(
        self, apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, **kwargs
    ):
        super().__init__(from_logits, label_smoothing, **kwargs)
        self.apply_class_balancing = truth_value(apply_class_balancing, "apply_class_balancing")
        self.alpha, self.gamma = number(alpha, "alpha", 0, 1), number(gamma, "gamma", 0, 1e6)

    def forward(self, y_true, y_pred, sample_weight=None):
        """Return mean(w m^gamma c), with the cross-entropy c and m = 1 - p_t, the probability that is missing.

        A label t between 0 and 1 has p_t = t p + (1 - t) (1 - p), as in Keras, so m = t (1 - p) + (1 - t) p. These are
        sums of positive numbers. With 1 - p computed as sigmoid(-z), none of them is the small difference of large
        numbers, and none is 0.
        """
        self.crossentropy = self.entries(y_true, y_pred, sample_weight)
        self.opposite = ACTIVATIONS["sigmoid"][0](-as_float(y_pred)) if self.from_logits else 1 - self.p
        self.missing = self.t * self.opposite + (1 - self.t) * self.p
        self.factor = self.weight * self.missing**self.gamma
        if self.apply_class_balancing:
            self.factor = self.factor * (self.t * self.alpha + (1 - self.t) * (1 - self.alpha))
        return self.reduced(mean_of_rows(self.factor * self.crossentropy), of_rows(self.weight))

    def backward(self):
        """Return dL/dy_pred, where M is the number of entries.

        Logits: with dp/dz = p (1 - p), the two factors have the derivatives

            dc/dz = p - t                              as in cross-entropy
            dm/dz = (1 - 2t) p (1 - p)                 from m = t (1 - p) + (1 - t) p

            d(m^gamma c)/dz = m^gamma (p - t) + gamma m^(gamma - 1) (1 - 2t) p (1 - p) c
                            = m^gamma [p - t + gamma (1 - 2t) c p (1 - p) / m]

        p (1 - p) / m lies between 0 and 1 for the labels 0 and 1: there it is 1 - p and p. p - t is computed as
        p (1 - t) - (1 - p) t, which keeps its digits where p is close to t.

        Probabilities: dL/dp = dL/dz / (p (1 - p)), and 0 where p counts as 1e-7 or 1 - 1e-7.
        """
        t, p, opposite = self.t, self.p, self.opposite
        focus = self.gamma * (1 - 2 * t) * self.crossentropy * (p * opposite / self.missing)
        slope = self.factor * (p * (1 - t) - opposite * t + focus) / self.entries_count()
        return slope if self.from_logits else np.where(self.is_certain, 0, slope / (p * opposite))


class CategoricalFocalCrossentropy(CategoricalCrossentropy):
    """The focal loss for one-hot labels (N, ..., classes): -(1/M) sum_m sum_k alpha_k (1 - p_k)^gamma t_k log p_k.

    alpha               one number, or one for each class
    gamma               the power of 1 - p
    label_smoothing s   t' = (1 - s) t + s / classes
    """

    names = ("categorical_focal_crossentropy",)

    @keras_arguments(after="label_smoothing", axis=LAST_AXIS, reduction=REDUCTION, name=NAME, dtype=DTYPE)
    def __init__(self, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, **kwargs):
        super().__init__(from_logits, label_smoothing, **kwargs)
        is_list = isinstance(alpha, (list, tuple, np.ndarray)) and np.ndim(alpha) == 1 and len(alpha)
        try:
            self.alpha = [number(a, "alpha", 0, 1e30) for a in alpha] if is_list else number(alpha, "alpha", 0, 1e30)
        except ArgumentError:
            raise ArgumentError(
                f"alpha is {alpha!r}; expected a number of at least 0, or a list with one for each class."
            ) from None
        self.gamma = number(gamma, "gamma", 0, 1e6)

    def check_labels(self, y_true, output_shape):
        """Raise DataError unless labels are rows in the shape of the outputs that add up to 1, nothing below 0, and a
        list of alphas has one for each class."""
        super().check_labels(y_true, output_shape)
        classes = output_shape[-1]
        if isinstance(self.alpha, list) and len(self.alpha) != classes:
            raise DataError(f"alpha has {len(self.alpha)} numbers; expected one for each of the {classes} classes.")

    def forward(self, y_true, y_pred, sample_weight=None):
        """Return -(1/M) sum w alpha (1 - p)^gamma t log p."""
        self.log_p = self.log_probabilities(y_true, y_pred, sample_weight)
        self.missing = -np.expm1(self.log_p)  # 1 - p
        self.factor = self.t * np.asarray(self.alpha, self.t.dtype) * self.missing**self.gamma
        return self.reduced(-(self.factor * self.log_p).sum(axis=-1), of_rows(self.weight))

    def backward(self):
        """Return dL/dy_pred, from probabilities or from logits.

        Let G_k = M p_k dL/dp_k. With m = 1 - p and the label's weight a = w alpha t of a class,

            G = -p d(a m^gamma log p)/dp = -a p (m^gamma / p - gamma m^(gamma - 1) log p)
              = a m^gamma (gamma p log p / m - 1)

        log p / m tends to -1 as p tends to 1, and is taken as that where m is 0.

        Logits: softmax's gradient, dL/dz_j = p_j g_j - p_j sum_k g_k p_k with g = dL/dp, gives

            dL/dz_j = (G_j - p_j sum_k G_k) / M

        Probabilities are y_j / s, divided by the sum s of their row. dp_k/dy_j = (1[j = k] - p_k) / s, so

            dL/dy_j = (G_j / p_j - sum_k G_k) / (s M) = (G_j / y_j - sum_k G_k / s) / M

        with G = 0 for a probability that counts as 1e-7. Without the power (gamma = 0), both are those of
        cross-entropy times alpha: G = -a.
        """
        m, p, count = self.missing, np.exp(self.log_p), self.divisor
        log_p_over_m = np.where(m > 0, self.log_p / np.where(m > 0, m, 1), -1)
        terms = self.factor * (self.gamma * p * log_p_over_m - 1)  # G
        if self.from_logits:
            return (terms - p * terms.sum(axis=-1, keepdims=True)) / count
        terms = np.where(self.is_zero, 0, terms)
        sums = terms.sum(axis=-1, keepdims=True) / self.row_sums
        return (terms / np.where(self.is_zero, 1, self.y_pred) - sums) / count

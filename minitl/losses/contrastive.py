"""NT-Xent, a loss between examples: there are no classes, only rows that belong together."""

import numpy as np

from ..arguments import DTYPE, NAME, keras_arguments, number
from ..errors import DataError
from ..kernels import as_float
from ..kernels.contrastive import nt_xent, nt_xent_gradient
from .base import ONLY_MEAN, Loss, check_count, weights


class NTXent(Loss):
    """The loss of SimCLR, for predictions (M, D): each row should be closest to the one other row of its image.

    The label of a row is the number of its image, a whole number. Each number must occur exactly twice in a batch: two
    views of one image are a pair. Batches of any size work, also a shorter last one, because the labels say who belongs
    to whom. A batch must therefore hold both views: shuffle images, not rows.

    For two images whose pairs are perfect and orthogonal to each other, the loss is 0.2395 at temperature 0.5. If all
    rows are equal, it is log(M - 1): no row tells anything.

    temperature   divides the similarities, which lie in -1 to 1. The smaller it is, the more the closest of the wrong
                  rows count

    The derivation stands in `kernels.contrastive`, and with it the source.
    """

    names = ("nt_xent",)
    takes_class_weight = False
    working_state = (*Loss.working_state, "kept")

    @keras_arguments(after="temperature", reduction=ONLY_MEAN, name=NAME, dtype=DTYPE)
    def __init__(self, temperature=0.5):
        super().__init__()
        self.temperature = number(temperature, "temperature", 1e-6, 1e6)

    def check_labels(self, y_true, output_shape):
        """Raise DataError unless the outputs are rows (M, D), with a whole number each."""
        check_count(y_true, output_shape)
        if len(output_shape) != 2:
            raise DataError(
                f"labels have shape {np.shape(y_true)}, and predictions {tuple(output_shape)}; "
                "NTXent expected (M,) and (M, D), a row for each view."
            )
        y_true = np.asarray(y_true)
        if y_true.size != len(y_true) or y_true.dtype.kind not in "iu":
            raise DataError(
                f"labels have shape {y_true.shape} and type {y_true.dtype}; NTXent expected whole numbers (M,): the "
                "number of the image that each row is a view of."
            )

    def forward(self, y_true, y_pred, sample_weight=None):
        """Return the loss of rows y_pred (M, D), which belong to the images y_true (M,)."""
        y_pred = as_float(y_pred)
        self.check_labels(y_true, y_pred.shape)
        self.count = len(y_pred)
        weight = None if sample_weight is None else weights(sample_weight, y_pred).reshape(-1)
        loss, self.kept = nt_xent(y_pred, partners(np.reshape(y_true, -1)), self.temperature, weight)
        return loss

    def backward(self):
        """Return dL/dy_pred (M, D) of the latest `forward`."""
        return nt_xent_gradient(self.kept)


def partners(numbers):
    """Return for each entry of `numbers` (M,) the place of the other entry with the same number.

    Raises DataError if a number does not occur exactly twice.
    """
    order = np.argsort(numbers, kind="stable")
    found, counts = np.unique(numbers, return_counts=True)
    if (counts != 2).any():
        wrong = int(np.flatnonzero(counts != 2)[0])
        raise DataError(
            f"image {found[wrong]} has {counts[wrong]} rows in this batch; NTXent expected exactly two views of each "
            "image. Keep the views of an image in one batch (shuffle=False, and shuffle the images beforehand)."
        )
    partner = np.empty(len(numbers), np.intp)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    return partner

"""Losses of overlap, for segmentation: how much of what is labelled, and of what is predicted, lies in both.

A small object is a few pixels among thousands, so a mean over pixels is low for a model that predicts nothing at all.
These losses compare areas instead. With labels t and predictions p from 0 to 1, and sums over the entries of a region:

    I = sum t p                    what is in both
    M = sum t - I                  what is missed
    F = sum p - I                  what is found and not labelled
    L = 1 - I / (I + alpha M + beta F + e)

alpha = beta = 1/2 gives 1 - 2 I / (sum t + sum p), Dice's loss; alpha = beta = 1 gives 1 - IoU. A larger alpha finds
more of small objects, and more that is none. e = 1e-7 keeps a region without any entries from 0 / 0.

For t = (1, 1, 0) and p = (1, 0, 0.5), I = 1, M = 1 and F = 1/2: Dice's loss is 1 - 1 / 1.75 = 0.43.

Sources: Milletari, Navab & Ahmadi 2016, "V-Net"; Salehi, Erdogmus & Gholipour 2017, "Tversky loss function for image
segmentation using 3D fully convolutional deep networks".
"""

import numpy as np

from ..arguments import DTYPE, axes, keras_arguments, number
from ..errors import ArgumentError
from ..kernels import as_float
from .base import NAME, REDUCTION, Loss, check_one_for_each_output, weights_of

SMALLEST = 1e-7  # Keras's epsilon


class Tversky(Loss):
    """The loss of overlap whose `alpha` weighs what is missed, and `beta` what is found and not labelled.

    axis   the axes of a region. (1, 2) of maps (N, H, W, C): a loss for each class of each image, (N, C); (1, 2, 3):
           one for each image. None, Keras's default: the batch is one region. Then the loss depends on which examples
           are in a batch, and the mean of the weights multiplies it
    """

    names = ("tversky",)
    accuracy = "binary_accuracy"
    takes_class_weight = False
    working_state = (*Loss.working_state, "all_axes")
    epsilon = SMALLEST

    @keras_arguments(after="axis", dtype=DTYPE)
    @keras_arguments(after="beta", reduction=REDUCTION, name=NAME)
    def __init__(self, alpha=0.5, beta=0.5, axis=None, **kwargs):
        super().__init__(**kwargs)
        self.alpha, self.beta = number(alpha, "alpha", 0, 1e6), number(beta, "beta", 0, 1e6)
        self.axis = None if axis is None else axes(axis, "axis")

    def check_labels(self, y_true, output_shape):
        """Raise DataError unless there is one label for each output."""
        check_one_for_each_output(y_true, output_shape, self)

    def forward(self, y_true, y_pred, sample_weight=None):
        """Return the mean of w L over the regions."""
        self.p = as_float(y_pred)
        self.check_labels(y_true, self.p.shape)
        self.t = np.asarray(y_true, self.p.dtype).reshape(self.p.shape)
        self.all_axes = _sorted_axes(self.axis, self.p.ndim)
        self.both = (self.t * self.p).sum(axis=self.all_axes, keepdims=True)  # I, with axes of size 1
        labelled, found = (each.sum(axis=self.all_axes, keepdims=True) for each in (self.t, self.p))
        missed, wrong = labelled - self.both, found - self.both
        self.area = self.both + self.alpha * missed + self.beta * wrong + self.p.dtype.type(self.epsilon)  # D
        losses = np.squeeze(1 - self.both / self.area, axis=self.all_axes)
        self.weight = weights_of(sample_weight, losses)
        self.count = None if 0 in self.all_axes else losses.size
        if not self.p.size:  # no examples cost nothing
            self.weight = self.weight * 0
        return self.reduced(losses * self.weight, self.weight)

    def backward(self):
        """Return dL/dy_pred.

        With D = I + alpha (sum t - I) + beta (sum p - I) + e, and dI/dp = t,

            dD/dp = t - alpha t + beta (1 - t) = (1 - alpha - beta) t + beta
            d(1 - I / D)/dp = (I dD/dp - t D) / D^2

        times the weight of the region, or the sum of all weights if the batch is one.
        """
        slope = (1 - self.alpha - self.beta) * self.t + self.beta
        slope = (self.both * slope - self.t * self.area) / self.area**2
        weight = self.weight.sum() if len(self.all_axes) == self.p.ndim else self._beside_the_axes(self.weight)
        return (slope * (weight / self.divisor)).astype(self.p.dtype, copy=False)

    def _beside_the_axes(self, weight):
        """Return the weights of regions with axes of size 1 in the places of those that were summed up."""
        return weight if weight.ndim == 0 else np.expand_dims(weight, self.all_axes)

    def counted(self, y_true, y_pred, sample_weight=None):
        """Return None: all predictions count."""


class Dice(Tversky):
    """Dice's loss, 1 - 2 I / (sum t + sum p + e): that of Tversky with alpha = beta = 1/2, whose e is half as large.

    axis   as of `Tversky`
    """

    names = ("dice",)
    epsilon = SMALLEST / 2

    @keras_arguments(after="axis", dtype=DTYPE)
    @keras_arguments(reduction=REDUCTION, name=NAME)
    def __init__(self, axis=None, **kwargs):
        super().__init__(axis=axis, **kwargs)


def tversky_naive(t, p, alpha=0.5, beta=0.5):
    """Return the loss of one region by its definition, one entry after the other."""
    both = missed = wrong = 0.0
    for label, prediction in zip(np.ravel(t), np.ravel(p)):
        both += label * prediction
        missed += label * (1 - prediction)
        wrong += (1 - label) * prediction
    return 1 - both / (both + alpha * missed + beta * wrong + SMALLEST)


def _sorted_axes(axis, ndim):
    """Return axes as numbers from 0 on; all of them for None. Raises ArgumentError for an axis that is not there."""
    given = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if any(not -ndim <= each < ndim for each in given):
        raise ArgumentError(f"axis is {axis!r}; the predictions have {ndim} axes.")
    return tuple(sorted({each % ndim for each in given}))

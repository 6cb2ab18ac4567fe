"""The losses as functions, under Keras's names: `mean_squared_error(y_true, y_pred)` returns the loss of each
prediction, an array (N, ...), without weights. The gradients are those of the classes, which `compile` takes for them.
"""

import inspect

from . import crossentropy, focal, generalized_crossentropy, of_rows, overlap, regression
from . import ctc as of_labels_in_order

KIND = inspect.Parameter.POSITIONAL_OR_KEYWORD
LABELS_AND_PREDICTIONS = [inspect.Parameter(name, KIND) for name in ("y_true", "y_pred")]


def _of_each(cls):
    """Return the function of a loss class. It takes the class's settings behind the predictions."""

    def loss(y_true, y_pred, *settings, **named):
        return cls(*settings, **named, reduction=None).forward(y_true, y_pred)

    arguments = inspect.signature(cls).parameters.values()
    of_loss = [each for each in arguments if each.name not in ("reduction", "name", "dtype", "kwargs")]
    loss.__signature__ = inspect.Signature([*LABELS_AND_PREDICTIONS, *of_loss])
    loss.__name__ = loss.__qualname__ = cls.names[0]
    loss.__doc__ = f"Return the `{cls.__name__}` of each prediction, (N, ...)."
    loss.loss_class = cls
    return loss


binary_crossentropy = _of_each(crossentropy.BinaryCrossentropy)
binary_focal_crossentropy = _of_each(focal.BinaryFocalCrossentropy)
categorical_crossentropy = _of_each(crossentropy.CategoricalCrossentropy)
categorical_focal_crossentropy = _of_each(focal.CategoricalFocalCrossentropy)
categorical_hinge = _of_each(of_rows.CategoricalHinge)
ctc = _of_each(of_labels_in_order.CTC)
dice = _of_each(overlap.Dice)
hinge = _of_each(of_rows.Hinge)
huber = _of_each(regression.Huber)
kl_divergence = _of_each(of_rows.KLDivergence)
log_cosh = _of_each(regression.LogCosh)
mean_absolute_error = _of_each(of_rows.MeanAbsoluteError)
mean_absolute_percentage_error = _of_each(of_rows.MeanAbsolutePercentageError)
mean_squared_error = _of_each(regression.MeanSquaredError)
mean_squared_logarithmic_error = _of_each(of_rows.MeanSquaredLogarithmicError)
poisson = _of_each(of_rows.Poisson)
sparse_categorical_crossentropy = _of_each(crossentropy.SparseCategoricalCrossentropy)
squared_hinge = _of_each(of_rows.SquaredHinge)
tversky = _of_each(overlap.Tversky)


def cosine_similarity(y_true, y_pred, axis=-1):
    """Return the cosine of the angle between each label and its prediction, (N, ...): as in Keras, without the minus
    sign that makes a loss of it."""
    return -of_rows.CosineSimilarity(axis=axis, reduction=None).forward(y_true, y_pred)


def categorical_generalized_cross_entropy(y_true, y_pred, q):
    """Return the `CategoricalGeneralizedCrossEntropy` of each prediction, (N, ...)."""
    return generalized_crossentropy.CategoricalGeneralizedCrossEntropy(q, reduction=None).forward(y_true, y_pred)

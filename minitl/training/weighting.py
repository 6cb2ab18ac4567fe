"""Sample weights and class weights: how much each label counts in the loss, for each output of a model."""

import math

import numpy as np

from ..errors import ArgumentError, DataError
from ..losses.base import check_weights, leading_shape
from .compiled import losses_of


def flat_weights(model, sample_weight, count):
    """Return the weights of each output as a tuple of arrays, or None if there are no weights. Raises DataError for
    weights of another number of examples than `count`, or whose axes are not the first axes of the predictions.

    sample_weight   one array for all outputs, or a list or dict with one for each (None: all labels count alike)
    """
    if sample_weight is None:
        return None
    is_list_of_numbers = isinstance(sample_weight, (list, tuple)) and not any(
        each is None or isinstance(each, np.ndarray) for each in sample_weight
    )  # a list of arrays has one array for each output
    given = np.asarray(sample_weight) if is_list_of_numbers else sample_weight
    found = []
    for each, tensor in zip(model.output_structure.settings(given, "sample_weight"), model.outputs):
        if each is not None:
            each, leading = np.asarray(each), leading_shape((count, *tensor.shape[1:]))
            if each.dtype.kind not in "biuf":
                raise DataError(f"sample_weight is of type {each.dtype}; expected numbers of at least 0.")
            if each.ndim == len(leading) + 1 and each.shape[-1] == 1:
                each = each[..., 0]
            each = each.astype(np.float32, copy=False)
            check_weights(each, leading)
        found.append(each)
    return tuple(found) if any(each is not None for each in found) else None


def combined_weights(model, class_weight, weights, y):
    """Return `weights` (from `flat_weights`) multiplied by the class weights of the labels y. `class_weight` is a dict
    {class: weight}, and the model has one output.

    The result has a weight for each prediction: (N,) for labels of examples, (N, H, W) for labels of pixels. (Keras
    takes one label an example only: with labels of pixels its `fit` fails.) A class that is not named has the weight 1.
    So has a label that the loss ignores: the loss leaves it out in any case. Labels between 0 and 1 are rounded, as in
    Keras: 0.9 is class 1.
    """
    if class_weight is None:
        return weights
    if len(model.outputs) > 1:
        raise ArgumentError(
            f"class_weight is for a model with one output, and this one has {len(model.outputs)}; give sample_weight a "
            "list with the weights of each output instead."
        )
    ((_, loss),) = losses_of(model)
    if not getattr(loss, "takes_class_weight", True):  # a loss of your own may not say it
        raise ArgumentError(f"class_weight does not go with {type(loss).__name__}; use sample_weight instead.")
    classes = model.outputs[0].shape[-1]
    if not isinstance(class_weight, dict) or not set(class_weight) <= set(range(max(classes or 2, 2))):
        raise ArgumentError(
            f"class_weight is {class_weight!r}; expected {{class: weight}}. Classes count from 0, as in the labels."
        )
    (labels,) = y
    leading = leading_shape((len(labels), *model.outputs[0].shape[1:]))
    if labels.ndim == len(leading) + 1 and labels.shape[-1] > 1:
        labels = labels.argmax(axis=-1)  # one-hot
    elif labels.ndim == len(leading) + 1:
        labels = labels[..., 0]
    labels = labels if labels.dtype.kind in "biu" else np.round(labels)
    of_classes = np.ones(labels.shape, np.float32)
    for label, weight in class_weight.items():
        if not isinstance(weight, (int, float, np.number)) or not 0 <= weight < math.inf:
            raise ArgumentError(f"class_weight of class {label} is {weight!r}; expected a number of at least 0.")
        of_classes[labels == label] = weight
    if weights is None:
        return (of_classes,)
    (weight,) = weights
    return (of_classes * weight.reshape(*weight.shape, *[1] * (of_classes.ndim - weight.ndim)),)


def batch_of(model, arrays, batch):
    """Return the labels or weights of a batch in the form of the model's outputs. `arrays` is a tuple with an array (or
    None) for each output, or None; then None is returned."""
    if arrays is None:
        return None
    return model.output_structure.packed([None if each is None else each[batch] for each in arrays])

"""What is refused before training begins, and what stops it before it does harm."""

import math
from contextlib import contextmanager

import numpy as np

from ..data.batches import is_stream
from ..errors import ArgumentError, DataError, DivergedError, GraphError
from ..models import Model
from .callbacks import Callback


def as_list(callbacks):
    """None, one callback or several -> a list of them."""
    callbacks = [] if callbacks is None else list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise ArgumentError(f"callbacks holds {callback!r}; expected objects of minitl.training.Callback.")
    return sorted(callbacks, key=lambda callback: callback.comes_last)


def sample_weights(class_weight, y, classes):
    """{class: weight} -> the weight of each image (N,), or None where there are none."""
    if class_weight is None:
        return None
    if not isinstance(class_weight, dict) or not set(class_weight) <= set(range(max(classes or 2, 2))):
        raise ArgumentError(
            f"class_weight is {class_weight!r}; expected {{class: weight}}, classes counted from 0 as in the labels."
        )
    weights = np.ones(len(y), np.float32)
    labels = y.argmax(axis=-1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y)).astype(int)
    for label, weight in class_weight.items():
        if not isinstance(weight, (int, float, np.number)) or not 0 <= weight < math.inf:
            raise ArgumentError(f"class_weight of class {label} is {weight!r}; expected a number of at least 0.")
        weights[labels == label] = weight
    return weights


def check_task(model, x, y, validation_split=0.0, validation_data=None):
    """Check all that `fit` is given before any work is done. Returns (x, y, x_val, y_val), the last two None or held
    back from the end of x and y."""
    if not any(layer.trainable_names for layer in model.layers):
        raise GraphError("nothing to train: every layer with parameters is frozen. transfer.unfreeze opens layers.")
    y = check_batch(model, x, y)
    if validation_data is not None:
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
            raise DataError(f"validation_data is {type(validation_data).__name__}; expected a pair (x, y).")
        x_val, y_val = validation_data
        return x, y, x_val, check_batch(model, x_val, y_val)
    if not validation_split:
        return x, y, None, None
    held_back = int(len(x) * validation_split) if isinstance(validation_split, (int, float)) else 0
    if not 0 < held_back < len(x):
        raise ArgumentError(
            f"validation_split is {validation_split!r}: of {len(x)} images it would hold back {held_back}. Expected a "
            "share between 0 and 1 that leaves some on either side."
        )
    kept = len(x) - held_back
    return x[:kept], y[:kept], x[kept:], y[kept:]


def check_images(model, x):
    """x as the model can take it: a NumPy array, not empty, of the model's type and input shape. Else DataError."""
    if not isinstance(x, np.ndarray) and not is_stream(x):
        raise DataError(f"x is {type(x).__name__}; expected a NumPy array of images (N, H, W, C).")
    if len(x) == 0:
        raise DataError(f"x is empty: its shape is {x.shape}. Expected at least one image.")
    model.check_shape(x.shape)
    expected = model.dtype or np.dtype("float32")
    if x.dtype != expected:
        hint = f"x.astype('{expected}') converts it."
        if x.dtype == np.uint8:
            hint = f"Raw pixels must be preprocessed: preprocess_input of the base's module, or {hint}"
        raise DataError(f"x is {x.dtype}; the model computes in {expected}. {hint}")


def check_batch(model, x, y):
    """`check_images`, and labels that fit: as many as images, in the form and range that the loss takes."""
    if model.loss is None:
        raise GraphError("the model is not compiled: call model.compile(optimizer=..., loss=...) first.")
    check_images(model, x)
    try:
        y = np.asarray(y)
    except ValueError:
        raise DataError("labels have rows of different lengths; expected one label, or one row, an image.") from None
    if len(np.atleast_1d(y)) != len(x):
        raise DataError(f"x holds {len(x)} images and y {len(np.atleast_1d(y))} labels; expected one label an image.")
    if y.dtype.kind not in "biuf":
        raise DataError(f"labels are of type {y.dtype}; expected numbers. Number the classes from 0.")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise DataError("labels hold NaN or infinity.")
    model.loss.check_labels(y, (len(x), *model.output_shape[1:]))
    return y


@contextmanager
def statistics_survive_divergence(model):
    """A training step that is refused must leave nothing behind: BatchNormalization has followed the batch by then, and
    gets back the statistics it had."""
    before = [
        (getattr(layer, name), getattr(layer, name).copy()) for layer in model.layers for name in layer.statistic_names
    ]
    try:
        yield
    except DivergedError:
        for statistic, value in before:
            statistic[...] = value
        raise


def refuse_divergence(model, x, loss):
    """Raise DivergedError if the loss is not finite; the weights have not been touched yet."""
    if math.isfinite(loss):
        return
    if not np.isfinite(x).all():
        culprit = "the input already holds NaN or infinity"
    else:
        culprit = next(
            (f"the first output that is not finite is that of '{name}'" for name in _broken_layers(model, x)), ""
        )
    raise DivergedError(
        f"step {model.optimizer.iterations + 1}: the loss is {loss}{culprit and '; ' + culprit}. Nothing was updated. "
        f"Try a learning rate below {model.optimizer.learning_rate:g}, or normalize the input of the new layers."
    )


def _broken_layers(model, x):
    """Names of layers whose output is not finite, first things first. Only runs once something has gone wrong."""
    with np.errstate(all="ignore"):
        for step in model.steps:
            output = Model(model.input, step).forward(x, gradients="none")
            if not np.isfinite(output).all():
                yield step.layer.name

"""What is refused before training begins, and what stops it before it does harm."""

import math

import numpy as np

from ..errors import DataError, DivergedError, GraphError
from ..models import Model


def check_images(model, x):
    """x as the model can take it: a NumPy array, not empty, of the model's type and input shape. Else DataError."""
    if not isinstance(x, np.ndarray):
        raise DataError(f"x is {type(x).__name__}; expected a NumPy array of images (N, H, W, C).")
    if len(x) == 0:
        raise DataError(f"x is empty: its shape is {x.shape}. Expected at least one image.")
    model.check_input(x)
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
    y = np.asarray(y)
    if len(np.atleast_1d(y)) != len(x):
        raise DataError(f"x holds {len(x)} images and y {len(np.atleast_1d(y))} labels; expected one label an image.")
    if y.dtype.kind not in "biuf":
        raise DataError(f"labels are of type {y.dtype}; expected numbers. Number the classes from 0.")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise DataError("labels hold NaN or infinity.")
    model.loss.check_labels(y, model.output_shape)
    return y


def refuse_divergence(model, x, loss):
    """Raise DivergedError if the loss is not finite; the weights have not been touched yet."""
    if math.isfinite(loss):
        return
    if not np.isfinite(x).all():
        culprit = "the images hold NaN or infinity"
    else:
        culprit = next((f"the first output that is not finite is '{name}''s" for name in _broken_layers(model, x)), "")
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

"""A call of a layer on arrays, which computes at once: `y = Dense(3)(x)`, as programs for Keras write it.

It is `forward`, with arrays made of lists of numbers, and float32 made of float64, as Keras does. An array may carry a
mask (`array_masks`).
"""

import numpy as np

from ..errors import DataError, GraphError
from .array_masks import computed_with_masks, mask_of, with_mask
from .masking import mask_names
from .mode import mode_of


def compute(layer, inputs, by_name):
    """Return the output of a layer for an array, or a list of them.

    by_name   `training`, and what forward takes by name; None stands for what is not given
    """
    several = isinstance(inputs, (list, tuple)) and (layer.merges or layer.takes_several)
    several = several and not all(np.ndim(each) == 0 for each in inputs)
    arrays = [as_array(each, layer) for each in inputs] if several else as_array(inputs, layer)
    training = mode_of(by_name.pop("training", None))
    training = layer.varies_when_called if training is None else training
    given = {name: value for name, value in by_name.items() if value is not None}
    known = [*layer.keyword_inputs, *mask_names(layer, len(arrays) if several else 1), *layer.call_options]
    unknown = [name for name in given if name not in known]
    if unknown:
        raise GraphError(
            f"layer '{layer.name}' was called with {unknown[0]}; it takes {', '.join(['training', *known])} by name."
        )
    given = {name: value if name in layer.call_options else np.asarray(value) for name, value in given.items()}
    if layer.takes_one_image and not several and arrays.ndim == 3:
        return layer.forward(arrays[None], training=training, **given)[0]
    layer.check_input(_shapes(arrays))
    listed = arrays if several else [arrays]
    if layer.makes_mask or any(mask_of(each) is not None for each in listed):
        return computed_with_masks(layer, listed, training, given)
    return layer.forward(arrays, training=training, **given)


def as_array(given, layer=None):
    """Return an array of numbers; float32 for float64. Raises DataError, which names the layer, for anything else."""
    try:
        array = np.asarray(given)
    except ValueError:  # lists of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "fiub":
        called = "the model" if layer is None else f"layer '{layer.name}'"
        raise DataError(
            f"{called} was called on {type(given).__name__}; expected the output of a layer, or an array of numbers."
        )
    return with_mask(array.astype(np.float32) if array.dtype == np.float64 else array, mask_of(given))


def _shapes(arrays):
    return [each.shape for each in arrays] if isinstance(arrays, list) else arrays.shape

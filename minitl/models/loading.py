"""Loading a model from a file that `model.save` wrote."""

import json

from .. import initializers
from ..arguments import AnyPath
from ..errors import MinitlError, WeightsError
from ..graph.architecture import build
from ..weights.distrust.opening import open_weights
from ..weights.loading import load_from
from ..weights.saving import ARCHITECTURE
from .model import Model
from .sequential import Sequential

# All errors that a text may cause if it does not describe a model.
NO_MODEL = (
    MinitlError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


def load_model(path: AnyPath, custom_objects: dict[str, type] | None = None) -> Model:
    """Read a model that `model.save(path)` wrote, as float32. Compile it before you train it further.

    custom_objects   {class name: class} of your own layers

    Raises WeightsError if the file does not hold such a model, or if it holds an unknown layer.
    """
    with open_weights(path) as file:
        text = file.listing.texts.get(ARCHITECTURE)
        if text is None:
            raise WeightsError(
                f"{path}: holds no minitl model, only weights at most. Build the model and call "
                "model.load_weights(path), or save the model with model.save(path)."
            )
        try:
            with initializers.weights_will_be_loaded():
                model = _model(json.loads(text), custom_objects)
        except NO_MODEL as error:
            raise WeightsError(f"{path}: its architecture cannot be built ({error}).") from error
        if model.count_params():
            load_from(file, model, restore=True)
        return model


def _model(data, custom_objects):
    inputs, outputs, layers = build(data, custom_objects)
    if not isinstance(data["name"], str):
        raise ValueError(f"a name that is {data['name']!r}")
    if data["class"] == "Sequential" and data["format"] == 1:
        model = Sequential(layers, name=data["name"])
    else:
        model = Model(inputs, outputs, name=data["name"])
    model.metadata = data.get("metadata", {})
    return model

"""Loading a model from a file that `model.save` wrote, here or in Keras, and from JSON text."""

import copy
import json

from .. import initializers
from ..arguments import AnyPath, NotHere, keras_arguments, truth_value
from ..errors import MinitlError, WeightsError, warn_of_weights
from ..graph.architecture import build
from ..graph.keras_reading import tensors_of
from ..graph.structure import Structure
from ..layers import Input
from ..weights.distrust.opening import open_weights
from ..weights.formats.keras_config import KERAS_MODEL, KERAS_TRAINING
from ..weights.loading import load_from
from ..weights.saving import ARCHITECTURE
from .compiled_config import compile_as_in
from .model import ZIPPED, Model
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


# An argument of load_model itself, and not of a decorator, so that type checkers know its arguments.
SAFE_MODE = NotHere(True, instead="Code in a file is never run.")


def load_model(
    filepath: AnyPath, custom_objects: dict[str, type] | None = None, compile: bool = True, safe_mode: bool = True
) -> Model:
    """Read a model that `model.save` wrote, here or in Keras, as float32.

    custom_objects   {class name: class} of your own layers
    compile          True: compile a model of Keras with the optimizer, loss and metrics in its file. The state of the
                     optimizer is left there. A model that minitl saved is not compiled: compile it before you train
    safe_mode        Keras's argument: True, since code in a file is never run

    Raises WeightsError if the file does not hold such a model, or if it holds a layer that minitl does not have.
    """
    compile = truth_value(compile, "compile")
    SAFE_MODE.check("load_model", "safe_mode", safe_mode)
    with open_weights(filepath) as file:
        texts = file.listing.texts
        if ARCHITECTURE not in texts and KERAS_MODEL not in texts:
            raise WeightsError(
                f"{filepath}: holds no model, only weights at most. Build the model and call "
                "model.load_weights(path), or save the model with model.save(path)."
            )
        is_own = ARCHITECTURE in texts
        try:
            data = json.loads(texts[ARCHITECTURE if is_own else KERAS_MODEL])
            with initializers.weights_will_be_loaded():
                model = _model(data, custom_objects) if is_own else model_of_keras(data, custom_objects)
            training = None if is_own else data.get("compile_config") or json.loads(texts.get(KERAS_TRAINING, "null"))
        except NO_MODEL as error:
            raise WeightsError(f"{filepath}: its architecture cannot be built ({error}).") from error
        if model.count_params():
            load_from(file, model, restore=is_own, is_of_file=not is_own)
    if compile and training:
        try:
            compile_as_in(model, training)
        except NO_MODEL as error:
            warn_of_weights(f"{filepath}: how it was compiled is left out ({error}). Call model.compile to train it.")
    return model


def model_from_json(json_string: str, custom_objects: dict[str, type] | None = None) -> Model:
    """Return the model, with new weights, that a text of `model.to_json` describes. Keras's are understood as well."""
    return model_of_keras(json.loads(json_string), custom_objects)


def model_of_keras(data, custom_objects=None):
    """Return the model, with new weights, that Keras's configuration describes: {"class_name": ..., "config": ...}."""
    inputs, outputs, row = tensors_of(data, custom_objects)
    content = data["config"]
    name = content.get("name") if isinstance(content, dict) else None
    model = Model(inputs, outputs, name=name) if row is None else Sequential([inputs, *row], name=name)
    if isinstance(content, dict) and content.get("trainable") is False:
        model.trainable = False
    return model


@keras_arguments(
    after="clone_function",
    call_function=NotHere(instead="Call the layers of the clone yourself."),
    recursive=NotHere(False, (True,)),
)
def clone_model(model: Model, input_tensors=None, clone_function=None) -> Model:
    """Return a model of the same architecture with layers of its own and new weights, compiled in the same way.

    input_tensors    symbolic tensors to begin with, in the form of `model.input`; None: new Inputs
    clone_function   a function of a layer that returns the layer for the clone; None: one with the same arguments
    """
    clone = _clone(model, input_tensors, clone_function or _equal)
    compiled = model.compiled_with if model.compiled else (model.waiting_to_compile or ())[1:]  # without the optimizer
    if compiled and model.optimizer is not None:
        optimizer = type(model.optimizer)(**model.optimizer.get_config())
        clone.compile(optimizer, *copy.deepcopy(compiled))
    return clone


def _clone(model, input_tensors, cloned):
    """Return a clone that is not compiled. `cloned` gives the layer of the clone for a layer."""
    made = {}

    def of_clone(layer):
        if layer not in made:
            made[layer] = cloned(layer)
        return made[layer]

    if isinstance(model, Sequential) and not model.built and input_tensors is None:  # it waits for a shape
        return Sequential([of_clone(layer) for layer in model.layers], name=model.name)
    if input_tensors is None:
        starts = [Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.layer.name) for tensor in model.inputs]
    else:
        starts = list(model.input_structure.flat(Structure(input_tensors, "input_tensors").value, "input_tensors"))
    if isinstance(model, Sequential) and model.kind == "Sequential":
        return Sequential([starts[0].layer, *map(of_clone, model.layers)], name=model.name)
    return Model(model.input_structure.packed(starts), model.called(starts, of_clone), name=model.name)


@keras_arguments(after="overwrite", zipped=ZIPPED)
def save_model(model: Model, filepath: AnyPath, overwrite: bool = True) -> None:
    """Write a model to a file: `model.save(filepath)`."""
    model.save(filepath, overwrite)


def _equal(layer):
    """Return a new layer with the same arguments. A configuration does not hold the initializers."""
    initializers_of = {name: value for name, value in vars(layer).items() if name.endswith("_initializer")}
    return type(layer)(**{**initializers_of, **layer.get_config()})


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

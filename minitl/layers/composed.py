"""Layers of your own that are made of others: classes with `call`, as programs for Keras have them.

    class Block(Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.dense, self.dropout = Dense(units, activation="relu"), Dropout(0.5)

        def call(self, x, training=None):
            return x + self.dropout(self.dense(x), training=training)

    y = Block(8)(x)

On symbolic tensors `call` runs once, and the layers that it calls become layers of the graph, as if they had been
called there. So the gradient is theirs, there is no `backward` to write, and the graph stays flat. On arrays `call`
computes as it stands: forward alone.

Whatever works on symbolic tensors works in a `call`: layers, models, signs and brackets. NumPy's functions do not, and
neither do parameters of the class itself (`add_weight`): minitl would have no gradient of them. Such a layer is written
with `forward` and `backward` (`base`).

Who calls this: `base`, and `models.waiting` for a model with `call`.
"""

import inspect

import numpy as np

from ..errors import ArgumentError, GraphError
from .array_masks import compute_mask, mask_of, with_mask
from .mode import AS_IN_MODEL, inside, mode_around
from .nested import flat, mapped, mapped_shapes
from .on_arrays import as_array
from .parameters import Parameters
from .symbolic import SymbolicTensor, placeholder, unrecorded

OWN_GRADIENT = "Write the layer with forward(x, training=False) and backward(grad): course/add_your_own.md."


def layers_within(owner):
    """Return the layers in the attributes of a layer or model of your own, each once, in the order in which they were
    set: also those in lists and dicts, and those within other layers of this kind."""
    return list(dict.fromkeys(_layers_in(list(vars(owner).values()))))


def _layers_in(value):
    for each in flat(value):
        if isinstance(each, Parameters):
            yield from (each, *layers_within(each)) if each.is_composed else (each,)
        elif hasattr(each, "called"):  # a model
            yield from each.layers


def call_composed(layer, inputs, by_name):
    """Return what the `call` of a layer makes of its arguments: symbolic tensors of symbolic ones, arrays of arrays."""
    inputs = () if inputs[0] is None and by_name else inputs  # layer(x=...): all arguments are given by name
    training = by_name.pop("training", None)
    bound = bound_to_call(layer, inputs, by_name, training)
    is_symbolic = any(isinstance(each, SymbolicTensor) for each in flat(bound.arguments))
    for each in flat(inputs):
        if not (each is None or isinstance(each, (SymbolicTensor, np.ndarray, np.generic))):
            raise ArgumentError(
                f"layer '{layer.name}' was called on {each!r:.80}; expected arrays, or outputs of layers. Give other "
                "arguments of call() by name."
            )
    if not is_symbolic:
        bound.arguments.update(mapped(_as_array, dict(bound.arguments)))
    if not layer.built:
        layer.built = True
        _build(layer, bound.arguments)
    if is_symbolic and layer.weight_names:
        raise GraphError(
            f"class {type(layer).__name__} has a call() and parameters of its own ({', '.join(layer.weight_names)}), "
            f"of which minitl would have no gradient. Let a layer such as Dense own them. {OWN_GRADIENT}"
        )
    if not layer.trainable:
        layer.trainable = False  # freezes the layers within
    number_freely(layer.within)
    outputs = run_call(layer, bound, training)
    if is_symbolic and layer.output is None:
        layer.input, layer.output = next(iter(bound.arguments.values())), outputs
    return outputs


def bound_to_call(owner, inputs, by_name, training=None):
    """Return the arguments of `call` by its names, without `training`. Raises ArgumentError if they do not fit."""
    signature = inspect.signature(owner.call)
    is_told = training is not None and "training" in signature.parameters
    try:
        bound = signature.bind(*inputs, **by_name, **{"training": training} if is_told else {})
        bound.arguments.pop("training", None)
        return bound
    except TypeError as error:
        raise ArgumentError(f"call() of '{owner.name}': {error}.") from None


def run_call(owner, bound, training=None):
    """Return what the `call` of a layer or model gives. It is told the training mode, and the mask of its first
    argument, if it has arguments of these names."""
    parameters = inspect.signature(owner.call).parameters
    is_symbolic = any(isinstance(each, SymbolicTensor) for each in flat(bound.arguments))
    training = mode_around() if training is None else training
    if "training" in parameters:
        if training is not None or is_symbolic:
            bound.arguments["training"] = AS_IN_MODEL if training is None else training
    mask = mapped(
        lambda each: each.mask if isinstance(each, SymbolicTensor) else mask_of(each),
        next(iter(bound.arguments.values()), None),
    )
    mask = mask if bound.arguments.get("mask") is None else bound.arguments["mask"]
    if "mask" in parameters and any(each is not None for each in flat(mask)):
        bound.arguments["mask"] = mask
    with inside(training):
        outputs = owner.call(*bound.args, **bound.kwargs)
    if getattr(type(owner), "compute_mask", compute_mask) is not compute_mask:
        mask = owner.compute_mask(next(iter(bound.arguments.values())), mask)
    if not is_symbolic:
        kept = mask if getattr(owner, "passes_mask", False) and isinstance(mask, np.ndarray) else None
        return (
            outputs if kept is None else mapped(lambda y: y if mask_of(y) is not None else with_mask(y, kept), outputs)
        )
    for each in flat(outputs):
        if not isinstance(each, SymbolicTensor):
            raise GraphError(
                f"call() of '{owner.name}' returned {type(each).__name__}; expected the output of a layer. On the "
                f"outputs of layers it may use layers and signs, and no functions of NumPy. {OWN_GRADIENT}"
            )
        if getattr(owner, "passes_mask", False) and each.mask is None and isinstance(mask, SymbolicTensor):
            each.mask = mask
    return outputs


def output_shape(layer, input_shape):
    """Return the shape of what `call` gives for an input of this shape; lists and dicts of shapes for several."""
    with unrecorded(layer):
        outputs = call_composed(layer, (mapped_shapes(placeholder, input_shape),), {})
    return mapped(lambda tensor: tensor.shape, outputs)


def number_freely(layers):
    """Let these layers be numbered like unnamed ones where another layer of a model has the name that they were given:
    each block of your own may have its own "conv"."""
    for layer in layers:
        if layer.is_named:
            layer.class_name, layer.is_named, layer.name_is_final = layer.name, False, False


def _build(layer, arguments):
    """Call `build` with the shape of the first argument of `call`; or if it takes x_shape, y_shape, ..., with those of
    the arguments x, y, ..."""
    shapes = {f"{name}_shape": mapped(lambda each: getattr(each, "shape", None), v) for name, v in arguments.items()}
    names = list(inspect.signature(layer.build).parameters)
    if len(names) == 1 and shapes:
        layer.build(next(iter(shapes.values())))
        return
    unknown = [name for name in names if name not in shapes]
    if unknown:
        raise ArgumentError(
            f"build() of '{layer.name}' takes {unknown[0]}; expected one argument, or the names {', '.join(shapes)}."
        )
    layer.build(**{name: shapes[name] for name in names})


def _as_array(value):
    return as_array(value) if isinstance(value, (np.ndarray, np.generic)) else value

"""The arguments of Keras's `compile`, read from a file as data: minitl has objects of the same names."""

from .. import losses, metrics, optimizers
from ..errors import ArgumentError
from ..optimizers import schedules


def compile_as_in(model, data):
    """Compile a model with the optimizer, loss and metrics of Keras's `compile_config` or `training_config`.

    Raises ArgumentError, or another error of a configuration that is none, for what minitl does not have.
    """
    arguments = {name: data.get(name) for name in ("loss", "loss_weights", "metrics", "weighted_metrics")}
    optimizer = _made(data.get("optimizer") or data["optimizer_config"], optimizers)
    arguments["loss"] = _each(arguments["loss"], losses)
    for name in "metrics", "weighted_metrics":
        arguments[name] = _each(arguments[name], metrics)
    model.compile(optimizer, **arguments)


def _each(given, room):
    """Return names and data of losses or metrics with objects in the place of the data. `given` may be one, or lists
    and dicts of them."""
    if isinstance(given, dict) and "class_name" in given and "config" in given:
        return _made(given, room)
    if isinstance(given, dict):
        return {name: _each(each, room) for name, each in given.items()}
    if isinstance(given, (list, tuple)):
        return [_each(each, room) for each in given]
    return given


def _made(data, room):
    """Return the object that {"class_name": ..., "config": ...} describes, from a package of minitl."""
    if isinstance(data, str):
        return data
    name, config = data["class_name"], data["config"]
    if name == "function" or isinstance(config, str):
        return config
    if name in ("MeanMetricWrapper", "LossFunctionWrapper") and isinstance(config.get("fn"), str):
        return config["fn"]
    cls = getattr(room, name, None) if name in room.__all__ else None
    if not isinstance(cls, type):
        raise ArgumentError(f"it has a {name}, which minitl.{room.__name__.rpartition('.')[2]} does not have")
    arguments = {key: value for key, value in config.items() if key not in ("fn", "is_legacy_optimizer")}
    for key, value in arguments.items():
        if isinstance(value, dict) and "class_name" in value:
            arguments[key] = _made(value, schedules)
        if key == "reduction" and value == "auto":  # Keras 2
            arguments[key] = "sum_over_batch_size"
    return cls(**{key: value for key, value in arguments.items() if not (key in OF_KERAS_2 and not value)})


OF_KERAS_2 = ("decay", "jit_compile", "weight_decay", "ignore_class")  # left out if empty

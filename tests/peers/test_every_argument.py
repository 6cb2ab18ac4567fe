"""Names, order and defaults of the arguments of every public class, function and method that Keras has, too.

All differences stand in `DIFFERENCES`, each with its reason. A difference that is not there fails, and so does one that
is there and no longer one. `test_arguments.py` tries what the arguments do.
"""

import inspect
from importlib import import_module

import keras
import pytest

import minitl
from minitl.training import fit

PACKAGES = """
    layers optimizers optimizers.schedules losses metrics callbacks models applications applications.vgg16
    applications.resnet50 applications.inception_v3 utils initializers regularizers constraints
""".split()
METHODS = {
    "Model": "compile fit evaluate predict train_on_batch test_on_batch predict_on_batch summary save save_weights "
    "load_weights get_layer get_config from_config to_json get_weights set_weights count_params".split(),
    "Sequential": ["add"],
    "Layer": "get_weights set_weights count_params get_config".split(),
}
NAME = "None stands for Keras's name, which is an attribute of the class."
IDENTIFIER = "It is named after what it is."
SAME = "None and 'auto' are accepted, and say the same as this default."
EXAMPLES = "There is no training without examples."
# {place: {argument: reason}}. The argument "*" stands for all.
DIFFERENCES = {
    "losses.*": {"name": NAME},
    "metrics.*": {"name": NAME},
    "optimizers.schedules.*": {"name": NAME},
    **{f"{package}.get": {"identifier": IDENTIFIER} for package in "optimizers losses initializers".split()},
    **{f"{package}.get": {"identifier": IDENTIFIER} for package in ("regularizers", "constraints")},
    "layers.AveragePooling2D": {"pool_size": "Keras has no default there, and (2, 2) for MaxPooling2D."},
    **{
        f"applications.{network}.decode_predictions": {"preds": "Keras's short form of the word."}
        for network in ("vgg16", "resnet50", "inception_v3")
    },
    "Model.fit": {"*": "All options are handed on to training.fit, which is compared."},
    "training.fit": {"x": EXAMPLES, "batch_size": SAME, "verbose": SAME},
    "Model.evaluate": {"x": EXAMPLES, "batch_size": SAME, "verbose": SAME},
    "Model.predict": {"batch_size": SAME, "verbose": SAME},
    "Model.summary": {"print_fn": "None says the same."},
}


def public():
    """Yield (place, ours, Keras's) of everything that both have."""
    for package in PACKAGES:
        ours, theirs = import_module(f"minitl.{package}"), keras
        for part in package.split("."):
            theirs = getattr(theirs, part)
        for name, each in sorted(vars(ours).items()):
            twin = vars(theirs).get(name)
            if not name.startswith("_") and callable(each) and callable(twin):
                yield f"{package}.{name}", each, twin
    yield "training.fit", fit, keras.Model.fit
    for owner, names in METHODS.items():
        for name in names:
            of_keras = keras.layers.Layer if owner == "Layer" else getattr(keras, owner)
            yield f"{owner}.{name}", getattr(getattr(minitl, owner), name), getattr(of_keras, name)


def arguments(thing):
    """Return {name: default} of what may be given by position, in order."""
    found = inspect.signature(thing).parameters.values()
    names = {each.name: each.default for each in found if each.kind is each.POSITIONAL_OR_KEYWORD}
    return {
        name: default for name, default in names.items() if name != "self" and not (name == "model" and thing is fit)
    }


def same(ours, theirs):
    """Return whether two defaults say the same: the lists and tuples of both count as equal."""
    if isinstance(theirs, (tuple, list)) and isinstance(ours, (tuple, list)):
        return list(ours) == list(theirs)
    return ours is theirs or (type(ours) is type(theirs) and ours == theirs)


def differences(ours, theirs):
    """Return the names of the arguments that differ: that are missing, stand elsewhere, or have another default."""
    own, of_keras = arguments(ours), arguments(theirs)
    return [
        name
        for position, (name, default) in enumerate(of_keras.items())
        if list(own)[position : position + 1] != [name] or not same(own[name], default)
    ]


@pytest.mark.parametrize("place, ours, theirs", [pytest.param(*each, id=each[0]) for each in public()])
def test_arguments_are_those_of_keras(place, ours, theirs):
    known = {**DIFFERENCES.get(place.rpartition(".")[0] + ".*", {}), **DIFFERENCES.get(place, {})}
    assert [name for name in differences(ours, theirs) if name not in known and "*" not in known] == []


def test_every_difference_in_the_table_is_one():
    found = {place: differences(ours, theirs) for place, ours, theirs in public()}
    for place, reasons in DIFFERENCES.items():
        assert all(isinstance(reason, str) and reason for reason in reasons.values())
        if not place.endswith(".*"):
            assert found[place] and (set(reasons) <= {*found[place], "*"}), place

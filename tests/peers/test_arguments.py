"""Keras's arguments: given by position or by name, they mean what they mean in Keras, or they are refused by name.

All public classes that minitl and Keras both have are compared by their signatures. A new class is found by itself."""

import inspect
from importlib import import_module

import keras
import numpy as np
import pytest

import minitl.callbacks
import minitl.layers
from minitl.errors import ArgumentError, MinitlError

# Our package, Keras's package
PACKAGES = [
    ("minitl.layers", keras.layers),
    ("minitl.losses", keras.losses),
    ("minitl.metrics", keras.metrics),
    ("minitl.optimizers", keras.optimizers),
    ("minitl.optimizers.schedules", keras.optimizers.schedules),
    ("minitl.initializers", keras.initializers),
    ("minitl.callbacks", keras.callbacks),
    ("minitl.regularizers", keras.regularizers),
    ("minitl.constraints", keras.constraints),
]
# A value for each argument that has no default in Keras
REQUIRED = {
    "activation": "relu",
    "axes": 1,
    "first_decay_steps": 10,
    "stddev": 0.1,
    "backup_dir": "run",
    "boundaries": [10],
    "dims": (2, 1),
    "layer": minitl.layers.LSTM(2),
    "n": 3,
    "decay_rate": 0.5,
    "decay_steps": 10,
    "factor": 0.1,
    "filepath": "model.h5",
    "filename": "log.csv",
    "filters": 3,
    "height": 3,
    "height_factor": 0.1,
    "initial_learning_rate": 0.1,
    "input_dim": 5,
    "kernel_size": 3,
    "key_dim": 3,
    "num_heads": 2,
    "output_dim": 3,
    "learning_rate": 0.1,
    "num_classes": 3,
    "padding": "valid",
    "pool_size": 2,
    "rate": 0.5,
    "scale": 2.0,
    "schedule": lambda epoch, rate: rate,
    "shape": (4,),
    "target_shape": (2, -1),
    "target_class_ids": [0, 1],
    "fn": lambda y_true, y_pred: abs(y_true - y_pred),
    "precision": 0.5,
    "recall": 0.5,
    "sensitivity": 0.5,
    "specificity": 0.5,
    "units": 3,
    "values": [0.1, 0.01],
    "width": 2,
    "width_factor": 0.1,
}
# Arguments that have to be given although Keras has a default for them: there it is an empty input
ALWAYS = {"Input": ["shape"], "InputLayer": ["shape"]}


AVERAGES = "use_ema", "ema_momentum", "ema_overwrite_frequency", "gradient_accumulation_steps"


class Twins:
    """A class of ours and Keras's of the same name."""

    def __init__(self, ours, keras_class):
        self.ours, self.name = ours, ours.__name__
        self.parameters = [p for p in keras_parameters(keras_class) if p.kind is p.POSITIONAL_OR_KEYWORD]
        always = ALWAYS.get(self.name, ())
        self.defaults = {
            p.name: p.default for p in self.parameters if p.default is not p.empty and p.name not in always
        }
        self.required = {p.name: REQUIRED[p.name] for p in self.parameters if p.name not in self.defaults}

    @property
    def missing(self):
        """Return the arguments that only Keras has."""
        own = inspect.signature(inspect.unwrap(self.ours if inspect.isfunction(self.ours) else self.ours.__init__))
        return [name for name in self.defaults if name not in own.parameters]

    def made(self, **changed):
        return self.ours(**{**self.required, **self.defaults, **changed})


def keras_parameters(keras_class):
    """Return the parameters of Keras's class. Its base of all layers hides them behind `*args`."""
    return list(inspect.signature(keras_class).parameters.values())


def twins():
    for package, of_keras in PACKAGES:
        for name, ours in sorted(vars(import_module(package)).items()):
            is_public = (inspect.isclass(ours) or name == "Input") and not name.startswith("_")
            if name == "Optimizer":
                continue  # Keras's signature is (*args, **kwargs)
            if is_public and inspect.isclass(getattr(of_keras, name, None) if name != "Input" else type):
                yield pytest.param(Twins(ours, getattr(of_keras, name)), id=f"{package.rpartition('.')[2]}.{name}")


every_class = pytest.mark.parametrize("twins", list(twins()))


def test_there_are_many_classes():
    assert len(list(twins())) >= 40


@every_class
def test_arguments_stand_in_keras_order(twins):
    """All of Keras's arguments, each in its place. Ours that Keras does not have stand behind them."""
    ours = [p.name for p in inspect.signature(twins.ours).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    expected = [p.name for p in twins.parameters]
    assert ours[: len(expected)] == expected


@every_class
def test_defaults_written_out_change_nothing(twins, tmp_path, monkeypatch):
    """All of them by name, all by position, and each alone."""
    monkeypatch.chdir(tmp_path)
    plain = twins.ours(**twins.required)
    for made in twins.made(), twins.ours(*({**twins.required, **twins.defaults}[p.name] for p in twins.parameters)):
        assert type(made) is type(plain)
        if hasattr(plain, "get_config"):
            assert {**made.get_config(), "name": None} == {**plain.get_config(), "name": None}
        elif hasattr(plain, "__dict__"):
            assert vars(made).keys() - {"name"} == vars(plain).keys() - {"name"}
    for name, default in twins.defaults.items():
        twins.ours(**twins.required, **{name: default})


@every_class
def test_what_is_not_here_is_refused_by_its_name(twins, tmp_path, monkeypatch):
    """Names of what is checked in one place for all are refused in other words: the data format, regularizers,
    constraints, the reduction of losses, and the averages of optimizers."""
    monkeypatch.chdir(tmp_path)
    is_loss = inspect.isclass(twins.ours) and issubclass(twins.ours, minitl.losses.Loss)
    for name in twins.missing:
        is_regularized = name.replace("_constraint", "_regularizer") in getattr(twins.ours, "regularized", ())
        is_checked = name == "data_format" or is_regularized or name in AVERAGES
        if is_checked or (is_loss and name in ("name", "reduction")):
            with pytest.raises(ArgumentError, match=rf"{name} is \[5\]"):
                twins.made(**{name: [5]})
            continue
        if name == "name":
            twins.made(name="mine")  # names nothing here
        with pytest.raises(ArgumentError, match=rf"{twins.name} has no argument {name}=\[5\]"):
            twins.made(**{name: [5]})


@every_class
def test_one_argument_too_many_is_refused(twins):
    if inspect.unwrap(twins.ours.__init__) is twins.ours.__init__ or not twins.parameters:
        return  # Python's own TypeError
    ours = [p for p in inspect.signature(twins.ours).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    with pytest.raises(ArgumentError, match=f"{twins.name} got the argument 'one more' in a place"):
        twins.ours(*[None] * len(ours), "one more")


BY_POSITION = [
    lambda k: k.layers.GlobalAveragePooling2D("channels_last"),
    lambda k: k.layers.GlobalAveragePooling2D("channels_last", True),
    lambda k: k.layers.Conv2D(2, 3, 1, "same", "channels_last", 1, 1, "relu", False),
    lambda k: k.layers.Conv2D(2, 3, 1, "same", "channels_last", 2, 1, "relu", False),
    lambda k: k.layers.Conv2DTranspose(2, 3, 2, "same", (1, 0), "channels_last", 1, "relu", False),
    lambda k: k.layers.UpSampling2D(2, "channels_last", "bilinear"),
    lambda k: k.layers.Cropping2D(1, "channels_last"),
    lambda k: k.layers.Dropout(0.5, None, 3),
    lambda k: k.layers.Flatten("channels_last"),
    lambda k: k.layers.BatchNormalization(-1, 0.9, 1e-5, True, True, "ones", "zeros"),
    lambda k: k.layers.MaxPooling2D(2, 1, "same", "channels_last", "pool"),
]


@pytest.mark.parametrize("number", range(len(BY_POSITION)))
def test_layers_given_by_position_compute_what_keras_computes(number):
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 3)).astype(np.float32)
    ours, twin = BY_POSITION[number](minitl), BY_POSITION[number](keras)
    y = twin(x)
    ours.forward(x)
    if twin.get_weights():
        ours.set_weights(list(twin.get_weights()))
    np.testing.assert_allclose(ours.forward(x), y.detach().numpy(), rtol=1e-5, atol=1e-6)


REFUSED = [
    (lambda: minitl.layers.GlobalAveragePooling2D("first"), "data_format is 'first'; expected 'channels_last' or"),
    (lambda: minitl.optimizers.Adam(1e-3, 0.9, 0.999, 1e-7, "yes"), "amsgrad is 'yes'"),
    (lambda: minitl.layers.Dropout(0.5, (2, 0, 1)), "a size in noise_shape is 0"),
    (lambda: minitl.layers.Dense(3, "relu", True, "zeros", "zeros", "l3"), "kernel_regularizer is 'l3'; expected 'l1'"),
    (lambda: minitl.layers.Dense(3, activity_regularizer="l2"), "activity_regularizer='l2'.*kernel_regularizer"),
    (lambda: minitl.layers.Dense(3, kernel_constraint="max"), "kernel_constraint is 'max'; expected 'max_norm'"),
    (lambda: minitl.layers.AlphaDropout(0.5, "all"), "noise_shape is 'all'; expected the sizes of the mask"),
    (lambda: minitl.optimizers.Adam(loss_scale_factor=2.0), "Adam has no argument loss_scale_factor=2.0.*no scaling"),
    (lambda: minitl.optimizers.Adam(use_ema=True, gradient_accumulation_steps=2), "do not go together in minitl"),
    (lambda: minitl.losses.MeanSquaredError("all"), "reduction is 'all'"),
    (lambda: minitl.metrics.BinaryAccuracy(0.7), "name is 0.7"),
    (lambda: minitl.layers.Dense(3, "relu", activation="tanh"), "Dense got activation twice"),
    (lambda: minitl.layers.Input((3,), batch_shape=(None, 3)), "shape and batch_shape are both given"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[message for _, message in REFUSED])
def test_another_value_is_refused_and_the_message_says_what_to_do(call, message):
    with pytest.raises(MinitlError, match=message):
        call()


def test_clipping_by_position():
    assert minitl.optimizers.SGD(0.1, 0.9, True, None, 1.0).clipping == {"clipnorm": 1.0}
    assert minitl.optimizers.Adam(0.1, 0.9, 0.999, 1e-7, False, None, None, 2.0).clipping == {"clipvalue": 2.0}

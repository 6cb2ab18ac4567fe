"""The table of optimizers. Every test that holds for all optimizers takes its cases from `OPTIMIZERS`.

To add an optimizer, write one line for each kind of argument that changes how it moves:

    OptimizerCase("momentum", lambda optimizers: optimizers.SGD(0.02, momentum=0.9)),

The function makes the optimizer from a module, `minitl.optimizers` or `keras.optimizers`, and so gives Keras's twin as
well. Choose a learning rate by which a small network learns in twenty steps. `NAMES` gets the name that Keras gives the
optimizer, for `compile(optimizer=...)`.

`test_optimizers.py` fails for a class of `minitl.optimizers` without a case.
"""

from collections.abc import Callable
from typing import NamedTuple

import minitl.optimizers

NAMES = {
    "adadelta": "Adadelta",
    "adagrad": "Adagrad",
    "adam": "Adam",
    "adamax": "Adamax",
    "adamw": "AdamW",
    "nadam": "Nadam",
    "rmsprop": "RMSprop",
    "sgd": "SGD",
}  # Keras's name -> the class in minitl.optimizers


class OptimizerCase(NamedTuple):
    """An optimizer, and how it is compared with Keras's."""

    name: str
    make: Callable  # of a module like minitl.optimizers: makes the optimizer, a fresh one each time
    keras: bool | Callable = True  # Keras's twin: made by `make` too; by another function; or False: there is none
    # Where a number lies within rounding of ReLU's kink, two libraries may take different slopes. A step that is about
    # as long for a tiny gradient as for a large one, as Adam's, shows it: then 'tanh'.
    activation: str = "relu"  # of the network that is trained beside Keras's
    tolerance: float = 2e-5  # of the weights after twenty steps beside Keras's, relative to the largest
    golden: bool = False  # does tests/golden/training.npz have a peer's twenty steps under the case's name?

    def optimizer(self):
        """Return a new optimizer."""
        return self.make(minitl.optimizers)

    def keras_twin(self, keras_optimizers):
        """Return Keras's optimizer of the same kind; `keras_optimizers` is the module keras.optimizers."""
        return (self.make if self.keras is True else self.keras)(keras_optimizers)


def sgd(name, rate=0.02, golden=False, **arguments):
    """Return a case of SGD."""
    return OptimizerCase(name, lambda optimizers: optimizers.SGD(rate, **arguments), golden=golden)


def adam(name, keras=True, golden=False, **arguments):
    """Return a case of Adam."""
    return OptimizerCase(name, lambda optimizers: optimizers.Adam(0.01, **arguments), keras, "tanh", 5e-5, golden)


def rmsprop(name, **arguments):
    """Return a case of RMSprop."""
    return OptimizerCase(name, lambda optimizers: optimizers.RMSprop(0.01, **arguments), True, "tanh", 5e-5)


OPTIMIZERS = [
    sgd("plain", momentum=0.0),
    sgd("momentum", golden=True, momentum=0.9),
    sgd("nesterov", golden=True, momentum=0.9, nesterov=True),
    sgd("decay", weight_decay=0.05),
    sgd("momentum-decay", momentum=0.9, weight_decay=0.05),
    sgd("nesterov-decay", momentum=0.9, nesterov=True, weight_decay=0.05),
    sgd("clipnorm", 0.05, clipnorm=0.5, momentum=0.9),
    sgd("clipvalue", 0.05, clipvalue=0.03, momentum=0.9),
    sgd("global-clipnorm", 0.05, global_clipnorm=0.5, momentum=0.9),
    adam("adam", golden=True),
    adam("adam-decay", golden=True, weight_decay=0.05),
    adam("adam-betas", beta_1=0.8, beta_2=0.95, epsilon=1e-4),
    adam("adam-clipnorm", clipnorm=0.05),
    adam("adam-clipvalue", clipvalue=0.01),
    adam("adam-global-clipnorm", global_clipnorm=0.08),
    adam("adam-amsgrad", amsgrad=True),
    adam("adam-averages", use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=3),
    sgd("averages-at-the-end", use_ema=True, momentum=0.9),
    sgd("accumulated", 0.1, gradient_accumulation_steps=2, momentum=0.5, clipnorm=1.0, weight_decay=0.05),
    adam("adam-accumulated", gradient_accumulation_steps=2, amsgrad=True),
    rmsprop("rmsprop"),
    rmsprop("rmsprop-momentum-decay", rho=0.8, momentum=0.7, weight_decay=0.05),
    rmsprop("rmsprop-centered", momentum=0.5, centered=True, clipnorm=0.5),
    *(
        OptimizerCase(name, make, activation="tanh", tolerance=5e-5)
        for name, make in {
            "adamw": lambda optimizers: optimizers.AdamW(0.01),
            "adamw-decay": lambda optimizers: optimizers.AdamW(0.01, 0.05, beta_1=0.8, clipnorm=0.05),
            "nadam": lambda optimizers: optimizers.Nadam(0.01),
            "nadam-betas": lambda optimizers: optimizers.Nadam(0.01, 0.8, 0.95, weight_decay=0.05),
            "adamax": lambda optimizers: optimizers.Adamax(0.01),
            "adamax-betas": lambda optimizers: optimizers.Adamax(0.01, 0.8, 0.95, clipvalue=0.01),
            "adagrad": lambda optimizers: optimizers.Adagrad(0.05),
            "adagrad-start": lambda optimizers: optimizers.Adagrad(0.02, 0.0, 1e-3, weight_decay=0.05),
            "adadelta": lambda optimizers: optimizers.Adadelta(3.0),
            "adadelta-rho": lambda optimizers: optimizers.Adadelta(0.3, 0.8, 1e-4, global_clipnorm=0.5),
        }.items()
    ),
    # Rates that change
    OptimizerCase(
        "cosine", lambda optimizers: optimizers.SGD(optimizers.schedules.CosineDecay(0.05, 15, alpha=0.1), momentum=0.9)
    ),
    OptimizerCase(
        "cosine-warm-up",
        lambda optimizers: optimizers.SGD(
            optimizers.schedules.CosineDecay(0.0, 15, alpha=0.1, warmup_target=0.05, warmup_steps=4), momentum=0.9
        ),
    ),
    OptimizerCase(
        "adam-steps",
        lambda optimizers: optimizers.Adam(optimizers.schedules.PiecewiseConstantDecay([3, 9], [0.02, 0.01, 0.005])),
        activation="tanh",
        tolerance=5e-5,
    ),
    *(
        OptimizerCase(name, lambda optimizers, make=make: optimizers.SGD(make(optimizers.schedules), momentum=0.9))
        for name, make in {
            "exponential": lambda schedules: schedules.ExponentialDecay(0.05, 15, 0.8),
            "exponential-steps": lambda schedules: schedules.ExponentialDecay(0.05, 15, 0.8, staircase=True),
            "inverse-time": lambda schedules: schedules.InverseTimeDecay(0.05, 6, 2.0),
            "inverse-time-steps": lambda schedules: schedules.InverseTimeDecay(0.05, 6, 2.0, staircase=True),
            "cosine-restarts": lambda schedules: schedules.CosineDecayRestarts(0.05, 3, 2.0, 0.8, 0.1),
            "cosine-restarts-equal": lambda schedules: schedules.CosineDecayRestarts(0.05, 6, t_mul=1.0),
            "polynomial": lambda schedules: schedules.PolynomialDecay(0.05, 15, 0.01, power=2.0),
            "polynomial-cycle": lambda schedules: schedules.PolynomialDecay(0.05, 6, 0.01, cycle=True),
        }.items()
    ),
    OptimizerCase(
        "accumulated-cosine",
        lambda optimizers: optimizers.SGD(
            optimizers.schedules.CosineDecay(0.1, 15, alpha=0.1), gradient_accumulation_steps=2
        ),
    ),
    OptimizerCase(
        "adam-cosine",
        lambda optimizers: optimizers.Adam(optimizers.schedules.CosineDecay(0.02, 15, alpha=0.1)),
        activation="tanh",
        tolerance=5e-5,
    ),
    # What Keras does not have
    OptimizerCase("warm-up", lambda optimizers: optimizers.SGD(optimizers.WarmUp(0.05, 4), momentum=0.9), keras=False),
    OptimizerCase(
        "rates-by-layer",
        lambda optimizers: optimizers.SGD(0.05, momentum=0.9, rate_factors={"ea*": 0.5}),
        keras=False,
    ),
    OptimizerCase("towards-the-start", lambda optimizers: optimizers.SGD(0.05, momentum=0.9, l2_sp=0.1), keras=False),
    adam("adam-towards-the-start", keras=False, l2_sp=0.1, weight_decay=0.01),
]
GOLDEN = [case for case in OPTIMIZERS if case.golden]

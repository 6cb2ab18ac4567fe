"""Constraints against Keras: the parameters after steps of training, and files in both directions."""

import keras
import numpy as np
import pytest

import minitl
from minitl.models import load_model

from .compare import random

CONSTRAINTS = [
    lambda library: {"kernel_constraint": library.constraints.MaxNorm(0.7), "bias_constraint": "non_neg"},
    lambda library: {"kernel_constraint": library.constraints.MinMaxNorm(0.5, 1.5, rate=0.3, axis=[0])},
    lambda library: {"kernel_constraint": "unit_norm"},
]


def model_of(library, make):
    model = library.Sequential([library.layers.Input((5,)), library.layers.Dense(4, **make(library))])
    model.compile(library.optimizers.SGD(0.3, momentum=0.5), "mse")
    return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", CONSTRAINTS)
def test_parameters_after_steps_are_keras_s(make, tmp_path):
    ours, theirs = model_of(minitl, make), model_of(keras, make)
    ours.set_weights(theirs.get_weights())
    for step in range(4):
        x, y = random(8, 5, seed=step), random(8, 4, seed=step + 50)
        ours.train_on_batch(x, y)
        theirs.train_on_batch(x, y)
        for found, expected in zip(ours.get_weights(), theirs.get_weights()):
            np.testing.assert_allclose(found, expected, atol=1e-5)
    theirs.save(tmp_path / "theirs.keras")
    ours.save(tmp_path / "ours.keras")
    configs = [load_model(tmp_path / "theirs.keras"), keras.models.load_model(tmp_path / "ours.keras"), theirs]
    found = [each.layers[-1].get_config()["kernel_constraint"] for each in configs]
    assert found[0]["config"] == found[1]["config"] == found[2]["config"]

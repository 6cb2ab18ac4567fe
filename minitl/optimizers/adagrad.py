"""Adagrad: each number gets smaller steps the more it has been moved."""

import numpy as np

from ..arguments import keras_arguments, number
from .base import OF_ALL_OPTIMIZERS, Optimizer


class Adagrad(Optimizer):
    """Adagrad, where g is the gradient of parameter p. Duchi, Hazan & Singer 2011.

        a <- a + g^2                            the sum of all squares so far; it begins with initial_accumulator_value
        p <- p - lr g / sqrt(a + epsilon)

    Numbers that seldom have a gradient, such as the vector of a rare word, keep taking large steps.
    """

    name = "adagrad"

    @keras_arguments(after="global_clipnorm", **OF_ALL_OPTIMIZERS)
    def __init__(
        self,
        learning_rate=0.001,
        initial_accumulator_value=0.1,
        epsilon=1e-7,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        **shared,
    ):
        clipping = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        super().__init__(learning_rate, weight_decay, **clipping, **shared)
        self.initial_accumulator_value = number(initial_accumulator_value, "initial_accumulator_value", 0, 1e30)
        self.epsilon = number(epsilon, "epsilon", 0, 1)

    def start(self, parameter):
        """Return a."""
        return (np.full_like(parameter, self.initial_accumulator_value),)

    def update(self, parameter, gradient, squares):
        """Update a part of one parameter in place, with its a."""
        squares += gradient * gradient
        parameter -= self.rate * gradient / np.sqrt(squares + self.epsilon)

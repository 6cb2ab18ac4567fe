"""Adadelta: steps in the unit of the parameter, whatever the unit of the loss."""

import numpy as np

from ..arguments import keras_arguments, number
from .base import OF_ALL_OPTIMIZERS, Optimizer


class Adadelta(Optimizer):
    """Adadelta, where g is the gradient of parameter p. Zeiler 2012.

        v <- rho v + (1 - rho) g^2                              moving mean of the square of g
        step = sqrt(d + epsilon) / sqrt(v + epsilon) * g
        d <- rho d + (1 - rho) step^2                           moving mean of the square of the steps
        p <- p - lr step

    The paper has lr = 1.
    """

    name = "adadelta"

    @keras_arguments(after="global_clipnorm", **OF_ALL_OPTIMIZERS)
    def __init__(
        self,
        learning_rate=0.001,
        rho=0.95,
        epsilon=1e-7,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        **shared,
    ):
        clipping = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        super().__init__(learning_rate, weight_decay, **clipping, **shared)
        self.rho, self.epsilon = number(rho, "rho", 0, 1), number(epsilon, "epsilon", 0, 1)

    def start(self, parameter):
        """Return v and d, both 0."""
        return np.zeros_like(parameter), np.zeros_like(parameter)

    def update(self, parameter, gradient, square, of_steps):
        """Update a part of one parameter in place, with its v and d."""
        square *= self.rho
        square += gradient * gradient * (1 - self.rho)
        step = gradient * np.sqrt(of_steps + self.epsilon) / np.sqrt(square + self.epsilon)
        of_steps *= self.rho
        of_steps += step * step * (1 - self.rho)
        parameter -= self.rate * step

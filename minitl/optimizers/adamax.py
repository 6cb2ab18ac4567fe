"""Adamax: Adam with the largest recent gradient in the place of the mean of squares."""

import numpy as np

from ..arguments import keras_arguments, number
from .base import OF_ALL_OPTIMIZERS, Optimizer


class Adamax(Optimizer):
    """Adamax, where g is the gradient of parameter p. Kingma & Ba 2015, section 7.1.

    m <- beta_1 m + (1 - beta_1) g                      moving mean of g
    u <- max(beta_2 u, |g|)                             the largest gradient, which fades
    p <- p - lr / (1 - beta_1^t) m / (u + epsilon)      t is the number of the step
    """

    name = "adamax"

    @keras_arguments(after="global_clipnorm", **OF_ALL_OPTIMIZERS)
    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        **shared,
    ):
        clipping = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        super().__init__(learning_rate, weight_decay, **clipping, **shared)
        self.beta_1, self.beta_2 = number(beta_1, "beta_1", 0, 1 - 1e-9), number(beta_2, "beta_2", 0, 1 - 1e-9)
        self.epsilon = number(epsilon, "epsilon", 0, 1)

    def start(self, parameter):
        """Return m and u, both 0."""
        return np.zeros_like(parameter), np.zeros_like(parameter)

    def update(self, parameter, gradient, mean, largest):
        """Update a part of one parameter in place, with its m and u."""
        mean *= self.beta_1
        mean += gradient * (1 - self.beta_1)
        largest *= self.beta_2
        np.maximum(largest, np.abs(gradient), out=largest)
        corrected_rate = self.rate / (1 - self.beta_1**self.iterations)
        parameter -= corrected_rate * mean / (largest + self.epsilon)

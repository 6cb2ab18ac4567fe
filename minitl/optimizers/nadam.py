"""Nadam: Adam with Nesterov's look ahead."""

import math

import numpy as np

from ..arguments import keras_arguments, number
from .base import OF_ALL_OPTIMIZERS, Optimizer


class Nadam(Optimizer):
    """Nadam, where g is the gradient of parameter p. Dozat 2016.

        m <- beta_1 m + (1 - beta_1) g            v <- beta_2 v + (1 - beta_2) g^2        as in Adam
        u_t = beta_1 (1 - 0.96^t / 2)             the momentum of step t, which rises to beta_1
        m' = u_(t+1) m / (1 - u_1 ... u_(t+1)) + (1 - u_t) g / (1 - u_1 ... u_t)
        v' = v / (1 - beta_2^t)
        p <- p - lr m' / (sqrt(v') + epsilon)

    m' is the mean that m will be close to after the next step: g counts more in it, as in Nesterov's momentum.
    """

    name = "nadam"

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
        """Return m and v, both 0."""
        return np.zeros_like(parameter), np.zeros_like(parameter)

    def momentum(self, step):
        """Return u of a step, counted from 1."""
        return self.beta_1 * (1 - 0.5 * 0.96**step)

    def update(self, parameter, gradient, mean, square):
        """Update a part of one parameter in place, with its m and v."""
        t = self.iterations
        product = math.prod(self.momentum(step) for step in range(1, min(t, 10_000) + 1))  # 0 long before that
        u, u_next = self.momentum(t), self.momentum(t + 1)
        mean *= self.beta_1
        mean += gradient * (1 - self.beta_1)
        square *= self.beta_2
        square += gradient * gradient * (1 - self.beta_2)
        ahead = mean * (u_next / (1 - product * u_next)) + gradient * ((1 - u) / (1 - product))
        size = np.sqrt(square / (1 - self.beta_2**t)) + self.epsilon
        parameter -= self.rate * ahead / size

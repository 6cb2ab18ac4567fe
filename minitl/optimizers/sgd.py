"""Stochastic gradient descent."""

import numpy as np

from ..arguments import keras_arguments, number
from .base import OF_ALL_OPTIMIZERS, Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent, where g is the gradient of parameter p and v its velocity.

    plain       p <- p - lr g
    momentum    v <- momentum v - lr g;   p <- p + v
    nesterov    v <- momentum v - lr g;   p <- p + momentum v - lr g     (with the new v)
    """

    name = "sgd"

    @keras_arguments(after="global_clipnorm", **OF_ALL_OPTIMIZERS)
    def __init__(
        self,
        learning_rate=0.01,
        momentum=0.0,
        nesterov=False,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        **shared,
    ):
        clipping = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        super().__init__(learning_rate, weight_decay, **clipping, **shared)
        self.momentum, self.nesterov = number(momentum, "momentum", 0, 1), nesterov

    def start(self, parameter):
        """Return the velocity v, 0 at first; nothing without momentum."""
        return (np.zeros_like(parameter),) if self.momentum else ()

    def update(self, parameter, gradient, velocity=None):
        """Update a part of one parameter in place, with its velocity."""
        downhill = gradient * -self.rate
        if velocity is None:
            parameter += downhill
            return
        velocity *= self.momentum
        velocity += downhill
        if self.nesterov:
            downhill += self.momentum * velocity
            parameter += downhill
        else:
            parameter += velocity

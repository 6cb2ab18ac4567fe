"""RMSprop: each gradient is divided by its recent size. Keras's default in `compile`."""

import numpy as np

from ..arguments import keras_arguments, number
from .base import OF_ALL_OPTIMIZERS, Optimizer


class RMSprop(Optimizer):
    """RMSprop, where g is the gradient of parameter p. Hinton 2012 (lecture 6 of a course, never published).

        v <- rho v + (1 - rho) g^2                moving mean of the square of g
        step = lr g / sqrt(v + epsilon)
        p <- p - step

    centered    v is replaced by v - a^2, the variance, with a <- rho a + (1 - rho) g: the moving mean of g
    momentum    above 0: p <- p - b, with b <- momentum b + step
    """

    name = "rmsprop"

    @keras_arguments(after="global_clipnorm", **OF_ALL_OPTIMIZERS)
    def __init__(
        self,
        learning_rate=0.001,
        rho=0.9,
        momentum=0.0,
        epsilon=1e-7,
        centered=False,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        **shared,
    ):
        clipping = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        super().__init__(learning_rate, weight_decay, **clipping, **shared)
        self.rho, self.momentum = number(rho, "rho", 0, 1), number(momentum, "momentum", 0, 1)
        self.epsilon, self.centered = number(epsilon, "epsilon", 0, 1), centered

    def start(self, parameter):
        """Return v, then b if there is a momentum, then a if the step is centered. All are 0."""
        return tuple(np.zeros_like(parameter) for _ in range(1 + bool(self.momentum) + bool(self.centered)))

    def update(self, parameter, gradient, square, *others):
        """Move a part of one parameter in place, and its v, b and a."""
        square *= self.rho
        square += gradient * gradient * (1 - self.rho)
        if self.centered:
            mean = others[-1]
            mean *= self.rho
            mean += gradient * (1 - self.rho)
            size = np.maximum(square - mean * mean, 0)  # a variance; rounding may make it negative
        else:
            size = square.copy()
        size += self.epsilon
        np.sqrt(size, out=size)
        step = np.divide(gradient, size, out=size)
        step *= self.rate
        if self.momentum:
            momentum = others[0]
            momentum *= self.momentum
            momentum += step
            step = momentum
        parameter -= step

"""Adam: steps of about the same size for every parameter."""

import math

import numpy as np

from ..arguments import keras_arguments, number, truth_value
from ..kernels.memory import empty
from .base import OF_ALL_OPTIMIZERS, Optimizer


class Adam(Optimizer):
    """Adam: each parameter moves by about lr a step, unless its gradient is tiny. Kingma & Ba 2015.

        m <- beta_1 m + (1 - beta_1) g            moving mean of the gradient g
        v <- beta_2 v + (1 - beta_2) g^2          moving mean of its square
        p <- p - lr' m / (sqrt(v) + epsilon)      lr' = lr sqrt(1 - beta_2^t) / (1 - beta_1^t)

    m and v start at 0, so they are too small at first. The factor in lr' corrects this. t is the number of the step. In
    the first one, m = (1 - beta_1) g and v = (1 - beta_2) g^2, so

        m / sqrt(v) = sign(g) (1 - beta_1) / sqrt(1 - beta_2)

    lr' has the inverse of this factor, and the parameter moves by lr. That holds while |g| is far above epsilon /
    sqrt(1 - beta_2) = 3e-6: for g = 1e-6 the first step is 0.24 lr.

    With amsgrad=True, the largest v so far stands in the place of v, so that large gradients are not forgotten. Reddi,
    Kale & Kumar 2018.
    """

    name = "adam"

    @keras_arguments(after="global_clipnorm", **OF_ALL_OPTIMIZERS)
    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        amsgrad=False,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        **shared,
    ):
        clipping = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        super().__init__(learning_rate, weight_decay, **clipping, **shared)
        self.beta_1, self.beta_2 = number(beta_1, "beta_1", 0, 1 - 1e-9), number(beta_2, "beta_2", 0, 1 - 1e-9)
        self.epsilon, self.amsgrad = number(epsilon, "epsilon", 0, 1e6), truth_value(amsgrad, "amsgrad")

    def start(self, parameter):
        """Return m and v, both 0; and with amsgrad the largest v so far."""
        return tuple(np.zeros_like(parameter) for _ in range(3 if self.amsgrad else 2))

    def update(self, parameter, gradient, mean, square, largest=None):
        """Update a part of one parameter in place, with its m and v."""
        t = self.iterations
        corrected_rate = self.rate * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        # Keras computes m + (g - m) (1 - beta_1). Its rounding leaves something of an old, large m even for beta_1 = 0.
        work = empty(parameter.shape, parameter.dtype, is_scratch=True)
        mean *= self.beta_1
        mean += np.multiply(gradient, 1 - self.beta_1, out=work)
        np.multiply(gradient, gradient, out=work)
        work *= 1 - self.beta_2
        square *= self.beta_2
        square += work
        if largest is not None:
            square = np.maximum(largest, square, out=largest)
        step = np.sqrt(square, out=work)
        step += self.epsilon
        np.divide(mean, step, out=step)
        step *= corrected_rate
        parameter -= step

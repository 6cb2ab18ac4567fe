"""How parameters move against their gradients. The update rules are Keras's, sign for sign.

    optimizer.step(model)      after model.backward: every trainable parameter moves, in place

A step first looks at all gradients and refuses to move anything if one is not finite. What an optimizer remembers
(momentum, ...) is kept for each parameter, so freezing and unfreezing layers between steps needs no preparation.
"""

import math

import numpy as np

from .errors import ArgumentError, DivergedError


class Optimizer:
    """What the optimizers share: the learning rate, the walk over the parameters, the check, the weight decay.

    learning_rate   `lr` is accepted as well; may be changed at any time
    weight_decay    None, or the share of every parameter that is taken off in a step, times the learning rate. It is
                    *decoupled*: not a part of the gradient (Loshchilov & Hutter 2019), as in Keras
    """

    def __init__(self, learning_rate, weight_decay=None, lr=None):
        self.learning_rate = learning_rate if lr is None else lr
        if not self.learning_rate >= 0:
            raise ArgumentError(f"learning_rate is {self.learning_rate!r}; expected a number of at least 0.")
        self.weight_decay = weight_decay
        self.iterations = 0  # steps taken
        self.state = {}  # (layer, parameter name) -> what `update` remembers of it

    @property
    def lr(self):
        return self.learning_rate

    @lr.setter
    def lr(self, value):
        self.learning_rate = value

    def step(self, model):
        """Move every trainable parameter of `model`, in place, by the gradients of its latest backward."""
        updates = [
            (layer, name, layer.gradients[name])
            for layer in model.layers
            for name in layer.trainable_names
            if name in layer.gradients
        ]
        for layer, name, gradient in updates:
            if not all_finite(gradient):
                raise DivergedError(
                    f"step {self.iterations + 1}: the gradient of '{layer.name}' {name} is not finite. Nothing was "
                    f"updated. Try a learning rate below {self.learning_rate:g}, or normalize the layer's input."
                )
        self.iterations += 1
        for layer, name, gradient in updates:
            parameter = getattr(layer, name)
            if (layer, name) not in self.state:
                self.state[layer, name] = self.start(parameter)
            if self.weight_decay:
                parameter *= 1 - self.weight_decay * self.learning_rate
            self.update(parameter, gradient, *self.state[layer, name])

    def start(self, parameter):
        """The arrays to remember for a parameter that is seen for the first time."""
        return ()

    def update(self, parameter, gradient, *state):
        """Move one parameter in place. `gradient` is left as it is."""
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent, g the gradient:

    plain       p <- p - lr g
    momentum    v <- momentum v - lr g;   p <- p + v
    nesterov    v <- momentum v - lr g;   p <- p + momentum v - lr g     (a look one step ahead)
    """

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=None, lr=None):
        super().__init__(learning_rate, weight_decay, lr)
        if not 0 <= momentum <= 1:
            raise ArgumentError(f"momentum is {momentum!r}; expected a number from 0 to 1.")
        self.momentum, self.nesterov = momentum, nesterov

    def start(self, parameter):
        return (np.zeros_like(parameter),) if self.momentum else ()

    def update(self, parameter, gradient, velocity=None):
        downhill = gradient * -self.learning_rate
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


class Adam(Optimizer):
    """Each parameter gets a step of about lr, whatever the size of its gradient. Kingma & Ba 2015.

        m <- beta_1 m + (1 - beta_1) g            mean of the gradient
        v <- beta_2 v + (1 - beta_2) g^2          mean of its square
        p <- p - lr' m / (sqrt(v) + epsilon)      lr' = lr sqrt(1 - beta_2^t) / (1 - beta_1^t)

    m and v start at 0 and are too small at first; the factor in lr' makes up for it (t counts the steps).
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=None, lr=None):
        super().__init__(learning_rate, weight_decay, lr)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def start(self, parameter):
        return np.zeros_like(parameter), np.zeros_like(parameter)

    def update(self, parameter, gradient, mean, square):
        t = self.iterations
        corrected_rate = self.learning_rate * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        mean += (gradient - mean) * (1 - self.beta_1)
        square += (gradient * gradient - square) * (1 - self.beta_2)
        step = np.sqrt(square)
        step += self.epsilon
        np.divide(mean, step, out=step)
        step *= corrected_rate
        parameter -= step


OPTIMIZERS = {"adam": Adam, "sgd": SGD}


def get(optimizer):
    """An `Optimizer` from its Keras name, or the thing itself if it is one already."""
    if isinstance(optimizer, str) and optimizer.lower() in OPTIMIZERS:
        return OPTIMIZERS[optimizer.lower()]()
    if hasattr(optimizer, "step"):
        return optimizer
    raise ArgumentError(f"optimizer is {optimizer!r}; expected one of {', '.join(OPTIMIZERS)}, or an Optimizer.")


def all_finite(array):
    """No NaN and no infinity. Either one makes the sum not finite, and the sum makes no large temporary array; only a
    sum that overflowed by itself needs the second look."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())

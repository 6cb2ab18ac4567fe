"""How parameters move against their gradients. The update rules are Keras's, sign for sign.

    optimizer.step(model)      after model.backward: every trainable parameter moves, in place

A step first looks at all gradients and refuses to move anything if one is not finite, or too large to step by. What an
optimizer remembers (momentum, ...) is kept for each parameter, so freezing and unfreezing layers between steps needs no
preparation.
"""

import math
from fnmatch import fnmatchcase

import numpy as np

from ..arguments import number
from ..errors import ArgumentError, DivergedError, GraphError, ShapeError, warn_of_mistake
from ..kernels.parallel import share, slices
from .schedules import LARGEST_RATE, rate

BLOCK_SIZE = 2**17  # numbers of a parameter that are updated at a time
LARGEST_GRADIENT = 1e18  # its square, which Adam takes, still fits into float32 (3.4e38)
LARGEST_STEP = LARGEST_RATE  # times a gradient: far enough from 3.4e38 for parameters and momentum to stay finite


class Optimizer:
    """What the optimizers share: the learning rate, the walk over the parameters, the check, the weight decay.

    learning_rate   a number, which may be changed at any time, or a schedule: a function of the steps taken, such as
                    `CosineDecay`. `lr` is accepted as well
    clipnorm        None, or the largest norm of a parameter's gradient: a longer one is shortened to it
    global_clipnorm the same for the gradients of all parameters taken together, which keeps their direction
    clipvalue       None, or the largest number in a gradient: larger ones are cut off
    weight_decay    None, or the share of every parameter that is taken off in a step, times the learning rate. It is
                    *decoupled*: not a part of the gradient (Loshchilov & Hutter 2019), as in Keras
    l2_sp           None, or the same towards p0 instead of 0, for parameters that came from a file: p <- p - lr l2_sp
                    (p - p0), where p0 is what this optimizer found at its first step. What fine-tuning starts from is
                    a better guess than nothing (Li, Grandvalet & Davoine 2018). weight_decay is then for the other
                    parameters alone
    rate_factors    {pattern of layer names: factor} for layers that move at another rate, as {"block5_*": 0.1}; the
                    first pattern that matches counts, and where none does, the factor is 1

    A subclass writes `start` and `update`. It has a `name`, Keras's, for compile(optimizer=...), and may name
    attributes that its steps change:

    working_state   what lasts no longer than a step; arrays need not be named
    remembers       what lasts from step to step beside `state`: numbers, text and arrays. A checkpoint keeps them

    All other attributes are settings: a training that goes on from a checkpoint must have the same.
    """

    name = None
    working_state = ("iterations", "rate", "start_points", "state")  # checkpoints know these by name
    remembers = ()

    def __init__(
        self,
        learning_rate,
        weight_decay=None,
        lr=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        l2_sp=None,
        rate_factors=None,
    ):
        self.iterations = 0  # steps taken
        self.learning_rate = learning_rate if lr is None else lr
        self.weight_decay = weight_decay and number(weight_decay, "weight_decay", 0, 1e6)
        self.l2_sp = l2_sp and number(l2_sp, "l2_sp", 0, 1e6)
        self.rate_factors = _checked_factors(rate_factors or {})
        clipping = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        given = {name: value for name, value in clipping.items() if value is not None}
        self.clipping = {name: number(value, name, 0, 1e30) for name, value in given.items()}
        if len(self.clipping) > 1 or 0 in self.clipping.values():
            raise ArgumentError(f"{self.clipping}: expected one of clipnorm, clipvalue and global_clipnorm, above 0.")
        self.state = {}  # (layer, parameter name) -> what `update` remembers of it
        self.start_points = {}  # (layer, parameter name) -> what it was before its first step; for l2_sp

    @property
    def learning_rate(self):
        """Of the next step. While a step is taken, `rate` is that of this one."""
        return self._learning_rate if self._schedule is None else self._scheduled(self.iterations)

    @learning_rate.setter
    def learning_rate(self, value):
        self._schedule = value if callable(value) else None
        self._learning_rate = self._scheduled(self.iterations) if callable(value) else rate(value)

    lr = learning_rate

    def _scheduled(self, step):
        return rate(float(self._schedule(step)))

    def step(self, model):
        """Move every trainable parameter of `model`, in place, by the gradients of its latest backward."""
        if getattr(model, "overwritten", None):
            raise GraphError(
                f"the gradients of '{model.overwritten[0]}' are no longer those of '{model.name}': another model that "
                "shares the layer has run backward since. Step with one model before the other's backward."
            )
        updates = [
            (layer, name, layer.gradients[name])
            for layer in model.layers
            for name in layer.trainable_names
            if name in layer.gradients
        ]
        if not updates and not any(layer.trainable and layer.statistic_names for layer in model.layers):
            warn_of_mistake(
                "a step has moved nothing: every layer with parameters is frozen, or backward was not called. "
                "transfer.unfreeze opens layers.",
                "head-frozen-too",
            )
        for layer, name, gradient in updates:
            expected = getattr(layer, name).shape
            if np.shape(gradient) != expected:
                raise ShapeError(
                    f"layer '{layer.name}': the gradient of {name} has shape {np.shape(gradient)}, expected "
                    f"{expected}. Nothing was updated; see the layer's backward."
                )
        self._refuse_overflow(updates)
        learning_rate = self.learning_rate
        self.iterations += 1
        by_rate = {}
        for (layer, name, _), gradient in zip(updates, self._clipped([gradient for _, _, gradient in updates])):
            parameter = getattr(layer, name)
            if (layer, name) not in self.state:
                self.state[layer, name] = self.start(parameter)
                if self.l2_sp and name in layer.origins:
                    self.start_points[layer, name] = parameter.copy()
            together = self.start_points.get((layer, name)), (parameter, gradient, *self.state[layer, name])
            by_rate.setdefault(learning_rate * self._factor(layer), []).append(together)
        for self.rate, together in by_rate.items():
            self._update_in_blocks(together)
        for layer in {layer for layer, _, _ in updates}:
            layer.updates += 1

    def _factor(self, layer):
        return next((f for pattern, f in self.rate_factors.items() if fnmatchcase(layer.name, pattern)), 1.0)

    def _clipped(self, gradients):
        """The gradients, made smaller where they are larger than allowed."""
        if "clipvalue" in self.clipping:
            most = self.clipping["clipvalue"]
            return [np.clip(gradient, -most, most) for gradient in gradients]
        if "clipnorm" in self.clipping:
            most = self.clipping["clipnorm"]
            return [_shortened(gradient, _norm(gradient), most) for gradient in gradients]
        if "global_clipnorm" in self.clipping:
            norm = math.sqrt(sum(_norm(gradient) ** 2 for gradient in gradients))
            return [_shortened(gradient, norm, self.clipping["global_clipnorm"]) for gradient in gradients]
        return gradients

    def _update_in_blocks(self, together):
        """The decay and `update` of several parameters, each (start point or None, its arrays), a part after the other.
        Each number is moved on its own, so this changes no result; but a part stays in the cache for all the operations
        of an update, and threads share the parts. (Adam on 26 million parameters: 107 ms instead of 195.)"""
        parts = []
        for start_point, arrays in together:
            arrays = arrays if start_point is None else (*arrays, start_point)
            is_flat = all(array.flags.c_contiguous for array in arrays)
            if is_flat:
                arrays = [array.reshape(-1) for array in arrays]  # views: what moves is the parameter itself
            blocks = _blocks(arrays[0]) if is_flat else [...]  # [...]: in one piece
            parts += [(start_point is not None, arrays, block) for block in blocks]

        def work(parts):
            for has_start_point, arrays, block in parts:
                parameter, gradient, *state = (array[block] for array in arrays)
                if has_start_point:
                    parameter -= (parameter - state.pop()) * (self.l2_sp * self.rate)
                elif self.weight_decay:
                    parameter *= 1 - self.weight_decay * self.rate
                self.update(parameter, gradient, *state)

        share(work, parts)

    def _refuse_overflow(self, updates):
        """Raise DivergedError for a gradient that is not finite, or so large that the update would not be."""
        extremes = [[] for _ in updates]

        def find(parts):
            for found, block in parts:
                found.extend([block.max(), -block.min()])

        flat = [(found, gradient.reshape(-1)) for found, (_, _, gradient) in zip(extremes, updates)]
        share(find, [(found, gradient[block]) for found, gradient in flat for block in _blocks(gradient)])
        for (layer, name, _), found in zip(updates, extremes):
            largest = float(np.max(found))  # NaN if one is in there
            if largest <= LARGEST_GRADIENT and largest * self.learning_rate <= LARGEST_STEP:
                continue
            what = f"reaches {largest:.3g}" if math.isfinite(largest) else "is not finite"
            raise DivergedError(
                f"step {self.iterations + 1}: the gradient of '{layer.name}' {name} {what}. Nothing was updated. Try a "
                f"learning rate below {self.learning_rate:g}, or normalize the layer's input."
            )

    def start(self, parameter):
        """The arrays to remember for a parameter that is seen for the first time."""
        return ()

    def update(self, parameter, gradient, *state):
        """Move a part of one parameter in place. `gradient` is left as it is; all arrays are (numbers,)."""
        raise NotImplementedError


def _checked_factors(factors):
    if not isinstance(factors, dict) or not all(isinstance(pattern, str) for pattern in factors):
        raise ArgumentError(f"rate_factors is {factors!r}; expected {{pattern of layer names: factor}}.")
    return {pattern: number(factor, f"rate_factors['{pattern}']", 0, 1e3) for pattern, factor in factors.items()}


def _norm(gradient):
    """In float64, where no square can overflow."""
    return math.sqrt(np.einsum("i,i->", *[gradient.reshape(-1)] * 2, dtype=np.float64))


def _shortened(gradient, norm, most):
    """The gradient, times most / norm if its norm is larger than that."""
    return gradient * (most / norm) if norm > most else gradient


def _blocks(flat):
    return slices(flat.size, -(-flat.size // BLOCK_SIZE))

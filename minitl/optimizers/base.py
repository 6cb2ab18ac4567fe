"""The base of all optimizers, which move parameters against their gradients. The update rules are exactly Keras's.

    optimizer.step(model)      after model.backward: every trainable parameter moves, in place

A step first checks all gradients. If one is not finite, or is too large, it raises an error and moves nothing. The
state of an optimizer (momentum, ...) is kept for each parameter, so layers can be frozen and unfrozen between steps
without any preparation.
"""

import inspect
import math
from fnmatch import fnmatchcase

import numpy as np

from .. import constraints
from ..arguments import NAME, NotHere, OfBase, call_text, keras_arguments, number
from ..configured import Configured, plain
from ..errors import ArgumentError, DivergedError, GraphError, ShapeError, warn_of_mistake
from ..kernels.parallel import share, slices
from ..regularizers import with_slope
from .averaging import accumulated, average_parameters, checked_averaging, put_averages
from .schedules import LARGEST_RATE, deserialize, rate

BLOCK_SIZE = 2**17  # numbers of a parameter that are updated at a time
LARGEST_GRADIENT = 1e18  # its square, which Adam computes, still fits into float32 (up to 3.4e38)
LARGEST_STEP = LARGEST_RATE  # of rate times gradient: parameters and momentum stay far below 3.4e38

LOSS_SCALE = NotHere(instead="float32 needs no scaling of the loss.")
# Keras's arguments of all optimizers, which stand behind global_clipnorm
OF_ALL_OPTIMIZERS = {
    "use_ema": OfBase(False),
    "ema_momentum": OfBase(0.99),
    "ema_overwrite_frequency": OfBase(),
    "loss_scale_factor": LOSS_SCALE,
    "gradient_accumulation_steps": OfBase(),
    "name": NAME,
}


class Optimizer(Configured):
    """The base of all optimizers: learning rate, checks, clipping, weight decay, and the loop over the parameters.

    learning_rate   a number, which may be changed at any time, or a schedule: a function of the number of steps taken,
                    such as `CosineDecay`, or a function without arguments. A schedule can be replaced only by another
                    schedule. `lr` is another name for learning_rate
    clipnorm        None, or the largest norm of a parameter's gradient: a longer gradient is scaled to this norm
    global_clipnorm None, or the largest norm of all gradients together: they are scaled alike, so the step keeps its
                    direction
    clipvalue       None, or the largest absolute value in a gradient: larger numbers are cut off
    weight_decay    None, or a number: each step first does p <- p - lr weight_decay p. This is *decoupled*: not a part
                    of the gradient (Loshchilov & Hutter 2019), as in Keras. So clipping does not touch it
    use_ema, ema_momentum, ema_overwrite_frequency, gradient_accumulation_steps
                    averages of parameters, and of gradients: `averaging` describes them
    l2_sp           None, or a number: each step first does p <- p - lr l2_sp (p - p0), for parameters that were loaded
                    from a file. This pulls p towards p0, its value before this optimizer's first step. The start of
                    fine-tuning is a better guess than 0 (Li, Grandvalet & Davoine 2018). weight_decay then acts on the
                    other parameters only
    rate_factors    {pattern of layer names: factor} for layers with another learning rate, such as {"block5_*": 0.1}.
                    The first pattern that matches counts; the factor of the other layers is 1. It multiplies lr in all
                    formulas, so it scales weight_decay and the pull of l2_sp, too: with lr 0.01, l2_sp 0.1 and the
                    factor 0.1, a step takes away 0.01 * 0.1 * 0.1 = 1e-4 of the distance p - p0, not 1e-3

    A subclass defines `start` and `update`. Its `name` is Keras's, for compile(optimizer=...). It may list attributes
    that its steps change:

    working_state   attributes that last no longer than a step; arrays need not be named
    remembers       attributes that last from step to step, beside `state`: numbers, text and arrays. A checkpoint keeps
                    them

    All other attributes are settings: training resumed from a checkpoint must have the same.
    """

    name: str | None = None
    working_state = ("iterations", "rate", "start_points", "state")  # checkpoints know these by name
    remembers: tuple = ("waiting",)

    @keras_arguments(after="gradient_accumulation_steps", name=NAME)
    @keras_arguments(after="ema_overwrite_frequency", loss_scale_factor=LOSS_SCALE)
    def __init__(
        self,
        learning_rate,
        weight_decay=None,
        lr=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        use_ema=False,
        ema_momentum=0.99,
        ema_overwrite_frequency=None,
        gradient_accumulation_steps=None,
        l2_sp=None,
        rate_factors=None,
        **others,
    ):
        if others:
            found = ", ".join(f"{name}={value!r}" for name, value in others.items())
            raise ArgumentError(f"{type(self).__name__} has no argument {found} in minitl.")
        self.iterations = 0  # steps taken
        self.averaging = checked_averaging(use_ema, ema_momentum, ema_overwrite_frequency, gradient_accumulation_steps)
        self.waiting = 0  # batches whose gradients have been added up since the latest step
        self.learning_rate = learning_rate if lr is None else lr
        self.weight_decay = weight_decay and number(weight_decay, "weight_decay", 0, 1e6)
        self.l2_sp = l2_sp and number(l2_sp, "l2_sp", 0, 1e6)
        self.undecayed = []  # words in the names of parameters that do not decay: `exclude_from_weight_decay`
        self.rate_factors = _checked_factors(rate_factors or {})
        clipping = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        given = {name: value for name, value in clipping.items() if value is not None}
        self.clipping = {name: number(value, name, 0, 1e30) for name, value in given.items()}
        if len(self.clipping) > 1 or 0 in self.clipping.values():
            raise ArgumentError(f"{self.clipping}: expected one of clipnorm, clipvalue and global_clipnorm, above 0.")
        self.state = {}  # (layer, parameter name) -> the arrays that `update` keeps for it, and a sum or average
        self.start_points = {}  # (layer, parameter name) -> p0, its copy before the first step; for l2_sp

    def __repr__(self):
        shared = {"l2_sp": self.l2_sp, "rate_factors": self.rate_factors or None, **self.clipping, **self.averaging}
        return call_text(self, learning_rate=self._schedule or self._learning_rate, **shared)

    clipnorm = property(lambda self: self.clipping.get("clipnorm"))
    clipvalue = property(lambda self: self.clipping.get("clipvalue"))
    global_clipnorm = property(lambda self: self.clipping.get("global_clipnorm"))
    use_ema = property(lambda self: self.averaging.get("use_ema", False))
    ema_momentum = property(lambda self: self.averaging.get("ema_momentum", 0.99))
    ema_overwrite_frequency = property(lambda self: self.averaging.get("ema_overwrite_frequency"))
    gradient_accumulation_steps = property(lambda self: self.averaging.get("gradient_accumulation_steps"))

    def get_config(self):
        """Return the constructor's arguments for an equal optimizer, a schedule of its rate as data. The state is not
        among them."""
        own = {"l2_sp": self.l2_sp, "rate_factors": self.rate_factors or None}
        return {
            "name": self.name,
            **super().get_config(),
            "learning_rate": plain(self._schedule or self._learning_rate),
            "weight_decay": self.weight_decay,
            **dict.fromkeys(("clipnorm", "clipvalue", "global_clipnorm")),
            **self.clipping,
            **self.averaging,
            **{name: value for name, value in own.items() if value},
        }

    @classmethod
    def from_config(cls, config):
        """Return an optimizer with the arguments of `get_config`."""
        is_schedule = isinstance(config.get("learning_rate"), dict)
        return cls(**{**config, "learning_rate": deserialize(config["learning_rate"])} if is_schedule else config)

    @property
    def learning_rate(self):
        """Return the learning rate of the next step. During a step, `rate` is the rate of this step. A schedule counts
        batches, also those whose gradients are only added up."""
        batches = self.iterations * (self.gradient_accumulation_steps or 1) + self.waiting
        return self._learning_rate if self._schedule is None else self._scheduled(batches)

    @learning_rate.setter
    def learning_rate(self, value):
        if not callable(value) and getattr(self, "_schedule", None) is not None:
            raise ArgumentError(
                f"learning_rate is {value!r}, but the optimizer has a schedule ({type(self._schedule).__name__}), "
                "which sets the rate of every step. Set another schedule, or make the optimizer with a number."
            )
        self._schedule = value if callable(value) else None
        self._takes_step = callable(value) and bool(inspect.signature(value).parameters)
        self._learning_rate = self.learning_rate if callable(value) else rate(value)

    lr = learning_rate

    def _scheduled(self, step):
        """Return the schedule's learning rate after `step` steps."""
        return rate(float(self._schedule(step) if self._takes_step else self._schedule()))

    def step(self, model) -> None:
        """Move every trainable parameter of `model`, in place, by the gradients of its latest backward."""
        if getattr(model, "overwritten", None):
            raise GraphError(
                f"the gradients of '{model.overwritten[0]}' are no longer those of '{model.name}': another model that "
                "shares the layer has run backward since. Call step for one model before backward of the other."
            )
        updates = [
            (layer, name, with_slope(layer, name, layer.gradients[name]))
            for layer in model.layers
            for name in layer.trainable_names
            if name in layer.gradients
        ]
        if not updates and not any(layer.trainable and layer.statistic_names for layer in model.layers):
            warn_of_mistake(
                "a step has moved nothing: every layer with parameters is frozen, or backward was not called. "
                "Call transfer.unfreeze, or backward before step.",
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
        if self.gradient_accumulation_steps:
            means = accumulated(self, updates)
            if self.waiting:
                constraints.apply(updates)  # they hold behind every batch, as in Keras
                return
            updates = means
        self.iterations += 1
        by_rate = {}
        for (layer, name, _), gradient in zip(updates, self._clipped([gradient for _, _, gradient in updates])):
            arrays = self.arrays_of(layer, name)[: -1 if self.averaging else None]
            decays = not any(word in name for word in self.undecayed)
            update = self.start_points.get((layer, name)), decays, (getattr(layer, name), gradient, *arrays)
            by_rate.setdefault(learning_rate * self._factor(layer), []).append(update)
        for self.rate, updates_at_rate in by_rate.items():
            self._update_in_blocks(updates_at_rate)
        if self.use_ema:
            average_parameters(self, updates)
        constraints.apply(updates)
        for layer in {layer for layer, _, _ in updates}:
            layer.updates += 1

    def arrays_of(self, layer, name):
        """Return the arrays that are kept for a parameter. Its first step makes them."""
        if (layer, name) not in self.state:
            parameter = getattr(layer, name)
            average = [parameter.copy() if self.use_ema else np.zeros_like(parameter)] if self.averaging else []
            self.state[layer, name] = (*self.start(parameter), *average)
            if self.l2_sp and name in layer.origins:
                self.start_points[layer, name] = parameter.copy()
        return self.state[layer, name]

    def finalize_variable_values(self, var_list=None):
        """Give parameters the values of their averages, with use_ema: those among the arrays `var_list`, or all."""
        if self.use_ema:
            put_averages(self, var_list)

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """Let parameters be without weight decay whose names contain one of the words `var_names`, such as "bias".

        Decay makes a weight smaller that nothing holds up. A bias or the gamma of a normalization, whose right size may
        be 1 or 5, gains nothing by it. Keras's other way to say it, a `var_list` of variables, is not here: parameters
        of minitl are arrays.
        """
        if var_list is not None:
            raise ArgumentError("var_list is not here: give var_names, words in the names of the parameters.")
        if isinstance(var_names, str) or not all(isinstance(word, str) for word in var_names or ()):
            raise ArgumentError(f"var_names is {var_names!r}; expected a list of words, such as ['bias', 'gamma'].")
        self.undecayed = [*self.undecayed, *(var_names or ())]

    def _factor(self, layer):
        """Return the rate factor of a layer."""
        return next((f for pattern, f in self.rate_factors.items() if fnmatchcase(layer.name, pattern)), 1.0)

    def _clipped(self, gradients):
        """Return the gradients, made smaller where they are larger than allowed."""
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

    def _update_in_blocks(self, updates):
        """Decay and update several parameters, block by block. Each is given as (start point or None, whether it
        decays, its arrays).

        Each number moves on its own, so blocks change no result. But a block stays in the cache for all operations of
        an update, and threads share the blocks. (Adam on 26 million parameters: 107 ms instead of 195.)
        """
        parts = []
        for start_point, decays, arrays in updates:
            arrays = arrays if start_point is None else (*arrays, start_point)
            is_flat = all(array.flags.c_contiguous for array in arrays)
            if is_flat:
                arrays = [array.reshape(-1) for array in arrays]  # views, so that the parameter itself moves
            blocks = _blocks(arrays[0]) if is_flat else [...]  # [...]: one block, the whole array
            parts += [(start_point is not None, decays, arrays, block) for block in blocks]

        def work(parts):
            for has_start_point, decays, arrays, block in parts:
                parameter, gradient, *state = (array[block] for array in arrays)
                if has_start_point:  # self.rate is lr times the layer's rate factor, so the factor scales the pull, too
                    parameter -= (parameter - state.pop()) * (self.l2_sp * self.rate)
                elif self.weight_decay and decays:
                    parameter *= 1 - self.weight_decay * self.rate
                self.update(parameter, gradient, *state)

        _share(work, parts, sum(arrays[0].size for _, _, arrays in updates))

    def _refuse_overflow(self, updates):
        """Raise DivergedError if a gradient is not finite, or so large that its update would not be finite."""
        extremes = [[] for _ in updates]

        def find(parts):
            for found, block in parts:
                found.extend([block.max(), -block.min()])

        flat = [(found, gradient.reshape(-1)) for found, (_, _, gradient) in zip(extremes, updates)]
        parts = [(found, gradient[block]) for found, gradient in flat for block in _blocks(gradient)]
        _share(find, parts, sum(gradient.size for _, gradient in flat))
        for (layer, name, _), found in zip(updates, extremes):
            largest = float(np.max(found))  # NaN if the gradient holds one
            if largest <= LARGEST_GRADIENT and largest * self.learning_rate <= LARGEST_STEP:
                continue
            size = f"reaches {largest:.3g}" if math.isfinite(largest) else "is not finite"
            raise DivergedError(
                f"step {self.iterations + 1}: the gradient of '{layer.name}' {name} {size}. Nothing was updated. Try a "
                f"learning rate below {self.learning_rate:g}, or normalize the layer's input."
            )

    def start(self, parameter):
        """Return the arrays to keep for a parameter, before its first update."""
        return ()

    def update(self, parameter, gradient, *state):
        """Move a block of one parameter in place. All arrays have the block's shape. `gradient` must not change."""
        raise NotImplementedError


def _checked_factors(factors):
    """Return rate_factors, or raise ArgumentError."""
    if not isinstance(factors, dict) or not all(isinstance(pattern, str) for pattern in factors):
        raise ArgumentError(f"rate_factors is {factors!r}; expected {{pattern of layer names: factor}}.")
    return {pattern: number(factor, f"rate_factors['{pattern}']", 0, 1e3) for pattern, factor in factors.items()}


def _share(work, parts, size):
    """Share parts of `size` numbers in all between the threads, if they are more than two blocks.

    For less, as in a small head, waking another thread takes longer than the work itself.
    """
    return share(work, parts) if size > 2 * BLOCK_SIZE else work(parts)


def _norm(gradient):
    """Return the norm of a gradient, computed in float64, where no square can overflow."""
    return math.sqrt(np.einsum("i,i->", *[gradient.reshape(-1)] * 2, dtype=np.float64))


def _shortened(gradient, norm, most):
    """Return the gradient, scaled to the norm `most` if `norm` is larger."""
    return gradient * (most / norm) if norm > most else gradient


def _blocks(flat):
    """Return slices of a flat array with about BLOCK_SIZE numbers each."""
    return slices(flat.size, -(-flat.size // BLOCK_SIZE))

"""Learning rate schedules: functions of the number of steps taken, for an optimizer's `learning_rate`."""

import math

from ..arguments import NAME, call_text, keras_arguments, number, whole_number
from ..configured import Configured, from_data, plain
from ..errors import ArgumentError
from ..not_here import missing

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "WarmUp",
    "deserialize",
    "serialize",
]
LARGEST_RATE = 1e30  # far above every rate that makes sense


class LearningRateSchedule(Configured):
    """The base of the schedules, for a schedule of your own. An optimizer takes any function of the number of steps."""

    def __repr__(self):
        return call_text(self)

    def __call__(self, step):
        """Return the learning rate after `step` steps."""
        raise ArgumentError(f"class {type(self).__name__} has no __call__(step), which returns the learning rate.")


class CosineDecay(LearningRateSchedule):
    """A learning rate that falls along half a cosine, after a linear warm-up.

        warm-up, step < warmup_steps     initial + (warmup_target - initial) * step / warmup_steps
        then, s = step - warmup_steps    rate * ((1 - alpha) * (1 + cos(pi * min(s / decay_steps, 1))) / 2 + alpha)

    rate is warmup_target if it is given, else initial_learning_rate. The last value is alpha * rate. Without a
    warmup_target there is no warm-up, and s = step.
    """

    @keras_arguments(after="alpha", name=NAME)
    def __init__(self, initial_learning_rate, decay_steps, alpha=0.0, warmup_target=None, warmup_steps=0):
        self.initial_learning_rate = rate(initial_learning_rate)
        self.warmup_target = warmup_target and rate(warmup_target)
        self.decay_steps, self.warmup_steps = whole_number(decay_steps, "decay_steps"), warmup_steps
        self.alpha = number(alpha, "alpha", 0, 1)

    def __call__(self, step):
        """Return the learning rate after `step` steps."""
        largest = self.initial_learning_rate if self.warmup_target is None else self.warmup_target
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                start = self.initial_learning_rate
                return start + (self.warmup_target - start) * step / self.warmup_steps
            step -= self.warmup_steps
        cosine = math.cos(math.pi * min(step / self.decay_steps, 1))
        return largest * ((1 - self.alpha) * (1 + cosine) / 2 + self.alpha)


class CosineDecayRestarts(LearningRateSchedule):
    """A learning rate that falls along half a cosine again and again, from the top each time. Loshchilov & Hutter 2017.

    The first fall takes first_decay_steps steps, and each one t_mul times as many as the one before. It begins at
    initial_learning_rate, and each one at m_mul times the rate of the one before; alpha is the share of
    initial_learning_rate that is always left. With s steps of d passed in fall number i:

        initial * ((1 - alpha) * m_mul^i * (1 + cos(pi s / d)) / 2 + alpha)
    """

    @keras_arguments(after="alpha", name=NAME)
    def __init__(self, initial_learning_rate, first_decay_steps, t_mul=2.0, m_mul=1.0, alpha=0.0):
        self.initial_learning_rate = rate(initial_learning_rate)
        self.first_decay_steps = whole_number(first_decay_steps, "first_decay_steps")
        self.t_mul, self.m_mul = number(t_mul, "t_mul", 1, 1e6), number(m_mul, "m_mul", 0, 1e6)
        self.alpha = number(alpha, "alpha", 0, 1)

    def __call__(self, step):
        """Return the learning rate after `step` steps."""
        passed, steps, fall = step, self.first_decay_steps, 0
        if self.t_mul == 1:
            fall, passed = divmod(passed, steps)
        while passed >= steps:
            passed, steps, fall = passed - steps, steps * self.t_mul, fall + 1
        cosine = (1 + math.cos(math.pi * passed / steps)) / 2
        return self.initial_learning_rate * ((1 - self.alpha) * self.m_mul**fall * cosine + self.alpha)


class ExponentialDecay(LearningRateSchedule):
    """A learning rate that is multiplied by the same factor again and again: initial * decay_rate^(step / decay_steps).

    staircase   True: step / decay_steps is rounded down, so that the rate falls once in decay_steps steps
    name        Keras's name of the schedule; it is not used
    """

    def __init__(self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name=None):
        self.initial_learning_rate = rate(initial_learning_rate)
        self.decay_rate = number(decay_rate, "decay_rate", 0, 1e30)
        self.decay_steps, self.staircase = whole_number(decay_steps, "decay_steps"), staircase

    def __call__(self, step):
        """Return the learning rate after `step` steps."""
        passed = step // self.decay_steps if self.staircase else step / self.decay_steps
        return self.initial_learning_rate * self.decay_rate**passed


class InverseTimeDecay(LearningRateSchedule):
    """A learning rate that falls as 1 / time: initial / (1 + decay_rate * step / decay_steps).

    staircase, name   as in `ExponentialDecay`
    """

    def __init__(self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name=None):
        self.initial_learning_rate = rate(initial_learning_rate)
        self.decay_rate = number(decay_rate, "decay_rate", 0, 1e30)
        self.decay_steps, self.staircase = whole_number(decay_steps, "decay_steps"), staircase

    def __call__(self, step):
        """Return the learning rate after `step` steps."""
        passed = step // self.decay_steps if self.staircase else step / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * passed)


class PolynomialDecay(LearningRateSchedule):
    """A learning rate that falls to `end_learning_rate` within `decay_steps` steps, and then stays there:
    (initial - end) * (1 - step / decay_steps)^power + end.

    cycle   True: it does not stay. decay_steps is doubled, tripled, ... whenever `step` passes it
    name    as in `ExponentialDecay`
    """

    def __init__(self, initial_learning_rate, decay_steps, end_learning_rate=0.0001, power=1.0, cycle=False, name=None):
        self.initial_learning_rate, self.end_learning_rate = rate(initial_learning_rate), rate(end_learning_rate)
        self.decay_steps, self.power = whole_number(decay_steps, "decay_steps"), number(power, "power", 0, 100)
        self.cycle = cycle

    def __call__(self, step):
        """Return the learning rate after `step` steps."""
        steps = self.decay_steps
        if self.cycle:
            steps *= max(1, math.ceil(step / steps))
        left = 1 - min(step, steps) / steps
        return (self.initial_learning_rate - self.end_learning_rate) * left**self.power + self.end_learning_rate


class PiecewiseConstantDecay(LearningRateSchedule):
    """A learning rate that is constant between boundaries.

    It is values[0] up to and including step boundaries[0], then values[1] up to boundaries[1], and so on. After the
    last boundary it is values[-1].
    """

    @keras_arguments(after="values", name=NAME)
    def __init__(self, boundaries, values):
        if len(values) != len(boundaries) + 1 or list(boundaries) != sorted(boundaries):
            raise ArgumentError(
                f"PiecewiseConstantDecay: {len(boundaries)} boundaries and {len(values)} values; expected rising "
                "boundaries and one value more than these."
            )
        self.boundaries, self.values = list(boundaries), [rate(value) for value in values]

    def __call__(self, step):
        """Return the learning rate after `step` steps."""
        return self.values[sum(step > boundary for boundary in self.boundaries)]


class WarmUp(LearningRateSchedule):
    """A linear warm-up within `steps` steps, then `after`: a rate, or a schedule from its beginning.

    Step k = 0, 1, ... of the warm-up has the rate (k + 1) / (steps + 1) times the first rate of `after`. In the first
    steps of a network with a new head, the gradients depend more on the random head than on the examples: a low rate
    limits the damage. Goyal et al. 2017.
    """

    def __init__(self, after, steps):
        self.after, self.steps = after if callable(after) else rate(after), whole_number(steps, "steps", 0)

    def __call__(self, step):
        """Return the learning rate after `step` steps."""
        after = self.after(max(0, step - self.steps)) if callable(self.after) else self.after
        return after * min(1.0, (step + 1) / (self.steps + 1))


def rate(value):
    """Return a learning rate as a float, or raise ArgumentError."""
    return number(value, "learning_rate", 0, LARGEST_RATE)


def serialize(learning_rate_schedule):
    """Return a schedule as data, for `deserialize`."""
    return plain(learning_rate_schedule)


def deserialize(config, custom_objects=None):
    """Return the schedule that `serialize` has described."""
    known = {name: each for name, each in globals().items() if isinstance(each, type)}
    return from_data(config, known, "learning_rate", custom_objects)


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, __all__)

"""Exercises on fine-tuning: a learning rate that rises and falls, and a penalty that holds the weights at their start.

Read next: `winograd`.
"""

import numpy as np

from ...optimizers import SGD, CosineDecay, Optimizer, WarmUp
from .exercise import Case, Exercise


def warm_up_and_cosine(peak, warm_up, steps):
    k = np.arange(steps)
    rising = peak * (k + 1) / (warm_up + 1)
    falling = peak * (1 + np.cos(np.pi * (k - warm_up) / (steps - warm_up))) / 2
    return np.where(k < warm_up, rising, falling)


def warm_up_and_cosine_by_engine(peak, warm_up, steps):
    schedule = WarmUp(CosineDecay(peak, steps - warm_up), warm_up)
    return np.array([schedule(step) for step in range(steps)])


def warm_up_and_cosine_cases(random):
    return [
        Case("12 steps, 4 of them warm-up", 0.5, 4, 12),
        Case("no warm-up", 0.1, 0, 5),
        Case("one step of warm-up", 0.01, 1, 7),
        Case("one step is left for the cosine", 0.2, 3, 4),
        Case("a single step", 0.3, 0, 1),
    ]


def begins_with_zero(peak, warm_up, steps):
    """Begin the warm-up with k / warm_up: then the rate of the first step is 0, and that batch is wasted."""
    k = np.arange(steps)
    rates = warm_up_and_cosine(peak, warm_up, steps)
    rates[:warm_up] = peak * k[:warm_up] / max(warm_up, 1)
    return rates


def peak_too_early(peak, warm_up, steps):
    """Divide by warm_up: the last step of the warm-up then has the peak already, and the first one of the cosine has it
    again."""
    rates = warm_up_and_cosine(peak, warm_up, steps)
    rates[:warm_up] = peak * np.arange(1, warm_up + 1) / max(warm_up, 1)
    return rates


def ends_with_zero(peak, warm_up, steps):
    """Let the cosine reach 0 in the last step, as np.linspace does: that step would be wasted. It is 0 only where the
    next step would be, at k = steps."""
    rates, k = warm_up_and_cosine(peak, warm_up, steps), np.arange(steps)
    falling = peak * (1 + np.cos(np.pi * (k - warm_up) / max(steps - warm_up - 1, 1))) / 2
    return np.where(k < warm_up, rates, falling)


def linspace_for_both(peak, warm_up, steps):
    """Use np.linspace for both parts, which reaches both its ends: the last step of the warm-up has the peak then, and
    the last step of all has the rate 0."""
    rates = ends_with_zero(peak, warm_up, steps)
    rates[:warm_up] = peak_too_early(peak, warm_up, steps)[:warm_up]
    return rates


def cosine_from_the_start(peak, warm_up, steps):
    """Count the steps of the cosine from the start of training: it begins behind the warm-up, with s = k - warm_up, and
    would be on its way down already."""
    rates, k = warm_up_and_cosine(peak, warm_up, steps), np.arange(steps)
    return np.where(k < warm_up, rates, peak * (1 + np.cos(np.pi * k / steps)) / 2)


def cosine_too_long(peak, warm_up, steps):
    """Divide s by all steps: the cosine has only steps - warm_up of them, so it would not be down when training
    ends."""
    rates, k = warm_up_and_cosine(peak, warm_up, steps), np.arange(steps)
    return np.where(k < warm_up, rates, peak * (1 + np.cos(np.pi * (k - warm_up) / steps)) / 2)


def whole_cosine(peak, warm_up, steps):
    """Use a whole cosine, 2 * pi: the rate would go down and up again. Half of one, pi, only falls."""
    rates, k = warm_up_and_cosine(peak, warm_up, steps), np.arange(steps)
    falling = peak * (1 + np.cos(2 * np.pi * (k - warm_up) / (steps - warm_up))) / 2
    return np.where(k < warm_up, rates, falling)


def quarter_of_a_cosine(peak, warm_up, steps):
    """Use a quarter of a cosine, cos(s / S * pi / 2): asked for is half of one, raised by 1 and halved, so that it goes
    from 1 to 0 and is flat at both ends."""
    rates, k = warm_up_and_cosine(peak, warm_up, steps), np.arange(steps)
    return np.where(k < warm_up, rates, peak * np.cos(np.pi / 2 * (k - warm_up) / (steps - warm_up)))


def cosine_not_halved(peak, warm_up, steps):
    """Leave out the division by 2: 1 + cos goes from 2 to 0, so the rate would jump to twice the peak."""
    rates = warm_up_and_cosine(peak, warm_up, steps)
    return np.where(np.arange(steps) < warm_up, rates, 2 * rates)


def angle_in_degrees(peak, warm_up, steps):
    """Give np.cos an angle in degrees, of up to 180: it takes radians, and half a turn is np.pi."""
    rates, k = warm_up_and_cosine(peak, warm_up, steps), np.arange(steps)
    return np.where(k < warm_up, rates, peak * (1 + np.cos(180 * (k - warm_up) / (steps - warm_up))) / 2)


def straight_down(peak, warm_up, steps):
    """Fall along a straight line: the cosine stays near the peak at first, and lingers near 0 at the end."""
    rates, k = warm_up_and_cosine(peak, warm_up, steps), np.arange(steps)
    return np.where(k < warm_up, rates, peak * (1 - (k - warm_up) / (steps - warm_up)))


def warm_up_forgotten(peak, warm_up, steps):
    """Leave out the warm-up: with the full rate at once, the gradients of a random head spoil the weights before it."""
    return peak * (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2


def warm_up_and_cosine_by_hand(name, index, peak, warm_up, steps):
    (k,) = index
    if k < warm_up:
        return f"{peak:g} * ({k} + 1) / ({warm_up} + 1)"
    return f"{peak:g} * (1 + cos(pi * {k - warm_up} / {steps - warm_up})) / 2"


WARM_UP_AND_COSINE = Exercise(
    "warm_up_and_cosine",
    title="A learning rate with warm-up and cosine",
    text="""A new head is random, and so are the first gradients that it sends into the layers before it. So the rate
    starts low and rises in equal steps: the warm-up. Then it falls along half a cosine, which is flat at both ends:
    long enough near the peak to get far, long enough near 0 to settle. Return the rates of all steps. Look at the ends:
    no step has the rate 0, which would waste a batch. So the warm-up does not begin with 0. It does not reach the peak
    either: the first step behind it does, where the cosine begins. And the cosine reaches 0 only at the step that would
    come after the last one.""",
    given={
        "peak": "a number: the highest rate",
        "warm_up": "M, the number of steps of the warm-up, 0 or more",
        "steps": "T, the number of all steps, with those of the warm-up; more than M",
    },
    returns={"rates": "(T,)  the learning rate of each step k = 0, 1, ..., T - 1"},
    formula="""
k < M      rates[k] = peak * (k + 1) / (M + 1)
k >= M     rates[k] = peak * (1 + cos(pi * (k - M) / (T - M))) / 2
""",
    answer=warm_up_and_cosine,
    by_engine=warm_up_and_cosine_by_engine,
    lines=(WarmUp.__call__, CosineDecay.__call__),
    cases=warm_up_and_cosine_cases,
    wrong_answers=(
        begins_with_zero, peak_too_early, ends_with_zero, linspace_for_both, cosine_from_the_start, cosine_too_long,
        whole_cosine, quarter_of_a_cosine, cosine_not_halved, angle_in_degrees, straight_down, warm_up_forgotten,
    ),
    by_hand=warm_up_and_cosine_by_hand,
    hints=(
        "Compute the rates by hand for T = 4 and M = 1: the first one is peak * 1/2, the second one is peak, then two "
        "of the cosine follow.",
        "k = np.arange(steps) are the numbers of all steps, and both formulas can be computed for all of them. A loop "
        "over range(steps) does it as well.",
        "np.where(k < warm_up, a, b) takes from a where the condition holds, and from b elsewhere. np.cos takes "
        "radians, and pi is np.pi.",
    ),
    read_next="minitl/optimizers/schedules.py, which has this and other schedules.",
)  # fmt: skip


def l2_sp_step(p, start, g, learning_rate, strength):
    target = 0 if start is None else start
    return p - learning_rate * (g + strength * (p - target))


def l2_sp_step_by_engine(p, start, g, learning_rate, strength):
    optimizer = SGD(learning_rate, l2_sp=strength, weight_decay=strength)
    optimizer.rate, p = learning_rate, np.array(p)
    optimizer._update_in_blocks([(start, True, (p, g))])
    return p


def l2_sp_step_cases(random):
    def case(what, shape, learning_rate, strength, is_new=False):
        start, moved, g = (random.normal(size=shape) for _ in range(3))
        return Case(what, start + moved, None if is_new else start, g, learning_rate, strength)

    still = case("a gradient of 0: the penalty alone pulls", (4,), 0.1, 0.7)
    at_start = case("still at its start: no pull yet", (2, 3), 0.1, 0.5)
    return [
        case("a loaded kernel of 3x2", (3, 2), 0.2, 0.5),
        case("a kernel of the new head, without a start", (2, 5), 0.2, 0.5, is_new=True),
        Case(still.what, *still.arguments[:2], np.zeros(4), *still.arguments[3:]),
        Case(at_start.what, at_start.arguments[1].copy(), *at_start.arguments[1:]),
        case("strength 0: plain descent", (5,), 0.05, 0.0),
    ]


def towards_zero(p, start, g, learning_rate, strength):
    """Pull every weight towards 0: that is plain L2. A loaded weight has a better place to go, the one where it
    started."""
    return l2_sp_step(p, None, g, learning_rate, strength)


def away_from_the_start(p, start, g, learning_rate, strength):
    """Push the weight away from its start: the gradient of the penalty is strength * (p - start), and it is subtracted
    with the other one."""
    return l2_sp_step(p, start, g, learning_rate, -strength)


def twice_the_pull(p, start, g, learning_rate, strength):
    """Pull with 2 * strength: the penalty has a 1/2, which the 2 of the square's derivative cancels."""
    return l2_sp_step(p, start, g, learning_rate, 2 * strength)


def half_the_pull(p, start, g, learning_rate, strength):
    """Pull with strength / 2: the derivative of the square brings a 2, which cancels the 1/2 of the penalty."""
    return l2_sp_step(p, start, g, learning_rate, strength / 2)


def pull_without_rate(p, start, g, learning_rate, strength):
    """Leave out the learning rate for the penalty: its gradient is added to g, and the step takes both times the
    rate."""
    return p - learning_rate * g - strength * (p - (0 if start is None else start))


def size_of_the_penalty(p, start, g, learning_rate, strength):
    """Add the penalty itself, with the square: a step takes its gradient, without one."""
    return p - learning_rate * (g + strength / 2 * (p - (0 if start is None else start)) ** 2)


def head_left_alone(p, start, g, learning_rate, strength):
    """Leave out the pull where there is no start: a new weight has nothing better to go to than 0, and is pulled
    there."""
    return p - learning_rate * g if start is None else l2_sp_step(p, start, g, learning_rate, strength)


def pull_after_the_step(p, start, g, learning_rate, strength):
    """Do the step first, and pull from where it ended: both gradients are taken at the same p, the one before the
    step."""
    return l2_sp_step(p - learning_rate * g, start, 0, learning_rate, strength)


def step_from_the_start(p, start, g, learning_rate, strength):
    """Step from the start weight: the step is made from p, and the start only pulls."""
    return (p if start is None else start) - learning_rate * (g + strength * (p - (0 if start is None else start)))


def pull_of_all_together(p, start, g, learning_rate, strength):
    """Add up the distances of all numbers for the pull: the sum in P has one term for each number, and only its own
    term depends on it."""
    return p - learning_rate * (g + strength * (p - (0 if start is None else start)).sum())


def same_pull_for_all(p, start, g, learning_rate, strength):
    """Pull with the sign of the distance alone, so that far and near weights are pulled alike: that is the gradient of
    a penalty on absolute values. That of a square grows with the distance."""
    return p - learning_rate * (g + strength * np.sign(p - (0 if start is None else start)))


def l2_sp_step_by_hand(name, index, p, start, g, learning_rate, strength):
    target = 0.0 if start is None else float(start[index])
    return f"{p[index]:.4f} - {learning_rate:g}*({g[index]:.4f} + {strength:g}*({p[index]:.4f} - {target:.4f}))"


L2_SP_STEP = Exercise(
    "l2_sp_step",
    title="L2-SP: a penalty on leaving the start",
    text="""Weight decay pulls every weight towards 0. For a weight that was loaded, 0 is a strange aim: its start,
    which a large data set has found, is the better guess. L2-SP (SP: starting point) is a penalty on the squared
    distance from it, and so it pulls a weight back the harder, the farther it has gone. A weight of the new head was
    loaded from nowhere. Its start is None, and it is pulled towards 0. Do one step of plain descent on the loss with
    the penalty, L + P. Derive the gradient of P first. Return the new p, and leave the old one as it is.""",
    given={
        "p": "an array: a parameter now",
        "start": "an array of the same shape: its values before training; or None for a new parameter",
        "g": "an array of the same shape: dL/dp, the gradient without the penalty",
        "learning_rate": "a number, as 0.01",
        "strength": "a number, 0 or more: how strong the pull is",
    },
    returns={"p": "the parameter after the step"},
    formula="""
P = strength / 2 * sum of (p - start)^2         start: 0 for a new parameter
p <- p - learning_rate * (dL/dp + dP/dp)
""",
    answer=l2_sp_step,
    by_engine=l2_sp_step_by_engine,
    lines=(Optimizer._update_in_blocks,),
    cases=l2_sp_step_cases,
    wrong_answers=(
        towards_zero, away_from_the_start, twice_the_pull, half_the_pull, pull_without_rate, size_of_the_penalty,
        head_left_alone, pull_after_the_step, step_from_the_start, pull_of_all_together, same_pull_for_all,
    ),
    by_hand=l2_sp_step_by_hand,
    loops=False,
    hints=(
        "The derivative of a/2 * (p - s)^2 at p is a * (p - s): the 2 of the square and the 1/2 cancel.",
        "For a new parameter take 0 for the start: `start is None` tells. 0 may be subtracted from a whole array.",
        "The step goes against the sum of both gradients, g and strength * (p - start), times learning_rate.",
    ),
    read_next="minitl/optimizers/base.py: its l2_sp and weight_decay do this for all optimizers.",
)  # fmt: skip

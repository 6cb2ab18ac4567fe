"""Learning rate schedules by name."""

from ..optimizers import CosineDecay, PiecewiseConstantDecay, WarmUp
from .settings import SettingError


def learning_rate_schedule(name, learning_rate, steps, warm_up):
    """Return a learning rate, or a function from the number of steps taken to the learning rate.

    name      one of `settings.SCHEDULES`;   steps   all steps of the training
    warm_up   the number of steps in which the rate rises from 0; the named schedule begins after them
    """
    if name == "step":
        after = PiecewiseConstantDecay(
            [steps // 2, steps * 3 // 4], [learning_rate, learning_rate / 3, learning_rate / 10]
        )
    elif name == "cosine":
        after = CosineDecay(learning_rate, max(1, steps - warm_up))
    elif warm_up and name == "plateau":
        text = "{} does not go with {} plateau, which sets the rate itself. Expected {} 0."
        raise SettingError(text, "warm_up", "schedule", "warm_up")
    else:  # constant; a plateau's callback changes the optimizer's own rate
        after = learning_rate
    return WarmUp(after, warm_up) if warm_up else after

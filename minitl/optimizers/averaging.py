"""Averages over several batches: of gradients, before a step is taken; of parameters, which then fluctuate less.

    gradient_accumulation_steps n   the gradients of n batches are added up, and each nth batch moves the parameters by
                                    their mean. So small batches give the step of a large one
    use_ema, ema_momentum m         a <- m a + (1 - m) p after each step: the average a of a parameter p begins with p
                                    after the first step. At the end of `fit`, p becomes a
    ema_overwrite_frequency k       p becomes a after each kth step, too

The sum of the gradients, or the average, is the last array that the optimizer keeps for a parameter (`state`). So it
stands in checkpoints as momentum does. Who calls this: `base`.
"""

from ..arguments import number, truth_value, whole_number, whole_number_or_none
from ..errors import ArgumentError


def checked_averaging(use_ema, ema_momentum, ema_overwrite_frequency, gradient_accumulation_steps):
    """Return {argument: value} of the averages that were asked for. Raises ArgumentError for values out of range."""
    momentum = number(ema_momentum, "ema_momentum", 0, 1)
    frequency = whole_number_or_none(ema_overwrite_frequency, "ema_overwrite_frequency")
    use_ema = truth_value(use_ema, "use_ema")
    if gradient_accumulation_steps is not None:
        if use_ema:
            raise ArgumentError("use_ema and gradient_accumulation_steps do not go together in minitl: take one.")
        steps = whole_number(gradient_accumulation_steps, "gradient_accumulation_steps", 2)
        return {"gradient_accumulation_steps": steps}
    return {"use_ema": True, "ema_momentum": momentum, "ema_overwrite_frequency": frequency} if use_ema else {}


def accumulated(optimizer, updates):
    """Add gradients up. Return the updates with the mean gradients of n batches; an empty list before the nth."""
    steps, means = optimizer.gradient_accumulation_steps, []
    optimizer.waiting = (optimizer.waiting + 1) % steps
    for layer, name, gradient in updates:
        total = optimizer.arrays_of(layer, name)[-1]
        total += gradient
        if optimizer.waiting == 0:
            means.append((layer, name, total / steps))
            total[...] = 0
    return means


def average_parameters(optimizer, updates):
    """Bring the averages up to date behind a step."""
    momentum, frequency = optimizer.ema_momentum, optimizer.ema_overwrite_frequency
    for layer, name, _ in updates:
        parameter, average = getattr(layer, name), optimizer.state[layer, name][-1]
        if optimizer.iterations == 1:
            average[...] = parameter
        average *= momentum
        average += (1 - momentum) * parameter
        if frequency is not None and optimizer.iterations % frequency == 0:
            parameter[...] = average


def put_averages(optimizer, parameters=None):
    """Give parameters the values of their averages: those among these arrays, or all of them."""
    for (layer, name), arrays in optimizer.state.items():
        parameter = getattr(layer, name)
        if parameters is None or any(parameter is each for each in parameters):
            parameter[...] = arrays[-1]
            layer.updates += 1  # what was computed from the old values is no longer right

"""The learning rate range test: train one batch at each rate, from far too small to far too large (Smith 2017)."""

from typing import NamedTuple

import numpy as np

from ..arguments import whole_number
from ..data.batches import read_ahead
from ..errors import ArgumentError, DivergedError
from ..progress import Progress
from .loop import train_step
from .recovery.backup import captured, restore
from .refused import check_batch
from .state import Averages, TrainingState
from .weighting import batch_of

SMOOTHING = 0.9  # of the moving average of the loss, because single batches are easy or hard by chance
TOO_MUCH = 3.0  # times the smallest loss: beyond this the loss only rises, and the test stops


class RangeTest(NamedTuple):
    """The result of a range test: learning rates, the smoothed loss at each, and a suggested rate.

    The suggestion is a third of the rate at which the loss was lowest. At the lowest point the loss is about to rise
    again. At a third of that rate it still falls fast, with a safe distance from the point where it rises.
    """

    learning_rates: list
    losses: list
    suggestion: float

    def __repr__(self):
        return f"<RangeTest of {len(self.losses)} learning rates: {self.suggestion:.1e} suggested; print it for a plot>"

    def __str__(self):
        """Return a plot for the terminal: up to 47 lines, each with a rate, its loss, and the loss as a bar."""
        step = max(1, len(self.losses) // 24)
        low, high = min(self.losses), max(self.losses)
        lines = ["learning rate  loss"]
        for rate, loss in list(zip(self.learning_rates, self.losses))[::step]:
            bar = "#" * (1 + round(40 * (loss - low) / (high - low or 1)))
            lines.append(f"{rate:13.2e}  {loss:.4f}  {bar}")
        return "\n".join([*lines, f"Suggested: {self.suggestion:.1e}"])


def range_test(model, x, y, batch_size=32, lowest=1e-6, highest=10.0, steps=100):
    """Train the compiled `model` for one batch at each of `steps` learning rates, and return a `RangeTest`.

    The rates rise by a constant factor from `lowest` to `highest`. The test stops when the loss explodes. Afterwards
    the model, the optimizer and the random generators are in the same state as before.

    x, y   as in `fit`: an array or a stream of examples, and labels
    """
    if not 0 < lowest < highest:
        raise ArgumentError(f"lowest {lowest!r}, highest {highest!r}; expected 0 < lowest < highest.")
    steps, batch_size = whole_number(steps, "steps", 2), whole_number(batch_size, "batch_size")
    x, y, _ = check_batch(model, x, y)
    optimizer, schedule = model.optimizer, model.optimizer._schedule
    state = TrainingState(0, np.random.default_rng(0), Averages(model, model.metrics), [], None)
    before = captured(model, state)
    before["weights"] = {
        layer: {name: array.copy() for name, array in arrays.items()} for layer, arrays in before["weights"].items()
    }
    before["optimizer"]["state"] = [
        [layer, name, [array.copy() for array in arrays]] for layer, name, arrays in before["optimizer"]["state"]
    ]
    draws = np.random.default_rng(0)
    order = np.concatenate([draws.permutation(len(x[0])) for _ in range(-(-steps * batch_size // len(x[0])))])
    batches = [order[first : first + batch_size] for first in range(0, steps * batch_size, batch_size)]
    rates, losses, average = np.geomspace(lowest, highest, steps).tolist(), [], 0.0
    with np.errstate(over="ignore", invalid="ignore"), Progress("Trying learning rates", steps) as bar:
        try:
            optimizer._schedule = None
            for number, (batch, examples) in enumerate(zip(batches, read_ahead(x, batches, 0)), start=1):
                optimizer.learning_rate = rates[number - 1]
                examples = model.input_structure.packed(examples)
                loss, _ = train_step(model, examples, batch_of(model, y, batch))
                average = SMOOTHING * average + (1 - SMOOTHING) * loss
                losses.append(average / (1 - SMOOTHING**number))  # the average began at 0
                if losses[-1] > TOO_MUCH * min(losses):
                    break
                bar.advance(1)
        except DivergedError:
            pass
        finally:
            restore(before, model, state)
            optimizer._schedule = schedule
    if not losses:
        raise DivergedError(f"the loss is not finite even at the lowest rate, {lowest:g}. Normalize the input.")
    return RangeTest(rates[: len(losses)], losses, rates[int(np.argmin(losses))] / 3)

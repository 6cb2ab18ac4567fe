"""What a block of a network costs on this machine: a few batches through it, timed and weighed.

Nearly all the time of a network goes into products: `graph.summary.flops` counts them. But how many a second a machine
does depends on the block: a map of 224x224 pixels with 64 channels is copied more than it is multiplied, one of 14x14
with 512 is not. So each block is measured by itself, with real pictures, and the time of a plan is a sum over blocks:

    forward, frozen        seconds an image, in batches of the size in which the first pass runs
    a training step        fixed + images * each.  The fixed part is what does not grow with the batch: the kernels'
                           transforms, the update of the parameters. It is a line through two sizes of batches

Going back through a block takes two products for each one forward: the gradient of the kernels and that of the input.
The first layers that learn do without the second, as nobody before them asks. Their share of the products says how
much time that saves (`Block.step_seconds`).

A machine that also does something else is slow now and then, never fast: several rounds, and the median of each.

Memory is what NumPy asked for, as `tracemalloc` counts it, at its highest.
"""

import os
import time
import tracemalloc
from functools import partial
from typing import NamedTuple

import numpy as np

from ... import transfer
from ...data.labels import to_categorical
from ...graph.summary import flops
from ...kernels.memory import release
from ...models import Model
from ...optimizers import SGD
from ...progress import Progress
from ...training import train_step

ROUNDS = 3
SMALL, LARGE = 4, 16  # images in the two batches that a training step is measured with
STANDSTILL = 1e-60  # a learning rate at which nothing moves, as it is zero in float32: the weights are still needed


class Block(NamedTuple):
    """A block, from behind the one before it up to the layer `name`. Seconds and bytes are those of this machine.

    flops          of one image forward
    forward        seconds an image, frozen
    step           (fixed, each): seconds of a training step; None where it was not measured
    first_share    of all products on the way back, the share that is the input gradient of the block's first layers
    forward_bytes  the most memory that was held while a batch went from the first block to the end of this one
    kept_bytes     of it, what stays: transforms of the kernels
    """

    name: str
    flops: int
    forward: float
    step: tuple | None
    first_share: float
    forward_bytes: int
    kept_bytes: int

    def step_seconds(self, images, is_first):
        """Return the seconds of a training step on so many images. `is_first`: nothing before this block learns."""
        fixed, each = self.step
        backward = max(each - self.forward, 0.0)
        return fixed + images * (each - is_first * self.first_share * backward)


def measure_blocks(base, cuts, images, learning=(), rounds=ROUNDS):
    """Return a `Block` for each of `cuts`, the layers at which the blocks of `base` end; `images` is the first pass's
    batch, ready for the base. `learning` names the blocks whose training steps are measured as well.

    Weights stay as they are. What was frozen is frozen afterwards.
    """
    ends = [base.output_of(cut) for cut in cuts]
    blocks = [Model(start, end) for start, end in zip([base.input, *ends], ends)]
    transfer.freeze(base)
    drop_transforms(base)
    learns = [cut in learning for cut in cuts]
    inputs, weighed = _weigh_forward(blocks, images)
    # Frozen blocks first: a block that has learned has dropped its kernels' transforms, and would make them again.
    frozen = {k: partial(block.forward, inputs[k], gradients="none") for k, block in enumerate(blocks)}
    steps = {
        (k, count): training_step(blocks[k], inputs[k], count)
        for k in range(len(blocks))
        if learns[k]
        for count in (SMALL, LARGE)
    }
    with Progress("Measuring this machine", rounds * (len(frozen) + len(steps)), lines=True) as bar:
        forward, learning_step = (median_seconds(work, rounds, bar) for work in (frozen, steps))
    found = []
    for k, (cut, block) in enumerate(zip(cuts, blocks)):
        step = line_through(SMALL, learning_step[k, SMALL], LARGE, learning_step[k, LARGE]) if learns[k] else None
        found.append(Block(cut, flops(block), forward[k] / len(images), step, first_share(block), *weighed[k]))
    release()
    return found


def median_seconds(work, rounds, bar):
    """Return {key: seconds} of the functions {key: function}, each called once a round. Each is called once before
    that: it makes what stays, transforms or momentum."""
    for function in work.values():
        function()
    spent = {key: [] for key in work}
    for _ in range(rounds):
        for key, function in work.items():
            spent[key].append(seconds_of(function))
            bar.advance(1)
    return {key: float(np.median(times)) for key, times in spent.items()}


def _weigh_forward(blocks, images):
    """Return each block's input for a batch of images; and for each (most bytes held until its end, bytes that stay).
    What earlier layers have left lying for later ones (`kernels.memory`) counts: it is the program's as long as it
    runs."""
    inputs, most, kept = [], [], []
    release()
    with tracing():
        x, start = images, tracemalloc.get_traced_memory()[0]
        for block in blocks:
            inputs.append(x)
            x = block.forward(x, gradients="none")
            most.append(tracemalloc.get_traced_memory()[1] - start)
        release()
        outputs = sum(each.nbytes for each in (*inputs[1:], x))
        for block in reversed(blocks):
            kept.append(tracemalloc.get_traced_memory()[0] - start - outputs)
            drop_transforms(block)
    return inputs, list(zip(most, reversed(kept)))


def training_step(block, x, count):
    """Return a function that does a training step of a block on `count` images like x: forward, backward, update."""
    x, optimizer = x[np.arange(count) % len(x)], SGD(STANDSTILL, momentum=0.9)
    grad = np.ones((count, *block.output_shape[1:]), x.dtype)

    def step():
        transfer.unfreeze(block)
        try:
            block.forward(x, training=True, gradients="input")
            block.backward(grad)
            optimizer.step(block)
        finally:
            transfer.freeze(block)

    return step


def step_bytes(model, x, batch_size):
    """Return the most memory that a training step of a compiled `model` on images like x holds at `batch_size`: a line
    through two smaller sizes."""
    weighed = []
    for count in SMALL, LARGE:
        some = x[np.arange(count) % len(x)]
        targets = to_categorical(np.arange(count) % model.output_shape[-1], model.output_shape[-1])
        release()
        with tracing():
            for _ in range(2):
                train_step(model, some, targets)
            weighed.append(tracemalloc.get_traced_memory()[1])
        model.optimizer.state.clear()
    fixed, each = line_through(SMALL, weighed[0], LARGE, weighed[1])
    return int(fixed + each * batch_size)


def first_share(block):
    """Return the share that the input gradients of a block's first layers have in all its products on the way back."""
    first = sum(
        flops(Model(block.input, call.outputs[0]))
        for call in block.calls
        if call.inputs == (block.input,) and call.layer.weights
    )
    return first / (2 * flops(block)) if first else 0.0


def line_through(x1, y1, x2, y2):
    """Return (fixed, each) with fixed + x * each through two measurements; none is below 0, as a noisy pair would have
    it."""
    each = max((y2 - y1) / (x2 - x1), 0.0)
    return max(y1 - x1 * each, 0.0), min(each, y2 / x2)


def drop_transforms(model):
    """Forget the kernels' transforms, so that a first forward makes them again."""
    for layer in model.layers:
        layer.forget_prepared()


def system_load():
    """Return how many threads wanted to run in the last minute, ours among them; None where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def seconds_of(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class tracing:
    """`with tracing():` memory is counted, unless somebody else is counting it already."""

    def __enter__(self):
        self.is_ours = not tracemalloc.is_tracing()
        if self.is_ours:
            tracemalloc.start()
        tracemalloc.reset_peak()

    def __exit__(self, *exception):
        if self.is_ours:
            tracemalloc.stop()

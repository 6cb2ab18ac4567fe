"""The cost of each block of a network on this machine: time and memory of a few batches through it.

A network spends nearly all its time on products, which `graph.summary.flops` counts. But the number of products a
second depends on the block: a map of 224x224 pixels with 64 channels is copied more than it is multiplied, a map of
14x14 pixels with 512 channels is not. So each block is measured by itself, with real images, and the time of a plan is
a sum over blocks:

    forward, frozen        seconds an image, in batches of the size of the first pass
    a training step        fixed + images * each.  The fixed part does not grow with the batch: the kernels' transforms
                           and the update of the parameters. A line through two batch sizes gives both numbers

The backward pass of a block takes two products for each one forward: the gradient of the kernels and that of the input.
The first layers that learn need no gradient of their input, because no layer before them learns. Their share of the
products gives the time that this saves (`Block.step_seconds`).

Other programs make the machine slower now and then, never faster: each block is measured in several rounds, and the
median counts.

Memory is the peak of the memory that NumPy has allocated, as `tracemalloc` counts it.
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
STANDSTILL = 1e-60  # a learning rate that is 0 in float32: no weight changes, since the weights are still needed


class Block(NamedTuple):
    """The cost of a block, which begins after the block before it and ends with the layer `name`, on this machine.

    flops          of the forward pass of one image
    forward        seconds an image, frozen
    step           (fixed, each): seconds of a training step; None where it was not measured
    first_share    the share of all products of the backward pass that the input gradients of the first layers have
    forward_bytes  the most memory held while a batch runs from the first block to the end of this block
    kept_bytes     the part of it that remains afterwards: transforms of the kernels
    """

    name: str
    flops: int
    forward: float
    step: tuple | None
    first_share: float
    forward_bytes: int
    kept_bytes: int

    def step_seconds(self, images, is_first):
        """Return the seconds of a training step on so many images. `is_first`: no block before this one learns."""
        fixed, each = self.step
        backward = max(each - self.forward, 0.0)
        return fixed + images * (each - is_first * self.first_share * backward)


def measure_blocks(base, cuts, images, learning=(), rounds=ROUNDS):
    """Return a `Block` for each of `cuts`, the layers at which the blocks of `base` end.

    images     a batch of the size of the first pass, ready for the base
    learning   names of the blocks whose training steps are measured as well

    The weights do not change. The base is frozen afterwards.
    """
    ends = [base.output_of(cut) for cut in cuts]
    blocks = [Model(start, end) for start, end in zip([base.input, *ends], ends)]
    transfer.freeze(base)
    drop_transforms(base)
    learns = [cut in learning for cut in cuts]
    inputs, weighed = _weigh_forward(blocks, images)
    # Frozen blocks come first: a training step drops the kernels' transforms, and they would be computed again.
    frozen = {k: partial(block.forward, inputs[k], gradients="none") for k, block in enumerate(blocks)}
    steps = {
        (k, count): training_step(blocks[k], inputs[k], count)
        for k in range(len(blocks))
        if learns[k]
        for count in (SMALL, LARGE)
    }
    with Progress("Measuring this machine", rounds * (len(frozen) + len(steps))) as bar:
        forward, learning_step = (median_seconds(work, rounds, bar) for work in (frozen, steps))
    found = []
    for k, (cut, block) in enumerate(zip(cuts, blocks)):
        step = line_through(SMALL, learning_step[k, SMALL], LARGE, learning_step[k, LARGE]) if learns[k] else None
        found.append(Block(cut, flops(block), forward[k] / len(images), step, first_share(block), *weighed[k]))
    release()
    return found


def median_seconds(work, rounds, bar):
    """Return {key: median seconds} of the functions {key: function}, each called once a round.

    Each function is called once before, to compute what is kept: transforms or momentum.
    """
    for function in work.values():
        function()
    spent = {key: [] for key in work}
    for _ in range(rounds):
        for key, function in work.items():
            spent[key].append(seconds_of(function))
            bar.advance(1)
    return {key: float(np.median(times)) for key, times in spent.items()}


def _weigh_forward(blocks, images):
    """Return each block's input for a batch of images, and for each block (most bytes held until its end, bytes kept).

    Memory that earlier layers have released for later ones (`kernels.memory`) counts: the process keeps it.
    """
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
    """Return a function that runs a training step of a block on `count` images like x: forward, backward, update."""
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
    """Return the most memory that a training step of a compiled `model` holds on `batch_size` images like x.

    It is extrapolated by a line through two smaller batch sizes.
    """
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


def stage_bytes(base, head, before, images, batch_size, compiled):
    """Return the most memory of a step of the second stage, through all layers of a base after the layer `before`, and
    the layers `head` on it.

    images   a batch, ready for the base;   compiled   compiled(model) -> the model, compiled as the recipe does it
    """
    whole = transfer.replace_head(base, head)
    prefix, part = Model(whole.input, whole.output_of(before)), Model(whole.output_of(before), whole.output)
    transfer.unfreeze(part)
    try:
        features = prefix.forward(images, gradients="none")
        # A checkpoint holds weights and momentum. It is read back after it has been written.
        checkpoint = 2 * 4 * part.count_params(trainable_only=True)
        return step_bytes(compiled(part), features, batch_size) + checkpoint
    finally:
        transfer.freeze(part)


def first_share(block):
    """Return the share of a block's backward products that the input gradients of its first layers have."""
    first = sum(
        flops(Model(block.input, call.outputs[0]))
        for call in block.calls
        if call.inputs == (block.input,) and call.layer.weights
    )
    return first / (2 * flops(block)) if first else 0.0


def line_through(x1, y1, x2, y2):
    """Return (fixed, each) of the line fixed + x * each through two measurements.

    Neither is below 0: noisy measurements would otherwise give negative times.
    """
    each = max((y2 - y1) / (x2 - x1), 0.0)
    return max(y1 - x1 * each, 0.0), min(each, y2 / x2)


def drop_transforms(model):
    """Drop the kernels' transforms, so that the next forward computes them again."""
    for layer in model.layers:
        layer.forget_prepared()


def system_load():
    """Return the mean number of threads that wanted to run in the last minute, or None where it is not known."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def seconds_of(function):
    """Return the seconds that a call of a function takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


class tracing:
    """A context in which `tracemalloc` counts memory, unless it is counting already: `with tracing():`."""

    def __enter__(self):
        self.is_ours = not tracemalloc.is_tracing()
        if self.is_ours:
            tracemalloc.start()
        tracemalloc.reset_peak()

    def __exit__(self, *exception):
        if self.is_ours:
            tracemalloc.stop()

"""What could be done, what each would take, and which to choose.

A plan is a cut and what learns: the new head alone, or the last blocks with it. What `minitl finetune` does for a plan
is known, so its time is a sum over the costs of `costs`:

    first pass  every picture is read and goes once through the blocks that stay frozen (and once through those that
                will learn, for the head to begin on)
    stage 1     the head learns on what is kept: epochs times the time of one, measured on the features themselves
    stage 2     epochs times the training steps through the blocks that learn, and the held-back pictures forward

Memory is the most that any of these holds, beside the program itself and the weights.

The time is that of a first run. A second one over the same pictures finds their features on the disk.
"""

from typing import NamedTuple

# From so many training pictures a class on, unfreezing is advised. A rule of thumb, set between two measurements: with
# 120 a class (ants and bees) it changes nothing, with 1,000 (cats and dogs, Chollet 2017, chapter 5) it adds 4 %.
ENOUGH_TO_UNFREEZE = 300


class Task(NamedTuple):
    """How much there is to do.

    train, val       pictures to learn from, and held back
    batch_size, epochs, tune_epochs      of `minitl finetune`; 0 tune_epochs where there is no second stage
    start            seconds until the first picture is seen: looking through the folder, loading the weights
    picture          seconds of reading one picture, on one core of `threads`
    bytes            of the program, its weights and arrays, whatever the plan
    """

    train: int
    val: int
    batch_size: int
    epochs: int
    tune_epochs: int
    start: float
    picture: float
    threads: int
    bytes: int


class Plan(NamedTuple):
    """`cut`: the last layer kept; `unfreeze`: the first part of the base that learns, or None; `arguments` of
    `minitl finetune`. Seconds of its three phases, and bytes, are predictions."""

    cut: str
    unfreeze: str | None
    arguments: tuple
    first_pass: float
    stage_1: float
    stage_2: float
    peak_bytes: int

    @property
    def name(self):
        return f"a head on {self.cut}" if self.unfreeze is None else f"{self.unfreeze} and the head"

    @property
    def seconds(self):
        return self.first_pass + self.stage_1 + self.stage_2


def head_plan(task, blocks, arguments, head_epoch, head_bytes=0):
    """Plan that the head alone learns, on the last of `blocks` (`costs.Block`), which stay frozen. `head_epoch`:
    seconds."""
    forward = sum(block.forward for block in blocks) + task.picture / task.threads
    first = task.start + (task.train + task.val) * forward
    most = task.bytes + max(blocks[-1].forward_bytes, blocks[-1].kept_bytes + head_bytes)
    return Plan(blocks[-1].name, None, tuple(arguments), first, task.epochs * head_epoch, 0.0, most)


def blocks_plan(task, blocks, unfreeze, frozen, arguments, head_epoch, step_bytes):
    """Plan that the blocks behind the first `frozen` ones learn with the head, in a second stage. `step_bytes`: what a
    training step through them holds."""
    head = head_plan(task, blocks, arguments, head_epoch)
    learning, batches = blocks[frozen:], -(-task.train // task.batch_size)
    images = task.train / batches  # in a batch, on average
    step = sum(block.step_seconds(images, block is learning[0]) for block in learning)
    held_back = task.val * sum(block.forward for block in learning)
    # The held-back pictures are looked at after the first stage, after each epoch of the second, and in the end.
    stage_2 = task.tune_epochs * batches * step + (task.tune_epochs + 2) * held_back
    kept = blocks[frozen - 1].kept_bytes
    most = max(head.peak_bytes, task.bytes + kept + step_bytes)
    return head._replace(unfreeze=unfreeze, stage_2=stage_2, peak_bytes=most)


def in_order(plans, ranking, pictures_a_class):
    """Return the plans, the one to prefer first: heads as their cuts are ranked, the advised one in front. Those that
    unfreeze blocks come before all of them where there are pictures enough and the whole base is advised, else last."""
    names = [ranking.advised.name, *(cut.name for cut in ranking.order if cut is not ranking.advised)]
    heads = sorted((plan for plan in plans if plan.unfreeze is None), key=lambda plan: names.index(plan.cut))
    others = [plan for plan in plans if plan.unfreeze is not None]
    if others and pictures_a_class >= ENOUGH_TO_UNFREEZE and ranking.advised.name == others[0].cut:
        return others + heads
    return heads + others


def choose(plans, most_seconds=None, most_bytes=None):
    """Return (plan, does it fit?): the first of `plans` that stays within both limits. Where none does, the fastest of
    those that there is memory for; where there is memory for none, the one that takes least."""
    small = [plan for plan in plans if most_bytes is None or plan.peak_bytes <= most_bytes]
    if not small:
        return min(plans, key=lambda plan: plan.peak_bytes), False
    fitting = [plan for plan in small if most_seconds is None or plan.seconds <= most_seconds]
    if not fitting:
        return min(small, key=lambda plan: plan.seconds), False
    return fitting[0], True

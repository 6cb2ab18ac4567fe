"""The possible plans, the time and memory of each, and the choice among them.

A plan says where to cut, and whether the new head learns alone or the last blocks learn with it. The steps of `minitl
finetune` for a plan are known, so its time is a sum over the costs of `costs`:

    first pass  every image is read and goes once through the blocks that stay frozen (and once through those that will
                learn, for the head's first stage)
    stage 1     the head learns on the kept features: epochs times the time of one epoch, measured on these features
    stage 2     epochs times the training steps through the blocks that learn, and the held-back images forward

Memory is the largest of the three, plus the program itself and the weights.

The time is that of a first run. A second run on the same images finds their features on the disk.
"""

from typing import NamedTuple

# From so many training images a class on, unfreezing is advised. It is a rule of thumb between two measurements:
# unfreezing changes nothing with 120 a class (ants and bees), and adds 4 % with 1,000 (cats and dogs, Chollet 2017,
# chapter 5).
ENOUGH_TO_UNFREEZE = 300


class Task(NamedTuple):
    """The size of a task.

    train, val       the number of training images and of held-back images
    batch_size, epochs, tune_epochs      of `minitl finetune`; tune_epochs is 0 where there is no second stage
    choice           the cost of choosing a head, in epochs of the first stage
    start            seconds before the first image is read: searching the folder, loading the weights
    reading          seconds of reading one image, on one core of `threads`
    bytes            of the program, its weights and arrays, for every plan
    """

    train: int
    val: int
    batch_size: int
    epochs: int
    tune_epochs: int
    start: float
    reading: float
    threads: int
    bytes: int
    choice: float = 0.0


class Plan(NamedTuple):
    """One way to fine-tune, with its predicted time and memory.

    cut         the last layer kept;   unfreeze   the first part of the base that learns, or None
    arguments   of `minitl finetune`
    first_pass, stage_1, stage_2       predicted seconds;   peak_bytes   predicted memory
    """

    cut: str
    unfreeze: str | None
    arguments: tuple
    first_pass: float
    stage_1: float
    stage_2: float
    peak_bytes: int

    @property
    def name(self):
        """Return the name of the plan in tables."""
        return f"a head on {self.cut}" if self.unfreeze is None else f"{self.unfreeze} and the head"

    @property
    def seconds(self):
        """Return the predicted seconds of all phases."""
        return self.first_pass + self.stage_1 + self.stage_2


def head_plan(task, blocks, arguments, head_epoch, head_bytes=0):
    """Return the plan in which the head alone learns, on frozen `blocks` (`costs.Block`).

    head_epoch   seconds of an epoch of the head;   head_bytes   the memory of its training
    """
    forward = sum(block.forward for block in blocks) + task.reading / task.threads
    first = task.start + (task.train + task.val) * forward
    most = task.bytes + max(blocks[-1].forward_bytes, blocks[-1].kept_bytes + head_bytes)
    stage_1 = (task.epochs + task.choice) * head_epoch
    return Plan(blocks[-1].name, None, tuple(arguments), first, stage_1, 0.0, most)


def blocks_plan(task, blocks, unfreeze, frozen, arguments, head_epoch, step_bytes):
    """Return the plan in which the blocks after the first `frozen` ones learn with the head, in a second stage.

    step_bytes   the memory of a training step through these blocks
    """
    head = head_plan(task, blocks, arguments, head_epoch)
    learning, batches = blocks[frozen:], -(-task.train // task.batch_size)
    images = task.train / batches  # in a batch, on average
    step = sum(block.step_seconds(images, block is learning[0]) for block in learning)
    held_back = task.val * sum(block.forward for block in learning)
    # The held-back images are predicted after the first stage, after each epoch of the second, and at the end.
    stage_2 = task.tune_epochs * batches * step + (task.tune_epochs + 2) * held_back
    kept = blocks[frozen - 1].kept_bytes
    most = max(head.peak_bytes, task.bytes + kept + step_bytes)
    return head._replace(unfreeze=unfreeze, stage_2=stage_2, peak_bytes=most)


def in_order(plans, ranking, images_a_class):
    """Return the plans in order of preference.

    Plans for the head alone follow the ranking of their cuts, with the advised cut first. Plans that unfreeze blocks
    come before these if there are enough images and the whole base is advised; otherwise they come last.
    """
    names = [ranking.advised.name, *(cut.name for cut in ranking.order if cut is not ranking.advised)]
    heads = sorted((plan for plan in plans if plan.unfreeze is None), key=lambda plan: names.index(plan.cut))
    others = [plan for plan in plans if plan.unfreeze is not None]
    if others and images_a_class >= ENOUGH_TO_UNFREEZE and ranking.advised.name == others[0].cut:
        return others + heads
    return heads + others


def choose(plans, most_seconds=None, most_bytes=None):
    """Return the first of `plans` within both limits, and whether there is one: (plan, fits).

    If no plan is within both limits, it is the fastest one within the memory; if none is within the memory, it is the
    plan that takes the least memory.
    """
    small = [plan for plan in plans if most_bytes is None or plan.peak_bytes <= most_bytes]
    if not small:
        return min(plans, key=lambda plan: plan.peak_bytes), False
    fitting = [plan for plan in small if most_seconds is None or plan.seconds <= most_seconds]
    if not fitting:
        return min(small, key=lambda plan: plan.seconds), False
    return fitting[0], True

"""The advice in words and tables, for people; and as data, for programs."""

import shlex

from ...terminal import counted, printable, table, wrapped
from . import plans

SCORES = {"LogME": "logme", "H-score": "h_score"}  # {name: field of `CutScores`}


def advice_text(advice):
    """Return an `advising.Advice` as text: the cuts, the costs of the blocks, the costs of the plans, the advice."""
    subject, task = advice.subject, advice.subject.task
    lines = [
        f"Where to cut: {counted(len(subject.labels), 'training image')}, each predicted by a head made",
        "from all the others", "",
        cuts_table(advice.ranking), "",
    ]  # fmt: skip
    for line in (*about_cuts(advice.ranking), *([subject.no_leep] if subject.no_leep else [])):
        lines.append(wrapped(line, "  "))
    lines += [
        "", f"The cost of the blocks of {subject.base.name} for an image, on this machine ({advice.threads} threads)",
        "GFLOP: 1,000 million multiplications and additions", "",
        blocks_table(advice.blocks, task.batch_size),
    ]  # fmt: skip
    if (advice.load or 0) > 1.5 * advice.threads:
        lines += ["", f"Other programs are running (load {advice.load:.1f}): without them, it would be faster."]
    lines += [
        "", f"The cost of each plan, with {counted(task.train, 'training image')} and {task.val:,} held back", "",
        plans_table(advice.plans),
    ]  # fmt: skip
    if subject.photos is not None:
        lines += ["", "The next run finds the kept features, and takes little time for the first pass."]
    lines += ["", wrapped(f"Advice: {reason(advice)}"), "", f"    {printable(command(advice.advised))}"]
    return "\n".join(lines)


def about_cuts(ranking, noun="image"):
    """Yield lines: the first and the second cut, how sure the order is, and the choices of the scores. `noun` is the
    word for an example."""
    first, second = ranking.order[:2]
    yield sure(ranking, noun)
    others = [name for name in ranking.equals if name not in (first.name, second.name)]
    if others:
        yield f"{', '.join(others)} cannot be told apart from the first either."
    choices = [(name, max(ranking.order, key=lambda cut: getattr(cut, score))) for name, score in SCORES.items()]
    yield "; ".join(f"{name} would choose {best.name}" for name, best in choices) + "."


def sure(ranking, noun="image"):
    """Return a sentence on how sure the order of the first and the second is. `noun` is the word for an example."""
    first, second = ranking.order[:2]
    difference, low, high = ranking.behind[1]
    if second.name in ranking.equals:
        text = f"with so few {noun}s, they cannot be told apart."
    elif low <= 0 <= high:
        text = "their accuracies cannot be told apart, but the probabilities of the right class can."
    else:
        text = "that is more than chance."
    return f"First {first.name}, then {second.name}, {difference:.3f} behind ({low:.3f} to {high:.3f}): {text}"


def reason(advice):
    """Return the reason for the advised plan, in a sentence or two."""
    plan, preferred = advice.advised, advice.ordered[0]
    if not advice.fits:
        limits = [f"{limit:g} {unit}" for limit, unit in ((advice.within, "minutes"), (advice.memory, "GB")) if limit]
        too_large = advice.memory and plan.peak_bytes > advice.memory * 1e9
        fallback = "smallest" if too_large else "fastest"
        return f"no plan fits into {' and '.join(limits)}. The {fallback} is {cost(plan)}."
    if plan is not preferred:
        return f"{cost(plan)}. It is the best plan that fits; {cost(preferred)} would be better."
    text, first = f"{cost(plan)}.", advice.ranking.order[0]
    if plan.unfreeze:
        text += f" With {plans.ENOUGH_TO_UNFREEZE} images a class or more, it pays to unfreeze the last block."
    elif advice.ranking.advised is not first:
        text += f" It cannot be told apart from {first.name}, and is cheaper."
    elif any(each.unfreeze for each in advice.ordered):
        text += f" With fewer than {plans.ENOUGH_TO_UNFREEZE} images a class, unfreezing is not expected to help."
    return text


def cost(plan):
    """Return the name of a plan with its time and memory."""
    return f"{plan.name}: {duration(plan.seconds)}, {gigabytes(plan.peak_bytes)}"


def command(plan):
    """Return the command line that carries out a plan."""
    return shlex.join(["minitl", "finetune", *plan.arguments])


def cuts_table(ranking):
    """Return a table of the cuts with their scores."""
    has_leep = any(cut.leep is not None for cut in ranking.order)
    rows = [["last layer kept", "features", "accuracy", "95% interval", "behind the first", "LogME", "H-score"]]
    rows[0] += ["LEEP"] * has_leep
    for cut, (difference, low, high) in zip(ranking.order, ranking.behind):
        behind = "" if cut is ranking.order[0] else f"{difference:.3f} ({low:.3f} to {high:.3f})"
        rows.append([
            cut.name, f"{cut.features:,}", f"{cut.accuracy:.3f}", "{:.3f} to {:.3f}".format(*cut.interval), behind,
            f"{cut.logme:.3f}", f"{cut.h_score:.2f}", *["" if cut.leep is None else f"{cut.leep:.2f}"] * has_leep,
        ])  # fmt: skip
    return table(rows)


def blocks_table(blocks, batch):
    """Return a table of the blocks with their times for an image.

    The time of learning is that in a batch of `batch` images, where the blocks before it learn as well.
    """
    rows = [["block, up to", "GFLOP", "ms frozen", "GFLOP/s", "ms learning"]]
    for block in blocks:
        learning = f"{1000 * block.step_seconds(batch, False) / batch:.1f}" if block.step else ""
        speed = block.flops / block.forward / 1e9
        rows.append([block.name, f"{block.flops / 1e9:.2f}", f"{1000 * block.forward:.1f}", f"{speed:.0f}", learning])
    return table(rows)


def plans_table(all_plans):
    """Return a table of the plans with their predicted times and memory."""
    rows = [["what learns", "first pass", "stage 1", "stage 2", "in all", "memory"]]
    for plan in all_plans:
        seconds = plan.first_pass, plan.stage_1, plan.stage_2, plan.seconds
        rows.append([plan.name, *(duration(each) if each else "" for each in seconds), gigabytes(plan.peak_bytes)])
    return table(rows)


def duration(seconds):
    """Return a time as text."""
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 180 else f"{seconds / 60:.0f} min"


def gigabytes(count):
    """Return a number of bytes as text."""
    return f"{count / 1e9:.1f} GB" if count >= 95e6 else f"{count / 1e6:.0f} MB"


def advice_data(advice):
    """Return an `advising.Advice` as JSON can hold it."""
    ranking = advice.ranking
    return {
        "cuts": [cut_data(cut, behind) for cut, behind in zip(ranking.order, ranking.behind)],
        "cannot_be_told_apart": ranking.equals,
        "blocks": [block._asdict() for block in advice.blocks],
        "plans": [plan_data(each) for each in advice.plans],
        "advised": plan_data(advice.advised),
        "fits": advice.fits,
        "pictures": len(advice.subject.labels),
        "threads": advice.threads,
        "load": advice.load,
    }


def cut_data(cut, behind):
    """Return a cut of the ranking, as JSON can hold it."""
    low, high = cut.interval
    return {
        **{name: getattr(cut, name) for name in ("name", "features", "accuracy", "logme", "h_score", "leep")},
        "interval": [low, high],
        "behind": list(behind),
    }


def plan_data(plan):
    """Return a plan, as JSON can hold it."""
    return {**plan._asdict(), "name": plan.name, "seconds": plan.seconds, "command": command(plan)}

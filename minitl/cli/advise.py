"""Before fine-tuning: where should I cut, what should I unfreeze, what will it cost?

    minitl advise photos/
    minitl advise photos/ --within 10            (minutes on this machine: the best that fits, and the command for it)
    minitl advise photos/ --memory 4             (GB)
    minitl advise photos/ --base resnet50
    minitl advise                                (the bundled pictures on VGG16's first three blocks)

Every training picture goes through the frozen base once. What comes out at the end of each block is judged by a head
in closed form and by the literature's scores; a few batches through each block are timed. The held-back pictures are
not looked at. With --backtest all of it is put to the test: every plan is carried out, and what was said is compared
with what came.
"""

import shlex
import textwrap

from .. import interruption
from ..applications import bases
from ..arguments import whole_number
from ..errors import ArgumentError
from ..files.results import check_writable, write_json
from ..kernels.parallel import threads
from ..recipes.advice import backtest as advise_backtest
from ..recipes.advice import costs, plans, rank
from ..recipes.advice.subjects import Bundled, Photographs
from ..terminal import printable, table
from . import photos_options

HELP = "where to cut, what to unfreeze, and what it will cost"

SCORES = {"LogME": "logme", "H-score": "h_score"}  # what they are called: a field of `CutScores`


def add_arguments(parser):
    parser.add_argument("photos", metavar="PHOTOS", nargs="?", help="a folder with a subfolder of photographs a class")
    parser.add_argument("--within", type=float, metavar="MINUTES", help="the best plan that takes no longer")
    parser.add_argument("--memory", type=float, metavar="GB", help="the best plan that takes no more")
    parser.add_argument("--base", choices=bases(), help=f"default: {photos_options.DEFAULTS['base']}")
    parser.add_argument("--image-size", type=int, help="pixels (default: what the base was trained on)")
    parser.add_argument(
        "--no-cache", action="store_true", help="do not keep the photographs' features for the next run"
    )
    parser.add_argument(
        "--backtest", action="store_true", help="carry all plans out and compare: as long as all of them together"
    )
    parser.add_argument("--seeds", type=int, default=3, help="of each plan in --backtest (default: %(default)s)")


def run(options):
    check_writable(options.json)
    for name in "within", "memory":
        limit = getattr(options, name)
        if limit is not None and not 0 < limit < float("inf"):
            raise ArgumentError(f"--{name} is {limit}; expected a number above 0.")
    whole_number(options.seeds, "--seeds")
    if options.photos is None:
        given = [name for name in ("base", "image_size") if getattr(options, name) is not None]
        if given:
            raise ArgumentError(f"--{given[0].replace('_', '-')} goes with photographs: minitl advise PHOTOS/")
    with interruption.graceful():
        subject = Bundled(options) if options.photos is None else Photographs(options)
        judged, (blocks, all_plans) = subject.judge(), subject.measure()
        ranking = rank(judged, head_seconds(all_plans, judged))
        results = advise(subject, ranking, blocks, all_plans, options)
        if options.backtest:
            results["backtest"] = advise_backtest.run(subject, ranking, all_plans, options.seeds)
    write_json(options.json, results)


def head_seconds(all_plans, judged):
    """What a head alone takes on each cut, in the order of `judged`."""
    seconds = {plan.cut: plan.seconds for plan in all_plans if plan.unfreeze is None}
    return [seconds[cut.name] for cut in judged]


def advise(subject, ranking, blocks, all_plans, options):
    """Print what was found, and what to do. Returns it as data."""
    task = subject.task
    print(
        f"\nWhere to cut: {len(subject.labels):,} training pictures, each judged by a head made from all the others\n"
    )
    print(cuts_table(ranking))
    print()
    for line in (*about_cuts(ranking), *([subject.no_leep] if subject.no_leep else [])):
        print(textwrap.fill(line, 100, subsequent_indent="  "))
    print(f"\nWhat the blocks of {subject.base.name} take on this machine ({threads()} threads)\n")
    print(blocks_table(blocks, task.batch_size))
    if (costs.load() or 0) > 1.5 * threads():
        print(f"\nOther programs are at work here (load {costs.load():.1f}): without them it would be faster.")
    print(f"\nWhat each plan will take, with {task.train:,} pictures to learn from and {task.val:,} held back\n")
    print(plans_table(all_plans))
    if subject.is_of_photographs:
        print("\nSo the first time; then the pictures' features are kept, and most of the first pass falls away.")
    ordered = plans.in_order(all_plans, ranking, task.train / len(subject.class_names))
    limits = options.within and options.within * 60, options.memory and options.memory * 1e9
    plan, fits = plans.choose(ordered, *limits)
    print("\n" + textwrap.fill(f"Advice: {reason(plan, ordered, fits, ranking, options)}", 100))
    print(f"\n    {printable(command(plan))}", flush=True)
    return {
        "cuts": [cut_data(cut, behind) for cut, behind in zip(ranking.order, ranking.behind)],
        "cannot_be_told_apart": ranking.equals,
        "blocks": [block._asdict() for block in blocks],
        "plans": [plan_data(each) for each in all_plans],
        "advised": plan_data(plan),
        "fits": fits,
        "pictures": len(subject.labels),
        "threads": threads(),
        "load": costs.load(),
    }


def about_cuts(ranking):
    """Which is first, which second, how sure; and what the scores would have taken. Yields lines."""
    first, second = ranking.order[:2]
    difference, low, high = ranking.behind[1]
    if second.name in ranking.equals:
        sure = "with so few pictures, they cannot be told apart."
    elif low <= 0 <= high:
        sure = "the accuracies do not tell them apart, the probabilities of the right class do."
    else:
        sure = "that is more than chance."
    yield f"First {first.name}, then {second.name}, {difference:.3f} behind ({low:.3f} to {high:.3f}): {sure}"
    others = [name for name in ranking.equals if name not in (first.name, second.name)]
    if others:
        yield f"Nor can {', '.join(others)}."
    choices = [(name, max(ranking.order, key=lambda cut: getattr(cut, score))) for name, score in SCORES.items()]
    yield "; ".join(f"{name} would take {best.name}" for name, best in choices) + "."


def reason(plan, ordered, fits, ranking, options):
    """Why this plan, in a sentence or two."""
    preferred, advised, first = ordered[0], ranking.advised, ranking.order[0]
    if not fits:
        limits = [
            f"{limit:g} {unit}"
            for limit, unit in ((options.within, "minutes"), (options.memory, "GB"))
            if limit is not None
        ]
        too_large = options.memory and plan.peak_bytes > options.memory * 1e9
        return (
            f"nothing fits into {' and '.join(limits)}. The {'smallest' if too_large else 'fastest'} is {cost(plan)}."
        )
    if plan is not preferred:
        return f"{cost(plan)}. It is the best that fits; better would be {cost(preferred)}."
    text = f"{cost(plan)}."
    if plan.unfreeze:
        text += f" With {plans.ENOUGH_TO_UNFREEZE} pictures a class or more, it pays to let the last block learn."
    elif advised is not first:
        text += f" It cannot be told apart from {first.name}, and is cheaper."
    elif any(each.unfreeze for each in ordered):
        text += (
            f" To let blocks learn as well is not expected to help below {plans.ENOUGH_TO_UNFREEZE} pictures a class."
        )
    return text


def cost(plan):
    return f"{plan.name}: {duration(plan.seconds)}, {gigabytes(plan.peak_bytes)}"


def command(plan):
    return shlex.join(["minitl", "finetune", *plan.arguments])


def cuts_table(ranking):
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
    """Times are for an image; those of learning in a batch of `batch`, where blocks before it learn as well."""
    rows = [["block, to", "GFLOP", "ms frozen", "GFLOP/s", "ms learning"]]
    for block in blocks:
        learning = f"{1000 * block.step_seconds(batch, False) / batch:.1f}" if block.step else ""
        speed = block.flops / block.forward / 1e9
        rows.append([block.name, f"{block.flops / 1e9:.2f}", f"{1000 * block.forward:.1f}", f"{speed:.0f}", learning])
    return table(rows)


def plans_table(all_plans):
    rows = [["what learns", "first pass", "stage 1", "stage 2", "in all", "memory"]]
    for plan in all_plans:
        phases = [
            duration(each) if each else "" for each in (plan.first_pass, plan.stage_1, plan.stage_2, plan.seconds)
        ]
        rows.append([plan.name, *phases, gigabytes(plan.peak_bytes)])
    return table(rows)


def duration(seconds):
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 180 else f"{seconds / 60:.0f} min"


def gigabytes(count):
    return f"{count / 1e9:.1f} GB" if count >= 95e6 else f"{count / 1e6:.0f} MB"


def cut_data(cut, behind):
    low, high = cut.interval
    return {
        **{name: getattr(cut, name) for name in ("name", "features", "accuracy", "logme", "h_score", "leep")},
        "interval": [low, high],
        "behind": list(behind),
    }


def plan_data(plan):
    return {**plan._asdict(), "name": plan.name, "seconds": plan.seconds, "command": command(plan)}

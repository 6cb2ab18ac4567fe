"""Advice on the base: the same advice for each pre-trained network that is on this machine, and a comparison of them.

Each base gets the whole advice: the best of its plans within the limits, and how accurate a head on its features is on
photographs that the head has not seen. The bases are then compared as the cuts of one base are (`judging`): on the same
photographs, and of those that cannot be told apart from the first, the cheapest is advised.

    from minitl.recipes.advice import advise_bases
    advice = advise_bases("photos/", within=10)
    print(advice)
    advice.advised.command

A base whose weights are not here is named and left out: nothing is fetched. Who calls this: `minitl advise --base all`.
"""

from dataclasses import replace

from ... import interruption
from ...applications import bases
from ...errors import WeightsError
from ...terminal import printable, silent_unless, table, wrapped
from ...weights.published.catalogue import CATALOGUE, present
from ..settings import PhotographSettings, SettingError, require_path, settings_from
from .advising import advise_photographs, require_limits
from .judging import rank
from .words import command, cost, cut_data, duration, gigabytes, sure

ALL = "all"  # what --base takes instead of a name


class BasesAdvice:
    """Advice on the base. Printed, it is a table of the bases, with the command to run at its end.

    advices  {base: its `Advice`};   missing   the bases whose weights are not on this machine
    ranking  the bases in order: `judging.Ranking`, whose cuts have the names of the bases
    advised  the `Advice` of the base to choose;   fits   whether its plan stays within the limits
    """

    def __init__(self, advices, missing):
        self.advices, self.missing = advices, missing
        fitting = {base: each for base, each in advices.items() if each.fits}
        self.fits = bool(fitting)
        compared = fitting or advices
        judged = [chosen_cut(each)._replace(name=base) for base, each in compared.items()]
        self.ranking = rank(judged, [each.advised.seconds for each in compared.values()])
        if self.fits:
            base = self.ranking.advised.name
        else:  # the plan of each is the one that exceeds the limits least; the fastest of them exceeds them least
            base = min(advices, key=lambda base: advices[base].advised.seconds)
        self.base, self.advised = base, advices[base]

    def __repr__(self):
        return f"<BasesAdvice: {command(self.advised.advised)}; print it for the reasons>"

    def __str__(self):
        """Return the advice as text."""
        count = len(self.advised.subject.labels)
        lines = [f"Which base: {count} training images, each predicted by a head made from all the others", ""]
        lines += [self.table(), ""]
        lines += [wrapped(line, "  ") for line in self.remarks()]
        lines += ["", wrapped(f"Advice: {self.reason()}"), "", f"    {printable(command(self.advised.advised))}"]
        return "\n".join(lines)

    def table(self):
        """Return the bases in order as a table. Those whose plans exceed the limits come last."""
        rows = [["base", "last layer kept", "accuracy", "95% interval", "behind the first"]]
        rows[0] += ["ms an image", "in all", "memory", "weights"]
        for cut, (difference, low, high) in zip(self.ranking.order, self.ranking.behind):
            behind = "" if cut is self.ranking.order[0] else f"{difference:.3f} ({low:.3f} to {high:.3f})"
            rows.append(self.row(cut.name, behind))
        rows += [self.row(base, "over the limits") for base in self.advices if base not in self.compared]
        return table(rows)

    @property
    def compared(self):
        """Return the names of the bases in the ranking."""
        return [cut.name for cut in self.ranking.order]

    def row(self, base, behind):
        """Return the row of a base in the table."""
        advice = self.advices[base]
        cut, plan = chosen_cut(advice), advice.advised
        accuracy = [f"{cut.accuracy:.3f}", "{:.3f} to {:.3f}".format(*cut.interval), behind]
        size = gigabytes(4 * advice.subject.base.count_params())
        image = f"{1000 * seconds_an_image(advice):.1f}"
        return [base, plan.cut, *accuracy, image, duration(plan.seconds), gigabytes(plan.peak_bytes), size]

    def remarks(self):
        """Yield how sure the order is, and what was not compared."""
        if len(self.ranking.order) > 1:
            yield sure(self.ranking)
        if self.missing:
            names = ", ".join(self.missing)
            get = f"minitl weights get {published_name(self.missing[0])}"
            yield f"Not compared, because their weights are not on this machine: {names}. To fetch them: {get}."
        yield f"The cuts of a base and the costs of its blocks: minitl advise PHOTOS --base {self.base}"

    def reason(self):
        """Return the reason for the advised base, in a sentence or two."""
        text, first = f"{self.base}, {cost(self.advised.advised)}.", self.ranking.order[0]
        if not self.fits:
            return f"no plan of any base fits into the limits. The fastest is {text}"
        if self.ranking.advised is not first:
            text += f" It cannot be told apart from {first.name}, and is cheaper."
        return text

    def as_data(self):
        """Return the advice, as JSON can hold it: that of each base, and the comparison."""
        compared = [
            {**cut_data(cut, behind), "seconds_an_image": seconds_an_image(self.advices[cut.name])}
            for cut, behind in zip(self.ranking.order, self.ranking.behind)
        ]
        return {
            "bases": compared,
            "cannot_be_told_apart": self.ranking.equals,
            "missing": self.missing,
            "advised": self.base,
            "command": command(self.advised.advised),
            "fits": self.fits,
            "advice": {base: each.as_data() for base, each in self.advices.items()},
        }


def advise_bases(folder, settings=None, within=None, memory=None, verbose=1, map=None, **changes):
    """Return `BasesAdvice` on a folder of photographs. Its held-back photographs are not used.

    settings, changes   as for `finetune_photographs`, without base and weights
    within, memory      the most minutes and GB that a plan may take
    map                 as for `finetune_photographs`
    """
    require_path("folder", folder)
    require_limits(within=within, memory=memory)
    settings = settings_from(PhotographSettings, settings, changes)
    for name in "base", "weights":
        if getattr(settings, name) != getattr(PhotographSettings, name):
            raise SettingError("{} does not go with advise_bases, which compares ImageNet's weights of all.", name)
    here = [base for base in bases() if present(published_name(base)) is not None]
    missing = [base for base in bases() if base not in here]
    if not here:
        get = " or ".join(f"`minitl weights get {published_name(base)}`" for base in missing)
        raise WeightsError(f"the weights of no base are on this machine, and none can be compared. Run {get}.")
    advices = {}
    with silent_unless(verbose), interruption.graceful():
        for base in here:
            print(f"\n{base}:", flush=True)
            advices[base] = advise_photographs(folder, replace(settings, base=base), within, memory, map=map)
        return BasesAdvice(advices, missing)


def published_name(base):
    """Return the name in the catalogue of the weights that a base without its top needs."""
    return f"{base}-notop" if f"{base}-notop" in CATALOGUE else base


def chosen_cut(advice):
    """Return the `CutScores` of the cut of an advised plan."""
    return next(cut for cut in advice.ranking.order if cut.name == advice.advised.cut)


def seconds_an_image(advice):
    """Return the seconds that an image takes through the frozen base up to the cut of the advised plan."""
    names = [block.name for block in advice.blocks]
    return sum(block.forward for block in advice.blocks[: names.index(advice.advised.cut) + 1])

"""The whole advice: every training picture goes through the frozen base once; what comes out at the end of each block
is judged, a few batches through each block are timed, and of all plans one is advised.

    from minitl.recipes.advice import advise_photographs
    advice = advise_photographs("photos/", within=10)       # minutes on this machine
    print(advice)
    advice.advised.cut, advice.advised.seconds, advice.command
"""

from ... import interruption
from ...kernels.parallel import threads
from ...terminal import silent_unless
from ..settings import PhotographSettings, require_above_0, require_path, settings_from
from . import backtest, costs, plans, words
from .judging import rank
from .subjects import Clothing, Photographs


class Advice:
    """What was found, and what to do. Printed, it is a page of tables with the command to run at its end.

    subject    what was looked at;   within   minutes, and   memory   GB, at most, or None
    ranking    the cuts in order: `judging.Ranking`
    blocks     what each block takes on this machine: `costs.Block`s
    plans      all that could be done: `plans.Plan`s;   ordered   the one to prefer first
    advised    the plan to carry out;   fits   does it stay within the limits?
    tested     what `carry_out_all` gave, or None
    """

    def __init__(self, subject, within=None, memory=None):
        self.subject, self.within, self.memory, self.tested = subject, within, memory, None
        judged = subject.judge()
        self.blocks, self.plans = subject.measure()
        seconds = {plan.cut: plan.seconds for plan in self.plans if plan.unfreeze is None}
        self.ranking = rank(judged, [seconds[cut.name] for cut in judged])
        pictures_a_class = subject.task.train / len(subject.class_names)
        self.ordered = plans.in_order(self.plans, self.ranking, pictures_a_class)
        self.advised, self.fits = plans.choose(self.ordered, within and within * 60, memory and memory * 1e9)
        self.threads, self.load = threads(), costs.system_load()

    @property
    def command(self):
        """Return the command line that does what is advised."""
        return words.command(self.advised)

    def carry_out_all(self, seeds=3, verbose=1):
        """Put the advice to the test: carry out every plan, with each of so many seeds. Returns the comparison as
        data, and keeps it."""
        with silent_unless(verbose), interruption.graceful():
            self.tested = backtest.run(self.subject, self.ranking, self.plans, seeds)
        return self.tested

    def __str__(self):
        return words.advice_text(self)

    def as_data(self):
        """Return everything as JSON can hold it."""
        return {**words.advice_data(self), **({} if self.tested is None else {"backtest": self.tested})}


def advise_photographs(folder, settings=None, within=None, memory=None, verbose=1, **changes):
    """Return `Advice` on a folder of photographs. Its held-back photographs are not looked at.

    settings, changes   as for `finetune_photographs`: base, image_size, ...
    within, memory      minutes and GB that a plan may take at most
    """
    require_path("folder", folder)
    require_limits(within=within, memory=memory)
    settings = settings_from(PhotographSettings, settings, changes)
    with silent_unless(verbose), interruption.graceful():
        return Advice(Photographs(folder, settings), within, memory)


def advise_clothing(within=None, memory=None, verbose=1):
    """Return `Advice` on the bundled pictures; `within` and `memory` as in `advise_photographs`."""
    require_limits(within=within, memory=memory)
    with silent_unless(verbose), interruption.graceful():
        return Advice(Clothing(), within, memory)


def require_limits(**limits):
    for name, limit in limits.items():
        if limit is not None:
            require_above_0(name, limit)

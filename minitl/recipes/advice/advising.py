"""The whole advice: where to cut, what each plan costs, and which plan to carry out.

Every training image goes once through the frozen base. The features at the end of each block are judged, a few batches
through each block are timed, and one of all plans is advised.

    from minitl.recipes.advice import advise_photographs
    advice = advise_photographs("photos/", within=10)       # minutes on this machine
    print(advice)
    advice.advised.cut, advice.advised.seconds, advice.command
"""

from ... import interruption
from ...arguments import whole_number
from ...kernels.parallel import threads
from ...terminal import silent_unless
from ..settings import PhotographSettings, SettingError, require_above_0, require_path, settings_from
from . import backtest, costs, plans, words
from .judging import rank
from .subjects import Clothing, Photographs

SEEDS = 3  # with which each plan is carried out
# The settings that advice does not take: it advises on the first ones, and trains and keeps nothing.
NOT_TO_ADVISE = (
    "cut", "unfreeze", "mirror", "augment", "run_folder", "resume", "despite_changes", "save", "report", "json"
)  # fmt: skip


class Advice:
    """Advice on a fine-tuning. Printed, it is a page of tables, with the command to run at its end.

    subject    the `subjects.Subject`;   within, memory   the most minutes and GB that a plan may take, or None
    ranking    the cuts in order: `judging.Ranking`
    blocks     time and memory of each block on this machine: `costs.Block`s
    plans      all possible plans: `plans.Plan`s;   ordered   the same, the preferred one first
    advised    the plan to carry out;   fits   whether it stays within the limits
    tested     the comparison of `carry_out_all`, or None
    """

    def __init__(self, subject, within=None, memory=None):
        self.subject, self.within, self.memory, self.tested = subject, within, memory, None
        judged = subject.judge()
        self.blocks, self.plans = subject.measure()
        seconds = {plan.cut: plan.seconds for plan in self.plans if plan.unfreeze is None}
        self.ranking = rank(judged, [seconds[cut.name] for cut in judged])
        images_a_class = subject.task.train / len(subject.class_names)
        self.ordered = plans.in_order(self.plans, self.ranking, images_a_class)
        self.advised, self.fits = plans.choose(self.ordered, within and within * 60, memory and memory * 1e9)
        self.threads, self.load = threads(), costs.system_load()

    @property
    def command(self):
        """Return the command line that carries out the advised plan."""
        return words.command(self.advised)

    def carry_out_all(self, seeds=SEEDS, verbose=1, map=None):
        """Test the advice: carry out every plan with so many seeds. Returns the comparison as data, and keeps it.

        map   a callable like Python's `map` that carries out plans elsewhere; then no times are compared
        """
        whole_number(seeds, "seeds")
        with silent_unless(verbose), interruption.graceful():
            self.tested = backtest.run(self.subject, self.ranking, self.plans, seeds, map)
        return self.tested

    def __repr__(self):
        return f"<Advice on {self.subject.photos or 'the bundled images'}: {self.command}; print it for the reasons>"

    def __str__(self):
        """Return the advice as text."""
        return words.advice_text(self)

    def as_data(self):
        """Return the advice, as JSON can hold it."""
        return {**words.advice_data(self), **({} if self.tested is None else {"backtest": self.tested})}


def advise_photographs(folder, settings=None, within=None, memory=None, verbose=1, map=None, **changes):
    """Return `Advice` on a folder of photographs. Its held-back photographs are not used.

    settings, changes   as for `finetune_photographs`: base, image_size, ...
    within, memory      the most minutes and GB that a plan may take
    map                 as for `finetune_photographs`: where the photographs go through the base
    """
    require_path("folder", folder)
    require_limits(within=within, memory=memory)
    settings = settings_from(PhotographSettings, settings, changes)
    for name in NOT_TO_ADVISE:
        if getattr(settings, name) != getattr(PhotographSettings, name):
            raise SettingError("{} does not go with advise_photographs. Leave it out.", name)
    with silent_unless(verbose), interruption.graceful():
        return Advice(Photographs(folder, settings, map), within, memory)


def advise_clothing(within=None, memory=None, verbose=1):
    """Return `Advice` on the bundled images; `within` and `memory` as in `advise_photographs`."""
    require_limits(within=within, memory=memory)
    with silent_unless(verbose), interruption.graceful():
        return Advice(Clothing(), within, memory)


def require_limits(**limits):
    """Raise SettingError unless each limit is None or a number above 0."""
    for name, limit in limits.items():
        if limit is not None:
            require_above_0(name, limit)

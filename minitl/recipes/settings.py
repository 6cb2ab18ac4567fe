"""The settings of the recipes, as plain objects, and the checks that are made before any work begins.

A job takes a settings object, single changes by name, or both:

    finetune_photographs("photos/", base="resnet50", epochs=5)
    finetune_photographs("photos/", PhotographSettings(base="resnet50"), epochs=5)

The command line fills in the same objects. Where it has an option, Python has a setting: `--cut` is `cut`.
"""

import os
from dataclasses import dataclass, fields, replace

from ..applications import NETWORKS, bases, cuts
from ..arguments import nearest, truth_value
from ..errors import ArgumentError
from .setting_values import (
    OPTIONS as OPTIONS,
)
from .setting_values import (
    SettingError,
    is_number,
    require_above_0,
    require_number,
    require_one_of,
    require_path,
    require_share,
    require_whole_number,
)
from .setting_values import (
    option as option,
)
from .view import DEFAULT_VIEW, VIEWS

SCHEDULES = ("cosine", "constant", "step", "plateau")
STARTS = ("zeros", "ridge")
AUTO = "auto"  # chosen on the training photographs
HEADS = (AUTO, "unit", "plain")
SEVERAL = "several"  # the cut that stands for the last ends of a base together
TOGETHER = 4  # so many of them
VALIDATION = 0.2  # the share of each class that is held back
LARGEST_SIZE = 4096  # pixels
LARGEST_FACTOR, LARGEST_DECAY = 1e3, 1e6  # the optimizers take no larger ones

# The settings that act in the second stage only, with the values that ask for nothing.
OF_THE_SECOND_STAGE = {"tune_epochs": (None, 0), "tune_rate": (None,), "head_factor": (1,), "l2_sp": (0, None)}


def settings_from(kind, settings, changes):
    """Return a settings object of the class `kind`: `settings`, or the defaults if it is None, with `changes`.

    changes   {name: value}
    """
    if settings is None:
        settings = kind()
    if not isinstance(settings, kind):
        raise ArgumentError(f"settings is of type {type(settings).__name__}; expected {kind.__name__}.")
    known = [field.name for field in fields(kind)]
    for name in changes:
        if name not in known:
            near = nearest(name, known, 1)
            hint = f"Did you mean {near[0]}?" if near else f"Expected some of {', '.join(known)}."
            raise ArgumentError(f"{kind.__name__} has no {name}. {hint}")
    return replace(settings, **changes)


@dataclass(frozen=True)
class PhotographSettings:
    """The settings of `finetune_photographs`.

    The defaults were chosen by cross-validation with VGG16 on the training half of ants and bees; the validation half
    was not used. A default of None depends on the base (`settled` fills it in).

    base             the pre-trained network: vgg16, resnet50, inception_v3, efficientnet_lite0
    cut              the last layer of the base that is kept (default: its last). "block6d_add,top_activation": the
                     features at several layers, side by side. "several": those at the last four ends of blocks
    view             what the base is shown of a photograph: one of `view.VIEWS`, or "auto": chosen on the training
                     photographs (`view_choice`)
    head             "unit": bring each photograph's features to length 1 first; "plain": do not; "auto": choose, with
                     learning_rate and label_smoothing where these are None, by cross-validation (`head_choice`)
    epochs, learning_rate       of the first stage, in which the head learns alone
    unfreeze         the part of the base from which on a second stage learns as well, or "none". The default is "none",
                     or the last part if tune_epochs or tune_rate is given
    tune_epochs, tune_rate      of the second stage (default: 2, 0.0003; None where there is none)
    head_factor      in the second stage, the head's learning rate is tune_rate times this
    schedule         of the learning rate, in both stages: one of SCHEDULES
    warm_up          epochs in which the rate rises from 0, in both stages: not more than either of them has
    patience         end a stage after so many epochs without a better val_loss, and go back to the best (None: never)
    batch_size       photographs in a mini-batch
    weight_decay     of the new head, towards 0;   l2_sp   of the base, towards its pre-trained values
    label_smoothing  the share of a label that is spread over all classes
    clip_norm        the largest norm of all gradients together (None: no limit)
    start            the head's first values: "zeros", or "ridge", the solution in closed form
    image_size       pixels (default: the size that the base was trained on)
    balance          draw all classes equally often, in both stages, however many photographs there are of each
                     (`data.balanced` says why)
    class_weights    take each photograph once an epoch, and let rare classes count more in the loss instead
    mirror           learn from every photograph's mirror image as well
    augment          use other crops, mirror images and colours in each epoch: the base runs in each (slow). Where there
                     is a second stage, only there: the head learns on kept features of the unchanged photographs
    weights          the file of the base's weights, without its head (default: ImageNet's)
    validation       the share of each class to hold back (default: 0.2), where the folder has no train/ and val/
    follow_links     follow links that lead out of the folder
    seed             of all random numbers

    The other settings do not change the result. (With `despite_changes`, other data, other code or another machine may
    change it.)

    strict           stop at the first file that is no photograph
    keep_features    keep the features of the frozen base on the disk, for the next run
    run_folder       for checkpoints (default: a folder for these photographs in $MINITL_HOME/runs)
    resume           go on with a run that was stopped or killed
    despite_changes  go on even where data, code or machine have changed since then
    save             file for the model;   report   folder for the report;   json   file for the results
    """

    base: str = "vgg16"
    cut: str | None = None
    view: str = DEFAULT_VIEW
    head: str = "auto"
    epochs: int = 60
    learning_rate: float | None = None
    unfreeze: str | None = None
    tune_epochs: int | None = None
    tune_rate: float | None = None
    head_factor: float = 1.0
    schedule: str = "cosine"
    warm_up: float = 0.0
    patience: int | None = None
    batch_size: int = 32
    weight_decay: float = 0.0
    l2_sp: float = 0.0
    label_smoothing: float | None = None
    clip_norm: float | None = None
    start: str = "zeros"
    image_size: int | None = None
    balance: bool = False
    class_weights: bool = False
    mirror: bool = False
    augment: bool = False
    weights: str | None = None
    validation: float | None = None
    follow_links: bool = False
    seed: int = 0
    strict: bool = False
    keep_features: bool = True
    run_folder: str | None = None
    resume: bool = False
    despite_changes: bool = False
    save: str | None = None
    report: str | None = None
    json: str | None = None

    def settled(self):
        """Return these settings with the defaults of the base filled in. Raises SettingError for values that make no
        sense, and for settings that would have no effect."""
        require_one_of("base", self.base, bases())
        require_one_of("start", self.start, STARTS)
        require_one_of("head", self.head, HEADS)
        require_one_of("view", self.view, [*VIEWS, AUTO])
        network, ends = NETWORKS[self.base], cuts(self.base)
        cut = cut_at(self.cut, self.base)
        last_end = cut.split(",")[-1]
        parts = parts_before(self.base, last_end)
        # Whoever says how long a second stage shall take, or how fast it shall learn, wants one.
        wants_a_second_stage = bool(self.tune_epochs) or self.tune_rate is not None
        last = next(iter(parts), "none") if wants_a_second_stage else "none"
        unfreeze = last if self.unfreeze is None else self.unfreeze
        if unfreeze not in (*parts, "none"):
            kept = "" if last_end == ends[-1] else f" cut at {last_end}"
            wanted = f"none or a part of {self.base}{kept}: {', '.join(parts) or 'there is none'}"
            raise SettingError("{} is {found!r}; expected {wanted}.", "unfreeze", found=unfreeze, wanted=wanted)
        size = network.native_size if self.image_size is None else self.image_size
        settled = replace(
            self,
            cut=cut,
            unfreeze=unfreeze,
            image_size=size,
            **{name: truth_value(getattr(self, name), name) for name in TRUTH_VALUES},
        )
        if unfreeze != "none":
            usual = {"tune_epochs": network.second_stage.epochs, "tune_rate": network.second_stage.rate}
            usual = {name: value for name, value in usual.items() if getattr(self, name) is None}
            settled = replace(settled, **usual)
        settled._check_values(network.smallest_size)
        self._refuse_without_effect(settled.unfreeze, next(iter(parts), None))
        return settled

    def _check_values(self, smallest_size):
        """Raise SettingError for a number that is out of range."""
        require_usual_values(self)
        require_whole_number("image_size", self.image_size)
        if not smallest_size <= self.image_size <= LARGEST_SIZE:
            raise SettingError(
                "{} is {found}; expected {least} (the smallest that the base takes) to {most}.",
                "image_size", found=self.image_size, least=smallest_size, most=LARGEST_SIZE,
            )  # fmt: skip
        require_stage_numbers(self)
        if self.weights is not None and not os.path.isfile(self.weights):
            raise SettingError("{} is {found}; expected a file of weights, found none.", "weights", found=self.weights)
        if self.augment and self.mirror:
            raise SettingError("{} does not go with {}: it has mirror images of its own.", "augment", "mirror")
        if self.augment and self.start == "ridge" and self.unfreeze == "none":
            text = "{} does not go with {} ridge, which needs kept features, unless there is a second stage ({})."
            raise SettingError(text, "augment", "start", "unfreeze")

    def _refuse_without_effect(self, unfreeze, last):
        """Raise SettingError for a setting that is given and would have no effect.

        unfreeze   the part from which on the second stage learns, or "none";   last   the last part, or None
        """
        if unfreeze != "none" and self.tune_epochs == 0:
            other = "tune_rate" if self.unfreeze is None else "unfreeze"
            raise SettingError("{} is 0, and {} asks for a second stage. Leave out one of them.", "tune_epochs", other)
        for name, nothing in OF_THE_SECOND_STAGE.items():
            if unfreeze == "none" and getattr(self, name) not in nothing:
                text = "{} acts in the second stage, and there is none. Leave it out"
                text += f", or give {{}} {last}." if last else "; behind {} nothing can learn in it."
                raise SettingError(text, name, "unfreeze" if last else "cut")

    @property
    def ends(self):
        """The names of the layers that settled settings cut the base behind, the last one last."""
        return self.cut.split(",")

    def as_data(self):
        """Return the settings that change the result, as JSON can hold them."""
        names = [field.name for field in fields(self)]
        data = {name: getattr(self, name) for name in names[: names.index("seed") + 1]}
        return {**data, "weights": None if self.weights is None else str(self.weights)}


# The names of the settings that are True or False.
TRUTH_VALUES = tuple(field.name for field in fields(PhotographSettings) if isinstance(field.default, bool))


def cut_at(cut, base):
    """Return the setting `cut`, in the order of the base and with what it stands for. Raises SettingError for a name
    that is no end of a block."""
    ends = cuts(base)
    if cut is None:
        return ends[-1]
    names = ends[-TOGETHER:] if cut == SEVERAL else [name.strip() for name in str(cut).split(",")]
    for name in names:
        if name not in ends:
            wanted = f"a block's end in {base}: {', '.join(ends)}"
            raise SettingError("{} is {found}; expected {wanted}.", "cut", found=name, wanted=wanted)
    return ",".join(sorted(set(names), key=ends.index))


def parts_before(base, cut):
    """Return {part that can be fine-tuned: the layer before it}, from the end, of a base that ends with `cut`."""
    ends, parts = cuts(base), NETWORKS[base].fine_tuning
    return {part: before for part, before in parts.items() if ends.index(before) < ends.index(cut)}


def require_usual_values(settings):
    """Raise SettingError for a value of those settings that every fine-tuning on a folder has in the same way."""
    require_one_of("schedule", settings.schedule, SCHEDULES)
    for name in "epochs", "batch_size":
        require_whole_number(name, getattr(settings, name))
    require_whole_number("seed", settings.seed, least=0)
    require_number("head_factor", settings.head_factor, most=LARGEST_FACTOR)
    if settings.clip_norm is not None:
        require_above_0("clip_norm", settings.clip_norm)
    if settings.patience is not None:
        require_whole_number("patience", settings.patience, least=0)
    for name in "run_folder", "weights":
        if getattr(settings, name) is not None:
            require_path(name, getattr(settings, name))
    if getattr(settings, "balance", False) and settings.class_weights:
        raise SettingError("{} and {} would both make up for rare classes. Give one.", "balance", "class_weights")
    if settings.despite_changes and not settings.resume:
        raise SettingError("{} goes with {}: a new run has nothing to compare.", "despite_changes", "resume")


def require_stage_numbers(settings):
    """Raise SettingError for a number of the two stages, given and not the default, that makes no sense."""
    if settings.tune_epochs is not None:
        require_whole_number("tune_epochs", settings.tune_epochs, least=0)
    for name in "learning_rate", "tune_rate":
        if getattr(settings, name) is not None:
            require_above_0(name, getattr(settings, name))
    for name in "weight_decay", "l2_sp":
        if getattr(settings, name) is not None:
            require_number(name, getattr(settings, name), most=LARGEST_DECAY)
    require_fitting_warm_up(settings)
    if settings.validation is not None:
        require_share("validation", settings.validation)
    if settings.label_smoothing is not None and not (
        is_number(settings.label_smoothing) and 0 <= settings.label_smoothing < 1
    ):
        text = "{} is {found!r}; expected a share, from 0 to below 1."
        raise SettingError(text, "label_smoothing", found=settings.label_smoothing)


def require_fitting_warm_up(settings):
    """Raise SettingError unless the warm-up ends within the shortest stage."""
    names = ["epochs"] if settings.unfreeze == "none" else ["epochs", "tune_epochs"]
    shortest = min(names, key=lambda name: getattr(settings, name))
    most = getattr(settings, shortest)
    if not is_number(settings.warm_up) or not 0 <= settings.warm_up <= most:
        text = "{} is {found!r}; expected a number of epochs, {most} at most, which is {}."
        raise SettingError(text, "warm_up", shortest, found=settings.warm_up, most=most)

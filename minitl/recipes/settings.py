"""The settings of the recipes, as plain objects, and the checks that are made before any work begins.

A job takes a settings object, single changes by name, or both:

    finetune_photographs("photos/", base="resnet50", epochs=5)
    finetune_photographs("photos/", PhotographSettings(base="resnet50"), epochs=5)

The command line fills in the same objects. Where it has an option, Python has a setting: `--cut` is `cut`.
"""

import os
from dataclasses import dataclass, fields, replace

import numpy as np

from ..applications import NETWORKS, bases, cuts
from ..arguments import nearest, truth_value
from ..errors import ArgumentError

SCHEDULES = ("cosine", "constant", "step", "plateau")
STARTS = ("zeros", "ridge")
HEADS = ("auto", "unit", "plain")
TUNE_EPOCHS, TUNE_RATE = 2, 0.0003  # of the second stage
VALIDATION = 0.2  # the share of each class that is held back
LARGEST_SIZE = 4096  # pixels
LARGEST_FACTOR, LARGEST_DECAY, LARGEST_NUMBER = 1e3, 1e6, 1e30  # the optimizers take no larger ones

# The settings that act in the second stage only, with the values that ask for nothing.
OF_THE_SECOND_STAGE = {"tune_epochs": (None, 0), "tune_rate": (None,), "head_factor": (1,), "l2_sp": (0, None)}

# The settings whose option on the command line has another name than the setting.
OPTIONS = {
    "run_folder": "--run",
    "find_learning_rate": "--find-rate",
    "include_top": "--no-top",
    "folder_of_files": "--data",
}


class SettingError(ArgumentError):
    """An error for a setting whose value the job cannot use.

    text     the message, with {} for each of `names` in turn, and {key} for each of `values`
    names    the settings' names in Python

    The message names settings as the caller knows them: `learning_rate` in Python, and `--learning-rate` on the command
    line (`for_command_line`).
    """

    def __init__(self, text, *names, **values):
        super().__init__(text.format(*names, **values))
        self.text, self.names, self.values = text, names, values

    def for_command_line(self):
        """Return the message with the names of the options."""
        return self.text.format(*map(option, self.names), **self.values)


def option(name):
    """Return the command line's option for a setting: `--learning-rate` for `learning_rate`."""
    return OPTIONS.get(name, f"--{name.replace('_', '-')}")


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
    cut              the last layer of the base that is kept (default: its last)
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
    class_weights    let rare classes count more, as if there were as many photographs of each
    mirror           learn from every photograph's mirror image as well
    augment          use other crops, mirror images and colours in each epoch: slow, as no features can be kept
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
        network, ends = NETWORKS[self.base], cuts(self.base)
        cut = ends[-1] if self.cut is None else self.cut
        if cut not in ends:
            wanted = f"a block's end in {self.base}: {', '.join(ends)}"
            raise SettingError("{} is {found}; expected {wanted}.", "cut", found=cut, wanted=wanted)
        parts = parts_before(self.base, cut)
        # Whoever says how long a second stage shall take, or how fast it shall learn, wants one.
        wants_a_second_stage = bool(self.tune_epochs) or self.tune_rate is not None
        last = next(iter(parts), "none") if wants_a_second_stage else "none"
        unfreeze = last if self.unfreeze is None else self.unfreeze
        if unfreeze not in (*parts, "none"):
            kept = "" if cut == ends[-1] else f" cut at {cut}"
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
            usual = {"tune_epochs": TUNE_EPOCHS, "tune_rate": TUNE_RATE}
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
        if self.augment and (self.start == "ridge" or self.mirror):
            text = "{} does not go with {} ridge and {}, which need kept features."
            raise SettingError(text, "augment", "start", "mirror")

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

    def as_data(self):
        """Return the settings that change the result, as JSON can hold them."""
        names = [field.name for field in fields(self)]
        data = {name: getattr(self, name) for name in names[: names.index("seed") + 1]}
        return {**data, "weights": None if self.weights is None else str(self.weights)}


# The names of the settings that are True or False.
TRUTH_VALUES = tuple(field.name for field in fields(PhotographSettings) if isinstance(field.default, bool))


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


def require_share(name, found):
    """Raise SettingError unless a setting is a share of photographs that can be held back."""
    if not is_number(found) or not 0 < found < 1:
        text = "{} is {found!r}; expected a share to hold back, above 0 and below 1."
        raise SettingError(text, name, found=found)


def require_one_of(name, found, choices):
    """Raise SettingError unless a setting is one of the choices."""
    if found not in choices:
        raise SettingError("{} is {found!r}; expected one of {some}.", name, found=found, some=", ".join(choices))


def require_whole_number(name, found, least=1):
    """Raise SettingError unless a setting is a whole number of at least `least`."""
    if isinstance(found, bool) or not isinstance(found, (int, np.integer)) or found < least:
        text = "{} is {found!r}; expected a whole number of at least {least}."
        raise SettingError(text, name, found=found, least=least)


def require_above_0(name, found):
    """Raise SettingError unless a setting is a number above 0."""
    if not is_number(found) or not 0 < found <= LARGEST_NUMBER:
        wanted = "a number above 0"
        if is_number(found) and found > LARGEST_NUMBER:
            wanted += f", {LARGEST_NUMBER:g} at most"
        raise SettingError("{} is {found}; expected {wanted}.", name, found=found, wanted=wanted)


def require_number(name, found, most):
    """Raise SettingError unless a setting is a number from 0 to `most`."""
    if not is_number(found) or not 0 <= found <= most:
        text = "{} is {found!r}; expected a number from 0 to {most:g}."
        raise SettingError(text, name, found=found, most=most)


def is_number(found):
    """Return whether `found` is a number. True and False are none, although Python counts them as 1 and 0."""
    return isinstance(found, (int, float, np.integer, np.floating)) and not isinstance(found, bool)


def require_path(name, found):
    """Raise SettingError unless a setting is a path."""
    if not isinstance(found, (str, os.PathLike)) or not os.fspath(found):
        raise SettingError("{} is {found!r}; expected a path, as text or a pathlib.Path.", name, found=found)

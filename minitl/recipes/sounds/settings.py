"""The settings of a fine-tuning on labelled recordings, and the bases that it may begin with.

speech        a convolutional network that hears words: for what is said
speaker       an LSTM that knows voices: for who says it
vgg16         VGG16, which knows photographs: it looks at the spectrogram as at an image
spectrogram   no network: the spectrogram itself. What a base is worth is the distance from this one
"""

from dataclasses import dataclass, fields, replace
from typing import NamedTuple

from ...arguments import truth_value
from ..settings import (
    HEADS,
    OF_THE_SECOND_STAGE,
    STARTS,
    VALIDATION,
    SettingError,
    is_number,
    require_one_of,
    require_stage_numbers,
    require_usual_values,
)

SHORTEST, LONGEST = 0.8, 60.0  # seconds that a base can be told to hear


class SoundBase(NamedTuple):
    """A base as the settings know it. `bases.build` makes it.

    title      its name for people;   knows   where its weights come from, in words
    seconds    of a recording that it hears unless told otherwise; None if it always hears all of it
    parts      {part that a second stage can begin with: the layer before it}, the last part first
    weights    the name of its published weights, or None
    """

    title: str
    knows: str
    seconds: float | None
    parts: dict
    weights: str | None


BASES = {
    "speech": SoundBase(
        "the speech embedding", "trained by Google to tell thousands of spoken words apart", 1.5,
        {"block5": "block4_pool", "block4": "block3_pool"}, "speech-embedding",
    ),
    "speaker": SoundBase(
        "the speaker LSTM", "trained to tell thousands of voices apart", 1.6, {}, "speaker-lstm"
    ),
    "vgg16": SoundBase(
        "VGG16 on spectrograms", "trained on a million photographs, none of them of a sound", 1.0,
        {"block3": "block2_pool"}, "vgg16-notop",
    ),
    "spectrogram": SoundBase("the log-mel spectrogram", "computed: nothing was learned", None, {}, None),
}  # fmt: skip
EPOCHS, TUNE_EPOCHS, TUNE_RATE = 20, 5, 0.0003
# The settings that act on a head that learns step by step. Heads of groups that are left out are computed at once.
OF_STEPS = (
    "epochs", "learning_rate", "label_smoothing", "weight_decay", "clip_norm", "patience", "balance", "class_weights",
    "unfreeze", "tune_epochs", "tune_rate", "resume",
)  # fmt: skip


@dataclass(frozen=True)
class SoundSettings:
    """The settings of `finetune_sounds`. Those that are not described here mean what they mean in `PhotographSettings`.

    base             what a recording is heard with: one of BASES
    seconds          of a recording that are heard, those in its middle (default: that of the base). A longer recording
                     loses both ends, which is said; a shorter one stands between silence, or is repeated ("speaker")
    pattern          how names of files say what is in them: "{class}_{speaker}_*" (default: a subfolder for each class)
    group            the word of the pattern whose recordings stay on one side of the split, such as "speaker" (default:
                     "group", if the pattern has this word)
    leave_out        the same, and each group is left out once: it is measured by a head that has heard all others but
                     not it. The model that is saved has then learned from all recordings
    head, epochs, learning_rate, label_smoothing      of the first stage, in which the head learns alone
    start            the head's first values (default: the solution in closed form. From a few recordings, a head that
                     begins with zeros has learned little after 20 epochs)
    unfreeze         the part of the base from which on a second stage learns as well, or "none". The default is "none",
                     or the last part if tune_epochs or tune_rate is given
    tune_epochs, tune_rate      of the second stage (default: 5, 0.0003)
    """

    base: str = "speech"
    seconds: float | None = None
    pattern: str | None = None
    group: str | None = None
    leave_out: str | None = None
    head: str = "auto"
    epochs: int | None = None
    learning_rate: float | None = None
    unfreeze: str | None = None
    tune_epochs: int | None = None
    tune_rate: float | None = None
    head_factor: float = 1.0
    schedule: str = "cosine"
    warm_up: float = 0.2
    patience: int | None = None
    batch_size: int = 32
    weight_decay: float | None = None
    l2_sp: float = 0.0
    label_smoothing: float | None = None
    clip_norm: float | None = None
    start: str = "ridge"
    balance: bool = False
    class_weights: bool = False
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

    weights = None  # no setting: each base has one file of weights

    def settled(self):
        """Return these settings with the defaults of the base filled in. Raises SettingError for values that make no
        sense, and for settings that would have no effect."""
        require_one_of("base", self.base, list(BASES))
        require_one_of("start", self.start, STARTS)
        require_one_of("head", self.head, HEADS)
        base, last = BASES[self.base], next(iter(BASES[self.base].parts), None)
        wants_a_second_stage = bool(self.tune_epochs) or self.tune_rate is not None
        unfreeze = (last or "none" if wants_a_second_stage else "none") if self.unfreeze is None else self.unfreeze
        if unfreeze not in (*base.parts, "none"):
            wanted = f"none or a part of {self.base}: {', '.join(base.parts)}" if base.parts else "none: " + (
                f"{self.base} has no part that learns in a second stage"
            )  # fmt: skip
            raise SettingError("{} is {found!r}; expected {wanted}.", "unfreeze", found=unfreeze, wanted=wanted)
        self._refuse_without_effect(unfreeze, last)
        usual = {"epochs": EPOCHS, "seconds": base.seconds}
        if unfreeze != "none":
            usual |= {"tune_epochs": TUNE_EPOCHS, "tune_rate": TUNE_RATE}
        filled = {name: value for name, value in usual.items() if getattr(self, name) is None}
        switches = [field.name for field in fields(self) if isinstance(field.default, bool)]
        filled |= {name: truth_value(getattr(self, name), name) for name in switches}
        settled = replace(self, unfreeze=unfreeze, **filled)
        settled._check_values(base)
        return settled

    def _check_values(self, base):
        """Raise SettingError for a value that is out of range."""
        require_usual_values(self)
        require_stage_numbers(self)
        for name in "pattern", "group", "leave_out":
            if getattr(self, name) is not None and not (isinstance(getattr(self, name), str) and getattr(self, name)):
                raise SettingError("{} is {found!r}; expected a text.", name, found=getattr(self, name))
        if base.seconds is None:
            if self.seconds is not None:
                raise SettingError("{} goes with another base: {base} hears all of it.", "seconds", base=self.base)
        elif not is_number(self.seconds) or not SHORTEST <= self.seconds <= LONGEST:
            text = "{} is {found!r}; expected a number from {least:g} to {most:g}."
            raise SettingError(text, "seconds", found=self.seconds, least=SHORTEST, most=LONGEST)

    def _refuse_without_effect(self, unfreeze, last):
        """Raise SettingError for a setting that is given and would have no effect. `last` is the last part, or None."""
        if self.leave_out is not None:
            if self.group is not None and self.group != self.leave_out:
                raise SettingError("{} and {} name different words. Give one.", "group", "leave_out")
            for name in ("validation", *OF_STEPS):
                if getattr(self, name) not in (None, False):
                    text = "{} does not go with {}: {why}. Leave it out."
                    why = "its heads are computed at once, not step by step"
                    why = "every recording is held back once" if name == "validation" else why
                    raise SettingError(text, name, "leave_out", why=why)
        if unfreeze != "none" and self.tune_epochs == 0:
            other = "tune_rate" if self.unfreeze is None else "unfreeze"
            raise SettingError("{} is 0, and {} asks for a second stage. Leave out one of them.", "tune_epochs", other)
        for name, nothing in OF_THE_SECOND_STAGE.items():
            if unfreeze == "none" and getattr(self, name) not in nothing:
                more = f", or give {{}} {last}." if last else f": no part of {self.base} learns in one."
                text = "{} acts in the second stage, and there is none. Leave it out" + more
                raise SettingError(text, name, *["unfreeze"] * bool(last))

    @property
    def kept_whole(self):
        """The word of the pattern whose recordings stay together, or None."""
        return self.leave_out or self.group

    @property
    def share(self):
        """The share of each class to hold back where no part is there to measure on."""
        return 0 if self.leave_out else VALIDATION if self.validation is None else self.validation

    def as_data(self):
        """Return the settings that change the result, as JSON can hold them."""
        names = [field.name for field in fields(self)]
        return {name: getattr(self, name) for name in names[: names.index("seed") + 1]}

"""The settings of a fine-tuning on labelled texts, and the bases that it may begin with.

glove     each word's vector, learned from six billion words; a text is the mean of its words
lstm      the same vectors, read one after the other by a new LSTM in both directions
minilm    a BERT of six layers that was trained to encode sentences; a text is the mean of its tokens
"""

import re
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

from ...arguments import truth_value
from ...errors import DataError, MinitlError
from ..settings import (
    HEADS,
    OF_THE_SECOND_STAGE,
    STARTS,
    VALIDATION,
    SettingError,
    require_one_of,
    require_stage_numbers,
    require_usual_values,
    require_whole_number,
)

EMBEDDINGS = "embeddings"  # the end of the layers that turn token numbers into vectors
SHORTEST = 3  # tokens: BERT's [CLS] and [SEP] and one between them


class TextFileError(DataError):
    """An error about a file of texts. Its text names settings as in Python, `for_command_line` names the options."""

    def for_command_line(self):
        """Return the message with the names of the options."""
        return re.sub(r"\b(text|label|encoding)= ?", r"--\1 ", re.sub(r"\bcolumn=", "text=", str(self)))


@contextmanager
def options_named():
    """Let errors about files of texts within the block name options where a command prints them."""
    try:
        yield
    except DataError as error:
        if type(error).for_command_line is not MinitlError.for_command_line:
            raise
        raise TextFileError(str(error)) from None


class TextBase(NamedTuple):
    """A base as the settings know it. `bases.build` makes it.

    title         its name for people
    ends          the names of the places behind which it can be cut, in order
    length        the tokens of a text that are read unless told otherwise;   most   the largest length that it takes
    reads_steps   True if the new layers read the tokens one by one, so that no features of a text can be kept. Then
                  the base learns with them in a second stage unless told otherwise
    epochs        of the first stage;   tune_epochs, tune_rate   of the second
    """

    title: str
    ends: tuple
    length: int
    most: int
    reads_steps: bool
    epochs: int
    tune_epochs: int
    tune_rate: float

    @property
    def parts(self):
        """{part that a second stage can begin with: the end before it, or None}, the last part first."""
        return dict(zip(reversed(self.ends), [*reversed(self.ends[:-1]), None]))


MOST_TOKENS = 4096
LAYERS = tuple(f"layer_{number}" for number in range(6))
BASES = {
    "glove": TextBase("GloVe's word vectors", (EMBEDDINGS,), 512, MOST_TOKENS, False, 20, 3, 0.002),
    "lstm": TextBase("an LSTM on GloVe's word vectors", (EMBEDDINGS,), 128, MOST_TOKENS, True, 1, 5, 0.002),
    "minilm": TextBase("MiniLM-L6-v2", (EMBEDDINGS, *LAYERS), 128, 512, False, 20, 2, 0.00005),
}
LSTM_RATE = 0.002  # Adam's, with which the new LSTM learns


@dataclass(frozen=True)
class TextSettings:
    """The settings of `finetune_texts`. Those that are not described here mean what they mean in `PhotographSettings`.

    base             what a text is read with: one of BASES. "glove" needs no download
    cut              the last layer of the base that is kept: "embeddings", "layer_0", ... (default: the last)
    head, epochs, learning_rate, label_smoothing      of the first stage, in which the head learns alone
    unfreeze         the part of the base from which on a second stage learns as well, such as "layer_4" or
                     "embeddings", or "none". The default is "none", or the last part if tune_epochs or tune_rate is
                     given, and for "lstm"
    tune_epochs, tune_rate      of the second stage (default: those of the base)
    warm_up          epochs in which the rate rises from 0, in both stages
    weight_decay     of all weights that learn but biases and norms (default: 0 for a head, 0.01 for what reads tokens)
    clip_norm        the largest norm of all gradients together (default: no limit for a head, 1 for what reads tokens)
    length           the tokens of a text that are read; the rest of a longer one is cut off, and counted (default: that
                     of the base)
    text, label      the names of the columns (default: "text" and "label")
    encoding         of the files (default: UTF-8, or UTF-16 with its mark)
    """

    base: str = "glove"
    cut: str | None = None
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
    start: str = "zeros"
    balance: bool = False
    class_weights: bool = False
    length: int | None = None
    text: str | None = None
    label: str | None = None
    encoding: str | None = None
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
        base = BASES[self.base]
        cut = base.ends[-1] if self.cut is None else self.cut
        if cut not in base.ends:
            wanted = f"the end of a layer of {self.base}: {', '.join(base.ends)}"
            raise SettingError("{} is {found!r}; expected {wanted}.", "cut", found=cut, wanted=wanted)
        parts = base.ends[: base.ends.index(cut) + 1]
        wants_a_second_stage = bool(self.tune_epochs) or self.tune_rate is not None or base.reads_steps
        unfreeze = (parts[-1] if wants_a_second_stage else "none") if self.unfreeze is None else self.unfreeze
        if unfreeze not in (*parts, "none"):
            wanted = f"none or a part of {self.base} up to {cut}: {', '.join(parts)}"
            raise SettingError("{} is {found!r}; expected {wanted}.", "unfreeze", found=unfreeze, wanted=wanted)
        usual = {"epochs": base.epochs, "length": base.length}
        if base.reads_steps:  # nothing is chosen by cross-validation where no features are kept
            usual |= {"learning_rate": LSTM_RATE, "label_smoothing": 0.0}
        if unfreeze != "none":
            usual |= {"tune_epochs": base.tune_epochs, "tune_rate": base.tune_rate}
        filled = {name: value for name, value in usual.items() if getattr(self, name) is None}
        switches = [field.name for field in fields(self) if isinstance(field.default, bool)]
        filled |= {name: truth_value(getattr(self, name), name) for name in switches}
        settled = replace(self, cut=cut, unfreeze=unfreeze, **filled)
        self._refuse_without_effect(unfreeze, parts[-1])
        settled._check_values(base)
        return settled

    def _check_values(self, base):
        """Raise SettingError for a value that is out of range."""
        require_usual_values(self)
        require_whole_number("length", self.length, least=SHORTEST)
        if self.length > base.most:
            text = "{} is {found}; {base} takes {most} tokens at most."
            raise SettingError(text, "length", found=self.length, base=self.base, most=base.most)
        require_stage_numbers(self)
        for name in "text", "label", "encoding":
            if getattr(self, name) is not None and not (isinstance(getattr(self, name), str) and getattr(self, name)):
                raise SettingError("{} is {found!r}; expected a text.", name, found=getattr(self, name))
        if base.reads_steps and self.start == "ridge":
            text = "{} ridge needs kept features of whole texts, and {base} reads them word by word. Leave it out."
            raise SettingError(text, "start", base=self.base)

    def _refuse_without_effect(self, unfreeze, last):
        """Raise SettingError for a setting that is given and would have no effect. `last` is the last part."""
        if unfreeze != "none" and self.tune_epochs == 0:
            other = "tune_rate" if self.unfreeze is None else "unfreeze"
            raise SettingError("{} is 0, and {} asks for a second stage. Leave out one of them.", "tune_epochs", other)
        for name, nothing in OF_THE_SECOND_STAGE.items():
            if unfreeze == "none" and getattr(self, name) not in nothing:
                text = "{} acts in the second stage, and there is none. Leave it out, or give {} {last}."
                raise SettingError(text, name, "unfreeze", last=last)

    @property
    def share(self):
        """The share of each class to hold back where no part is there to measure on."""
        return VALIDATION if self.validation is None else self.validation

    def as_data(self):
        """Return the settings that change the result, as JSON can hold them."""
        names = [field.name for field in fields(self)]
        return {name: getattr(self, name) for name in names[: names.index("seed") + 1]}

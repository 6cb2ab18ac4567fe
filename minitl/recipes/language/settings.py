"""The settings of a language model's training."""

from dataclasses import dataclass, fields, replace

from ...arguments import truth_value
from ..settings import (
    LARGEST_DECAY,
    SettingError,
    require_above_0,
    require_number,
    require_path,
    require_share,
    require_whole_number,
)

KEY_VALUE_HEADS = 4  # unless told otherwise


@dataclass(frozen=True)
class LanguageSettings:
    """The settings of `train_language_model`.

    width, layers, heads, key_value_heads, hidden     the sizes of the `applications.decoder.Decoder`
    key_value_heads  (default: 4, or the most below it that divide the heads)
    length           characters that the model sees at most: the text is cut into windows of this length
    epochs           passes over the text;   batch_size   windows in a mini-batch
    learning_rate    the highest: it rises in `warm_up` steps and then falls along a cosine to a tenth
    weight_decay     of all parameters, towards 0;   clip_norm   the largest norm of all gradients together
    validation       the share of the text, at its end, that is held back to measure on
    seed             of all random numbers

    The other settings do not change the result.

    run_folder       for checkpoints (default: a folder for this text in $MINITL_HOME/runs)
    resume           go on with a run that was stopped or killed
    despite_changes  go on even where text, code or machine have changed since then
    save             file for the model;   json   file for the results
    """

    width: int = 64
    layers: int = 5
    heads: int = 8
    key_value_heads: int | None = None
    hidden: int | None = None
    length: int = 128
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 0.003
    warm_up: int = 100
    weight_decay: float = 0.1
    clip_norm: float | None = 1.0
    validation: float = 0.1
    seed: int = 0
    run_folder: str | None = None
    resume: bool = False
    despite_changes: bool = False
    save: str | None = None
    json: str | None = None

    def settled(self):
        """Return these settings, checked. Raises SettingError for values that make no sense."""
        for name in "width", "layers", "heads", "length", "epochs", "batch_size":
            require_whole_number(name, getattr(self, name))
        for name in "hidden", "key_value_heads":
            if getattr(self, name) is not None:
                require_whole_number(name, getattr(self, name))
        shared = max(k for k in range(1, KEY_VALUE_HEADS + 1) if self.heads % k == 0)
        shared = shared if self.key_value_heads is None else self.key_value_heads
        for name in "warm_up", "seed":
            require_whole_number(name, getattr(self, name), least=0)
        if self.width % (2 * self.heads):
            text = "{} is {found}; expected a multiple of {wanted}: of two numbers for each of {} = {heads}."
            raise SettingError(text, "width", "heads", found=self.width, wanted=2 * self.heads, heads=self.heads)
        if self.heads % shared:
            text = "{} is {found}; expected a number that divides {} = {heads}."
            found = {"found": shared, "heads": self.heads}
            raise SettingError(text, "key_value_heads", "heads", **found)
        require_above_0("learning_rate", self.learning_rate)
        require_number("weight_decay", self.weight_decay, most=LARGEST_DECAY)
        if self.clip_norm is not None:
            require_above_0("clip_norm", self.clip_norm)
        require_share("validation", self.validation)
        if self.run_folder is not None:
            require_path("run_folder", self.run_folder)
        if self.despite_changes and not self.resume:
            raise SettingError("{} goes with {}: a new run has nothing to compare.", "despite_changes", "resume")
        switches = [field.name for field in fields(self) if isinstance(field.default, bool)]
        filled = {name: truth_value(getattr(self, name), name) for name in switches}
        return replace(self, key_value_heads=shared, **filled)

    def as_data(self):
        """Return the settings that change the result, as JSON can hold them."""
        names = [field.name for field in fields(self)]
        return {name: getattr(self, name) for name in names[: names.index("seed") + 1]}

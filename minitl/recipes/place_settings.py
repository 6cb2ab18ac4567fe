"""The settings that the jobs for pixels (`segmentation`) and for boxes (`detection`) have in common."""

import os
from dataclasses import dataclass, fields, replace

from ..applications import NETWORKS
from ..applications.skips import ENDS
from ..arguments import is_whole_number, truth_value
from .settings import (
    LARGEST_DECAY,
    LARGEST_SIZE,
    SettingError,
    require_above_0,
    require_fitting_warm_up,
    require_number,
    require_one_of,
    require_share,
    require_usual_values,
    require_whole_number,
)

GRID = 32  # pixels: the sides of an image are multiples of the largest stride, so that all maps fit each other
RANDOM = "none"  # instead of a file of weights
OF_THE_SECOND_STAGE = ("tune_epochs", "tune_rate", "head_factor", "l2_sp")  # without effect where there is none


@dataclass(frozen=True)
class PlaceSettings:
    """The settings that `SegmentationSettings` and `DetectionSettings` share.

    base             the pre-trained network: one of `skips.ENDS`;   weights   the file of its weights (None: those of
                     ImageNet). "none": random numbers, with which one sees what the pre-trained ones are worth
    epochs, learning_rate       of the first stage, in which the new layers learn alone
    unfreeze         the part of the base from which on a second stage learns as well, such as "block5", or "none"
    tune_epochs, tune_rate      of the second stage;   head_factor   there, the rate of the new layers is tune_rate
                     times this
    variations       each photograph is shown in so many variations, the unchanged one counted
    turns            there is no above and below, as from the air or in a microscope: variations may be turned and
                     upside down
    height, width    of the images that the network is shown, multiples of 32 (None: those of the photographs, if they
                     are not too large)
    schedule, warm_up, patience, batch_size, weight_decay, l2_sp, clip_norm, validation, follow_links, strict, seed,
    keep_features, run_folder, resume, despite_changes, save, report, json      as in `PhotographSettings`
    """

    base: str = "vgg16"
    weights: str | None = None
    epochs: int = 10
    learning_rate: float = 0.01
    unfreeze: str = "none"
    tune_epochs: int = 2
    tune_rate: float = 0.00001
    head_factor: float = 10.0
    variations: int = 8
    turns: bool = False
    height: int | None = None
    width: int | None = None
    schedule: str = "cosine"
    warm_up: float = 1.0
    patience: int | None = None
    batch_size: int = 8
    weight_decay: float = 0.0
    l2_sp: float = 0.0
    clip_norm: float | None = None
    validation: float = 0.2
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
        """Return these settings, checked. Raises SettingError for values that make no sense, and for
        settings that would have no effect."""
        require_one_of("base", self.base, list(ENDS))
        parts = self.parts
        if self.unfreeze not in (*parts, "none"):
            text = "{} is {found!r}; expected none or a part of {base}: {parts}."
            raise SettingError(text, "unfreeze", found=self.unfreeze, base=self.base, parts=", ".join(parts))
        require_usual_values(self)
        if self.weights not in (None, RANDOM) and not os.path.isfile(self.weights):
            text = "{} is {found}; expected a file of weights, or none for random numbers."
            raise SettingError(text, "weights", found=self.weights)
        for name in "tune_epochs", "variations":
            require_whole_number(name, getattr(self, name))
        for name in "learning_rate", "tune_rate":
            require_above_0(name, getattr(self, name))
        for name in "weight_decay", "l2_sp":
            require_number(name, getattr(self, name), most=LARGEST_DECAY)
        require_fitting_warm_up(self)
        require_share("validation", self.validation)
        for name in "height", "width":
            size = getattr(self, name)
            if size is not None and (not is_whole_number(size) or size % GRID or not GRID <= size <= LARGEST_SIZE):
                text = "{} is {found!r}; expected a multiple of {grid} up to {most}, in pixels."
                raise SettingError(text, name, found=size, grid=GRID, most=LARGEST_SIZE)
        if (self.height is None) != (self.width is None):
            raise SettingError("{} goes with {}: give both, or neither.", "height", "width")
        for name in OF_THE_SECOND_STAGE:
            if not self.has_second_stage and getattr(self, name) != getattr(type(self), name):
                text = "{} acts in the second stage, and there is none. Leave it out, or give {} {last}."
                raise SettingError(text, name, "unfreeze", last=next(iter(parts)))
        switches = [field.name for field in fields(self) if isinstance(field.default, bool)]
        return replace(self, **{name: truth_value(getattr(self, name), name) for name in switches})

    @property
    def parts(self):
        """Return {part of the base that a second stage can begin with: the layer before it}, the last part first."""
        return NETWORKS[self.base].fine_tuning

    @property
    def has_second_stage(self):
        """Return whether blocks of the base learn as well, in a second stage."""
        return self.unfreeze != "none"

    def as_data(self):
        """Return the settings that change the result, as JSON can hold them."""
        names = [field.name for field in fields(self)]
        without = names[names.index("strict") : names.index("json") + 1]
        data = {name: getattr(self, name) for name in names if name not in without}
        return {**data, "weights": None if self.weights is None else str(self.weights)}

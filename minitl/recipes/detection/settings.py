"""The settings of `finetune_detection`."""

from dataclasses import dataclass

from ...applications.skips import ENDS, MAPS
from ...applications.ssd import NORMALIZATIONS, checked_priors
from ...data.detection_folder import LAYOUTS
from ...errors import ArgumentError
from ..place_settings import PlaceSettings
from ..settings import SettingError, is_number, parts_before, require_number, require_one_of, require_whole_number

MOST_NEGATIVES = 1e6


@dataclass(frozen=True)
class DetectionSettings(PlaceSettings):
    """The settings of `finetune_detection`: those of `PlaceSettings`, and

    layout           "voc", "coco" or "yolo", where a folder has boxes in two of them
    train_list, val_list    lists of Pascal VOC's ImageSets/Main to learn from and to measure on: "train" and "val", or
                     "trainval" and "test" after all decisions
    priors           how many priors are spread from each place of the maps of stride 8, 16, 32 (and 64, with four
                     numbers)
    filters          of each new convolution
    top_down         the fine map also sees what the coarse one has found
    normalization    of the base's maps: "batch" or "l2"
    match            the IoU from which on a prior has to find a box
    negatives        so many of the hardest background priors count for each one that has to find something
    suppression      found boxes of a class with a larger IoU are the same thing, and only the best one stays
    floor            the lowest score of a box that is kept at all;   most   boxes in an image
    score            the score from which on a box is shown and counted: average precision looks at all scores
    """

    epochs: int = 4
    learning_rate: float = 0.001
    variations: int = 4
    weight_decay: float = 0.0005
    clip_norm: float | None = 10.0  # the first steps move many scores from 1 in 4 to nearly all background
    layout: str | None = None
    train_list: str | None = None
    val_list: str | None = None
    priors: tuple = (3, 3, 3)
    filters: int = 128
    top_down: bool = True
    normalization: str = "batch"
    match: float = 0.5
    negatives: float = 3.0
    suppression: float = 0.45
    floor: float = 0.01
    most: int = 200
    score: float = 0.5

    def settled(self):
        """Return these settings, checked. Raises SettingError for values that make no sense."""
        settled = super().settled()
        if self.layout is not None:
            require_one_of("layout", self.layout, list(LAYOUTS))
        for name in "train_list", "val_list":
            found = getattr(self, name)
            if found is not None and (not isinstance(found, str) or not found):
                raise SettingError("{} is {found!r}; expected the name of a list, as train.", name, found=found)
        require_one_of("normalization", self.normalization, NORMALIZATIONS)
        try:
            checked_priors(self.priors)
        except ArgumentError:
            text = "{} is {found!r}; expected two to four whole numbers above 0, one for each map, as (3, 3, 3)."
            raise SettingError(text, "priors", found=self.priors) from None
        for name in "filters", "most":
            require_whole_number(name, getattr(self, name))
        require_number("negatives", self.negatives, most=MOST_NEGATIVES)
        for name in "match", "suppression", "floor", "score":
            found = getattr(self, name)
            if not is_number(found) or not 0 < found < 1:
                text = "{} is {found!r}; expected a number above 0 and below 1."
                raise SettingError(text, name, found=found)
        return settled

    @property
    def parts(self):
        """Return those parts of the base that the detector has: of ResNet50 it takes no map behind conv4."""
        last = MAPS[self.base][max(MAPS[self.base])]
        return parts_before(self.base, last) if last in ENDS[self.base].values() else super().parts

    def as_data(self):
        """Return the settings that change the result, as JSON can hold them."""
        return {**super().as_data(), "priors": list(self.priors)}

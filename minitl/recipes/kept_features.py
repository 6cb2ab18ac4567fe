"""What a frozen network makes of photographs, computed once and kept on the disk: the way in which every recipe looks
at a photograph stands here."""

from ..data import read_image
from ..features.on_disk import features_of, room_for

CROP = 224 / 256  # the share of a photograph's shorter side that is looked at: as the published networks were measured


def photograph_features(model, photos, prepare, keep, mirrored=False):
    """Return the output of the frozen `model` for each of `photos`, as `features.on_disk.FeatureRows`."""
    return features_of(model, photos, prepare, CROP, keep, mirrored)


def room_for_features(model, photos, prepare, keep, mirrored=False):
    """Return (is there room for them on the disk?, bytes that they take)."""
    return room_for(model, photos, prepare, CROP, keep, mirrored)


def photograph_pixels(photo, height, width):
    """Return a photograph as a network sees it: float32 RGB (height, width, 3), 0 to 255."""
    return read_image(photo.path, height, width, CROP)

"""How every recipe looks at a photograph: the middle of it, as the published networks were measured."""

from ..data import PhotoStream, read_image

CROP = 224 / 256  # the share of a photograph's shorter side that is looked at


def photograph_stream(photos, prepare, size, **options):
    """Return the photographs as a source of examples (size, size, 3) for a network whose `preprocess_input` is
    `prepare`. Options: those of `data.PhotoStream`."""
    return PhotoStream(photos, prepare, size, size, CROP, **options)


def photograph_pixels(photo, height, width):
    """Return a photograph as a network sees it: float32 RGB (height, width, 3), 0 to 255."""
    return read_image(photo.path, height, width, CROP)

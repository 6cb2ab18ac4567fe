"""The middle of a photograph, which every recipe shows to the network, as the published networks were measured."""

from ..data import PhotoStream, read_image

CROP = 224 / 256  # the share of a photograph's shorter side that the network is shown


def photograph_stream(photos, prepare, size, **options):
    """Return the photographs as a source of examples (size, size, 3) for a network.

    prepare   the network's `preprocess_input`;   options   those of `data.PhotoStream`
    """
    return PhotoStream(photos, prepare, size, size, CROP, **options)


def photograph_pixels(photo, height, width):
    """Return the pixels that a network is shown of a photograph: float32 RGB (height, width, 3), 0 to 255."""
    return read_image(photo.path, height, width, CROP)

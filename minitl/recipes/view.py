"""The view: which part of a photograph a network is shown, the same in training, evaluation and prediction.

centre   the middle, as the published networks were measured. Things at the border are not seen
whole    all of it, stretched to a square. Things keep their place and lose their proportions
padded   all of it, in its proportions, between grey borders. Things are smaller

`view_choice` chooses one of them on the training photographs. A saved model has its crop in its metadata.
"""

from ..data import PhotoStream, read_image

CROP = 224 / 256  # the share of a photograph's shorter side in the middle
VIEWS = {"centre": CROP, "whole": "whole", "padded": "padded"}  # {view: the `crop` of `data.read_image`}
DEFAULT_VIEW = "centre"


def photograph_stream(photos, prepare, size, view=DEFAULT_VIEW, **options):
    """Return the photographs as a source of examples (size, size, 3) for a network.

    prepare   the network's `preprocess_input`;   options   those of `data.PhotoStream`
    """
    return PhotoStream(photos, prepare, size, size, VIEWS[view], **options)


def photograph_pixels(photo, height, width, view=DEFAULT_VIEW):
    """Return the pixels that a network is shown of a photograph: float32 RGB (height, width, 3), 0 to 255."""
    return read_image(photo.path, height, width, VIEWS[view])

"""Names of layers: which can be saved, and Keras's automatic ones. `base` uses them."""

import re

from ..errors import ArgumentError

LONGEST_NAME = 1_000  # characters


def check_name(name):
    """Raise ArgumentError unless `name` is None, or a name that every file of weights can hold."""
    if name is None:
        return
    if not isinstance(name, str) or not name:
        raise ArgumentError(f"name is {name!r}; expected a string that is not empty.")
    if not _can_be_saved(name):
        raise ArgumentError(
            f"name is {name!r:.80}; expected one that a file of weights can hold: no null character, no '/' at the "
            f"beginning, no '.' alone between two '/', and at most {LONGEST_NAME:,} characters."
        )


def _can_be_saved(name):
    """Return whether HDF5, in which models are saved, can hold a layer's name as the path of a group."""
    is_text = name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)  # no halves of letters
    is_path = not name.startswith("/") and "." not in name.split("/") and "\0" not in name
    return is_text and is_path and len(name) <= LONGEST_NAME


def snake_case(class_name):
    """Return a class name as Keras's layer name: MaxPooling2D -> max_pooling2d."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()

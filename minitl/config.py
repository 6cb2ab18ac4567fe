"""Keras's import path of its settings, and the values that they have here. A program may ask for them and set them to
what they are; another value is refused."""

from .errors import ArgumentError
from .not_here import missing

__all__ = ["epsilon", "floatx", "image_data_format", "set_epsilon", "set_floatx", "set_image_data_format"]

EPSILON = 1e-7


def image_data_format() -> str:
    """Return "channels_last": images are (N, H, W, C)."""
    return "channels_last"


def set_image_data_format(data_format) -> None:
    """Accept "channels_last". Raises ArgumentError for anything else; a layer may have a `data_format` of its own."""
    if data_format != "channels_last":
        raise ArgumentError(
            f"data_format is {data_format!r}; images are (N, H, W, C) here: 'channels_last'. Layers take "
            "data_format='channels_first' one by one."
        )


def floatx() -> str:
    """Return "float32", the type in which layers compute."""
    return "float32"


def set_floatx(value) -> None:
    """Accept "float32". Raises ArgumentError for anything else."""
    if value != "float32":
        raise ArgumentError(f"floatx is {value!r}; minitl computes in float32: leave it out.")


def epsilon() -> float:
    """Return 1e-7, the small number that keeps logarithms and quotients finite in losses and metrics."""
    return EPSILON


def set_epsilon(value) -> None:
    """Accept 1e-7. Raises ArgumentError for anything else."""
    if value != EPSILON:
        raise ArgumentError(f"epsilon is {value!r}; it is {EPSILON} here. Layers and optimizers take an epsilon each.")


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, __all__)

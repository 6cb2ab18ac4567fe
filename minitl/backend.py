"""Keras's older import path of its settings, as in `from keras import backend as K`; and `clear_session`."""

from .config import epsilon, floatx, image_data_format, set_epsilon, set_floatx, set_image_data_format
from .kernels.memory import release
from .not_here import missing

__all__ = ["clear_session", "epsilon", "floatx", "image_data_format", "set_epsilon", "set_floatx",
           "set_image_data_format"]  # fmt: skip


def clear_session(free_memory: bool = True) -> None:
    """Give unused memory back to the operating system, unless `free_memory` is False. There is no session to clear."""
    if free_memory:
        release()


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, __all__)

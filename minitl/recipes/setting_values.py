"""The checks of single settings, and the error that they raise. `settings` has the settings."""

import os

import numpy as np

from ..errors import ArgumentError

LARGEST_NUMBER = 1e30  # the optimizers take no larger one

# The settings whose option on the command line has another name than the setting.
OPTIONS = {
    "run_folder": "--run",
    "find_learning_rate": "--find-rate",
    "include_top": "--no-top",
    "folder_of_files": "--data",
}


class SettingError(ArgumentError):
    """An error for a setting whose value the job cannot use.

    text     the message, with {} for each of `names` in turn, and {key} for each of `values`
    names    the settings' names in Python

    The message names settings as the caller knows them: `learning_rate` in Python, and `--learning-rate` on the command
    line (`for_command_line`).
    """

    def __init__(self, text, *names, **values):
        super().__init__(text.format(*names, **values))
        self.text, self.names, self.values = text, names, values

    def for_command_line(self):
        """Return the message with the names of the options."""
        return self.text.format(*map(option, self.names), **self.values)


def option(name):
    """Return the command line's option for a setting: `--learning-rate` for `learning_rate`."""
    return OPTIONS.get(name, f"--{name.replace('_', '-')}")


def require_share(name, found):
    """Raise SettingError unless a setting is a share of photographs that can be held back."""
    if not is_number(found) or not 0 < found < 1:
        text = "{} is {found!r}; expected a share to hold back, above 0 and below 1."
        raise SettingError(text, name, found=found)


def require_one_of(name, found, choices):
    """Raise SettingError unless a setting is one of the choices."""
    if found not in choices:
        raise SettingError("{} is {found!r}; expected one of {some}.", name, found=found, some=", ".join(choices))


def require_whole_number(name, found, least=1):
    """Raise SettingError unless a setting is a whole number of at least `least`."""
    if isinstance(found, bool) or not isinstance(found, (int, np.integer)) or found < least:
        text = "{} is {found!r}; expected a whole number of at least {least}."
        raise SettingError(text, name, found=found, least=least)


def require_above_0(name, found):
    """Raise SettingError unless a setting is a number above 0."""
    if not is_number(found) or not 0 < found <= LARGEST_NUMBER:
        wanted = "a number above 0"
        if is_number(found) and found > LARGEST_NUMBER:
            wanted += f", {LARGEST_NUMBER:g} at most"
        raise SettingError("{} is {found}; expected {wanted}.", name, found=found, wanted=wanted)


def require_number(name, found, most):
    """Raise SettingError unless a setting is a number from 0 to `most`."""
    if not is_number(found) or not 0 <= found <= most:
        text = "{} is {found!r}; expected a number from 0 to {most:g}."
        raise SettingError(text, name, found=found, most=most)


def is_number(found):
    """Return whether `found` is a number. True and False are none, although Python counts them as 1 and 0."""
    return isinstance(found, (int, float, np.integer, np.floating)) and not isinstance(found, bool)


def require_path(name, found):
    """Raise SettingError unless a setting is a path."""
    if not isinstance(found, (str, os.PathLike)) or not os.fspath(found):
        raise SettingError("{} is {found!r}; expected a path, as text or a pathlib.Path.", name, found=found)

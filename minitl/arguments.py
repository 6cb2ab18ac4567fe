"""Checks of single arguments: each returns the value, or raises an ArgumentError that names the argument. And
`keras_arguments`, for the arguments of Keras's classes that minitl does not have."""

import difflib
import functools
import inspect
import os
from typing import NamedTuple

import numpy as np

from .errors import ArgumentError, ShapeError

AnyPath = str | os.PathLike  # the type of a path in the signatures of public functions
PLAIN = (bool, int, float, str, tuple, list, dict)  # types of settings that can be compared with ==


def refuse_methods(thing, names, advice):
    """Raise ArgumentError if the class of `thing` defines a method that Keras would call and minitl would not: it would
    be ignored in silence. `advice` says what to write here."""
    found = [name for name in names if getattr(type(thing), name, None) is not None]
    if found:
        raise ArgumentError(f"class {type(thing).__name__} defines {found[0]}(), which minitl never calls. {advice}")


def whole_number(value, argument, least=1):
    """Return `value` as an int. Raises ArgumentError unless it is a whole number of at least `least`."""
    if not is_whole_number(value) or value < least:
        raise ArgumentError(f"{argument} is {value!r}; expected a whole number of at least {least}.")
    return int(value)


def whole_number_or_none(value, argument):
    """Return None, or `value` as an int. Raises ArgumentError unless it is one of these, and at least 1."""
    return None if value is None else whole_number(value, argument)


def number(value, argument, least, most):
    """Return `value` as a float. Raises ArgumentError unless it is a number from `least` to `most`."""
    if not is_number(value) or not least <= value <= most:
        raise ArgumentError(f"{argument} is {value!r}; expected a number from {least:g} to {most:g}.")
    return float(value)


def is_number(value):
    """Return whether `value` is a single number. True and False are none: as a rate or a size they are mistakes."""
    return isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_, complex))


def truth_value(value, argument):
    """Return True or False for these, and for 1 and 0. Raises ArgumentError for anything else."""
    if not isinstance(value, (bool, np.bool_, int)) or value not in (0, 1):
        raise ArgumentError(f"{argument} is {value!r}; expected True or False.")
    return bool(value)


def sizes(value, argument):
    """Return the shape of one example, without the batch, as a tuple; None stands for a size that may vary. Raises
    ShapeError for anything else."""
    found = list(value) if isinstance(value, (tuple, list)) else ["not a sequence"]
    if any(size is not None and not (is_whole_number(size) and size > 0) for size in found):
        raise ShapeError(
            f"{argument} is {value!r}; expected the sizes of one example without the batch, as (224, 224, 3)."
        )
    return tuple(None if size is None else int(size) for size in found)


def axes(value, argument):
    """Return one axis as an int, several as a tuple. Raises ArgumentError for anything but whole numbers."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not values or not all(is_whole_number(each) for each in values):
        raise ArgumentError(f"{argument} is {value!r}; expected the number of an axis, such as -1 for the last one.")
    return tuple(map(int, values)) if isinstance(value, (tuple, list)) else int(value)


def pair(value, argument, least=1):
    """Return (3, 3) for 3 or (3, 3). Raises ArgumentError for anything but whole numbers of at least `least`."""
    values = tuple(value) if isinstance(value, (tuple, list, np.ndarray)) and np.ndim(value) == 1 else (value, value)
    if len(values) != 2 or any(not is_whole_number(v) or v < least for v in values):
        kind = "positive whole number" if least == 1 else f"whole number of at least {least}"
        raise ArgumentError(f"{argument} is {value!r}; expected a {kind} or a pair of them.")
    return int(values[0]), int(values[1])


def one_size(value, argument):
    """Return 3 for 3 or (3,), as Keras's layers of sequences take it. Raises ArgumentError for anything else."""
    return whole_number(value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value, argument)


def nearest(word, known, count=3):
    """Return up to `count` of the `known` names that are nearest to a word: for an error about a name that is unknown.

    A name is near if it is spelt alike, or if it begins with the word.
    """
    word, by_lower = str(word).lower(), {str(name).lower(): str(name) for name in known}
    near = difflib.get_close_matches(word, by_lower, n=count)
    if word.strip("-"):
        near += [name for name in by_lower if name.startswith(word) and name not in near]
    return [by_lower[name] for name in near[:count]]


def call_text(thing, **settings):
    """Return a thing as the call that makes it: `SGD(learning_rate=0.01, momentum=0.9)`.

    These are the given settings, and the arguments of its constructor that are attributes of the same name and are not
    the defaults. None is not shown.
    """
    for name, argument in inspect.signature(inspect.unwrap(type(thing).__init__)).parameters.items():
        value = vars(thing).get(name, argument.default)
        if value is not argument.default and not (type(value) in PLAIN and value == argument.default):
            settings.setdefault(name, value)
    texts = {name: getattr(value, "__name__", repr(value)) for name, value in settings.items() if value is not None}
    return f"{type(thing).__name__}({', '.join(f'{name}={text}' for name, text in texts.items())})"


def constructor_settings(thing):
    """Return {argument: value} of the arguments of a thing's constructor that are attributes of the same name."""
    arguments = inspect.signature(inspect.unwrap(type(thing).__init__)).parameters
    return {name: getattr(thing, name) for name in arguments if hasattr(thing, name)}


def is_whole_number(value):
    """Return whether `value` is a whole number, and not True or False."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


# ---- arguments of Keras ----


class NotHere(NamedTuple):
    """An argument of Keras that minitl does not have.

    default   Keras's default, which is accepted: it says what minitl does anyway
    others    further values that say the same
    instead   what to do about other values
    is_name   True if any text is accepted, because it names something and changes nothing
    """

    default: object = None
    others: tuple = ()
    instead: str = "Leave it out."
    is_name: bool = False

    def check(self, owner, argument, value):
        """Raise ArgumentError unless `value` says what minitl does anyway."""
        if self.is_name and isinstance(value, str):
            return
        is_plain, known = value is None or isinstance(value, PLAIN), (self.default, *self.others)
        is_flag_for_number = isinstance(value, bool) and all(value is not each for each in known)  # True == 1
        if not is_plain or value not in known or is_flag_for_number:
            raise ArgumentError(
                f"{owner} has no argument {argument}={value!r} in minitl; only {self.default!r}, Keras's default, is "
                f"accepted. {self.instead}"
            )


NAME = NotHere(is_name=True)
DTYPE = NotHere(None, ("float32",), "minitl computes in float32.")
DATA_FORMAT = NotHere(None, ("channels_last",), "Images are (N, H, W, C): use x.transpose(0, 2, 3, 1).")
ACTIVITY_REGULARIZER = NotHere(instead="To keep weights small, use kernel_regularizer.")


class OfBase(NotHere):
    """An argument of Keras that the base class has for all classes: it is handed on by its name."""

    def check(self, owner, argument, value):
        """Accept every value: the base class checks it."""


# a regularizer or a constraint of the parameter that the argument is named after (`layers.base`)
REGULARIZER = CONSTRAINT = OfBase()


def keras_arguments(after=None, **not_here):
    """Return a decorator that gives a function Keras's arguments which it does not have: {name: `NotHere`}, or
    `OfBase`.

    They stand behind the argument `after` (None: before all others), in Keras's order. So an argument that is given by
    its position means what it means in Keras. Their default values are accepted; other values raise an ArgumentError
    that names the argument. Two decorators above each other put arguments at two places.

        @keras_arguments(after="padding", data_format=DATA_FORMAT, groups=NotHere(1))
        def __init__(self, filters, kernel_size, strides=(1, 1), padding="valid", activation=None, **kwargs):
    """

    def decorate(function):
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())
        names = [each.name for each in parameters]
        place = names.index(after) + 1 if after else names[:1].count("self")
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        added = [inspect.Parameter(name, kind, default=each.default) for name, each in not_here.items()]
        signature = signature.replace(parameters=[*parameters[:place], *added, *parameters[place:]])
        by_position = [each.name for each in signature.parameters.values() if each.kind is kind]
        of_self = by_position[:1].count("self")  # 1 for the method of an object, 0 for a function

        @functools.wraps(function)
        def like_keras(*args, **kwargs):
            owner = type(args[0]).__name__ if of_self else function.__name__
            if len(args) > len(by_position):
                expected = ", ".join(by_position[of_self:])
                raise ArgumentError(
                    f"{owner} got the argument {args[len(by_position)]!r} in a place that it does not have; expected "
                    f"at most {expected}. Give arguments by name."
                )
            given = dict(zip(by_position[of_self:], args[of_self:]))
            twice = [name for name in kwargs if name in given]
            if twice:
                raise ArgumentError(f"{owner} got {twice[0]} twice: by its position and by its name.")
            given.update(kwargs)
            applied = {name: given.pop(name, None) for name, each in not_here.items() if hasattr(each, "apply")}
            for name, each in not_here.items():
                if name in given and not isinstance(each, OfBase):
                    each.check(owner, name, given.pop(name))
            found = function(*args[:of_self], **given)
            for name, value in applied.items():
                not_here[name].apply(args[0], value)
            return found

        like_keras.__signature__ = signature
        return like_keras

    return decorate

"""An exercise as an object: its page, its inputs, its right answer and its typical wrong ones.

Read next: `checking`.
"""

import inspect
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import ArgumentError
from .checking import check

PACKAGE = Path(__file__).resolve().parents[2]
SEED = 0


class Case:
    """An input on which an exercise is checked. `what` says in a few words what is special about it; `arguments` are
    handed over by position."""

    def __init__(self, what, *arguments):
        self.what, self.arguments = what, arguments


class Place(NamedTuple):
    """A place in the source: "minitl/kernels/activations.py:95", and the lines that stand there."""

    name: str
    lines: str


class Exercise:
    """An exercise: a function that the learner writes, and all that is needed to say why it is wrong.

    name           of the exercise, its file and its function
    title, text    of its page, in plain English
    given          {argument: "(N, K)  what it is"}: an array begins with its shape in axis letters
    returns        {name: "(N, K)  what it is"} of what is returned: one value, or a tuple of several
    formula        lines of at most 76 characters, which are printed as they are
    answer         a right answer in plain NumPy. Its name and arguments are those of the learner's function
    cases          a function of a random generator. It returns a list of `Case`, on float64 arrays whose axes all
                   differ in size
    hints          three, each telling more than the one before
    wrong_answers  functions like `answer`. The docstring of each is a sentence that begins with a verb and continues
                   "These are the numbers that you get if you ...", such as "Divide by the sum of the whole batch: each
                   row has to add up to 1 by itself."
    by_engine      a function like `answer` that calls the engine: what is compared with (default: `answer`)
    lines          functions of the engine: `solution` prints their source
    also_right     functions like `answer` that decide otherwise where both are right, as for the slope of ReLU at 0. A
                   number is right if it is that of one of them
    places         {"where two pixels are equal": a function of the arguments that returns an array of booleans in the
                   shape of the first value returned}: places to which an error may be limited
    by_hand        a function (name of the value, index, *arguments) that returns the terms of one number as text, such
                   as "0.2*0.5 + 0.1*0.3", or None
    loops          False: the function has to do with whole arrays what a loop in Python would do number by number
    seen           a function (result, *arguments) that returns what is compared, where a function has to change an
                   argument such as a model. `compared` then names its values, as `returns` does
    read_next      a sentence that says which file to read next
    """

    def __init__(
        self, name, title, text, given, returns, formula, answer, cases, hints, wrong_answers=(), by_engine=None,
        lines=(), also_right=(), places=None, by_hand=None, loops=True, seen=None, compared=None, read_next="",
    ):  # fmt: skip
        self.name, self.title, self.text, self.formula = name, title, " ".join(text.split()), formula.strip("\n")
        self.given, self.returns, self.answer, self.cases = dict(given), dict(returns), answer, cases
        self.hints, self.wrong_answers = tuple(" ".join(hint.split()) for hint in hints), tuple(wrong_answers)
        self.by_engine, self.lines, self.also_right = by_engine or answer, tuple(lines), tuple(also_right)
        self.places, self.by_hand, self.loops, self.seen = dict(places or {}), by_hand, loops, seen
        self.compared = dict(compared or returns)
        self.read_next = " ".join(read_next.split())
        self._refuse_what_does_not_fit()

    def _refuse_what_does_not_fit(self):
        """Raise ArgumentError where the parts of the exercise do not fit together."""
        if not str(self.name).isidentifier():
            raise ArgumentError(f"exercise {self.name!r}: expected a name that a function may have, as 'max_pool'.")
        if self.answer.__name__ != self.name or list(inspect.signature(self.answer).parameters) != list(self.given):
            raise ArgumentError(
                f"exercise {self.name}: the answer is {self.answer.__name__}{inspect.signature(self.answer)}; expected "
                f"a function {self.head}."
            )
        without = [each.__name__ for each in self.wrong_answers if not each.__doc__]
        if without:
            raise ArgumentError(f"exercise {self.name}: {without[0]} has no docstring, which says why it is wrong.")
        if not self.hints or not all(self.hints):
            raise ArgumentError(f"exercise {self.name}: expected hints, found {self.hints!r}.")

    @property
    def head(self):
        """Return the head of the function to write: "softmax(x)"."""
        return f"{self.name}({', '.join(self.given)})"

    @property
    def file_name(self):
        """Return the name of the file in which the learner writes the function."""
        return f"{self.name}.py"

    def made_cases(self, seed=SEED):
        """Return the inputs. Each call makes them anew, so that no function can change those of another."""
        return self.cases(np.random.default_rng(seed))

    def axes_of(self, name):
        """Return the axis letters of an argument or of a value returned: ("N", "K"); None where no shape is stated."""
        text = self.given.get(name) or self.compared.get(name) or ""
        shape = re.match(r"\(([^()]*)\)", text)
        return None if shape is None else tuple(letter.strip() for letter in shape[1].split(",") if letter.strip())

    def sizes(self, arguments):
        """Return {axis letter: size} of these arguments."""
        found = {}
        for name, argument in zip(self.given, arguments):
            letters = self.axes_of(name)
            if letters is not None and isinstance(argument, np.ndarray) and len(letters) == argument.ndim:
                found.update({letter: size for letter, size in zip(letters, argument.shape) if letter.isidentifier()})
        return found

    def check(self, function, **options):
        """Check a function, and return a `Verdict` (`checking.check`). The function runs in this process."""
        return check(self, function, **options)

    def places_in_the_engine(self):
        """Return a `Place` for each of `lines`."""
        return [place_of(function) for function in self.lines]

    def answer_lines(self):
        """Return the source of the answer, without its docstring."""
        lines = inspect.getsource(self.answer)
        return re.sub(r'^ *"""(?:.|\n)*?"""\n', "", lines, count=1, flags=re.MULTILINE).rstrip()


def place_of(function):
    """Return the `Place` of a function of this package."""
    lines, first = inspect.getsourcelines(function)
    path = Path(inspect.getsourcefile(function)).resolve()
    path = f"minitl/{path.relative_to(PACKAGE).as_posix()}" if path.is_relative_to(PACKAGE) else path.name
    return Place(f"{path}:{first}", inspect.cleandoc("\n" + "".join(lines)).rstrip())

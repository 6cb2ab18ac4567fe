"""A mistake as an object: its name, its texts, its place in the source, and its run."""

import inspect
import re
import time
import warnings
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from ...errors import MistakeWarning
from ...randomness import set_random_seed
from .workbench import Outcome

PARTS = ("Symptom", "Diagnosis", "Mend")
PACKAGE = Path(__file__).resolve().parents[2]


class Run(NamedTuple):
    """The result of a run: the two numbers, the engine's warnings, and the time that both programs took."""

    outcome: Outcome
    warnings: list
    seconds: float


class Mistake:
    """A mistake of the lab. `program` is its function.

    name                       as on the command line: softmax-twice
    symptom, diagnosis, mend   the paragraphs of the docstring, each in one line
    headline                   the first sentence of the symptom
    place                      of the function: minitl/course/mistakes/training.py:17
    """

    def __init__(self, theme, program):
        self.theme, self.program = theme, program
        self.name = program.__name__.replace("_", "-")

    @cached_property
    def paragraphs(self):
        """Return {part: its text in one line}."""
        texts = (" ".join(text.split()) for text in inspect.getdoc(self.program).split("\n\n"))
        return {part: text.removeprefix(f"{part}: ") for part, text in zip(PARTS, texts, strict=True)}

    @property
    def symptom(self):
        """Return the first paragraph: what one sees."""
        return self.paragraphs["Symptom"]

    @property
    def diagnosis(self):
        """Return the second paragraph: why it happens, and the check that reveals it."""
        return self.paragraphs["Diagnosis"]

    @property
    def mend(self):
        """Return the third paragraph: what to do."""
        return self.paragraphs["Mend"]

    @property
    def headline(self):
        """Return the first sentence of the symptom."""
        return re.split(r"(?<=\.) ", self.symptom)[0]

    @property
    def place(self):
        """Return file and line of the function."""
        return f"{self.file}:{self.program.__code__.co_firstlineno}"

    @property
    def file(self):
        """Return the path of the function's file in the repository."""
        path = Path(inspect.getsourcefile(self.program)).resolve()
        return f"minitl/{path.relative_to(PACKAGE).as_posix()}"

    @cached_property
    def differing_lines(self):
        """Return ("wrong" or "mended", line number, source) of each line in which the two programs differ."""
        source, first = inspect.getsourcelines(self.program)
        marked = ((number, re.match(r"\s*(.*?)  # (wrong|mended)$", line)) for number, line in enumerate(source, first))
        return [(match[2], number, match[1]) for number, match in marked if match]

    def run(self, seed=0):
        """Run both programs, with random numbers from `seed`. Returns a `Run`."""
        set_random_seed(seed)
        start = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", MistakeWarning)
            outcome = self.program()
        seconds = time.perf_counter() - start
        texts = [str(warning.message) for warning in caught if issubclass(warning.category, MistakeWarning)]
        return Run(outcome, list(dict.fromkeys(texts)), seconds)

    def words_found(self, words):
        """Return how many of these words are in the symptom."""
        return sum(word.lower() in self.symptom.lower() for word in words)

"""A mistake as a thing with a name: what its docstring says, where it stands, and what comes out when it is run."""

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
    """What came out: the two numbers, what the engine said by itself, and how long both programs took."""

    outcome: Outcome
    warnings: list
    seconds: float


class Mistake:
    """One function of the lab, `program`.

    name                       as on the command line: softmax-twice
    symptom, diagnosis, mend   the paragraphs of its docstring, each in one line
    headline                   the symptom's first sentence
    place                      where to read it: minitl/course/mistakes/training.py:17
    """

    def __init__(self, theme, program):
        self.theme, self.program = theme, program
        self.name = program.__name__.replace("_", "-")

    @cached_property
    def paragraphs(self):
        """{part: its text in one line}."""
        texts = (" ".join(text.split()) for text in inspect.getdoc(self.program).split("\n\n"))
        return {part: text.removeprefix(f"{part}: ") for part, text in zip(PARTS, texts, strict=True)}

    @property
    def symptom(self):
        return self.paragraphs["Symptom"]

    @property
    def diagnosis(self):
        return self.paragraphs["Diagnosis"]

    @property
    def mend(self):
        return self.paragraphs["Mend"]

    @property
    def headline(self):
        return re.split(r"(?<=\.) ", self.symptom)[0]

    @property
    def place(self):
        return f"{self.file}:{self.program.__code__.co_firstlineno}"

    @property
    def file(self):
        path = Path(inspect.getsourcefile(self.program)).resolve()
        return f"minitl/{path.relative_to(PACKAGE).as_posix()}"

    @cached_property
    def differing_lines(self):
        """("wrong" or "mended", line number, source) of the lines in which the two programs differ."""
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
        said = [str(warning.message) for warning in caught if issubclass(warning.category, MistakeWarning)]
        return Run(outcome, list(dict.fromkeys(said)), seconds)

    def words_found(self, words):
        """How many of these words are in the symptom?"""
        return sum(word.lower() in self.symptom.lower() for word in words)

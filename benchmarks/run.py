"""The measurement: programs run in turn, A B C, A B C, ..., so a machine that slows down slows all of them.

Every program runs in a new process, whose environment does not have OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE. These
variables hold NumPy's BLAS to the code for older processors, and no other library here. While one program runs, the
other programs wait. Between two runs there is a pause, because threads go on looking for work for a while after they
have worked.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

REST_SECONDS = 0.25
HELD_BACK = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


@dataclass
class Program:
    """A program to run (`engine`, `job`, `options`), with its results."""

    label: str
    engine: str
    job: str
    options: dict
    environment: dict = field(default_factory=dict)
    seconds: list = field(default_factory=list)
    result: object = None
    output: object = None
    products: dict | None = None
    peak_bytes: int | None = None
    failure: str | None = None

    @property
    def median(self):
        """Return the median time in seconds, or None where it was not measured."""
        return statistics.median(self.seconds) if self.seconds else None

    def start(self):
        """Start the process, and wait until it is ready."""
        task = {"engine": self.engine, "job": self.job, "options": self.options}
        environment = {name: value for name, value in os.environ.items() if name not in HELD_BACK}
        root = str(Path(__file__).resolve().parents[len(__package__.split("."))])  # where the package can be imported
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        environment["PYTHONWARNINGS"] = "ignore"
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.worker", json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**environment, **self.environment},
        )
        answer = self.answer()
        self.output, self.products = answer.get("output"), answer.get("products")

    def measure(self):
        """Let the program run once, and note its time."""
        if self.failure is None:
            try:
                print("go", file=self.process.stdin, flush=True)
            except BrokenPipeError:
                pass  # `answer` finds the reason
            answer = self.answer()
            if "seconds" in answer:
                self.seconds.append(answer["seconds"])
                self.result = answer["result"]

    def end(self):
        """Read the peak memory and end the process, also after an error or an interruption."""
        with self.errors, self.process:  # closes the pipes and waits
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
            if self.failure is None:
                self.peak_bytes = self.answer().get("peak_bytes")
            self.process.kill()

    def answer(self):
        """Read the next answer of the process as a dict; without one, note the failure and return {}."""
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        self.failure = lines[-1] if lines else f"ended with status {self.process.wait()}"
        return {}

    def as_dict(self):
        """Return the program and its results, as JSON can hold them."""
        return {
            "label": self.label,
            "engine": self.engine,
            "job": self.job,
            "options": self.options,
            "environment": self.environment,
            "seconds": self.seconds,
            "median_seconds": self.median,
            "peak_bytes": self.peak_bytes,
            "products": self.products,
            "result": self.result,
            "failure": self.failure,
        }


def run_in_turn(programs, rounds, say):
    """Measure each of `programs` in so many rounds. `say` is called with each step, as text."""
    try:
        for program in programs:
            say(f"starting {program.label}")
            program.start()
        for number in range(rounds):
            for program in programs:
                say(f"round {number + 1} of {rounds}: {program.label}")
                time.sleep(REST_SECONDS)
                program.measure()
    finally:
        for program in programs:
            if hasattr(program, "process"):
                program.end()
    return programs


def largest_difference(programs):
    """Return the largest difference between the programs' outputs, divided by the largest output."""
    outputs = [program.output for program in programs if program.job == "inference" and program.output]
    if len(outputs) < 2:
        return None
    first, *others = outputs
    assert all(other["shape"] == first["shape"] for other in others), "these programs do not compute the same"
    return max(abs(a - b) / first["largest"] for other in others for a, b in zip(first["some"], other["some"]))

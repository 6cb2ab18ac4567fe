"""The child process in which an answer in a file is checked, and how it is started.

A file that a learner wrote may loop for ever, end the program or crash the library it calls. In a process of its own it
ends only that. The time is limited twice: a loop in Python is stopped in its line (`running`), and a process that does
not end is stopped as a whole. It is a limit and no wall: the file runs with the rights of whoever checks it. So check
the answers of strangers in a container.
"""

import ast
import contextlib
import faulthandler
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

from . import running
from .checking import SECONDS, Verdict, check
from .listing import exercise_called

SECONDS_TO_START = 120  # Python and NumPy, on a slow and busy machine, before the file is run
TIMES_THE_LIMIT = 4  # seconds by the clock in which a busy machine gives the file one second of a processor
SPARE = 2  # seconds
ANSWER = "minitl-verdict "  # stands before the verdict in the output


def check_file(exercise, path, seconds=SECONDS, of=None):
    """Check the answer in a file in a child process, and return a `Verdict`.

    of   the file of exercises that the exercise comes from (None: the course's)
    """
    path = Path(path).absolute()
    request = json.dumps([exercise.name, str(path), seconds, None if of is None else str(Path(of).absolute())])
    places = [str(Path(place).absolute()) for place in sys.path]
    program = f"import sys; sys.path[:] = {places!r}; from minitl.course.exercises.child import main; main()"
    limits = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "PYTHONUTF8": "1"}
    command = [sys.executable, "-c", program, request]
    most = SECONDS_TO_START + seconds_by_the_clock(seconds)
    try:
        ran = subprocess.run(
            command, capture_output=True, timeout=most, env={**os.environ, **limits}, stdin=subprocess.DEVNULL,
            cwd=path.parent,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Verdict(exercise.name, False, "time", f"{path.name} had not ended after {most:.0f} seconds.")
    errors = ran.stderr.decode("utf-8", "replace")
    lines = [line for line in ran.stdout.decode("utf-8", "replace").splitlines() if line.startswith(ANSWER)]
    if not lines and "Timeout (" in errors:  # the words of faulthandler, before the lines that were running
        found = re.search(rf'File ".*{re.escape(path.name)}", line (\d+)', errors)
        line = int(found[1]) if found else None
        where = f" It was in line {line} then." if found else ""
        after = f"{seconds_by_the_clock(seconds):.0f} seconds"
        text = f"{path.name} had not ended after {after}, so it was stopped.{where} Which loop has no end, or "
        text += "which call never comes back?"
        return Verdict(exercise.name, False, "time", text, line=line)
    if not lines:
        last = (errors.strip().splitlines() or ["without a word"])[-1]
        text = f"The process that ran {path.name} ended before its check did ({last})."
        return Verdict(exercise.name, False, "error", text)
    return Verdict(**json.loads(lines[-1].removeprefix(ANSWER)))


def check_source(exercise, path, seconds=SECONDS):
    """Run a file in this process, check its function, and return a `Verdict`."""

    def refused(kind, text, line=None):
        return Verdict(exercise.name, False, kind, text, line=line)

    try:
        source = Path(path).read_text(encoding="utf-8-sig")
        tree = ast.parse(source)
    except SyntaxError as error:
        line = f": {error.text.strip()}" if error.text else ""
        text = f"Python cannot read line {error.lineno} of {Path(path).name}: {error.msg}{line}"
        return refused("syntax", text, error.lineno)
    except (OSError, ValueError) as error:
        return refused("missing", f"{Path(path).name} cannot be read ({getattr(error, 'strerror', None) or error}).")
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    if exercise.name in functions and is_untouched(functions[exercise.name]):
        line = functions[exercise.name].body[-1].lineno
        return refused("untouched", f"{exercise.name} is not written yet: its body in line {line} is three dots. Write "
                                    "it there, save the file, and check again.", line)  # fmt: skip
    result = running.run(runpy.run_path, (str(path), None, exercise.name), seconds, str(path))
    if isinstance(result.error, running.OutOfTime):
        text = f"{Path(path).name} had not ended after {seconds:.0f} seconds when it was read, before any call: a loop "
        return refused("time", f"{text}outside the function, in line {result.line}.", result.line)
    if result.error is not None:
        text = f"{Path(path).name} stops in line {result.line} when it is read, before any call: "
        return refused("error", f"{text}{type(result.error).__name__}: {result.error}", result.line)
    names = result.result
    if exercise.name not in names:
        found = [name for name in functions if name in names]
        has = f" It has {', '.join(found)}." if found else ""
        return refused("missing", f"{Path(path).name} has no function {exercise.name}.{has} Write {exercise.head}.")
    return check(exercise, names[exercise.name], seconds)


def seconds_by_the_clock(seconds):
    """Return after how many seconds a process is stopped that has `seconds` of a processor."""
    return TIMES_THE_LIMIT * seconds + SPARE


def is_untouched(function):
    """Return whether the body of a function (of `ast`) is as `start` wrote it: three dots, and perhaps a docstring."""
    body = [node for node in function.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
                                                   and isinstance(node.value.value, str))]  # fmt: skip
    return all(isinstance(node, ast.Pass) or isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
               and node.value.value is ... for node in body)  # fmt: skip


def main():
    """Read the request, check the file and print the verdict behind `ANSWER`."""
    name, path, seconds, of = json.loads(sys.argv[-1])
    faulthandler.dump_traceback_later(seconds_by_the_clock(seconds), exit=True)
    with contextlib.redirect_stdout(sys.stderr):
        verdict = check_source(exercise_called(name, of), path, seconds)
    print(f"\n{ANSWER}{json.dumps(verdict._asdict())}", flush=True)

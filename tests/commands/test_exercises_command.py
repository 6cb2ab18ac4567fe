"""`minitl exercises`: a file to start with, a check in a process of its own, hints, the engine's lines, a list."""

import json
import re
import threading
import time

import pytest
from conftest import REPOSITORY

from minitl import cli
from minitl.course.exercises import EXERCISES, exercise_called, files, showing
from minitl.course.exercises.child import check_source

EACH = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
COURSE = REPOSITORY / "minitl" / "course"
RIGHT = "\n\ndef softmax(x):\n    e = np.exp(x - x.max(axis=1, keepdims=True))\n    return e / e.sum(1)[:, None]\n"
ENDLESS = "\n\ndef momentum_step(p, v, g, learning_rate, momentum):\n    while True:\n        p = p + v\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def run(capsys, *arguments):
    status = cli.main(["exercises", *arguments])
    captured = capsys.readouterr()
    assert max(map(len, captured.out.splitlines()), default=0) <= 80
    return status, captured.out, captured.err


@EACH
def test_a_file_as_it_is_written_fails_kindly(exercise, folder, capsys):
    path = files.start(exercise, folder, "exercise 1 of 2")
    source = path.read_text(encoding="utf-8")
    assert path.name == f"{exercise.name}.py" and max(map(len, source.splitlines())) <= 80
    assert f"def {exercise.head}:\n    ..." in source and exercise.formula.splitlines()[0].strip() in source
    verdict = check_source(exercise, path)
    assert not verdict.passed and verdict.kind == "untouched" and "is not written yet" in verdict.text
    assert source.splitlines()[verdict.line - 1].lstrip().startswith("...")
    showing.print_verdict(exercise, verdict)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.slow
@EACH
def test_all_that_is_printed_fits_into_80_columns(exercise, capsys):
    status, text, _ = run(capsys, "solution", exercise.name)
    for place in exercise.places_in_the_engine():
        path, line = place.name.split(":")
        source = (REPOSITORY / path).read_text(encoding="utf-8").splitlines()
        assert status == 0 and place.name in text and place.lines.splitlines()[0].strip() in source[int(line) - 1]
    for function in (*exercise.wrong_answers, exercise.answer):
        showing.print_verdict(exercise, exercise.check(function))
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    same = "does the same" if len(exercise.lines) == 1 else "do the same"
    assert " ".join(printed.split()).count(f"{same} (minitl") == 1


@pytest.mark.slow
def test_from_the_start_to_the_end(folder, capsys):
    status, text, _ = run(capsys, "start", "softmax", "--json", "start.json")
    assert status == 0 and "softmax.py is written" in text
    assert json.loads((folder / "start.json").read_text())["exercises"][0]["file"] == "softmax.py"
    status, text, error = run(capsys, "check", "softmax", "--json", "check.json")
    (verdict,) = json.loads((folder / "check.json").read_text())["exercises"]
    assert status == 1 and "minitl: not right yet: softmax." in error.splitlines()[-1]
    assert verdict["name"] == "softmax" and not verdict["passed"] and verdict["kind"] == "untouched"

    with open("softmax.py", "a", encoding="utf-8") as file:
        file.write(RIGHT)
    status, text, error = run(capsys, "check", "softmax.py", "--json", "check.json")
    (verdict,) = json.loads((folder / "check.json").read_text())["exercises"]
    assert status == 0 and "minitl:" not in error and verdict["passed"] and verdict["compared"] > 0
    assert "minitl/kernels/activations.py:" in text and "does the same" in text and "read next" in text
    status, text, _ = run(capsys, "--json", "list.json")
    listed = json.loads((folder / "list.json").read_text())["exercises"]
    assert [each["name"] for each in listed] == [exercise.name for exercise in EXERCISES]
    assert listed[0]["state"] == "right" and listed[0]["checks"] == 2 and f"1 of {len(EXERCISES)} are right" in text
    with open("softmax.py", "a", encoding="utf-8") as file:
        file.write("\n# another file now\n")
    assert "changed since" in run(capsys)[1]


def test_a_file_of_ones_own_stays(folder, capsys):
    (folder / "softmax.py").write_text("mine", encoding="utf-8")
    status, _, error = run(capsys, "start", "softmax")
    assert status == 1 and "stays as it is" in error and (folder / "softmax.py").read_text() == "mine"


@pytest.mark.slow
def test_an_endless_loop_fails_alone(folder, capsys):
    (folder / "momentum_step.py").write_text(ENDLESS, encoding="utf-8")
    (folder / "softmax.py").write_text(f"import numpy as np\n{RIGHT}", encoding="utf-8")
    status, text, error = run(capsys, "check", "--seconds", "0.5", "--json", "check.json")
    results = {each["name"]: each for each in json.loads((folder / "check.json").read_text())["exercises"]}
    assert status == 1 and results["softmax"]["passed"] and "1 of 2 are right" in text
    assert results["momentum_step"]["kind"] == "time" and results["momentum_step"]["line"] in (4, 5)
    assert "not right yet: momentum_step" in error


@pytest.mark.parametrize(
    "source, kind, words",
    [
        ("def softmax(x:\n", "syntax", "line 1"),
        ("import nump as np\n", "error", "nump"),
        ("def soft_max(x): return x\n", "missing", "soft_max"),
        ("softmax = 3\n", "missing", "no function"),
        ("def softmax(): return 1\n", "arguments", "Expected softmax(x)"),
        ("while True:\n    pass\n", "time", "outside the function, in line"),
        ("def softmax(x):\n    return y\n", "error", "in line 2 (return y) with NameError"),
        ("def softmax(x):\n    print('p', 3)\n", "type", "It printed: p 3"),
        ("import sys\ndef softmax(x):\n    sys.exit()\n", "error", "in line 3 (sys.exit()) with SystemExit"),
        ("def softmax(x):\n    return softmax(x)\n", "error", "RecursionError"),
        ("def softmax(x):\n    return input('?')\n", "error", "asks nobody"),
        ("\ufeffdef softmax(x):\n    try:\n        while True: pass\n    except Exception: return x\n", "time", "line"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_run(source, kind, words, folder, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: (_ for _ in ()).throw(EOFError()))
    (folder / "softmax.py").write_text(source, encoding="utf-8")
    verdict = check_source(exercise_called("softmax"), folder / "softmax.py", seconds=0.3)
    assert (verdict.passed, verdict.kind) == (False, kind) and words in verdict.text, verdict


@pytest.mark.slow
@pytest.mark.parametrize(
    "source, words",
    [
        ("import os\ndef softmax(x):\n    os._exit(3)\n", "ended before its check did"),
        (
            "import time\ndef softmax(x):\n    time.sleep(1000)\n",
            "Which loop has no end, or which call never",
        ),
    ],
)
def test_what_ends_or_blocks_the_process_is_only_a_wrong_answer(source, words, folder, capsys):
    (folder / "softmax.py").write_text(source, encoding="utf-8")
    status, text, _ = run(capsys, "check", "softmax", "--seconds", "0.1")
    assert status == 1 and words in " ".join(text.split())


def test_hints_grow(folder, capsys):
    exercise = exercise_called("softmax")
    for count in 1, 2, 3, 3:
        status, text, _ = run(capsys, "hint", "softmax", "--json", "hint.json")
        (result,) = json.loads((folder / "hint.json").read_text())["exercises"]
        assert status == 0 and result["hints"] == list(exercise.hints[:count]) and result["more"] == 3 - count
        assert all(hint in " ".join(text.split()) for hint in exercise.hints[:count]) or count > 1
    assert "solution softmax" in " ".join(text.split())
    assert json.loads((folder / "exercises.json").read_text())["softmax"]["hints"] == 3


def test_a_wrong_name_or_state(folder, capsys):
    assert "Did you mean softmax?" in run(capsys, "hint", "softmx")[2]
    assert "softmax.py is not there" in run(capsys, "check", "softmax")[2]
    assert "No exercise was begun" in run(capsys, "check")[1]
    (folder / "exercises.json").write_text("{broken", encoding="utf-8")
    status, _, error = run(capsys, "hint", "softmax")
    assert status == 1 and "Remove it to begin anew" in error


@pytest.mark.slow
def test_a_watched_file_is_checked_when_it_is_saved(folder, capsys):
    path = folder / "softmax.py"
    path.write_text("def softmax(x): return x\n", encoding="utf-8")

    def save():
        while not (folder / "exercises.json").exists():  # the first check has been done
            time.sleep(0.05)
        path.write_text(f"import numpy as np\n{RIGHT}", encoding="utf-8")

    saving = threading.Thread(target=save)
    saving.start()
    status, text, _ = run(capsys, "check", "softmax", "--watch", "--json", "check.json")
    saving.join()
    assert status == 0 and "not yet" in text and "Right." in text
    assert json.loads((folder / "check.json").read_text())["exercises"][0]["passed"]


# ---- the documents ----


def programs():
    text = (COURSE / "exercises.md").read_text(encoding="utf-8")
    printed = re.search(r"It prints\n\n```\n(.*?)```", text, re.DOTALL)
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL), printed[1]


def test_the_notebook_of_the_page_prints_what_it_says(capsys):
    (program, _), printed = programs()
    exec(program, {})
    assert capsys.readouterr().out == printed


def test_a_teachers_own_exercise(folder, capsys):
    source = programs()[0][1]
    assert 20 < len(source.splitlines()) <= 32
    (folder / "my_exercises.py").write_text(source, encoding="utf-8")
    own = "--of", "my_exercises.py"
    assert run(capsys, *own, "start", "relu_gradient")[0] == 0
    for line, status in ("grad * (x > 0)", 0), ("grad * (x >= 0)", 0), ("grad * (x > 0.5)", 1), ("x * (x > 0)", 1):
        text = f"def relu_gradient(x, grad):\n    return {line}\n"
        (folder / "relu_gradient.py").write_text(text, encoding="utf-8")
        exercise = exercise_called("relu_gradient", "my_exercises.py")
        assert check_source(exercise, folder / "relu_gradient.py").passed == (status == 0), line
    assert run(capsys, "check", "relu_gradient", *own, "--json", "own.json")[0] == 1
    (verdict,) = json.loads((folder / "own.json").read_text())["exercises"]
    assert verdict["kind"] == "typical" and verdict["wrong_answer"] == "forward_again"
    (folder / "empty.py").write_text("", encoding="utf-8")
    assert "holds no exercise" in run(capsys, "--of", "empty.py")[2]


def test_every_exercise_stands_in_a_chapter():
    text = (COURSE / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"\*\*Write it yourself:\*\*(.*?)\n\n", text, re.DOTALL)
    assert len(named) >= 4
    names = set(re.findall(r"`(\w+)`", " ".join(named)))
    assert names == {exercise.name for exercise in EXERCISES}

"""The README's programs run, and print what it says they print."""

import contextlib
import io
import re
from pathlib import Path

import pytest

BESIDE = ("arguments", "errors", "initializers", "interruption", "progress", "randomness", "terminal", "version")
README = Path(__file__).parent.parent / "README.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def printed_by(program):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(program, "README", "exec"), {"__name__": "__main__"})
    return output.getvalue()


def test_the_training_loop_prints_the_numbers_that_stand_there():
    program, expected = (
        blocks("python")[0],
        re.search(r"It prints\n\n```\n(.*?)```", README.read_text("utf-8"), re.DOTALL),
    )
    found = printed_by(program).split()
    for number, promised in zip(found, expected[1].split(), strict=True):
        try:
            # Another BLAS may round differently, and a picture on the edge fall to the other side.
            assert float(number) == pytest.approx(float(promised), abs=0.002 if len(promised) > 4 else 0.01)
        except ValueError:
            assert number == promised


def test_a_convolution_by_hand():
    assert f"It prints `{printed_by(blocks('python')[1]).strip()}`" in README.read_text("utf-8")


def test_the_six_steps_run():
    assert "Trainable params            110,602" in printed_by(blocks("python")[2])


def test_another_network_is_frozen_by_stage():
    program = blocks("python")[3]
    assert f"It prints `{printed_by(program).strip()}`" in README.read_text("utf-8")


def test_several_inputs_and_outputs():
    program = blocks("python")[4]
    assert f"It prints `{printed_by(program).strip()}`" in README.read_text("utf-8")


def test_a_layer_of_your_own():
    assert printed_by(blocks("python")[5]) == "True\n"


def test_the_map_names_every_file_and_folder():
    page = re.search(r"## Map\n\n```\n(.*?)```", README.read_text("utf-8"), re.DOTALL)[1]
    listed = set(re.findall(r"^  (\w+(?:\.py|/))  ", page, re.MULTILINE))
    package = README.parent / "minitl"
    present = {
        path.name if path.is_file() else path.name + "/" for path in package.iterdir() if not path.name.startswith("_")
    }
    assert listed | {name + ".py" for name in BESIDE} == present

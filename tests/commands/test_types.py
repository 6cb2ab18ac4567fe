"""The public functions say what they take and return; the program that `mypy` checks strictly runs."""

import inspect
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import minitl
from minitl import applications, data, export, models, recipes, testing, transfer

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "tests" / "programs" / "typed.py"
NETWORKS = [getattr(applications, name) for name in ("VGG16", "ResNet50", "InceptionV3", "EfficientNetLite0")]
ROOMS = (data, export, models, recipes)
METHODS = """
    add compile evaluate export fit forward backward get_layer get_weights load_weights predict save save_weights
    set_weights summary train_on_batch
""".split()
# Wrong programs, and what mypy says of each.
WRONG = {
    "load_model(3)": "incompatible type",
    "model.sav('m.h5')": 'no attribute "sav"',
    "freeze(model, untill='a')": "Unexpected keyword",
    "count: str = model.count_params()": "Incompatible types",
}


def public_functions():
    """Yield the functions that users call."""
    yield from NETWORKS
    yield testing.check_gradients
    names = ("remove_layers", "replace_head", "adapt_input", "adapt_classes", "freeze", "unfreeze")
    yield from (getattr(transfer, name) for name in names)
    for room in ROOMS:
        found = (getattr(room, name) for name in room.__all__)
        # Others' functions, such as `resize` of the kernels, are not annotated.
        yield from (each for each in found if inspect.isfunction(each) and each.__module__.startswith(room.__name__))
    yield from (getattr(models.Sequential, name) for name in METHODS)


def test_public_functions_say_what_they_return():
    assert (Path(minitl.__file__).parent / "py.typed").exists()
    without = [f"{each.__module__}.{each.__qualname__}" for each in public_functions() if not _returns(each)]
    assert not without


def _returns(function):
    return "return" in function.__annotations__


def test_the_program_with_types_runs(capsys):
    runpy.run_path(str(PROGRAM), run_name="__main__")
    assert capsys.readouterr().out == "7850 True 3 15\n"


@pytest.mark.slow
def test_mypy_finds_nothing_in_the_package_and_each_mistake_in_a_program(tmp_path):
    pytest.importorskip("mypy", reason="needs the extra 'style': pip install -e '.[style]'")
    head = "from minitl.models import Model, load_model\nfrom minitl.transfer import freeze\n"
    lines = "\n".join(f"    {line}" for line in WRONG)
    (tmp_path / "wrong.py").write_text(f"{head}\ndef f(model: Model) -> None:\n{lines}\n")
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path), "--no-error-summary"]
    package = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert package.returncode == 0, package.stdout
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    wrong = subprocess.run(
        [*command, str(tmp_path / "wrong.py")], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )
    for number, message in enumerate(WRONG.values(), start=len(head.splitlines()) + 3):
        assert f"wrong.py:{number}: error:" in wrong.stdout and message in wrong.stdout, wrong.stdout

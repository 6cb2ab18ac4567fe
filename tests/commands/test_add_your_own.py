"""The page that adds a layer, a loss, an optimizer, a network and a format: all that it adds works."""

import re

import pytest
from programs.additions import PAGE, blocks, repository_with_additions, run

NEW = "prelu or pseudo-huber or pseudo_huber or lion or VGG11 or vgg11 or npz"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("with additions")
    return root, repository_with_additions(root)


def test_each_addition_is_a_file_a_line_and_a_case():
    places = [place for place, _ in blocks() if place]
    for package in "layers", "losses", "optimizers", "applications":
        table = "networks" if package == "applications" else package
        own, line, *cases = [place for place in places if f"/{package}/" in place or place.endswith(f"/{table}.py")]
        assert line == f"minitl/{package}/__init__.py" and set(cases) == {f"tests/cases/{table}.py"}, own
    assert [place for place in places if "/weights/" in place or place.endswith("/formats.py")] == [
        "minitl/weights/formats/npz_file.py",
        "minitl/weights/distrust/child_process.py",
        "tests/cases/formats.py",
    ]


@pytest.mark.slow
def test_the_tables_test_all_that_was_added(copy):
    """Run in a copy with the additions the tests that hold for all layers, losses, optimizers, networks and formats."""
    root, _ = copy
    files = ["math/test_layers", "math/test_gradients", "math/test_losses", "math/test_optimizers"]
    files += ["transfer/test_applications", "transfer/test_checkpoints", "files/test_formats"]
    printed = run(
        root, "-m", "pytest", "-m", "slow or not slow", "-vv", "-p", "no:cacheprovider", "-k", f"{NEW} or in_the_table",
        *(f"tests/{name}.py" for name in files),
    )  # fmt: skip
    passed = {file.split("test_")[1]: len(re.findall(rf"{file}\.py::.*PASSED", printed)) for file in files}
    assert passed["layers"] > 10 and passed["gradients"] > 2 and passed["losses"] > 3 and passed["optimizers"] > 3, (
        passed
    )
    assert passed["applications"] > 2 and passed["checkpoints"] > 1 and passed["formats"] > 1, passed
    assert "SKIPPED" not in printed


def test_the_programs_print_what_stands_there(copy):
    root, programs = copy
    page = PAGE.read_text("utf-8")
    assert programs
    for program in programs:
        assert f"It prints `{run(root, '-W', 'error', '-c', program).strip()}`" in page


@pytest.mark.slow
def test_the_new_network_is_known_to_the_commands(copy):
    root, _ = copy
    printed = run(root, "-m", "minitl", "summary", "vgg11", "--no-top", "--input-shape", "32", "32", "3")
    assert "9,220,480" in printed and "block5_pool" in printed
    program = """
import numpy as np
from minitl.layers import Dense, PReLU
from minitl.models import Sequential

model = Sequential([Dense(3, input_shape=(2,)), PReLU()])
model.compile("lion", "pseudo_huber")
x = np.ones((8, 2), "float32")
print(len(model.fit(x, x @ np.ones((2, 3)), verbose=0).history["loss"]))
"""
    assert run(root, "-W", "error", "-c", program) == "1\n"

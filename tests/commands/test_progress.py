"""Progress: how work under way is shown, on a terminal and elsewhere."""

import io
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from minitl import __version__, progress, starting, terminal
from minitl.progress import Progress, watched
from minitl.training.history import epoch_line

MOST_SILENCE = progress.BETWEEN_LINES + 1.5  # seconds; machines that run tests may be slow


class Screen(io.StringIO):
    """A terminal that notes when something is written."""

    def __init__(self, is_terminal=True):
        super().__init__()
        self.is_terminal, self.times = is_terminal, []

    def isatty(self):
        return self.is_terminal

    def write(self, text):
        self.times.append(time.perf_counter())
        return super().write(text)


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.05)
    monkeypatch.setattr(progress, "PATIENCE_ELSEWHERE", 0.05)
    monkeypatch.setattr(progress, "BETWEEN_LINES", 0.1)
    monkeypatch.setattr(progress, "BETWEEN_DRAWINGS", 0.02)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_bar_moves_while_a_single_step_takes_long(fast, monkeypatch, is_terminal):
    screen = Screen(is_terminal)
    monkeypatch.setattr(sys, "stdout", screen)
    with Progress("Reading", 10) as bar:
        bar.advance(3)
        time.sleep(0.6)
    assert len(screen.times) >= 3 and "Reading [#######................." in screen.getvalue()
    assert screen.getvalue().endswith("\r\033[K" if is_terminal else "\n")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_work_without_a_name_is_shown_where_it_is_watched(fast, monkeypatch, capsys, is_terminal):
    screen = Screen(is_terminal)
    monkeypatch.setattr(sys, "stdout", screen)
    with watched():
        print("begins")
        time.sleep(0.5)
        with Progress("Ridge regression", enabled=False):
            time.sleep(0.5)
        print("ends")
    assert sys.stdout is screen
    out = text = screen.getvalue()
    if not is_terminal:
        assert "Working" not in text, "the results may be read by a program"
        text = text.replace("begins\n", "begins\n" + capsys.readouterr().err, 1)
    assert text.index("begins") < text.index("Working") < text.index("Ridge regression") < text.index("ends")
    if is_terminal:
        assert "\r\033[Kends\n" in text, "the bar is removed before something is printed"
    else:
        assert all(line in ("begins", "ends") or line.startswith("Ridge regression ") for line in out.splitlines())


def test_what_is_switched_off_is_silent(fast, monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    with terminal.silent_unless(0), Progress("Reading", 10, enabled=False):
        time.sleep(0.3)
    with watched(), terminal.silent_unless(0), Progress("Reading", 10):
        time.sleep(0.3)
    with Progress("Reading", 10, enabled=False):
        time.sleep(0.3)
    assert "Reading" not in screen.getvalue()


def test_a_line_fits_the_terminal(monkeypatch):
    for columns in (80, 40):
        monkeypatch.setenv("COLUMNS", str(columns))
        bar = Progress("A name that is far too long for the line of a terminal with a bar in it", 1000)
        with bar:
            bar.done, bar.note = 500, "loss 0.1234 and more"
            bar.start -= 10
            assert len(bar.line()) < columns
    assert "500/1000" in bar.line()


def test_slow_work_shows_the_time_of_each_piece():
    bar = Progress("Judging the cuts", 3)
    bar.done = 1
    assert bar.state(14.0).endswith("1/3  14 s each  28 s left")
    assert bar.state(2.0).endswith("1/3  0.5/s  4 s left")


def test_the_line_of_an_epoch_fits_the_terminal(monkeypatch):
    """Lines with validation have 80 characters without the seconds; a wider terminal shows them too."""
    results = {"loss": 0.9655, "accuracy": 0.69, "val_loss": 0.4897, "val_accuracy": 0.838}
    for columns, lines in ((80, 1), (100, 1), (60, 2)):
        monkeypatch.setenv("COLUMNS", str(columns))
        text = epoch_line(1, 20, results, 0.04)
        assert len(text.splitlines()) == lines and all(len(line) <= columns for line in text.splitlines())
        assert "val_accuracy 0.8380" in text and text.endswith("0.0 s") == (columns == 100)


def test_the_first_plain_line_comes_early():
    """Before it, Python and NumPy have taken up to 0.7 s of the two seconds."""
    assert progress.PATIENCE_ELSEWHERE + progress.BETWEEN_DRAWINGS <= 1.5


def test_a_table_fits(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    rows = [["file", *"abcdefghij"], ["a/very/long/path/" * 9 + "end.jpg", *(f"{10**7 + k}" for k in range(10))]]
    text = terminal.table(rows)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert text.count("a/very/long/") == text.count("end.jpg") >= 2, "the name stands in each part"
    assert all(str(10**7 + k) in text for k in range(10)), "no number is shortened"
    assert terminal.table([["a", "b"], ["x", 1]]) == "a  b\nx  1"
    assert terminal.shortened("abcdefghijklmnop", 9) == "abc...nop" and terminal.shortened("abc", 9) == "abc"


SLOW = """
    import sys, time
    import numpy as np
    from minitl import cli
    from minitl.layers import base as layers
    from minitl.training import ridge
    import minitl.recipes.two_stages as two_stages, minitl.recipes.photograph_stages as photograph_stages
    import minitl.kernels.convolution as convolution

    def slow(module, name, seconds):
        ordinary = getattr(module, name)
        def slowly(*arguments, **options):
            time.sleep(seconds)
            return ordinary(*arguments, **options)
        setattr(module, name, slowly)

    slow(two_stages, "ridge_head", 6)
    slow(photograph_stages.PhotographStages, "evaluation", 6)
    slow(photograph_stages.PhotographStages, "build", 6)
    slow(photograph_stages.data, "audit_folder", 6)
    sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_command_is_never_silent_for_long(tmp_path):
    """Steps that take six seconds each: the largest gap between two writes to a pipe."""
    pytest.importorskip("PIL")
    from PIL import Image

    models = Path(__file__).resolve().parents[3] / "shared" / "weights"
    weights = models / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    if not weights.exists():
        pytest.skip("needs VGG16's base in ../shared")
    home = tmp_path / "home" / "models"
    home.mkdir(parents=True)
    (home / weights.name).symlink_to(weights)
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for name in ("a", "b"):
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for k in range(6):
                Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(folder / f"{k}.png")
    command = [sys.executable, "-c", textwrap.dedent(SLOW), "finetune", "photos", "--image-size", "32", "--epochs", "2"]
    environment = {**os.environ, "MINITL_HOME": str(tmp_path / "home"), "PYTHONUNBUFFERED": "1"}
    gaps, last, before = [], None, b""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, **pipes, cwd=tmp_path, env=environment) as process:
        while text := os.read(process.stdout.fileno(), 65536):
            now = time.perf_counter()
            if last is not None:  # the first text comes after Python has imported everything
                gaps.append((now - last, before, text))
            last, before = now, text
    assert process.returncode == 0 and max(gaps)[0] <= MOST_SILENCE, max(gaps)


def test_a_piece_of_work_may_cover_those_within_it(monkeypatch, capsys):
    monkeypatch.setattr(progress, "PATIENCE_ELSEWHERE", 0.0)
    monkeypatch.setattr(progress, "BETWEEN_LINES", 0.0)
    with progress.watched(), Progress("Outer", 2, covers=True), Progress("Inner", 5) as inner:
        time.sleep(0.05)
        inner.advance(1)
        inner.advance(1)
    printed = capsys.readouterr().out
    assert "Outer" in printed and "Inner" not in printed


def test_the_start_of_the_command_is_not_silent():
    """Say on the standard error that reading the files of minitl takes long."""
    program = """
        import sys, time

        class Slow:
            def find_spec(self, name, *others):
                if name == "minitl.layers":
                    time.sleep(1.8)

        sys.argv = ["/usr/bin/minitl", "--version"]
        sys.meta_path.insert(0, Slow())
        from minitl.cli import main
        main()
    """
    found = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    assert found.stderr.startswith("Working ") and found.stdout == f"minitl {__version__}\n"
    assert starting.is_command("-m", ["python", "-m", "minitl", "doctor"])
    assert not starting.is_command("-m", ["python", "-m", "pytest"]) and not starting.is_command("-c", ["minitl"])

"""The benchmarks measure what they say. That the engines compute the same is tested in peers/test_engines.py."""

import json
import sys

import pytest

from minitl import cli

plan = pytest.importorskip("benchmarks.plan", reason="the benchmarks lie beside the package in a checkout only")
from benchmarks import networks, report, run  # noqa: E402


def small(label, options=None, **environment):
    own = {"batch": 2, "size": 32, **(options or {})}
    return run.Program(label, "minitl", "inference", own, environment)


@pytest.mark.slow
def test_programs_run_in_turn_in_fresh_processes_without_openblas_settings(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "512")
    started = []
    popen = run.subprocess.Popen
    monkeypatch.setattr(run.subprocess, "Popen", lambda *a, **k: started.append(k["env"]) or popen(*a, **k))
    programs = [small("minitl"), small("by im2col", {"algorithm": "im2col"}, OPENBLAS_CORETYPE="Haswell")]
    said = []
    run.run_in_turn(programs, 2, said.append)
    assert [line.split(": ")[1] for line in said if "round" in line] == ["minitl", "by im2col"] * 2
    assert ["OPENBLAS_CORETYPE" in environment for environment in started] == [False, True]
    assert not any("OPENBLAS_L2_SIZE" in environment for environment in started)
    for program in programs:
        assert program.failure is None and len(program.seconds) == 2 and min(program.seconds) > 0
        assert program.peak_bytes is None or program.peak_bytes > 30e6
    assert run.largest_difference(programs) < 1e-5


def test_outputs_that_differ_are_seen():
    programs = [small("a"), small("b")]
    for program, value in zip(programs, (1.0, 1.5)):
        program.output = {"shape": [1, 2], "largest": 2.0, "some": [0.0, value]}
    assert run.largest_difference(programs) == 0.25


@pytest.mark.slow
def test_a_program_that_fails_is_reported_and_the_others_go_on(capsys):
    broken = run.Program("broken", "minitl", "inference", {"batch": 2, "size": 7})  # too small for five poolings
    group = plan.Group("inference_2", "Inference", [small("minitl"), broken], 1)
    run.run_in_turn(group.programs, group.rounds, lambda line: None)
    text = report.markdown(report.machine(), [group])
    assert (
        "- broken: did not run (minitl.errors.ArgumentError: input_shape is (7, 7, 3)" in text and "| minitl " in text
    )


def test_vgg16_takes_the_multiplications_that_are_published():
    assert networks.convolution_flops(224) == pytest.approx(30.69e9, rel=1e-3)


def test_every_group_of_the_plan_has_a_table():
    """Check with made-up measurements that each kind of result finds its way into the text."""
    for group in [*plan.full_plan(), *plan.quick_plan()]:
        for k, program in enumerate(group.programs):
            program.seconds, program.peak_bytes = [0.25 + k, 0.5 + k, 1.0 + k], 10**9
            if program.job == "layers":
                row = {"layer": "block1_conv1", "seconds": 0.5, "flops": 10**9, "bytes": 10**6, "peak": 10**7}
                program.result = [row, row]
            elif program.job == "accuracy":
                program.result = 1e-6
        text = report.markdown(report.machine(), [group])
        assert f"## {group.title}" in text and "not measured" not in text
        for program in group.programs:
            if program.job not in ("sgemm", "layers", "naive"):
                assert f"| {program.label}" in text
        printed = report.printed(group)
        assert printed.startswith(f"{group.title}\n---") and max(map(len, printed.splitlines())) <= 80


def test_without_matplotlib_there_are_no_figures(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert report.plots([], tmp_path / "figures") == []


def test_the_command(capsys, tmp_path):
    status = cli.main(
        ["bench", "--quick", "--only", "naive", "--json", f"{tmp_path}/b.json", "--markdown", f"{tmp_path}/b.md"]
    )
    printed = capsys.readouterr().out
    assert status == 0 and "one image of VGG16 would take" in printed
    results = json.loads((tmp_path / "b.json").read_text())
    assert results["machine"]["versions"]["numpy"]
    assert results["groups"]["naive"]["programs"][0]["median_seconds"] > 0
    assert "## The loops" in (tmp_path / "b.md").read_text()


def test_the_command_lists_and_refuses(capsys):
    assert cli.main(["bench", "--list"]) == 0
    listed = capsys.readouterr().out
    assert "inference_8" in listed and max(map(len, listed.splitlines())) <= 80
    assert cli.main(["bench", "--rounds", "0"]) == 1
    assert cli.main(["bench", "--only", "inference_9"]) == 1
    assert "no group 'inference_9'" in capsys.readouterr().err

"""The benchmarks measure what they say. That the engines compute the same is tested in peers/test_engines.py."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from minitl import cli, kernels, transfer
from minitl.graph.summary import flops
from minitl.kernels import winograd_choice
from minitl.layers import Conv2D, Dense, GlobalAveragePooling2D, Input, convolutional
from minitl.models import Model

plan = pytest.importorskip("benchmarks.plan", reason="the benchmarks lie beside the package in a checkout only")
from benchmarks import figures, main, networks, products, report, run, texts  # noqa: E402
from benchmarks.engines import minitl_engine, numpy_engine  # noqa: E402


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
        assert program.products["direct"] == 2 * networks.convolution_flops(32)
    assert programs[0].products["flops"] < programs[1].products["flops"] == programs[1].products["direct"]
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


@pytest.mark.parametrize("unrolled", [0, 32], ids=["tiles in both directions", "unrolled columns"])
def test_products_are_those_that_a_count_by_hand_gives(monkeypatch, unrolled):
    """The batch is 16. Winograd has 4x4 tiles of 6x6 points for 3x3, or 4x1 tiles of 6 points and three times the
    channels, and 1x4 tiles of 10 points for 1x7. Gradients have tiles in both directions."""
    monkeypatch.setattr(winograd_choice, "UNROLLED_CHANNELS", unrolled)
    images = Input((16, 16, 32))
    y = Conv2D(32, 3, padding="same")(images)  # 16 * 16 tiles
    y = Conv2D(48, 1)(y)
    y = Conv2D(32, 3, 2, padding="same")(y)  # (16, 8, 8, 32)
    y = Conv2D(32, (1, 7), padding="same")(y)  # 16 * 16 tiles
    model = Model(images, Dense(10)(GlobalAveragePooling2D()(y)))
    three = 2 * 36 * 256 * 32 * 32, 2 * 16 * 16 * 16 * 9 * 32 * 32
    one, strided = 2 * 16 * 16 * 16 * 32 * 48, 2 * 16 * 8 * 8 * 9 * 48 * 32
    seven = 2 * 10 * 256 * 32 * 32, 2 * 16 * 8 * 8 * 7 * 32 * 32
    dense = 2 * 16 * 32 * 10
    backward = [each + one + strided + other + dense for each, other in zip(three, seven)]
    more = 2 * 6 * 16 * 4 * 16 * 3 * 32 * 32 - three[0] if unrolled else 0
    forward = [backward[0] + more, backward[1]]
    x, grad = np.ones((16, 16, 16, 32), np.float32), np.ones((16, 10), np.float32)

    with products.counted() as inference:
        model.forward(x, gradients="none")
    assert [inference.flops, inference.direct] == forward

    with products.counted() as training:
        model.forward(x, training=True)
        model.backward(grad)
    # Either gradient, that of the kernel and that of the input, takes as much as forward. The first layer has one.
    assert training.flops == forward[0] + 2 * backward[0] - three[0]
    assert training.direct == 3 * backward[1] - three[1]

    transfer.freeze(model, until=model.layers[3].name)  # up to the strided one
    with products.counted() as last_layers:
        model.forward(x, training=True)
        model.backward(grad)
    assert last_layers.flops == forward[0] + seven[0] + 2 * dense

    kernels.set_convolution("im2col")
    try:
        with products.counted() as by_im2col:
            model.forward(x, gradients="none")
    finally:
        kernels.set_convolution("auto")
    assert by_im2col.flops == by_im2col.direct == forward[1]
    with products.counted() as nothing:
        pass
    model.forward(x)
    assert nothing == products.Products(0, 0)


def test_the_limit_is_the_products_at_the_speed_of_the_same_run():
    group = plan.Group("inference_2", "Inference", [small("minitl"), small("another"), plan.roofline()], 1)
    for program, seconds in zip(group.programs, (0.3, 0.6, 2.0)):
        program.seconds = [seconds]
    speed = numpy_engine.FLOPS / 2.0
    group.programs[0].products = {"flops": 0.2 * speed, "direct": 0.4 * speed}
    rows = {line.split("  ")[0]: line.split() for line in report.printed(group).splitlines()}
    assert rows["minitl"][-1] == "1.50" and rows["another"][-2:] == ["0.50", "3.00"]
    assert rows["limit of the products"][-3:] == ["100.0", "1.50", "1.00"]  # 0.2 s for two images
    assert rows["direct convolution"][-3:] == ["200.0", "0.75", "2.00"]
    assert "Limit of the products: 100.0 ms; minitl takes 1.5 times as long." in report.printed(group)


@pytest.mark.slow
@pytest.mark.parametrize("network", plan.OTHERS)
def test_layers_are_measured_as_they_run_in_the_network(network):
    options = {"batch": 1, "size": 75, "network": network}
    result = minitl_engine.layers(options)()
    model, rows = minitl_engine.network(options), result["rows"]
    assert sum(row["flops"] for row in rows) == flops(model)
    assert not any(row["layer"].endswith(("_bn", "_relu", "_add")) for row in rows)
    assert result["network"] > 0 and min(row["seconds"] for row in rows) > 0
    likes = [row["like"] for row in rows]
    assert len(set(likes)) < len(likes) and any("+ add" in like or "+ average" in like for like in likes)

    group = plan.layers_group(network)
    for program in group.programs:
        program.result = result
    lines = report.printed(group).splitlines()
    table = [line for line in lines if line.rpartition("  ")[0] and line.split("  ")[0] in likes]
    assert len(table) == len(set(likes))
    counts, times = zip(*(line[len(line.split("  ")[0]) :].split()[:2] for line in table))
    assert [int(count) for count in counts] == [likes.count(line.split("  ")[0]) for line in table]
    assert list(map(float, times)) == sorted(map(float, times), reverse=True)


def test_threads_go_up_to_the_cores(monkeypatch):
    monkeypatch.setattr(plan, "cores", lambda: 6)
    programs = [each for each in plan.threads_group("resnet50", 1).programs if each.engine == "minitl"]
    assert [each.options["threads"] for each in programs] == [1, 2, 4, 6]
    assert [each.environment["OPENBLAS_NUM_THREADS"] for each in programs] == ["1", "2", "4", "6"]
    for each in programs:
        each.seconds = [0.8 / each.options["threads"]]
    group = plan.Group("threads_resnet50", "By threads", programs, 1)
    assert [line.split() for line in report.printed(group).splitlines()[3:8]] == [
        ["threads", "minitl"],
        ["1", "100.0", "(x1.0)"],
        ["2", "50.0", "(x2.0)"],
        ["4", "25.0", "(x4.0)"],
        ["6", "16.7", "(x6.0)"],
    ]


def test_texts_are_measured_by_the_batch(monkeypatch):
    monkeypatch.setattr(plan, "is_installed", lambda package: True)
    groups = {group.name: group for group in plan.text_groups(1)}
    group = groups["lstm_step"]
    for program, seconds in zip(group.programs, (0.003, 0.002)):
        program.seconds, program.peak_bytes = [seconds], 90_000_000
    rows = [line.split() for line in report.printed(group).splitlines()]
    assert rows[3][0] == "ms/batch" and ["minitl", "3.0", "3.0", "to", "3.0", "90", "MB"] in rows
    assert ["PyTorch", "2.0", "2.0", "to", "2.0", "90", "MB", "1.50"] in rows
    assert [program.options["part"] for program in groups["minilm_step_last_blocks"].programs] == ["last blocks"] * 2


def test_a_step_of_the_last_blocks_trains_two_blocks_and_the_head():
    trained = {layer.name for layer in texts.trained("minilm", "last blocks").layers if layer.trainable_names}
    assert {"layer_4_attention", "layer_5_output_norm", "probabilities"} <= trained
    assert {name.partition("_")[0] for name in trained} == {"layer", "probabilities"}
    assert {name[:7] for name in trained if name.startswith("layer")} == {"layer_4", "layer_5"}


def test_texts_have_padding_and_the_first_has_none():
    mask = texts.mask(32)
    lengths = mask.sum(axis=1)
    assert mask.shape == (32, 64) and lengths[0] == 64 and 32 <= lengths.min() < 48
    assert (mask == (np.arange(64) < lengths[:, None])).all()


def test_suppression_says_whether_both_keep_the_same_boxes(monkeypatch):
    monkeypatch.setattr(plan, "is_installed", lambda package: True)
    group = plan.suppression_group(1)
    for program in group.programs:
        program.seconds = [0.001 if program.engine == "minitl" else 0.002]
        program.output = {"shape": [3], "largest": 9.0, "some": [4, 9, 2]}
    rows = [line.split() for line in report.printed(group).splitlines()]
    assert ["1000", "3", "1.00", "2.00", "0.50"] in rows and "same boxes." in report.printed(group)
    group.programs[-1].output = {"shape": [3], "largest": 9.0, "some": [4, 2, 9]}
    assert "They keep DIFFERENT boxes of 8732." in report.printed(group)


def test_suppression_is_measured_alone_without_opencv(monkeypatch):
    monkeypatch.setattr(plan, "is_installed", lambda package: False)
    assert "opencv-python-headless" in plan.missing_peers()
    group = plan.suppression_group(1)
    for program in group.programs:
        boxes, _ = networks.boxes(program.options["boxes"])
        kept = minitl_engine.suppression(program.options)()
        assert boxes.shape == (program.options["boxes"], 4) and 10 < len(kept) < 200
        program.seconds, program.output = [0.001], {"shape": [len(kept)], "largest": 0.0, "some": []}
    words = report.printed(group).split()
    assert [program.engine for program in group.programs] == ["minitl"] * 3
    assert " ".join(["8732", str(len(kept)), "1.00"]) in " ".join(words)
    assert "(opencv-python-headless) is not installed" in " ".join(words)


def test_the_error_of_a_wrong_gradient_is_seen(monkeypatch):
    images = Input((8, 8, 3))
    model = Model(images, Dense(5)(GlobalAveragePooling2D()(Conv2D(4, 3)(Conv2D(4, 3)(images)))))  # without jumps
    weights = model.get_weights()

    def network(options):
        for layer in model.layers:
            for name in layer.weight_names:
                setattr(layer, name, getattr(layer, name).astype(np.float32))
        model.set_weights(weights)
        return model

    monkeypatch.setattr(minitl_engine, "network", network)
    options = {"batch": 2, "size": 8}
    (error,) = minitl_engine.accuracy(options)()
    right = minitl_engine.accuracy({**options, "gradient": True})()
    assert 0 < error < 1e-5 and len(right) == 6 and max(right) < 1e-5
    sums = convolutional.channel_sums
    monkeypatch.setattr(convolutional, "channel_sums", lambda x: sums(x) * (1.01 if x.dtype == np.float32 else 1))
    wrong = minitl_engine.accuracy({**options, "gradient": True})()
    assert wrong[1:4:2] == pytest.approx([0.01, 0.01], rel=1e-3)  # the biases of the convolutions
    assert [*wrong[0:4:2], *wrong[4:]] == [*right[0:4:2], *right[4:]]


def test_where_memory_is_measured_one_program_runs_at_a_time(monkeypatch):
    together = []
    monkeypatch.setattr(main, "run_in_turn", lambda programs, *_: together.append(len(programs)))
    group = plan.memory_group("resnet50")
    main.run_group(group, None, print)
    assert together == [1] * len(group.programs)
    main.run_group(plan.ideas_group(1, rounds=1), None, print)
    assert together[-1] == 6


def test_every_group_of_the_plan_has_a_table():
    """Check with made-up measurements that each kind of result finds its way into the text."""
    for group in [*plan.full_plan(), *plan.quick_plan()]:
        for k, program in enumerate(group.programs):
            program.seconds, program.peak_bytes = [0.25 + k, 0.5 + k, 1.0 + k], 10**9
            program.products = {"flops": 10**12, "direct": 2 * 10**12}
            if program.job == "layers":
                names = {"layer": "block1_conv1", "like": "1x1/2 112x112 1024 -> 2048 + average"}
                row = {**names, "seconds": 0.5, "flops": 10**9, "bytes": 10**6, "peak": 10**7}
                program.result = {"network": 1.5, "rows": [row, {**row, "layer": "block1_conv2"}]}
            elif program.job == "accuracy":
                program.result = [1e-6, 2e-6]
        text = report.markdown(report.machine(), [group])
        assert f"## {group.title}" in text and "not measured" not in text
        for program in group.programs:
            if program.job not in ("sgemm", "layers", "naive"):
                first_cell = program.options.get("threads") or program.options.get("boxes") or program.label
                assert f"| {first_cell} " in text
        printed = report.printed(group)
        assert printed.startswith(f"{group.title}\n---") and max(map(len, printed.splitlines())) <= 80


def test_the_page_names_all_groups():
    page = Path(plan.__file__).with_name("README.md").read_text(encoding="utf-8")
    table = page.partition("| groups | print |")[2].partition("\n\n")[0]
    named = [name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.rpartition(" | ")[0])]
    assert sorted(named) == sorted(group.name for group in plan.full_plan())


def test_without_matplotlib_there_are_no_figures(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert figures.plots([], tmp_path / "figures") == []


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


def test_a_folder_of_figures_is_tried_before_the_measurement(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert cli.main(["bench", "--only", "naive", "--plots", f"{tmp_path}/file/figures"]) == 1
    printed = capsys.readouterr()
    assert "cannot be written" in printed.err and "--plots" in printed.err and not printed.out

"""`minitl study transfer`: which layers are copied, frozen and renewed; the conclusions; the commands from end
to end."""

import json
import sys

import numpy as np
import pytest
from conftest import REPOSITORY

from minitl import cli, data, interruption, transfer, utils
from minitl.course import study as package
from minitl.course.study import findings, halves, plot, pretraining, transfer_study, whole
from minitl.course.study.network import CUTTABLE, network
from minitl.course.study.transfer_study import BASE, TREATMENTS, Job, Result
from minitl.errors import ArgumentError, DivergedError, MissingExtraError
from minitl.models import load_model
from minitl.training.recovery.conditions import sources_digest

CLASSES = 5


@pytest.fixture(scope="module")
def image_set():
    """Return four training and two test images of each class."""
    few = data.fashion_mnist_few_shot()
    train, test = (
        np.concatenate([np.flatnonzero(labels == label)[:count] for label in range(10)])
        for labels, count in ((few.y_train, 4), (few.y_test, 2))
    )
    return few._replace(
        x_train=few.x_train[train], y_train=few.y_train[train], x_test=few.x_test[test], y_test=few.y_test[test]
    )


# ---- the halves and the network ----


@pytest.mark.parametrize("split", halves.HALVES)
def test_the_halves_are_halves(split, image_set):
    a, b = halves.HALVES[split]["A"], halves.HALVES[split]["B"]
    assert len(a) == len(b) == CLASSES and sorted(a + b) == sorted(image_set.class_names)
    task = halves.task(image_set, b)
    for label, name in enumerate(b):
        of_class = image_set.x_test[image_set.y_test == image_set.class_names.index(name)]
        assert np.array_equal(task.x_test[task.y_test == label], halves.prepare(of_class))
    assert task.x_train.shape == (20, 28, 28, 1) and task.x_train.dtype == np.float32
    with pytest.raises(ArgumentError, match="class 'Hat' is unknown"):
        halves.task(image_set, ["Hat"])


def test_prepared_images_have_about_mean_0_and_variance_1():
    x = halves.prepare(data.fashion_mnist_few_shot().x_train)
    assert abs(x.mean()) < 0.02 and abs(x.std() - 1) < 0.02


def test_fewer_images_are_drawn_by_seed(image_set):
    task = halves.task(image_set, image_set.class_names)
    drawn = [halves.fewer(task, 2, seed) for seed in (0, 0, 1)]
    assert all((np.bincount(each.y_train) == 2).all() and each.x_test is task.x_test for each in drawn)
    digests = [sources_digest((each.x_train,)) for each in drawn]
    assert digests[0] == digests[1] != digests[2]
    with pytest.raises(ArgumentError, match="class 'T-shirt/top' has 4 training images, and 5 were asked for"):
        halves.fewer(task, 5, 0)


def test_the_network():
    model = network(CLASSES)
    assert model.count_params() == 103_717 and model.output_shape == (None, CLASSES)
    assert [layer.name for layer in model.layers if layer.weight_names] == [*CUTTABLE, "predictions"]


# ---- the operation ----


@pytest.fixture(scope="module")
def bases():
    utils.set_random_seed(100)
    return {base: transfer_study.layers_of(network(CLASSES)) for base in ("A", "B")}


@pytest.mark.parametrize("cut", [1, 4, 6])
@pytest.mark.parametrize("treatment", TREATMENTS)
def test_what_is_copied_frozen_and_renewed(treatment, cut, bases, image_set):
    task = halves.task(image_set, halves.HALVES["similar"]["B"])
    base, frozen = TREATMENTS[treatment]
    model = transfer_study.operated(treatment, cut, bases.get(base), CLASSES, seed=7)
    utils.set_random_seed(7)
    new = network(CLASSES)
    before, digest = transfer_study.layers_of(model), transfer.frozen_digest(model)
    for place, name in enumerate(CUTTABLE):
        expected = bases[base][name] if place < cut and base else new.get_layer(name).get_weights()
        assert all(np.array_equal(a, b) for a, b in zip(before[name], expected, strict=True))
        assert model.get_layer(name).trainable == (place >= cut or not frozen)
    assert model.get_layer("predictions").trainable
    assert np.array_equal(model.get_layer("predictions").kernel, new.get_layer("predictions").kernel)

    pretraining.train(model, task, epochs=2, batch_size=5)
    assert transfer.frozen_digest(model) == digest
    after = transfer_study.layers_of(model)
    for place, name in enumerate(CUTTABLE):
        moved = not np.array_equal(before[name][0], after[name][0])
        assert moved == (place >= cut or not frozen), f"{name} behind cut {cut}"


def tiny_study(image_set, seeds=2, splits=("similar",)):
    return transfer_study.new_study(image_set, splits, seeds, epochs=1, cuts=(1, 3, 6), per_class=2)


def test_a_renewed_layer_does_not_start_where_the_lost_one_did(image_set, monkeypatch):
    started = []

    def record_start(model, task, epochs, batch_size):
        started.append(model.get_layer("dense2").kernel.copy())
        return 0.5, 0.5

    monkeypatch.setattr(transfer_study, "train", record_start)
    study = tiny_study(image_set)
    _, layers = transfer_study.train_base(study, Job("similar", BASE, 0, 1))
    for treatment in "BnB", "AnB+":
        transfer_study.train_treated(study, {("similar", 1): layers}, Job("similar", treatment, 3, 1))
    base, *treated = started
    assert not np.array_equal(base, treated[0])
    assert np.array_equal(*treated), "but treatments of a seed are pairs"


@pytest.mark.slow
def test_processes_train_what_one_alone_does(image_set):
    study = tiny_study(image_set)
    alone, together = (sorted(transfer_study.run(study, workers)) for workers in (1, 2))
    assert [each[:-1] for each in alone] == [each[:-1] for each in together]  # all but the seconds
    assert len(alone) == study.trainings == 2 * (1 + 3 * len(TREATMENTS))
    assert {each[:4] for each in alone} == {*study.base_jobs, *study.treatment_jobs}


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"seeds": 1}, "seeds is 1; expected a whole number of at least 2"),
        ({"cuts": (1, 2, 7)}, r"cuts are \(1, 2, 7\); expected at least three of 1 to 6"),
        ({"cuts": (1, 6, 6)}, r"cuts are \(1, 6\)"),
        ({"epochs": 0}, "epochs is 0"),
    ],
)
def test_studies_that_make_no_sense(image_set, changed, message):
    with pytest.raises(ArgumentError, match=message):
        transfer_study.new_study(image_set, **{"splits": ["similar"], "seeds": 2, "epochs": 1, **changed})


# ---- what is concluded ----


def test_the_interval():
    assert findings.interval([1, 2, 3, 4]) == pytest.approx((2.5, 2.5 - 2.0541, 2.5 + 2.0541), abs=1e-3)  # t = 3.182
    assert findings.interval([0.5]) == (0.5, None, None)
    for freedom, published in (1, 12.706), (20, 2.0860), (21, 2.0796), (60, 2.0003), (120, 1.9799):
        assert findings.t_95(freedom) == pytest.approx(published, abs=5e-4)
    rng, inside = np.random.default_rng(0), 0
    for _ in range(2000):
        _, low, high = findings.interval(rng.normal(0.7, 0.02, size=5))
        inside += low < 0.7 < high
    assert 0.93 < inside / 2000 < 0.97


SHAPES = {  # of each treatment over six cuts, as in the paper's figure 2: a dip of BnB, AnB falls, AnB+ is the best
    BASE: [0.80],
    "BnB": [0.80, 0.77, 0.74, 0.75, 0.78, 0.80],
    "BnB+": [0.80] * 6,
    "AnB": [0.80, 0.79, 0.76, 0.72, 0.68, 0.62],
    "AnB+": [0.82] * 6,
    "RnB": [0.78, 0.74, 0.68, 0.60, 0.50, 0.40],
}


def made_up(shapes, split="similar", seeds=6, noise=0.002):
    rng = np.random.default_rng(3)
    return [
        Result(split, treatment, cut, seed, accuracy + rng.normal(0, noise), 1.0, 0.1)
        for seed in range(seeds)
        for treatment, curve in shapes.items()
        for cut, accuracy in enumerate(curve, start=treatment != BASE)
    ]


def verdicts(results):
    return {(each.split, each.number): each.verdict for each in findings.findings(results)}


def test_findings_that_hold():
    results = made_up(SHAPES)
    found = findings.findings(results)
    assert [each.number for each in found] == [1, 2, 3, 4, 5] and {each.verdict for each in found} == {findings.HOLDS}
    dip, recovered, fall, better, learned = (each.effect.mean for each in found)
    assert dip == pytest.approx(0.80 - np.mean([0.77, 0.74, 0.75, 0.78]), abs=0.003)
    assert recovered == pytest.approx(0, abs=0.003) and better == pytest.approx(0.02, abs=0.003)
    assert fall == pytest.approx(-5 * np.polyfit(range(1, 7), SHAPES["AnB"], 1)[0], abs=0.003)
    assert learned == pytest.approx(np.mean(SHAPES["AnB"]) - np.mean(SHAPES["RnB"]), abs=0.003)
    assert str(found[2]).splitlines()[0].endswith("(AnB falls): HOLDS")
    assert f"mean over the cuts: {100 * better:+.1f} points (95% interval" in str(found[3])


def test_findings_that_do_not_hold():
    flat = {name: [0.75] * len(curve) for name, curve in SHAPES.items()}
    assert set(verdicts(made_up({**flat, "BnB+": [0.7] * 6})).values()) == {findings.FAILS}


def test_findings_that_cannot_be_told():
    noisy = findings.findings(made_up(SHAPES, seeds=3, noise=0.08))
    assert [each.verdict for each in noisy if each.number in (1, 2, 4)] == [findings.UNKNOWN] * 3
    assert "CANNOT BE TOLD WITH 3 SEEDS" in str(noisy[0])


def test_the_distance_of_the_tasks():
    far = {**SHAPES, "AnB": [0.80, 0.76, 0.70, 0.60, 0.50, 0.40]}
    assert verdicts(made_up(SHAPES) + made_up(far, "dissimilar"))[findings.BOTH, 6] == findings.HOLDS
    assert verdicts(made_up(far) + made_up(SHAPES, "dissimilar"))[findings.BOTH, 6] == findings.FAILS


def test_an_interrupted_study_speaks_of_its_whole_seeds_only():
    results = made_up(SHAPES)
    trainings = len(results) // 6
    assert {each.seeds for each in findings.findings(results[: 4 * trainings + 9])} == {4}
    assert findings.findings(results[: 2 * trainings - 1]) == []
    for begun in (BASE,), (BASE, "BnB"):
        assert findings.findings([each for each in results if each.treatment in begun]) == []
    assert findings.summary(results[:1]) == {"similar": {BASE: {0: (results[0].accuracy, None, None)}}}


def test_the_stored_results_say_what_the_documentation_says():
    """The verdicts follow from the accuracies that are stored with them, and stand in the package's docstring."""
    stored = json.loads((REPOSITORY / "benchmarks" / "results" / "transfer_study.json").read_text())
    results = [
        Result(split, treatment, int(cut), int(seed), accuracy, 1.0, 0.0)
        for split, treatments in stored["accuracy"].items()
        for treatment, cuts in treatments.items()
        for cut, seeds in cuts.items()
        for seed, accuracy in seeds.items()
    ]
    assert stored["is_complete"] and len(results) == stored["trainings"] == 2 * 8 * (1 + 6 * len(TREATMENTS))
    words = {findings.HOLDS: " holds", findings.FAILS: " no", findings.UNKNOWN: " not told"}
    for found, kept in zip(findings.findings(results), stored["findings"], strict=True):
        assert found.effect == pytest.approx(tuple(kept["effect"].values())) and found.verdict == kept["verdict"]
        mean, low, high = (f"{100 * value:.1f}" for value in found.effect)
        line = next(line for line in package.__doc__.splitlines() if line.startswith(f"    {found.number} "))
        assert f" {mean} ({low} to {high}){words[found.verdict]}" in line


# ---- the figure ----


@pytest.mark.parametrize("suffix, start", [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_the_figure(tmp_path, suffix, start):
    pytest.importorskip("matplotlib", reason="needs the extra 'plots'")
    path = tmp_path / f"study{suffix}"
    plot.check(path)
    plot.draw(findings.summary(made_up(SHAPES) + made_up(SHAPES, "dissimilar")), path, "made up")
    assert path.read_bytes().startswith(start)
    with pytest.raises(ArgumentError, match="ends in .png, .svg, .pdf"):
        plot.check(tmp_path / "study.txt")


def test_without_matplotlib_it_says_so_before_any_work(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match="study.png: drawing needs matplotlib"):
        plot.check("study.png")
    assert cli.main(["study", "transfer", "--plot", "study.png"]) == 1
    assert capsys.readouterr().out == ""


# ---- the commands ----


@pytest.fixture
def tiny(monkeypatch, image_set):
    monkeypatch.setattr(data, "fashion_mnist_few_shot", lambda: image_set)
    monkeypatch.setattr(whole, "threads", lambda: 1)
    monkeypatch.setattr(whole, "QUICK", whole.Extent(seeds=2, epochs=1, cuts=(1, 3, 6)))


@pytest.mark.slow
def test_the_command(tiny, capsys, tmp_path):
    assert cli.main(["study", "transfer", "--quick", "--json", str(tmp_path / "r.json")]) == 0
    lines, results = capsys.readouterr().out.splitlines(), json.loads((tmp_path / "r.json").read_text())
    assert max(map(len, lines)) <= 100
    assert sum(" accuracy 0." in line for line in lines) == results["trainings"] == 2 * 2 * (1 + 3 * 5)
    text = "\n".join(lines)
    for part in ("20 training images of B, 10 test images", "dissimilar halves: accuracy on B", "baseB: 0."):
        assert part in text
    assert [each["number"] for each in results["findings"]] == [1, 2, 3, 4, 5] * 2 + [6]
    assert results["is_complete"] and set(results["summary"]["similar"]) == {BASE, *TREATMENTS}
    measured = results["accuracy"]["similar"]["AnB"]["1"]
    assert list(measured) == ["0", "1"]
    assert results["summary"]["similar"]["AnB"]["1"]["mean"] == pytest.approx(np.mean(list(measured.values())))


@pytest.mark.parametrize("pictures, epochs", [(None, 12), (10, 100), (50, 20), (1000, 12)])
def test_few_images_are_looked_at_more_often(pictures, epochs):
    assert whole.extent_of("folder", pictures=pictures).epochs == epochs


@pytest.mark.parametrize("error, status", [(interruption.Interrupted(2), 130), (DivergedError("too large"), 1)])
def test_what_is_done_is_kept(tiny, capsys, tmp_path, monkeypatch, error, status):
    uninterrupted = transfer_study.run

    def interrupted(*arguments):
        for done, result in enumerate(uninterrupted(*arguments), start=1):
            yield result
            if done == 3:
                raise error

    monkeypatch.setattr(transfer_study, "run", interrupted)
    assert (
        cli.main(["study", "transfer", "--quick", "--split", "similar", "--json", str(tmp_path / "r.json")]) == status
    )
    output, results = capsys.readouterr().out, json.loads((tmp_path / "r.json").read_text())
    assert "Ended after 3 of 32 trainings" in output and "baseB: 0." in output
    assert not results["is_complete"] and results["trainings"] == 3 and results["findings"] == []


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["study", "transfer", "--quick", "--data", "x"], "--quick is for the bundled images"),
        (["study", "transfer", "--pictures", "9"], "--pictures needs --data"),
        (["study", "transfer", "--seeds", "1"], "seeds is 1"),
        (["study", "transfer", "--data", "x", "--pictures", "0"], "--pictures is 0"),
        (["study", "transfer", "--data", "nowhere"], "expected a folder with the four files train-images"),
        (["study", "transfer", "--plot", "no/such/folder/s.png"], "cannot be written"),
        (["pretrain", "nowhere"], "https://github.com/zalandoresearch/fashion-mnist"),
        (["pretrain", "nowhere", "--epochs", "0"], "--epochs is 0"),
    ],
)
def test_refusals(capsys, arguments, message):
    assert cli.main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and message in captured.err and captured.err.count("\n") == 1


def test_pretraining(capsys, tmp_path, monkeypatch, image_set):
    monkeypatch.setattr(data, "fashion_mnist", lambda folder: image_set)
    for file, seed in ("a.h5", 1), ("b.h5", 1), ("c.h5", 2):
        arguments = ["--classes", "A", "--split", "dissimilar", "--epochs", "2", "--seed", str(seed)]
        saved = ["--save", str(tmp_path / file), "--json", str(tmp_path / "r.json")]
        assert cli.main(["pretrain", "folder", *arguments, *saved]) == 0
    output, results = capsys.readouterr().out, json.loads((tmp_path / "r.json").read_text())
    assert (
        "Training on 20 images of the classes Trouser, Sandal, Sneaker, Bag, Ankle boot." in output
        and "Epoch 2/2" in output
    )
    models = [load_model(tmp_path / file) for file in ("a.h5", "b.h5", "c.h5")]
    assert models[2].metadata["test_accuracy"] == results["test_accuracy"]
    assert models[0].metadata["class_names"] == results["classes"] == list(halves.HALVES["dissimilar"]["A"])
    kernels = [model.get_layer("conv1").kernel for model in models]
    assert np.array_equal(kernels[0], kernels[1]) and not np.array_equal(kernels[0], kernels[2])


@pytest.mark.parametrize("split, published", [("similar", 0.9674), ("dissimilar", 0.9796)])
def test_the_bundled_bases(split, published):
    """The published accuracy of the bases is that on 5,000 test images, of which 500 are here."""
    model, half = pretraining.bundled_base(split), halves.HALVES[split]["A"]
    assert model.metadata["class_names"] == list(half)
    assert model.metadata["test_accuracy"] == pytest.approx(published, abs=1e-6)
    task = halves.task(data.fashion_mnist_few_shot(), half)
    right = model.predict(task.x_test, batch_size=100, verbose=0).argmax(axis=1) == task.y_test
    assert len(right) == 500 and right.mean() == pytest.approx(
        published, abs=3 * np.sqrt(published * (1 - published) / 500)
    )

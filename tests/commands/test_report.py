"""The report: Grad-CAM against independent computations, the page as HTML, the page in a real browser, and the commands
that write it."""

import dataclasses
import html.parser
import itertools
import json
import re
import sys

import numpy as np
import pytest
from programs import browser

from minitl import applications, cli, data
from minitl.errors import ArgumentError, GraphError
from minitl.graph.summary import flops
from minitl.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    Softmax,
)
from minitl.models import Model, Sequential
from minitl.recipes.evaluation import Evaluation
from minitl.recipes.report.grad_cam import grad_cam, map_layer

SECTIONS = ["The data", "Six steps", "How it learned", "What it confuses", "The most confident mistakes",
            "Where it looked", "What it sees", "What it costs"]  # fmt: skip
SIZE = 24

# ---- Grad-CAM ----


def in_float64(model, rng):
    """Return the model with random numbers, in float64."""
    for layer in model.layers:
        for name in layer.weight_names:
            setattr(layer, name, rng.uniform(0.2, 1, getattr(layer, name).shape) * rng.choice([-1, 1]))
        if isinstance(layer, BatchNormalization):
            layer.moving_variance = np.abs(layer.moving_variance)
        elif layer.weight_names:
            layer.kernel = rng.normal(0, 0.4, layer.kernel.shape)
    return model


def test_grad_cam_is_cam_where_there_is_a_closed_form(rng):
    """A network ends in an average and a dense layer. Grad-CAM is then the maps, weighted by the class's column of the
    kernel."""
    maps = Conv2D(6, 3, activation="relu", name="maps", input_shape=(9, 7, 3))
    model = in_float64(Sequential([maps, GlobalAveragePooling2D(), Dense(4, activation="softmax")]), rng)
    x, classes = rng.normal(size=(5, 9, 7, 3)), np.array([0, 3, 1, 2, 2])
    found = grad_cam(model, x, classes)
    activations = maps.forward(x)
    cam = np.stack([a @ model.layers[-1].kernel[:, c] for a, c in zip(activations, classes)])
    assert found.shape == (5, 7, 5)
    np.testing.assert_allclose(found, np.maximum(cam, 0) / (7 * 5), rtol=1e-12, atol=1e-14)
    assert (cam < 0).any() and (cam > 0).any()


@pytest.mark.parametrize("head", ["softmax in the dense layer", "softmax of its own", "flat"])
def test_grad_cam_weighs_by_finite_differences(head):
    """Raise a whole channel by a little: the score rises by that much, times the pixels of a map, times its weight."""
    rng = np.random.default_rng(1)  # with other numbers, no part of a map may speak for the class
    layers = [
        Conv2D(4, 3, activation="relu", name="first", input_shape=(10, 10, 3)),
        MaxPooling2D(2),
        Conv2D(5, 3, name="maps"),
        BatchNormalization(name="normalized"),
    ]
    layers += [MaxPooling2D(2), Flatten(), Dropout(0.5), Dense(6, activation="relu")]
    dense = Dense(3, activation="softmax" if head == "softmax in the dense layer" else None, name="scores")
    model = in_float64(Sequential([*layers, dense] + [Softmax()] * (head == "softmax of its own")), rng)
    model.trainable = head == "flat"
    layer, x, classes = "maps", rng.normal(size=(2, 10, 10, 3)), np.array([2, 0])
    before, behind = (Model(*ends) for ends in _around(model, layer))
    maps = before.forward(x)

    def score(maps):
        hidden = Model(behind.input, model.get_layer("scores").input).forward(maps)
        return (hidden @ dense.kernel + dense.bias)[np.arange(2), classes]

    step, worth = 1e-6, np.empty((2, 5))
    for channel in range(5):
        shift = np.zeros(5)
        shift[channel] = step
        worth[:, channel] = (score(maps + shift) - score(maps - shift)) / (2 * step) / (maps.shape[1] * maps.shape[2])
    expected = np.maximum(np.einsum("nhwk,nk->nhw", maps, worth), 0)
    found = grad_cam(model, x, classes, layer)
    np.testing.assert_allclose(found, expected, atol=1e-8 * np.abs(maps).max())
    assert found.max() > 1e-3 and map_layer(model) == "normalized"


def _around(model, name):
    tensor = model.output_of(name)
    return (model.input, tensor), (tensor, model.output)


def test_grad_cam_refuses(rng):
    model = Sequential([Conv2D(2, 3, name="maps", input_shape=(6, 6, 3)), Flatten(), Dense(2, activation="softmax")])
    x = rng.normal(size=(2, 6, 6, 3)).astype(np.float32)
    for classes in [0, 2], [-1, 0], [0], [0.0, 1.0]:
        with pytest.raises(ArgumentError, match="expected one of 0 to 1 for each of 2 images"):
            grad_cam(model, x, classes)
    with pytest.raises(GraphError, match="has no maps"):
        grad_cam(model, x, [0, 1], "flatten")
    with pytest.raises(GraphError, match="no maps to look at"):
        map_layer(Sequential([Dense(2, input_shape=(3,))]))


def test_grad_cam_leaves_the_model_as_it_is(rng):
    model = Sequential([Conv2D(2, 3, input_shape=(6, 6, 3)), GlobalAveragePooling2D(), Dense(2, activation="softmax")])
    x = rng.normal(size=(1, 6, 6, 3)).astype(np.float32)
    weights, y = model.get_weights(), model.forward(x)
    grad_cam(model, x, [1])
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights()))
    assert np.array_equal(model.forward(x), y)


# ---- the page ----


def a_run(class_names, wrong=7, size=SIZE, held_back=60, **more):
    """Return a finished run of a tiny network with made-up predictions, of which `wrong` are wrong."""
    pytest.importorskip("PIL", reason="needs Pillow, of the extra 'plots'")
    from minitl.recipes.report import FineTuning, Pictures, Stage

    rng, classes = np.random.default_rng(0), len(class_names)
    x = Input((size, size, 3))
    y = MaxPooling2D(2, name="pool1")(Conv2D(8, 3, padding="same", activation="relu", name="conv1")(x))
    y = GlobalAveragePooling2D(name="average")(Conv2D(6, 3, activation="relu", name="conv2")(y))
    model = Model(x, Dense(classes, activation="softmax", name="predictions")(BatchNormalization(name="features")(y)))
    labels = np.arange(held_back) % classes
    probabilities = rng.dirichlet(np.ones(classes), held_back).astype(np.float32)
    called = labels.copy()
    called[:wrong] = (called[:wrong] + rng.integers(1, max(classes, 2), wrong)) % classes
    probabilities[np.arange(held_back), called] += 1.5
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    names = [f"{class_names[label]}/{number}.jpg" for number, label in enumerate(labels)]

    def read(position):
        return np.random.default_rng(position).uniform(0, 255, (size, size, 3)).astype(np.float32)

    def prepare(images):
        return np.asarray(images, np.float32)[..., ::-1] / 127.5 - 1

    history = {"loss": [2.0, 1.1, 0.7], "accuracy": [0.3, 0.6, 0.8]}
    history.update({f"val_{key}": values for key, values in list(history.items())})
    short = {key: values[:1] for key, values in history.items()}
    return FineTuning(
        **{
            "task": f"{classes} kinds of things",
            "class_names": class_names,
            "training": Pictures(np.arange(2 * classes) % classes, ["an image"] * 2 * classes, read, prepare),
            "held_back": Pictures(labels, names, read, prepare),
            "steps": [("Choose", "a network"), ("Load", "its numbers"), ("Freeze", "some of them")],
            "stages": [Stage("Stage 1", history, [0.1, 0.1, 0.01], 30, 0.8), Stage("Stage 2", short, [0.01], 50)],
            "model": model,
            "evaluation": Evaluation(labels, probabilities, class_names, names),
            "seconds": 61.0,
            "others": [("Something else", 0.5, 1_000, 12.0)],
            "facts": [("seed", 0)],
            **more,
        }
    )


def page_of(run):
    pytest.importorskip("matplotlib", reason="needs the extra 'plots'")
    from minitl.recipes.report.findings import find_all
    from minitl.recipes.report.page import as_html

    return as_html(run, find_all(run))


EVIL = [
    "<script>alert(1)</script>",
    "a\x1b[31m\u202eb\x00\n\udcff",
    "x" * 300,
    "\"' onerror=alert(1) &amp; %s {0} $\\frac$",
    "漢字 émoji 🐝",
    "عربى",
]
FEW, MANY = ["ants", "bees"], [f"kind number {number}" for number in range(100)]


class WellFormed(html.parser.HTMLParser):
    """A parser that checks that every tag is opened and closed in order; it collects texts, tags and attributes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.tags = [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("img", "meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts.append(text)

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_is_whole_and_alone():
    text = page_of(a_run(FEW, skipped=[("bees/notes.txt", "is no image")], duplicates=[["a.jpg", "b.jpg"]]))
    found = WellFormed(text)
    assert [each for each in found.texts if each in SECTIONS and each] and all(
        f">{each}</h2>" in text for each in SECTIONS
    )
    assert all(image["src"].startswith("data:image/") and image["alt"] for image in found.of("img"))
    assert all("aria-label" in svg for svg in found.of("svg"))
    assert not re.search(r'(?:href|src)="(?!#|data:)|url\(|@import|<script|<link', text)
    assert "88.3%" in text and "between 77.8% and 94.2%" in text, "53 of 60, and Wilson's interval"
    for expected in "notes.txt", "is no image", "The same image twice", "Stage 2", "conv2", "bees, predicted as ants":
        assert expected in text
    ids = {each["id"] for _, each in found.tags if "id" in each}
    assert {link["href"].removeprefix("#") for link in found.of("a")} <= ids


def test_an_image_with_two_labels_is_no_harmless_copy():
    both, copy = ["ants/1.jpg", "bees/copy.jpg"], ["ants/2.jpg", "ants/3.jpg"]
    text = page_of(a_run(FEW, duplicates=[both, copy], two_labels=[both]))
    labels, again = text.index("One image, two labels"), text.index("The same image twice")
    assert labels < text.index("bees/copy.jpg") < again < text.index("ants/3.jpg")
    assert "two labels" not in page_of(a_run(FEW, duplicates=[copy]))


def test_names_from_anywhere_are_only_text():
    run = a_run(
        EVIL, skipped=[(name, name) for name in EVIL], duplicates=[EVIL], task=EVIL[0], facts=[("command", EVIL[3])]
    )
    text = page_of(run)
    found = WellFormed(text)
    assert not found.of("script") and not any("onerror" in attributes for _, attributes in found.tags)
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\udcff]", text) and EVIL[0] in "".join(found.texts)
    text.encode("utf-8")


def test_a_hundred_classes_are_told_as_pairs():
    found = WellFormed(page_of(a_run(MANY, wrong=40, held_back=200)))
    assert not [each for each in found.of("table") if each.get("class") == "matrix"]
    assert any("10,000 cells" in each for each in found.texts)
    WellFormed(page_of(a_run(MANY, held_back=60))), "no image was held back of some of them"
    few = WellFormed(page_of(a_run(FEW)))
    assert [each for each in few.of("table") if each.get("class") == "matrix"]


def test_the_confusion_matrix_has_the_numbers():
    run = a_run(["one", "two", "three"], wrong=9)
    text = page_of(run)
    rows = re.findall(
        r"<tr><th scope=\"row\"><bdi>(?:one|two|three)</bdi></th>((?:<td class=\"(?:right|wrong|none).*?</td>)+)</tr>",
        text,
    )
    found = [[int(cell.replace("·", "0")) for cell in re.findall(r">([\d·]+)</td>", row)] for row in rows]
    assert found == run.evaluation.confusion.tolist()


def test_numbers_below_a_narrow_interval_differ():
    from minitl.recipes.report.charts import intervals

    for low, high, some in (0.976, 0.998, "99.5%"), (0.6, 0.9, "70%"):
        shown = re.findall(r'middle">([\d.]+%)<', str(intervals([("this", (low + high) / 2, low, high, "a")])))
        assert len(shown) == len(set(shown)) > 2 and some in shown


def test_lines_lie_where_their_numbers_are():
    """Check that 0 lies at the bottom, the largest tick at the top, and the first epoch at the left; and that ticks are
    round."""
    from minitl.recipes.report.charts import line_chart, ticks

    points = re.findall(r'points="(.*?)"', line_chart("Loss", [("training", "a", [2.0, 0.5, 1.0])]))
    assert points == ["52.0,12.0 199.0,139.5 346.0,97.0"]
    steps = re.findall(r'points="(.*?)"', line_chart("Rate", [("rate", "c", [1.0, 0.5])], stepwise=True))
    assert steps == ["52.0,12.0 346.0,12.0 346.0,97.0"]
    assert ticks(0, 0.97) == [0, 0.2, 0.4, 0.6, 0.8, 1] and ticks(0.885, 0.93) == [0.88, 0.89, 0.9, 0.91, 0.92, 0.93]
    assert ticks(1, 20) == [0, 5, 10, 15, 20] and ticks(3, 3)[0] <= 3 <= ticks(3, 3)[-1] and ticks(0, 0)[-1] > 0


def test_nothing_to_show_is_said():
    text = page_of(a_run(FEW, wrong=0, others=[]))
    assert "There is no mistake: all 60" in text and "There is no mistake to look at." in text
    assert "None: every file is an image" in text and "Always the most frequent class" in text
    text = page_of(a_run(FEW, wrong=60))
    assert "No image was predicted rightly." in text


def test_photographs_that_have_vanished():
    from minitl.errors import DataError
    from minitl.recipes.report import Pictures

    def read(position):
        raise DataError("it is gone")

    run = a_run(FEW)
    training, held_back = (Pictures(p.labels, p.names, read, p.prepare) for p in (run.training, run.held_back))
    text = page_of(dataclasses.replace(run, training=training, held_back=held_back))
    assert text.count("cannot be read any more") == 5


def test_costs_and_kernels_of_a_network(rng):
    from minitl.recipes.report.measured import costs, feature_maps, first_kernels

    run = a_run(FEW)
    found = costs(run.model, rng.normal(size=(2, SIZE, SIZE, 3)).astype(np.float32))
    by_name = {each.layers[-1]: each for each in found}
    assert (
        by_name["conv1"].multiply_adds == 24 * 24 * 3 * 3 * 3 * 8 and by_name["conv1"].parameters == 3 * 3 * 3 * 8 + 8
    )
    assert by_name["conv2"].shape == (10, 10, 6) and by_name["pool1"].multiply_adds == 0
    assert sum(each.parameters for each in found) == run.model.count_params()
    resnet = applications.ResNet50(weights=None, include_top=False, input_shape=(32, 32, 3), pooling="avg")
    parts = costs(resnet, np.zeros((1, 32, 32, 3), np.float32))
    assert sum(each.parameters for each in parts) == resnet.count_params()
    assert sum(each.multiply_adds for each in parts) == flops(resnet) // 2
    stages = (2, 3), (3, 4), (4, 6), (5, 3)
    blocks = [f"conv{stage}_block{block}_out" for stage, count in stages for block in range(1, count + 1)]
    assert [each.layers[-1] for each in parts if each.multiply_adds] == ["conv1_relu", *blocks]
    kernels = first_kernels(run.model, run.held_back.prepare)  # which reverses the channels
    kernel = run.model.get_layer("conv1").kernel
    largest = np.abs(kernel).max(axis=(0, 1, 2))
    np.testing.assert_allclose(kernels[3], 0.5 + 0.5 * kernel[:, :, ::-1, 3] / largest[3], atol=1e-6)
    x = rng.normal(size=(1, SIZE, SIZE, 3)).astype(np.float32)
    maps = feature_maps(run.model, x, count=3)
    assert [each.layer for each in maps] == ["conv1", "conv2"] and maps[0].shape == (24, 24, 8)
    whole = Model(run.model.input, run.model.output_of("conv2")).forward(x)[0]
    for channel, map_ in zip(maps[1].channels, maps[1].maps):
        np.testing.assert_allclose(map_, whole[:, :, channel], rtol=1e-5, atol=1e-6)


# ---- in a browser ----

CLIPPED = """
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!node.textContent.trim() || element.closest("caption, title") || !element.checkVisibility()) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  for (const box of range.getClientRects()) {
    let [left, right, top, bottom] = [0, innerWidth, -1e9, 1e9];
    for (let outer = element; outer; outer = outer.parentElement) {
      const style = getComputedStyle(outer), edges = outer.getBoundingClientRect();
      if (/auto|scroll/.test(style.overflowX)) { left = -1e9; right = 1e9; break; }
      if (/hidden|clip/.test(style.overflowX) && outer !== document.documentElement)
        [left, right, top, bottom] = [edges.left, edges.right, edges.top, edges.bottom];
    }
    if (box.left < left - 1 || box.right > right + 1 || box.top < top - 3 || box.bottom > bottom + 3)
      found.push(node.textContent.trim().slice(0, 60));
  }
}
return [...new Set(found)];
"""
OVERLAPPING = """
const found = [];
for (const svg of document.querySelectorAll("svg")) {
  const texts = [...svg.querySelectorAll("text")].map(each => [each.textContent, each.getBoundingClientRect()]);
  texts.forEach(([a, one], k) => texts.slice(k + 1).forEach(([b, two]) => {
    const beside = one.right <= two.left || two.right <= one.left;
    if (!beside && one.top + 2 < two.bottom && two.top + 2 < one.bottom) found.push([a, b]);
  }));
}
return found;
"""
LOOK = f"""
const images = [...document.images];
return {{
  width: document.documentElement.scrollWidth, inner: innerWidth,
  headings: [...document.querySelectorAll("h2")].filter(each => each.checkVisibility()).map(each => each.textContent),
  images: images.length, missing: images.filter(each => !each.complete || !each.naturalWidth).length,
  squashed: images.filter(each => each.checkVisibility() && each.getBoundingClientRect().width < 8).length,
  clipped: (() => {{ {CLIPPED} }})(), overlapping: (() => {{ {OVERLAPPING} }})(),
  paper: getComputedStyle(document.body).backgroundColor,
}};
"""


@pytest.fixture(scope="module")
def chromium():
    if not browser.found():
        pytest.skip("needs Chromium and its driver: apt-get install chromium chromium-driver")
    with browser.Browser() as window:
        yield window


@pytest.mark.parametrize("kind", ["a few classes", "names from anywhere", "a hundred classes"])
def test_nothing_is_missing_and_nothing_overflows(kind, chromium, tmp_path):
    if kind == "a few classes":
        run = a_run([f"class {k}" for k in range(10)], wrong=20, held_back=200)
    elif kind == "names from anywhere":
        more = {"skipped": [(name, name) for name in EVIL], "duplicates": [EVIL], "facts": [("command", "x" * 200)]}
        run = a_run(EVIL, task="y" * 200, others=[("z" * 30, 0.5, None, None)], **more)
    else:
        run = a_run(MANY, wrong=80, held_back=300)
    file = tmp_path / "index.html"
    file.write_text(page_of(run), encoding="utf-8")
    chromium.messages("browser"), chromium.messages("performance")
    papers = {}
    sizes = [(1280, False), (768, True), (390, False), (320, True)]
    for width, dark in sizes + [(1280, True), (390, True)] * (kind == "a few classes"):
        chromium.open(file.as_uri(), width, dark=dark)
        seen = chromium.run(LOOK)
        where = f"{width} pixels, {'dark' if dark else 'light'}"
        assert seen["inner"] == width and seen["width"] <= width, where
        assert seen["headings"] == SECTIONS and seen["images"] > 20 and not seen["missing"], where
        assert not seen["squashed"] and not seen["clipped"] and not seen["overlapping"], (where, seen)
        papers[dark] = seen["paper"]
    assert papers[False] != papers[True]
    assert chromium.messages("browser") == []
    messages = [json.loads(each["message"])["message"] for each in chromium.messages("performance")]
    requests = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert requests and {url for url in requests if not url.startswith("data:")} == {file.as_uri()}


def test_the_table_of_classes_fits_a_telephone(chromium, tmp_path):
    file = tmp_path / "index.html"
    file.write_text(page_of(a_run(["ants", "bees"], wrong=9, held_back=153)), encoding="utf-8")
    chromium.open(file.as_uri(), 390)
    wider = "[...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth)"
    captions = chromium.run(f"return {wider}.map(box => box.querySelector('caption').textContent)")
    assert "Cost by layer" in captions and "Precision and recall by class" not in captions
    hinted = f"{wider}.filter(box => box.previousElementSibling?.className == 'hint')"
    assert chromium.run(f"return {hinted}.length") == len(captions), "a table that is wider says so"


# ---- the commands ----


@pytest.fixture
def few_images(monkeypatch):
    """Return a tenth of the bundled images."""
    whole = data.fashion_mnist_few_shot()
    x_train, y_train, x_test, y_test = whole.x_train[::10], whole.y_train[::10], whole.x_test[::20], whole.y_test[::20]
    part = whole._replace(x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    monkeypatch.setattr(data, "fashion_mnist_few_shot", lambda: part)


def test_the_bundled_images(few_images, tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="needs the extra 'plots'")
    results, folder = tmp_path / "results.json", tmp_path / "report"
    command = ["finetune", "--cut", "block1_pool", "--epochs", "3", "--no-scratch", "--json", str(results)]
    assert cli.main(command) == 0
    alone = json.loads(results.read_text())
    assert cli.main([*command, "--report", str(folder)]) == 0
    watched = json.loads(results.read_text())
    assert watched["test_accuracy"] == alone["test_accuracy"], "the report changes no number"
    assert watched["transferred"]["history"]["loss"] == alone["transferred"]["history"]["loss"]
    assert f"Report: {folder / 'index.html'}" in capsys.readouterr().out
    from minitl.recipes.report.plots import NAMES

    assert {path.name for path in folder.iterdir()} == {"index.html", *(f"{name}.png" for name in NAMES)}
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert f"{watched['test_accuracy']:.1%}" in text and all(f">{each}</h2>" in text for each in SECTIONS)
    (folder / "mistakes.png").unlink()
    (folder / "mistakes.png").write_bytes(b"somebody's own")
    assert cli.main([*command, "--report", str(folder)]) == 1
    assert "holds mistakes.png, which no report has written" in capsys.readouterr().err


def tiny_base(include_top, input_shape, pooling):
    """Put a small network in VGG16's place: layers of the same names, with random numbers."""
    x = Input(input_shape)
    y = MaxPooling2D(4, name="block4_pool")(Conv2D(8, 3, padding="same", activation="relu", name="block4_conv3")(x))
    y = MaxPooling2D(2, name="block5_pool")(Conv2D(8, 3, padding="same", activation="relu", name="block5_conv3")(y))
    return Model(x, GlobalAveragePooling2D(name="average")(y), name="vgg16")


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Return a folder of bright and dark photographs, a file that is none, and the same photograph twice; the base is
    tiny.

    The PNG files, which take most of the time, are drawn for the bundled images alone.
    """
    Image = pytest.importorskip("PIL.Image", reason="needs the extra 'images'")
    pytest.importorskip("matplotlib", reason="needs the extra 'plots'")
    monkeypatch.setattr("minitl.recipes.report.plots.drawings", lambda fine_tuning, findings: [])
    monkeypatch.setitem(applications.NETWORKS, "vgg16", applications.NETWORKS["vgg16"]._replace(build=tiny_base))
    rng = np.random.default_rng(0)
    for part, kind in itertools.product(("train", "val"), ("bright", "dark <b>")):
        folder = tmp_path / "photos" / part / kind
        folder.mkdir(parents=True)
        for number in range(6):
            pixels = rng.uniform(0, 255, (40, 50, 3)) / (1 if kind == "bright" else 3)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    first = tmp_path / "photos" / "train" / "bright" / "0.png"
    (first.parent / "copy.png").write_bytes(first.read_bytes())
    (first.parent / "notes.jpg").write_text("no photograph")
    return tmp_path / "photos"


@pytest.mark.parametrize("options", [[], ["--augment"], ["--unfreeze", "none", "--mirror"]], ids=" ".join)
def test_a_folder_of_photographs(photos, options, tmp_path, capsys):
    fast = ["--image-size", "32", "--epochs", "3", "--learning-rate", "0.1"]
    options = options if "none" in options else [*options, "--tune-epochs", "2"]
    assert cli.main(["finetune", str(photos), *fast, *options, "--report", str(tmp_path / "report")]) == 0
    text = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    found = WellFormed(text)
    assert all(f">{each}</h2>" in text for each in SECTIONS) and "dark &lt;b&gt;" in text and "<b>dark" not in text
    assert "notes.jpg" in text and "The same image twice" in text and "Stage 1" in text
    assert ("Stage 2" in text) == ("none" not in options)
    assert "learned from 13 photographs" in " ".join(found.texts), "a mirror image does not count as a photograph"


def test_a_resumed_run_has_the_same_curves(photos, tmp_path, monkeypatch, capsys):
    """Press Ctrl-C in the second stage: the curves of the first stage come from its checkpoint."""
    from minitl import interruption
    from minitl.recipes.epoch_lines import EpochLines

    fast = ["finetune", str(photos), "--image-size", "32", "--epochs", "4", "--tune-epochs", "3", "--warm-up", "1"]
    assert cli.main([*fast, "--report", str(tmp_path / "whole")]) == 0
    lines, seen = EpochLines.on_epoch_end, []

    def interrupt(self, epoch, logs=None):
        lines(self, epoch, logs)
        seen.append(epoch)
        if len(seen) == 5:
            interruption._requested = 2  # as the handler of SIGINT does

    monkeypatch.setattr(EpochLines, "on_epoch_end", interrupt)
    assert cli.main([*fast, "--report", str(tmp_path / "resumed")]) == 130
    assert not (tmp_path / "resumed").exists()
    assert cli.main([*fast, "--resume", "--report", str(tmp_path / "resumed")]) == 0

    def curves(folder):
        return re.findall(r"<polyline[^>]*>", (tmp_path / folder / "index.html").read_text(encoding="utf-8"))

    assert curves("resumed") == curves("whole") and len(curves("whole")) == 2 * (2 + 2 + 1)


def test_refused_before_any_work(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib", reason="needs the extra 'plots'")
    monkeypatch.setattr(data, "fashion_mnist_few_shot", lambda: pytest.fail("it began to work"))
    (tmp_path / "file").write_text("")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<title>My home page</title>")
    for folder, message in (
        (tmp_path / "file", "is a file"),
        (tmp_path / "file" / "report", "must exist and be writable"),
        (tmp_path / "nowhere" / "report", "must exist and be writable"),
        (tmp_path / "site", "holds index.html, which no report has written"),
    ):
        assert cli.main(["finetune", "--report", str(folder)]) == 1
        assert message in capsys.readouterr().err
    assert cli.main(["finetune", str(tmp_path), "--find-rate", "--report", str(tmp_path / "report")]) == 1
    assert "--report does not go with --find-rate" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    assert cli.main(["finetune", "--report", str(tmp_path / "report")]) == 1
    said = capsys.readouterr().err
    assert "needs matplotlib (the extra 'plots'): python -m pip install matplotlib" in said and said.count("\n") == 1

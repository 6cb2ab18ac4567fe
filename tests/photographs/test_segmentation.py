"""Pixels: from a folder of images and masks to a measured model, and its predictions of any size.

The base is VGG16 with four filters in place of 64 to 512: the same layers and names, with random weights in a file.
"""

import json

import numpy as np
import pytest

from minitl import applications, cli, interruption, utils
from minitl.data import audit_segmentation, read_mask, resize, shapes_on_textures
from minitl.data.coco import CocoMask, read_coco
from minitl.data.masked_photos import read_pair
from minitl.errors import ArgumentError, CheckpointError, DataError
from minitl.layers import Conv2D, Input, MaxPooling2D, Softmax
from minitl.metrics.iou import pixel_confusion
from minitl.models import Model, load_model
from minitl.recipes import SegmentationSettings, SettingError, evaluate_segmentation, finetune_segmentation, segment
from minitl.recipes.epoch_lines import EpochLines
from minitl.recipes.segmentation import PixelEvaluation, Segmenter, segment_into
from minitl.recipes.segmentation.job import weights_of_classes
from minitl.recipes.segmentation.settings import read_colours
from minitl.recipes.segmentation.showing import Scale, in_frame, resized
from minitl.recipes.segmentation.tiles import spans
from minitl.recipes.tasks import task_of

Image = pytest.importorskip("PIL.Image", reason="needs the extra 'images': pip install -e '.[images]'")

FAST = {"epochs": 4, "filters": 8, "variations": 2}
NAMES = ["background", "disc", "square", "triangle"]


def narrow(weights=None, include_top=False, input_shape=(None, None, 3), **options):
    """Return VGG16's convolutions with four filters each, some of them left out."""
    x = images = Input(input_shape, name="input_1")
    for block in range(1, 6):
        for number in range(1, 2 + (block > 1)):
            x = Conv2D(4, 3, padding="same", activation="relu", name=f"block{block}_conv{number}")(x)
        x = MaxPooling2D(2, name=f"block{block}_pool")(x)
    model = Model(images, x, name="vgg16")
    if weights:
        model.load_weights(weights)
    return model


@pytest.fixture
def weights(monkeypatch, tmp_path):
    """Let VGG16 be narrow, and return the file of its random weights."""
    vgg16 = applications.NETWORKS["vgg16"]._replace(build=narrow)
    monkeypatch.setitem(applications.NETWORKS, "vgg16", vgg16)
    utils.set_random_seed(3)
    narrow().save_weights(tmp_path / "narrow.h5")
    return tmp_path / "narrow.h5"


def write_set(root, images, masks, names=NAMES):
    """Write images and masks as a folder, and return it."""
    for folder in "images", "masks":
        (root / folder).mkdir(parents=True)
    for number, (image, mask) in enumerate(zip(images, masks)):
        Image.fromarray(image).save(root / "images" / f"{number}.png")
        Image.fromarray(mask).save(root / "masks" / f"{number}.png")
    if names:
        (root / "classes.txt").write_text("\n".join(names))
    return root


@pytest.fixture
def shapes(tmp_path):
    """Write twelve images of shapes with their masks, and return their folder."""
    drawn = shapes_on_textures(12, 32, 64, seed=5)
    return write_set(tmp_path / "shapes", drawn.images, drawn.masks)


@pytest.fixture
def halves(tmp_path):
    """Write images that are dark on one side and bright on the other, whose classes are "dark" and "bright"."""
    rng, images, masks = np.random.default_rng(2), [], []
    for number in range(12):
        mask = np.zeros((32, 32), np.uint8)
        mask[:, rng.integers(8, 24) :] = 1
        mask = mask.T if number % 2 else mask
        pixels = np.where(mask, 200, 40)[..., None] + rng.normal(0, 12, (32, 32, 3))
        images.append(pixels.clip(0, 255).astype(np.uint8))
        masks.append(np.ascontiguousarray(mask))
    return write_set(tmp_path / "halves", images, masks, ["dark", "bright"])


# ---- the whole job ----


def test_it_learns_and_the_saved_model_is_the_same(halves, weights, tmp_path, capsys):
    model, results, other = tmp_path / "m.h5", tmp_path / "r.json", tmp_path / "e.json"
    options = [
        "--weights",
        str(weights),
        "--epochs",
        "12",
        "--variations",
        "4",
        "--filters",
        "8",
        "--json",
        str(results),
    ]
    assert cli.main(["finetune", str(halves), *options, "--save", str(model)]) == 0
    text, found = capsys.readouterr().out, json.loads(results.read_text())
    assert found["task"] == "segment" and found["mean_iou"] > 0.5 and found["pixel_accuracy"] > 0.7
    assert set(found["iou_by_class"]) == {"dark", "bright"} and found["options"]["base"] == "vgg16"
    assert found["mean_iou"] == pytest.approx(np.mean(list(found["iou_by_class"].values())))
    assert len(found["history"]["head"]["val_mean_io_u"]) == 12 and "Stage 1: the new layers" in text
    assert max(len(line) for line in text.splitlines() if str(tmp_path) not in line) <= 80
    held = [each for each, *_ in found["worst"]]
    for place in "images", "masks":  # the held-back ones alone, and classes in another order with one more
        (tmp_path / "held" / place).mkdir(parents=True)
    for name in held:
        (tmp_path / "held" / name).write_bytes((halves / name).read_bytes())
        mask = read_mask(halves / name.replace("images", "masks"))
        Image.fromarray(np.uint8([2, 0])[mask]).save(tmp_path / "held" / name.replace("images", "masks"))
    (tmp_path / "held" / "classes.txt").write_text("bright\nnothing\ndark\n")
    assert cli.main(["evaluate", str(model), str(tmp_path / "held"), "--json", str(other)]) == 0
    again = json.loads(other.read_text())
    assert again["confusion"] == found["confusion"] and again["iou_by_class"] == found["iou_by_class"]
    (tmp_path / "held" / "classes.txt").write_text("bright\nnothing\ndusk\n")
    with pytest.raises(DataError, match="the model has no class 'dusk'. Its classes are dark, bright."):
        evaluate_segmentation(model, tmp_path / "held", verbose=0)


def test_both_stages_and_the_report(shapes, weights, tmp_path):
    arguments = dict(weights=weights, unfreeze="block5", tune_epochs=2, report=tmp_path / "report", verbose=0, **FAST)
    result = finetune_segmentation(shapes, class_weights=True, **arguments)
    assert set(result.history) == set(result.mean_iou) == {"head", "blocks"}
    assert result.training_pictures == 2 * len(result.folder.train) and result.folder.class_names == NAMES
    changed = {entry.layer for entry in result.model.ledger if entry.origin.first.file and not entry.is_published}
    assert changed <= {"block5_conv1", "block5_conv2"} and "changed since" in str(result.model.ledger.summary())
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert page.count("<img") == 3 * len(result.folder.val) and "http" not in page.split("</head>")[1].split("<svg")[0]
    for words in (
        "mean IoU",
        "Photographs, the worst first",
        "IoU of the classes",
        "Stage 2, from block5 on",
        "triangle",
    ):
        assert words in page
    assert page.index(result.evaluation.worst()[0][0]) < page.index(result.evaluation.worst()[-1][0])
    again = finetune_segmentation(shapes, class_weights=True, **{**arguments, "report": None})
    assert again.history == result.history, "same seed, same numbers"
    assert again.evaluation.confusion.tolist() == result.evaluation.confusion.tolist()


@pytest.mark.parametrize("network", ["fcn16", "fcn32", "unet"])
def test_other_networks(shapes, weights, network, tmp_path):
    options = {**FAST, "epochs": 1, "network": network, "dropout": 0.1, "turns": True}
    result = finetune_segmentation(shapes, weights=weights, verbose=0, save=tmp_path / "m.h5", **options)
    assert result.model.name.startswith(network) and np.isfinite(result.history["head"]["loss"]).all()
    (found,) = segment(tmp_path / "m.h5", [shapes / "images" / "0.png"], verbose=0)
    assert found["mask"].shape == (32, 64) and sum(found["classes"].values()) == pytest.approx(1)


@pytest.mark.parametrize("stop", [2, 6], ids=["stage 1", "stage 2"])
def test_a_stopped_run_goes_on_to_the_same_numbers(shapes, weights, stop, tmp_path, monkeypatch, capsys):
    settings = SegmentationSettings(
        weights=weights, unfreeze="block5", tune_epochs=4, run_folder=str(tmp_path / "run"), **FAST
    )
    whole = finetune_segmentation(shapes, settings, verbose=0)
    lines, seen = EpochLines.on_epoch_end, []

    def interrupt(self, epoch, logs=None):
        lines(self, epoch, logs)
        seen.append(epoch)
        if len(seen) == stop:
            interruption._requested = 2  # as the handler of SIGINT does

    monkeypatch.setattr(EpochLines, "on_epoch_end", interrupt)
    with pytest.raises(interruption.Interrupted):
        finetune_segmentation(shapes, settings, verbose=0)
    with pytest.raises(CheckpointError, match="variations"):
        finetune_segmentation(shapes, settings, resume=True, variations=3, verbose=0)
    resumed = finetune_segmentation(shapes, settings, resume=True, verbose=0)
    assert resumed.history == whole.history
    assert resumed.evaluation.as_data() == whole.evaluation.as_data()
    for ours, theirs in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)
    assert not list((tmp_path / "run").rglob("*.safetensors")) and capsys.readouterr().out == ""


def test_each_variation_is_drawn_once(halves, weights, monkeypatch):
    """The pixels go through the base and the mask is kept meanwhile. A second run finds the maps on the disk, draws the
    masks anew, and learns the same."""
    drawn = []

    def noted(photo):
        drawn.append(photo.path.name)
        return read_pair(photo)

    monkeypatch.setattr("minitl.recipes.segmentation.job.read_pair", noted)
    histories = []
    for _ in range(2):
        result = finetune_segmentation(halves, weights=weights, verbose=0, turns=True, **FAST)
        histories.append(result.history)
        once, often = ([photo.path.name for photo in part] for part in (result.folder.val, result.folder.train))
        assert sorted(drawn) == sorted(once + often * FAST["variations"])
        drawn.clear()
    assert histories[0] == histories[1]


@pytest.mark.parametrize("unfreeze", ["none", "block5"])
def test_no_batch_is_a_single_image(halves, weights, unfreeze):
    """The coarsest map of an image of 32x32 pixels has one place, so a single image would be its own mean. This is a
    warning, which is an error here."""
    count = len(audit_segmentation(halves, verbose=0).train)
    settings = {"variations": 1, "batch_size": count - 1, "unfreeze": unfreeze, "epochs": 2}
    result = finetune_segmentation(halves, weights=weights, filters=4, verbose=0, **settings)
    assert result.training_pictures == count and np.isfinite(result.history["head"]["loss"]).all()


def test_two_photographs_are_the_smallest_folder(weights, tmp_path):
    """One is learned from, so that every batch is a single image: it has a mean and a variance from 32x64 pixels on."""
    drawn = shapes_on_textures(2, 32, 64, seed=5)
    folder = write_set(tmp_path / "two", drawn.images, drawn.masks)
    result = finetune_segmentation(folder, weights=weights, filters=4, variations=1, epochs=1, warm_up=0, verbose=0)
    assert result.training_pictures == len(result.folder.val) == 1 and np.isfinite(result.history["head"]["loss"][0])


# ---- predictions of any size ----


def local_model(**metadata):
    """Return a model for pixels that looks at no more than 15 of them, with what a prediction needs."""
    x = images = Input((64, 64, 3))
    x = MaxPooling2D(2, 1, "same")(Conv2D(6, 5, padding="same", activation="relu")(x))
    x = Conv2D(6, 5, padding="same", dilation_rate=2, activation="relu")(x)
    model = Model(images, Softmax()(Conv2D(3, 1)(x)))
    usual = {"size": [64, 64], "photograph_size": [64.0, 64.0], "class_names": ["a", "b", "c"]}
    model.metadata = {"task": "segment", "preprocessing": "vgg16", **usual, **metadata}
    return model


def test_a_photograph_of_35x33_pixels(tmp_path, rng):
    """A photograph whose sides are no multiples of 32 gets a border, and the answer for the border is cut off."""
    model, pixels = local_model(), rng.integers(0, 256, (33, 35, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", pixels)
    one, other = segment(model, [tmp_path / "a.png", tmp_path / "a.npy"], verbose=0)
    assert one["mask"].shape == (33, 35) and one["mask"].dtype == np.uint8
    assert np.array_equal(one["mask"], other["mask"])
    bordered = np.pad(pixels, ((0, 31), (0, 29), (0, 0)), "edge")[None].astype(np.float32)
    expected = model.forward(applications.vgg16.preprocess_input(bordered))[0, :33, :35].argmax(axis=-1)
    assert np.array_equal(one["mask"], expected) and len(np.unique(expected)) > 1
    shares = {name: np.mean(expected == k) for k, name in enumerate("abc")}
    assert one["classes"] == pytest.approx(shares)


@pytest.mark.parametrize("height, width", [(300, 70), (64, 333), (257, 260)])
def test_a_large_image_in_parts_is_answered_as_a_whole(height, width, rng):
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    whole, parts = Segmenter(model := local_model()), Segmenter(model)
    parts.core, parts.margin = 64, 32  # a tile sees more than the network does
    assert len(spans(height, 64, 32)) * len(spans(width, 64, 32)) > 1
    assert np.array_equal(whole.masks([image])[0], parts.masks([image])[0])
    parts.margin = 0
    assert not np.array_equal(whole.masks([image])[0], parts.masks([image])[0]), "without a margin, edges differ"


def test_tiles_cover_an_axis_once():
    for size in (1, 31, 512, 513, 900, 5000):
        found = spans(size)
        answered = [place for span in found for place in range(span.first, span.last)]
        assert answered == list(range(size)) and max(span.stop - span.start for span in found) <= 512
        assert all(span.start <= span.first and span.last <= span.stop for span in found)
        assert all(span.start % 32 == span.first % 32 == 0 for span in found)


def test_probabilities_are_enlarged_and_not_classes(rng):
    """A photograph twice as large as those of the training is answered at half its size, then enlarged."""
    segmenter = Segmenter(model := local_model(photograph_size=[128.0, 128.0]))
    image = np.repeat(np.repeat(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8), 4, axis=0), 4, axis=1)
    small = resized(image, 40, 48)
    bordered = np.pad(small, ((0, 24), (0, 16), (0, 0)), "edge")[None].astype(np.float32)
    probabilities = model.forward(applications.vgg16.preprocess_input(bordered))[:, :40, :48]
    expected = resize(probabilities, 80, 96)[0]
    found = segmenter.masks([image])[0]
    clear = np.sort(expected, axis=-1)[..., -1] - np.sort(expected, axis=-1)[..., -2] > 1e-4
    assert clear.mean() > 0.9 and np.array_equal(found[clear], expected.argmax(axis=-1)[clear])
    assert segmenter.scale_for((1000, 500), "fit").shown(1000, 500) == (64, 32)
    assert segmenter.scale_for((80, 96), 2.0) == Scale(1.0, 1.0)
    for wrong in 0, "half", True, float("nan"):
        with pytest.raises(ArgumentError, match="scale is"):
            segmenter.scale_for((80, 96), wrong)


def test_a_photograph_in_its_frame(rng):
    """One of the usual size fills it; a taller one is made smaller, and leaves an unlabelled border."""
    image, labels = rng.integers(0, 256, (80, 40, 3), dtype=np.uint8), np.ones((80, 40), np.uint8)
    pixels, framed = in_frame(image, labels, Scale(0.8, 0.8), (32, 64))
    assert pixels.shape == (32, 64, 3) and (framed[:, :16] == 1).all() and (framed[:, 16:] == 255).all()
    assert (pixels[:, 16:] == pixels[:, 15:16]).all(), "the border has the colours of the edge"
    assert (in_frame(image, labels, Scale(0.4, 1.6), (32, 64))[1] == 1).all()


def test_files_of_predictions(halves, tmp_path, capsys):
    model, out = tmp_path / "m.h5", tmp_path / "out"
    local_model(class_names=["background", "b", "c"]).save(model)
    (tmp_path / "photos" / "inner").mkdir(parents=True)
    for name in "a.png", "inner/a.png":
        (tmp_path / "photos" / name).write_bytes((halves / "images" / "0.png").read_bytes())
    Image.fromarray(np.zeros((40, 30, 3), np.uint8)).save(tmp_path / "photos" / "a.jpg")
    (tmp_path / "photos" / "note.txt").write_text("no photograph")
    arguments = ["predict", str(model), str(tmp_path / "photos"), "--out", str(out), "--json", str(tmp_path / "p.json")]
    for _ in range(2):  # its own files are replaced
        assert cli.main([*arguments, "--csv", str(tmp_path / "p.csv")]) == 1
        said = capsys.readouterr()
        assert "note.txt" in said.err and "1 of 4 files could not be read" in said.err and "%" in said.out
    found = {each["file"]: each for each in json.loads((tmp_path / "p.json").read_text())}
    assert len(found) == 4 and sum("error" in each for each in found.values()) == 1
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 5
    written = sorted(str(path.relative_to(out)) for path in (out / "masks").rglob("*.png"))
    assert written == ["masks/a.jpg.png", "masks/a.png.png", "masks/inner/a.png"]
    mask = read_mask(out / "masks" / "a.jpg.png", classes=3)
    with Image.open(out / "overlays" / "a.jpg.jpg") as overlay, Image.open(out / "masks" / "a.jpg.png") as stored:
        assert mask.shape == (40, 30) and overlay.size == stored.size == (30, 40)
        assert stored.getpalette()[:3] == [0, 0, 0], "the background is black"
    coco = read_coco(out / "annotations.json", verbose=0)
    (number,) = [image.number for image in coco.images.values() if image.file_name == "a.jpg"]
    assert np.array_equal(CocoMask(coco, number).draw(), mask) and coco.class_names == ["background", "b", "c"]
    (out / "masks" / "a.jpg.png").write_bytes(b"precious")
    with pytest.raises(ArgumentError, match="a.jpg.png: is there already, and minitl has not written it"):
        list(segment_into(model, tmp_path / "photos", out, verbose=0))
    assert (out / "masks" / "a.jpg.png").read_bytes() == b"precious"


# ---- the figures ----


def test_the_figures_by_hand():
    """Two images: labels 0 0 1 1 with predictions 0 1 1 1, and labels 2 2 with predictions 2 0; class 3 is absent."""
    one, two = pixel_confusion([0, 0, 1, 1], [0, 1, 1, 1], 4), pixel_confusion([2, 2], [2, 0], 4)
    evaluation = PixelEvaluation([one, two], ["a", "b", "c", "d"], ["one.jpg", "two.jpg"])
    assert evaluation.pixel_accuracy == pytest.approx(4 / 6)
    assert evaluation.iou_by_class == {"a": pytest.approx(1 / 3), "b": pytest.approx(2 / 3), "c": 0.5, "d": None}
    assert evaluation.mean_iou == pytest.approx((1 / 3 + 2 / 3 + 1 / 2) / 3), "of the counts of the whole set"
    # Drawn anew, both are image one, or both image two, or one of each.
    assert evaluation.pixel_accuracy_interval == pytest.approx((0.5, 0.75))
    assert evaluation.mean_iou_interval == pytest.approx((0.25, (1 / 2 + 2 / 3) / 2))
    assert evaluation.iou_intervals[0] == pytest.approx([0, 0.5]) and np.isnan(evaluation.iou_intervals[3]).all()
    assert evaluation.worst() == [("two.jpg", 0.25, 0.5), ("one.jpg", pytest.approx(7 / 12), 0.75)]
    assert evaluation.confused(2)[0][:2] in [("a", "b"), ("c", "a")]
    data = json.loads(json.dumps(evaluation.as_data()))
    assert data["iou_by_class"]["d"] is None and data["iou_by_class_interval"]["d"] is None
    assert "mean IoU 0.500 of 3 classes on 2 images (0.250 to 0.583)" in str(evaluation)
    alone = PixelEvaluation([one], ["a", "b", "c", "d"])
    assert alone.mean_iou_interval is None and "0.583 of 2 classes on 1 image\n" in str(alone)


def test_the_tables_fit_a_terminal():
    rng = np.random.default_rng(0)
    names = [f"a class with a rather long name {k}" for k in range(40)]
    evaluation = PixelEvaluation(rng.integers(0, 10**6, (15, 40, 40)), names, [f"{'x' * 90}{k}.jpg" for k in range(15)])
    assert max(map(len, str(evaluation).splitlines())) <= 80 and "confused most often" in str(evaluation)


def test_images_without_labels_do_not_widen_the_intervals():
    right, none = np.array([[8, 2], [0, 10]]), np.zeros((2, 2), int)
    evaluation = PixelEvaluation([right, none, none], ["a", "b"])
    assert evaluation.pixel_accuracy_interval == (0.9, 0.9)
    assert evaluation.mean_iou_interval == (evaluation.mean_iou, evaluation.mean_iou)
    assert PixelEvaluation([none, none], ["a", "b"]).mean_iou_interval is None


def test_weights_of_classes_are_limited():
    assert weights_of_classes(np.array([900, 90, 10, 0])) == pytest.approx({0: 1000 / 2700, 1: 1000 / 270, 2: 10})


# ---- what is refused ----


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"network": "fcn2"}, "network is 'fcn2'; expected one of fcn4, fcn8, fcn16, fcn32, unet"),
        ({"filters": -1}, "filters is -1"),
        ({"filters": 0, "network": "unet"}, "expected a whole number from 1"),
        ({"filters": 0, "dropout": 0.5}, "dropout acts on the convolutions, and filters is 0"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"ignore": 256}, "ignore is 256"),
        ({"base": "inception_v3"}, "base is 'inception_v3'; expected one of vgg16, resnet50"),
        ({"height": 100, "width": 64}, "height is 100; expected a multiple of 32"),
        ({"height": 64}, "height goes with width"),
        ({"schedule": "plateau"}, "warm_up does not go with schedule plateau.* Expected warm_up 0"),
        ({"weights": "missing.h5"}, "weights is missing.h5; expected a file of weights"),
        ({"height": "64", "width": 64}, "height is '64'; expected a multiple of 32"),
        ({"tune_epochs": 3}, "tune_epochs acts in the second stage, and there is none"),
        ({"class_weights": "maybe"}, "class_weights is 'maybe'"),
        ({"variations": 0}, "variations is 0"),
        ({"resume": True}, "there is no unfinished run"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense(shapes, changes, message):
    with pytest.raises((SettingError, ArgumentError), match=message):
        finetune_segmentation(shapes, verbose=0, **changes)


@pytest.mark.parametrize(
    "options, message",
    [
        (["--mirror"], "--mirror goes with photographs by class, and"),
        (["--cut", "block4_pool"], "--cut goes with photographs by class or labelled texts, and"),
        (["--find-rate"], "--find-rate goes with photographs by class"),
        (["--no-scratch"], "--no-scratch goes with the bundled images"),
        (["--task", "images", "--network", "unet"], "--network goes with photographs with masks, and"),
        (["--task", "images", "--image-size", "32x64"], "--image-size has two sides"),
        (["--image-size", "33"], "--height is 33; expected a multiple of 32"),
        (["--unfreeze", "block9"], "--unfreeze is 'block9'; expected none or a part of vgg16: block5"),
    ],
    ids=" ".join,
)
def test_options_of_another_task(shapes, options, message, capsys):
    assert cli.main(["finetune", str(shapes), *options]) == 1
    assert message in capsys.readouterr().err


def test_a_model_goes_with_its_own_functions(photos, shapes, tmp_path, capsys):
    model = tmp_path / "m.h5"
    local_model().save(model)
    for arguments, message in (
        (["predict", model, photos, "--top", "3"], "--top goes with a model that answers the class of an image"),
        (["predict", model], "no files to predict"),
        (["evaluate", model, photos], "expected the folders images/ and masks/"),
        (["advise", shapes], "holds photographs with masks; advice is for"),
    ):
        assert cli.main([str(each) for each in arguments]) == 1
        assert message in capsys.readouterr().err
    for wrong in {"size": [64]}, {"photograph_size": [0, 0]}, {"class_names": ["a"]}, {"colours": 5}:
        with pytest.raises(ArgumentError, match="its metadata"):
            Segmenter(local_model(**wrong))
    with pytest.raises(ArgumentError, match="answers the class of an image, not the class of each pixel"):
        Segmenter(local_model(task="images"))


def test_masks_of_colours(shapes, weights, tmp_path):
    table = tmp_path / "colours.txt"
    table.write_text("0 0 0: nothing\n250,0,0: disc\n0 250 0: square\n0 0 250: triangle\n9 9 9: 255\n")
    assert read_colours(table)[9, 9, 9] == 255
    colours = np.uint8([(0, 0, 0), (250, 0, 0), (0, 250, 0), (0, 0, 250)])
    for path in (shapes / "masks").iterdir():
        Image.fromarray(colours[read_mask(path)]).save(path)
    (shapes / "classes.txt").unlink()
    settings = dict(weights=weights, verbose=0, **{**FAST, "epochs": 1})
    result = finetune_segmentation(shapes, colours=table, save=tmp_path / "m.h5", **settings)
    assert result.folder.class_names == ["nothing", "disc", "square", "triangle"]
    assert result.as_data()["options"]["colours"]["250 0 0"] == "disc"
    found, _ = evaluate_segmentation(tmp_path / "m.h5", shapes, verbose=0)
    assert found.confusion.sum() == 12 * 32 * 64 and load_model(tmp_path / "m.h5").metadata["ignore"] == 255
    (shapes / "classes.txt").write_text("nothing\ntriangle\nsquare\ndisc\n")  # the colours say what is what
    again, _ = evaluate_segmentation(tmp_path / "m.h5", shapes, verbose=0)
    assert np.array_equal(again.confusion, found.confusion)
    for line, message in ("1 2: a", "line 1 is '1 2: a'"), ("1 2 3 a", "line 1"), ("1 2 300: a", "colours has the key"):
        table.write_text(line)
        with pytest.raises(DataError, match=message):
            read_colours(table)


def test_unlabelled_pixels_of_another_number(halves, weights):
    """If 0 means unlabelled, the class of that number never counts."""
    result = finetune_segmentation(halves, weights=weights, ignore=0, verbose=0, **{**FAST, "epochs": 2})
    assert result.evaluation.confusion[0].sum() == 0
    masks = [read_mask(photo.mask) for photo in audit_segmentation(halves, ignore=0, verbose=0).val]
    assert result.evaluation.confusion.sum() == sum(int((mask == 1).sum()) for mask in masks)


def test_the_task_of_a_folder(shapes, photos, tmp_path):
    assert task_of(shapes) == "segment" and task_of(photos) == "images" == task_of(tmp_path / "nowhere")
    for part in "train", "val":
        for inner in "images", "masks":
            (tmp_path / "divided" / part / inner).mkdir(parents=True)
    assert task_of(tmp_path / "divided") == "segment"
    files = {
        "voc": ["JPEGImages/a.jpg", "Annotations/a.xml"],
        "devkit": ["VOC2007/JPEGImages/a.jpg", "VOC2007/Annotations/a.xml"],
        "beside": ["train/a.jpg", "train/a.xml", "val/b.jpg"],
        "coco": ["images/a.jpg", "annotations.json"],
        "coco2": ["train2017/a.jpg", "annotations/instances_train2017.json"],
        "yolo": ["images/train/a.jpg", "labels/train/a.txt"],
    }
    for name, paths in files.items():
        for path in paths:
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_bytes(b"")
        assert task_of(tmp_path / name) == "detect", name
    for path in "notes.txt", "results.json", "train/lying/caption.txt", "train/lying/caption.png":
        (photos / path).write_text("")
    assert task_of(photos) == "images"


def test_classes_with_the_names_of_other_folders(photos, tmp_path, capsys):
    """Photographs of the classes "images" and "masks" look like masks: the message says so, and what to do."""
    for name in "images", "masks":
        (tmp_path / "both" / name).mkdir(parents=True)
        Image.fromarray(np.full((32, 32, 3), 99, np.uint8)).save(tmp_path / "both" / name / "a.jpg")
    assert cli.main(["finetune", str(tmp_path / "both")]) == 1
    said = capsys.readouterr()
    assert "was taken as photographs with masks. --task says" in " ".join(said.out.split()) and "JPEG" in said.err

"""A head on several cuts of a base, and what a base is shown of a photograph: the commands, with the bundled base."""

import json

import numpy as np
import pytest

from minitl import cli, data
from minitl.applications.vgg16 import preprocess_input
from minitl.features.on_disk import kept_together
from minitl.features.side_by_side import side_by_side
from minitl.layers import Concatenate
from minitl.models import load_model
from minitl.recipes import PhotographSettings, SettingError, photograph_stages
from minitl.recipes.base_features import built_base, pooled_ends
from minitl.recipes.prediction import Classifier
from minitl.recipes.view_choice import ViewTrial, choose_view

Image = pytest.importorskip("PIL.Image", reason="needs the extra 'images': pip install -e '.[images]'")

HEAD = ["--head", "unit", "--learning-rate", "0.003", "--label-smoothing", "0"]  # no cross-validation
TWO = ["--image-size", "32", "--cut", "block1_pool,block3_pool"]
SMALL = [*TWO, "--epochs", "6", *HEAD]


def finetune(photos, *options):
    """Return the results of the command, as JSON."""
    results = photos.parent / "results.json"
    assert cli.main(["finetune", str(photos), "--json", str(results), *options]) == 0
    return json.loads(results.read_text())


def test_a_head_on_two_cuts_is_one_model_that_sees_both(photos, tmp_path, capsys):
    results = finetune(photos, *SMALL, "--save", str(tmp_path / "m.h5"))
    assert "Stage 1: the head, 1,282 parameters learn" in capsys.readouterr().out  # 2 * (64 + 256) + (320 + 1) * 2
    model = load_model(tmp_path / "m.h5")
    (joined,) = (layer for layer in model.layers if isinstance(layer, Concatenate))
    ends = pooled_ends(model, "vgg16", "block3_pool")
    x = Classifier(model).stream(data.audit_folder(photos).val).read(slice(None))
    of_both = np.concatenate([ends["block1_pool"].predict(x, verbose=0), ends["block3_pool"].predict(x, verbose=0)], 1)
    head = model.part(model.output_of(joined.name), model.output)
    assert np.allclose(head.predict(of_both, verbose=0), model.predict(x, verbose=0), atol=1e-6)
    assert cli.main(["evaluate", str(tmp_path / "m.h5"), str(photos / "val"), "--json", str(tmp_path / "e.json")]) == 0
    assert "0 photographs went through the base, 16 were kept" in capsys.readouterr().out
    assert json.loads((tmp_path / "e.json").read_text())["confusion"] == results["confusion"]


def test_features_that_another_cut_has_kept_are_used(photos, capsys):
    finetune(photos, "--image-size", "32", "--cut", "block3_pool", "--epochs", "1", *HEAD)
    capsys.readouterr()
    first = finetune(photos, *SMALL)
    assert "0 photographs went through the base, 32 were kept" in capsys.readouterr().out
    again = finetune(photos, "--image-size", "32", "--cut", "block3_pool, block1_pool", "--epochs", "6", *HEAD)
    assert again["history"] == first["history"] and again["options"]["cut"] == "block1_pool,block3_pool"
    assert finetune(photos, *SMALL, "--no-cache")["history"] == first["history"]


@pytest.mark.parametrize("part", ["block2", "block3"])  # the first cut is the frozen map itself; it lies before it
def test_a_second_stage_behind_one_of_the_cuts_trains_what_the_whole_model_would(photos, part, monkeypatch, tmp_path):
    options = [*SMALL, "--unfreeze", part, "--tune-epochs", "2", "--tune-rate", "0.001"]
    kept = finetune(photos, *options, "--save", str(tmp_path / "m.h5"))
    monkeypatch.setattr(photograph_stages, "room_for_features", lambda *arguments: (False, 5e9))
    read_again = finetune(photos, *options)
    for name, losses in kept["history"]["blocks"].items():
        assert np.allclose(losses, read_again["history"]["blocks"][name], rtol=2e-3, atol=1e-4), name
    assert any("not one bit changed" in line for line in kept["ledger"])
    assert any("changed since" in line for line in kept["ledger"])


def test_several_stands_for_the_last_ends():
    settings = PhotographSettings(base="efficientnet_lite0", cut="several").settled()
    assert settings.ends == ["block5c_add", "block6d_add", "block7a_project_bn", "top_activation"]
    assert settings.settled() == settings
    assert PhotographSettings(cut="block4_pool,block2_pool").settled().cut == "block2_pool,block4_pool"
    with pytest.raises(SettingError, match="cut is block9; expected a block's end in vgg16: block1_pool"):
        PhotographSettings(cut="block1_pool,block9").settled()


def test_unknown_cuts_and_views_are_named(photos, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["finetune", str(photos), "--cut", "block1_pool,block2_pol"])
    assert stopped.value.code == 2 and "block2_pool" in capsys.readouterr().err
    with pytest.raises(SettingError, match="view is 'left'; expected one of centre, whole, padded, auto"):
        PhotographSettings(view="left").settled()


def test_rows_side_by_side_are_those_of_their_parts(photos):
    settings = PhotographSettings(cut="block1_pool,block2_pool", image_size=32).settled()
    base = built_base(settings)
    source = data.PhotoStream(data.audit_folder(photos).val, preprocess_input, 32, 32)
    graphs = list(pooled_ends(base, "vgg16", "block2_pool").values())
    rows = kept_together(graphs, source, keep=False, verbose=0)
    joined = side_by_side(rows)
    assert joined.shape == (16, 64 + 128) and len(joined) == 16 and joined.photos == rows[0].photos
    some = np.array([3, 0, 7])
    assert np.array_equal(joined.read(some), np.concatenate([each.read(some) for each in rows], axis=1))
    expected = base.predict(source.read(slice(None)), verbose=0)
    assert np.abs(joined.read(slice(None)) - expected).max() <= 1e-5 * expected.max()
    assert joined.digest != side_by_side(rows[::-1]).digest and side_by_side(rows[:1]) is rows[0]


# ---- the view ----


@pytest.fixture
def wide(tmp_path):
    """Write a photograph of 90x30 pixels, black with a white left and a red right third, as PNG and as NumPy's file."""
    pixels = np.zeros((30, 90, 3), np.uint8)
    pixels[:, :30], pixels[:, 60:] = 255, (255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    np.save(tmp_path / "wide.npy", pixels)
    return tmp_path


def test_the_whole_photograph_is_seen_and_the_centre_is_not_all(wide):
    for name in "wide.png", "wide.npy":
        centre, whole, padded = (data.read_image(wide / name, 30, 30, crop) for crop in (1.0, "whole", "padded"))
        assert not centre.any(), "the middle third is black"
        assert np.array_equal(whole[:, 2], np.full((30, 3), 255)) and np.array_equal(whole[0, -3], [255, 0, 0])
        assert (padded[:10] == 127).all() and (padded[20:] == 127).all() and (padded[12:18, :8] == 255).all()
        assert np.array_equal(padded[15, -3], [255, 0, 0]) and not padded[12:18, 13:17].any()


def test_augmented_parts_of_a_whole_photograph_are_stretched_as_it_is(wide):
    (photo,) = [data.Photo(wide / "wide.png", 0, "a")]
    shapes = []

    def recorded(image, height, width, rng, aspect=None):
        shapes.append((image.size, aspect))
        return np.zeros((height, width, 3), np.float32)

    for crop in 0.875, "whole", "padded":
        data.PhotoStream([photo], preprocess_input, 30, 30, crop, augment=recorded).read([0], epoch=0)
    assert shapes == [((90, 30), None), ((90, 30), 3.0), ((90, 90), None)]
    rng, augmentation = np.random.default_rng(0), data.Augmentation(area=(1, 1), aspect=1, flip=False)
    with Image.open(wide / "wide.png") as image:
        seen = augmentation(image, 30, 30, rng, aspect=3.0)
    assert seen[:, 2].mean() > 150 and seen[:, -3, 2].mean() < 60, "all of it: white at the left, red at the right"


@pytest.fixture
def bordered(tmp_path):
    """Write forty-eight wide photographs of noise, whose class is seen at their left and right border alone."""
    rng = np.random.default_rng(0)
    for part, count in ("train", 16), ("val", 8):
        for name, brightness in ("dark", 40), ("light", 210):
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.uniform(0, 255, (40, 80, 3))
                pixels[:, :18], pixels[:, -18:] = brightness, brightness
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return tmp_path / "photos"


def test_the_view_is_chosen_on_the_photographs_to_learn_from(bordered, tmp_path, capsys):
    options = ["--image-size", "32", "--cut", "block2_pool", "--epochs", "20", *HEAD]
    results = finetune(bordered, *options, "--view", "auto", "--save", str(tmp_path / "m.h5"))
    text = capsys.readouterr().out
    table = text[text.index("Which view?") : text.index("then the first one is taken.")]
    assert max(map(len, table.splitlines())) <= 80
    trials = {trial["view"]: trial["accuracy"] for trial in results["view"]["trials"]}
    assert trials["centre"] < 0.85 and trials["whole"] == 1, "the centre does not show the class"
    assert results["view"]["view"] == results["options"]["view"] == "whole" and results["accuracy"] == 1
    assert load_model(tmp_path / "m.h5").metadata["crop"] == "whole"
    assert cli.main(["evaluate", str(tmp_path / "m.h5"), str(bordered / "val")]) == 0
    assert "0 photographs went through the base, 16 were kept" in capsys.readouterr().out
    light = next((bordered / "val" / "light").iterdir())
    assert cli.main(["predict", str(tmp_path / "m.h5"), str(light)]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[1] == "light"
    given = finetune(bordered, *options, "--view", "whole")
    assert given["history"] == results["history"] and given["view"] is None


def test_between_views_that_are_equally_good_the_first_is_taken():
    labels, sign = np.arange(100) % 2, np.where(np.arange(100) % 4 < 2, 1, -1)

    def trial(view, right):
        probabilities = np.where(np.arange(2) == labels[:, None], right[:, None], 1 - right[:, None])
        return ViewTrial(view, 1.0, float(-np.log(right).mean()), probabilities, labels)

    centre, whole = trial("centre", 0.9 - 0.02 * sign), trial("whole", 0.903 + 0.02 * sign)
    assert whole.log_loss < centre.log_loss and choose_view([centre, whole]).view == "centre"
    assert choose_view([trial("centre", 0.8 + 0.02 * sign), whole]).view == "whole"


def test_a_saved_model_whose_crop_is_unknown_is_refused(photos, tmp_path, capsys):
    finetune(photos, *SMALL, "--save", str(tmp_path / "m.h5"))
    model = load_model(tmp_path / "m.h5")
    model.metadata["crop"] = "left half"
    model.save(tmp_path / "other.h5")
    assert cli.main(["predict", str(tmp_path / "other.h5"), str(next((photos / "val" / "lying").iterdir()))]) == 1
    assert "'crop' is 'left half'" in capsys.readouterr().err


def test_after_a_second_stage_the_probabilities_are_calibrated(photos, tmp_path, capsys):
    options = [*SMALL, "--unfreeze", "block3", "--tune-epochs", "1", "--save", str(tmp_path / "m.h5")]
    results = finetune(photos, *options)
    text = capsys.readouterr().out
    assert results["temperature"] > 0 and f"Scores are divided by {results['temperature']:.2f}" in text
    assert f"(The temperature {results['temperature']:.2f} was chosen on these images" in text
    assert cli.main(["evaluate", str(tmp_path / "m.h5"), str(photos / "val"), "--json", str(tmp_path / "e.json")]) == 0
    evaluated = json.loads((tmp_path / "e.json").read_text())
    assert evaluated["calibration_error"] == pytest.approx(results["calibration_error"], abs=1e-3), "it is saved"
    assert evaluated["temperature"] is None and evaluated["confusion"] == results["confusion"]
    assert finetune(photos, *SMALL)["temperature"] is None, "the first stage has that of the cross-validation"

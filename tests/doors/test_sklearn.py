"""The estimators for scikit-learn keep its rules, and give the recipe's numbers. Needs the extra `sklearn`."""

import pickle
import random
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", "1.6", reason="needs the extra 'sklearn': pip install -e '.[sklearn]'")
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from minitl import data
from minitl.errors import DataError, MistakeWarning, ShapeError
from minitl.recipes import SettingError, finetune_photographs
from minitl.sklearn import TransferClassifier, TransferFeatures

SMALL = {"cut": "block1_pool", "image_size": 32}  # VGG16's first block is bundled
QUICK = {**SMALL, "head": "plain", "epochs": 5}

# Checks of scikit-learn that do not hold, and why.
ROUNDING = {"check_methods_sample_order_invariance": "another place in a batch rounds float32 differently, by 2e-7"}
NO_PIXELS = {"check_classifiers_train": "numbers around 0 are nearly black images, which no base tells apart"}


@pytest.fixture
def stripes(rng):
    """Return (float64 images (24, 40, 40, 3) with stripes that lie or stand, their labels)."""
    lying = np.arange(24) % 2 == 0
    waves = 128 + 100 * np.sin(np.arange(40)[None] * rng.uniform(0.6, 1.4, (24, 1)))  # (N, 40)
    images = np.where(lying[:, None, None], waves[:, :, None], waves[:, None, :]) + rng.normal(0, 20, (24, 40, 40))
    return np.repeat(images[..., None], 3, axis=3).clip(0, 255), np.where(lying, "lying", "standing")


@pytest.mark.slow
@pytest.mark.parametrize(
    "estimator, exceptions",
    [
        (TransferClassifier(base=None, head="plain", epochs=30), {}),
        (TransferFeatures(**SMALL, input_shape=(1, -1, 1), keep_features=False), ROUNDING),
        (TransferClassifier(**QUICK, input_shape=(1, -1, 1), keep_features=False), {**ROUNDING, **NO_PIXELS}),
    ],
    ids=["features", "transformer", "flat-rows"],
)
def test_scikit_learns_own_checks_hold_with_the_exceptions_named(estimator, exceptions):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, expected_failed_checks=exceptions, on_fail=None, on_skip=None)
    assert [(each["check_name"], each["exception"]) for each in results if each["status"] == "failed"] == []
    assert len(results) > 40


def test_init_stores_its_arguments_and_does_nothing_else():
    shape = [4, 4, 1]
    estimator = TransferClassifier(input_shape=shape, epochs="no number")
    assert estimator.input_shape is shape and clone(estimator).get_params()["epochs"] == "no number"
    assert estimator.set_params(cut="block2_pool").cut == "block2_pool"


@pytest.mark.slow  # it starts two processes
def test_four_axes_grid_search_and_two_processes(rng):
    x, y = rng.random((6, 4, 4, 1)), np.array(["no", "yes"] * 3)
    found = [
        GridSearchCV(TransferClassifier(**QUICK), {"learning_rate": [0.001, 0.01]}, cv=2, n_jobs=n_jobs).fit(x, y)
        for n_jobs in (None, 2)
    ]
    one, two = (each.cv_results_["mean_test_score"] for each in found)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(found[0].predict(x), found[1].predict(x))


def test_labels_come_back_and_columns_follow_classes(stripes):
    x, y = stripes
    classifier = TransferClassifier(**SMALL, epochs=5).fit(x[:16], y[:16])
    assert classifier.classes_.tolist() == ["lying", "standing"] and classifier.score(x[16:], y[16:]) == 1
    probabilities = classifier.predict_proba(x[16:])
    assert probabilities.shape == (8, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(classifier.classes_[probabilities.argmax(axis=1)], classifier.predict(x[16:]))
    assert classifier.choice_["folds"] == 5
    three = TransferClassifier(base=None, head="plain", epochs=3).fit(np.eye(3), ["no", "yes", "no"])
    assert three.predict_proba(np.eye(3)).shape == (3, 2)


def test_pickling_keeps_predictions_and_holds_plain_data(stripes):
    x, y = stripes
    for estimator in TransferClassifier(**QUICK).fit(x, y), TransferFeatures(**SMALL).fit(x):
        stored = pickle.dumps(estimator)
        assert b"minitl.layers" not in stored and b"minitl.models" not in stored
        again, method = pickle.loads(stored), "transform" if hasattr(estimator, "transform") else "predict_proba"
        np.testing.assert_array_equal(getattr(again, method)(x), getattr(estimator, method)(x))
    with pytest.raises(NotFittedError):
        pickle.loads(pickle.dumps(TransferClassifier(**QUICK))).predict(x)


def test_a_fit_repeats_itself_and_leaves_the_random_numbers_of_the_program_alone(stripes):
    x, y = stripes
    random.seed(3), np.random.seed(3)  # noqa: NPY002
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(3), np.random.seed(3)  # noqa: NPY002
    first, second = (TransferClassifier(**QUICK).fit(x, y).predict_proba(x) for _ in range(2))
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002
    np.testing.assert_array_equal(first, second)


def test_a_pipeline_of_features_and_another_estimator(stripes):
    x, y = stripes
    pipeline = make_pipeline(TransferFeatures(**SMALL), LogisticRegression())
    assert cross_val_score(pipeline, x, y, cv=3).mean() == 1
    features = TransferFeatures(**SMALL).fit(x)
    assert features.get_feature_names_out()[:2].tolist() == ["transferfeatures0", "transferfeatures1"]
    assert features.transform(x).shape == (24, 64) and features.transform(x[:, ::2]).shape == (24, 64)
    head = TransferClassifier(base=None, **{name: QUICK[name] for name in ("head", "epochs")})
    two_steps = make_pipeline(TransferFeatures(**SMALL), head).fit(x, y).predict_proba(x)
    np.testing.assert_array_equal(two_steps, TransferClassifier(**QUICK).fit(x, y).predict_proba(x))


def test_set_output_names_the_columns(stripes):
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    table = TransferFeatures(**SMALL).set_output(transform="pandas").fit_transform(stripes[0])
    assert isinstance(table, pandas.DataFrame) and table.columns[0] == "transferfeatures0"


def test_flat_rows_and_grey_images_are_the_images(stripes):
    x, _ = stripes
    features = TransferFeatures(**SMALL, keep_features=False)
    expected = features.fit_transform(x)
    for rows, shape in ((x.reshape(24, -1), (40, 40, 3)), (x.reshape(24, -1).tolist(), [40, -1, 3])):
        found = features.set_params(input_shape=shape).fit_transform(rows)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    for grey in (x[..., 0], x[..., :1]):
        np.testing.assert_allclose(features.fit_transform(grey), expected, rtol=1e-4)


def test_paths_give_the_recipes_numbers(photos):
    pytest.importorskip("PIL", reason="needs the extra 'images'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = finetune_photographs(photos, verbose=0, **QUICK)
    train, val = result.folder.train, result.folder.val
    names = np.array(result.folder.class_names)
    classifier = TransferClassifier(**QUICK).fit([each.path for each in train], names[[each.label for each in train]])
    for paths in [each.path for each in val], [[str(each.path)] for each in val], np.array([str(p.path) for p in val]):
        np.testing.assert_allclose(classifier.predict_proba(paths), result.evaluation.probabilities, rtol=1e-5)
    images = np.stack([data.read_image(each.path, 32, 32, 224 / 256) for each in val])
    np.testing.assert_allclose(classifier.predict_proba(images), result.evaluation.probabilities, rtol=1e-4)


def test_features_of_photographs_are_computed_once(photos, monkeypatch):
    pytest.importorskip("PIL", reason="needs the extra 'images'")
    paths = sorted((photos / "train").rglob("*.png"))
    features = TransferFeatures(**SMALL)
    expected = features.fit_transform(paths)
    monkeypatch.setattr(data.PhotoStream, "read_unchanged", None)  # would be called to read one
    np.testing.assert_array_equal(clone(features).fit_transform(paths), expected)


def test_several_cuts_stand_side_by_side(stripes):
    x, y = stripes
    both = TransferFeatures(cut="block1_pool,block2_pool", image_size=32, keep_features=False).fit_transform(x)
    single = [
        TransferFeatures(cut=cut, image_size=32, keep_features=False).fit_transform(x)
        for cut in ("block1_pool", "block2_pool")
    ]
    np.testing.assert_allclose(both, np.concatenate(single, axis=1), rtol=1e-4, atol=1e-3)  # (24, 64 + 128)
    classifier = TransferClassifier(**{**QUICK, "cut": "block1_pool,block2_pool"}, keep_features=False).fit(x, y)
    assert classifier.model_.get_layer("predictions").kernel.shape == (192, 2)


def test_what_does_not_fit_is_named(stripes, tmp_path):
    x, y = stripes
    with pytest.raises(NotFittedError):
        TransferClassifier(**QUICK).predict("nothing that is looked at")
    with pytest.raises(SettingError, match="cut is block9"):
        TransferClassifier(cut="block9").fit(x, y)
    with pytest.raises(ShapeError, match="input_shape"):
        TransferClassifier(**QUICK).fit(x.reshape(24, -1), y)
    with pytest.raises(ShapeError, match=r"\(40, 40, 1\) has 1600"):
        TransferClassifier(**QUICK, input_shape=(40, 40, 1)).fit(x.reshape(24, -1), y)
    with pytest.raises(DataError, match="one class"):
        TransferClassifier(**QUICK).fit(x, ["lying"] * 24)
    with pytest.raises(DataError, match="one path"):
        TransferFeatures(**SMALL).fit("photos")
    with pytest.raises(DataError, match=r"none\.png: is not there"):
        TransferFeatures(**SMALL).fit([tmp_path / "none.png"])
    (tmp_path / "broken.png").write_bytes(b"no image")
    np.save(tmp_path / "good.npy", x[0].astype(np.uint8))
    with pytest.raises(DataError, match=r"broken\.png: cannot be read as an image .* leave this one out"):
        TransferFeatures(**SMALL).fit_transform([tmp_path / "good.npy", tmp_path / "broken.png"])
    with pytest.warns(MistakeWarning, match="expected pixels from 0 to 255"):
        TransferFeatures(**SMALL).fit(x / 255)

"""Metrics beside Keras's: several batches, with and without weights."""

import keras
import numpy as np
import pytest

import minitl.metrics

YES_OR_NO = {
    "auc": lambda m: m.AUC(),
    "auc-pr": lambda m: m.AUC(curve="PR"),
    "auc-few": lambda m: m.AUC(num_thresholds=7),
    "auc-thresholds": lambda m: m.AUC(thresholds=[0.1, 0.35, 0.8], curve="PR"),
    "auc-majoring": lambda m: m.AUC(summation_method="majoring"),
    "auc-minoring": lambda m: m.AUC(9, "PR", "minoring"),
    "auc-gain": lambda m: m.AUC(curve="PRGAIN"),
    "auc-gain-majoring": lambda m: m.AUC(9, "PRGAIN", "majoring"),
    "auc-labels": lambda m: m.AUC(multi_label=True),
    "auc-labels-pr": lambda m: m.AUC(9, "PR", multi_label=True, num_labels=4, label_weights=[0.1, 2, 0.4, 1]),
    "auc-label-weights": lambda m: m.AUC(label_weights=[0.1, 2, 0.4, 1]),
    "auc-logits": lambda m: m.AUC(from_logits=True, multi_label=True),
    "precision": lambda m: m.Precision(),
    "precision-thresholds": lambda m: m.Precision([0.2, 0.7]),
    "precision-top": lambda m: m.Precision(top_k=2),
    "precision-class": lambda m: m.Precision(class_id=1),
    "recall": lambda m: m.Recall(0.4),
    "recall-top": lambda m: m.Recall(top_k=1, class_id=2),
    "true-positives": lambda m: m.TruePositives(),
    "false-positives": lambda m: m.FalsePositives(0.3),
    "true-negatives": lambda m: m.TrueNegatives([0.3, 0.9]),
    "false-negatives": lambda m: m.FalseNegatives(),
    "f1": lambda m: m.F1Score(),
    "f1-macro": lambda m: m.F1Score("macro", threshold=0.6),
    "f1-micro": lambda m: m.F1Score("micro"),
    "f1-weighted": lambda m: m.F1Score("weighted", 0.5),
}
QUANTITIES = {
    name: (lambda m, name=name: getattr(m, name)())
    for name in (
        "MeanSquaredError",
        "RootMeanSquaredError",
        "MeanAbsoluteError",
        "MeanAbsolutePercentageError",
        "CosineSimilarity",
    )
}
QUANTITIES["MeanAbsoluteError-whole"] = lambda m: m.MeanAbsoluteError(dtype="int32")
CLASSES = {
    "top-k": lambda m: m.TopKCategoricalAccuracy(2),
    "sparse-top-k": lambda m: m.SparseTopKCategoricalAccuracy(2),
}


def batches(kind):
    """Yield (labels, predictions, weights) of three batches of different sizes."""
    rng = np.random.default_rng(4)
    for count in 7, 1, 12:
        scores = rng.random((count, 4)).astype(np.float32)
        labels = (rng.random((count, 4)) < scores).astype(np.float32)
        if kind == "quantities":
            labels = rng.standard_normal((count, 4)).astype(np.float32)
        yield labels, scores, rng.random(count).astype(np.float32)


def results(make, given, weighted):
    """Return (minitl's result, Keras's)."""
    ours, theirs = make(minitl.metrics), make(keras.metrics)
    assert ours.name.rstrip("_0123456789") == theirs.name.rstrip("_0123456789")
    for labels, scores, weight in given:
        ours.update(labels, scores, *([weight] if weighted else []))
        theirs.update_state(labels, scores, *([weight] if weighted else []))
    return ours.result(), np.asarray(theirs.result())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", YES_OR_NO)
def test_metrics_of_yes_or_no_answers(name, weighted):
    found, expected = results(YES_OR_NO[name], batches("answers"), weighted)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", QUANTITIES)
def test_metrics_of_quantities(name, weighted):
    found, expected = results(QUANTITIES[name], batches("quantities"), weighted)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("name", CLASSES)
def test_metrics_of_classes(name):
    given = [(labels.argmax(-1) if "sparse" in name else np.eye(4)[labels.argmax(-1)], p, w)
             for labels, p, w in batches("answers")]  # fmt: skip
    found, expected = results(CLASSES[name], given, False)
    assert found == pytest.approx(float(expected))


def test_a_metric_that_was_reset_begins_again():
    for make in (*YES_OR_NO.values(), *QUANTITIES.values()):
        metric = make(minitl.metrics)
        labels, scores, _ = next(batches("answers"))
        metric.update(labels, scores)
        once = metric.result()
        metric.reset()
        metric.update(labels, scores)
        np.testing.assert_array_equal(metric.result(), once)


def test_the_cosine_along_another_axis():
    given = [(labels - 0.3, scores, weight) for labels, scores, weight in batches("answers")]
    found, expected = results(lambda m: m.CosineSimilarity(axis=0), given, False)
    assert found == pytest.approx(float(expected), rel=1e-6)

"""Metrics: those of your own that are written for Keras, types, areas of several labels. Beside Keras's numbers they
stand in `tests/peers/test_metrics.py`; those of pixels in `test_pixels_and_boxes.py`."""

import numpy as np
import pytest

from minitl import metrics
from minitl.errors import ArgumentError, DataError
from minitl.layers import Dense
from minitl.models import Sequential


class OwnMetric(metrics.Metric):
    """A metric as it is written for Keras: `add_weight`, `update_state`, `result`."""

    def __init__(self, name="share_above", limit=0.5, **kwargs):
        super().__init__(name=name, **kwargs)
        self.limit = limit
        self.above = self.add_weight(name="above", initializer="zeros")
        self.seen = self.add_weight(name="seen", initializer="zeros", dtype="int32")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.above.assign_add((np.asarray(y_pred) > self.limit).sum())
        self.seen.assign(self.seen + len(y_pred))

    def result(self):
        return self.above / max(self.seen, 1)


def test_a_metric_that_is_written_for_keras(rng):
    metric, p = OwnMetric(), rng.random((11, 1)).astype(np.float32)
    assert metric(None, p[:4]) == (p[:4] > 0.5).mean()
    metric.update_state(None, p[4:])
    assert metric.result() == pytest.approx((p > 0.5).mean())
    assert [each.dtype.name for each in metric.variables] == ["float32", "int32"]
    metric.above.assign_sub(1)
    assert type(metric.above + 1) is np.float32 and metric.above.numpy() == (p > 0.5).sum() - 1
    metric.reset_state()
    assert metric.result() == 0 and metric.seen == 0
    assert OwnMetric.from_config(metric.get_config()).get_config() == metric.get_config()
    with pytest.raises(ArgumentError, match="class MeanIoU has no update_state of its own"):
        metrics.MeanIoU(2).add_weight()
    metric.parts = {"a": [OwnMetric()]}
    assert len(metric.variables) == 4

    model = Sequential([Dense(1, "sigmoid", input_shape=(1,))])
    model.compile("sgd", "mse", metrics=[OwnMetric()])
    history = model.fit(p, p, 4, 2, verbose=0, validation_data=(p + 1, p)).history
    expected = (model.predict(p + 1, verbose=0) > 0.5).mean()
    assert history["val_share_above"][-1] == pytest.approx(expected) and model.metrics[0].metric.seen == 11


def test_the_type_of_a_metric_cuts_its_scores_off():
    y, p = np.zeros((2, 1)), np.array([[1.5], [2.9]])
    assert metrics.MeanAbsoluteError().update(y, p) is None
    for dtype, expected in (None, 2.2), ("float64", 2.2), ("int32", 1.5):
        assert metrics.MeanAbsoluteError(dtype=dtype)(y, p) == pytest.approx(expected)
    assert metrics.Hinge(dtype="float16").get_config()["dtype"] == "float16"
    with pytest.raises(ArgumentError, match="dtype is 'words'"):
        metrics.Hinge(dtype="words")


def test_the_areas_of_several_labels():
    """Compare with areas found by hand (thresholds 0, 0.5, 1): one label is ranked rightly, the other wrongly."""
    y, p = np.array([[1, 1], [0, 0]]), np.array([[0.9, 0.2], [0.1, 0.8]])
    for weights, expected in (None, 0.5), ([3, 1], 0.75):
        metric = metrics.AUC(3, multi_label=True, label_weights=weights)
        assert metric(y, p) == pytest.approx(expected)
        assert metric.true_positives.shape == (3, 2)
    assert metrics.AUC(3)(y, p) == pytest.approx(0.5)
    assert metrics.AUC(3, summation_method="majoring")(y, p) == pytest.approx(0.75)
    assert metrics.AUC(3, summation_method="minoring")(y, p) == pytest.approx(0.25)
    with pytest.raises(DataError, match=r"got outputs \(2, 2\); expected \(N, 3\)"):
        metrics.AUC(multi_label=True, num_labels=3).update(y, p)
    for wrong in {"curve": "PRG"}, {"summation_method": "area"}, {"num_labels": 2}:
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            metrics.AUC(**wrong)


def test_classes_that_come_sorted():
    metric = metrics.SparseTopKCategoricalAccuracy(2, from_sorted_ids=True)
    assert metric([3, 1, 0], np.array([[1, 3, 0], [0, 2, 1], [0, 1, 2]])) == pytest.approx(2 / 3)

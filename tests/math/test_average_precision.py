"""Average precision by Pascal VOC's and COCO's rules, on examples computed by hand and against the loop twin."""

import numpy as np
import pytest

from minitl.errors import ArgumentError, DataError, MinitlError, ShapeError
from minitl.metrics import coco_average_precision, voc_average_precision
from minitl.metrics.average_precision import COCO_THRESHOLDS, average_of_curve, average_precision_naive

HERE, THERE, FAR = [0, 0, 10, 10], [50, 50, 70, 60], [90, 0, 99, 9]


def found(*boxes, scores, classes=None):
    return {"boxes": np.reshape(boxes, (-1, 4)), "scores": scores, "classes": classes or [1] * len(boxes)}


def true(*boxes, classes=None, **more):
    return {"boxes": np.reshape(boxes, (-1, 4)), "classes": classes or [1] * len(boxes), **more}


def test_a_recall_of_a_half_at_precision_1():
    """Two true boxes, one hit: 0.505 by COCO's 101 points, 6/11 by VOC's 11, and 0.5 as area."""
    case = [found(HERE, scores=[0.9])], [true(HERE, THERE)]
    assert coco_average_precision(*case).mean == pytest.approx(51 / 101, abs=1e-12)
    assert voc_average_precision(*case, rule="11 points").mean == pytest.approx(6 / 11, abs=1e-12)
    assert voc_average_precision(*case).mean == 0.5
    assert coco_average_precision(*case).mean_recall == 0.5


def test_a_detection_inside_a_crowd_is_ignored():
    """A hit, and a box of a higher score inside a crowd: 1.0."""
    labels = true(HERE, [40, 40, 99, 99], is_crowd=[False, True])
    result = coco_average_precision([found(HERE, THERE, scores=[0.5, 0.9])], [labels])
    assert result.mean == pytest.approx(1, abs=1e-12) and result.per_class == {1: pytest.approx(1)}
    without = coco_average_precision([found(HERE, THERE, scores=[0.5, 0.9])], [true(HERE)])
    assert without.mean == pytest.approx(0.5)


@pytest.mark.parametrize("hits", range(1, 11))
def test_no_recall_is_lost_by_rounding(hits):
    """Some of ten true boxes are found: np.arange(0, 1.1, 0.1) would lose the recalls 0.3, 0.6 and 0.7."""
    boxes = [[10 * k, 0, 10 * k + 8, 8] for k in range(10)]
    case = [found(*boxes[:hits], scores=np.arange(hits) / 10)], [true(*boxes)]
    assert voc_average_precision(*case, rule="11 points").mean == pytest.approx((hits + 1) / 11, abs=1e-12)
    assert voc_average_precision(*case).mean == pytest.approx(hits / 10, abs=1e-12)


def test_the_envelope_by_hand():
    """Three true boxes are found first, third and fifth: the precisions are 1, 2/3, 3/5 at the recalls 1/3, 2/3, 1."""
    boxes = [[10 * k, 0, 10 * k + 8, 8] for k in range(5)]
    case = [found(*boxes, scores=[5, 4, 3, 2, 1])], [true(boxes[0], boxes[2], boxes[4])]
    assert voc_average_precision(*case).mean == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert voc_average_precision(*case, rule="11 points").mean == pytest.approx((4 + 3 * 2 / 3 + 4 * 3 / 5) / 11)
    assert coco_average_precision(*case).mean == pytest.approx((34 + 33 * 2 / 3 + 34 * 3 / 5) / 101)
    rising = np.array([0, 0.5, 1]), np.array([0.0, 0.5, 2 / 3])  # the envelope is 2/3 everywhere
    assert [average_of_curve(*rising, rule) for rule in ("area", "11 points", "101 points")] == pytest.approx(
        [2 / 3] * 3
    )


def test_difficult_boxes_neither_count_nor_hurt():
    labels = true(HERE, THERE, difficult=[False, True])
    for scores in ([0.5, 0.9], [0.9, 0.5]):
        assert voc_average_precision([found(HERE, THERE, scores=scores)], [labels]).mean == 1
    assert voc_average_precision([found(HERE, scores=[1])], [labels]).mean == 1
    assert voc_average_precision([found(THERE, scores=[1])], [labels]).mean == 0
    assert voc_average_precision([found(THERE, scores=[1])], [true(THERE, difficult=[True])]).mean == -1


def test_a_second_detection_of_a_box_is_wrong():
    case = [found(HERE, HERE, THERE, scores=[0.9, 0.8, 0.7])], [true(HERE, THERE)]
    assert voc_average_precision(*case).mean == pytest.approx((1 + 2 / 3) / 2)
    crowd = true(HERE, THERE, is_crowd=[True, False])  # a crowd takes both
    assert coco_average_precision(case[0], [crowd]).mean == pytest.approx(1)


def test_the_overlap_has_no_extra_pixel():
    """10 by 5 in 10 by 10 is exactly one half; with a pixel more it would be 11*6/(11*11) = 0.545."""
    case = [found([0, 0, 10, 5], scores=[1])], [true(HERE)]
    result = coco_average_precision(*case)
    assert result.precisions[:, 0].tolist() == pytest.approx([1] + [0] * 9)
    assert result.mean == pytest.approx(0.1) and result.at(0.5) == pytest.approx(1) and result.at(0.55) == 0
    assert voc_average_precision(*case, iou_threshold=0.5).mean == 1
    assert voc_average_precision(*case, iou_threshold=0.51).mean == 0


def test_classes_that_are_absent_are_left_out_of_the_mean():
    detections = [found(HERE, THERE, scores=[0.9, 0.8], classes=["cat", "dog"]), found(scores=[])]
    labels = [true(HERE, classes=["cat"]), true(FAR, classes=["cow"])]
    for measure in voc_average_precision, coco_average_precision:
        result = measure(detections, labels)
        assert result.per_class == {"cat": pytest.approx(1), "cow": 0, "dog": -1}
        assert result.mean == pytest.approx(0.5)
        assert measure(detections, labels, classes=["dog", "emu"]).per_class == {"dog": -1, "emu": -1}
        assert measure(detections, labels, classes=["dog"]).mean == -1
        assert measure([], []).mean == -1


def test_a_box_that_counts_goes_before_a_crowd_around_it():
    """The detection has the IoU 0.8 with the box, and lies in the crowd completely. It is a hit all the same."""
    labels = true([0, 0, 99, 99], HERE, is_crowd=[True, False])
    result = coco_average_precision([found([0, 0, 10, 8], scores=[1])], [labels])
    assert result.recalls[:, 0].tolist() == [1] * 7 + [0] * 3  # from 0.5 to 0.8


def test_a_perfect_box_is_a_hit_also_at_an_iou_of_1():
    """Rounding may take a little from the IoU of a perfect box: 1 - 1e-10 is enough."""
    for length, recall in (10 - 1e-11, 1), (10 - 1e-8, 0):
        detections = [found([0, 0, 10, length], scores=[1])]
        assert coco_average_precision(detections, [true(HERE)], iou_thresholds=[1]).mean_recall == recall


def test_of_equal_overlaps_coco_takes_the_last():
    """The first detection overlaps both halves alike; the second one is the upper half, and needs it to be free."""
    upper, lower = [0, 0, 10, 5], [0, 5, 10, 10]
    detections = [found(HERE, upper, scores=[2, 1])]
    for labels, recall in (true(upper, lower), 1), (true(lower, upper), 0.5):
        assert coco_average_precision(detections, [labels], iou_thresholds=[0.5]).mean_recall == recall


def test_only_the_best_detections_of_an_image_count():
    """The hit has the eleventh score of its image: 10 detections an image are not enough, and 100 are."""
    detections = [found(*[FAR] * 10, HERE, scores=np.arange(11, 0, -1)), found(THERE, scores=[1])]
    labels = [true(HERE), true(THERE)]
    assert coco_average_precision(detections, labels, most=1).mean_recall == 0.5
    assert coco_average_precision(detections, labels, most=10).mean_recall == 0.5
    assert coco_average_precision(detections, labels, most=100).mean_recall == 1


def test_areas_outside_the_range_are_ignored():
    """HERE has the area 100, THERE 200. The wrong detection FAR has 81."""
    case = [found(HERE, THERE, FAR, scores=[1, 2, 3])], [true(HERE, THERE)]
    means = [coco_average_precision(*case, area_range=each).mean for each in ((0, 90), (100, 200), (150, 1e10))]
    assert means == [-1, pytest.approx(1), pytest.approx(1)]
    assert coco_average_precision(*case, area_range=(0, 100)).mean == pytest.approx(0.5)  # FAR is first and wrong
    assert coco_average_precision(*case, area_range=(0, 200)).mean == pytest.approx(2 / 3)
    given = true(HERE, THERE, areas=[200, 300])  # now THERE is ignored
    assert coco_average_precision(case[0], [given], area_range=(0, 200)).mean == pytest.approx(1 / 2)


def random_case(rng, images=3, classes=3):
    """Return detections and labels of some images, on a coarse grid, with equal scores, crowds and difficult boxes."""

    def boxes(count):
        start, size = rng.integers(0, 8, (count, 2)), rng.integers(0, 8, (count, 2))
        return np.concatenate([start, start + size], axis=1).astype(np.float32)

    detections, labels = [], []
    for _ in range(images):
        count, true_count = rng.integers(0, 12), rng.integers(0, 6)
        scores = rng.integers(0, 6, count) / 5
        detections.append({"boxes": boxes(count), "scores": scores, "classes": rng.integers(0, classes, count)})
        flags = rng.random(true_count) < 0.3
        labels.append({"boxes": boxes(true_count), "classes": rng.integers(0, classes, true_count), "flags": flags})
    return detections, labels


def with_flags(labels, key):
    return [{key: each["flags"], "boxes": each["boxes"], "classes": each["classes"]} for each in labels]


def test_both_rules_equal_the_twin(rng):
    for case in range(25):
        detections, labels = random_case(rng)
        for rule in "area", "11 points":
            result = voc_average_precision(detections, with_flags(labels, "difficult"), range(3), 0.4, rule)
            expected = [
                average_precision_naive(detections, with_flags(labels, "difficult"), each, 0.4, rule)
                for each in range(3)
            ]
            np.testing.assert_allclose(result.precisions[0], expected, rtol=0, atol=1e-12, err_msg=f"{case} {rule}")
        crowds, thresholds = with_flags(labels, "is_crowd"), (0.1, 0.25, 0.5, 1.0)
        most, area_range = int(rng.choice([1, 3, 100])), ((0, np.inf), (4, 20))[case % 2]
        result = coco_average_precision(detections, crowds, range(3), thresholds, most, area_range)
        for t, threshold in enumerate(thresholds):
            expected = [
                average_precision_naive(detections, crowds, each, threshold, "101 points", most, area_range)
                for each in range(3)
            ]
            np.testing.assert_allclose(result.precisions[t], expected, rtol=0, atol=1e-12, err_msg=str(case))


GOOD, LABEL = found(HERE, scores=[1]), true(HERE)


@pytest.mark.parametrize(
    "detections, labels, kind, said",
    [
        ([GOOD], [], ShapeError, "1 images"),
        ([{**GOOD, "scores": [1, 2]}], [LABEL], ShapeError, r"detections\[0\]\['scores'\]"),
        ([GOOD, GOOD], [LABEL, {**LABEL, "classes": [[1]]}], ShapeError, r"labels\[1\]\['classes'\]"),
        ([{**GOOD, "scores": [np.nan]}], [LABEL], DataError, "NaN"),
        ([{**GOOD, "scores": ["high"]}], [LABEL], DataError, "no array of numbers"),
        ([{**GOOD, "boxes": [[5, 0, 1, 1]]}], [LABEL], DataError, r"detections\[0\]\['boxes'\]\[0\].*ends before"),
        ([GOOD], [{**LABEL, "is_crwod": [True]}], DataError, "Do you mean is_crowd"),
        ([GOOD], [{"boxes": [HERE]}], DataError, "has no 'classes'"),
        ([[HERE]], [LABEL], DataError, "of type list"),
        ([{**GOOD, "classes": ["cat"]}], [LABEL], DataError, "names"),
    ],
)
def test_wrong_data_are_refused_by_name(detections, labels, kind, said):
    for measure in voc_average_precision, coco_average_precision:
        with pytest.raises(MinitlError, match=said) as error:
            measure(detections, labels)
        assert type(error.value) is kind


def test_what_a_rule_does_not_know_is_refused():
    for measure, key in ((voc_average_precision, "is_crowd"), (coco_average_precision, "difficult")):
        measure([GOOD], [{**LABEL, key: [False]}])
        with pytest.raises(DataError, match=key):
            measure([GOOD], [{**LABEL, key: [True]}])
    for wrong in ({"rule": "101 points"}, {"iou_threshold": 50}, {"iou_threshold": 0}):
        with pytest.raises(ArgumentError):
            voc_average_precision([GOOD], [LABEL], **wrong)
    for wrong in ({"most": 0}, {"iou_thresholds": [0.5, 50]}, {"area_range": (9, 1)}, {"area_range": 9}):
        with pytest.raises(ArgumentError):
            coco_average_precision([GOOD], [LABEL], **wrong)
    with pytest.raises(ArgumentError, match="0.52"):
        coco_average_precision([GOOD], [LABEL]).at(0.52)
    assert len(COCO_THRESHOLDS) == 10 and COCO_THRESHOLDS[0] == 0.5 and COCO_THRESHOLDS[-1] == 0.95

"""The middle of the page: confused classes, calibration, the most confident mistakes, and Grad-CAM."""

import numpy as np

from .charts import bar, reliability
from .heat import laid_over
from .html import figure, image, join, name, percent, scrolling, sure, table, tag
from .sections import LONGEST

MOST_CELLS = 20  # classes whose confusion is shown as a matrix
WIDE_MATRIX = 5  # classes from which on a matrix does not fit a telephone
MOST_PAIRS, FEW_PAIRS = 25, 10


def confusion(evaluation):
    """Show the confusion matrix (or the confused pairs of many classes), figures of each class, and calibration, of an
    `Evaluation`."""
    classes = len(evaluation.class_names)
    by_class = join(
        tag("h3", "Class by class"),
        tag(
            "p",
            tag("b", "Precision"),
            ": of the predictions of this class, how many are right. ",
            tag("b", "Recall"),
            f": of the {evaluation.noun}s of this class, how many are predicted rightly. ",
            "The lowest recall comes first.",
        ),
        _by_class(evaluation),
    )
    pairs = tag("div", tag("h3", "Most often confused"), _pairs(evaluation))
    return join(
        _matrix_of(evaluation) if classes <= MOST_CELLS else "",
        tag("div", tag("div", by_class), pairs, class_="beside even") if classes > 2 else by_class,
        tag("h3", "Can its probabilities be trusted?"),
        _calibration(evaluation),
    )


def _matrix_of(evaluation):
    """Show the confusion matrix of examples."""
    words = (
        f"A row holds the {evaluation.noun}s of one class, a column the predictions of one class. The diagonal (blue) "
        "is right. The other cells (orange) are mistakes; the stronger the colour, the more of them."
    )
    return matrix(evaluation.class_names, evaluation.confusion, words, lambda count, share: f"{count:,}")


def matrix(names, confusion, words, cell_text):
    """Show a confusion matrix: labels are rows, predictions are columns.

    words       the caption;   cell_text   `cell_text(count, share of the row)` -> the text of a cell that is not 0
    """
    totals = np.maximum(confusion.sum(axis=1), 1)
    heads = [tag("th", tag("div", name(each, 18)), scope="col") for each in names]
    head = tag("tr", tag("td", "label ↓  prediction →", class_="corner"), heads)
    body = [
        tag(
            "tr",
            tag("th", name(each, LONGEST), scope="row"),
            [_cell(each, names[predicted], count, count / totals[label], predicted == label, cell_text)
             for predicted, count in enumerate(confusion[label])],
        )
        for label, each in enumerate(names)
    ]  # fmt: skip
    whole = tag("table", tag("thead", head), tag("tbody", body), class_="matrix")
    return figure(scrolling(whole, "Confusion matrix", len(names) >= WIDE_MATRIX), words)


def _cell(label, predicted, count, share, is_right, cell_text):
    """Return a cell of the confusion matrix."""
    title = f"{label} predicted as {predicted}: {count:,} ({share:.0%})"
    if not count:
        return tag("td", "·", class_="none", title=title)
    depth = share if is_right else min(1, 2.5 * share)  # two mistakes in five images have the full colour
    kind = ("right" if is_right else "wrong") + (" deep" if depth > 0.7 else "")
    return tag("td", cell_text(count, share), class_=kind, style=f"--share:{depth:.3f}", title=title)


def _pairs(evaluation):
    """Show the most confused pairs of classes."""
    names, many = evaluation.class_names, len(evaluation.class_names) > MOST_CELLS
    wrong = evaluation.confusion - np.diag(evaluation.confusion.diagonal())
    totals = evaluation.confusion.sum(axis=1)
    order = np.argsort(-wrong, axis=None, kind="stable")[: MOST_PAIRS if many else FEW_PAIRS]
    pairs = [(a, b, int(wrong[a, b])) for a, b in zip(*np.unravel_index(order, wrong.shape)) if wrong[a, b]]
    if not pairs:
        return tag("p", f"There is no mistake: all held-back {evaluation.noun}s were predicted rightly.")
    rows = [
        (
            name(names[a], LONGEST),
            name(names[b], LONGEST),
            join(f"{count:,}", bar(count / pairs[0][2], "b")),
            percent(count / totals[a], 0),
        )
        for a, b, count in pairs
    ]
    why = f"A matrix of {len(names)} classes would be {len(names) ** 2:,} cells, most of them empty. " if many else ""
    return join(
        tag("p", why, f"The most frequent mistakes, and their share of all {evaluation.noun}s with this label."),
        table(
            ["label", "prediction", f"{evaluation.noun}s #", "of the label #"],
            rows,
            "The most confused pairs of classes",
        ),
    )


def _by_class(evaluation):
    """Show precision, recall and F1 of each class."""
    totals = evaluation.confusion.sum(axis=1)
    order = np.argsort(np.where(np.isnan(evaluation.recall), 2, evaluation.recall), kind="stable")

    def cell(share):
        return join(percent(share), bar(0 if np.isnan(share) else share))

    rows = [
        (
            name(evaluation.class_names[k], LONGEST),
            f"{totals[k]:,}",
            cell(evaluation.precision[k]),
            cell(evaluation.recall[k]),
            percent(evaluation.f1[k]),
        )
        for k in order
    ]
    return table(
        ["class", f"{evaluation.noun}s #", "precision #", "recall #", "F1 #"], rows, "Precision and recall by class"
    )


def _calibration(evaluation):
    """Show the chart of calibration, with its figures in words."""
    error, rows = evaluation.calibration()
    mean = float(evaluation.probabilities.max(axis=1).mean())
    gap = 100 * (mean - evaluation.accuracy)
    chart = figure(
        reliability(rows, evaluation.noun),
        f"Each dot stands for {evaluation.noun}s whose predictions have about the same probability; its area is their "
        "number. On the dashed line, predictions of 80% are right in 80% of the cases. Below it, the network is too "
        "sure.",
    )
    words = tag(
        "p",
        f"The mean probability of its predictions is {percent(mean)}, and {percent(evaluation.accuracy)} of them are "
        "right: the network is ",
        tag("strong", f"too {'sure' if gap > 0 else 'modest'} by {abs(gap):.1f} points"),
        f". The gap between a dot and the line, averaged over all {evaluation.noun}s, is the expected calibration ",
        "error: ",
        tag("strong", f"{100 * error:.1f} points"),
        " (Guo et al. 2017).",
    )
    return tag("div", chart, words, class_="beside even")


def mistakes(fine_tuning, findings):
    """Show the images of the most confident mistakes."""
    evaluation, names = fine_tuning.evaluation, fine_tuning.class_names
    count, wrong = len(evaluation.labels), int((evaluation.predicted != evaluation.labels).sum())
    if not wrong:
        all_right = f"There is no mistake: all {count:,} held-back images were predicted rightly."
        return tag("p", all_right, " The interval at the top says how much that proves.")
    if not findings.mistakes:
        return tag("p", f"There are {wrong:,} mistakes, but their images cannot be read any more.")
    cards = [
        tag(
            "li",
            image(case.rgb, f"{names[case.label]}, predicted as {names[case.predicted]}"),
            tag("p", "predicted ", tag("strong", name(names[case.predicted], LONGEST)), f" ({sure(case.probability)})"),
            tag("p", "is ", tag("strong", name(names[case.label], LONGEST)), f" ({sure(case.probability_of_label)})"),
            tag("p", name(case.name, 34), class_="muted"),
        )
        for case in findings.mistakes
    ]
    shown = f"the {len(cards)} most confident ones" if wrong > len(cards) else "all of them, the most confident first"
    words = (
        f"{wrong:,} of {count:,} held-back images were predicted wrongly. Here are {shown}. Look at them: a label may "
        "be wrong, the object may lie outside of the crop, or the image may show both classes."
    )
    return join(tag("p", words), tag("ul", cards, class_="cards"))


def where_it_looked(fine_tuning, findings):
    """Show images beside their Grad-CAM maps: some right predictions, and the most confident mistakes."""
    wrong = [case for case in findings.mistakes if case.cam_predicted is not None]
    is_right = fine_tuning.evaluation.predicted == fine_tuning.evaluation.labels
    gone, none_right = "Their images cannot be read any more.", "No image was predicted rightly."
    scale = tag("span", "", class_="scale", aria_hidden="true")
    return join(
        tag("p", "Grad-CAM (Selvaraju et al. 2017) shows which places of the image speak for a class. It adds up the "
            "maps of the layer ", tag("code", findings.cam_layer), "; the weight of a map is how much the score of the "
            "class grows with it. Check whether the object itself counts, or its usual background."),
        tag("p", tag("span", "counts for nothing"), scale, tag("span", "speaks for the class below"), class_="colours"),
        tag("h3", "Right predictions"),
        _cams(fine_tuning, findings.right, "cams", gone if is_right.any() else none_right),
        tag("h3", "Mistakes: the places that speak for the prediction, and for the label"),
        _cams(fine_tuning, wrong, "cams three", "There is no mistake to look at." if is_right.all() else gone),
    )  # fmt: skip


def _cams(fine_tuning, cases, class_, otherwise):
    """Show each case: its image, the map for the prediction, and for a mistake the map for the label."""
    if not cases:
        return tag("p", otherwise, class_="muted")
    names, rows = fine_tuning.class_names, []
    for case in cases:
        original = image(case.rgb, f"an image of {names[case.label]}")
        views = [tag("figure", original, tag("figcaption", "the image"))]
        for heat, label in (case.cam_predicted, case.predicted), (case.cam_label, case.label):
            if heat is not None:
                overlay = image(laid_over(case.rgb, heat), f"the places that speak for {names[label]}")
                nothing = "" if heat.max() > 0 else " (nothing)"
                caption = tag("figcaption", "for ", tag("b", name(names[label], 16)), nothing)
                views.append(tag("figure", overlay, caption))
        rows.append(tag("li", views))
    return tag("ul", rows, class_=class_)

"""The middle of the page: what is confused with what, whether the probabilities can be trusted, the most confident
mistakes, and where the network looked."""

import numpy as np

from .charts import bar, reliability
from .heat import laid_over
from .html import figure, join, name, percent, picture, sure, table, tag
from .sections import LONGEST

MOST_CELLS = 20  # classes whose confusion is shown as a matrix
MOST_PAIRS, FEW_PAIRS = 25, 10


def confusion(fine_tuning):
    """Show the matrix, or the pairs of many classes; figures of each class; calibration."""
    evaluation, classes = fine_tuning.evaluation, len(fine_tuning.class_names)
    by_class = join(
        tag("h3", "Class by class"),
        tag("p", tag("b", "Precision"), ": of the pictures that were called so, how many are. "
            , tag("b", "Recall"), ": of the pictures that are, how many were called so. The worst recall comes first."),
        _by_class(evaluation),
    )  # fmt: skip
    pairs = tag("div", tag("h3", "Most often confused"), _pairs(evaluation))
    return join(
        _matrix(evaluation) if classes <= MOST_CELLS else "",
        tag("div", tag("div", by_class), pairs, class_="beside even") if classes > 2 else by_class,
        tag("h3", "Can its probabilities be trusted?"),
        _calibration(evaluation),
    )


def _matrix(evaluation):
    """True classes are rows, what they were called are columns."""
    names, totals = evaluation.class_names, np.maximum(evaluation.confusion.sum(axis=1), 1)
    heads = [tag("th", tag("div", name(each, 18)), scope="col") for each in names]
    head = tag("tr", tag("td", "is ↓  called →", class_="corner"), heads)
    body = [
        tag(
            "tr",
            tag("th", name(each, LONGEST), scope="row"),
            [_cell(each, names[called], count, count / totals[label], called == label)
             for called, count in enumerate(evaluation.confusion[label])],
        )
        for label, each in enumerate(names)
    ]  # fmt: skip
    whole = tag("table", tag("thead", head), tag("tbody", body), class_="matrix")
    return figure(
        tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label="Confusion matrix"),
        "Each row is the pictures of one class, each column what they were called. The diagonal (blue) is right; what "
        "lies beside it (orange) is confused, the stronger the more often.",
    )


def _cell(true, called, count, share, is_right):
    title = f"{true} called {called}: {count:,} ({share:.0%})"
    if not count:
        return tag("td", "·", class_="none", title=title)
    depth = share if is_right else min(1, 2.5 * share)  # to be wrong in two of five cases is as bad as can be
    kind = ("right" if is_right else "wrong") + (" deep" if depth > 0.7 else "")
    return tag("td", f"{count:,}", class_=kind, style=f"--share:{depth:.3f}", title=title)


def _pairs(evaluation):
    """Say what is most often taken for what."""
    names, many = evaluation.class_names, len(evaluation.class_names) > MOST_CELLS
    wrong = evaluation.confusion - np.diag(evaluation.confusion.diagonal())
    totals = evaluation.confusion.sum(axis=1)
    order = np.argsort(-wrong, axis=None, kind="stable")[: MOST_PAIRS if many else FEW_PAIRS]
    pairs = [(a, b, int(wrong[a, b])) for a, b in zip(*np.unravel_index(order, wrong.shape)) if wrong[a, b]]
    if not pairs:
        return tag("p", "No class was taken for another one: there is no mistake among the held-back pictures.")
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
        tag("p", why, "What was most often taken for what, and how large a part of its class that is."),
        table(["is", "was called", "pictures #", "of its class #"], rows, "The most confused pairs of classes"),
    )


def _by_class(evaluation):
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
    return table(["class", "pictures #", "precision #", "recall #", "F1 #"], rows, "Precision and recall by class")


def _calibration(evaluation):
    error, rows = evaluation.calibration()
    mean = float(evaluation.probabilities.max(axis=1).mean())
    gap = 100 * (mean - evaluation.accuracy)
    chart = figure(
        reliability(rows),
        "Each dot stands for the pictures of which the network was about equally sure; its area is how many. On the "
        "dashed line, 80% sure means right in 80% of the cases; below it the network is too sure.",
    )
    words = tag(
        "p",
        f"It was {percent(mean)} sure on average and right in {percent(evaluation.accuracy)} of the cases: ",
        tag("strong", f"too {'sure' if gap > 0 else 'modest'} by {abs(gap):.1f} points"),
        ". The gap between a dot and the line, averaged over all pictures, is the expected calibration error: ",
        tag("strong", f"{100 * error:.1f} points"),
        " (Guo et al. 2017).",
    )
    return tag("div", chart, words, class_="beside even")


def mistakes(fine_tuning, findings):
    """Show the most confident mistakes, with their pictures."""
    evaluation, names = fine_tuning.evaluation, fine_tuning.class_names
    count, wrong = len(evaluation.labels), int((evaluation.predicted != evaluation.labels).sum())
    if not wrong:
        return tag("p", f"There is none: all {count:,} held-back pictures were called by their right name. The "
                   "interval at the top says how much that proves.")  # fmt: skip
    if not findings.mistakes:
        return tag("p", f"There are {wrong:,} of them, but their pictures cannot be read any more.")
    cards = [
        tag(
            "li",
            picture(case.rgb, f"{names[case.label]}, called {names[case.called]}"),
            tag("p", "called ", tag("strong", name(names[case.called], LONGEST)), f", {sure(case.sure)} sure"),
            tag("p", "is ", tag("strong", name(names[case.label], LONGEST)), f" ({sure(case.sure_of_label)})"),
            tag("p", name(case.name, 34), class_="muted"),
        )
        for case in findings.mistakes
    ]
    shown = f"the {len(cards)} of which it was most sure" if wrong > len(cards) else "all of them, the surest first"
    return join(
        tag("p", f"{wrong:,} of {count:,} held-back pictures got a wrong name; here are {shown}. They are worth a "
            "look: the label may be wrong, the thing may lie outside of the crop, or the picture shows both."),
        tag("ul", cards, class_="cards"),
    )  # fmt: skip


def where_it_looked(fine_tuning, findings):
    """Show Grad-CAM beside the picture: of some right ones and of the surest wrong ones."""
    wrong = [case for case in findings.mistakes if case.cam_called is not None]
    is_right = fine_tuning.evaluation.predicted == fine_tuning.evaluation.labels
    gone, none_right = "Their pictures cannot be read any more.", "No picture was called by its right name."
    scale = tag("span", "", class_="scale", aria_hidden="true")
    return join(
        tag("p", "Grad-CAM (Selvaraju et al. 2017) asks which places of the last maps speak for an answer: those of ",
            tag("code", findings.cam_layer), ", each weighed by how much more of it would raise the answer's score, "
            "and added up. Look whether it is the thing itself that counts, or the background it usually has."),
        tag("p", tag("span", "counts for nothing"), scale, tag("span", "speaks for the name below"), class_="colours"),
        tag("h3", "Right"),
        _cams(fine_tuning, findings.right, "cams", gone if is_right.any() else none_right),
        tag("h3", "Wrong: why this, and where is the right answer?"),
        _cams(fine_tuning, wrong, "cams three", "There is no mistake to look at." if is_right.all() else gone),
    )  # fmt: skip


def _cams(fine_tuning, cases, class_, otherwise):
    """Show each case: its picture, the map of what it was called, and of a wrong one the map of what it is."""
    if not cases:
        return tag("p", otherwise, class_="muted")
    names, rows = fine_tuning.class_names, []
    for case in cases:
        views = [
            tag("figure", picture(case.rgb, f"a picture of {names[case.label]}"), tag("figcaption", "the picture"))
        ]
        for heat, label in (case.cam_called, case.called), (case.cam_label, case.label):
            if heat is not None:
                image = picture(laid_over(case.rgb, heat), f"the same picture: where {names[label]} was seen")
                nothing = "" if heat.max() > 0 else " (nothing)"
                views.append(tag("figure", image, tag("figcaption", "for ", tag("b", name(names[label], 16)), nothing)))
        rows.append(tag("li", views))
    return tag("ul", rows, class_=class_)

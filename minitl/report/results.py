"""The middle of the page: what is confused with what, whether the probabilities can be trusted, the most confident
mistakes, and where the network looked."""

import numpy as np

from .charts import bar, reliability
from .heat import laid_over
from .html import figure, join, name, percent, picture, table, tag
from .sections import LONGEST

MOST_CELLS = 20  # classes whose confusion is shown as a matrix
MOST_PAIRS = 25


def confusion(happened):
    """The matrix, or the pairs of many classes; figures of each class; calibration."""
    evaluation = happened.evaluation
    classes = len(happened.class_names)
    error, rows = evaluation.calibration()
    sure = float(evaluation.probabilities.max(axis=1).mean())
    direction = "too sure" if sure > evaluation.accuracy else "too modest"
    return join(
        _matrix(evaluation) if classes <= MOST_CELLS else "",
        _pairs(evaluation) if classes > 2 else "",
        tag("h3", "Class by class"),
        tag("p", tag("b", "Precision"), ": of the pictures that were called so, how many are. ", tag("b", "Recall"),
            ": of the pictures that are, how many were called so. The worst recall first."),
        _by_class(evaluation),
        tag("h3", "Can its probabilities be trusted?"),
        tag("div",
            figure(reliability(rows), "Each dot is the pictures of which the network was about equally sure; its area is how "
                   "many. On the dashed line, 80% sure means right in 80% of the cases; below it the network is too sure."),
            tag("p", "It was ", tag("strong", f"{percent(sure)} sure"), " on average and ",
                tag("strong", f"right in {percent(evaluation.accuracy)}"), f" of the cases: {direction} by "
                f"{100 * abs(sure - evaluation.accuracy):.1f} points. The mean gap between a dot and the line, weighted by "
                f"pictures, is the expected calibration error: {100 * error:.1f} points (Guo et al. 2017)."),
            class_="beside even"),
    )  # fmt: skip


def _matrix(evaluation):
    """True classes are rows, what they were called are columns."""
    names = evaluation.class_names
    totals = np.maximum(evaluation.confusion.sum(axis=1), 1)
    head = tag("tr", tag("td", "is ↓  called →", class_="corner"),
               [tag("th", tag("div", name(each, 18)), scope="col") for each in names])  # fmt: skip
    body = []
    for label, each in enumerate(names):
        cells = []
        for called, count in enumerate(evaluation.confusion[label]):
            share = count / totals[label]
            kind = "right" if called == label else "wrong"
            depth = share if called == label else min(1, 2.5 * share)  # a fifth of a class is many to be wrong
            cells.append(
                tag("td", f"{count:,}" if count else "·", class_=f"{kind} {'deep' if depth > 0.55 else ''}".strip() if count else "none",
                    style=f"--share:{depth:.3f}" if count else None,
                    title=f"{each} called {names[called]}: {count:,} ({share:.0%})")
            )  # fmt: skip
        body.append(tag("tr", tag("th", name(each, LONGEST), scope="row"), cells))
    whole = tag("table", tag("thead", head), tag("tbody", body), class_="matrix")
    caption = (
        "Each row is the pictures of one class, each column what they were called. The diagonal (blue) is right; what lies "
        "beside it (orange) is confused, the stronger the more often."
    )
    return figure(
        tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label="Confusion matrix"), caption
    )


def _pairs(evaluation):
    """What is most often taken for what."""
    wrong = evaluation.confusion - np.diag(evaluation.confusion.diagonal())
    totals = evaluation.confusion.sum(axis=1)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    labels, called = np.unravel_index(order, wrong.shape)
    many = len(evaluation.class_names) > MOST_CELLS
    pairs = [(a, b, int(wrong[a, b])) for a, b in zip(labels, called) if wrong[a, b]][: None if many else 5]
    if not pairs:
        return tag("p", "No class was taken for another one: there is no mistake among the held-back pictures.")
    most = pairs[0][2]
    rows = [
        (name(evaluation.class_names[a], LONGEST), name(evaluation.class_names[b], LONGEST),
         tag("span", f"{count:,}", bar(count / most, "b")), percent(count / totals[a], 0))
        for a, b, count in pairs
    ]  # fmt: skip
    cells = (
        f"{len(evaluation.class_names)} classes would be {len(evaluation.class_names) ** 2:,} cells. " if many else ""
    )
    return join(
        tag("h3", "Most often confused"),
        tag("p", f"{cells}What was most often taken for what:"),
        table(["is", "was called", "pictures #", "of its class #"], rows, "tall", "The most confused pairs of classes"),
    )


def _by_class(evaluation):
    totals = evaluation.confusion.sum(axis=1)
    order = np.argsort(np.where(np.isnan(evaluation.recall), 2, evaluation.recall), kind="stable")

    def cell(share):
        return join(percent(share), bar(0 if np.isnan(share) else share))

    rows = [
        (name(evaluation.class_names[k], LONGEST), f"{totals[k]:,}", cell(evaluation.precision[k]), cell(evaluation.recall[k]),
         percent(evaluation.f1[k]))
        for k in order
    ]  # fmt: skip
    return table(
        ["class", "pictures #", "precision #", "recall #", "F1 #"], rows, "tall", "Precision and recall by class"
    )


def mistakes(happened, findings):
    """The most confident ones, with their pictures."""
    evaluation = happened.evaluation
    wrong = int((evaluation.predicted != evaluation.labels).sum())
    if not wrong:
        count = len(evaluation.labels)
        return tag("p", f"There is none: all {count:,} held-back pictures were called by their right name. The interval above "
                   "says how much that proves.")  # fmt: skip
    if not findings.mistakes:
        return tag("p", f"There are {wrong:,}, but their pictures cannot be read any more.")
    names = evaluation.class_names
    cards = [
        tag("li",
            picture(case.rgb, f"{names[case.label]}, called {names[case.called]}"),
            tag("p", "called ", tag("strong", name(names[case.called], LONGEST)), f", {case.sure:.0%} sure"),
            tag("p", "is ", tag("strong", name(names[case.label], LONGEST)), f" ({case.sure_of_label:.0%})"),
            tag("p", name(case.name, 34), class_="muted file"))
        for case in findings.mistakes
    ]  # fmt: skip
    shown = f"the {len(cards)} of which it was most sure" if wrong > len(cards) else "all of them, the surest first"
    return join(
        tag("p", f"{wrong:,} of {len(evaluation.labels):,} held-back pictures got a wrong name; here are {shown}. Such mistakes "
            "are worth a look: often the label is wrong, the thing lies outside of the crop, or the picture shows both."),
        tag("ul", cards, class_="cards"),
    )  # fmt: skip


def where_it_looked(happened, findings):
    """Grad-CAM, beside the picture: of some right ones and of the surest wrong ones."""
    names = happened.class_names

    def views(case):
        shown = [(case.rgb, "the picture", f"{names[case.label]}: the picture")]
        for map_, label, words in (
            (case.cam_called, case.called, "for"),
            (case.cam_label, case.label, "for"),
        ):
            if map_ is not None:
                nothing = "" if map_.max() > 0 else " (nothing)"
                alt = f"where the network saw {names[label]}"
                shown.append(
                    (laid_over(case.rgb, map_), join(words, " ", tag("b", name(names[label], 16)), nothing), alt)
                )
        return tag("li", [tag("figure", picture(rgb, alt), tag("figcaption", what)) for rgb, what, alt in shown])

    def group(title, cases, otherwise):
        rows = (
            tag("ul", [views(case) for case in cases], class_="cams") if cases else tag("p", otherwise, class_="muted")
        )
        return join(tag("h3", title), rows)

    wrong = [case for case in findings.mistakes if case.cam_called is not None]
    any_wrong = bool((happened.evaluation.predicted != happened.evaluation.labels).any())
    return join(
        tag("p", "Grad-CAM (Selvaraju et al. 2017) asks which places of the last maps speak for an answer: the maps of ",
            tag("code", findings.cam_layer), ", each weighed by how much more of it would raise the answer's score, and added "
            "up. ", tag("b", "Yellow"), " speaks for the name below, ", tag("b", "dark blue"), " does not count. Look whether "
            "it is the thing itself, or the background it usually stands before."),
        tag("p", tag("span", "nothing"), tag("span", "", class_="scale", aria_hidden="true"), tag("span", "most"), class_="colours"),
        group("Right", findings.right, "No picture was called by its right name."),
        group("Wrong: why this, and where was the right answer?", wrong,
              "Their pictures cannot be read any more." if any_wrong else "There is no mistake to look at."),
    )  # fmt: skip

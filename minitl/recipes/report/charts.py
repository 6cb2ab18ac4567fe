"""Charts as inline SVG, in units that are about pixels on a phone.

Their colours are the page's (CSS classes `a`, `b`, `line`, `grid`, ...), so they fit its light and its dark style. Text
is text in SVG: it can be read out, searched, and printed sharply. Each chart is an <svg>.
"""

import math

from ...terminal import counted
from .html import Markup, tag

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 12, 38  # room for the numbers at the axes
MOST_POINTS = 300  # of a curve: more would not be seen


class Axes:
    """The axes of a chart: `x(value)` and `y(value)` are the place of a number in the chart."""

    def __init__(self, x_range, y_range, height=HEIGHT, left=LEFT):
        self.x_range, self.y_range, self.height, self.left = x_range, y_range, height, left

    def x(self, value):
        """Return the horizontal place of a value."""
        low, high = self.x_range
        return round(self.left + (value - low) / ((high - low) or 1) * (WIDTH - self.left - RIGHT), 1)

    def y(self, value):
        """Return the vertical place of a value."""
        low, high = self.y_range
        return round(self.height - BOTTOM - (value - low) / ((high - low) or 1) * (self.height - BOTTOM - TOP), 1)

    def frame(self, x_ticks, y_ticks, x_label, x_text=str, y_text=str):
        """Return grid lines with their numbers, and the label of the x axis."""
        parts = []
        for value in y_ticks:
            parts.append(tag("line", x1=self.left, x2=WIDTH - RIGHT, y1=self.y(value), y2=self.y(value), class_="grid"))
            parts.append(tag("text", y_text(value), x=self.left - 7, y=self.y(value) + 4, text_anchor="end"))
        floor = self.height - BOTTOM
        for value in x_ticks:
            parts.append(tag("text", x_text(value), x=self.x(value), y=floor + 17, text_anchor="middle"))
        middle = (self.left + WIDTH - RIGHT) / 2
        parts.append(tag("text", x_label, x=middle, y=self.height - 4, text_anchor="middle", class_="axis"))
        return parts


def line_chart(title, series, y_range=None, y_text="{:g}".format, stepwise=False):
    """Return a chart of numbers epoch by epoch. If there are few points, they are marked.

    series     a list of (name, CSS class, values)
    y_range    (lowest, highest); default: from 0 to a round number above all values
    stepwise   draw steps: each number holds until the next one
    """
    longest = max(len(values) for _, _, values in series)
    everything = [value for _, _, values in series for value in values]
    y_ticks = ticks(*(y_range or (0, max(everything))))
    axes = Axes((1, max(2, longest)), (y_ticks[0], y_ticks[-1]))
    whole = [value for value in ticks(1, max(2, longest)) if value == int(value) and 1 <= value <= longest]
    parts = axes.frame(sorted({1, *map(int, whole)} - ({2} if longest > 8 else set())), y_ticks, "epoch", str, y_text)
    for _, class_, values in series:
        points = [(axes.x(epoch), axes.y(value)) for epoch, value in enumerate(values, start=1)]
        corners = [corner for before, point in zip(points, points[1:]) for corner in (before, (point[0], before[1]))]
        line = [*corners, points[-1]] if stepwise else points
        parts.append(tag("polyline", points=" ".join(f"{x},{y}" for x, y in line), class_=f"line {class_}"))
        for x, y in points if len(points) <= 8 else points[-1:]:
            parts.append(tag("circle", cx=x, cy=y, r=3.2, class_=f"dot {class_}"))
    description = "; ".join(
        f"{name}: {y_text(values[0])} after epoch 1, {y_text(values[-1])} after epoch {len(values)}"
        for name, _, values in series
    )
    return svg(f"{title} by epoch. {description}.", parts)


def reliability(rows, noun="image"):
    """Return a chart of accuracy (y) against probability (x): `rows` are those of `Evaluation.calibration`, and `noun`
    is the word for an example.

    The area of a dot is its number of examples. A line leads from the dot to the diagonal, where it should lie.
    """
    axes = Axes((0, 1), (0, 1), height=320, left=44)
    places = (0, 0.25, 0.5, 0.75, 1)
    text = "{:.0%}".format
    parts = axes.frame(places, places, "mean probability of the predictions", text, text)
    corner = dict(x1=axes.x(0), y1=axes.y(0), x2=axes.x(1), y2=axes.y(1))
    parts.append(tag("line", **corner, class_="diagonal"))
    most = max(count for _, _, count, _, _ in rows)
    for _, _, count, sure, right in rows:
        x = axes.x(sure)
        parts.append(tag("line", x1=x, x2=x, y1=axes.y(sure), y2=axes.y(right), class_="gap"))
        words = f"{counted(count, noun)}: probability {sure:.0%}, accuracy {right:.0%}"
        size = round(3 + 11 * math.sqrt(count / most), 1)
        parts.append(tag("circle", tag("title", words), cx=x, cy=axes.y(right), r=size, class_="bubble"))
    description = "; ".join(
        f"probability {sure:.0%}, accuracy {right:.0%} ({counted(count, noun)})" for _, _, count, sure, right in rows
    )
    return svg(f"Calibration. {description}.", parts, height=320)


def intervals(rows, what="Accuracies"):
    """Return a chart of accuracies (or other shares) with their intervals, one above the other.

    rows   (name, accuracy, low, high, CSS class) of each;   what   the word for them
    """
    step, left = 44, 4
    height = TOP + step * len(rows) + BOTTOM - 6
    places = ticks(min(low for _, _, low, _, _ in rows), max(high for _, _, _, high, _ in rows))
    places = [place for place in places if place <= 1.0001]
    axes = Axes((places[0], places[-1]), (0, 1), height=height, left=left + 8)
    digits = 0 if all(abs(place * 100 - round(place * 100)) < 1e-6 for place in places) else 1  # of a narrow interval
    parts = []
    for place in places:
        x = axes.x(place)
        parts.append(tag("line", x1=x, x2=x, y1=TOP, y2=height - BOTTOM + 6, class_="grid"))
        parts.append(tag("text", f"{place:.{digits}%}", x=x, y=height - BOTTOM + 22, text_anchor="middle"))
    for number, (name, accuracy, low, high, class_) in enumerate(rows):
        y = TOP + step * number + 26
        parts.append(tag("line", x1=axes.x(low), x2=axes.x(high), y1=y, y2=y, class_=f"interval {class_}"))
        parts.append(tag("circle", cx=axes.x(accuracy), cy=y, r=6, class_=f"dot {class_}"))
        parts.append(tag("text", f"{name}, {accuracy:.1%}", x=left + 8, y=y - 12, class_=f"name {class_}"))
    description = "; ".join(
        f"{name}: {accuracy:.1%}, between {low:.1%} and {high:.1%}" for name, accuracy, low, high, _ in rows
    )
    return svg(f"{what} with their 95% intervals. {description}.", parts, height=height)


def precision_and_recall(title, recalls, precisions, chosen=None):
    """Return a chart of precision (y) against recall (x), after each found box, from the best score down.

    recalls, precisions   arrays (D,);   chosen   the (recall, precision) to mark, or None
    """
    axes, text = Axes((0, 1), (0, 1)), "{:.0%}".format
    places = (0, 0.25, 0.5, 0.75, 1)
    parts = axes.frame(places, places, "recall", text, text)
    step = max(1, len(recalls) // MOST_POINTS)
    points = [f"{axes.x(recall)},{axes.y(precision)}" for recall, precision in zip(recalls[::step], precisions[::step])]
    parts.append(tag("polyline", points=" ".join(points), class_="line a"))
    description = f"{title}: precision by recall."
    if chosen is not None:
        parts.append(tag("circle", cx=axes.x(chosen[0]), cy=axes.y(chosen[1]), r=5, class_="dot b"))
        description += f" At the marked score, recall {text(chosen[0])} and precision {text(chosen[1])}."
    return svg(description, parts)


def shares(parts):
    """Return one bar of several parts, each (name, number, CSS class)."""
    total, x, drawn = sum(number for _, number, _ in parts), 0.0, []
    for name, number, class_ in parts:
        width = number / total * WIDTH
        if number:
            place = {"x": round(x, 2), "y": 0, "width": round(width, 2), "height": 14}
            drawn.append(tag("rect", tag("title", f"{name}: {number:,}"), **place, class_=f"share {class_}"))
        x += width
    description = "; ".join(f"{name}: {number:,}" for name, number, _ in parts)
    size = {"viewBox": f"0 0 {WIDTH} 14", "preserveAspectRatio": "none"}
    return tag("svg", drawn, **size, role="img", aria_label=description, class_="shares")


def svg(label, parts, height=HEIGHT):
    """Return an <svg> with a description for those who do not see it."""
    return tag("svg", parts, viewBox=f"0 0 {WIDTH} {height}", role="img", aria_label=label, class_="chart")


def legend(*entries):
    """Return a legend of (name, CSS class), as HTML above the charts."""
    items = [tag("li", tag("span", "", class_=f"key {class_}", aria_hidden="true"), name) for name, class_ in entries]
    return tag("ul", items, class_="legend")


def ticks(low, high, about=5):
    """Return round numbers from at most `low` to at least `high`, in steps of 1, 2 or 5 times a power of ten."""
    if high <= low:
        high = low + (abs(low) or 1) * 0.1
    rough = (high - low) / about
    power = 10 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{number * step:.10g}") for number in range(first, last + 1)]


def bar(share, class_="a"):
    """Return a bar for a cell of a table; its length is `share`, from 0 to 1."""
    return tag("span", Markup(""), class_=f"bar {class_}", style=f"--share:{share:.4f}", aria_hidden="true")

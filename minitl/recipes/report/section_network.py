"""The end of the page: what the network's first kernels and its maps look like, and what each part of it costs."""

import numpy as np

from .charts import bar
from .heat import coloured, sheet, stretched
from .html import figure, join, name, picture, table, tag

SMALLEST_TILE = 44  # pixels: smaller maps are enlarged without smoothing, since each of their numbers is one square


def kernel_sheet(kernels, columns):
    """Kernels (F, KH, KW, 3) as one picture, each number a square."""
    times = max(1, 21 // kernels.shape[1])
    tiles = np.repeat(np.repeat(np.round(kernels * 255).astype(np.uint8), times, axis=1), times, axis=2)
    return sheet(tiles, columns, 3)


def map_sheet(maps, columns):
    """`measured.Maps` as one picture, each map from its smallest number (blue) to its largest (yellow)."""
    tiles = coloured(stretched(maps.maps)).astype(np.uint8)
    times = max(1, -(-SMALLEST_TILE // tiles.shape[1]))
    step = max(1, tiles.shape[1] // 112)
    tiles = np.repeat(np.repeat(tiles[:, ::step, ::step], times, axis=1), times, axis=2)
    return sheet(tiles, columns, max(2, tiles.shape[1] // 16))


def what_it_sees(fine_tuning, findings):
    """First-layer kernels, and feature maps of one picture."""
    return join(
        tag("h3", "The first kernels"),
        _kernels(findings.kernels),
        tag("h3", "One picture on its way through the network"),
        _maps(fine_tuning, findings),
    )


def _kernels(kernels):
    if kernels is None:
        return tag("p", "The first convolution does not look at three colours, so its kernels are no pictures.")
    count, height, width, _ = kernels.shape
    image = picture(kernel_sheet(kernels, 16), f"the {count} kernels of the first convolution, as colours", "sheet")
    return figure(
        image,
        f"The {count} kernels of the first convolution, {height}x{width} pixels each, as the colours that they look "
        "for (grey is 0). Some look for an edge in one direction, some for a colour. Nobody drew them: they were "
        "learned from photographs, and transferred.",
    )  # fmt: skip


def _maps(fine_tuning, findings):
    if findings.traced is None:
        return tag("p", "No held-back picture can be read any more.")
    label = fine_tuning.class_names[findings.traced.label]
    original = picture(findings.traced.rgb, f"a picture of {label}", "original")
    rows = [tag("li", tag("h4", "the picture"), tag("p", name(label, 28), class_="muted"), original)]
    for maps in findings.maps:
        height, width, channels = maps.shape
        image = picture(map_sheet(maps, 8), f"{len(maps.channels)} of the {channels} maps of {maps.layer}", "sheet")
        size = tag("p", f"{channels} maps of {height}x{width}", class_="muted")
        rows.append(tag("li", tag("h4", maps.layer), size, image))
    return join(
        tag("p", "At each size the maps of the last layer, and of these the 16 that vary most over the picture; yellow "
            "is where the layer has found what it looks for. Edges come first, then textures and corners. The later a "
            "layer, the smaller and emptier its maps: they say that something is there rather than where."),
        tag("ol", rows, class_="maps"),
    )  # fmt: skip


def cost(findings):
    """Return a table with bars: multiply-adds, parameters and time of each part."""
    columns = [[getattr(each, key) for each in findings.costs] for key in ("multiply_adds", "parameters", "seconds")]
    most, whole = [max(*column, 1e-12) for column in columns], [sum(column) for column in columns]
    rows = []
    for each in findings.costs:
        more = f" and the {len(each.layers) - 1} before it" if len(each.layers) > 1 else ""
        figures = _millions(each.multiply_adds), f"{each.parameters:,}", f"{1000 * each.seconds:.2f}"
        shares = (value / top for value, top in zip((each.multiply_adds, each.parameters, each.seconds), most))
        colour = "b" if each.learning else "a"
        state = "trained" if each.learning else "frozen" if each.parameters else ""
        bars = (join(shown, bar(share, colour)) for shown, share in zip(figures, shares))
        shape = tag("span", " × ".join(map(str, each.shape)), class_="whole")
        rows.append((join(tag("code", each.layers[-1]), more), state, *bars, shape))
    totals = _millions(whole[0]), f"{whole[1]:,}", f"{1000 * whole[2]:.2f}"
    rows.append((tag("b", "all"), "", *(tag("b", total) for total in totals), ""))
    head = ["part", "", "million multiply-adds #", "parameters #", "ms a picture #", "gives"]
    return join(
        tag("p", "The way forward of one picture, part by part, measured on this machine, several pictures at a time. "
            "Few parameters can be much work: an early convolution uses each of its numbers at every pixel. Orange is "
            "what was trained in the last stage: only there a gradient is computed."),
        table(head, rows, "Cost by layer"),
        tag("p", "Measured part by part. Together they take a little less: neighbours are then computed at once.",
            class_="muted"),
    )  # fmt: skip


def _millions(count):
    return f"{count / 1e6:,.1f}" if count >= 1e5 else f"{count / 1e6:.3f}" if count else "0"

"""The end of the page: the network's first kernels, its feature maps, and the cost of each part."""

import numpy as np

from .charts import bar
from .heat import coloured, sheet, stretched
from .html import figure, image, join, name, table, tag

SMALLEST_TILE = 44  # pixels: smaller maps are enlarged without smoothing, each number to a square


def kernel_sheet(kernels, columns):
    """Return kernels (F, KH, KW, 3) as one image, each number a square."""
    times = max(1, 21 // kernels.shape[1])
    tiles = np.repeat(np.repeat(np.round(kernels * 255).astype(np.uint8), times, axis=1), times, axis=2)
    return sheet(tiles, columns, 3)


def map_sheet(maps, columns):
    """Return `measured.Maps` as one image, each map from its smallest number (blue) to its largest (yellow)."""
    tiles = coloured(stretched(maps.maps)).astype(np.uint8)
    times = max(1, -(-SMALLEST_TILE // tiles.shape[1]))
    step = max(1, tiles.shape[1] // 112)
    tiles = np.repeat(np.repeat(tiles[:, ::step, ::step], times, axis=1), times, axis=2)
    return sheet(tiles, columns, max(2, tiles.shape[1] // 16))


def what_it_sees(fine_tuning, findings):
    """Show the kernels of the first convolution, and the feature maps of one image."""
    return join(
        tag("h3", "The first kernels"),
        _kernels(findings.kernels),
        tag("h3", "One image on its way through the network"),
        _maps(fine_tuning, findings),
    )


def _kernels(kernels):
    """Show the kernels of the first convolution."""
    if kernels is None:
        return tag(
            "p", "The first convolution does not have three input channels: its kernels have no colours to show."
        )
    count, height, width, _ = kernels.shape
    alt = f"the {count} kernels of the first convolution, as colours"
    return figure(
        image(kernel_sheet(kernels, 16), alt, "sheet"),
        f"The {count} kernels of the first convolution, {height}x{width} pixels each, in the colours that they respond "
        "to (grey is 0). Some respond to an edge in one direction, some to a colour. Nobody designed them: they were "
        "learned from photographs, and transferred.",
    )  # fmt: skip


def _maps(fine_tuning, findings):
    """Show the feature maps of one image."""
    if findings.traced is None:
        return tag("p", "No held-back image can be read any more.")
    label = fine_tuning.class_names[findings.traced.label]
    original = image(findings.traced.rgb, f"an image of {label}", "original")
    rows = [tag("li", tag("h4", "the image"), tag("p", name(label, 28), class_="muted"), original)]
    for maps in findings.maps:
        height, width, channels = maps.shape
        some = image(map_sheet(maps, 8), f"{len(maps.channels)} of the {channels} maps of {maps.layer}", "sheet")
        size = tag("p", f"{channels} maps of {height}x{width}", class_="muted")
        rows.append(tag("li", tag("h4", maps.layer), size, some))
    return join(
        tag("p", "For each size of maps, the page shows the last layer of that size, and of its maps the 16 that vary "
            "most over the image. A map is yellow where the layer has found its pattern. Early layers find edges, "
            "later ones textures and corners. The later a layer, the smaller and emptier its maps: they tell that a "
            "pattern is there, rather than where."),
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
    head = ["part", "", "million multiply-adds #", "parameters #", "ms an image #", "output shape"]
    return join(
        tag("p", "The forward pass of one image, part by part, measured on this machine with several images at a time. "
            "Few parameters can be much work: an early convolution uses each of them at every pixel. Orange parts were "
            "trained in the last stage: gradients are computed for these alone."),
        table(head, rows, "Cost by layer"),
        tag("p", "The whole network takes a little less time than the sum: it computes neighbouring layers together.",
            class_="muted"),
    )  # fmt: skip


def _millions(count):
    """Return a number in millions, as text."""
    return f"{count / 1e6:,.1f}" if count >= 1e5 else f"{count / 1e6:.3f}" if count else "0"

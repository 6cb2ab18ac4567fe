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
    """`insides.Maps` as one picture, each map from its smallest number (blue) to its largest (yellow)."""
    tiles = coloured(stretched(maps.maps)).astype(np.uint8)
    times = max(1, -(-SMALLEST_TILE // tiles.shape[1]))
    step = max(1, tiles.shape[1] // 112)
    tiles = np.repeat(np.repeat(tiles[:, ::step, ::step], times, axis=1), times, axis=2)
    return sheet(tiles, columns, max(2, tiles.shape[1] // 16))


def what_it_sees(happened, findings):
    """First-layer kernels, and feature maps of one picture."""
    parts = [tag("h3", "The first kernels")]
    if findings.kernels is None:
        parts.append(
            tag(
                "p",
                "The first convolution does not look at three colours, so its kernels are no pictures.",
                class_="muted",
            )
        )
    else:
        count, height, width, _ = findings.kernels.shape
        columns = 16 if count % 16 == 0 else 8
        words = f"the {count} kernels of the first convolution, as colours"
        parts.append(
            figure(
                picture(kernel_sheet(findings.kernels, columns), words, "sheet"),
                f"The {count} kernels of the first convolution, {height}x{width} pixels each, as the colours that they look "
                "for (grey is 0). Some look for an edge in one direction, some for a colour: nobody drew them, they were "
                "learned from photographs, and they were transferred.",
            )
        )
    parts.append(tag("h3", "One picture on its way through the network"))
    if findings.traced is None:
        parts.append(tag("p", "No held-back picture can be read any more.", class_="muted"))
        return join(parts)
    label = happened.class_names[findings.traced.label]
    rows = [tag("li", tag("h4", "the picture"), tag("p", name(label, 28), class_="muted"),
                picture(findings.traced.rgb, f"the picture: {label}", "original"))]  # fmt: skip
    for maps in findings.maps:
        height, width, channels = maps.shape
        rows.append(
            tag("li", tag("h4", maps.layer), tag("p", f"{channels} maps of {height}x{width}", class_="muted"),
                picture(map_sheet(maps, 8), f"{len(maps.channels)} of the {channels} maps of {maps.layer}", "sheet"))
        )  # fmt: skip
    parts.append(
        tag("p", "At each size the last layer's maps, and of these the 16 that vary most over the picture; yellow is where the "
            "layer has found what it looks for. Edges come first, then textures and corners; later maps are small, mostly "
            "empty, and say that something is there rather than where.")
    )  # fmt: skip
    parts.append(tag("ol", rows, class_="maps"))
    return join(parts)


def cost(findings):
    """A table with bars: multiply-adds, parameters and time of each part."""
    most = [
        max(max(getattr(each, key) for each in findings.costs), 1e-12)
        for key in ("multiply_adds", "parameters", "seconds")
    ]
    rows = []
    for each in findings.costs:
        first = "" if len(each.layers) == 1 else f" and {len(each.layers) - 1} before it"
        learns = "trained" if each.learning else "frozen" if each.parameters else ""
        kind = "b" if each.learning else "a"
        shares = [value / top for value, top in zip((each.multiply_adds, each.parameters, each.seconds), most)]
        rows.append((
            join(tag("code", each.layers[-1]), first), " × ".join(map(str, each.shape)), learns,
            join(_millions(each.multiply_adds), bar(shares[0], kind)),
            join(f"{each.parameters:,}" if each.parameters else "–", bar(shares[1], kind)),
            join(f"{1000 * each.seconds:.2f}", bar(shares[2], kind)),
        ))  # fmt: skip
    whole = [sum(getattr(each, key) for each in findings.costs) for key in ("multiply_adds", "parameters", "seconds")]
    rows.append(
        (
            tag("b", "all"),
            "",
            "",
            *(tag("b", each) for each in (_millions(whole[0]), f"{whole[1]:,}", f"{1000 * whole[2]:.2f}")),
        )
    )
    return join(
        tag("p", "The way forward of one picture, part by part, measured on this machine, several pictures at a time. Few "
            "parameters can be much work: an early convolution uses each of its kernels at every pixel. Bars in orange are "
            "what learned in the last stage: only there a gradient is computed, and what lies before it runs once."),
        table(["part", "gives", "in the last stage", "million multiply-adds #", "parameters #", "ms #"], rows, "tall", "Cost by layer"),
        tag("p", "Measured part by part; together they are a little faster, since the network computes neighbouring layers at "
            "once.", class_="muted"),
    )  # fmt: skip


def _millions(count):
    return f"{count / 1e6:,.1f}" if count >= 1e5 else f"{count / 1e6:.3f}" if count else "–"

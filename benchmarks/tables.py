"""The tables and sentences of each kind of group: lists of rows of cells, and texts. `report` prints them."""

import statistics

import numpy as np

from . import networks
from .engines.minitl_engine import NAIVE_FLOPS
from .engines.numpy_engine import FLOPS as SGEMM_FLOPS
from .run import largest_difference


def of(group):
    """Return the parts of a group's section. The first word of its name says which kind of group it is."""
    return SECTIONS.get(group.name.split("_")[0], comparison)(group)


def comparison(group):
    """Return a table and notes: milliseconds an image, or a batch of texts, their range, memory, and how the programs
    compare.

    Two rows at the end say how fast the network could be, where NumPy's matrix product was measured with the group: by
    minitl's algorithms, and by direct convolution.
    """
    measured = [each for each in group.programs if each.seconds]
    if not measured or measured[0].label != "minitl":
        return ["not measured"]
    first, products = measured[0], [each for each in measured if each.job == "sgemm"]
    whole = group.name == "recipe"
    unit = 1 if whole else 1000 if first.engine == "minitl_text" else 1000 / first.options["batch"]
    name = "s" if whole else "ms/batch" if first.engine == "minitl_text" else "ms/image"
    speed = SGEMM_FLOPS / products[0].median if products else None
    limit = first.products["flops"] / speed if products else None

    def row(label, seconds, lowest_highest="", memory=""):
        ratio = "" if label == first.label else f"{first.median / seconds:.2f}"
        cells = [label, f"{seconds * unit:.1f}", lowest_highest, memory, ratio]
        return [*cells, f"{seconds / limit:.2f}"] if limit else cells

    rows = [["", name, "lowest, highest", "memory", "ratio", *["by limit"] * bool(limit)]]
    for each in measured:
        if each.job != "sgemm":
            low, high = min(each.seconds) * unit, max(each.seconds) * unit
            rows.append(row(each.label, each.median, f"{low:.1f} to {high:.1f}", megabytes(each.peak_bytes)))
    parts = [rows, "'memory' is the peak of the process; 'ratio' is minitl's time divided by that of the row."]
    if limit:
        rows.append(row("limit of the products", limit))
        rows.append(row("direct convolution", first.products["direct"] / speed))
        parts.append(
            f"Limit of the products: {limit * unit:.1f} ms; minitl takes {first.median / limit:.1f} times as long. "
            "The limit is the time of the matrix products that minitl's algorithms need, at the speed of NumPy's "
            f"product of large matrices in this group: {speed / 1e9:.0f} GFLOP/s. 'by limit' is the time of the row "
            "divided by the limit. The last row: direct convolution at the same speed."
        )
    difference = largest_difference(measured)
    if difference is not None:
        text = f"Their outputs differ by at most {difference:.0e} of the largest (in about a thousand compared)."
        parts.append(text)
    return parts


def megabytes(count):
    """Return a number of bytes as text, or an empty text where it is not known."""
    return f"{count / 1e6:,.0f} MB" if count else ""


LAYER_COLUMNS = ["layer", "count", "ms", "by im2col", "GFLOP", "GFLOP/s", "MB moved", "peak MB"]


def layer_table(group):
    """Return the table of a network's layers and a note.

    VGG16's layers have a row each, in order. Of the other networks, layers that do equal work share a row, and the rows
    that take longest come first.
    """
    results = [each.result for each in group.programs if each.result]
    if not results:
        return ["not measured"]
    is_vgg16 = group.name == "layers"
    pairs = list(zip(results[0]["rows"], results[-1]["rows"]))  # each layer with the same layer by im2col
    alike = {}
    for pair in pairs:
        alike.setdefault(pair[0]["layer" if is_vgg16 else "like"], []).append(pair)
    if not is_vgg16:
        alike = dict(sorted(alike.items(), key=lambda item: -sum(row["seconds"] for row, _ in item[1])))
    rows = [LAYER_COLUMNS, *(layer_row(*item) for item in alike.items()), [*layer_row("sum", pairs)[:-2], "", ""]]
    whole = [f"{1000 * result['network']:.2f}" for result in (results[0], results[-1])]
    rows.append(["the whole network", "", *whole, "", "", "", ""])
    note = (
        "ms and GFLOP are for one image of a batch of 8. GFLOP are those of a direct convolution. A convolution is "
        "measured as it runs in the network: with the layers behind it that are computed with it (batch normalization, "
        "sum, ReLU, pooling)."
    )
    if is_vgg16:
        note += (
            " 'MB moved': the input, output and weights for one image. 'peak MB': the memory of the layer for the "
            "whole batch, its output included."
        )
        return [[[cells[0], *cells[2:]] for cells in rows], note]
    note += (
        " Layers that do equal work share a row. A convolution has the size of its input, '3x3/2' is a kernel of 3x3 "
        "with stride 2. Other layers have the size of their output."
    )
    return [[cells[:-2] for cells in rows], note]


def layer_row(name, pairs):
    """Return the cells of layers that share a row. `pairs` has (row of the layer, its row by im2col) for each."""
    rows, by_im2col = zip(*pairs)
    seconds, im2col = (sum(row["seconds"] for row in each) for each in (rows, by_im2col))
    flops = sum(row["flops"] for row in rows)
    work = [f"{flops / 1e9:.2f}", f"{flops / seconds / 1e9:.0f}"] if flops else ["", ""]
    moved, peak = sum(row["bytes"] for row in rows), max(row["peak"] for row in rows)
    times = [f"{1000 * seconds:.2f}", f"{1000 * im2col:.2f}"]
    return [name, str(len(rows)), *times, *work, f"{moved / 1e6:.1f}", f"{peak / 1e6:.0f}"]


def by_threads(group):
    """Return the table of milliseconds an image by the number of threads, and how many times as fast that is."""
    libraries = {}  # {library: {threads: seconds an image}}
    for each in group.programs:
        if each.seconds:
            seconds = each.median / each.options["batch"]
            libraries.setdefault(each.label.rpartition(", ")[0], {})[each.options["threads"]] = seconds
    if not libraries:
        return ["not measured"]
    rows = [["threads", *libraries]]
    for count in sorted({count for times in libraries.values() for count in times}):
        cells = [
            f"{1000 * times[count]:.1f} (x{times[1] / times[count]:.1f})" if {1, count} <= times.keys() else ""
            for times in libraries.values()
        ]
        rows.append([str(count), *cells])
    return [rows, "ms an image and, in brackets, how many times as fast as on one thread."]


def suppression(group):
    """Return the table of milliseconds by the number of boxes, and whether the libraries keep the same boxes."""
    by_count = {}  # {boxes: {library: program}}
    for each in group.programs:
        if each.seconds:
            by_count.setdefault(each.options["boxes"], {})[each.label.partition(",")[0]] = each
    libraries = list(dict.fromkeys(name for found in by_count.values() for name in found))
    if "minitl" not in libraries:
        return ["not measured"]
    rows = [["boxes", "kept", *(f"{name}, ms" for name in libraries), *["ratio"] * (len(libraries) > 1)]]
    for count, found in by_count.items():
        times = {name: 1000 * each.median for name, each in found.items()}
        kept = {name: each.output["shape"][0] for name, each in found.items() if each.output}
        cells = [f"{times[name]:.2f}" if name in times else "" for name in libraries]
        both = len(times) == len(libraries) > 1
        ratio = [f"{times['minitl'] / times[libraries[1]]:.2f}" if both else ""] * (len(libraries) > 1)
        rows.append([f"{count}", f"{kept['minitl']}" if kept else "", *cells, *ratio])
    if len(libraries) == 1:
        return [rows, "OpenCV (opencv-python-headless) is not installed, or did not run: nothing is compared."]
    differ = [count for count, found in by_count.items() if len({str(each.output) for each in found.values()}) > 1]
    verdict = f"They keep DIFFERENT boxes of {differ[0]}." if differ else "Both keep the same boxes."
    return [rows, f"'ratio' is minitl's time divided by OpenCV's. {verdict}"]


def memory(group):
    """Return the table of the peak memory of inference and of training."""
    rows = [["", "peak memory", "minitl takes"]]
    ours = {each.job: each.peak_bytes for each in group.programs if each.engine == "minitl"}
    for each in group.programs:
        if each.peak_bytes:
            own = ours.get(each.job) if each.engine != "minitl" else None
            rows.append([each.label, megabytes(each.peak_bytes), f"{own / each.peak_bytes:.2f}" if own else ""])
    return [rows, "'minitl takes': its memory divided by that of the row. Each process runs alone here."]


def accuracy(group):
    """Return the table of the errors against float64, and a note."""
    rows = [["", "largest", "median"]]
    for each in group.programs:
        if each.result:
            median = f"{statistics.median(each.result):.1e}" if len(each.result) > 1 else ""
            rows.append([each.label, f"{np.max(each.result):.1e}", median])
    note = (
        "An error is the largest difference from the same model in float64, divided by the largest number. Each "
        "parameter has a gradient with an error of its own: the table has the largest and the median of them. They are "
        "large where the input of a ReLU is zero up to rounding, or two maxima of a pooling are equal: there the "
        "gradient jumps."
    )
    return [rows, note]


def naive(group):
    """Return the time of the loop twin, as a sentence."""
    (program,) = group.programs
    if not program.seconds:
        return ["not measured"]
    per_flop = program.median / NAIVE_FLOPS
    hours = per_flop * networks.convolution_flops(224) / 3600
    return [f"{1e9 * per_flop:.0f} ns an operation; one image of VGG16 would take {hours:.1f} hours (not run)."]


def curve(group):
    """Return the table of milliseconds an image."""
    rows = [["", "ms an image"]]
    rows += [
        [each.label, f"{1000 * each.median / each.options['batch']:.2f}"] for each in group.programs if each.seconds
    ]
    return [rows]


SECTIONS = {
    "layers": layer_table,
    "threads": by_threads,
    "suppression": suppression,
    "memory": memory,
    "accuracy": accuracy,
    "naive": naive,
    "by": curve,
}

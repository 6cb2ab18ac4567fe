"""The results as text (for a terminal, and as Markdown), and as figures."""

import datetime
import importlib.metadata
import os
import platform
import sys
from pathlib import Path

import numpy as np

from minitl import terminal
from minitl.kernels import parallel

from . import networks
from .engines.minitl_engine import NAIVE_FLOPS
from .engines.numpy_engine import FLOPS as SGEMM_FLOPS
from .run import largest_difference

PACKAGES = ["numpy", "torch", "keras", "onnxruntime", "dezero"]


def machine():
    """Return the machine and the versions with which the benchmarks run."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": parallel.threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
    }


def processor():
    """Return the name of the processor."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def markdown(about, groups):
    """Return all results as Markdown, with a section for each group."""
    parts = [machine_text(about)]
    for group in groups:
        parts.append(f"## {group.title}")
        parts += [part if isinstance(part, str) else markdown_table(part) for part in section(group)]
    return "\n\n".join(parts) + "\n"


def printed(group):
    """Return the results of a group as text that fits the terminal."""
    parts = [terminal.wrapped(part) if isinstance(part, str) else terminal.table(part) for part in section(group)]
    return "\n\n".join([f"{group.title}\n{'-' * len(group.title)}", *parts])


def section(group):
    """Return the parts of a group's section: sentences, and tables as lists of rows."""
    failures = [f"- {each.label}: did not run ({each.failure})" for each in group.programs if each.failure]
    return [*SECTIONS.get(group.name.split("_")[0], comparison)(group), *failures]


def machine_text(about):
    """Return the machine and the versions in a sentence."""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return (
        f"{about['date']}: {about['processor']}, {about['cores']} cores, {about['threads']} threads, "
        f"{about['system']}, Python {about['python']}, {versions}."
    )


def comparison(group):
    """Return a table and notes: milliseconds an image, their range, memory, and minitl's time by each program's."""
    measured = [each for each in group.programs if each.seconds]
    if not measured or measured[0].label != "minitl":
        return ["not measured"]
    first = measured[0].median
    whole = group.name == "recipe"
    rows = [["", "s" if whole else "ms an image", "lowest, highest", "peak memory", "minitl takes"]]
    for each in measured:
        if each.job == "sgemm":
            rows.append(roofline_row(each, first, measured[0].options))
            continue
        unit = 1 if whole else 1000 / each.options["batch"]
        low, high = min(each.seconds) * unit, max(each.seconds) * unit
        ratio = "" if each is measured[0] else f"{first / each.median:.2f}"
        memory = f"{each.peak_bytes / 1e6:,.0f} MB" if each.peak_bytes else ""
        rows.append([each.label, f"{each.median * unit:.1f}", f"{low:.1f} to {high:.1f}", memory, ratio])
    parts = [rows, "'minitl takes': its time divided by that of the row."]
    if any(each.job == "sgemm" for each in measured):
        parts.append("The last row: direct convolution at the speed of NumPy's product of large matrices.")
    difference = largest_difference(measured)
    if difference is not None:
        text = f"Their outputs differ by at most {difference:.0e} of the largest (in about a thousand compared)."
        parts.append(text)
    return parts


def roofline_row(sgemm, first, options):
    """Return the row of direct convolution at the speed of a large matrix product."""
    flops_per_second = SGEMM_FLOPS / sgemm.median
    seconds = networks.convolution_flops(options["size"], options.get("network", "vgg16")) / flops_per_second
    label = f"NumPy's {flops_per_second / 1e9:.0f} GFLOP/s"
    return [label, f"{1000 * seconds:.1f}", "", "", f"{first / options['batch'] / seconds:.2f}"]


def layer_table(group):
    """Return the table of the layers and a note: time, that of im2col, operations, bytes moved and peak memory."""
    by_program = [each.result for each in group.programs if each.result]
    if not by_program:
        return ["not measured"]
    columns = ["layer", "ms", "by im2col", "GFLOP", "GFLOP/s", "MB in, out, weights", "peak MB"]
    rows = [columns]
    for row, im2col in zip(by_program[0], by_program[-1]):
        per_second = f"{row['flops'] / row['seconds'] / 1e9:.0f}" if row["flops"] else ""
        flops = f"{row['flops'] / 1e9:.2f}" if row["flops"] else ""
        times = [f"{1000 * each['seconds']:.2f}" for each in (row, im2col)]
        rows.append([row["layer"], *times, flops, per_second, f"{row['bytes'] / 1e6:.1f}", f"{row['peak'] / 1e6:.0f}"])
    totals = [f"{1000 * sum(row['seconds'] for row in rows_of):.1f}" for rows_of in (by_program[0], by_program[-1])]
    rows.append(["sum", *totals, f"{sum(row['flops'] for row in by_program[0]) / 1e9:.2f}", "", "", ""])
    note = (
        "All columns but the last are for one image of a batch of 8. GFLOP are those of a direct convolution. The "
        "last column is the memory of the layer for "
        "the whole batch, its output included. Every layer runs alone here; in the network, a pooling is done within "
        "the convolution before it."
    )
    return [rows, note]


def accuracy(group):
    """Return the table of the errors against float64."""
    return [[["", "error"]] + [[each.label, f"{each.result:.1e}"] for each in group.programs if each.result]]


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


SECTIONS = {"layers": layer_table, "accuracy": accuracy, "naive": naive, "by": curve}


def markdown_table(rows):
    """Return rows of cells as a Markdown table with aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        [cell.ljust(w) if k == 0 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths))] for row in rows
    ]
    rule = ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (lines[0], rule, *lines[1:]))


def plots(groups, folder):
    """Draw the results as PNG files in `folder`, if matplotlib is installed. Returns their paths."""
    try:
        import matplotlib
    except ImportError:
        return []
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    by_name = {group.name: group for group in groups}
    paths = []

    def save(figure, name):
        figure.tight_layout()
        figure.savefig(folder / name, dpi=150)
        plt.close(figure)
        paths.append(folder / name)

    compared = [group for group in groups if group.name.startswith(("inference", "training", "recipe"))]
    for group in compared:
        members = [each for each in group.programs if each.seconds and each.job != "sgemm"]
        scale = [1 if group.name == "recipe" else 1000 / each.options["batch"] for each in members]
        medians = [each.median * s for each, s in zip(members, scale)]
        below = [median - min(each.seconds) * s for each, s, median in zip(members, scale, medians)]
        above = [max(each.seconds) * s - median for each, s, median in zip(members, scale, medians)]
        spread = np.array([below, above])
        figure, axes = plt.subplots(figsize=(7, 0.5 + 0.45 * len(members)))
        colors = ["tab:blue" if "minitl" in each.label else "tab:gray" for each in members]
        axes.barh([each.label for each in members], medians, xerr=spread, color=colors, capsize=3)
        axes.invert_yaxis()
        axes.set_xlabel("seconds" if group.name == "recipe" else "ms an image")
        axes.set_title(group.title)
        save(figure, f"{group.name}.png")
    if "layers" in by_name and by_name["layers"].programs[0].result:
        figure, axes = plt.subplots(figsize=(7, 5))
        for each, height in zip(by_name["layers"].programs, (-0.2, 0.2)):
            if each.result:
                places = np.arange(len(each.result)) + height
                axes.barh(places, [1000 * row["seconds"] for row in each.result], 0.4, label=each.label)
        axes.set_yticks(range(len(each.result)), [row["layer"] for row in each.result])
        axes.invert_yaxis()
        axes.set_xlabel("ms an image, batch 8")
        axes.legend()
        save(figure, "layers.png")
    for name, label in (("by_size", "image side, pixels"), ("by_batch", "batch"), ("by_channels", "channels")):
        if name not in by_name:
            continue
        figure, axes = plt.subplots(figsize=(5, 4))
        lines = {}
        for each in by_name[name].programs:
            if each.seconds:
                value, _, algorithm = each.label.partition(", ")
                lines.setdefault(algorithm, []).append((int(value), 1000 * each.median / each.options["batch"]))
        for algorithm, points in lines.items():
            axes.loglog(*zip(*points), "o-", label=algorithm or None)
        if len(lines) > 1:
            axes.legend()
        values = sorted({value for points in lines.values() for value, _ in points})
        axes.set_xticks(values, values)
        axes.minorticks_off()
        axes.set_xlabel(label)
        axes.set_ylabel("ms an image")
        axes.set_title(by_name[name].title, fontsize=9)
        save(figure, f"{name}.png")
    return paths

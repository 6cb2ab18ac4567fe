"""The results as text: for a terminal, and as Markdown."""

import datetime
import importlib.metadata
import platform
import sys
from pathlib import Path

from minitl import terminal
from minitl.kernels import parallel

from . import tables
from .plan import cores

PACKAGES = ["numpy", "torch", "keras", "onnxruntime", "dezero", "opencv-python-headless"]


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
        "cores": cores(),
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
    return [*tables.of(group), *failures]


def machine_text(about):
    """Return the machine and the versions in a sentence."""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return (
        f"{about['date']}: {about['processor']}, {about['cores']} cores, {about['threads']} threads, "
        f"{about['system']}, Python {about['python']}, {versions}."
    )


def markdown_table(rows):
    """Return rows of cells as a Markdown table with aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        [cell.ljust(w) if k == 0 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths))] for row in rows
    ]
    rule = ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (lines[0], rule, *lines[1:]))

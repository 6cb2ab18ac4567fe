"""The whole benchmark: measures group after group and prints each. `minitl bench` calls `measure`."""

import contextlib
import sys
import time

from minitl.errors import ArgumentError
from minitl.terminal import wrapped

from . import figures, plan, report
from .run import run_in_turn


def measure(options):
    """Measure the groups of the plan and print their tables. Returns (results for JSON, Markdown text)."""
    groups = plan.quick_plan() if options.quick else plan.full_plan()
    for name in options.only or ():
        if name not in [group.name for group in groups]:
            raise ArgumentError(f"there is no group '{name}'. --list names all groups.")
    if options.only:
        groups = [group for group in groups if group.name in options.only]
    if options.list:
        for group in groups:
            labels = "; ".join(each.label for each in group.programs)
            print(wrapped(f"{group.name:22} {group.title}: {labels}", " " * 23))
        return None, None
    about = report.machine()
    missing = [] if options.quick else plan.missing_peers()
    if missing:
        print(wrapped(f"Not installed, so not compared: {', '.join(missing)}."), flush=True)
    print(wrapped(report.machine_text(about)), flush=True)
    started = time.perf_counter()
    for number, group in enumerate(groups, start=1):
        with status(f"[{number}/{len(groups)}] {group.title}") as say:
            run_group(group, options.rounds, say)
        print(f"\n{report.printed(group)}", flush=True)
    print(f"\nMeasured in {time.perf_counter() - started:.0f} s.")
    results = {
        "machine": about,
        "groups": {
            group.name: {"title": group.title, "programs": [each.as_dict() for each in group.programs]}
            for group in groups
        },
    }
    text = report.markdown(about, groups)
    if options.plots:
        paths = figures.plots(groups, options.plots)
        print(f"Figures: {', '.join(map(str, paths))}" if paths else "No figures: matplotlib is not installed.")
    return results, text


def run_group(group, rounds, say):
    """Measure the programs of a group in so many rounds (None: those of the plan), in turn or one after the other."""
    for programs in [group.programs] if group.in_turn else [[each] for each in group.programs]:
        run_in_turn(programs, rounds or group.rounds, say)


@contextlib.contextmanager
def status(title):
    """Show a line of progress on a terminal while the context runs. Elsewhere, show nothing."""
    shown = sys.stderr.isatty()

    def say(step):
        if shown:
            print(f"\r\x1b[K{title}: {step}", end="", file=sys.stderr, flush=True)

    yield say
    if shown:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)

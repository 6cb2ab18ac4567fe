"""List or remove what minitl keeps on the disk.

minitl cache list                  features, unfinished runs and weights
minitl cache clean                 remove the features of photographs
minitl cache clean --runs          remove unfinished runs as well
minitl cache clean --weights       remove downloaded weights as well

All of it lies in $MINITL_HOME (default: ~/.minitl). Features are removed by
themselves when they take more than 10 GB, the least recently used first;
MINITL_CACHE_LIMIT=20 sets another limit in GB. Nothing that is in use is
removed. What was removed is computed or fetched again when it is needed.
"""

import argparse

from ..features import cache
from ..files.home import home_folder
from ..files.results import write_json
from ..files.writable import check_writable
from ..terminal import printable, table

HELP = "list or remove features, runs and weights on the disk"


def add_arguments(parser):
    """Add the arguments of the command."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="list what is kept, how large it is, and when it was last used (weights: fetched)")
    clean = actions.add_parser("clean", help="remove the features of photographs")
    clean.add_argument("--runs", action="store_true", help="remove the checkpoints of unfinished runs as well")
    clean.add_argument("--weights", action="store_true", help="remove downloaded weights as well")
    for action in actions.choices.values():
        action.add_argument("--json", metavar="FILE", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run(options):
    """Run the command."""
    check_writable(options.json)
    if options.action == "list":
        entries = cache.contents()
        print(cache_text(entries))
        write_json(options.json, [entry.as_data() for entry in entries])
        return
    kinds = ("features", *["run"] * options.runs, *["weights"] * options.weights)
    removed, left = cache.clean(kinds)
    size = cache.size_text(sum(entry.size for entry in removed))
    print(f"Removed {len(removed)} of {len(removed) + len(left)}: {size} are free again.")
    for entry in left:
        print(printable(f"left: {entry.name} {entry.folder}: is in use"))
    data = {"removed": removed, "left": left}
    write_json(options.json, {name: [entry.as_data() for entry in entries] for name, entries in data.items()})


def cache_text(entries):
    """Return what is kept as text."""
    entries = [entry for entry in entries if entry.size]  # a set is empty where all its features were found in others
    lines = [f"In {home_folder()}:"]
    if not entries:
        return f"{lines[0]} nothing is kept."
    rows = [["what", "of", "number", "folder", "size", "used"]]
    for entry in entries:
        count = f"{entry.count:,}" if entry.count else ""
        used = "in use" if entry.is_used else cache.age_text(entry.used)
        rows.append([entry.kind, entry.name, count, entry.folder, cache.size_text(entry.size), used])
    features = [entry for entry in entries if entry.kind == "features"]
    size, limit = sum(entry.size for entry in features), cache.limit_bytes()
    lines += ["", printable(table(rows)), ""]
    if any(entry.kind == "weights" for entry in entries):
        lines.append("Of weights, `used` is when they were fetched.")
    lines.append(f"Features: {cache.size_text(size)} of at most {cache.size_text(limit)} (MINITL_CACHE_LIMIT).")
    lines.append("`minitl cache clean` removes them; they are computed again when they are needed.")
    return "\n".join(lines)

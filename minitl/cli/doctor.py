"""Say whether this machine is ready: versions, speed, what is installed.

minitl doctor                  Python, NumPy and its BLAS, threads, the speed of
                               a matrix product, memory, optional packages and
                               what each is for, minitl's folder, weights
minitl doctor --json FILE      the same as data
"""

from ..files.results import write_json
from ..files.writable import check_writable
from ..recipes.examination import examine

HELP = "say whether this machine is ready: versions, speed, what is installed"


def add_arguments(parser):
    """Add no arguments: the command has none of its own."""


def run(options):
    """Run the command."""
    check_writable(options.json)
    found = examine()
    print(found)
    write_json(options.json, found.as_data())

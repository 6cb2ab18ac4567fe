"""The start of the command `minitl`: it is not silent for long, either.

Before the command can do anything, Python reads hundreds of files of NumPy, h5py and minitl. This takes a second, and
many on a machine with other work to do. So they are read within `progress.watched`, which says "Working".

`minitl/__init__.py` imports this first. In a program that imports minitl, nothing is said. `cli.main` calls `end`.
"""

import os
import sys
from contextlib import ExitStack

from .progress import watched

NAMES = ("minitl", "minitl.exe", "minitl-script.py")
_watching = ExitStack()


def is_command(first, arguments):
    """Return whether this process is the command `minitl`.

    first       `sys.argv[0]`; while `python -m minitl` imports the package, it is "-m"
    arguments   `sys.orig_argv`
    """
    return os.path.basename(first) in NAMES or (first == "-m" and "minitl" in arguments)


def end():
    """End what began with the import."""
    _watching.close()


if is_command(sys.argv[0] if getattr(sys, "argv", None) else "", sys.orig_argv):
    _watching.enter_context(watched())

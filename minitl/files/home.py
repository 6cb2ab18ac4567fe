"""The folder in which minitl keeps what it has fetched and computed."""

import os
from pathlib import Path

from ..errors import WeightsError


def home_folder():
    """Where minitl keeps things: $MINITL_HOME, by default ~/.minitl."""
    folder = os.path.expanduser(os.environ.get("MINITL_HOME") or "~/.minitl")
    if folder.startswith("~"):  # a user without a home, as in some containers
        raise WeightsError("this user has no home folder. Set MINITL_HOME to a folder for minitl's files.")
    return Path(folder)

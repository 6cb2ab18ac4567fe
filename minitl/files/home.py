"""The home folder: it keeps the files that minitl has downloaded and computed."""

import os
from pathlib import Path

from ..errors import WeightsError


def home_folder():
    """Return minitl's home folder: $MINITL_HOME, by default ~/.minitl. Raises WeightsError if there is none."""
    folder = os.path.expanduser(os.environ.get("MINITL_HOME") or "~/.minitl")
    if folder.startswith("~"):  # the user has no home folder, as in some containers
        raise WeightsError("this user has no home folder. Set MINITL_HOME to a folder for minitl's files.")
    return Path(folder)

"""The results of a study that are kept in a folder, so that the same command goes on there after it was stopped.

Each piece of work, such as a seed, has a JSON file with its result and the conditions that it was measured under. A
file with other conditions, or a damaged one, counts as not there: the work is done again. `self_supervised.study` and
`gan.study` call this.
"""

import json
from pathlib import Path

import numpy as np

from ...files.results import write_json
from ...version import __version__


def conditions(extent):
    """Return what must be the same for a kept result to be used: versions, and the extent but for folder and seeds."""
    extent = {name: value for name, value in extent._asdict().items() if name not in ("folder", "seeds")}
    given = {"minitl": __version__, "numpy": np.__version__, **extent}
    return json.loads(json.dumps(given))  # as it is read again: JSON has lists alone


def store(folder, name, extent, result):
    """Keep a result, a dict of what JSON can hold, as `name` in the folder. Does nothing if the folder is None."""
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        write_json(Path(folder) / f"{name}.json", {**conditions(extent), "result": result})


def found(folder, name, extent, read):
    """Return `read(result)` of a kept result, or None where there is none that can be used.

    read   a function of the dict that was stored; KeyError, TypeError and ValueError in it say that the file is damaged
    """
    path = folder and Path(folder) / f"{name}.json"
    if not path or not path.is_file():
        return None
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        expected = conditions(extent)
        return read(kept["result"]) if {key: kept[key] for key in expected} == expected else None
    except (OSError, ValueError, KeyError, TypeError):
        return None

"""Carry out one plan in this process: `python -m minitl.recipes.advice.carry_out TASK.json`.

The task is {"photos": a folder, or null for the bundled images; "settings": {name: value}}. The results are
written to the file that the setting `json` names.
"""

import json
import sys
from pathlib import Path

from ...errors import MinitlError
from ..clothing import finetune_clothing
from ..photographs import finetune_photographs
from ..settings import SettingError


def carry_out(task):
    """Call the recipe of the task with its settings."""
    if task["photos"] is None:
        return finetune_clothing(**task["settings"])
    return finetune_photographs(task["photos"], **task["settings"])


def main(path):
    """Carry out the task in a file. Returns the exit status; after an error, the last printed line explains it."""
    try:
        carry_out(json.loads(Path(path).read_text(encoding="utf-8")))
    except MinitlError as error:
        text = error.for_command_line() if isinstance(error, SettingError) else str(error)
        print(f"minitl: {text}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

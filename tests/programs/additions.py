"""A copy of the repository with what `minitl/course/add_your_own.md` adds to it, word for word.

On the page, the name of a file stands before the blocks of Python that belong to it. A block for a new file is the
whole file. Of a block for an `__init__`, the imports go before `__all__`, which gets the names, and the rest goes to
the end. Of the block for `list_file`, which chooses the reader of a weight file, the import goes to the other imports,
and the rest before the first question of the function. A block for a table of cases goes into the table's list, or into
its `NAMES`.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PAGE = REPOSITORY / "minitl" / "course" / "add_your_own.md"
TABLES = {name: name.upper() for name in ("layers", "losses", "optimizers", "networks", "formats")}


def blocks():
    """Return [(name of the file that stands before it, or None, block)] of the page, in order."""
    found, place = [], None
    for match in re.finditer(
        r"```python\n(.*?)```|^`([\w/]+\.py)`|^#+ ", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    ):
        if match[1] is None:
            place = match[2]
        else:
            found.append((place, match[1]))
    return found


def apply(place, block, root):
    """Put a block of the page into its file in the copy at `root`."""
    path = root / place
    if not path.exists():
        path.write_text(block, encoding="utf-8")
    elif path.name == "__init__.py":
        lines, text = block.splitlines(keepends=True), path.read_text("utf-8")
        imports = [line for line in lines if line.startswith("from ")]
        names = re.findall(r"^from \.\w+ import (\w+)$", block, re.MULTILINE)
        text = text.replace("__all__ = [", f"{''.join(imports)}\n__all__ = [{', '.join(map(repr, names))}, ", 1)
        path.write_text(text + "".join(line for line in lines if line not in imports), encoding="utf-8")
    elif path.name == "child_process.py":
        imported, *lines = block.splitlines(keepends=True)
        text = path.read_text("utf-8")
        for line, added in ("from ..formats import", imported), ("    if head.startswith(", "".join(lines)):
            assert f"\n{line}" in text, f"{place} has no line {line}"
            text = text.replace(f"\n{line}", f"\n{added}{line}", 1)
        path.write_text(text, encoding="utf-8")
    else:
        head = "NAMES = {" if block.startswith('"') else f"{TABLES[path.stem]} = ["
        text = path.read_text("utf-8")
        assert text.count(f"\n{head}") == 1, f"{place} has no line {head}"
        path.write_text(text.replace(f"\n{head}", f"\n{head}\n{block}"), encoding="utf-8")


def repository_with_additions(root):
    """Copy the package and its tests to `root`, and add all that the page adds.

    Returns the blocks that belong to no file: the programs.
    """
    skip = shutil.ignore_patterns("__pycache__", "*.pyc")
    for folder in "minitl", "tests", "weights":
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=skip)
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    shutil.copy(REPOSITORY / "README.md", root)
    programs = []
    for place, block in blocks():
        if place is None:
            programs.append(block)
        else:
            apply(place, block, root)
    return programs


def run(root, *command):
    """Run Python in the copy and return its output. Fails, with the output, where the program fails."""
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    return done.stdout

"""A copy of the repository with what `minitl/course/add_your_own.md` adds to it, word for word.

The page's blocks of Python stand behind the name of the file that they belong to. A block for a file of its own is the
file; the imports of one for an `__init__` go before `__all__`, into which the name is put, and the rest to its end; one
for a table of cases goes into the table's list, or into its `NAMES`.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PAGE = REPOSITORY / "minitl" / "course" / "add_your_own.md"
TABLES = {"layers": "LAYERS", "losses": "LOSSES", "optimizers": "OPTIMIZERS", "networks": "NETWORKS"}


def blocks():
    """Return [(name of the file that was named last before it, or None, block)] of the page, in order."""
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
    """Do with a block what the page says, in the copy at `root`."""
    path = root / place
    if not path.exists():
        path.write_text(block, encoding="utf-8")
    elif path.name == "__init__.py":
        lines, text = block.splitlines(keepends=True), path.read_text("utf-8")
        imports = [line for line in lines if line.startswith("from ")]
        names = re.findall(r"^from \.\w+ import (\w+)$", block, re.MULTILINE)
        text = text.replace("__all__ = [", f"{''.join(imports)}\n__all__ = [{', '.join(map(repr, names))}, ", 1)
        path.write_text(text + "".join(line for line in lines if line not in imports), encoding="utf-8")
    else:
        head = "NAMES = {" if block.startswith('"') else f"{TABLES[path.stem]} = ["
        text = path.read_text("utf-8")
        assert text.count(f"\n{head}") == 1, f"{place} has no line {head}"
        path.write_text(text.replace(f"\n{head}", f"\n{head}\n{block}"), encoding="utf-8")


def repository_with_additions(root):
    """Copy the package and its tests to `root`, and add all that the page adds. Returns the blocks that are
    programs."""
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
    """Run Python in the copy. Returns what it printed; fails with it where it fails."""
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    return done.stdout

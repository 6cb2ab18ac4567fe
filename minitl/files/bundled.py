"""Files that come with the project: weights and data."""

from pathlib import Path

from ..errors import WeightsError

_PACKAGE = Path(__file__).resolve().parents[1]
# In a checkout the folder lies beside the package; an installed package carries a copy inside.
_CHECKOUT = _PACKAGE.parent
BUNDLED_FOLDERS = ((_CHECKOUT / "weights",) if (_CHECKOUT / "pyproject.toml").is_file() else ()) + (_PACKAGE / "_bundled",)


def bundled_file(name):
    """The path of a file that comes with the project. Raises WeightsError where it is missing."""
    for folder in BUNDLED_FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise WeightsError(
        f"the bundled file '{name}' is missing (looked in {' and '.join(map(str, BUNDLED_FOLDERS))}). Install minitl again."
    )

"""The bundled files: weights and data that come with minitl."""

from pathlib import Path

from ..errors import WeightsError

_PACKAGE = Path(__file__).resolve().parents[1]
# In a checkout the folder lies beside the package; an installed package carries a copy inside.
_CHECKOUT = _PACKAGE.parent
_IS_CHECKOUT = (_CHECKOUT / "pyproject.toml").is_file()
BUNDLED_FOLDERS = (*[_CHECKOUT / "weights"] * _IS_CHECKOUT, _PACKAGE / "_bundled")


def bundled_file(name):
    """Return the path of a bundled file. Raises WeightsError if it is missing."""
    for folder in BUNDLED_FOLDERS:
        if (folder / name).is_file():
            return folder / name
    places = " and ".join(map(str, BUNDLED_FOLDERS))
    raise WeightsError(f"the bundled file '{name}' is missing (looked in {places}). Install minitl again.")

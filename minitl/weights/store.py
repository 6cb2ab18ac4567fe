"""Where pre-trained weights are found.

A name such as 'imagenet' means a file, looked for first in the project's own `weights/` folder, then in
`$MINITL_HOME/models` (by default `~/.minitl/models`) under the name that Keras gives the official file, and then
downloaded there.
"""

import os
from pathlib import Path

from ..errors import WeightsError
from .download import download

_PACKAGE = Path(__file__).resolve().parent.parent
# In a checkout the folder lies beside the package; an installed package carries a copy inside.
_CHECKOUT = _PACKAGE.parent
_BUNDLED = ((_CHECKOUT / "weights",) if (_CHECKOUT / "pyproject.toml").is_file() else ()) + (_PACKAGE / "_bundled",)


def bundled_file(name):
    """The path of a file that comes with the project. Raises WeightsError where it is missing."""
    for folder in _BUNDLED:
        if (folder / name).is_file():
            return folder / name
    raise WeightsError(
        f"the bundled file '{name}' is missing (looked in {' and '.join(map(str, _BUNDLED))}). Install minitl again."
    )


def home_folder():
    """Where minitl keeps things: $MINITL_HOME, by default ~/.minitl."""
    return Path(os.environ.get("MINITL_HOME") or "~/.minitl").expanduser()


def models_folder():
    """Where downloaded weights live."""
    return home_folder() / "models"


def find_weights(file_name, folder_address, md5):
    """The path of an official weight file; where this machine does not have it yet, it is downloaded first.

    Raises WeightsError, with what to do, if that does not work.
    """
    target = models_folder() / file_name
    for place in [folder / file_name for folder in _BUNDLED] + [target]:
        if place.is_file():
            return place
    download(folder_address + file_name, target, md5)
    return target

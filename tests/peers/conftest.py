"""Comparisons with PyTorch and Keras. Nothing here runs without them: pip install -e '.[peers]'

MINITL_TEST_SEED seeds Keras and PyTorch too, as `tests/conftest.py` says.
MINITL_REQUIRE_PEERS=1 turns a missing package into a failure, MINITL_REQUIRE_SHARED=1 does the same for the folder
`../shared` beside the checkout (the whole VGG16 base, photographs). Where they are not set, tests are skipped.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import name_of, seed_of

os.environ["KERAS_BACKEND"] = "torch"  # Keras reads it once, when it is imported

HERE = Path(__file__).parent

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of peers during their import are not minitl's
        import keras
        import torch  # noqa: F401
except ImportError as error:
    MISSING = f"needs the extra 'peers': pip install -e '.[peers]' ({error})"
else:
    MISSING = None
    if keras.backend.backend() != "torch":
        MISSING = "needs Keras on PyTorch, but Keras was imported with another backend before"


class WithoutPeers(pytest.Module):
    """A stand-in for a test module that could not be imported."""

    def collect(self):
        _absent(MISSING, "MINITL_REQUIRE_PEERS")


def pytest_pycollect_makemodule(module_path, parent):
    return WithoutPeers.from_parent(parent, path=module_path) if MISSING else None


def pytest_collection_modifyitems(items):
    """Ignore warnings that a peer raises in its own code. Other warnings are errors."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(r"ignore:::(keras|torch)(\.|$)"))


@pytest.fixture(autouse=True)
def seeded_peers(request):
    """Seed the peers, which draw their initial weights themselves."""
    if MISSING is None:
        keras.utils.set_random_seed(seed_of(name_of(request)))


@pytest.fixture(scope="session")
def photographs(photographs_folder):
    """Return photographs of an ant and a bee: (2, 224, 224, 3) in uint8."""
    try:
        from PIL import Image
    except ImportError:
        _absent("needs the extra 'images': pip install -e '.[images]'", "MINITL_REQUIRE_PEERS")

    def load(path):
        with Image.open(path) as image:
            image = image.convert("RGB")
            scale = 256 / min(image.size)
            width, height = (round(side * scale) for side in image.size)
            left, top = (width - 224) // 2, (height - 224) // 2
            image = image.resize((width, height), Image.Resampling.BILINEAR)
            return np.array(image.crop((left, top, left + 224, top + 224)))

    return np.stack([load(sorted((photographs_folder / "val" / name).glob("*.jpg"))[0]) for name in ("ants", "bees")])


def _absent(reason, required_by):
    """Skip; fail if the environment says that nothing may be missing."""
    if os.environ.get(required_by):
        pytest.fail(f"{reason}; {required_by} is set", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def pytest_terminal_summary(terminalreporter):
    """Print the largest difference between minitl and its peers: the figures of the table in `tests/README.md`."""
    if MISSING is None:
        from .compare import WORST

        terminalreporter.section("largest relative differences")
        for name, difference in WORST.items():
            terminalreporter.write_line(f"{difference:8.1e}  {name}")


def pytest_configure(config):
    """Register the marks of Keras's own tests, which `keras_tests` runs."""
    for mark in "requires_trainable_backend", "multi_device":
        config.addinivalue_line("markers", f"{mark}: a mark of Keras's own tests")

"""What the tests share. Large files are not part of the repository: tests that want them look in ../shared and skip,
saying so, where it is missing; with MINITL_REQUIRE_SHARED set they fail instead."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from minitl import kernels, utils

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def same_random_numbers_in_every_test():
    utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def convolutions_as_usual():
    """A test that chooses an algorithm chooses it for itself."""
    yield
    kernels.set_convolution("auto")


@pytest.fixture(scope="session")
def homes(tmp_path_factory):
    """Yield the path of a folder after the other, none of which exists yet: making thousands of them takes time."""
    base = tmp_path_factory.mktemp("homes")
    return (base / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def home_of_its_own(homes, monkeypatch):
    """No test sees or leaves anything in the user's ~/.minitl."""
    monkeypatch.setenv("MINITL_HOME", str(next(homes)))


GRADIENT_ERRORS = pytest.StashKey[dict]()


@pytest.fixture
def note_error(request):
    """Keep the worst error of a gradient check; the end of the test run tells how many there were and the worst."""
    errors = request.config.stash.setdefault(GRADIENT_ERRORS, {})
    return lambda kind, error: errors.setdefault(kind, []).append(error)


def pytest_terminal_summary(terminalreporter, config):
    for kind, errors in config.stash.get(GRADIENT_ERRORS, {}).items():
        terminalreporter.write_line(
            f"gradients of {kind}: {len(errors)} configurations, worst relative error {max(errors):.1e}"
        )


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def shared(place, what):
    """A path in ../shared; where it is missing, the test is skipped, or fails if the environment demands it."""
    path = REPOSITORY.parent / "shared" / place
    if not path.exists():
        if os.environ.get("MINITL_REQUIRE_SHARED"):
            pytest.fail(f"{path} is required here and missing")
        pytest.skip(f"needs {what} in {path.parent.name}/ of ../shared, which is not part of the repository")
    return path


@pytest.fixture
def full_base():
    """The path of VGG16's whole convolutional base, 58.9 MB."""
    return shared("weights/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "the full VGG16 base")


@pytest.fixture
def photographs_folder():
    """Ants and bees: 398 photographs."""
    return shared("data/hymenoptera_data", "the photographs of ants and bees")


@pytest.fixture
def photos(tmp_path):
    """Forty-eight pictures: stripes that lie and stripes that stand. Needs Pillow."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for part, count in ("train", 16), ("val", 8):
        for name in "lying", "standing":
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                stripes = np.sin(np.arange(40) / rng.uniform(0.6, 2))[:, None] * np.ones(40) * 100 + 128
                pixels = stripes[..., None] + rng.normal(0, 30, (40, 40, 3))
                pixels = pixels if name == "lying" else pixels.swapaxes(0, 1)
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    return tmp_path / "photos"

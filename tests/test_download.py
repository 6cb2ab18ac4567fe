"""Downloads, with a pretended network: a good file or none."""

import hashlib
import io

import pytest

from minitl.errors import WeightsError
from minitl.weights.download import download

ADDRESS = "https://example.org/weights.h5"
CONTENT = bytes(range(256)) * 10_000  # 2.56 MB: several chunks
MD5 = hashlib.md5(CONTENT).hexdigest()


class Response(io.BytesIO):
    def __init__(self, content, size=None, address=ADDRESS):
        super().__init__(content)
        self.headers = {"Content-Length": str(len(content) if size is None else size)}
        self.address = address

    def geturl(self):
        return self.address


@pytest.fixture
def network(monkeypatch):
    """A list of what the network answers, one after the other."""
    answers = []

    def urlopen(address, timeout):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    monkeypatch.setattr("minitl.weights.download.time.sleep", lambda seconds: None)
    return answers


def test_a_good_download(network, tmp_path, capsys):
    network.append(Response(CONTENT))
    download(ADDRESS, tmp_path / "new" / "folder" / "weights.h5", MD5)
    assert (tmp_path / "new" / "folder" / "weights.h5").read_bytes() == CONTENT
    assert [file.name for file in (tmp_path / "new" / "folder").iterdir()] == ["weights.h5"]
    assert "100% of 2.6 MB" in capsys.readouterr().out


def test_a_cut_connection_is_tried_again(network, tmp_path):
    network += [Response(CONTENT[:99], size=len(CONTENT)), TimeoutError("timed out"), Response(CONTENT)]
    download(ADDRESS, tmp_path / "weights.h5", MD5)
    assert (tmp_path / "weights.h5").read_bytes() == CONTENT and network == []


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda: Response(CONTENT[::-1]), f"its md5 sum is .*, expected {MD5}"),
        (lambda: Response(CONTENT[:99], size=len(CONTENT)), "cut after 99 of 2,560,000 bytes"),
        (
            lambda: Response(CONTENT, address="http://example.org/"),
            "redirected to http://example.org/, which is not https",
        ),
        (lambda: OSError("no route"), "no route"),
    ],
)
def test_a_bad_download_leaves_nothing(network, tmp_path, answer, message):
    network += [answer() for _ in range(3)]
    with pytest.raises(WeightsError, match=f"could not be downloaded .*{message}.*3 attempts.*or pass weights=<path>"):
        download(ADDRESS, tmp_path / "weights.h5", MD5)
    assert list(tmp_path.iterdir()) == [] and network == []

"""`minitl serve`: answers are those of the recipes, hostile requests get an answer with a name and the server lives on,
and the page works in a browser, by keyboard too."""

import base64
import contextlib
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL", reason="needs Pillow, of the extra 'images'")

from cases.sounds import sine, wav
from PIL import Image
from programs import browser, visitors
from programs.visitors import asked, photograph, request_for, visit

from minitl import cli, progress
from minitl.applications import VGG16
from minitl.applications.ssd import SSD
from minitl.data.text import WordVocabulary
from minitl.errors import ArgumentError
from minitl.layers import (
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    Input,
    Softmax,
)
from minitl.models import Model, Sequential
from minitl.recipes import classify, classify_texts, detect, segment
from minitl.recipes.prediction import Classifier
from minitl.recipes.report.grad_cam import grad_cam
from minitl.recipes.report.heat import laid_over
from minitl.recipes.sounds import bases
from minitl.serve import Limits, Server, answers_of
from minitl.serve.answers import enlarged
from minitl.serve.refusals import STATUS
from minitl.serve.server import FILES, HEADERS
from minitl.transfer import replace_head
from minitl.utils import set_random_seed

NAMES = ["ants", "bees", "<img src=x onerror=alert(1)>", "wasps & hornets"]


def of_classes(names=NAMES):
    """Return a small model that says the class of photographs."""
    set_random_seed(1)
    x = Input((32, 32, 3))
    y = Conv2D(8, 3, padding="same", activation="relu", name="conv1")(x)
    model = Model(x, Dense(len(names), activation="softmax")(GlobalAveragePooling2D()(y)), name="kinds")
    model.layers[-1].kernel *= 0.05
    model.metadata = {"class_names": list(names), "preprocessing": "vgg16", "crop": 0.875}
    return model


def of_pixels():
    """Return a small model that says the class of pixels."""
    set_random_seed(2)
    x = Input((64, 64, 3))
    y = Softmax()(Conv2D(3, 1)(Conv2D(6, 5, padding="same", activation="relu")(x)))
    model = Model(x, y, name="pixels")
    usual = {"size": [64, 64], "photograph_size": [64.0, 64.0], "class_names": ["background", "road", "sky"]}
    model.metadata = {"task": "segment", "preprocessing": "vgg16", **usual}
    return model


def of_boxes():
    """Return a detector with random weights that finds some boxes in anything."""
    set_random_seed(3)
    shapes = [[[12.0, 12.0]], [[30.0, 30.0]]]
    model = SSD(VGG16(weights=None, include_top=False, input_shape=(64, 64, 3)), 2, (1, 1), filters=8)
    model.metadata = {
        "task": "detect", "class_names": ["cell", "grain"], "category_numbers": None, "preprocessing": "vgg16",
        "priors": shapes, "suppression": 0.3, "floor": 0.01, "most": 5, "score": 0.1,
    }  # fmt: skip
    return model


def of_texts():
    """Return a small model that says the class of texts."""
    set_random_seed(4)
    words = WordVocabulary.from_words(["good", "bad", "film", "a", "the", "dull", "."])
    tokens = Input((None,), dtype="int32")
    y = GlobalAveragePooling1D()(Embedding(len(words), 6, mask_zero=True)(tokens))
    model = Model(tokens, Dense(2, activation="softmax")(y), name="reviews")
    model.layers[-1].kernel *= 8
    about = {"task": "texts", "class_names": ["for", "against"], "length": 8, "columns": ["text", "label"]}
    model.metadata = {**about, "tokenizer": words.as_data()}
    return model


def of_sounds():
    """Return a model that says the class of recordings."""
    base, prepare = bases.build("spectrogram", None)
    model = replace_head(base, [Dense(2, activation="softmax")])
    about = {"task": "sounds", "class_names": ["no", "yes"], "base": "spectrogram", "seconds": None}
    model.metadata = {**about, "rate": prepare.rate, "front_end": list(prepare.described)}
    return model


@pytest.fixture(scope="module")
def server():
    with Server(answers_of(of_classes())) as running:
        yield running


@pytest.fixture
def file(tmp_path):
    """Write a photograph, and return its path."""
    path = tmp_path / "a.jpg"
    path.write_bytes(photograph())
    return path


def pixels_of(url):
    """Return the pixels of a data URL."""
    with urlopen(url) as image:
        return np.asarray(image)


def urlopen(url):
    """Return a data URL as an opened image."""
    head, _, data = url.partition(",")
    assert head in ("data:image/jpeg;base64", "data:image/png;base64")
    return Image.open(io.BytesIO(base64.b64decode(data)))


# ---- answers ----


def test_the_answer_is_that_of_classify(server, file):
    status, found = asked(server, "/predict", file.read_bytes())
    (expected,) = classify(of_classes(), [file], verbose=0, top=4)
    assert status == 200 and found["task"] == "images" and (found["height"], found["width"]) == (60, 80)
    assert found["predictions"] == expected["predictions"] and "shown" not in found
    assert asked(server, "/predict?top=2", file.read_bytes())[1]["predictions"] == expected["predictions"][:2]


def test_a_name_a_type_and_a_suffix_decide_nothing(server):
    for form in "PNG", "WEBP", "BMP", "TIFF", "GIF":
        status, found = asked(
            server, "/predict", photograph(form=form), headers=["Content-Type: text/html", "X-Name: a.exe"]
        )
        assert status == 200 and found["height"] == 60, form


def test_a_rotated_photograph_is_turned(server):
    file, image = io.BytesIO(), Image.open(io.BytesIO(photograph()))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(file, "JPEG", exif=exif)
    _, found = asked(server, "/predict", file.getvalue())
    assert (found["height"], found["width"]) == (80, 60)


def test_grad_cam_of_any_class_is_shown(server, file):
    model, image = of_classes(), Image.open(file).convert("RGB")
    classifier = Classifier(model)
    x = classifier.image_or_reason(str(file))[None]
    _, usual = asked(server, "/predict?pictures=yes", file.read_bytes())
    best = usual["predictions"][0]["class"]
    assert usual["grad_cam"]["class"] == best
    for name in NAMES[:2], NAMES[2:3]:
        _, found = asked(
            server, f"/predict?pictures=yes&class={name[-1].replace(' ', '+').replace('=', '%3D')}", file.read_bytes()
        )
        heat = grad_cam(model, x, [NAMES.index(name[-1])])[0]
        expected = laid_over(enlarged(image, classifier), heat)
        overlay = pixels_of(found["grad_cam"]["overlay"])
        assert overlay.shape == expected.shape == (448, 448, 3) and found["grad_cam"]["class"] == name[-1]
        assert np.abs(overlay.astype(int) - expected).mean() < 6, "JPEG"
        assert found["grad_cam"]["is_nothing"] == (heat.max() <= 0) and pixels_of(found["shown"]).shape == (448, 448, 3)


def test_a_network_without_maps_has_no_grad_cam(file):
    model = Sequential([Flatten(input_shape=(8, 8, 3)), Dense(2, activation="softmax")])
    model.metadata = {"class_names": ["a", "b"], "preprocessing": "vgg16", "crop": 1.0}
    found = answers_of(model).answer(file.read_bytes(), {"pictures": "yes"})
    assert "grad_cam" not in found and len(found["predictions"]) == 2 and found["shown"]


def test_pixels_and_their_mask(file):
    with Server(answers_of(of_pixels())) as server:
        (expected,) = segment(of_pixels(), [file], verbose=0)
        _, found = asked(server, "/predict", file.read_bytes())
        assert found["classes"] == expected["classes"] and "mask" not in found
        _, found = asked(server, "/predict?pictures=yes", file.read_bytes())
        np.testing.assert_array_equal(pixels_of(found["mask"]), expected["mask"])
        assert pixels_of(found["overlay"]).shape == (60, 80, 3) and list(found["colours"]) == list(found["classes"])
        assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in found["colours"].values())


def test_boxes_are_those_of_detect(file):
    model = of_boxes()
    (expected,) = detect(model, [file], verbose=0)
    found = answers_of(model).answer(file.read_bytes(), {"pictures": "yes"})
    assert expected["boxes"] and found["boxes"] == expected["boxes"]
    changed = np.abs(pixels_of(found["overlay"]).astype(int) - np.asarray(Image.open(file))).max(axis=-1) > 60
    assert changed.any() and changed.mean() < 0.9


def test_texts_and_the_words_that_decided():
    text = "The film: good, bad. <b>Dull!</b> a a a a"
    (expected,) = classify_texts(of_texts(), [text], verbose=0)
    with Server(answers_of(of_texts())) as server:
        status, found = asked(server, "/predict", json.dumps({"text": text}).encode())
        assert status == 200 and found["predictions"] == expected["predictions"]
        assert found["cut_off"] == expected["cut_off"] > 0 and "words" not in found
        _, found = asked(server, "/predict?words=yes", json.dumps({"text": text}).encode())
        assert "".join(piece for piece, _ in found["words"]) == text and found["words"][-1][1] is None
        assert asked(server, "/model")[1]["takes"] == "text"


@pytest.mark.parametrize(
    "body, error",
    [
        (b"hello", "wrong_text"), (b'{"text": 3}', "wrong_text"), (b'["text"]', "wrong_text"),
        (b'{"text": " \\n"}', "wrong_text"), (b'{"text": "a\\u0000b"}', "wrong_text"), (b"\xff\xfe{", "wrong_text"),
        (b'{"text": "\\ud800"}', "wrong_text"), (b"[" * 200_000, "wrong_text"), (b"9" * 100_000, "wrong_text"),
        (json.dumps({"text": "x " * 10_001}).encode(), "too_many_characters"), (b"{" * 400_001, "too_many_bytes"),
        (photograph(), "wrong_kind"),
    ],
    ids=range(12),
)  # fmt: skip
def test_what_is_no_text_is_refused(texts, body, error):
    status, found = asked(texts, "/predict", body)
    assert (status, found["error"]) == (STATUS[error], error) and found["message"].endswith(".")


@pytest.fixture(scope="module")
def texts():
    with Server(answers_of(of_texts())) as running:
        yield running


def test_models_for_something_else_are_refused(tmp_path):
    model = of_classes()
    model.metadata["task"] = "language"
    with pytest.raises(ArgumentError, match="answers the token that comes next"):
        answers_of(model)
    model.metadata = {}
    with pytest.raises(ArgumentError, match="do not name its 4 outputs"):
        answers_of(model)


def test_a_published_network_names_what_imagenet_names(monkeypatch, file):
    from minitl.serve import answers

    def built(name):
        model = of_classes([f"kind {k}" for k in range(1000)])
        return model if name == "vgg16" else pytest.fail(name)

    monkeypatch.setattr(answers, "imagenet_model", built)
    found = answers_of("VGG16")
    assert found.name == "VGG16" and found.about()["classes"] == 1000
    assert len(found.answer(file.read_bytes(), {})["predictions"]) == 5


# ---- what comes out, and what does not ----


def test_headers_forbid_all_that_the_page_does_not_need(server):
    for path, kind in ("/", "text/html"), ("/page.js", "text/javascript"), ("/model", "application/json"):
        status, headers, body = visit(server, request_for(path))
        assert status == 200 and headers["Content-Type"].startswith(kind) and body
        assert headers.items() >= HEADERS.items() and not [key for key in headers if "Allow-Origin" in key]
        assert visit(server, request_for(path, method="HEAD"))[2] == b""
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    _, headers, _ = visit(server, request_for("/nobody"))
    assert headers.items() >= HEADERS.items(), "errors too"
    assert visit(server, request_for("/", method="PUT"))[1]["Allow"] == "GET, HEAD"


def test_nothing_is_loaded_from_elsewhere_and_no_text_becomes_html():
    from minitl.serve import server as module

    folder = Path(module.__file__).parent
    texts = {name: (folder / name).read_text(encoding="utf-8") for name, _ in FILES.values()}
    for name, text in texts.items():
        assert not re.search(r"https?:|@import|url\(|(?:src|href)=\"(?!page\.|data:,)", text), name
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", texts["page.js"])
    assert "style=" not in texts["page.html"] and "onclick" not in texts["page.html"]


def test_other_names_and_other_pages_are_refused(server):
    for host in "127.0.0.1", "localhost", "LOCALHOST:1", "[::1]:8000", f"127.0.0.1:{server.port}":
        assert visit(server, request_for("/", host=host))[0] == 200, host
    for host in "evil.example", "127.0.0.1.evil.example", "0.0.0.0", "192.168.0.1", "", "a b", "[::1", "localhost.":
        assert visit(server, request_for("/", host=host))[0] == 421, host
    body, ours = photograph(), f"127.0.0.1:{server.port}"
    assert asked(server, "/predict", body, host=ours, headers=[f"Origin: http://{ours}"])[0] == 200
    for origin in "null", "http://evil.example", f"https://{ours}", "http://127.0.0.1:1":
        assert asked(server, "/predict", body, host=ours, headers=[f"Origin: {origin}"])[0] == 403, origin


def test_only_this_machine_is_reached_unless_asked_for(server):
    assert server.host == "127.0.0.1" and server.is_local
    with pytest.raises(OSError):  # another address of this machine: nobody listens there
        socket.create_connection(("127.0.0.2", server.port), timeout=1).close()
    with Server(answers_of(of_classes()), host="0.0.0.0") as open_to_all:
        assert not open_to_all.is_local
        assert visit(open_to_all, request_for("/", host="192.168.7.7:80"))[0] == 200, "a number is nobody's name"
        assert visit(open_to_all, request_for("/", host=socket.gethostname()))[0] == 200
        assert visit(open_to_all, request_for("/", host="evil.example"))[0] == 421


def test_no_file_is_opened_and_none_is_left(server, monkeypatch):
    opened, real = [], open

    def noted(path, *arguments, **options):
        opened.append(path)
        return real(path, *arguments, **options)

    monkeypatch.setattr("builtins.open", noted)
    for path in "/", "/page.js", "/etc/passwd", "/server.py", "/page.css?x=1":
        visit(server, request_for(path))
    assert asked(server, "/predict?pictures=yes", photograph())[0] == 200
    for content, _ in visitors.hostile_files().values():
        visit(server, request_for("/predict", content))
    assert opened == []


# ---- hostile visitors ----


@pytest.mark.parametrize("name", list(visitors.hostile(Limits().body_bytes)))
def test_each_hostile_request_gets_an_answer_with_a_name(server, name):
    data, right = visitors.hostile(Limits().body_bytes)[name]
    status, headers, body = visit(server, data, then_end=True)
    assert status in (right if isinstance(right, tuple) else (right,))
    if status is not None:
        found = json.loads(body)
        assert STATUS[found["error"]] == found["status"] == status and headers["Connection"] == "close"
        assert not found["message"][0].islower() and found["message"].endswith((".", ")"))
        assert not re.search(r"Traceback|minitl/|/home|/tmp|evil\.example", found["message"])
    assert asked(server, "/predict", photograph())[0] == 200, "and the server lives on"


def test_a_second_request_in_a_connection_is_never_read(server):
    hidden = request_for("/hidden")
    with Server(answers_of(of_classes()), log=(lines := []).append) as quiet:
        for first in request_for("/model"), request_for("/predict", photograph()):
            assert visit(quiet, first + hidden)[0] == 200
        assert len(lines) == 2 and "hidden" not in "".join(lines)


def test_slow_clients_are_sent_away_and_do_not_hold_up_others():
    limits = Limits(head_seconds=0.6, body_seconds=0.6)
    with Server(answers_of(of_classes()), limits=limits) as server:
        slow = [socket.create_connection((server.host, server.port)) for _ in range(6)]
        for number, each in enumerate(slow):
            each.sendall(
                b"GET / HT"
                if number % 2
                else b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nx"
            )
        start, status = time.monotonic(), None
        for beat in range(40):  # a byte now and then does not help
            for each in slow:
                try:
                    each.sendall(b"x")
                except OSError:
                    pass
            if beat == 0:
                status = asked(server, "/predict", photograph())[0]
            time.sleep(0.02)
        assert status == 200
        for each in slow:
            each.settimeout(5)
            answer = b""
            try:
                while more := each.recv(4096):
                    answer += more
            except ConnectionError:
                pass
            assert visitors.parsed(answer)[0] in (408, 400), answer
            each.close()
        assert time.monotonic() - start < 8


def test_clients_that_vanish(server):
    for data in request_for("/predict?pictures=yes", photograph()), request_for("/"), b"GET", b"":
        for reset in False, True:
            connection = socket.create_connection((server.host, server.port))
            connection.sendall(data)
            if reset:  # RST instead of FIN
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
    assert asked(server, "/predict", photograph())[0] == 200


def test_curl_waits_for_a_sign_before_it_sends(server):
    body = photograph()
    with socket.create_connection((server.host, server.port), timeout=20) as connection:
        connection.sendall(request_for("/predict", body, headers=["Expect: 100-continue"])[: -len(body)])
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        received = b""
        while more := connection.recv(65536):
            received += more
    assert visitors.parsed(received)[0] == 200


def test_the_standard_library_speaks_with_it(server):
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    for _ in range(2):
        connection.request("POST", "/predict", photograph())
        assert connection.getresponse().read()
    connection.close()


# ---- limits ----


class Slow:
    """Answers that wait until they may go on."""

    options, most_bytes = (), 1000

    def __init__(self):
        self.may_go_on, self.running, self.answered = threading.Event(), threading.Event(), 0

    def about(self):
        return {}

    def answer(self, body, options):
        if body == b"fail":
            raise RuntimeError("secret")
        if body == b"memory":
            raise MemoryError
        self.running.set()
        self.may_go_on.wait(20)
        self.answered += 1
        return {"body": body.decode()}


def test_a_full_queue_and_a_prediction_that_takes_too_long():
    slow = Slow()
    with Server(slow, limits=Limits(waiting=2, seconds=3.0)) as server, ThreadPoolExecutor(8) as pool:
        found = [pool.submit(visit, server, request_for("/predict", b"0"))]
        assert slow.running.wait(20)  # one runs; until then it takes a place in the queue
        found += [pool.submit(visit, server, request_for("/predict", b"%d" % n)) for n in (1, 2)]
        time.sleep(0.4)  # two wait
        status, headers, body = visit(server, request_for("/predict", b"one more"))
        assert status == 503 and json.loads(body)["error"] == "busy" and 1 <= int(headers["Retry-After"]) <= 60
        assert visit(server, request_for("/model"))[0] == 200, "the page is there all the time"
        answers = [each.result() for each in found]
        assert {json.loads(body)["error"] for _, _, body in answers} == {"took_too_long"}
        assert all(status == 503 and "Retry-After" in headers for status, headers, _ in answers)
        slow.may_go_on.set()
        assert asked(server, "/predict", b"again") == (200, {"body": "again"})
        assert slow.answered == 2, "those who gave up in the queue are not computed"


def test_a_fault_of_the_model_is_told_and_keeps_its_secrets():
    slow = Slow()
    slow.may_go_on.set()
    with Server(slow) as server:
        status, found = asked(server, "/predict", b"fail")
        assert status == 500 and found["error"] == "failed" and "secret" not in found["message"]
        assert asked(server, "/predict", b"memory")[0] == 503
        assert asked(server, "/predict", b"good")[0] == 200


def test_more_connections_than_threads():
    with Server(answers_of(of_classes()), limits=Limits(connections=3, head_seconds=1.0)) as server:
        before = threading.active_count()
        held = [socket.create_connection((server.host, server.port)) for _ in range(3)]
        time.sleep(0.4)
        status, headers, body = visit(server, request_for("/model"))
        assert status == 503 and json.loads(body)["error"] == "too_many_connections" and headers["Retry-After"] == "1"
        assert threading.active_count() <= before + 3
        for each in held:
            each.close()
        time.sleep(0.4)
        assert visit(server, request_for("/model"))[0] == 200


def visits_at_once(server, count, at_once=16):
    """Return {status: how many} of `count` requests, of which every third is hostile, `at_once` at a time."""
    bad = list(visitors.hostile(Limits().body_bytes).values())
    good = [request_for(f"/predict{query}", photograph(n)) for n in range(4) for query in ("", "?pictures=yes")]
    good += [request_for("/"), request_for("/model")]

    def one(number):
        data, right = bad[number // 3 % len(bad)] if number % 3 == 0 else (good[number % len(good)], 200)
        status = visit(server, data, then_end=number % 2 == 0 or number % 3 == 0)[0]
        assert status in ((*right, 503) if isinstance(right, tuple) else (right, 503)), (number, status, right)
        return status

    with ThreadPoolExecutor(at_once) as pool:
        return Counter(pool.map(one, range(count)))


def test_sixty_requests_at_sixteen_at_once(server):
    threads = threading.active_count()
    counts = visits_at_once(server, 60)
    assert sum(counts.values()) == 60 and counts[200] >= 36 and not counts[500]
    assert asked(server, "/predict", photograph())[0] == 200 and threading.active_count() <= threads + 17


@pytest.mark.slow
def test_a_thousand_requests_at_sixteen_at_once(server):
    counts = visits_at_once(server, 1000)
    assert sum(counts.values()) == 1000 and counts[200] >= 600 and not counts[500]
    assert asked(server, "/predict", photograph())[0] == 200
    time.sleep(2.5)
    assert threading.active_count() < 12, "no thread is left over"


# ---- the command ----


@pytest.fixture
def saved(tmp_path):
    """Return the file of a saved model."""
    of_classes().save(tmp_path / "kinds.h5")
    return tmp_path / "kinds.h5"


def started(*arguments):
    """Start the command in a process of its own, and return (the process, its first line)."""
    command = [sys.executable, "-W", "error", "-m", "minitl", "serve", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": ""}
    group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, text=True, env=environment, encoding="utf-8", **pipes, **group)
    return process, process.stdout.readline()


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no Ctrl-C to one process alone")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_its_address_a_line_for_each_request_and_ends_cleanly(number, saved, tmp_path):
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("these tests run in the background, where Ctrl-C is ignored by all")
    process, first = started(saved, "--port", "0", "--json", tmp_path / "counts.json")
    found = re.match(r"http://127\.0\.0\.1:(\d+)/  asks kinds\.h5\. Ctrl-C ends it\.\n", first)
    assert found, first
    for path in "/model", "/" + "a" * 200, "/" + "%1b[31m":
        with socket.create_connection(("127.0.0.1", int(found[1])), timeout=20) as connection:
            connection.sendall(request_for(path))
            assert connection.recv(100)
    process.send_signal(number)
    rest = process.communicate(timeout=30)[0].splitlines()
    assert process.returncode == 128 + number and rest[-1] == "Ended after 3 requests." and len(rest) == 4
    assert all(re.match(r"\d\d:\d\d:\d\d  (200|404) +\d+\.\d\d s  GET /", line) for line in rest[:3])
    assert max(map(len, [first, *rest])) <= 80
    assert json.loads((tmp_path / "counts.json").read_text())["answers"] == {"200": 1, "404": 2}


def test_wrong_places_are_named(saved, capsys, server):
    for options, words in {
        ("--port", "70000"): "expected a number from 0 to 65535",
        ("--port", "-1"): "expected a whole number of at least 0",
        ("--port", str(server.port)): "cannot be listened on",
        ("--host", "no.such.host.invalid"): "cannot be listened on",
    }.items():
        assert cli.main(["serve", str(saved), *options]) == 1
        assert words in capsys.readouterr().err


def test_letting_others_in_is_warned_of(saved, capsys, monkeypatch):
    monkeypatch.setattr(Server, "serve", lambda self: self.listener.close())
    assert cli.main(["serve", str(saved), "--port", "0"]) == 0
    assert "WARNING" not in capsys.readouterr().out
    assert cli.main(["serve", str(saved), "--port", "0", "--host", "0.0.0.0"]) == 0
    out = capsys.readouterr().out
    assert "WARNING: everybody who reaches this machine" in out and max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("waits", [False, True])
def test_a_server_that_waits_shows_no_progress(waits, capsys, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE_ELSEWHERE", 0.05)
    with progress.watched(), progress.unwatched() if waits else contextlib.nullcontext():
        time.sleep(0.6)
    assert ("Working" in capsys.readouterr().err) is not waits


# ---- in a browser ----

LOOK = """
const images = [...document.images];
const beyond = [...document.querySelectorAll("body *")].filter(each => each.checkVisibility() &&
  (each.getBoundingClientRect().right > innerWidth + 1 || each.getBoundingClientRect().left < -1));
return {
  width: document.documentElement.scrollWidth, inner: innerWidth,
  beyond: beyond.map(each => each.outerHTML.slice(0, 80)),
  missing: images.filter(each => !each.complete || !each.naturalWidth || !each.alt).length, images: images.length,
  answer: document.getElementById("answer").textContent, bars: document.querySelectorAll("#bars li").length,
  error: document.getElementById("error").hidden ? null : document.getElementById("error").textContent,
  focused: document.activeElement.id, paper: getComputedStyle(document.body).backgroundColor,
  nameless: [...document.querySelectorAll("input, textarea, button")].filter(each => each.checkVisibility() &&
    !each.labels?.length && !each.textContent.trim()).length,
};
"""
CHOOSE = """
const bytes = Uint8Array.from(atob(arguments[0]), letter => letter.charCodeAt(0));
const files = new DataTransfer();
files.items.add(new File([bytes], arguments[1]));
if (arguments[2] === "drop") document.querySelector(".drop").dispatchEvent(
  new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
else {
  const input = [...document.querySelectorAll("[type=file]")].find(each => each.checkVisibility());
  input.files = files.files;
  input.dispatchEvent(new Event("change"));
}
"""


@pytest.fixture(scope="module")
def chromium():
    if not browser.found():
        pytest.skip("needs Chromium and its driver: apt-get install chromium chromium-driver")
    with browser.Browser() as window:
        yield window


def choose(chromium, content, how="choose"):
    """Let the page have a photograph, or a recording."""
    chromium.run(CHOOSE, base64.b64encode(content).decode(), "<b>a.jpg", how)


def until(chromium, condition):
    """Wait until a condition in JavaScript is true."""
    for _ in range(400):
        if chromium.run(f"return Boolean({condition})"):
            return
        time.sleep(0.05)
    raise AssertionError(f"{condition} did not come true: {chromium.run(LOOK)}")


ANSWERED = "!document.getElementById('result').hidden && !document.body.hasAttribute('aria-busy')"


def press(chromium, key):
    """Press a key."""
    for kind in "keyDown", "keyUp":
        text = {"Enter": "\r", " ": " "}.get(key)
        more = {"text": text} if text and kind == "keyDown" else {}
        code = {"Enter": 13, "Tab": 9, " ": 32}[key]
        chromium.command("Input.dispatchKeyEvent", {"type": kind, "key": key, "windowsVirtualKeyCode": code, **more})


@pytest.mark.parametrize("width, dark", [(1280, False), (390, False), (320, True)])
@pytest.mark.parametrize("kind", ["classes", "pixels", "boxes", "texts", "sounds"])
def test_the_page_shows_the_answer(kind, width, dark, chromium, pages):
    server = pages(kind)
    chromium.messages("browser"), chromium.messages("performance")
    chromium.open(server.address, width, dark=dark)
    if kind == "texts":
        until(chromium, "!document.getElementById('writing').hidden")
        chromium.run(
            "const box = document.getElementById('text'); box.value = 'the <i>good</i> film'; box.form.requestSubmit()"
        )
    else:
        form = "recording" if kind == "sounds" else "photograph"
        until(chromium, f"!document.getElementById('{form}').hidden")
        opacity = "getComputedStyle([...document.querySelectorAll('[type=file]')].find(each => each.checkVisibility()))"
        assert chromium.run(f"return {opacity}.opacity") == "0", "the browser's own button is not shown"
        tone = wav(np.round(sine(700, 8000, 0.5, 0.5, float) * 32767))
        choose(chromium, tone if kind == "sounds" else photograph(size=(300, 420)), "drop" if dark else "choose")
    until(chromium, ANSWERED)
    until(chromium, "[...document.images].every(each => each.complete)")
    seen = chromium.run(LOOK)
    assert seen["inner"] == width >= seen["width"] and not seen["beyond"], seen
    assert seen["answer"] and seen["error"] is None and not seen["missing"] and not seen["nameless"], seen
    assert seen["images"] == {"classes": 2, "texts": 0}.get(kind, 1) and seen["focused"] == "result"
    assert chromium.messages("browser") == [], "no error in the console, and nothing that the policy forbids"
    messages = [json.loads(each["message"])["message"] for each in chromium.messages("performance")]
    asked_for = {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}
    assert {url.split("?")[0].removeprefix(server.address) for url in asked_for if not url.startswith("data:")} == {
        "", "page.css", "page.js", "model", "predict"
    }  # fmt: skip


@pytest.fixture(scope="module")
def pages():
    """Return a function from a kind of model to a running server; each is started once."""
    kinds = {
        "classes": of_classes, "pixels": of_pixels, "boxes": of_boxes, "texts": of_texts, "sounds": of_sounds
    }  # fmt: skip
    running = {}

    def page(kind):
        if kind not in running:
            running[kind] = Server(answers_of(kinds[kind]())).__enter__()
        return running[kind]

    yield page
    for each in running.values():
        each.__exit__()


def test_everything_can_be_done_by_keyboard(chromium, pages):
    chromium.open(pages("classes").address, 1280)
    until(chromium, "!document.getElementById('photograph').hidden")
    press(chromium, "Tab")
    assert chromium.run("return document.activeElement.id") == "file"
    style = "getComputedStyle(document.getElementById('drop')).outlineStyle"
    assert chromium.run(f"return {style}") == "solid", "the focus is seen"
    choose(chromium, photograph())
    until(chromium, ANSWERED)
    assert chromium.run(LOOK)["focused"] == "result"
    press(chromium, "Tab"), press(chromium, "Tab")
    name = chromium.run("return document.activeElement.textContent")
    assert name in NAMES and chromium.run("return document.activeElement.ariaPressed") == "false"
    press(chromium, "Enter")
    pressed = "document.querySelector('#bars [aria-pressed=true]')?.textContent"
    until(chromium, f"{pressed} === {json.dumps(name)} && {ANSWERED}")
    assert chromium.run("return document.activeElement.textContent") == name, "the focus stays where it was"
    assert name in chromium.run("return document.getElementById('state').textContent"), "and it is said"
    chromium.open(pages("texts").address, 390)
    until(chromium, "!document.getElementById('writing').hidden")
    press(chromium, "Tab")
    chromium.command("Input.insertText", {"text": "a dull film"})
    press(chromium, "Tab"), press(chromium, "Enter")
    until(chromium, ANSWERED)


def test_errors_are_shown_and_go_away(chromium, pages):
    chromium.open(pages("classes").address, 390)
    until(chromium, "!document.getElementById('photograph').hidden")
    for content, words in (b"%PDF-1.4", "no photograph"), (b"", "empty"), (photograph()[:900], "cannot be read"):
        choose(chromium, content)
        until(chromium, f"document.getElementById('error').textContent.includes({json.dumps(words)})")
        seen = chromium.run(LOOK)
        assert seen["error"] and not seen["beyond"]
        assert chromium.run("return document.getElementById('result').hidden")
    choose(chromium, photograph())
    until(chromium, ANSWERED)
    assert chromium.run(LOOK)["error"] is None
    chromium.open(pages("sounds").address, 390)
    until(chromium, "!document.getElementById('recording').hidden")
    for content, words in (
        (wav([0, np.nan], "float", 32), "has nan"),
        (wav(rate=1), "1 samples a second"),
        (b"", "empty"),
    ):
        choose(chromium, content)
        until(chromium, f"document.getElementById('error').textContent.includes({json.dumps(words)})")
        assert not chromium.run(LOOK)["beyond"]
    chromium.messages("browser")


def test_an_image_in_another_page_learns_nothing(chromium, pages, tmp_path):
    """A page from elsewhere can neither show this page in a frame, nor read or ask it."""
    address = pages("classes").address
    (tmp_path / "evil.html").write_text(
        f"<iframe id=f src='{address}'></iframe><script>window.found = [];"
        f"fetch('{address}model').then(r => r.text()).then(t => found.push(t), e => found.push('refused'));"
        f"fetch('{address}predict', {{method: 'POST', mode: 'no-cors', body: 'x'}})"
        ".then(r => found.push(r.type + r.status), e => found.push('refused'));</script>"
    )
    before = pages("classes").counts[403]
    chromium.open((tmp_path / "evil.html").as_uri(), 600)
    until(chromium, "window.found.length === 2")
    assert set(chromium.run("return window.found")) <= {"refused", "opaque0"}
    assert pages("classes").counts[403] >= before
    chromium.messages("browser")

"""Visitors of `minitl serve` for its tests: good ones, and those who send what is broken or meant to harm.

visit(server, request_for("/model"))               (status, headers, body) of one request
HOSTILE                                            {name: (bytes of a whole request, statuses that are right)}
"""

import io
import json
import socket
import struct
import zlib

import numpy as np
from PIL import Image


def photograph(seed=0, size=(60, 80), form="JPEG"):
    """Return the bytes of a photograph of noise."""
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def request_for(path, body=None, method=None, host="127.0.0.1", headers=()):
    """Return the bytes of a request."""
    method = method or ("GET" if body is None else "POST")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def visit(server, data, then_end=False, timeout=60):
    """Send bytes to a `Server`, and return (status, headers, body) of its answer; (None, {}, b"") without an answer.

    then_end   True: say that nothing more comes
    """
    with socket.create_connection((server.host, server.port), timeout=timeout) as connection:
        received = b""
        try:
            connection.sendall(data)
            if then_end:
                connection.shutdown(socket.SHUT_WR)
        except OSError:  # the answer came before all was sent
            pass
        try:
            while more := connection.recv(65536):
                received += more
        except ConnectionError:
            pass
    return parsed(received)


def parsed(received):
    """Return (status, headers, body) of the bytes of an answer."""
    if not received:
        return None, {}, b""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert first.startswith("HTTP/1.1 ") and len(body) in (int(headers["Content-Length"]), 0), head
    return int(first.split()[1]), headers, body


def asked(server, path, body=None, **more):
    """Return (status, data) of a request whose answer is JSON."""
    status, _, answer = visit(server, request_for(path, body, **more))
    return status, json.loads(answer)


def chunk(kind, content):
    """Return a chunk of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, pixels):
    """Return a PNG file that announces this size, and holds `pixels`, already compressed."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def film():
    """Return a GIF file with two frames."""
    file, frames = io.BytesIO(), [Image.new("L", (8, 8), grey) for grey in (0, 200)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


def hostile_files():
    """Return {name: (bytes, status)} of files that are no photograph that can be shown."""
    good, zeros = photograph(), zlib.compress(bytes(10**6))
    return {
        "a text": (b"hello", 415),
        "JSON": (b'{"text": "hello"}', 415),
        "a PDF document": (b"%PDF-1.4 ...", 415),
        "PostScript": (b"%!PS\n(%pipe%touch x) (w) file", 415),
        "a ZIP archive": (b"PK\x03\x04" + bytes(100), 415),
        "a drawing that loads": (b'<svg><use href="file:///etc/passwd"/></svg>', 415),
        "a web page": (b"<!doctype html><script>alert(1)</script>", 415),
        "a pickle": (b"\x80\x04cos\nsystem\n(S'true'\ntR.", 415),
        "zero bytes": (bytes(1000), 415),
        "cut short": (good[: len(good) // 2], 422),
        "the mark of JPEG alone": (b"\xff\xd8\xff", 422),
        "the mark of PNG and noise": (b"\x89PNG\r\n\x1a\n" + good, 422),
        "the mark of WebP and noise": (b"RIFF\x24\0\0\0WEBPVP8 " + good, 422),
        "the mark of TIFF and a loop": (b"II*\0\x08\0\0\0\0\0\x08\0\0\0", 422),
        "the mark of a film": (b"\0\0\0\x18ftypmp42" + bytes(50), 422),
        "frames": (film(), 422),
        "more pixels than fit": (png(60_000, 60_000, zeros), 413),
        "more pixels than allowed": (png(9_000, 9_000, zeros), 413),
        "fewer pixels than announced": (png(3_000, 3_000, zlib.compress(bytes(10))), 422),
        "no pixels at all": (png(0, 0, zeros), 422),
        "a side too long": (png(2**31 - 1, 2**31 - 1, zeros), (413, 422)),
    }  # fmt: skip


def hostile_requests(most_bytes):
    """Return {name: (bytes, status)} of requests that are no plain HTTP, or meant for something else."""
    good = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    post = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    chunks = post + b"Transfer-Encoding: chunked\r\n"
    return {
        "noise": (bytes(range(256)) * 4, 400),
        "TLS": (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(200), 400),
        "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        "HTTP/0.9": (b"GET /\r\n\r\n", 400),
        "a proxy's request": (b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n", 400),
        "a tunnel": (b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n", 400),
        "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
        "two hosts": (good + b"Host: evil.example\r\n\r\n", 400),
        "another host": (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        "a host like ours": (b"GET / HTTP/1.1\r\nHost: localhost.evil.example:8000\r\n\r\n", 421),
        "a host with a user": (b"GET / HTTP/1.1\r\nHost: evil.example@127.0.0.1\r\n\r\n", 421),
        "another address of ours": (b"GET / HTTP/1.1\r\nHost: 0.0.0.0\r\n\r\n", 421),
        "another page": (post + b"Origin: http://evil.example\r\nContent-Length: 1\r\n\r\nx", 403),
        "a page from a file": (post + b"Origin: null\r\nContent-Length: 1\r\n\r\nx", 403),
        "line feeds alone": (b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n", 400),
        "one line feed": (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\nX: y\r\n\r\n", 400),
        "a zero byte": (good + b"X: a\0b\r\n\r\n", 400),
        "a folded header": (good + b"X: a\r\n b\r\n\r\n", 400),
        "a space before the colon": (post + b"Content-Length : 5\r\n\r\nhello", 400),
        "two lengths": (post + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400),
        "a list of lengths": (post + b"Content-Length: 5, 5\r\n\r\nhello", 400),
        "a negative length": (post + b"Content-Length: -1\r\n\r\n", 400),
        "a length with a sign": (post + b"Content-Length: +5\r\n\r\nhello", 400),
        "a length in hexadecimal": (post + b"Content-Length: 0x5\r\n\r\nhello", 400),
        "a length of a thousand digits": (post + b"Content-Length: " + b"9" * 1000 + b"\r\n\r\n", 400),
        "a huge length": (post + b"Content-Length: 999999999999\r\n\r\n", 413),
        "one byte too many": (post + b"Content-Length: %d\r\n\r\n" % (most_bytes + 1), 413),
        "no length": (post + b"\r\nhello", 411),
        "chunks": (chunks + b"\r\n5\r\nhello\r\n0\r\n\r\n", 411),
        "chunks and a length": (chunks + b"Content-Length: 5\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n", 400),
        "another coding": (post + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        "two codings": (chunks + b"Transfer-Encoding: identity\r\n\r\n", 400),
        "an empty body": (post + b"Content-Length: 0\r\n\r\n", 400),
        "half a body": (post + b"Content-Length: 50\r\n\r\nhello", 400),
        "half a head": (good, 400),
        "a body with GET": (good + b"Content-Length: 5\r\n\r\nhello", 400),
        "an unknown expectation": (post + b"Expect: miracles\r\nContent-Length: 5\r\n\r\nhello", 417),
        "a long address": (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 414),
        "a header without end": (good + b"X: " + b"a" * 40_000, 431),
        "many headers": (good + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n", 431),
        "a path of a file": (request_for("/../../../../etc/passwd"), 404),
        "the same, disguised": (request_for("/%2e%2e/%2e%2e/etc/passwd"), 404),
        "a file of the package": (request_for("/server.py"), 404),
        "a folder": (request_for("//"), 404),
        "another method": (request_for("/", method="DELETE"), 405),
        "TRACE": (request_for("/", method="TRACE"), 405),
        "a GET of the answer": (request_for("/predict"), 405),
        "an unknown option": (request_for("/predict?file=/etc/passwd", b"x"), 400),
        "a wrong option": (request_for("/predict?top=-1", photograph()), 400),
        "a class that is none": (request_for("/predict?pictures=yes&class=nobody", photograph()), 400),
        "options without end": (request_for("/predict?" + "&".join(["top=1"] * 50), b"x"), 400),
        "nothing": (b"", None),
    }  # fmt: skip


def hostile(most_bytes):
    """Return {name: (bytes of a whole request, status)} of all of them."""
    files = {name: (request_for("/predict", content), right) for name, (content, right) in hostile_files().items()}
    return {**hostile_requests(most_bytes), **files}

"""A request, read from a socket: the part of HTTP/1.1 that browsers and curl use, and nothing else.

A proxy and a server that disagree where a request ends can be made to see different requests (smuggling). So all that
two readers could understand differently is refused: line feeds alone, spaces before a colon, folded headers, two
lengths, a coding together with a length. And there is one request in a connection.

A client that sends a byte now and then would keep a thread busy. So there is a time by which the whole head must be
here, and one for the body.
"""

import re
import time
from typing import NamedTuple
from urllib.parse import parse_qsl

from .refusals import Refused

FIRST_LINE = re.compile(rb"([A-Z]{1,16}) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])")
HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
END = b"\r\n\r\n"
AT_A_TIME = 65_536  # bytes
ONCE = ("host", "content-length", "content-type", "transfer-encoding", "expect", "origin")  # headers


class Request(NamedTuple):
    """A request whose body is not read yet.

    method, path   as "GET", "/predict";   query   {name: value} of what stands behind the "?"
    headers        {name in small letters: value}
    length         of the body in bytes;   begun   the bytes of it that came with the head
    """

    method: str
    path: str
    query: dict
    headers: dict
    length: int
    begun: bytes


class Gone(Exception):
    """Raised where the client has ended the connection: nobody waits for an answer."""


def receive(connection, until):
    """Return some bytes from a socket, b"" at its end. Raises Refused after the time `until`, of `time.monotonic`."""
    left = until - time.monotonic()
    try:
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        return connection.recv(AT_A_TIME)
    except TimeoutError:
        raise Refused("too_slow_to_send", "The request was not here in time. Send it faster.") from None
    except OSError:
        raise Gone from None


def read_head(connection, limits):
    """Return the `Request` that a socket begins with. Raises Refused for what is no plain request, and Gone."""
    until, data = time.monotonic() + limits.head_seconds, b""
    while END not in data[: limits.head_bytes]:
        line, found, _ = data.partition(b"\r\n")
        check_length(line, limits)
        if len(data) >= limits.head_bytes:
            raise Refused("too_many_headers", f"The headers have more than the limit of {limits.head_bytes:,} bytes.")
        if found and not FIRST_LINE.fullmatch(line) or re.search(rb"(^|[^\r])\n|\0", data):
            break  # it will not become a request: no need to wait for its end
        more = receive(connection, until)
        if not more:
            if not data:
                raise Gone
            raise Refused("incomplete", "The connection was ended within the headers.")
        data += more
    head, _, begun = data.partition(END)
    first, *lines = head.split(b"\r\n")
    return parsed(first, lines, begun, limits)


def check_length(line, limits):
    """Raise Refused for a first line that is too long."""
    if len(line) > limits.line_bytes:
        raise Refused("address_too_long", f"The address has more than the limit of {limits.line_bytes:,} bytes.")


def parsed(first, lines, begun, limits):
    """Return the `Request` of a first line and the lines of the headers. Raises Refused."""
    check_length(first, limits)
    found = FIRST_LINE.fullmatch(first)
    if not found:
        raise Refused("malformed", "The first line is no request of HTTP: expected METHOD /PATH HTTP/1.1.")
    method, target, major, minor = found.groups()
    if major != b"1" or minor not in b"01":
        raise Refused("wrong_version", "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    if not target.startswith(b"/"):
        raise Refused("malformed", "The address in the first line does not begin with a slash.")
    if len(lines) > limits.headers:
        raise Refused("too_many_headers", f"There are {len(lines)} headers; the limit is {limits.headers}.")
    headers = {}
    for line in lines:
        found = HEADER.fullmatch(line)
        if not found:
            raise Refused("malformed", "A header is not of the form NAME: VALUE.")
        name, value = found[1].decode("ascii").lower(), found[2].decode("latin-1").strip(" \t")
        if name in headers and name in ONCE:
            raise Refused("malformed", f"The header {name} is there twice.")
        headers[name] = value
    if "host" not in headers and minor == b"1":
        raise Refused("malformed", "There is no header Host.")
    path, _, query = target.decode("ascii").partition("?")
    try:
        options = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=8)
    except ValueError:
        raise Refused("malformed", "What stands behind the ? is not of the form NAME=VALUE&NAME=VALUE.") from None
    return Request(method.decode("ascii"), path, dict(options), headers, length_of(headers), begun)


def length_of(headers):
    """Return the length of the body that headers announce. Raises Refused where two readers could disagree on it."""
    if "transfer-encoding" in headers:
        if "content-length" in headers:
            raise Refused("malformed", "There are a Content-Length and a Transfer-Encoding; expected the length alone.")
        if headers["transfer-encoding"].lower() == "chunked":
            raise Refused("no_length", "Bodies in chunks are not read. Send Content-Length.")
        raise Refused("unknown_coding", "Transfer-Encoding is not understood. Send Content-Length.")
    length = headers.get("content-length", "0")
    if not re.fullmatch("[0-9]{1,15}", length):
        raise Refused("malformed", "Content-Length is no whole number.")
    return int(length)


def read_body(connection, request, limits, most):
    """Return the body of a request: at most `most` bytes. Raises Refused, and Gone."""
    if "content-length" not in request.headers:
        raise Refused("no_length", "There is no header Content-Length.")
    if request.length > most:
        raise Refused("too_many_bytes", f"{request.length:,} bytes are announced; the limit is {most:,}.")
    if not request.length:
        raise Refused("empty", "The body is empty; expected the bytes of a photograph or recording, or a text.")
    expect, until = request.headers.get("expect"), time.monotonic() + limits.body_seconds
    if expect is not None:
        if expect.lower() != "100-continue":
            raise Refused("unknown_expectation", "The header Expect is not understood. Leave it out.")
        send(connection, b"HTTP/1.1 100 Continue\r\n\r\n", limits)  # the client waits for this before it sends the body
    body = bytearray(request.begun[: request.length])
    while len(body) < request.length:
        more = receive(connection, until)
        if not more:
            raise Refused("incomplete", f"{request.length:,} bytes were announced, and {len(body):,} came.")
        body += more[: request.length - len(body)]
    return bytes(body)


def send(connection, data, limits):
    """Send bytes. Raises Gone if the client does not take them in time."""
    try:
        connection.settimeout(limits.answer_seconds)  # `sendall` counts it for all bytes together
        connection.sendall(data)
    except OSError:  # TimeoutError is one
        raise Gone from None

"""The server: which path gives what, the threads, and the log.

    GET /            the page                    GET /page.css, /page.js     its style and program
    GET /model       which model this is, and what it takes, as JSON
    POST /predict    the bytes of a photograph or recording, or {"text": ...}: the answer as JSON

One thread takes connections; each connection has a thread of its own, up to a limit; one more thread asks the model
(`worker`). The three files of the page are read when the server starts. No other file is ever opened.
"""

import ipaddress
import json
import socket
import threading
import time
from collections import Counter, deque
from pathlib import Path
from urllib.parse import urlsplit

from .. import interruption
from ..errors import ArgumentError, MinitlError
from ..terminal import printable, shortened
from . import reading
from .limits import Limits
from .reading import Gone, read_body, read_head, send
from .refusals import Refused, phrase
from .worker import Worker

FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
JSON = "application/json; charset=utf-8"
# The page loads its own two files and asks this server; nothing else, and no other page may show it or read answers.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Connection": "close",
}
THIS_MACHINE = ("127.0.0.1", "::1", "localhost")
LINE = 80  # characters of a line of the log
LOOK_UP = 0.25  # seconds between two looks at whether the server is to end
LINGER = 2.0  # seconds in which a client may read a refusal while it still sends
MOST_LINGERING = 64 * 2**20  # bytes that are thrown away in that time


class Server:
    """A server that answers for one model.

    answers   from `answers.answers_of`
    host      the address to listen on;   port   0 takes any free one
    limits    `Limits`
    log       called with a line for each request, or None

    address   of the page, as "http://127.0.0.1:8000/";   counts   {status: how many answers}

    As a context manager it runs in a thread. `serve` runs it in the calling one. Raises ArgumentError for an address or
    port that cannot be had.
    """

    def __init__(self, answers, host="127.0.0.1", port=0, limits=None, log=None):
        self.answers, self.limits, self.log = answers, limits or Limits(), log
        self.counts, self.lock, self.is_ending = Counter(), threading.Lock(), False
        folder = Path(__file__).parent
        self.files = {path: ((folder / name).read_bytes(), kind) for path, (name, kind) in FILES.items()}
        self.about = as_json(answers.about())
        self.listener = listener_on(host, port)
        self.host, self.port = self.listener.getsockname()[:2]
        number, machine = ipaddress.ip_address(self.host.partition("%")[0]), socket.gethostname().lower()
        self.is_local, self.names = number.is_loopback, {*THIS_MACHINE, host.lower(), machine, f"{machine}.local"}
        shown = machine if number.is_unspecified else f"[{self.host}]" if number.version == 6 else self.host
        self.address = f"http://{shown}:{self.port}/"
        self.worker = Worker(self.limits.waiting)
        self.free, self.refused = threading.Semaphore(self.limits.connections), deque()

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve, name="server", daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.is_ending = True
        self.thread.join()

    def serve(self):
        """Take connections until `is_ending` is set, or a signal comes (`interruption.graceful`)."""
        self.listener.settimeout(LOOK_UP)
        try:
            while not self.is_ending:
                interruption.check()
                self._close_refused(time.monotonic() - LINGER)
                try:
                    connection, client = self.listener.accept()
                except TimeoutError:
                    continue
                except OSError:  # the client is gone already, or there are too many open files: wait for some to close
                    time.sleep(0.01)
                    continue
                self._take(connection, client[0])
        finally:
            self._end()

    def _take(self, connection, client):
        """Give a connection a thread, or refuse it where there are too many."""
        if self.free.acquire(blocking=False):
            try:
                threading.Thread(target=self._talk, args=(connection, client), daemon=True).start()
                return
            except RuntimeError:  # the system gives no thread
                self.free.release()
        refused = Refused("too_many_connections", "Too many connections are open. Come again.", Retry_After=1)
        try:
            connection.setblocking(False)
            connection.send(response(503, JSON, as_json(refused.as_data()), refused.headers))
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.refused.append((time.monotonic(), connection))  # closed at once, the client might never see the answer
        if len(self.refused) > self.limits.connections:
            self.refused.popleft()[1].close()
        self._note("(not read)", 503, refused.name, time.monotonic(), client)

    def _close_refused(self, before):
        while self.refused and self.refused[0][0] < before:
            self.refused.popleft()[1].close()

    def _talk(self, connection, client):
        """Read a request, answer it, and close the connection: the thread of a connection."""
        try:
            with connection:
                self._answer_one(connection, client)
        finally:
            self.free.release()

    def _answer_one(self, connection, client):
        start, what, detail, is_refused = time.monotonic(), "(no request)", "", False
        try:
            try:
                request = read_head(connection, self.limits)
                what = f"{request.method} {request.path}"
                kind, body, detail = self._answer(connection, request)
                status, headers = 200, {}
            except Refused as refused:
                status, kind, body, headers = refused.status, JSON, as_json(refused.as_data()), refused.headers
                detail, is_refused = refused.name, True
            head_only = what.startswith("HEAD ")
            send(connection, response(status, kind, body, headers, head_only), self.limits)
            if is_refused:
                linger(connection)
        except Gone:
            status, detail = "gone", "the client has ended the connection"
        self._note(what, status, detail, start, client)

    def _answer(self, connection, request):
        """Return (type, bytes, a word for the log) of the answer to a request. Raises Refused, and Gone."""
        self._check_origin(request)
        methods = ("POST",) if request.path == "/predict" else ("GET", "HEAD")
        if request.path not in (*self.files, "/model", "/predict"):
            raise Refused("no_such_path", "There are /, /model and /predict here.")
        if request.method not in methods:
            words = f"{request.path} takes {' or '.join(methods)}."
            raise Refused("wrong_method", words, Allow=", ".join(methods))
        if request.path != "/predict":
            if request.length:
                raise Refused("malformed", "A request with GET has no body.")
            body, kind = self.files.get(request.path, (self.about, JSON))
            return kind, body, ""
        answers = self.answers
        unknown = [name for name in request.query if name not in answers.options]
        if unknown:
            raise Refused("wrong_option", f"Expected options among {', '.join(answers.options)} behind the ?.")
        body = read_body(connection, request, self.limits, answers.most_bytes)
        if self.is_ending:
            raise Refused("ending", "The server is ending.")
        found = self.worker.ask(lambda: self._predicted(body, request.query), self.limits.seconds)
        return JSON, found, size(len(body))

    def _predicted(self, body, options):
        """Return the answer of the model as bytes: in the thread of the worker. Raises Refused."""
        try:
            return as_json(self.answers.answer(body, options))
        except Refused:
            raise
        except MinitlError as error:
            raise Refused("failed", f"The prediction failed: {error}") from None
        except MemoryError:
            raise Refused("busy", "There is not enough memory now. Come again.", Retry_After=10) from None
        except Exception as error:  # a fault of minitl's: the server lives on
            raise Refused("failed", f"The prediction failed ({type(error).__name__}).") from error

    def _check_origin(self, request):
        """Raise Refused for a request that was meant for another machine, or that another web page sends.

        A page of a stranger can give its own name the address of this machine (DNS rebinding): its requests then have
        its name as their Host. And it can send forms here, with its name as their Origin.
        """
        host = request.headers.get("host", "")
        name = name_of(host)
        is_ours = name in THIS_MACHINE if self.is_local else name in self.names or is_number(name)
        if not is_ours:
            raise Refused("wrong_host", f"This server is {self.address} and has no other name.")
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() != f"http://{host.lower()}":
            raise Refused("from_another_page", "Other web pages may not ask this server.")

    def _note(self, what, status, detail, start, client):
        """Count an answer, and write its line."""
        with self.lock:
            self.counts[status] += 1
        if self.log is None:
            return
        client = "" if client in THIS_MACHINE else f"{client}  "
        words = f"{time.strftime('%H:%M:%S')}  {status}  {time.monotonic() - start:6.2f} s  {client}{what}  {detail}"
        try:
            self.log(shortened(printable(words).replace("\n", " ").rstrip(), LINE))
        except (OSError, ValueError):  # nobody reads the log any more: no reason to answer nobody
            self.log = None

    def _end(self):
        """Close the door, let those inside have their answers for a moment, and end the worker."""
        self.is_ending = True
        self.listener.close()
        until = time.monotonic() + self.limits.seconds / 10
        taken = 0
        while taken < self.limits.connections and self.free.acquire(timeout=max(0, until - time.monotonic())):
            taken += 1
        self._close_refused(float("inf"))
        self.worker.end(max(0.1, until - time.monotonic()))


def listener_on(host, port):
    """Return a socket that listens on an address. Raises ArgumentError if it cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=128)
    except (OSError, OverflowError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ArgumentError(
            f"{host}, port {port}: cannot be listened on ({why}). --port 0 takes a free port."
        ) from None


def name_of(host):
    """Return the name in a header Host, without its port: "localhost" of "localhost:8000"."""
    try:
        return (urlsplit(f"http://{host}").hostname or "") if not set(host) & set("/?#@\\ ") else ""
    except ValueError:
        return ""


def is_number(name):
    """Return whether a name is an address in numbers, which no stranger can point elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def as_json(data):
    """Return data as the bytes of JSON."""
    return json.dumps(data, allow_nan=False).encode()


def response(status, kind, body, headers, head_only=False):
    """Return the bytes of a response."""
    lines = [f"HTTP/1.1 {status} {phrase(status)}", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in {**HEADERS, **headers}.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if head_only else body)


def linger(connection):
    """Read on for a moment what a client sends that was refused: to close at once would also take away the answer."""
    until, thrown_away = time.monotonic() + LINGER, 0
    try:
        connection.shutdown(socket.SHUT_WR)
        while thrown_away < MOST_LINGERING and (more := reading.receive(connection, until)):
            thrown_away += len(more)
    except (OSError, Refused, Gone):
        pass


def size(count):
    """Return a number of bytes as text: "1.2 MB"."""
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"

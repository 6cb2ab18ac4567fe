"""Show a page in the browser, to ask a model about photographs, texts or sounds.

minitl serve model.h5                  the page is at http://127.0.0.1:8000/
minitl serve model.h5 --port 0         any free port
minitl serve vgg16                     a published network, ImageNet's classes
minitl serve reviews.h5                a model for texts: type a sentence
minitl serve digits.h5                 a model for recordings: WAV files

The page shows the answer, its probabilities, and the places in the photograph
that speak for it (Grad-CAM). For pixels and boxes, it shows them on the
photograph; for texts, the words that decided. Programs ask in the same way:

curl --data-binary @garden.jpg http://127.0.0.1:8000/predict
curl --data-binary @seven.wav http://127.0.0.1:8000/predict
curl --data-binary '{"text": "a fine film"}' http://127.0.0.1:8000/predict

Only this machine reaches the page. --host 0.0.0.0 lets others in: there is no
password. What is sent stays in memory and is gone after the answer. Ctrl-C
ends the server.
"""

import time
from functools import partial

from .. import interruption
from ..arguments import whole_number
from ..errors import ArgumentError
from ..files.results import write_json
from ..files.writable import check_writable
from ..progress import unwatched
from ..serve import Server, answers_of
from ..terminal import counted, printable, wrapped

HELP = "show a page in the browser that asks a model"
HOST, PORT = "127.0.0.1", 8000


def add_arguments(parser):
    """Add the arguments of the command."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="a file from `minitl finetune --save`, or a published network, as vgg16")
    add("--host", default=HOST, metavar="ADDRESS", help="listen on this address (default: %(default)s, this machine)")
    add("--port", type=int, default=PORT, help="listen on this port; 0: any free one (default: %(default)s)")
    add("--quiet", action="store_true", help="print no line for each request")


def run(options):
    """Run the command."""
    check_writable(options.json)
    if whole_number(options.port, "--port", 0) > 65535:
        raise ArgumentError(f"--port is {options.port}; expected a number from 0 to 65535.")
    log = None if options.quiet else partial(print, flush=True)
    server, start = Server(answers_of(options.model), options.host, options.port, log=log), time.monotonic()
    print(f"{server.address}  asks {printable(server.answers.name)}. Ctrl-C ends it.", flush=True)
    if not server.is_local:
        words = "WARNING: everybody who reaches this machine in its networks can use this page, without a password, "
        print(wrapped(words + "and what they send is not encrypted.", "  "), flush=True)
    try:
        with unwatched(), interruption.graceful("Ending."):
            server.serve()
    finally:
        counts = {str(status): count for status, count in sorted(server.counts.items(), key=str)}
        print(f"Ended after {counted(sum(counts.values()), 'request')}.", flush=True)
        seconds = time.monotonic() - start
        write_json(options.json, {"address": server.address, "answers": counts, "seconds": seconds})

"""A page in the browser where one drops a photograph or types a sentence, and sees what a model makes of it.

    minitl serve insects.h5                  prints the page's address
    curl --data-binary @garden.jpg http://127.0.0.1:8000/predict

    from minitl.serve import Server, answers_of
    with Server(answers_of("insects.h5"), port=0) as server:        # in threads of its own, until the block ends
        print(server.address)

It needs Python's standard library alone (and Pillow, where the model is for photographs). Read in this order:

    limits     all limits, as one plain object;   refusals   the answers that are errors, each with a name
    reading    a request from a socket, byte by byte: what is not plain HTTP is refused
    answers    from the bytes of a photograph, or a text, to the answer of the model as plain data
    worker     one prediction at a time, and a short queue before it
    server     which path gives what; threads; the log
    page.html, page.css, page.js      the page

**What a stranger can do.** By default only programs on this machine reach the server. A web page that is open in the
browser of this machine is such a program, so a request must name this machine (`Host`), and may not come from another
page (`Origin`). No part of a request is ever a path of a file. What is sent stays in memory, and is gone after the
answer. Each connection carries one request and then ends: what a second reader could take for a second request is
never read.
"""

from .answers import answers_of
from .limits import Limits
from .server import Server

__all__ = ["Limits", "Server", "answers_of"]

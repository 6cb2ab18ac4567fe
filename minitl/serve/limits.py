"""All limits of a server, in one object. What goes beyond one is refused by name (`refusals`)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The limits of a server. The memory of what is sent is at most `connections` times `body_bytes`: 512 MB.

    body_bytes      of a photograph or recording;   pixels   of the photograph: it is decoded, three bytes each
    samples         of a recording, in any of its channels: a minute at 48,000 a second is 2.9 million
    text_bytes      of a text, as JSON;   characters   of the text
    head_bytes      of a request's first line and headers;   line_bytes   of its first line;   headers   how many
    head_seconds    until the headers are here;   body_seconds   until all is here
    answer_seconds  until the answer is taken by the client
    connections     at once, and so of threads
    waiting         predictions that wait for the one that runs
    seconds         until a prediction is given up, with the time in the queue
    """

    body_bytes: int = 16 * 2**20
    pixels: int = 50_000_000
    samples: int = 10_000_000
    text_bytes: int = 400_000
    characters: int = 20_000
    head_bytes: int = 16_384
    line_bytes: int = 2_048
    headers: int = 64
    head_seconds: float = 10.0
    body_seconds: float = 60.0
    answer_seconds: float = 30.0
    connections: int = 32
    waiting: int = 16
    seconds: float = 30.0

"""The answers that are errors: a status of HTTP, a name that programs can compare, and a sentence for people."""

from http import HTTPStatus

from ..errors import MinitlError

STATUS = {
    "malformed": 400, "incomplete": 400, "empty": 400, "wrong_text": 400, "wrong_option": 400,
    "from_another_page": 403, "no_such_path": 404, "wrong_method": 405, "too_slow_to_send": 408,
    "no_length": 411, "too_many_bytes": 413, "too_many_pixels": 413, "too_many_characters": 413,
    "address_too_long": 414, "wrong_kind": 415, "unknown_expectation": 417, "wrong_host": 421, "unreadable": 422,
    "too_many_headers": 431, "failed": 500, "unknown_coding": 501, "too_many_connections": 503, "busy": 503,
    "took_too_long": 503, "ending": 503, "wrong_version": 505,
}  # fmt: skip


class Refused(MinitlError):
    """A request that gets no prediction.

    name      a key of `STATUS`, which programs can compare;   words   what was found, and what to do, for people
    headers   further headers of the answer, {name: value}
    """

    def __init__(self, name, words, **headers):
        super().__init__(words)
        self.name, self.headers = name, {key.replace("_", "-"): str(value) for key, value in headers.items()}

    @property
    def status(self):
        """Return the status of the answer."""
        return STATUS[self.name]

    def as_data(self):
        """Return the answer as JSON can hold it."""
        return {"status": self.status, "error": self.name, "message": str(self)}


def phrase(status):
    """Return the words of a status, as "Not Found"."""
    return HTTPStatus(status).phrase

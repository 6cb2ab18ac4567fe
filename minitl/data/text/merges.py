"""Pieces that are merged by score: the tokenizer of Llama, from the file that llama2.c reads.

A text begins as its single characters, with a space before them. Again and again, of all neighbours that make a piece
of the vocabulary, the two are merged whose piece has the highest score (the leftmost of several), until no two
neighbours make one. A character that is no piece becomes the bytes of its UTF-8. So every text has numbers, and no
token for unknown ones is needed.

The file holds, in little-endian numbers: int32, the length of the longest piece; then of each piece a float32, its
score, an int32, its length, and its bytes. Number 0 is <unk>, 1 begins a text, 2 ends one, 3 to 258 are the 256 bytes.

Source: sentencepiece's byte-pair encoding (Kudo 2018), https://arxiv.org/abs/1808.06226.
"""

import heapq
import struct

import numpy as np

from ...arguments import truth_value
from ...errors import DataError
from ..photos import read_content
from .tokenizer import Tokenizer, require_list

UNKNOWN, BEGIN, END, FIRST_BYTE, FIRST_PIECE = 0, 1, 2, 3, 259
LONGEST = 1000  # bytes of a piece; a larger number in a file is no length
HEAD = struct.Struct("<fi")  # score and length of a piece


class ScoredMerges(Tokenizer):
    """A vocabulary of pieces with scores, by which neighbours are merged.

    pieces   the bytes of each token, in the order of their numbers
    scores   a number for each
    begins   True if a text begins with the token 1, as Llama learned
    """

    SETTINGS = ("scores", "begins")
    pad = UNKNOWN  # which no text has

    def __init__(self, pieces, scores, begins=True):
        self.pieces = [bytes(piece) for piece in require_list(pieces)]
        self.scores = _numbers(scores)
        _check(self.pieces, self.scores, "the vocabulary")
        self.begins = truth_value(begins, "begins")
        self.begin = (BEGIN,) if self.begins else ()
        self.tokens = [piece.decode("utf-8", "replace") for piece in self.pieces]
        # Special tokens and bytes are not among the pieces: "<0x0A>" typed in a text is text.
        self._number_of = {piece: number for number, piece in enumerate(self.pieces) if number >= FIRST_PIECE}

    @classmethod
    def from_file(cls, path, begins=True):
        """Return the tokenizer of a file of llama2.c. Raises DataError, naming the file, for a broken one."""
        pieces, scores = read_pieces(path)
        return cls(pieces, scores, begins)

    # ---- text to numbers ----

    def numbers(self, text):
        """Return the numbers of a text as a list, without the one that begins it."""
        return [number for number, *_ in self._merged(text)]

    def spans(self, text):
        """Return [(start, end), ...]: where the tokens stand in the text. The space before a text has no place in it.
        A character that became several bytes is the place of each of them."""
        return [(max(0, start - 1), max(0, end - 1)) for _, start, end in self._merged(text)]

    def _merged(self, text):
        """Return [(number, start, end), ...] of " " + text, merged.

        The heap holds every pair of neighbours that makes a piece, the best first. A merge makes the pairs around it
        out of date; they are recognized by what they were made of, and passed over.
        """
        tokens = [(self._number_of.get(piece), piece, place) for place, piece in _characters(text)]
        left, right = list(range(-1, len(tokens) - 1)), list(range(1, len(tokens) + 1))
        heap = []

        def consider(first):
            if first >= 0 and right[first] < len(tokens):
                second = right[first]
                piece = tokens[first][1] + tokens[second][1]
                number = self._number_of.get(piece)
                if number is not None:
                    heapq.heappush(heap, (-self.scores[number], first, second, number, piece))

        for place in range(len(tokens) - 1):
            consider(place)
        ends = [place + 1 for *_, place in tokens]
        while heap:
            _, first, second, number, piece = heapq.heappop(heap)
            if tokens[first] is None or right[first] != second or tokens[first][1] + tokens[second][1] != piece:
                continue
            tokens[first] = (number, piece, tokens[first][2])
            ends[first], right[first], tokens[second] = ends[second], right[second], None
            if right[first] < len(tokens):
                left[right[first]] = first
            consider(left[first])
            consider(first)
        found = []
        for token, end in zip(tokens, ends):
            if token is not None:
                number, piece, start = token
                numbers = [FIRST_BYTE + byte for byte in piece] if number is None else [number]
                found += [(each, start, end) for each in numbers]
        return found

    def _merged_naive(self, text):
        """Return the numbers of a text: the same, looking at all pairs before each merge, as llama2.c does."""
        pieces = [piece for _, piece in _characters(text)]
        while True:
            pairs = [(place, self._number_of.get(a + b)) for place, (a, b) in enumerate(zip(pieces, pieces[1:]))]
            pairs = [(-self.scores[number], place) for place, number in pairs if number is not None]
            if not pairs:
                break
            place = min(pairs)[1]
            pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]
        by_piece = [[self._number_of[p]] if p in self._number_of else [FIRST_BYTE + b for b in p] for p in pieces]
        return [number for numbers in by_piece for number in numbers]

    # ---- numbers to text ----

    def decode(self, ids):
        """Return the text of numbers. Bytes that are no UTF-8 become U+FFFD.

        The first piece of a text loses the space that was put before it: where the number that begins a text stands
        before it, as in llama2.c, or where the tokenizer makes no such number and the text stands at the beginning.
        """
        content, is_first = b"", not self.begins
        for number in self.require_numbers(ids):
            piece = self.pieces[number]
            if FIRST_BYTE <= number < FIRST_PIECE:
                piece = bytes([number - FIRST_BYTE])
            elif number < FIRST_BYTE:
                piece = b""
            content += piece.removeprefix(b" ") if is_first else piece
            is_first = number == BEGIN
        return content.decode("utf-8", "replace")

    # ---- as data ----

    def stored_tokens(self):
        """Return the pieces as texts that have a character for each byte."""
        return [piece.decode("latin-1") for piece in self.pieces]

    @classmethod
    def from_data(cls, data):
        """Return the tokenizer that `as_data` described."""
        try:
            pieces = [piece.encode("latin-1") for piece in data["tokens"]]
        except UnicodeEncodeError as error:
            raise DataError(f"a piece is {error.object!r:.60}; expected a character for each of its bytes.") from None
        return cls(pieces, **data["settings"])


def read_pieces(path):
    """Return (pieces, scores) of a file of llama2.c. Raises DataError, naming the file and the piece that is wrong."""
    content = read_content(path, "a tokenizer of llama2.c", "a file such as tokenizer.bin")
    if len(content) < 4:
        raise DataError(f"{path}: has {len(content)} bytes; expected the tokenizer of llama2.c. Fetch it again.")
    longest = int.from_bytes(content[:4], "little", signed=True)
    if not 0 < longest <= LONGEST:
        raise DataError(
            f"{path}: begins with {longest}; expected the length of the longest piece, from 1 to {LONGEST}. It is no "
            "tokenizer of llama2.c."
        )
    pieces, scores, place = [], [], 4
    while place < len(content):
        head = content[place : place + HEAD.size]
        score, length = HEAD.unpack(head) if len(head) == HEAD.size else (0.0, 0)
        piece = content[place + HEAD.size : place + HEAD.size + max(0, length)]
        if not 0 < length <= longest or len(piece) < length:
            raise DataError(
                f"{path}: piece {len(pieces)}, from byte {place} on, says that it has {length} bytes; expected 1 to "
                f"{longest}, and found {len(piece)} in the file. It is damaged or cut short: fetch it again."
            )
        pieces.append(piece)
        scores.append(score)
        place += HEAD.size + length
    if max(map(len, pieces), default=0) != longest:
        raise DataError(f"{path}: says that its longest piece has {longest} bytes, which none has. Fetch it again.")
    _check(pieces, scores, path)
    return pieces, scores


def _numbers(scores):
    """Return scores as a list of floats."""
    try:
        return [float(score) for score in scores]
    except (TypeError, ValueError):
        raise DataError(f"scores are {scores!r:.60}; expected a number for each piece.") from None


def _check(pieces, scores, owner):
    """Raise DataError unless there are the 256 bytes, each further piece once, and a finite score for each."""
    if len(pieces) != len(scores) or not np.isfinite(scores).all():
        raise DataError(
            f"{owner}: {len(pieces)} pieces and {np.isfinite(scores).sum()} finite scores; expected as many."
        )
    for byte in range(256):
        name = f"<0x{byte:02X}>".encode()
        found = pieces[FIRST_BYTE + byte] if len(pieces) > FIRST_BYTE + byte else b"nothing"
        if found != name:
            raise DataError(
                f"{owner}: token {FIRST_BYTE + byte} is {found!r:.60}; expected {name!r}: numbers 3 to 258 are the "
                "bytes, of which every unknown character is made."
            )
    numbers = {}
    for number, piece in enumerate(pieces[FIRST_PIECE:], FIRST_PIECE):
        if numbers.setdefault(piece, number) != number:
            raise DataError(f"{owner}: token {number}, {piece!r:.60}, is there before, as token {numbers[piece]}.")


def _characters(text):
    """Return [(place, bytes of a character), ...] of " " + text; nothing for an empty text.

    Half a surrogate is no character and has no UTF-8: it becomes a question mark.
    """
    text = " " + text if text else ""
    return [(place, each.encode("utf-8", "replace")) for place, each in enumerate(text)]

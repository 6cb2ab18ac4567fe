"""Search by meaning: the texts whose vectors point the same way as that of a query.

    from minitl.recipes import search_texts
    for found in search_texts("reviews.csv", "a film that made me cry"):
        print(found["score"], found["source"], found["text"])

A text becomes one vector, the mean of the vectors of its tokens behind the last layer of a base, brought to length 1.
The score of two texts is the product of their vectors, which is the cosine of the angle between them: 1 for the same
text, about 0 for texts that have nothing to do with each other. No word need be the same.

MiniLM was trained for this. Without its weights, GloVe's word vectors do in its place: they find texts about the same
things, whatever is said of them. The mean over all texts is taken away from these, since it is what all texts share.
"""

import os

import numpy as np

from ...arguments import AnyPath, truth_value, whole_number
from ...errors import ArgumentError
from ...features.on_disk import kept_features
from ...models import Model
from ...progress import Progress
from ...terminal import silent_unless, wrapped
from ...transfer import freeze
from ...weights.published.catalogue import present
from ..settings import require_one_of
from . import bases
from .settings import BASES, options_named
from .source import TextSource, cut_off
from .unlabelled import passages

TOP = 5
FOR_SEARCH = ("minilm", "glove")  # the better one first


class TextSearch:
    """Texts that can be searched: they went through the base once, and their vectors are kept on the disk.

    path     a file or a folder of texts: the rows of tables, and the lines of other files
    base     "minilm" or "glove" (None: the first of them whose weights are on this machine)
    column, encoding     of tables, as in `TextSettings`;   keep_features   keep the vectors for the next search

    passages   [(source, text)];   vectors   (N, D), each of length 1
    """

    def __init__(self, path, base=None, column=None, encoding=None, keep_features=True):
        keep = truth_value(keep_features, "keep_features")
        self.base = usual_base() if base is None else base
        require_one_of("base", self.base, FOR_SEARCH)
        with options_named():
            self.passages = passages(path, column, encoding)
        with Progress(f"Loading {self.base}"):
            made = bases.build(self.base)
            end = list(made.ends)[-1]
            self.model = Model(made.model.input, bases.pooled(made.ends[end], made.mask), name=self.base)
            freeze(self.model)
        self.tokenizer, self.length = made.tokenizer, BASES[self.base].length
        source = self._source([text for _, text in self.passages])
        if told := cut_off(self.length, source):
            print(wrapped(told.removesuffix(" --length sets another limit."), "  "), flush=True)
        folder = path if os.path.isdir(path) else os.path.dirname(os.path.abspath(path))
        rows = kept_features(self.model, source, keep, about={"base": self.base, "folder": str(folder)})
        vectors = rows.read(slice(None))
        self.centre = vectors.mean(axis=0) if self.base == "glove" and len(vectors) > 1 else 0
        self.vectors = unit(vectors - self.centre)

    def _source(self, texts):
        return TextSource(texts, self.tokenizer, self.length)

    def vector(self, text):
        """Return the vector of a text (D,), of length 1."""
        return unit(self.model.predict(self._source([text]), verbose=0) - self.centre)[0]

    def nearest(self, query, top=TOP):
        """Return the `top` texts nearest to a query, [{"source", "text", "score"}, ...], the nearest first. Of copies
        of a text, only one is named. Raises ArgumentError for a query without a letter."""
        top = checked(query, top)
        scores = self.vectors @ self.vector(query)  # (N, D) @ (D,) -> (N,)
        found, seen = [], set()
        for place in np.argsort(-scores, kind="stable"):
            source, text = self.passages[place]
            if text not in seen:
                seen.add(text)
                found.append({"source": source, "text": text, "score": float(scores[place])})
            if len(found) == top:
                break
        return found


def checked(query, top):
    """Return `top`. Raises ArgumentError for a query without a letter, and for a number of texts that is none."""
    if not isinstance(query, str) or not query.strip():
        raise ArgumentError(f"query is {query!r}; expected what is searched for, as text.")
    return whole_number(top, "top")


def usual_base():
    """Return the first of FOR_SEARCH whose weights are on this machine, and print what would be better."""
    if present("minilm") is not None:
        return "minilm"
    text = (
        "Searching with GloVe's word vectors: they know what a text is about. MiniLM knows better what it says: "
        "`minitl weights get minilm` fetches it (91 MB), or --base minilm."
    )
    print(wrapped(text, "  "), flush=True)
    return "glove"


def unit(vectors):
    """Return vectors (N, D), each divided by its length. A vector of zeros stays one: it is like no other."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo(np.float32).tiny)


def search_texts(
    path: AnyPath, query: str, top: int = TOP, base=None, column=None, encoding=None, keep_features=True, verbose=1
) -> list:
    """Return the texts of a file or folder that are nearest in meaning to a query, as `TextSearch.nearest` does. The
    other arguments are those of `TextSearch`, which is faster for many queries."""
    checked(query, top)  # before minutes of work
    with silent_unless(verbose):
        return TextSearch(path, base, column, encoding, keep_features).nearest(query, top)

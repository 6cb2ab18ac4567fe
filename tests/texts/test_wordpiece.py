"""WordPiece has BERT's numbers and places, says what it drops, and comes back from a file as it was."""

import json
import re
import warnings

import numpy as np
import pytest
from conftest import REPOSITORY

from minitl.data.text import WordPiece, tokenizer_from_data, wordpiece
from minitl.errors import ArgumentError, DataError, DataWarning

GOLDEN = json.loads((REPOSITORY / "tests" / "golden" / "tokens.json").read_text("utf-8"))
VOCABULARY = GOLDEN["vocabulary"]
OURS = {"handle_chinese_chars": "split_chinese"}


def make(**settings):
    return WordPiece(VOCABULARY, **{OURS.get(name, name): value for name, value in settings.items()})


def tokens(text, **settings):
    return make(**settings).encode(text).tokens[1:-1]


# ---- numbers and places ----


@pytest.mark.parametrize("row", GOLDEN["wordpiece"], ids=lambda row: f"{row['settings']} {row['text'][:20]!a}")
def test_numbers_and_places_are_those_of_the_reference(row):
    found = make(**row["settings"]).encode(row["text"])
    assert found.ids.tolist() == row["ids"] and found.ids.dtype == np.int32
    assert found.offsets == [tuple(each) for each in row["offsets"]]
    assert len(found.tokens) == len(found) and found.dropped == 0


def test_the_fast_way_and_the_one_by_characters_agree(rng):
    """`numbers` cleans whole texts and remembers; `spans` goes character by character."""
    pools = ["abcxyz", " \t\n\u3000", "é\u0301İΣ", "中\U0002b820「", "\u0000\u200b\ufffd\x1c", ".,'[]$", "한한"]
    one = make()
    for _ in range(300):
        text = "".join(rng.choice(list(pools[rng.integers(len(pools))])) for _ in range(rng.integers(30)))
        words = one._words_and_places(text, 0)
        slow = [one._number_of[piece] for word, _ in words for piece in one._pieces(word)]
        assert one.numbers(text) == slow == make().numbers(text), ascii(text)
        assert len(one.spans(text)) == len(slow)


def test_what_is_remembered_has_a_limit(monkeypatch):
    monkeypatch.setattr(wordpiece, "MOST_REMEMBERED", 3)
    one, text = make(), "the tea is cold the cup is warm the tea"
    assert one.numbers(text) == make().numbers(text) == one.numbers(text)
    assert len(one._remembered) <= 3
    one.numbers("x" * 10_000)
    assert max(map(len, one._remembered)) <= 200


def test_a_place_is_in_the_text_as_it_was_given():
    text = "İstanbul, cafe\u0301!"
    found = make().encode(text)
    assert found.tokens == ["[CLS]", "istanbul", ",", "cafe", "!", "[SEP]"]
    assert [text[start:end] for start, end in found.offsets] == ["", "İstanbul", ",", "cafe", "!", ""]
    kept = make(strip_accents=False).encode("İ tea")  # "i" and a dot, two characters, of one
    assert kept.offsets[1:-1] == [(0, 1), (2, 5)]


def test_special_tokens_that_somebody_types_are_text():
    assert tokens("tea [SEP] cup") == ["tea", "[", "s", "##e", "##p", "]", "cup"]
    one = make()
    assert not set(one.numbers("[SEP][CLS][PAD][MASK][UNK]")) & set(range(5))
    assert tokens("the [MASK] is [mask]", special_in_text=True)[:3] == ["the", "[MASK]", "is"]
    found = make(special_in_text=True).encode("é [MASK]x")
    assert found.offsets[1:-1] == [(0, 1), (2, 8), (8, 9)]


def test_half_a_surrogate_is_dropped_like_other_controls():
    assert tokens("te\udce9a") == ["tea"]


def test_a_word_of_more_characters_than_the_limit_is_unknown():
    assert tokens("x" * 101) == ["[UNK]"] and len(tokens("x" * 101, longest_word=200)) > 1


def test_numbers_become_text_again():
    one = make()
    assert one.decode(one.encode("The undrinkable TEA, 中文").ids) == "the undrinkable tea , 中 文"
    assert one.decode([one.pad, one.unknown, one.mask]) == "[UNK] [MASK]"
    for wrong in ([len(one)], [-1]):
        with pytest.raises(DataError, match=rf"ids\[0\] is {wrong[0]}; this table of {len(one)} tokens ends at"):
            one.decode(wrong)
    with pytest.raises(DataError, match="ids are float64"):
        one.decode([0.5])


# ---- lengths ----


def test_what_is_dropped_is_counted_and_warned_of():
    seven = "the tea is cold the cup warm"
    with pytest.warns(DataWarning, match="The text is longer than length=6 tokens: 3 tokens were dropped"):
        found = make().encode(seven, 6)  # four of them, [CLS] and [SEP]
    assert found.dropped == 3 and found.tokens == ["[CLS]", "the", "tea", "is", "cold", "[SEP]"]
    assert found.offsets == [(0, 0), (0, 3), (4, 7), (8, 10), (11, 15), (0, 0)]
    with pytest.warns(DataWarning, match="1 of 2 texts are longer than length=6 tokens: 3 tokens"):
        batch = make().encode_batch([seven, "tea"], 6)
    assert batch.dropped.tolist() == [3, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert make().encode(seven, 6, warn=False).dropped == 3
        assert make().encode(seven, 9).dropped == 0
        assert [len(row) for row in make().encode_rows([seven, "tea"], 6, warn=False)] == [6, 3]


def test_a_length_that_leaves_no_room_is_refused():
    with pytest.raises(ArgumentError, match="length is 2; expected a whole number of at least 3"):
        make().encode("tea", 2)


def test_a_batch_is_filled_up_and_has_its_mask():
    one = make()
    ids, mask, dropped = one.encode_batch(["tea", "the tea is cold", ""])
    assert ids.dtype == np.int32 and mask.dtype == bool and ids.shape == mask.shape == (3, 6)
    assert mask.sum(axis=1).tolist() == [3, 6, 2] and dropped.tolist() == [0, 0, 0]
    assert (ids[~mask] == one.pad).all() and (ids[mask] != one.pad).all()
    for text, row, real in zip(["tea", "the tea is cold", ""], ids, mask):
        assert row[real].tolist() == one.encode(text).ids.tolist()
    assert one.encode_batch([]).ids.shape == (0, 1)


def test_the_number_for_filling_up_is_the_vocabularys():
    moved = WordPiece(["tea", *[token for token in VOCABULARY if token not in ("tea", "[PAD]")], "[PAD]"])
    batch = moved.encode_batch(["tea", "tea tea"])
    assert moved.pad == len(moved) - 1 and batch.ids[0, -1] == moved.pad and batch.mask[0].tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize("row", GOLDEN["pairs"], ids=lambda row: f"{row['length']} {row['pair']}")
def test_pairs_are_those_of_the_reference(row):
    found = make().encode_pair(*row["pair"], length=row["length"], warn=False)
    assert found.ids.tolist() == row["ids"] and found.types.tolist() == row["types"]
    assert len(found.offsets) == len(row["ids"])


def test_pairs_in_a_batch():
    one = make()
    batch, types = one.encode_pairs(["tea", "the tea"], ["cold", "is warm"])
    assert batch.mask.sum(axis=1).tolist() == [5, 7]
    assert types.tolist() == [[0, 0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1, 1]] and types.dtype == np.int32
    with pytest.raises(DataError, match="1 first and 2 second texts"):
        one.encode_pairs(["tea"], ["cold", "warm"])


@pytest.mark.parametrize("wrong", [None, float("nan"), b"tea", 5], ids=str)
def test_what_is_no_text_is_refused(wrong):
    with pytest.raises(DataError, match="expected a str"):
        make().encode(wrong)
    with pytest.raises(DataError, match="text 1 is "):
        make().encode_batch(["tea", wrong])


@pytest.mark.parametrize("wrong", ["tea", b"tea", None, 3], ids=str)
def test_one_text_is_no_list_of_texts(wrong):
    with pytest.raises(DataError, match="expected a list of texts"):
        make().encode_batch(wrong)


# ---- saved and loaded ----


def test_saved_and_loaded_it_gives_identical_numbers():
    cased = make(lowercase=False)
    again = tokenizer_from_data(json.loads(json.dumps(cased.as_data())))
    assert cased.numbers("US us") == again.numbers("US us") != make().numbers("US us")
    assert len(set(again.numbers("US us"))) == 2 and again.digest == cased.digest
    again.require_same(cased.as_data())


@pytest.mark.parametrize(
    "other, difference",
    [
        (lambda: make(lowercase=False), "lowercase=False instead of True"),
        (lambda: WordPiece([*VOCABULARY, "more"]), f"{len(VOCABULARY) + 1} stored tokens instead of {len(VOCABULARY)}"),
        (lambda: WordPiece([*VOCABULARY[:-1], "more"]), f"token {len(VOCABULARY) - 1} is 'more' instead of"),
    ],
)
def test_a_model_refuses_another_vocabulary(other, difference):
    with pytest.raises(DataError, match=re.escape(difference)):
        other().require_same(make().as_data(), "reviews.h5")


def test_a_model_that_states_no_tokenizer_is_refused():
    for wrong in (None, {}, "abc"):
        with pytest.raises(DataError, match="reviews.h5 states no tokenizer"):
            make().require_same(wrong, "reviews.h5")
    with pytest.raises(DataError, match="another digest"):
        make().require_same({**make().as_data(), "digest": "0"})


def test_data_that_were_changed_are_refused():
    data = make().as_data()
    for changed, message in (
        ({**data, "tokens": data["tokens"][::-1]}, "the digest of"),
        ({**data, "settings": {**data["settings"], "lowercase": False}}, "the digest of"),
        ({**data, "settings": {}}, "expected lowercase, strip_accents"),
        ({**data, "tokens": "abc"}, "no list of texts"),
        ({**data, "kind": "Sentences"}, "expected one of WordPiece, WordVocabulary"),
        ("abc", "expected one of"),
        ({**data, "kind": ["a"]}, "expected one of"),
    ):
        with pytest.raises(DataError, match=f"reviews.h5: .*{message}"):
            tokenizer_from_data(changed, "reviews.h5")


# ---- files ----


def described(**changes):
    """Return the content of a `tokenizer.json` with changes by 'part.name'."""
    special = VOCABULARY[:5]
    content = {
        "added_tokens": [{"id": number, "content": token, "special": True} for number, token in enumerate(special)],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "lowercase": True, "strip_accents": None},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]"}}, {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "[SEP]"}}],
        },
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {t: n for n, t in enumerate(VOCABULARY)}},
    }
    for place, value in changes.items():
        part, _, name = place.partition("__")
        if name:
            content[part][name] = value
        else:
            content[part] = value
    return content


def written(folder, content):
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_both_kinds_of_files_give_the_same(tmp_path):
    for ending in "\n", "\r\n":
        (tmp_path / "vocab.txt").write_bytes((ending.join(VOCABULARY) + ending).encode())
        assert WordPiece.from_file(tmp_path / "vocab.txt").digest == make().digest
    assert WordPiece.from_file(written(tmp_path, described())).digest == make().digest
    assert WordPiece.from_file(tmp_path / "vocab.txt", lowercase=False).digest == make(lowercase=False).digest


def test_the_settings_in_a_file_are_honoured(tmp_path):
    path = written(
        tmp_path,
        described(
            normalizer__lowercase=False, normalizer__strip_accents=True, normalizer__handle_chinese_chars=False,
            model__max_input_chars_per_word=7,
        ),
    )  # fmt: skip
    expected = make(lowercase=False, strip_accents=True, split_chinese=False, longest_word=7)
    assert WordPiece.from_file(path).digest == expected.digest
    with pytest.raises(DataError, match="says lowercase=False, and lowercase=True was given"):
        WordPiece.from_file(path, lowercase=True)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"model": {"type": "BPE"}, "pre_tokenizer": {"type": "ByteLevel"}}, "RoBERTa's and GPT-2's byte-level BPE"),
        ({"model": {"type": "BPE", "byte_fallback": True}}, "byte-pair encoding"),
        ({"model": {"type": "Unigram"}}, "SentencePiece Unigram"),
        ({"model": {"type": "WordLevel"}}, "a table of whole words"),
        ({"model": {"type": ["odd"]}}, "a tokenizer of the kind"),
        ({"normalizer": None}, "normalizer.type is None; expected 'BertNormalizer'"),
        ({"normalizer__clean_text": False}, "normalizer.clean_text is False"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "pre_tokenizer.type is 'Whitespace'"),
        ({"post_processor__single": [{"Sequence": {"id": "A"}}]}, "post_processor.single"),
        ({"post_processor": [1]}, "post_processor.single"),
        ({"model__continuing_subword_prefix": "@@"}, "continuing_subword_prefix is '@@'"),
        ({"model__unk_token": "<unk>"}, "unk_token is '<unk>'"),
        ({"model__vocab": ["tea"]}, "no table of tokens and numbers"),
        ({"model__vocab": {"tea": 0, "cup": 2}, "added_tokens": []}, "none has the number 1"),
        ({"model__vocab": {"tea": [0]}, "added_tokens": []}, "none has the number 0"),
        ({"added_tokens": [{"id": 7, "content": "[PAD]", "special": True}]}, "has the number 7 and another before"),
        ({"added_tokens": [{"id": len(VOCABULARY), "content": "tea cup"}]}, "adds the token 'tea cup'"),
        ({"model__max_input_chars_per_word": "many"}, "longest_word is 'many'"),
        ({"normalizer__lowercase": "yes"}, "lowercase is 'yes'"),
    ],
)
def test_other_tokenizers_are_refused_by_name(tmp_path, changes, message):
    path = written(tmp_path, described(**changes))
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: .*{re.escape(message)}"):
        WordPiece.from_file(path)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "it is empty"),
        (b"[PAD]\n[UNK]\n[CLS]\n[SEP]\ntea\ntea\n", "line 6, 'tea', is there before, as line 5"),
        (b"[PAD]\n[CLS]\n[SEP]\ntea\n", "has no [UNK]"),
        (b"<html>\n<body>\n", "has no [PAD], [UNK], [CLS], [SEP]"),
        (b"[PAD]\n\n[UNK]\n", "line 2 is empty"),
        (b"[PAD]\n[UNK]\ncaf\xe9\n", "is not UTF-8: byte 15 is 0xe9"),
        ("[PAD]\n".encode("utf-16"), "is not UTF-8: byte 0"),
        (b'{"model": ', "is no JSON"),
        (b"[" * 100_000, "has no [PAD]"),
        (b'{"a":' + b"[" * 100_000, "is no JSON"),
        (b"{}", "normalizer.type is None"),
    ],
)
def test_broken_vocabularies_are_refused_by_name(tmp_path, content, message):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: .*{re.escape(message)}"):
        WordPiece.from_file(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path, message in ((tmp_path / "no.txt", "is not there"), (tmp_path, "is a folder; expected a text file")):
        with pytest.raises(DataError, match=message):
            WordPiece.from_file(path)


def test_a_vocabulary_with_capitals_and_lower_case_texts_do_not_fit(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join([*VOCABULARY[:5], "tea", "Tea", "US"]), encoding="utf-8")
    with pytest.warns(DataWarning, match="2 of 3 tokens, such as 'Tea', have capitals and cannot occur"):
        WordPiece.from_file(path)
    WordPiece.from_file(path, lowercase=False)


@pytest.mark.parametrize("wrong", [["[PAD]", ""], ["[PAD]", 5], ["[PAD]", "[PAD]"], [], "[PAD]"], ids=str)
def test_a_vocabulary_is_a_list_of_different_texts(wrong):
    with pytest.raises(DataError):
        WordPiece(wrong)

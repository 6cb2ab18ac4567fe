"""Words, characters and merged pieces: numbers as stated, text again, back from a file, and broken files refused."""

import json
import re
import struct

import numpy as np
import pytest
from conftest import REPOSITORY, shared

from minitl.data.text import CharacterVocabulary, ScoredMerges, WordVocabulary, tokenizer_from_data
from minitl.errors import ArgumentError, DataError, DataWarning, MinitlError

MERGES = json.loads((REPOSITORY / "tests" / "golden" / "tokens.json").read_text("utf-8"))["merges"]
DRINKS = "tea tea tea milk milk jam"


def pieces():
    return ScoredMerges([piece.encode() for piece in MERGES["pieces"]], MERGES["scores"])


KINDS = {
    "words": lambda: WordVocabulary.fit([DRINKS]),
    "characters": lambda: CharacterVocabulary.fit(DRINKS),
    "merges": pieces,
}


@pytest.fixture(params=KINDS)
def made(request):
    return KINDS[request.param]()


# ---- all of them ----


def test_common_conventions(made):
    found = made.encode("tea milk")
    assert found.ids.dtype == np.int32 and found.ids.max() < len(made) == len(made.tokens)
    assert len(found.tokens) == len(found.offsets) == len(found.ids) and found.dropped == 0
    assert made.decode(found.ids) == "tea milk"
    batch = made.encode_batch(["tea", "tea"])
    assert batch.ids.tolist() == [made.encode("tea").ids.tolist()] * 2 and batch.mask.all()
    with pytest.raises(DataError, match=f"this table of {len(made)} tokens ends at {len(made) - 1}"):
        made.decode([len(made)])


def test_saved_and_loaded_they_give_identical_numbers(made):
    data = json.loads(json.dumps(made.as_data()))
    again = tokenizer_from_data(data)
    assert type(again) is type(made) and again.tokens == made.tokens and again.digest == made.digest
    assert again.encode("tea jam").ids.tolist() == made.encode("tea jam").ids.tolist()
    with pytest.raises(DataError, match="was changed"):
        tokenizer_from_data({**data, "tokens": data["tokens"][:-1]})


def test_none_takes_another_for_itself(made):
    for other in KINDS.values():
        if type(other()) is not type(made):
            with pytest.raises(DataError, match=f"{type(made).__name__} instead of {type(other()).__name__}"):
                made.require_same(other().as_data())


def test_limit_four_of_seven_words_drops_three():
    vocabulary = WordVocabulary.fit(["a b c d e f g"])
    with pytest.warns(DataWarning, match="3 tokens were dropped"):
        found = vocabulary.encode("a b c d e f g", 4)
    assert found.dropped == 3 and found.tokens == ["a", "b", "c", "d"]
    with pytest.warns(DataWarning, match="1 of 2 texts"):
        assert vocabulary.encode_batch(["a b c d e f g", "a"], length=4).dropped.tolist() == [3, 0]


# ---- words ----


def test_a_vocabulary_of_n_keeps_n_words():
    for most, expected in ((2, [2, 2, 2, 3, 3, 1]), (3, [2, 2, 2, 3, 3, 4]), (1, [2, 2, 2, 1, 1, 1])):
        vocabulary = WordVocabulary.fit([DRINKS], most=most)
        assert vocabulary.numbers(DRINKS) == expected and len(vocabulary) == most + 2
    assert (vocabulary.pad, vocabulary.unknown) == (0, 1)


def test_of_equally_frequent_words_the_first_comes_first():
    assert WordVocabulary.fit(["z y", "x z y x w"], most=3).words == ["z", "y", "x"]


def test_words_are_filled_up_with_zero():
    vocabulary = WordVocabulary.fit([DRINKS])
    ids, mask, _ = vocabulary.encode_batch(["tea", "milk coffee jam", ""])
    assert ids.tolist() == [[2, 0, 0], [3, 1, 4], [0, 0, 0]]
    assert mask.tolist() == [[True, False, False], [True] * 3, [False] * 3]


@pytest.mark.parametrize(
    "text, words",
    [
        ("I don't think it's done; can't you?", "i do n't think it 's done ; ca n't you ?"),
        ("it isn’t we’ll", "it is n't we 'll"),
        ("well-made o'clock O'Brien's", "well-made o'clock o'brien 's"),
        ("Mr. Tea paid $3.50 or 1,000 at 10:30.", "mr. tea paid $ 3.50 or 1,000 at 10:30 ."),
        ("the U.S. ... -- (no) -LRB- ``yes''", "the u.s. ... -- ( no ) -lrb- `` yes ''"),
        ("हिन्दी naïve 中文 tea😀", "हिन्दी naïve 中文 tea 😀"),
        ("cafe\u0301 İ", "caf\u00e9 i\u0307"),
        (" \t\n\u00a0 ", ""),
    ],
)
def test_texts_are_cut_as_those_of_glove(text, words):
    vocabulary = WordVocabulary.from_words(["tea"])
    assert vocabulary.words_of(text) == words.split()
    assert [text[start:end] for start, end in vocabulary.spans(text)] == [
        text[start:end] for start, end in vocabulary.encode(text).offsets
    ]
    assert len(vocabulary.numbers(text)) == len(vocabulary.spans(text))


def test_a_text_of_ascii_is_cut_like_any_other():
    """Such a text takes a shorter way."""
    vocabulary = WordVocabulary.from_words(["tea"])
    for text in ("Don't TEA, it's. a.b.c. 3.5-x", "x" * 50_000, "1," * 20_000, "n't" * 9_000, "a'" * 9_000):
        assert vocabulary.words_of(text) == vocabulary.words_of(text + " é")[:-1]


def test_places_are_in_the_text_as_it_was_given():
    text = "İn  Don’t"
    assert [text[start:end] for start, end in WordVocabulary.from_words(["tea"]).encode(text).offsets] == [
        "İn", "Do", "n’t"
    ]  # fmt: skip


def test_what_was_cut_before_stays_as_it_is():
    vocabulary = WordVocabulary.fit(["and/or ca n't [PAD] [UNK]"], split="spaces")
    assert vocabulary.words[:3] == ["and/or", "ca", "n't"]
    assert vocabulary.words_of("tea\u3000A/B") == ["tea", "a/b"]
    assert WordVocabulary.from_words(["tea"], split="spaces").numbers("[PAD] [UNK] tea") == [1, 1, 2]
    with pytest.raises(ArgumentError, match="split is 'letters'; expected one of 'words', 'spaces'"):
        WordVocabulary(["tea"], split="letters")


def test_nearly_every_word_of_sst2_stays_as_it_is():
    vocabulary = WordVocabulary.from_words(["tea"])
    text = shared("data/text/stsa.binary.train", "SST-2").read_text("utf-8")
    words = [word for line in text.splitlines() for word in line.lower().split()[1:]]
    assert np.mean([vocabulary.words_of(word) == [word] for word in words]) > 0.998


def test_capitals_are_kept_on_save():
    cased = WordVocabulary.fit(["US us us"], lowercase=False)
    again = tokenizer_from_data(cased.as_data())
    assert again.numbers("US us") == cased.numbers("US us") == [3, 2]
    with pytest.raises(DataError, match="lowercase=True instead of False"):
        WordVocabulary(cased.words).require_same(cased.as_data())


def test_row_k_of_a_table_belongs_to_number_k_plus_2():
    vocabulary = WordVocabulary.from_words(["the", ",", "tea"])
    assert vocabulary.numbers("Tea, the coffee") == [4, 3, 2, 1]
    with pytest.warns(DataWarning, match="1 of 2 tokens, such as 'Tea'"):
        WordVocabulary.from_words(["Tea", "the"])


def test_words_that_are_no_vocabulary_are_refused():
    for wrong, message in (
        (["tea", "tea"], "token 1, 'tea', is there before, as token 0"),
        (["tea", ""], "token 1 is ''"),
        (["tea", None], "token 1 is None"),
        ([], "has 0 tokens"),
        ("tea", "expected a list of texts"),
    ):
        with pytest.raises(DataError, match=message):
            WordVocabulary.from_words(wrong)
    for texts, message in (([], "have no word"), ([" "], "have no word"), (["tea", None], "text 1 is None")):
        with pytest.raises(DataError, match=message):
            WordVocabulary.fit(texts)
    with pytest.raises(ArgumentError, match="most is 0"):
        WordVocabulary.fit(["tea"], most=0)


# ---- characters ----


def test_characters_have_unicodes_order():
    vocabulary = CharacterVocabulary.fit("tea\nmilk é")
    assert vocabulary.tokens == ["\n", " ", "a", "e", "i", "k", "l", "m", "t", "é"]
    assert vocabulary.numbers("tea é") == [8, 3, 2, 1, 9] and vocabulary.encode("tea").offsets[2] == (2, 3)


def test_an_unknown_character_is_named_with_its_place():
    with pytest.raises(
        DataError, match=r"text\[2\] is 'é', U\+00E9 \(LATIN SMALL LETTER E WITH ACUTE\), which is none"
    ):
        CharacterVocabulary.fit("tea").encode("teé")


def test_texts_of_characters_are_not_filled_up():
    vocabulary = CharacterVocabulary("tea")
    assert vocabulary.encode_batch(["tea", "eat"]).ids.tolist() == [[0, 1, 2], [1, 2, 0]]
    with pytest.raises(DataError, match="have 1 to 3 tokens, and a CharacterVocabulary has no number for filling up"):
        vocabulary.encode_batch(["tea", "t"])
    with pytest.raises(DataError, match="holds 'tea'; expected single characters"):
        CharacterVocabulary(["tea"])


def test_shakespeare_has_65_characters():
    text = shared("data/text/tinyshakespeare.txt", "tinyshakespeare").read_text("utf-8")
    vocabulary = CharacterVocabulary.fit(text)
    assert len(vocabulary) == 65 and vocabulary.decode(vocabulary.encode(text[:5000]).ids) == text[:5000]


# ---- merged pieces ----


@pytest.mark.parametrize("row", MERGES["rows"], ids=lambda row: ascii(row["text"]))
def test_merges_are_those_of_the_reference(row):
    made = pieces()
    assert made.numbers(row["text"]) == made._merged_naive(row["text"]) == row["ids"]
    found = made.encode(row["text"])
    assert found.ids.tolist() == [1, *row["ids"]] and made.decode(found.ids) == row["text"]
    assert ScoredMerges(made.pieces, made.scores, begins=False).decode(row["ids"]) == row["text"]


def test_the_heap_merges_what_looking_at_all_pairs_merges(rng):
    made = pieces()
    for _ in range(200):
        text = "".join(rng.choice(list("aaaehtinrs  cupé中"), size=rng.integers(40)))
        assert made.numbers(text) == made._merged_naive(text), text


def test_places_of_merged_pieces():
    text = "the é中€tea"
    spans = pieces().encode(text).offsets
    assert spans[0] == (0, 0) and "".join(dict.fromkeys(text[a:b] for a, b in spans)) == text
    assert spans.count((6, 7)) == 3  # the euro sign is three bytes


def test_half_a_surrogate_is_no_character():
    """Python makes them of bytes that it could not decode."""
    made = pieces()
    assert made.numbers("tea\ud800") == made.numbers("tea?")
    assert WordVocabulary.from_words(["tea"]).numbers("tea \ud800") == [2, 1]


def test_the_space_before_a_text_is_dropped_after_the_number_that_begins_it():
    made = pieces()
    ids = made.numbers("tea")
    assert made.decode([1, *ids]) == "tea" and made.decode(ids) == " tea" and made.decode([1, *ids, *ids]) == "tea tea"
    assert made.decode([3 + 0xC3]) == "\ufffd" and made.decode([3 + 0xC3, 3 + 0xA9]) == "é"


def test_a_byte_and_a_special_token_that_somebody_types_are_text():
    """Even where merges could put their names together."""
    made = pieces()
    more = [*"</>0A", "<0", "<0A", "<s"]
    typed = ScoredMerges(
        [*made.pieces, *(piece.encode() for piece in [*more, "x", "<0x", "<0x0", "<0x0A"])],
        [*made.scores, *[-1.0] * (len(more) + 4)],
    )
    assert typed.encode(" <0x0A>").tokens[-2:] == ["<0x0A", ">"]
    assert typed.decode(typed.encode("<0x0A> <s>").ids) == "<0x0A> <s>"


def file_of(made):
    head = struct.pack("<i", max(map(len, made.pieces)))
    return head + b"".join(struct.pack("<fi", s, len(p)) + p for s, p in zip(made.scores, made.pieces))


def test_a_file_of_llama2c_is_read(tmp_path):
    (tmp_path / "tokenizer.bin").write_bytes(file_of(pieces()))
    found = ScoredMerges.from_file(tmp_path / "tokenizer.bin")
    assert found.digest == pieces().digest
    assert ScoredMerges.from_file(tmp_path / "tokenizer.bin", begins=False).encode("tea").ids.tolist() == found.numbers(
        "tea"
    )


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c: b"", "it is empty"),
        (lambda c: c[:3], "has 3 bytes"),
        (lambda c: c[:4], "which none has"),
        (lambda c: c[:-1], "damaged or cut short"),
        (lambda c: c[:-6], "damaged or cut short"),
        (lambda c: c + b"\0", "damaged or cut short"),
        (lambda c: struct.pack("<i", 900) + c[4:], "its longest piece has 900 bytes, which none has"),
        (lambda c: struct.pack("<i", 2) + c[4:], "piece 0, from byte 4 on, says that it has 5 bytes; expected 1 to 2"),
        (lambda c: struct.pack("<i", -1) + c[4:], "begins with -1"),
        (lambda c: struct.pack("<i", 2**31 - 1) + c[4:], "begins with 2147483647"),
        (lambda c: c[:8] + struct.pack("<i", -5) + c[12:], "says that it has -5 bytes"),
        (lambda c: c[:8] + struct.pack("<i", 0) + c[12:], "says that it has 0 bytes"),
        (lambda c: c[:4] + struct.pack("<f", np.nan) + c[8:], "finite scores"),
        (lambda c: c[:4] + c[17:], "token 3 is b'<0x01>'; expected b'<0x00>'"),
        (lambda c: c[:200], "damaged or cut short"),
        (lambda c: c + struct.pack("<fi", 0.0, 2) + b" t", "is there before, as token 259"),
        (lambda c: b"<html>" * 1000, "no tokenizer of llama2.c"),
    ],
)
def test_broken_files_of_llama2c_are_refused_by_name(tmp_path, change, message):
    path = tmp_path / "tokenizer.bin"
    path.write_bytes(change(file_of(pieces())))
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: .*{re.escape(message)}"):
        ScoredMerges.from_file(path)


def test_changed_bytes_of_such_a_file_give_an_error_or_a_tokenizer(tmp_path, rng):
    path, content = tmp_path / "tokenizer.bin", file_of(pieces())
    refused = 0
    for _ in range(300):
        changed = bytearray(content)
        changed[int(rng.integers(len(content)))] = int(rng.integers(256))
        path.write_bytes(changed)
        try:
            ScoredMerges.from_file(path).encode("the tea 中")
        except MinitlError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 100


def test_settings_of_a_file_that_are_no_scores_are_refused():
    with pytest.raises(DataError, match="expected a number for each piece"):
        ScoredMerges(pieces().pieces, ["many"] * len(pieces()))
    data = pieces().as_data()
    with pytest.raises(DataError, match="expected a character for each of its bytes"):
        ScoredMerges.from_data({**data, "tokens": ["中", *data["tokens"][1:]]})


def test_the_512_pieces_of_stories():
    made = ScoredMerges.from_file(shared("data/stories260k/tok512.bin", "the pieces of stories260K"))
    text = "Once upon a time, there was a little girl named Lily. She loved tea! é中😀\n"
    assert len(made) == 512 and made.numbers(text) == made._merged_naive(text)
    assert made.decode(made.encode(text).ids) == text
    assert made.encode("Once upon a time").tokens[:3] == ["\n<s>\n", " Once", " upon"]

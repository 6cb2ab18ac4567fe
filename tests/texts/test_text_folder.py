"""Labelled texts are read as they are meant, and each broken row or file is left out or refused by name."""

import csv
import json
import re

import numpy as np
import pytest
from conftest import shared

from minitl.data.text.folder import Text, folds, read_texts, sorted_names
from minitl.errors import ArgumentError, DataError

ROWS = [(f"{word} film number {n}", label) for n in range(6) for word, label in (("dull", "neg"), ("fine", "pos"))]


def csv_of(rows=ROWS, separator=",", names=("text", "label")):
    return "\n".join(separator.join(row) for row in [names, *rows]) + "\n"


def lines_of(rows=ROWS):
    return "".join(f"{label} {text}\n" for text, label in rows)


def json_of(rows=ROWS):
    return "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)


def write(root, files):
    """Write {name: text or bytes} below a folder, and return it."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def as_pairs(folder, texts):
    return [(text.text, folder.class_names[text.label]) for text in texts]


# ---- what is read ----

FORMS = {
    "a.csv": csv_of(),
    "b.tsv": csv_of(separator="\t"),
    "c.jsonl": json_of(),
    "d.txt": lines_of(),
    "e.all": lines_of().replace("neg ", "neg\t").replace("pos ", "pos\t"),
    "f.csv": csv_of(separator=";"),
    "g.csv": b"\xef\xbb\xbf" + csv_of().encode(),
    "h.csv": csv_of().encode("utf-16"),
    "i.txt": lines_of().replace("\n", "\r\n"),
    "j.csv": csv_of().replace("\n", "\r"),
    "k.txt": csv_of(separator="\t"),
    "l.data": json_of(),
    "m.csv": csv_of().replace("text", '"text"', 1).replace("dull film number 0", '"dull film number 0"'),
    "n.ndjson": "\n" + json_of() + "\n\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_one_file(tmp_path, name):
    folder = read_texts(write(tmp_path, {name: FORMS[name]}) / name, val_share=0)
    assert as_pairs(folder, folder.train) == ROWS and folder.class_names == ["neg", "pos"]
    assert (folder.val, folder.test, folder.skipped, folder.notes[1:]) == ([], [], [], [])
    assert all(re.fullmatch(rf"{re.escape(name)}:\d+", text.source) for text in folder.train)


LAYOUTS = {
    "tables": {
        "train.tsv": csv_of(separator="\t"),
        "dev.tsv": csv_of(separator="\t"),
        "test.tsv": csv_of(separator="\t"),
    },
    "forms that differ": {"train.csv": csv_of(), "valid.jsonl": json_of(), "test.txt": lines_of()},
    "SST-2": {"stsa.binary.train": lines_of(), "stsa.binary.dev": lines_of(), "stsa.binary.test": lines_of()},
    "words around": {"a_train.csv": csv_of(), "a_validation.csv": csv_of(), "a_test.csv": csv_of(), "README.md": "x"},
    "folders of tables": {"train/1.csv": csv_of(), "val/1.csv": csv_of(), "test/x.jsonl": json_of()},
    "a file for each text": {
        f"{part}/{label}/{n:02}.txt": text for part in ("train", "val", "test") for n, (text, label) in enumerate(ROWS)
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_three_parts(tmp_path, layout):
    folder = read_texts(write(tmp_path, LAYOUTS[layout]), verbose=0)
    for part in folder.train, folder.val, folder.test:
        assert sorted(as_pairs(folder, part)) == sorted(ROWS)
    assert [source for source, _ in folder.skipped] == (["README.md"] if layout == "words around" else [])
    assert len(folder.in_two_parts) == 12 and not folder.with_two_labels


def test_a_folder_for_each_class_is_divided(tmp_path):
    files = {f"{label}/{n}.txt": f"{text}\n" for n, (text, label) in enumerate(ROWS)}
    folder = read_texts(write(tmp_path, files), val_share=0.3, verbose=0)
    assert folder.class_names == ["neg", "pos"] and not folder.test
    assert sorted(as_pairs(folder, folder.train + folder.val)) == sorted(ROWS)
    assert all(folder.counts(folder.val)) and folder.train[0].source.startswith("neg/")


def test_a_test_part_is_never_measured_on_during_training(tmp_path):
    """A share of the training part is held back where there is a test part and no validation."""
    folder = read_texts(write(tmp_path, {"train.csv": csv_of(), "test.csv": csv_of()}))
    assert len(folder.test) == 12 and len(folder.train) + len(folder.val) == 12 and folder.val


def test_a_test_part_without_labels_is_left_out(tmp_path):
    files = {"train.csv": csv_of(), "dev.csv": csv_of(), "test.csv": "index,text\n0,a film\n"}
    folder = read_texts(write(tmp_path, files))
    assert folder.skipped == [("test.csv", "is a test part without labels")] and not folder.test
    with pytest.raises(DataError, match="no column 'label'"):
        read_texts(tmp_path, strict=True)


def test_quotes_of_csv(tmp_path):
    rows = 'text,label\n"a ""fine"", small\nfilm",pos\n"dull",neg\n'
    folder = read_texts(write(tmp_path, {"a.csv": rows}) / "a.csv", val_share=0)
    assert [text.text for text in folder.train] == ['a "fine", small\nfilm', "dull"]
    assert [text.source for text in folder.train] == ["a.csv:2", "a.csv:4"], "the line where each begins"


@pytest.mark.parametrize(
    ("rows", "texts"),
    [
        ('"well\t1\nthat was good"\t0\n', ['"well', 'that was good"']),
        ('"a ""b"""\t1\nc\t0\n', ['a "b"', "c"]),
        ('"a\tb"\t1\nc\t0\n', ["a\tb", "c"]),
        ('he said "no"\t1\n"so" she went\t0\n', ['he said "no"', '"so" she went']),
    ],
    ids=["no quoting", "quoting", "a tab in quotes", "quotes within"],
)
def test_quotes_of_tsv(tmp_path, rows, texts):
    """A quote in a file without quoting swallows no rows."""
    folder = read_texts(write(tmp_path, {"a.tsv": f"text\tlabel\n{rows}"}) / "a.tsv", val_share=0)
    assert [text.text for text in folder.train] == texts


def test_line_breaks_of_other_kinds_are_characters(tmp_path):
    rows = [*ROWS, ("one\x85 line", "neg"), ("and\u2028 one", "pos")]
    folder = read_texts(write(tmp_path, {"a.txt": lines_of(rows)}) / "a.txt", val_share=0)
    assert as_pairs(folder, folder.train) == rows
    assert any("cp1252" in note for note in folder.notes)


def test_labels_have_a_stable_order(tmp_path):
    assert sorted_names({"10", "9", "-1"}) == ["-1", "9", "10"] and sorted_names({"b", "10", "9"}) == ["10", "9", "b"]
    rows = "".join(json.dumps({"review": f"text {n}", "stars": n % 3 + 9}) + "\n" for n in range(9))
    folder = read_texts(write(tmp_path, {"a.jsonl": rows}) / "a.jsonl", "review", "stars", val_share=0)
    assert folder.class_names == ["9", "10", "11"] and [text.label for text in folder.train] == [0, 1, 2] * 3
    again = read_texts(tmp_path / "a.jsonl", "review", "stars", 0, class_names=["11", "9", "10"])
    assert [text.label for text in again.train] == [1, 2, 0] * 3
    with pytest.raises(DataError, match=r"a.jsonl:1 has the class '9', which the given classes do not have"):
        read_texts(tmp_path / "a.jsonl", "review", "stars", class_names=["10", "11"])


def test_a_rare_label_of_the_training_part_is_one_in_the_other_parts(tmp_path):
    rows = [*ROWS, ("rare 1", "odd"), ("rare 2", "odd")]
    many = [(f"{text} {n}", label) for n in range(3) for text, label in ROWS]
    files = {"x.train": lines_of(rows), "x.dev": lines_of([*many, ("rare 3", "odd")])}
    folder = read_texts(write(tmp_path, files))
    assert folder.counts(folder.val) == [18, 1, 18] and not folder.skipped


# ---- the split ----


def test_the_split_is_stratified_seeded_and_keeps_copies_together(tmp_path):
    rows = [(f"{label} text {n % 80}", label) for n in range(100) for label in ("a", "b")]  # twenty are there twice
    path = write(tmp_path, {"a.csv": csv_of(rows)}) / "a.csv"
    folder = read_texts(path, val_share=0.25)
    assert len(folder.duplicates) == 40 and not folder.in_two_parts
    distinct = [len({text.text for text in folder.val if text.label == label}) for label in (0, 1)]
    assert all(16 <= count <= 24 for count in distinct), "close to 20 of 80"
    assert read_texts(path, val_share=0.25).val == folder.val
    other = read_texts(path, val_share=0.25, seed=1).val
    assert {text.text for text in other} != {text.text for text in folder.val}
    more = write(tmp_path, {"b.csv": csv_of([*rows, ("another text", "a")])}) / "b.csv"
    texts = [{text.text for text in each.val} for each in (folder, read_texts(more, val_share=0.25))]
    assert len(texts[0] ^ texts[1]) <= 2, "hardly any text moves when one is added"


def test_folds_count_within_each_class():
    texts = [Text("", label, "") for label in (0, 0, 1, 0, 1, 0)]
    assert folds(texts, 3) == [0, 1, 0, 2, 1, 0]
    with pytest.raises(ArgumentError, match="count"):
        folds(texts, 1)


# ---- what is broken: one row ----

GOOD = csv_of()
BAD_ROWS = {
    "an empty text": ("a.csv", GOOD + ",neg\n", "a.csv:14", "the text is empty"),
    "whitespace": ("a.csv", GOOD + '" \t\u00a0",neg\n', "a.csv:14", "only whitespace"),
    "a space of no width": ("a.csv", GOOD + "\u200b\u2060,neg\n", "a.csv:14", "cannot be seen"),
    "a column too many": ("a.csv", GOOD + "good, really,pos\n", "a.csv:14", "has 3 columns; the first line has 2"),
    "a column too few": ("a.csv", GOOD + "good\n", "a.csv:14", "has 1 column; the first line has 2"),
    "no label": ("a.csv", GOOD + "good,\n", "a.csv:14", "has no label"),
    "a label of spaces": ("a.csv", GOOD + "good,  \n", "a.csv:14", "has no label"),
    "text behind a quote": ("a.csv", GOOD + '"good" film,pos\n', "a.csv:14", "is no row of a table"),
    "zero bytes": ("a.csv", GOOD + "goo\0d,pos\n", "a.csv:14", "zero bytes|NUL"),
    "a novel in a cell": ("a.csv", GOOD + "good " * 200_001 + ",pos\n", "a.csv:14", "1,000,00. characters"),
    "a tab too many": ("a.tsv", csv_of(separator="\t") + "go\tod\tpos\n", "a.tsv:14", "has 3 columns"),
    "half an object": ("a.jsonl", json_of() + '{"text": "good", \n', "a.jsonl:13", "is no JSON"),
    "an array": ("a.jsonl", json_of() + '["good", "pos"]\n', "a.jsonl:13", "is no JSON object"),
    "a key is missing": ("a.jsonl", json_of() + '{"text": "good"}\n', "a.jsonl:13", "has no 'label'"),
    "null as text": ("a.jsonl", json_of() + '{"text": null, "label": "pos"}\n', "a.jsonl:13", "a text that is 'null'"),
    "a fraction as label": ("a.jsonl", json_of() + '{"text": "a", "label": 0.5}\n', "a.jsonl:13", "the label '0.5'"),
    "true as label": ("a.jsonl", json_of() + '{"text": "a", "label": true}\n', "a.jsonl:13", "the label 'true'"),
    "a list as label": ("a.jsonl", json_of() + '{"text": "a", "label": ["pos"]}\n', "a.jsonl:13", "the label"),
    "brackets without end": ("a.jsonl", json_of() + "[" * 200_000 + "\n", "a.jsonl:13", "is no JSON"),
    "long number": ("a.jsonl", json_of() + '{"text": "a", "label": %s}\n' % ("9" * 9999), "a.jsonl:13", "JSON|9,999"),
    "a text as label": ("a.csv", GOOD + f"good,{'long ' * 50}\n", "a.csv:14", "a label of 249 characters"),
    "half a surrogate": ("a.jsonl", json_of() + '{"text": "a\\ud800", "label": "pos"}\n', "a.jsonl:13", "surrogates"),
    "a label alone": ("a.txt", lines_of() + "pos\n", "a.txt:13", "the text is empty"),
    "a line without label": ("a.txt", lines_of(ROWS * 2) + "really good\n", "a.txt:25", "no label of other lines"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_broken_row_is_left_out_by_name(tmp_path, name):
    file, content, source, reason = BAD_ROWS[name]
    path = write(tmp_path, {file: content}) / file
    folder = read_texts(path, val_share=0)
    ((found, why),) = folder.skipped
    assert found == source and re.search(reason, why), why
    assert set(as_pairs(folder, folder.train)) == set(ROWS)
    assert f"left out: {source}:" in str(folder)
    with pytest.raises(DataError, match=f"{re.escape(source)}: .*strict=False") as caught:
        read_texts(path, strict=True)
    assert "--strict" in caught.value.for_command_line()


def test_a_file_that_cannot_be_decoded_is_left_out_of_a_class(tmp_path):
    files = {f"{label}/{n}.txt": text for n, (text, label) in enumerate(ROWS)}
    files |= {
        "neg/empty.txt": "",
        "neg/latin.txt": b"caf\xe9",
        "pos/blank.txt": " \n",
        "pos/note.pdf": b"%PDF",
        "x.md": "",
    }
    folder = read_texts(write(tmp_path, files), verbose=0)
    skipped = dict(folder.skipped)
    assert set(skipped) == {"neg/empty.txt", "neg/latin.txt", "pos/blank.txt", "pos/note.pdf", "x.md"}
    assert "latin-1" in skipped["neg/latin.txt"] and "empty" in skipped["neg/empty.txt"]
    assert len(read_texts(tmp_path, encoding="latin-1", verbose=0).skipped) == 4


# ---- what is broken: all of it ----

BAD_FILES = {
    "an empty file": ({"a.csv": ""}, "a.csv", "it is empty"),
    "blank lines": ({"a.csv": "\n\n"}, "a.csv", "holds no line"),
    "names alone": ({"a.csv": "text,label\n"}, "a.csv", "has no text for training"),
    "no such file": ({}, "a.csv", "is not there"),
    "Latin-1": ({"a.csv": csv_of([*ROWS, ("caf\xe9", "pos")]).encode("latin-1")}, "a.csv", "a.csv:14: .*0xe9.*latin-1"),
    "UTF-16 without its mark": ({"a.csv": csv_of().encode("utf-16-le")}, "a.csv", "encoding=\"utf-16-le\""),
    "big-endian UTF-16": ({"a.csv": csv_of().encode("utf-16-be")}, "a.csv", "encoding=\"utf-16-be\""),
    "zeros": ({"a.csv": bytes(5000)}, "a.csv", "5,000 zero bytes. It is no text"),
    "UTF-32": ({"a.csv": csv_of().encode("utf-32")}, "a.csv", "is UTF-32"),
    "UTF-16 cut short": ({"a.csv": csv_of().encode("utf-16")[:-1]}, "a.csv", "is no UTF-16"),
    "a spreadsheet": ({"a.csv": b"PK\x03\x04" + bytes(range(256)) * 4}, "a.csv", "ZIP archive"),
    "a quote without end": ({"a.csv": GOOD + '"good,pos\n' + "fine,pos\n" * 9}, "a.csv", r"a.csv:14: .*never closed"),
    "another name": ({"a.csv": csv_of(names=("sentence", "label"))}, "a.csv", "no column 'text'.*text='sentence'"),
    "a name misspelt": ({"a.csv": csv_of(names=("text", "lable"))}, "a.csv", "no column 'label'.*label='lable'"),
    "a key misspelt": ({"a.jsonl": json_of().replace("label", "Label")}, "a.jsonl", "label='Label'"),
    "no names": ({"a.csv": csv_of()[len("text,label\n") :]}, "a.csv", "If the first line is a text already"),
    "a name twice": ({"a.csv": "text,label,label\na,b,c\n"}, "a.csv", "has 2 columns 'label'"),
    "one class": ({"a.csv": csv_of(ROWS[::2])}, "a.csv", "one class only, 'neg'"),
    "one text of a class": ({"a.csv": csv_of(ROWS[:3])}, "a.csv", "class 'pos' has one text only"),
    "copies alone": ({"a.csv": csv_of([*ROWS[::2], *[("fine", "pos")] * 5])}, "a.csv", "class 'pos' has one text only"),
    "columns exchanged": (
        {"a.csv": csv_of([(label, f"{text} {n}") for n in range(9) for text, label in ROWS])}, "a.csv", "exchanged",
    ),
    "prose": ({"a.txt": "It was a dark night.\nRain fell.\nThe wind blew.\n"}, "a.txt", "no table of labelled texts"),
    "JSON as a whole": ({"a.json": json.dumps([{"text": "a", "label": 1}])}, "a.json", "one object in each line"),
    "a class in val only": (
        {"train.csv": csv_of(), "val.csv": csv_of([*ROWS, ("so so", "mixed")])}, ".",
        "val.csv:14 has for validation the class 'mixed'",
    ),
    "an empty part": ({"train.csv": csv_of(), "val.csv": "text,label\n"}, ".", "has no text for validation"),
    "two training parts": ({"train.csv": csv_of(), "train.tsv": csv_of(), "val.csv": csv_of()}, ".", "the same part"),
    "several files": ({"a.csv": csv_of(), "b.csv": csv_of()}, ".", "holds 2 files"),
    "an empty folder": ({"notes.md": "hello"}, ".", "holds no texts"),
    "an empty class": ({"neg/1.txt": "dull", "pos/1.md": "fine"}, ".", "one class only"),
    "labels differ in a part": ({"train.csv": csv_of(), "val.csv": csv_of([("a", "1"), ("b", "0")])}, ".", "class '1'"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_broken_set_is_refused_by_name(tmp_path, name):
    files, place, match = BAD_FILES[name]
    with pytest.raises(DataError, match=match) as caught:
        read_texts(write(tmp_path, files) / place, verbose=0)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"val_share": 1}, "val_share"), ({"seed": -1}, "seed"), ({"encoding": "klingon"}, "encoding"),
        ({"encoding": "rot13"}, "encoding"), ({"text": "label"}, "both 'label'"),
        ({"class_names": "neg"}, "class_names"), ({"class_names": ["neg", "neg"]}, "class_names"),
    ],
)  # fmt: skip
def test_wrong_arguments(tmp_path, options, match):
    with pytest.raises(ArgumentError, match=match):
        read_texts(write(tmp_path, {"a.csv": GOOD}) / "a.csv", **options)


def test_damaged_files_end_in_an_error_of_ours(tmp_path, rng):
    """Bytes of good files are changed, cut and doubled: what is read has labels, or a DataError says why not."""
    read = 0
    for number in range(200):
        name = list(FORMS)[number % len(FORMS)]
        content = FORMS[name] if isinstance(FORMS[name], bytes) else FORMS[name].encode()
        damaged = bytearray(content[: rng.integers(1, len(content) + 1)] if number % 3 == 0 else content)
        for _ in range(rng.integers(1, 6)):
            place = rng.integers(len(damaged))
            damaged[place : place + 1] = bytes(rng.choice([0, 10, 13, 34, 44, 9, 32, 92, 123, 255, 97], 1).tolist())
        path = tmp_path / name
        path.write_bytes(damaged)
        try:
            folder = read_texts(path, val_share=0)
        except DataError:
            continue
        read += 1
        assert all(0 <= text.label < len(folder.class_names) for text in folder.train)
        assert len(folder.train) + len(folder.skipped) <= 30 and str(folder)
    assert 50 < read < 200


def test_tables_that_programs_write_come_back(tmp_path, rng):
    """Texts of awkward characters, written by Python's csv in two ways, are read as they were."""
    for number in range(60):
        texts = ["x" + "".join(rng.choice(list("ab\"', ;\n"), rng.integers(0, 9))) + "x" for _ in range(8)]
        separator = ",;"[number % 2]
        path = tmp_path / "a.csv"
        with open(path, "w", newline="", encoding="utf-8") as file:
            rules = {"delimiter": separator, "quoting": (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)[number // 2 % 2]}
            writer = csv.writer(file, **rules, lineterminator=("\n", "\r\n")[number // 4 % 2])
            writer.writerows([("label", "text"), *(("ab"[n % 2], text) for n, text in enumerate(texts))])
        assert [text.text for text in read_texts(path, val_share=0).train] == texts


# ---- what is doubtful ----

NOTES = {
    "few texts": ({"a.csv": csv_of()}, "few texts to learn from: neg 6, pos 6"),
    "control characters": ({"a.csv": csv_of([*ROWS, ("a\x1b[2J b", "pos")])}, "such as a.csv:14: control characters"),
    "read wrongly before": ({"a.csv": csv_of([*ROWS, ("caf\ufffd", "pos")])}, "such as a.csv:14: the mark of a char"),
    "case": ({"a.csv": csv_of([*ROWS, ("a", "Pos")])}, "the labels 'Pos' and 'pos' look like one class"),
    "balance": ({"a.csv": csv_of([*ROWS, *((f"t {n}", "neg") for n in range(60))])}, "out of balance: 6 to 66"),
    "many rows left out": ({"a.csv": csv_of([*ROWS, *[("a, b", "neg")] * 3])}, "3 of 15 rows of a.csv are left out"),
    "absent": ({"train.csv": csv_of(), "val.csv": csv_of(ROWS[::2])}, "without a text for validation: pos"),
}


@pytest.mark.parametrize("name", NOTES)
def test_doubts_are_said(tmp_path, name):
    files, note = NOTES[name]
    path = write(tmp_path, files)
    folder = read_texts(path / "a.csv" if "a.csv" in files else path, val_share=0)
    assert any(note in each for each in folder.notes), folder.notes
    assert "\x1b" not in str(folder)


def test_copies_are_named_with_their_lines(tmp_path):
    val = [("fine  film number 1", "pos"), ("dull film number 2", "pos"), *ROWS[6:8]]  # two spaces; another label
    files = {"train.csv": csv_of([*ROWS, ROWS[8]]), "val.csv": csv_of(val)}
    folder = read_texts(write(tmp_path, files))
    two_parts = [[text.source for _, text in group] for group in folder.in_two_parts]
    lines = [("train.csv:5", "val.csv:2"), ("train.csv:6", "val.csv:3"), ("train.csv:8", "val.csv:4")]
    assert sorted(map(tuple, two_parts)) == [*lines, ("train.csv:9", "val.csv:5")]
    assert [[text.source for _, text in group] for group in folder.with_two_labels] == [["train.csv:6", "val.csv:3"]]
    assert "WARNING: the same text in two parts: train.csv:5, val.csv:2" in str(folder)
    assert "WARNING: one text, two labels: train.csv:6, val.csv:3" in str(folder)
    assert "copies of a text within its part: 1, such as train.csv:10 and train.csv:14" in str(folder)


def test_the_table_fits_80_columns(tmp_path):
    rows = [(f"{'word ' * n}end", f"class {'x' * 50} {n % 40}") for n in range(400)]
    bad = "".join(f"{'much ' * 30}, {n}, too many\n" for n in range(50))
    files = {"train.csv": csv_of(rows) + bad, "val.csv": csv_of(rows), f"{'b' * 100}.md": ""}
    text = str(read_texts(write(tmp_path, files)))
    lines = text.split("\n")
    assert max(map(len, lines)) <= 80 and "left out: 31 more (in Python: skipped)" in text
    assert "(20 more classes)" in lines
    assert "the same text in two parts: 395 more (in Python: in_two_parts)" in " ".join(text.split())
    assert ["words:", "the", "most", "400", "400"] in [line.split() for line in lines]


# ---- published sets ----


@pytest.fixture(scope="module")
def sst2():
    """Return the folder with the three parts of SST-2."""
    return shared("data/text/stsa.binary.train", "the sentences of SST-2").parent


def test_sst2(sst2):
    folder = read_texts(sst2)
    assert [len(part) for part in (folder.train, folder.val, folder.test)] == [6920, 872, 1821]
    assert folder.class_names == ["0", "1"] and folder.counts(folder.train) == [3310, 3610]
    assert folder.train[0].text.startswith("a stirring , funny and finally transporting")
    assert len(folder.in_two_parts) == 2, "two sentences of the test are in training"
    assert not [source for source, _ in folder.skipped if source.startswith("stsa")]


def test_rt_polarity_and_its_folds():
    path = shared("data/text/rt-polarity.all", "the sentences of rt-polarity")
    folder = read_texts(path, encoding="latin-1", val_share=0)
    assert len(folder.train) == 10662 and folder.counts(folder.train) == [5331, 5331] and not folder.skipped
    assert np.bincount(folds(folder.train)).tolist() == [1068, *[1066] * 9]
    with pytest.raises(DataError, match=r'rt-polarity.all:32: .*encoding="latin-1"'):
        read_texts(path)

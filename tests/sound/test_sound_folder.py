"""Folders of recordings: what is found, what is left out by name, and groups that are never divided."""

from pathlib import Path

import numpy as np
import pytest
from cases.sounds import sine, wav, write_tone
from conftest import shared

from minitl.data.sound import Recording, audit_sounds
from minitl.data.sound.groups import held_groups
from minitl.data.sound.naming import NamePattern
from minitl.errors import ArgumentError, DataError


@pytest.fixture
def spoken(tmp_path):
    """Write two words of three speakers, two of each, named word_speaker_number.wav, and return the folder."""
    for n, (word, who, take) in enumerate((w, s, t) for w in ("no", "yes") for s in "abc" for t in range(2)):
        write_tone(tmp_path / "spoken" / f"{word}_{who}_{take}.wav", 300 + 10 * n)
    return tmp_path / "spoken"


def silently(path, *arguments, **options):
    return audit_sounds(path, *arguments, verbose=0, **options)


PATTERN = "{class}_{speaker}_*"


# ---- names and layouts ----


@pytest.mark.parametrize(
    ("pattern", "path", "fields"),
    [
        ("{class}_{speaker}_{index}", "0_george_10.wav", {"class": "0", "speaker": "george", "index": "10"}),
        ("{class}_{speaker}_*", "deep/in/yes_a_1.flac", {"class": "yes", "speaker": "a"}),
        ("*-{class}", "2020-01-02-rain.wav", {"class": "rain"}),
        ("{class}/{session}_*", "rain/monday_3.wav", {"class": "rain", "session": "monday"}),
        ("{class}/{session}_*", "monday_3.wav", None),
        ("{class}.v1.wav", "rain.v1.wav", {"class": "rain"}),
        ("{class}_{speaker}", "rain.wav", None),
        ("({class})", "(a b).ogg", {"class": "a b"}),
        ("{class}_*", "_1.wav", None),
    ],
)
def test_a_name_says_what_is_in_it(pattern, path, fields):
    assert NamePattern(pattern).fields(path) == fields


@pytest.mark.parametrize(
    "pattern", ["", "*", "{speaker}_*", "{class}_{class}", "{class}_{}", "{class", "{class}_{a b}", 5]
)
def test_a_pattern_that_is_none_is_refused(pattern):
    with pytest.raises(ArgumentError, match="pattern is .*; expected"):
        NamePattern(pattern)


def test_subfolders_patterns_and_parts_give_the_same_recordings(tmp_path, spoken):
    for file in spoken.iterdir():
        word, who, take = file.stem.split("_")
        part = "val" if who == "c" else "train"
        for place in f"sub/{word}/{file.name}", f"parts/{part}/{word}/{file.name}", f"named/{part}/{file.name}":
            (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / place).write_bytes(file.read_bytes())
    folders = {
        "pattern": silently(spoken, PATTERN),
        "subfolders": silently(tmp_path / "sub"),
        "parts": silently(tmp_path / "parts"),
        "parts and pattern": silently(tmp_path / "named", PATTERN, group="speaker"),
        "path": silently(tmp_path / "sub", "{class}/*_{speaker}_*"),
    }
    for folder in folders.values():
        assert folder.class_names == ["no", "yes"] and not folder.skipped
        found = {(folder.class_names[each.label], each.path.name, each.sha256) for each in folder.train + folder.val}
        assert len(found) == 12 and found == {
            (folders["pattern"].class_names[each.label], each.path.name, each.sha256)
            for each in folders["pattern"].train + folders["pattern"].val
        }
    for name in "parts", "parts and pattern":
        assert {each.path.name.split("_")[1] for each in folders[name].val} == {"c"}
    first = folders["pattern"].train[0]
    assert (first.seconds, first.rate, first.channels, first.group) == (0.3, 8000, 1, None)


def test_classes_that_are_numbers_stand_in_their_order(tmp_path):
    for word in range(11):
        for take in range(2):
            write_tone(tmp_path / f"{word}_{take}.wav", 300 + 20 * word + take)
    assert silently(tmp_path, "{class}_*").class_names == [str(n) for n in range(11)]


# ---- groups ----


def test_a_group_is_learned_from_or_measured_on(spoken):
    """Two words of three speakers: one speaker is held back, whole, and both words are on either side."""
    folder = silently(spoken, PATTERN, group="speaker", val_share=0.3)
    held = {each.group for each in folder.val}
    assert len(held) == 1 and not held & {each.group for each in folder.train} and folder.groups == ["a", "b", "c"]
    assert folder.counts(folder.val) == [2, 2] and folder.counts(folder.train) == [4, 4]
    assert silently(spoken, PATTERN, group="speaker", val_share=0.3) == folder


def test_an_overlap_of_given_parts_is_refused_with_the_name_of_the_group(tmp_path):
    """Two recordings of two clips each, and half of the clips held back."""
    for word in "no", "yes":
        for who in "ab":
            for take, part in enumerate(("train", "val")):
                write_tone(tmp_path / part / word / f"{who}_{take}.wav", 300 + 50 * take + ord(who) + len(word))
    pattern = "{class}/{recording}_*"
    assert len(silently(tmp_path, pattern).val) == 4
    with pytest.raises(
        DataError, match=r"group 'a' is in training \(a_0.wav\) and in validation \(a_1.wav\), and so are 1"
    ):
        silently(tmp_path, pattern, group="recording")


def test_a_caller_divides_anew_but_never_a_group(spoken):
    folder = silently(spoken, PATTERN, group="speaker")
    for who in folder.groups:
        left_out = folder.divided(lambda each: each.group == who)
        assert {each.group for each in left_out.val} == {who} and len(left_out.train) == 8
    with pytest.raises(DataError, match="the group 'a' is in training"):
        folder.divided(lambda each: each.path.stem.endswith("0"))
    with pytest.raises(DataError, match="class 'no' has no recording to learn from"):
        folder.divided(lambda each: True)


def test_a_class_of_one_group_cannot_be_divided(tmp_path):
    for take in range(3):
        write_tone(tmp_path / f"rain_monday_{take}.wav", 300 + take)
        write_tone(tmp_path / f"wind_{'monday tuesday friday'.split()[take]}_{take}.wav", 500 + take)
    with pytest.raises(DataError, match="class 'rain' cannot be divided: all its recordings are of one day"):
        silently(tmp_path, "{class}_{day}_*", group="day")


def drawn(rng, groups, classes, most=9):
    """Return random recordings of groups, each with some of the classes."""
    found = []
    for name in range(groups):
        for label in rng.permutation(classes)[: rng.integers(1, classes + 1)]:
            for _ in range(rng.integers(1, most)):
                found.append(recording(f"speaker {name}", int(label), f"{len(found):064x}"))
    return found


def recording(group, label, sha256):
    return Recording(Path("a"), label, sha256, group, {}, 8000, 8000, 1, 0)


def test_whole_groups_come_near_the_share_in_each_class(rng):
    distances = []
    for _ in range(25):
        found = drawn(rng, 20, 3)
        held = held_groups(found, 0.25)
        for label in range(3):
            sides = [each.group in held for each in found if each.label == label]
            assert any(sides) and not all(sides)
            distances.append(abs(np.mean(sides) - 0.25))
    assert np.mean(distances) < 0.08


def test_a_class_with_two_groups_has_one_on_either_side(rng):
    for _ in range(25):
        found = [
            recording(f"{label} {who}", label, f"{label}{who}{n}")
            for label in range(3)
            for who in range(2)
            for n in range(1 + who * 5)
        ]
        held = held_groups(found, float(rng.uniform(0.01, 0.99)))
        for label in range(3):
            assert len({each.group in held for each in found if each.label == label}) == 2
    assert held_groups(found, 0) == set()


def test_more_recordings_hardly_move_the_groups(rng):
    moved = []
    for _ in range(20):
        found = drawn(rng, 30, 2)
        before = held_groups(found, 0.2)
        moved.append(len(before ^ (held_groups(found + drawn(rng, 1, 2, 3), 0.2))))
    assert np.mean(moved) < 1.5


def test_copies_join_their_groups():
    names = "abcdef"
    found = [recording(who, label, f"{who}{label}{n}") for who in names for label in range(2) for n in range(3)]
    found += [recording("a", 0, "copy"), recording("f", 1, "copy")]
    for share in 0.2, 0.5, 0.8:
        held = held_groups(found, share)
        assert ("a" in held) == ("f" in held) and held and held != set(names)


# ---- the audit ----


def test_each_faulty_file_is_left_out_by_name(spoken):
    rng = np.random.default_rng(0)
    faults = {
        "no_x_silent.wav": (wav([0, 3, -5] * 999), "is silent"),
        "no_x_offset.wav": (wav([12_000, 12_003] * 999), "is silent: all its samples are nearly 0.366"),
        "no_x_clock.wav": (wav([9999, -9999] * 20, rate=1), "says that it has 1 samples a second; expected 100"),
        "no_x_short.wav": (wav([9999] * 99), "is too short: 0.0124 s; expected at least 0.05 s"),
        "no_x_long.wav": (wav(b"\1\x70" * 500_000), "is too long: 62.5 s; expected at most 60 s"),
        "no_x_cut.wav": (wav([1] * 999)[:-50], "is cut short"),
        "no_x_text.wav": (b"this is a text", "cannot be read as a sound (it is a text)"),
        "no_x_sides.wav": (
            wav(np.stack([s := rng.integers(-9999, 9999, 900), -s], 1).ravel(), channels=2),
            "cancel each",
        ),
        "README.md": (b"# About", "its name does not fit the pattern"),
    }
    for name, (content, _) in faults.items():
        (spoken / name).write_bytes(content)
    folder = silently(spoken, PATTERN)
    assert {str(path) for path, _ in folder.skipped} == set(faults) and len(folder.train + folder.val) == 12
    for path, reason in folder.skipped:
        assert faults[str(path)][1] in reason
        assert f"left out: {path}: {reason}"[:70] in str(folder)
    with pytest.raises(DataError, match=r"no_x_clock.wav: says that it has 1 samples.* Give strict=False to go on"):
        silently(spoken, PATTERN, strict=True)


def test_doubts_about_the_whole_are_said_in_a_few_lines(spoken):
    loud = np.clip(2 * sine(300, 8000, 0.4, 1, float), -1, 1)
    (spoken / "no_d_0.wav").write_bytes(wav(np.round(loud * 32767)))
    (spoken / "no_d_1.wav").write_bytes(
        wav(np.repeat(np.round(9999 * sine(300, 16000, 0.4, 1, float)), 2), rate=16000, channels=2)
    )
    (spoken / "yes_d_0.wav").write_bytes((spoken / "yes_a_1.wav").read_bytes())
    (spoken / "no_d_2.wav").write_bytes((spoken / "yes_a_0.wav").read_bytes())
    folder = silently(spoken, PATTERN, val_share=0)
    told = str(folder)
    unwrapped = told.replace("\n  ", " ")
    for words in (
        "few recordings to learn from: no 9, yes 7",
        "1 recording clipped (too loud, so that peaks are cut off), most of all no_d_0.wav: ",
        "the rates differ: 8,000 Hz 15, 16,000 Hz 1. All will be resampled.",
        "1 recording with several channels, such as no_d_1.wav: the channels are averaged.",
        "WARNING: one recording, two labels. Leave it in the right class alone: no_d_2.wav, yes_a_0.wav",
        "\nthe same recording: yes_a_1.wav, yes_d_0.wav",
    ):
        assert words in unwrapped, words
    assert all(len(line) <= 80 for line in told.split("\n"))
    assert len(folder.duplicates) == 2 and folder.counts(folder.train) == [9, 7]


def test_a_class_that_is_told_by_its_rate_is_named(tmp_path):
    for n in range(4):
        write_tone(tmp_path / "rain" / f"{n}.wav", 300 + n)
        write_tone(tmp_path / "wind" / f"{n}.wav", 300 + n, rate=16000)
    assert any("Class 'rain' has rates that no other class has" in note for note in silently(tmp_path).notes)


def test_a_copy_is_on_the_side_of_its_original(spoken):
    for n, file in enumerate(sorted(spoken.glob("yes*"))):
        (spoken / f"yes_copy_{n}.wav").write_bytes(file.read_bytes() + b"tag")  # other bytes, the same samples
    folder = silently(spoken, PATTERN, val_share=0.4)
    assert not {each.sha256 for each in folder.train} & {each.sha256 for each in folder.val} and folder.val
    assert len(folder.duplicates) == 6 and "in training and in validation" not in str(folder)


REFUSED = {
    "no folder": (lambda path: silently(path / "gone"), DataError, "is no folder. Expected a folder with a"),
    "no subfolders": (lambda path: silently(path), DataError, r"has no subfolders. .* a pattern of names such as"),
    "nothing fits": (lambda path: silently(path, "{class}-*"), DataError, "none of its names fits .* is 'no_a_0.wav'"),
    "one class": (lambda path: silently(path, "{class}o_*"), DataError, "has one class only, 'n'"),
    "an unknown group": (lambda path: silently(path, PATTERN, group="room"), ArgumentError, "of the pattern: speaker"),
    "a group without pattern": (lambda path: silently(path, group="room"), ArgumentError, "none, without a pattern"),
    "a share": (lambda path: silently(path, PATTERN, val_share=1), ArgumentError, "val_share is 1"),
    "nothing readable": (lambda path: silently(path, PATTERN, shortest=5), DataError, "class 'no' can be used"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_set_of_recordings_is_refused(spoken, name):
    call, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        call(spoken)


def test_classes_that_differ_between_the_parts_are_named(tmp_path):
    for place in "train/a/1.wav", "train/b/1.wav", "val/a/1.wav", "val/c/1.wav":
        write_tone(tmp_path / place)
    with pytest.raises(DataError, match="there are no recordings of class 'c' for training"):
        silently(tmp_path)
    (tmp_path / "val/c/1.wav").rename(tmp_path / "val/a/2.wav")
    with pytest.raises(DataError, match="the folder of class 'c' is empty"):
        silently(tmp_path)


def test_spoken_digits(tmp_path):
    """Two real recordings of each of ten digits and six speakers: none is left out, a speaker is held back whole."""
    for file in shared("data/fsdd/recordings", "spoken digits").glob("*_[56].wav"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    folder = silently(tmp_path, "{class}_{speaker}_{index}", group="speaker")
    assert folder.class_names == list("0123456789") and not folder.skipped
    assert (len(folder.train), len(folder.val), len(folder.groups)) == (100, 20, 6)
    assert set(folder.counts(folder.val)) == {2}

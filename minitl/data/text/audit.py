"""The audit of labelled texts: what is wrong with one of them, and what is doubtful about all.

A text that can teach nothing is left out, by name: an empty one, one without anything to be seen, one that is no text.
A text that is there twice stays, but it is named. In training *and* in validation, it makes the measured accuracy too
high. With two labels, it teaches both.

Who calls this: `folder.read_texts`.
"""

import re

from ...terminal import counted

MOST_CHARACTERS = 1_000_000  # of one text. A novel has about half of it
FEW = 10  # texts of a class from which nothing reliable is learned
SURROGATE = re.compile("[\ud800-\udfff]")
ENDS = "\t\n\v\f\r"  # control characters that stand for space
PARTS = {"train": "training", "val": "validation", "test": "test"}


def fault_of(text):
    """Return why a text must be left out, or None."""
    if len(text) > MOST_CHARACTERS:
        return f"has {len(text):,} characters; the limit for one text is {MOST_CHARACTERS:,}"
    if not text:
        return "the text is empty"
    if not any(character.isprintable() and not character.isspace() for character in text):
        return "the text holds only whitespace or characters that cannot be seen"
    if "\0" in text:
        return "the text holds zero bytes: it is binary"
    if SURROGATE.search(text):
        return "the text holds half of a pair of surrogates, which no encoding can write"
    return None


def same_texts(parts):
    """Return lists of (part, `Text`) with the same text, for each text that is there more than once.

    parts   {part: list of `Text`}. Runs of whitespace count as one space
    """
    found = {}
    for part, texts in parts.items():
        for text in texts:
            found.setdefault(key_of(text.text), []).append((part, text))
    return [group for group in found.values() if len(group) > 1]


def key_of(text):
    """Return what two texts have in common that count as the same."""
    return " ".join(text.split())


def notes_on(class_names, parts, left_out, read):
    """Return sentences about what is doubtful.

    parts      {part: list of `Text`}
    left_out   {file: rows that were left out};   read   {file: rows in all}
    """
    notes = []
    for file, count in left_out.items():
        if 20 * count > read[file]:
            notes.append(f"{count:,} of {read[file]:,} rows of {file} are left out. Is it read as it is meant?")
    notes += _on_names(class_names)
    for part, texts in parts.items():
        counts = counts_of(texts, len(class_names))
        absent = [name for name, count in zip(class_names, counts) if not count]
        if texts and absent:
            notes.append(f"without a text for {PARTS[part]}: {', '.join(absent[:10])}.")
        few = [f"{name} {count}" for name, count in zip(class_names, counts) if 0 < count < FEW]
        if part == "train" and few:
            notes.append(f"few texts to learn from: {', '.join(few[:10])}. Expected at least {FEW} of each class.")
        if part == "train" and max(counts, default=0) > 10 * max(1, min(counts, default=0)):
            notes.append(f"the classes are out of balance: {min(counts):,} to {max(counts):,} training texts.")
    return notes + _on_characters(parts)


def counts_of(texts, classes):
    """Return the number of texts of each class."""
    counts = [0] * classes
    for text in texts:
        counts[text.label] += 1
    return counts


def _on_names(class_names):
    """Return a sentence on names of classes that differ only in upper and lower case, or as numbers, if there are
    any."""
    seen, notes = {}, []
    for name in class_names:
        same = name.casefold().removesuffix(".0")
        if same in seen:
            notes.append(f"the labels '{seen[same]}' and '{name}' look like one class, and are counted as two.")
        seen.setdefault(same, name)
    return notes


def _on_characters(parts):
    """Return sentences on characters that show a wrong encoding, or that a terminal would obey."""
    found = {"control": [], "western": [], "replaced": []}
    for texts in parts.values():
        for text in texts:
            if text.text.isprintable():  # the quick way: nearly all are
                continue
            for character in set(text.text):
                if "\x80" <= character <= "\x9f":
                    found["western"].append(text.source)
                elif (character < " " or character == "\x7f") and character not in ENDS:
                    found["control"].append(text.source)
        found["replaced"] += [text.source for text in texts if "\ufffd" in text.text]
    words = {
        "control": "control characters",
        "western": 'characters from \\x80 to \\x9f, which are none in Latin-1: encoding="cp1252" may be right',
        "replaced": "the mark of a character that could not be read (\\ufffd): another program has read it wrongly",
    }
    notes = []
    for kind, sources in found.items():
        count = len(dict.fromkeys(sources))
        if count:
            notes.append(f"in {counted(count, 'text')}, such as {sources[0]}: {words[kind]}.")
    return notes

"""Boxes of YOLO: one text file for each photograph, with one line for each box.

    images/a.jpg         labels/a.txt          classes.txt or data.yaml
    images/train/a.jpg   labels/train/a.txt    the same for val and test
    train/images/a.jpg   train/labels/a.txt    the same for valid and test

A line is "class cx cy w h". The class is a number that begins at 0, without a background. The centre and the size are
shares of the image's width and height, so they do not change when the image is resized. In an image of 640x480,

    0 0.2 0.3 0.2 0.4      is the box from left 0.1 * 640 = 64, top 48, to right 192, bottom 240

A photograph without a file, or with an empty one, shows nothing. Names stand in `classes.txt`, one a line, or behind
`names:` in a YAML file. Only this is read of the YAML, in its simple forms. Source: Redmon and Farhadi, Darknet.
"""

import re

from ..errors import DataError
from .annotations import (
    Annotated,
    Found,
    RawBox,
    number_or_fault,
    parts_by_folder,
    photographs,
    read_lines,
)  # fmt: skip
from .box_geometry import CENTRES

NAME_FILES = ("classes.txt", "obj.names", "labels.txt")
NO_LABELS = ("classes.txt", "labels.txt", "train.txt", "val.txt", "test.txt", "readme.txt")
ITEM = re.compile(r"""\s*(?:-\s+|(?P<number>\d+)\s*:\s+)(?P<name>.*?)\s*""")


def label_files(root, files):
    """Return the text files with boxes: those in a folder `labels`, or beside a photograph of the same name."""
    beside = {image.with_suffix(".txt") for image in photographs(files)}
    texts = [file for file in files if file.suffix.lower() == ".txt" and file.name.lower() not in NO_LABELS]
    return [file for file in texts if file in beside or "labels" in _folders(root, file)]


def read_yolo_folder(root, files, findings, usual_names=None):
    """Return what a folder in YOLO's layout holds, as a `Found`.

    usual_names   {number: name}, if no file has names; then they are needed

    Raises DataError if there are no names.
    """
    names = _names(root, files) or usual_names
    if not names:
        raise DataError(
            f"{root}: has no names of the classes. Expected classes.txt with one name a line, or data.yaml with "
            "names:, or the argument class_names."
        )
    texts = dict.fromkeys(label_files(root, files), False)  # {file: does it have a photograph?}
    folders = {file.parent for file in texts}
    found, without = [], []
    for image in photographs(files):
        label_file = _label_file(root, image)
        beside = image.with_suffix(".txt")
        file = next((each for each in (label_file, beside) if each in texts), None)
        if file is None and not {label_file.parent, image.parent} & folders:
            continue  # a photograph that belongs to something else, such as a drawing of results
        if file is not None and texts[file]:
            findings.skip(image, f"has the same name as another photograph, which has the boxes of {file.name}")
            continue
        boxes = []
        if file is None:
            without.append(image)
        else:
            texts[file] = True
            try:
                boxes = [_box(line, number, names) for number, line in enumerate(read_lines(file), 1) if line]
            except DataError as error:
                findings.skip(file, str(error).removeprefix(f"{file}: "))
                continue
        found.append(Annotated(image, file or label_file, None, boxes))
    for file, has_image in texts.items():
        if not has_image:
            findings.skip(file, "has no photograph of the same name")
    if without:
        first = without[0].relative_to(root)
        findings.notes.append(
            f"Photographs without a text file, which are taken to show nothing: {len(without):,} (the first: {first})."
        )
    numbers = {name: number for number, name in names.items()}
    return Found(parts_by_folder(root, found), list(numbers), CENTRES, numbers)


def read_yaml_names(path):
    """Return {number: name} of what stands behind `names:` in a YAML file; {} if nothing does.

    Read are the forms that tools write: ['a', 'b'] and {0: a, 1: b} on one line or several, lines "- a", and lines
    "0: a". Raises DataError for any other.
    """
    lines = read_lines(path)
    start = next((k for k, line in enumerate(lines) if re.match(r"names\s*:", line)), None)
    if start is None:
        return {}
    rest = [_without_comment(lines[start].partition(":")[2]), *map(_without_comment, lines[start + 1 :])]
    wrong = DataError(
        f"{path}: the names are in a form that is not read. Expected names: [a, b], or a line '- a' for each name, or "
        "'0: a'."
    )
    if rest[0][:1] in ("[", "{"):
        text, closing = " ".join(rest), {"[": "]", "{": "}"}[rest[0][0]]
        if closing not in text:
            raise wrong
        items = [item.strip() for item in text[1 : text.index(closing)].split(",")]
        items = [item if closing == "}" else f"- {item}" for item in items if item]
    elif rest[0]:
        raise wrong
    else:
        items = []
        for line in filter(None, rest[1:]):
            if not ITEM.fullmatch(line):
                break  # the next key
            items.append(line)
    found = {}
    for item in items:
        match = ITEM.fullmatch(item)
        name = match["name"].strip("'\"") if match else ""
        number = int(match["number"]) if match and match["number"] else len(found)
        if not name or number in found:
            raise wrong
        found[number] = name
    return found


def _without_comment(line):
    return re.sub(r"(^|\s)#.*", "", line).strip()


def _names(root, files):
    """Return {number: name} of the first file with names, {} without one. Raises DataError for a name that is there
    twice."""
    lists = [file for name in NAME_FILES for file in files if file.name.lower() == name]
    names, source = {}, None
    for source in lists:
        names = {number: line for number, line in enumerate(read_lines(source)) if line}
        if names:
            break
    for source in [] if names else [file for file in files if file.suffix.lower() in (".yaml", ".yml")]:
        names = read_yaml_names(source)
        if names:
            break
    twice = sorted({name for name in names.values() if list(names.values()).count(name) > 1})
    if twice:
        raise DataError(f"{source}: has the class {twice[0]!r} twice. Expected different names.")
    return {number: names[number] for number in sorted(names)}


def _label_file(root, image):
    """Return the path of the text file of a photograph: `labels` stands where the last `images` does."""
    places, folders = list(image.relative_to(root).parts), _folders(root, image)
    if "images" in folders:
        position = max(k for k, name in enumerate(folders) if name == "images")
        places[position] = "Labels" if places[position] == "Images" else "labels"
    return root.joinpath(*places).with_suffix(".txt")


def _folders(root, file):
    """Return the names of the folders between the root and a file, in lower case."""
    return [name.lower() for name in file.relative_to(root).parts[:-1]]


def _box(line, position, names):
    """Return the `RawBox` of a line."""
    fields, text = line.split(), f"in line {position}: {line[:60]}"
    if len(fields) != 5:
        more = ", the outline of a thing?" if len(fields) > 6 else ", a prediction with its score?"
        what = f"has {len(fields)} numbers{more if len(fields) > 5 else ''}; expected class, centre x, centre y, width,"
        return RawBox(None, None, text, fault=f"{what} height")
    read = [number_or_fault(field) for field in fields]
    values, fault = [value for value, _ in read], next((reason for _, reason in read if reason), None)
    name = None
    if not fault:
        name = names.get(values[0])
        if name is None:
            last = max(names)
            fault = f"has the class number {fields[0][:20]}; expected 0 to {last} ({names[last]}), without a background"
    return RawBox(values[1:], name, text, fault=fault)

"""Boxes of Pascal VOC: one XML file for each photograph.

    JPEGImages/000005.jpg     Annotations/000005.xml     ImageSets/Main/train.txt, val.txt, trainval.txt, test.txt

The lists name the photographs of each part. Without them, the folders `train/` and `val/` do, or the audit holds back a
share. The two files may also lie beside each other, or in `images/` and `annotations/`. The XML file and its photograph
have the same name: what `<filename>` says is often the name of another machine, and is used only if there is no such
photograph.

The numbers are taken as they stand, as the distances of the sides of the box from those of the image. The tools of
today write them so (labelImg, CVAT, Roboflow), and evaluations compute so: an intersection without "+ 1". VOC's own
files of 2007 to 2012 count pixels from 1 instead, and include the last one; (1, 1, 640, 480) is a whole image there.
Their boxes begin one pixel late here. Labels and predictions agree in this, so it costs nothing when one measures.
Subtracting 1 from left and top would make those files exact, and give area to a click without a drag (504, 337, 504,
337), which is no box. Source: Everingham et al. 2010, "The Pascal Visual Object Classes Challenge", and its kit.
"""

from xml.etree import ElementTree

from ..arguments import nearest
from ..errors import ArgumentError, DataError
from .annotations import (
    Annotated,
    Found,
    RawBox,
    leads_out,
    number_or_fault,
    parts_by_folder,
    photographs,
    read_bytes,
    read_lines,
    shown,
)  # fmt: skip
from .box_geometry import CORNERS

IMAGE_FOLDERS = ("jpegimages", "images", "imgs")  # beside the folder of the XML files, in upper or lower case
SIDES = ("xmin", "ymin", "xmax", "ymax")
# The lists that are used where none are asked for: the first row whose lists are there.
USUAL_LISTS = (("train", "val"), ("train", "test"), ("trainval", "test"))


def read_voc_folder(root, files, findings, train_list=None, val_list=None):
    """Return what a folder in VOC's layout holds, as a `Found`.

    files                 all files below `root`
    train_list, val_list  names of lists in `ImageSets/Main`; None for the usual ones

    Raises ArgumentError for a list that is not there, DataError for lists that share photographs.
    """
    xml_files = [file for file in files if file.suffix.lower() == ".xml"]
    images = _by_place(photographs(files))
    folders = {(folder.parent, folder.name.lower()): folder for folder in {file.parent for file in files}}
    found, taken = [], {}  # taken: {(folder, name without ending): the photograph of an XML file, or None}
    for file in xml_files:
        above = file.parent.parent
        beside = [folders[above, name] for name in IMAGE_FOLDERS if (above, name) in folders]
        places = [file.parent, *beside, above]
        taken.update({(place, file.stem): None for place in places if (place, file.stem) not in taken})
        try:
            size, boxes, filename = read_voc(file)
        except DataError as error:
            findings.skip(file, str(error).removeprefix(f"{file}: "))
            continue
        stems = [file.stem] if leads_out(filename) else [file.stem, filename.rpartition(".")[0]]
        image = next((images[place, stem] for stem in stems for place in places if (place, stem) in images), None)
        if image is not None:
            taken[image.parent, image.stem] = image
            found.append(Annotated(image, file, size, boxes))
        elif leads_out(filename):
            findings.skip(file, f"names the photograph {shown(filename)}, which leads out of the folder")
        else:
            findings.skip(file, f"has no photograph of the same name, nor {shown(filename)}")
    used = {folder for folder, _ in taken}
    for image in photographs(files):
        place = image.parent, image.stem
        if image.parent in used and place not in taken:
            findings.skip(image, "has no .xml file. If it shows nothing, give it one without objects")
        elif taken.get(place, image) not in (None, image):
            findings.skip(image, f"has the same name as {taken[place].name}, to which the boxes are given")
    names = sorted({box.name for each in found for box in each.boxes if box.name})
    return Found(_parts(root, files, found, findings, train_list, val_list), names, CORNERS, {})


def read_voc(path):
    """Return ((height, width) or None, [RawBox], file name) of a VOC file. Raises DataError if it is none."""
    tree = safe_xml(path)
    if tree.tag != "annotation":
        raise DataError(f"{path}: begins with <{tree.tag[:40]}>; expected <annotation>, the XML of Pascal VOC.")
    sizes = [number_or_fault(_text(tree, f"size/{side}"))[0] for side in ("height", "width")]
    size = None if None in sizes else tuple(int(side) if abs(side) < 1e9 else 0 for side in sizes)
    return size, [_box(thing) for thing in tree.findall("object")], _text(tree, "filename")


def safe_xml(path):
    """Return the root element of an XML file. Raises DataError if it cannot be read or declares a document type: its
    entities can make gigabytes of a few lines, or name other files."""
    parser = ElementTree.XMLParser(target=_NoDocumentType(path))
    try:
        parser.feed(read_bytes(path))
        return parser.close()
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: cannot be read as XML ({error}).") from None


class _NoDocumentType(ElementTree.TreeBuilder):
    """A builder of trees that stops where a document type is declared, before any entity is."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def doctype(self, *declared):
        """Refuse the file: the parser calls this for <!DOCTYPE."""
        raise DataError(f"{self.path}: declares a document type (DOCTYPE), which may hide anything. Remove the line.")


def _box(thing):
    """Return the `RawBox` of an <object>."""
    name = _text(thing, "name")
    texts = [_text(thing, f"bndbox/{side}") for side in SIDES]
    words = f"{name[:40] or '(no name)'} [{', '.join(text[:20] for text in texts)}]"
    read = [number_or_fault(text) for text in texts]
    fault = None
    if not name:
        fault = "has no <name>"
    elif thing.find("bndbox") is None:
        fault = "has no <bndbox>"
    elif any(reason for _, reason in read):
        fault = next(f"{reason} (<{side}>)" for (_, reason), side in zip(read, SIDES) if reason)
    return RawBox([value for value, _ in read], name, words, _text(thing, "difficult") == "1", False, fault)


def _text(element, place):
    """Return the text of an element below this one, on one line; "" if it is not there."""
    return " ".join((element.findtext(place) or "").split())


def _by_place(images):
    """Return {(folder, name without ending): image}; the first one where two images have the same name."""
    found = {}
    for image in images:
        found.setdefault((image.parent, image.stem), image)
    return found


def _parts(root, files, found, findings, train_list, val_list):
    """Return the images of each part: by the lists if there are some, otherwise by the names of folders."""
    main = root / "ImageSets" / "Main"
    lists = {file.stem: file for file in files if file.parent == main and file.suffix == ".txt"}
    for argument, name in ("train_list", train_list), ("val_list", val_list):
        if name is not None and name not in lists:
            there = nearest(name, lists) or sorted(lists)[:6]
            known = f"there are {', '.join(there)}" if lists else f"{main} is not there, or empty"
            raise ArgumentError(f"{argument} is {name!r}; expected the name of a list in ImageSets/Main: {known}.")
    usual = next((row for row in USUAL_LISTS if all(name in lists for name in row)), (None, None))
    train, val = train_list or usual[0], val_list or usual[1]
    if (train_list or val_list) and not (train and val):
        raise ArgumentError(f"{main}: has the lists {', '.join(sorted(lists))}; give both train_list and val_list.")
    if not train:
        if lists:
            findings.notes.append(f"The lists {', '.join(sorted(lists)[:6])} in ImageSets/Main are not used.")
        return parts_by_folder(root, found)
    names = {"train": train, "val": val}
    if "test" in lists and "test" not in names.values():
        names["test"] = "test"
    by_name = {each.source.stem: each for each in found}
    skipped = {findings.within(path).stem for path, _ in findings.skipped}
    parts, where = {}, {}
    for part, name in names.items():
        parts[part] = []
        for line in dict.fromkeys(read_lines(lists[name])):
            stem = line if line in by_name else line.partition(" ")[0]
            if stem in by_name:
                where.setdefault(stem, []).append(name)
                parts[part].append(by_name[stem])
            elif stem and stem not in skipped:
                findings.skip(lists[name], f"names {shown(stem)}, which has no .xml file")
    twice = [stem for stem, in_lists in where.items() if len(set(in_lists)) > 1]
    if twice:
        raise DataError(
            f"{main}: the lists {' and '.join(where[twice[0]])} share {len(twice):,} photographs, such as {twice[0]}. "
            "Expected different ones: a model is not measured on what it has learned. Give other lists."
        )
    unnamed = len(found) - len(where)
    if unnamed:
        findings.notes.append(f"Photographs in none of the lists {', '.join(names.values())}: {unnamed:,}.")
    return parts

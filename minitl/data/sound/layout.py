"""The layout of a folder of recordings: which files there are, of which class and part.

A class is a subfolder, or a part of the name. Training and validation are recognized by the names of two folders, as
for photographs (`data.parts`).

Who calls this: `folder.audit_sounds`.
"""

from ..folders import one_line
from ..parts import parts_of, require_no_parts


def by_subfolder(walk):
    """Return {part: [(file, {"class": name})]} of a folder with a subfolder for each class."""
    by_part = walk.files_by_part()
    for part, classes in by_part.items():
        place = walk.root if part == "all" else walk.parts[part]
        if not classes:
            raise walk.nothing_in(
                place,
                f"{place}: has no subfolders. Expected one with recordings for each class, or a pattern of names such "
                "as '{class}_{speaker}_*'.",
            )
        empty = [name for name, files in classes.items() if not files]
        if empty:
            text = f"{place}: the folder of class '{empty[0]}' is empty. Remove it, or add recordings."
            raise walk.nothing_in(place / empty[0], text)
    if "all" in by_part:
        require_no_parts(
            walk.root,
            {name: walk.subfolders(walk.root / name, files) for name, files in by_part["all"].items()},
            walk.noun,
        )
    return {
        part: [(file, {"class": name}) for name, files in classes.items() for file in files]
        for part, classes in by_part.items()
    }


def by_pattern(walk, pattern):
    """Return {part: [(file, {word: text})]} of a folder whose files have names by a `naming.NamePattern`."""
    folders = {path.name: path for path in walk.entries(walk.root) if path.is_dir()}
    places = {part: folders[name] for part, name in parts_of(walk.root, folders).items()}
    walk.skipped.clear()  # links are noted again, where the folder is gone through
    for path in walk.entries(walk.root) if places else ():
        if path not in places.values():
            walk.skip(path, f"lies beside {' and '.join(place.name for place in places.values())}, and is not used")
    found = {}
    for part, place in places.items() or [("all", walk.root)]:
        found[part], first = [], None
        for file in walk.files_below(place):
            name = file.relative_to(place).as_posix()
            fields, first = pattern.fields(name), first or name
            if fields is None:
                walk.skip(file, f"its name does not fit the pattern {pattern.pattern}")
            else:
                found[part].append((file, fields))
        if not found[part]:
            what = f"none of its names fits the pattern {pattern.pattern!r}" if first else "is empty"
            found_name = f"; the first one is {one_line(first)!r}" if first else ""
            raise walk.nothing_in(place, f"{place}: {what}{found_name}. Expected recordings of each class.")
    return found

"""A walk through a folder of photographs: which files belong to which class, and which links are followed.

    Walk("photos/").files_by_part()        {"all": {"ants": [files], "bees": [files]}}, or {"train": ..., "val": ...}

Hidden files are passed over. Links within the folder are followed. A link that leads out of it is not, unless
`follow_links` says so: nobody wants to train on a stranger's photographs because of a link in an archive. No folder is
visited twice within a class, so that links in a circle come to an end.
"""

import os
from pathlib import Path

from ..errors import DataError
from .parts import parts_of

OUTSIDE = "is a link out of the folder, which is not followed"
NOT_OURS = ("__MACOSX", "@eaDir")  # folders that archives and network drives add


class AdviceError(DataError):
    """A DataError whose advice names a setting, as its reader knows it.

    text          the message
    python        the sentence after it for a program, such as "Give follow_links=True to follow them."
    command_line  the same for the command line, such as "Give --follow-links to follow them."
    """

    def __init__(self, text, python, command_line):
        super().__init__(f"{text} {python}")
        self.text, self.command_line = text, command_line

    def for_command_line(self):
        """Return the message with the name of the option."""
        return f"{self.text} {self.command_line}"


class Walk:
    """A walk through a folder.

    root      the folder;   parts   {"train": folder, "val": folder}, or {} where it is not divided
    expected  what the folder should hold, for the error about a path that is none (None: a subfolder for each class)
    noun      what the files are
    skipped   (path within the folder, reason) of everything that was passed over and is not hidden
    """

    def __init__(self, path, follow_links=False, expected=None, noun="photographs"):
        self.root, self.follow_links, self.skipped, self.parts = Path(path), follow_links, [], {}
        self.noun, expected = noun, expected or f"a subfolder of {noun} for each class"
        try:
            is_folder = self.root.is_dir()
        except (OSError, ValueError):  # a name that is too long, say
            is_folder = False
        if not is_folder:
            raise DataError(f"{self.root}: is no folder. Expected a folder with {expected}.")
        self.resolved = self.root.resolve()

    def files_by_part(self):
        """Return {part: {class name: sorted files}}, of the parts "train" and "val", or of "all" alone."""
        entries = list(self.entries(self.root))
        folders = {path.name: path for path in entries if path.is_dir()}
        self.parts = {part: folders[name] for part, name in parts_of(self.root, folders).items()}
        if not self.parts:
            return {"all": self._classes(entries)}
        for path in entries:
            if path not in self.parts.values():
                used = " and ".join(f"{folder.name}/" for folder in self.parts.values())
                self.skip(path, f"lies beside {used}, and is not used")
        return {part: self._classes(self.entries(folder)) for part, folder in self.parts.items()}

    def files_below(self, folder):
        """Return all files below a folder, sorted by name, where the folders within are no classes."""
        return self._files(folder, self.resolved, {Path(folder).resolve()})

    def subfolders(self, folder, files):
        """Return the names of the folders in a class's folder that hold its `files`; None if it holds some itself."""
        places = [file.relative_to(folder).parts for file in files]
        return None if any(len(place) == 1 for place in places) else {place[0] for place in places}

    def nothing_in(self, folder, text):
        """Return the error for a folder without files: `text`, or that it has links, which are not followed."""
        within = folder.relative_to(self.root)
        links = [path for path, reason in self.skipped if reason == OUTSIDE and path.is_relative_to(within)]
        if not links:
            return DataError(text)
        count = "a link" if len(links) == 1 else f"{len(links)} links"
        return AdviceError(
            f"{folder}: holds nothing but {count} out of {self.root} (such as {links[0]}), and such links are not "
            "followed.",
            f"Give follow_links=True to follow them, or copy the {self.noun} into the folder.",
            f"Give --follow-links to follow them, or copy the {self.noun} into the folder.",
        )

    def skip(self, path, reason):
        """Record why a path is passed over."""
        self.skipped.append((path.relative_to(self.root), reason))

    def entries(self, folder):
        """Yield the paths in a folder, sorted by name, without hidden files and links that are not followed."""
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            self.skip(Path(folder), f"cannot be read ({error.strerror})")
            return
        for entry in entries:
            path = Path(entry.path)
            reason = self._reason_not_to_follow(path)
            if reason:
                self.skip(path, reason)
            elif not entry.name.startswith(".") and entry.name not in NOT_OURS:
                yield path

    def _classes(self, entries):
        """Return {class name: sorted files} of the folders among `entries`."""
        classes = {}
        for path in entries:
            if path.is_dir():
                classes[path.name] = self._files(path, path.resolve(), {path.resolve()})
            else:
                self.skip(path, "lies beside the classes' folders")
        return classes

    def _files(self, folder, top, visited):
        """Return all files below the folder `top` of a class. `visited` collects the folders, so that each one is
        visited only once, even if links form a circle."""
        found = []
        for path in self.entries(folder):
            if path.is_dir():
                target = path.resolve()
                if target in visited:
                    self.skip(path, "is a link to a folder that was visited already")
                elif target.is_relative_to(self.resolved) and not target.is_relative_to(top):
                    self.skip(path, "is a link to a folder of another class")
                else:
                    visited.add(target)
                    found += self._files(path, top, visited)
            elif path.is_file():
                found.append(path)
            else:
                self.skip(path, "is no file")
        return found

    def _reason_not_to_follow(self, path):
        """Return why a path is passed over, or None if it can be read and is no link, or one that is followed."""
        try:
            if not path.is_symlink():
                path.stat()
                return None
        except OSError as error:  # it has vanished, or its folder may be listed and not entered
            return f"cannot be read ({error.strerror})"
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):
            return "is a link to nothing, or in a circle"
        if target.is_relative_to(self.resolved):
            return None
        if self.resolved.is_relative_to(target):
            return "is a link to a folder around this one"
        return None if self.follow_links else OUTSIDE

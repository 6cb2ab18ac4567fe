"""The photographs of a folder, as the recipes find them before they work, and those that vanish while they work.
`data.audit_folder` checks the files."""

from pathlib import Path

from .. import data
from ..data.parts import parts_of
from ..terminal import printable, wrapped
from .settings import VALIDATION, SettingError


def found_photographs(path, settings):
    """Return the `data.PhotoFolder` that settings ask for, and print what was found.

    Raises SettingError for a share to hold back where the folder itself says what is held back.
    """
    root, share = Path(path), settings.validation
    if share is not None and root.is_dir():
        parts = parts_of(root, [each.name for each in root.iterdir() if each.is_dir()])
        if parts:
            text = "{} is {share:g}, but {root} is divided into {train}/ and {val}/ already. Leave it out."
            raise SettingError(text, "validation", share=share, root=root, **parts)
    share = VALIDATION if share is None else share
    folder = data.audit_folder(path, share, settings.strict, follow_links=settings.follow_links)
    print(printable(str(folder)), flush=True)
    return folder


def pass_over(folder, vanished):
    """Print the photographs that could not be read any more, [(path, reason)], and add them to those that `folder` has
    skipped."""
    for path, reason in vanished:
        print(wrapped(printable(f"left out: {path}: {reason}"), "  "))
    folder.skipped += [(path.relative_to(folder.path), reason) for path, reason in vanished]

"""The report of a fine-tuning, as one page: `minitl finetune ... --report DIR`.

`write_report` writes that of photographs by class, with PNG files. `write_page` writes any page: the report on pixels
(`segmentation.report`) has other sections, which use the same parts.

    record      the plain data that a recipe passes on: all that this package knows of a fine-tuning
    findings    what is computed for the page: images to show, Grad-CAM maps, costs
    grad_cam    the places in an image on which a prediction rests (a function of any model, usable by itself)
    measured    first kernels, maps from layer to layer, cost by layer
    sections, results, section_network    the nine sections, as HTML
    saved       the page about a saved run: `minitl report`
    page        the whole page, of these or of other sections;  page.css   its style
    charts      inline SVG;  heat   numbers as colours;  html   tags and escaping;  plots   the same as PNG files

The page needs Pillow, and its PNG files need matplotlib (the extra `plots` installs both).
"""

import os
from pathlib import Path

from ...errors import CheckpointError
from ...files.atomic import replacing
from ...files.writable import is_ours
from ...progress import Progress
from ..settings import SettingError
from . import page, plots
from .findings import find_all
from .grad_cam import grad_cam
from .record import FineTuning, Pictures, Stage
from .saved import report_saved

__all__ = ["FineTuning", "Pictures", "Stage", "check_folder", "grad_cam", "report_saved", "write_page", "write_report"]

PAGE = "index.html"


def check_folder(folder, has_figures=True):
    """Check now, before an hour of work, that a report can be written to a folder, and overwrites no other files.

    has_figures   whether the report has PNG files

    Raises SettingError otherwise, and MissingExtraError if it needs matplotlib and that is not installed.
    """
    if has_figures:
        plots.require_matplotlib()
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise SettingError("{} {folder}: is a file. Name a folder; it need not exist.", "report", folder=folder)
    place = folder.resolve() if folder.exists() else folder.resolve().parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        text = "{} {folder}: cannot be written. {place} must exist and be writable."
        raise SettingError(text, "report", folder=folder, place=place)
    try:
        if not folder.exists():  # `os.access` is not always right
            folder.mkdir()
            folder.rmdir()
    except OSError as error:
        text = "{} {folder}: cannot be made ({reason}). Name another folder."
        raise SettingError(text, "report", folder=folder, reason=error.strerror) from None
    for name in (PAGE, *(f"{name}.png" for name in plots.NAMES)):
        if (folder / name).exists() and not is_ours(folder / name):
            text = "{} {folder}: holds {file}, which no report has written. Name another folder."
            raise SettingError(text, "report", folder=folder, file=name)


def write_report(fine_tuning, folder):
    """Write the report of a `FineTuning`: `folder`/index.html and the PNG files beside it. Returns the page's path."""
    findings = find_all(fine_tuning)
    figures = dict(plots.drawings(fine_tuning, findings))
    return write_page(page.as_html(fine_tuning, findings), folder, figures)


def write_page(text, folder, figures=None):
    """Write the text of a page to `folder`/index.html, and PNG files beside it. Returns the page's path.

    figures   {name: `write(path)`, which draws the PNG file of that name}

    At any moment, every file is either the old one or the new one. The page is written last: if it is new, all files
    are new. A figure of an earlier report that this report does not have is removed.
    """
    folder, figures = Path(folder), figures or {}
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{folder}: the report cannot be written ({error.strerror}).") from None
    with Progress("Charts", len(figures)) as bar:
        for name, write in figures.items():
            with replacing(folder / f"{name}.png", check=os.path.getsize) as temporary:
                write(temporary)
            bar.advance(1)
    for name in set(plots.NAMES) - set(figures):
        (folder / f"{name}.png").unlink(missing_ok=True)
    with replacing(folder / PAGE, check=lambda written: Path(written).read_text(encoding="utf-8")) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")
    return folder / PAGE

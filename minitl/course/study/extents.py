"""The choice of a study's extent: the whole of it, a quick one, or what the bundled images allow."""

from ...arguments import truth_value
from ...recipes.settings import SettingError, require_whole_number


def chosen_extent(whole, quick, bundled, images, folder_of_files=None, is_quick=False, seeds=None):
    """Return one of three extents (`NamedTuple`s with `folder` and `seeds`), with this folder and these seeds.

    images    how many of the bundled images there are to learn from: too few for the whole study

    Raises SettingError for the whole study without a folder, and for less than two seeds, which have no interval.
    """
    is_quick = truth_value(is_quick, "quick")
    if folder_of_files is None and not is_quick:
        raise SettingError(
            "Without {}, there are {images} images to learn from, too few for an answer. Give the folder with "
            "Fashion-MNIST's four files, or use {} to see how it works.",
            "folder_of_files",
            "quick",
            images=images,
        )
    extent = (quick if is_quick else whole) if folder_of_files else bundled
    if seeds is not None:
        require_whole_number("seeds", seeds, least=2)
        extent = extent._replace(seeds=seeds)
    return extent._replace(folder=str(folder_of_files) if folder_of_files else None)

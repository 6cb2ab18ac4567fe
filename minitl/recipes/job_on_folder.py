"""The frame of a job on a folder, whatever is learned from it: checks first, a locked run folder, printing, Ctrl-C.

Who calls this: `photographs`, `segmentation.job` and `detection.job`. Read next: `run_folder`, for the checkpoints.
"""

from contextlib import contextmanager

from .. import interruption
from ..terminal import silent_unless
from .reporting import check_outputs
from .run_folder import RunFolder, settings_named


@contextmanager
def prepared(kind, folder, settings, verbose):
    """Check all settings, lock the run folder, and yield a job of the class `kind` that has not begun.

    kind   called with the settled settings and the `RunFolder`: `two_stages.TwoStages`, or a subclass of
           `places.PlaceJob`. Its attribute `has_figures` says whether its report has PNG files, which need matplotlib

    Within the block, Ctrl-C and SIGTERM stop the job after the current batch (`interruption`), and nothing is printed
    if `verbose` is 0.
    """
    with silent_unless(verbose), interruption.graceful(), settings_named():
        check_outputs(settings, kind.has_figures)
        settings = settings.settled()
        runs = RunFolder(folder, settings.run_folder)
        with runs.locked():
            if settings.resume:
                runs.require_unfinished()
            yield kind(settings, runs)

"""Files of a source of examples for the workers: read there, or sent.

A worker that shares a disk with this process reads a photograph under its path. If `photos_at` is given, it reads the
same file in that folder, which may be anything that fsspec opens. Otherwise the bytes travel with the job. In all three
cases the worker compares the sha256 of what it has read with that of the photograph: no other file is taken for it.

A file that a worker cannot read all the same is sent. So a photograph is only left out if this process cannot read it.

Who calls this: `connection`, before the first job. Read before: `delivery`.
"""

import os
import time
from pathlib import Path

from .. import interruption
from ..data.photos import read_content
from ..errors import ArgumentError, DataError
from ..progress import Progress
from ..terminal import printable, wrapped
from .delivery import Shared
from .on_worker import reads_files

PROBES = 3  # files that each worker is asked to read at the start
SECONDS_TO_READ = 20  # them, at most


class FileAccess:
    """The access of workers to the files of one source.

    given     the source as it was given;   source   the same, as the workers read its files
    is_sent   whether each job takes the bytes of its files with it
    """

    def __init__(self, cluster, given):
        folder = os.path.commonpath({os.path.abspath(path.parent) for path in given.origins})
        place = folder if cluster.photos_at is None else cluster.photos_at
        self.given, self.source = given, given.reading_with(FilesElsewhere(folder, place))
        some = list(range(0, len(given), max(1, len(given) // PROBES)))[:PROBES]
        failed = self.tried(cluster, some)
        self.is_sent = bool(failed)
        if failed:
            name, why = next(iter(failed.items()))
            if cluster.photos_at is not None:
                raise ArgumentError(f"worker {name} cannot read the photographs at {cluster.photos_at}: {why}.")
            print(wrapped(printable(f"Photographs are sent to the workers: {name} cannot read them itself ({why}).")))

    def tried(self, cluster, positions):
        """Return {worker: why it cannot read one of these examples} of the workers that cannot."""
        source, start = cluster.everywhere(Shared.of(self.source)), time.monotonic()
        asked = {
            name: cluster.client.submit(unreadable, source, positions, workers=[name], pure=False)
            for name in cluster.client.nthreads()
        }
        with Progress("Asking the workers for photographs"):
            while any(not each.done() for each in asked.values()) and time.monotonic() - start < SECONDS_TO_READ:
                interruption.check()
                time.sleep(0.02)
        late = f"it has not answered for {SECONDS_TO_READ} s"
        answers = {name: each.result() if each.status == "finished" else late for name, each in asked.items()}
        return {name: why for name, why in answers.items() if why}

    @classmethod
    def of(cls, cluster, shared):
        """Return the access to the one source with files among the things that all jobs share, or None."""
        sources = [each for each in shared if reads_files(each) and len(each)]
        return cls(cluster, sources[0]) if sources else None

    def contents(self, job):
        """Return {path as text: the bytes, or the DataError} of the files of a job, a list of positions."""
        found = {}
        for path in {self.given.origins[position] for position in job}:
            try:
                found[str(path)] = read_content(path)
            except DataError as error:
                found[str(path)] = error
        return found

    def names(self, job):
        """Return the paths of a job's files as text."""
        return ", ".join(dict.fromkeys(str(self.given.origins[position]) for position in job))


class FilesElsewhere:
    """The files of a folder, in another place: called with a path in the folder, it returns the bytes of the file.

    folder   the folder here;   place   the same folder for a worker: a path, or an address for fsspec

    A relative path is one of the process that asks. It may mean another file in the worker's own folder.
    """

    def __init__(self, folder, place):
        self.folder, self.place, self.working_folder = folder, str(place), os.getcwd()

    def __call__(self, path):
        relative = Path(os.path.relpath(os.path.join(self.working_folder, path), self.folder)).as_posix()
        if "://" not in self.place:
            return read_content(Path(self.place, relative))
        import fsspec  # Dask needs it, so it is there

        with fsspec.open(f"{self.place.rstrip('/')}/{relative}", "rb") as file:
            return file.read()


def unreadable(source, positions):
    """Return why this process cannot read one of the examples, or "" if it can read all of them."""
    try:
        return next(iter(source.read_unchanged(positions)[1].values()), "")
    except Exception as error:  # an address makes fsspec raise nearly anything
        return f"{type(error).__name__}: {error}"

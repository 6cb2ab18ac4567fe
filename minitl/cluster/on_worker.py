"""The code that runs in a worker: a job in each of its threads, each with one thread of BLAS.

A Dask worker has as many threads as it should use cores. If every one of them let BLAS use all cores, there would be
threads times threads. So a job keeps to the thread that it runs in (`kernels.parallel`), whatever OPENBLAS_NUM_THREADS
says there. It cuts its work as the process that asks would do with its own threads, so that the bits are the same.

Who calls this: Dask, for `delivery` and `connection`.
"""

import os
import platform
import socket
from typing import NamedTuple

import numpy as np

from ..errors import DataError, MinitlError
from ..kernels import parallel
from ..version import __version__


class Versions(NamedTuple):
    """The versions that results depend on: features that were computed with others are kept under another key."""

    minitl: str = __version__
    numpy: str = np.__version__


class OtherVersionsError(MinitlError):
    """A worker that came later has other versions than this process."""


def about():
    """Return (the `Versions` of this process, its machine's name, number of cores, and kind of processor)."""
    return Versions(), socket.gethostname(), os.cpu_count() or 1, processor()


def processor():
    """Return the kind of this machine's processor. BLAS computes with other instructions on another kind."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):  # not Linux, or a processor without a name
        return f"{platform.machine()} {platform.processor()}".strip()


def done(function, job, expected, threads, contents, *shared):
    """Return function(*shared, job), computed in this thread alone.

    expected   the `Versions` of the process that asks: a worker that came after the start was not looked at before
    threads    how many threads that process would use (`kernels.parallel.threads`)
    contents   {path as text: bytes} of files that were sent with the job, or None
    shared     what is the same for all jobs
    """
    if Versions() != expected:
        raise OtherVersionsError(different(socket.gethostname(), Versions(), expected))
    if contents is not None:
        shared = [each.reading_with(SentFiles(contents)) if reads_files(each) else each for each in shared]
    with parallel.one_blas_thread(), parallel.in_this_thread(threads):
        return function(*shared, job)


def different(name, found, expected):
    """Return the sentence for a worker that has other `Versions`."""
    return (
        f"worker {name} has minitl {found.minitl} and NumPy {found.numpy}, and this process has minitl "
        f"{expected.minitl} and NumPy {expected.numpy}: their results may differ. Install the same versions there "
        f"(python -m pip install numpy=={expected.numpy}), or stop this worker."
    )


def reads_files(thing):
    """Return whether `thing` is a source of examples whose files can be read elsewhere (`data.PhotoStream`)."""
    return hasattr(thing, "reading_with") and hasattr(thing, "origins")


class SentFiles:
    """Files that were sent with a job: called with a path, it returns the bytes.

    contents   {path as text: bytes, or the DataError of a file that could not be read where it is}
    """

    def __init__(self, contents):
        self.contents = contents

    def __call__(self, path):
        content = self.contents[str(path)]
        if isinstance(content, DataError):
            raise content
        return content

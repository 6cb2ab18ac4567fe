"""Work shared out to the processor's cores.

BLAS computes a matrix product on all cores, but everything between two products (copies, sums, maxima) is done by one
core. So a kernel cuts its work into parts that do not depend on each other, and each thread does whole parts, copies
and products alike, with a BLAS that is told to keep to one thread meanwhile. Python threads can do that, because NumPy
lets go of Python's lock while it computes; its operations only have to be long enough, some 50 microseconds.

Who calls this: the kernels that work on whole images. Which thread does which part is fixed, and so are the results.
"""

import ctypes
import importlib
import os
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np

# Elementwise work on less memory than this takes no longer than the 0.1 ms that starting a thread does.
SMALLEST_SHARED_BYTES = 2**20


class _Thread(threading.local):
    is_working = False  # True in the threads that `share` has shared work out to: they do not share theirs again


_thread = _Thread()
_cores = threading.Lock()  # held by the one call of `share` that has the cores
_blas = threading.Lock()  # held while the two below change
_users, _blas_threads = 0, None  # how many calls want a BLAS of one thread now, and how many threads it had before


def threads():
    """How many threads `share` uses: as many as BLAS was allowed (all cores, or OPENBLAS_NUM_THREADS). 1 where BLAS
    cannot be told to keep to one thread: then products run on its own threads, and all else on one."""
    return _allowed


def share(worker, parts):
    """Call `worker` with a list of `parts` in each thread, so that every part is in one of the lists.

    Called within a worker, or while another thread of the program has the cores, it is simply `worker(parts)`. A
    single part needs no thread; but its products keep to one thread, too: OpenBLAS's own threads would go on looking
    for work for a tenth of a second and slow down ours. (What follows such a product takes up to twice as long.)
    """
    if _thread.is_working:
        worker(parts)
        return
    count = min(_allowed, len(parts))
    with _blas_on_one_thread():
        if count < 2 or not _cores.acquire(blocking=False):
            worker(parts)
            return
        try:
            _run(worker, [parts[mine] for mine in slices(len(parts), count)])
        finally:
            _cores.release()


@contextmanager
def _blas_on_one_thread():
    """From the first call that begins until the last one that ends; the setting is the whole program's."""
    global _users, _blas_threads
    with _blas:
        if _users == 0 and _openblas:
            _blas_threads = _openblas.get()
            _openblas.set(1)
        _users += 1
    try:
        yield
    finally:
        with _blas:
            _users -= 1
            if _users == 0 and _openblas:
                _openblas.set(_blas_threads)


def _start_anew():
    """In a forked process: the threads that held these are not in it."""
    global _cores, _blas, _users
    _cores, _blas = threading.Lock(), threading.Lock()
    if _users and _openblas:
        _openblas.set(_blas_threads)
    _users = 0


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_start_anew)


def slices(length, count):
    """0 to `length` in `count` slices of about the same size; fewer if some would be empty."""
    count = min(count, length)
    edges = [length * k // count for k in range(count + 1)] if count else []
    return [slice(start, stop) for start, stop in zip(edges, edges[1:])]


def image_slices(array):
    """An array (N, ...) cut along N for elementwise work: one part for each thread, if it is worth starting one."""
    return slices(len(array), threads() if array.nbytes >= SMALLEST_SHARED_BYTES else 1)


def _run(worker, lists):
    """worker(lists[0]) in this thread, the others in threads of their own. An error in any of them is raised here."""
    errors, cancelled = [], []
    error_state = np.geterr()  # what NumPy does about an overflow is decided for each thread: hand it on

    def in_thread(parts):
        if cancelled:
            return
        _thread.is_working = True
        try:
            with np.errstate(**error_state):
                worker(parts)
        except BaseException as error:
            errors.append(error)

    others = []
    _thread.is_working = True
    try:
        for parts in lists[1:]:
            others.append(threading.Thread(target=in_thread, args=(parts,)))
            others[-1].start()
        worker(lists[0])
    except BaseException:
        cancelled.append(True)  # a thread that is only just starting (Ctrl-C may come then) shall not begin
        raise
    finally:
        _thread.is_working = False
        for thread in others:
            if thread.ident is not None:  # it could be started
                thread.join()  # nobody may still be working on the arrays when this returns
    if errors:
        raise errors[0]


class _OpenBLAS:
    """The functions of NumPy's OpenBLAS that have to do with threads, whose names are `name` with a word filled in."""

    PTHREADS = 1  # of the three kinds that OpenBLAS can be built as: sequential, with pthreads, with OpenMP

    def __init__(self, library, name):
        self.get, self.set = (
            getattr(library, name.format("get_num_threads")),
            getattr(library, name.format("set_num_threads")),
        )
        self.kind = getattr(library, name.format("get_parallel"))
        self.get.restype, self.get.argtypes = ctypes.c_int, ()
        self.set.restype, self.set.argtypes = None, (ctypes.c_int,)
        self.kind.restype, self.kind.argtypes = ctypes.c_int, ()


def _find_openblas():
    """The OpenBLAS that NumPy has loaded, or None: NumPy may have been built with another BLAS, or with one whose
    threads are OpenMP's, where one setting for all threads of a program does not exist.

    Symbols of a library are looked up in the libraries that it was linked with, too; except on Windows, where NumPy's
    wheels bring OpenBLAS in a folder beside the package.
    """
    paths = [importlib.import_module("numpy.linalg._umath_linalg").__file__]
    paths += sorted(map(str, Path(np.__file__).parents[1].glob("numpy.libs/*openblas*.dll")))
    for path in paths:
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        # NumPy 2's wheels, NumPy 1's, and other builds call them differently.
        for name in ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}"):
            try:
                found = _OpenBLAS(library, name)
            except AttributeError:
                continue
            return found if found.kind() == _OpenBLAS.PTHREADS else None
    return None


_openblas = _find_openblas()
_allowed = _openblas.get() if _openblas else 1

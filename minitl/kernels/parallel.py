"""Work shared out to the processor's cores.

BLAS computes a matrix product on all cores, but everything between two products (copies, sums, maxima) is done by one
core. So a kernel cuts its work into parts that do not depend on each other, and each thread does whole parts, copies
and products alike, with a BLAS that is told to keep to one thread meanwhile. Python threads can do that, because NumPy
lets go of Python's lock while it computes; its operations only have to be long enough, some 50 microseconds.

The threads stay and wait for the next work. A sleeping one is up in 60 microseconds, where starting one takes two to
three times that, and a training step of ResNet50 shares out 600 times: 167 ms an image instead of 190. Whoever is free
takes the next part, so a thread that comes late does less.

Who calls this: the kernels that work on whole images. What is computed for a part does not depend on which thread does
it, so results are the same every time.
"""

import ctypes
import importlib
import os
import queue
import threading
from collections import deque
from contextlib import contextmanager
from pathlib import Path

import numpy as np

# Elementwise work on less memory than this takes no longer than waking a thread.
SMALLEST_SHARED_BYTES = 2**20


class _Thread(threading.local):
    is_working = False  # True in the threads that `share` has shared work out to: they do not share theirs again


_thread = _Thread()
_cores = threading.Lock()  # held by the one call of `share` that has the cores
_blas = threading.Lock()  # held while the two below change
_users, _blas_threads = 0, None  # how many calls want a BLAS of one thread now, and how many threads it had before
_tasks, _helpers = queue.SimpleQueue(), 0  # what threads wait for, and how many of them there are


def threads():
    """How many threads `share` uses: as many as BLAS was allowed (all cores, or OPENBLAS_NUM_THREADS). 1 where BLAS
    cannot be told to keep to one thread: then products run on its own threads, and all else on one."""
    return _allowed


def share(worker, parts):
    """Call `worker(some)` in each thread, where `some` are to be gone through once, in a loop: every one of `parts` is
    met in one of the threads.

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
            _run(worker, parts, count)
        finally:
            _cores.release()


@contextmanager
def in_this_thread():
    """Meanwhile, `share` leaves all work to the thread that calls it: for those who want to watch (`explain`)."""
    before, _thread.is_working = _thread.is_working, True
    try:
        yield
    finally:
        _thread.is_working = before


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
    """In a forked process: the threads that held these are not in it, nor are those that waited for work."""
    global _cores, _blas, _users, _tasks, _helpers
    _tasks, _helpers = queue.SimpleQueue(), 0
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
    """An array (N, ...) cut along N for elementwise work: one part for each thread, if it is worth waking one."""
    return slices(len(array), threads() if array.nbytes >= SMALLEST_SHARED_BYTES else 1)


class _Parts:
    """Handed out one by one, to whichever thread asks next."""

    def __init__(self, parts):
        self.waiting = deque(parts)

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self.waiting.popleft()  # in one piece, whatever other threads do
        except IndexError:
            raise StopIteration from None


class _Task:
    """A call of a worker that one of the waiting threads is asked for."""

    def __init__(self, worker, parts):
        self.worker, self.parts, self.error = worker, parts, None
        # What NumPy does about an overflow is decided for each thread: hand it on.
        self.error_state, self.error_call = np.geterr(), np.geterrcall()
        self.taken, self.done = threading.Lock(), threading.Event()

    def run(self):
        if not self.taken.acquire(blocking=False):
            self.done.set()  # withdrawn
            return
        try:
            with np.errstate(call=self.error_call, **self.error_state):
                self.worker(self.parts)
        except BaseException as error:
            self.error = error
        finally:
            self.worker = self.parts = None  # and with them the arrays
            self.done.set()

    def finish(self):
        """Withdraw it if no thread has come for it yet, else wait until it is done. May be called again."""
        if self.taken.acquire(blocking=False):
            self.worker = self.parts = None
        else:
            self.done.wait()


def _finish(tasks):
    """Nobody may still be working on the arrays when `share` returns: a Ctrl-C that comes meanwhile has to wait."""
    interrupted = None
    for task in tasks:
        is_finished = False
        while not is_finished:
            try:
                task.finish()
                is_finished = True
            except KeyboardInterrupt as error:
                interrupted = error
    if interrupted is not None:
        raise interrupted


def _wait_for_tasks(tasks):
    _thread.is_working = True
    while True:
        task = tasks.get()
        task.run()
        del task


def _start_helpers(count):
    """See to it that `count` threads wait for tasks."""
    global _helpers
    while _helpers < count:
        helper = threading.Thread(target=_wait_for_tasks, args=(_tasks,), name="minitl", daemon=True)
        try:
            helper.start()
        except RuntimeError:  # the system gives no more threads: those that are there do the work
            return
        _helpers += 1


def _run(worker, parts, count):
    """worker(parts) in this thread and in up to count - 1 others. An error in any of them is raised here."""
    parts = _Parts(parts)
    tasks = [_Task(worker, parts) for _ in range(count - 1)]
    _start_helpers(len(tasks))
    _thread.is_working = True
    try:
        for task in tasks:
            _tasks.put(task)
        worker(parts)
    except BaseException:
        parts.waiting.clear()  # (Ctrl-C may come at any moment)
        raise
    finally:
        _thread.is_working = False
        _finish(tasks)
    for task in tasks:
        if task.error is not None:
            raise task.error


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

"""Work shared out to the processor's cores.

BLAS computes a matrix product on all cores, but one core does everything between two products (copies, sums, maxima).
So a kernel cuts its work into parts that do not depend on each other. Each thread does whole parts, copies and products
alike, while BLAS is limited to one thread. Python threads can work at the same time, because NumPy releases Python's
lock (the GIL) while it computes. Each operation only has to be long enough: some 50 microseconds.

The threads stay alive and wait for the next work. To wake a thread takes 60 microseconds, to start one two to three
times as long, and a training step of ResNet50 shares work out 600 times: 167 ms an image instead of 190. A thread that
is free takes the next part, so a thread that starts late does fewer parts.

Who calls this: the kernels that work on whole batches. The result for a part does not depend on the thread that
computes it, so results are the same every time.
"""

import os
import queue
import threading
from collections import deque
from contextlib import contextmanager

import numpy as np

from .blas import with_one_setting

# Elementwise work on less memory than this takes no longer than to wake a thread.
SMALLEST_SHARED_BYTES = 2**20


class _Thread(threading.local):
    """The state of each thread."""

    is_working = False  # True while the thread does parts of `share`: it does not share these out again
    as_threads = None  # the number that `threads` returns within `in_this_thread(as_threads)`


_thread = _Thread()
_cores = threading.Lock()  # held by the one call of `share` that uses several cores
_blas = threading.Lock()  # held while the two numbers of the next line change
_users, _blas_threads = 0, None  # how many calls now need a BLAS of one thread; how many threads BLAS had before
_tasks, _helpers = queue.SimpleQueue(), 0  # the tasks that helper threads wait for; the number of these threads


def threads():
    """Return how many threads `share` uses: as many as BLAS was allowed (all cores, or OPENBLAS_NUM_THREADS).

    The number is 1 where BLAS cannot be limited to one thread. Then BLAS computes the products on its own threads, and
    one thread does all other work. Kernels cut their work by this number, so it may change the last bits of a result.
    """
    return _thread.as_threads or _allowed


def share(worker, parts):
    """Call `worker(some_parts)` in each thread, so that each of `parts` is given to exactly one thread.

    `some_parts` is an iterator that hands out parts on demand. The worker goes through it once, in a loop.

    Within a worker, and while another thread of the program uses the cores, this is simply `worker(parts)`. A single
    part needs no other thread. Its products keep to one thread as well: after a product, OpenBLAS's own threads would
    look for more work for a tenth of a second and slow ours down. (Work after such a product takes up to twice as
    long.)
    """
    if _thread.is_working:
        worker(parts)
        return
    count = min(_allowed, len(parts))
    with one_blas_thread():
        if count < 2 or not _cores.acquire(blocking=False):
            worker(parts)
            return
        try:
            _run(worker, parts, count)
        finally:
            _cores.release()


@contextmanager
def beside(is_worth_it=True):
    """Let the other threads work beside this one, for as long as the block lasts. Yields a function `add`.

    task = add(work)    hand `work()` to the next thread that is free, and go on at once
    task.complete()     do it here if no thread has begun it yet, else wait until it is done

    At the end of the block all tasks are done, this thread having done its part. Other threads begin them in the order
    of `add`. A loop of small steps, such as that of a recurrent layer, cannot be shared out; but the long products
    before and after it can be done beside it.

    is_worth_it   False: the tasks are too small to wake other threads for. This thread then does them all
    """
    tasks, before = [], _thread.is_working
    with one_blas_thread():
        is_shared = is_worth_it and not before and _allowed > 1 and _cores.acquire(blocking=False)
        if is_shared:
            _start_helpers(_allowed - 1)

        def add(work):
            tasks.append(_Task(work))
            if is_shared:
                _tasks.put(tasks[-1])
            return tasks[-1]

        _thread.is_working = True
        try:
            yield add
            for task in tasks:
                task.run()  # if no thread has begun it
            for task in tasks:
                task.complete()
        finally:
            _thread.is_working = before
            _finish(tasks)
            if is_shared:
                _cores.release()


@contextmanager
def in_this_thread(as_threads=None):
    """Make `share` leave all work to the calling thread inside this block. `explain` needs that to record each step.

    as_threads   cut the work as a process with so many threads does: the results are then equal to its own, bit for bit
    """
    before = _thread.is_working, _thread.as_threads
    _thread.is_working, _thread.as_threads = True, as_threads or _thread.as_threads
    try:
        yield
    finally:
        _thread.is_working, _thread.as_threads = before


@contextmanager
def one_blas_thread():
    """Limit BLAS to one thread inside this block. Many small products need it, such as those of a recurrent layer:
    BLAS's threads would wait for each other at each of them, which takes very long where other programs are running.

    The setting belongs to the whole program. It lasts from the start of the first such block to the end of the last.
    """
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
    """Make new locks and a new queue in a forked process.

    The threads that held the old locks do not exist there, and neither do the helpers that waited for work.
    """
    global _cores, _blas, _users, _tasks, _helpers
    _tasks, _helpers = queue.SimpleQueue(), 0
    _cores, _blas = threading.Lock(), threading.Lock()
    if _users and _openblas:
        _openblas.set(_blas_threads)
    _users = 0


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_start_anew)


def slices(length, count):
    """Return 0 to `length` in `count` slices of about the same size, or in fewer slices if some would be empty."""
    count = min(count, length)
    edges = [length * k // count for k in range(count + 1)] if count else []
    return [slice(start, stop) for start, stop in zip(edges, edges[1:])]


def example_slices(array):
    """Return slices of N for elementwise work on an array (N, ...): one for each thread, or one if it is small."""
    return slices(len(array), threads() if array.nbytes >= SMALLEST_SHARED_BYTES else 1)


class _Parts:
    """An iterator that several threads go through together. The thread that asks next gets the next part."""

    def __init__(self, parts):
        self.waiting = deque(parts)

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self.waiting.popleft()  # atomic: no two threads get the same part
        except IndexError:
            raise StopIteration from None


class _Task:
    """A call `work()` that waits for one of the helper threads."""

    def __init__(self, work):
        self.work, self.error, self.is_withdrawn = work, None, False
        # Each thread has its own NumPy settings for overflow and the like: pass those of the calling thread on.
        self.error_state, self.error_call = np.geterr(), np.geterrcall()
        self.taken, self.done = threading.Lock(), threading.Event()

    def run(self):
        """Do the work, unless `finish` has withdrawn the task."""
        if not self.taken.acquire(blocking=False):
            if self.is_withdrawn:
                self.done.set()
            return
        try:
            with np.errstate(call=self.error_call, **self.error_state):
                self.work()
        except BaseException as error:
            self.error = error
        finally:
            self.work = None  # frees the arrays that it refers to
            self.done.set()

    def complete(self):
        """Do the work here if no thread has begun it, else wait until it is done. An error of it is raised here."""
        try:
            self.run()
        except BaseException as error:  # a Ctrl-C just before the work: nobody may wait for it
            self.error = error
            self.done.set()
        self.done.wait()
        if self.error is not None:
            raise self.error

    def finish(self):
        """Withdraw the task if no thread has taken it yet, else wait until it is done. May be called again."""
        self.is_withdrawn = True
        if self.taken.acquire(blocking=False):
            self.work = None
        else:
            self.done.wait()


def _finish(tasks):
    """Finish all tasks, and raise a Ctrl-C that arrives meanwhile only afterwards.

    No thread may still work on the arrays when `share` returns.
    """
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
    """Run one task after the other, forever. A helper thread does nothing else."""
    _thread.is_working = True
    while True:
        task = tasks.get()
        task.run()
        del task


def _start_helpers(count):
    """Start helper threads until `count` of them exist."""
    global _helpers
    while _helpers < count:
        helper = threading.Thread(target=_wait_for_tasks, args=(_tasks,), name="minitl", daemon=True)
        try:
            helper.start()
        except RuntimeError:  # the system allows no more threads: the existing ones do the work
            return
        _helpers += 1


def _run(worker, parts, count):
    """Call worker(parts) in this thread and in up to count - 1 others. An error in any of them is raised here."""
    parts = _Parts(parts)
    tasks = [_Task(lambda: worker(parts)) for _ in range(count - 1)]
    _start_helpers(len(tasks))
    _thread.is_working = True
    try:
        for task in tasks:
            _tasks.put(task)
        worker(parts)
    except BaseException:
        parts.waiting.clear()  # the other threads stop after their present part; Ctrl-C ends here, too
        raise
    finally:
        _thread.is_working = False
        _finish(tasks)
    for task in tasks:
        if task.error is not None:
            raise task.error


_openblas = with_one_setting()
_allowed = _openblas.get() if _openblas else 1

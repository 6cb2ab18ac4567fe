"""Independent jobs in one process or in several, as a generator of results: the trainings of a study.

Each of several processes has one BLAS thread, because the layers of a study are too small to be divided among threads.
"""

import multiprocessing
import os
import signal
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from ... import interruption
from ...errors import MinitlError


@contextmanager
def runner(workers, map=None, own_part=lambda work, job: work):
    """Give a function (work, jobs) that yields the result of `work(job)` for each job, as it is done. `work` is often a
    `partial` whose arguments are what all jobs share.

    workers    how many processes;   map   None, or a callable like Python's `map` that does the work elsewhere
    own_part   a function of `work` and a job: the work with what this job needs of it, which is sent to its process
    """
    if map is not None or workers == 1:
        yield map or (lambda work, jobs: (work(job) for job in jobs))
        return
    with _one_thread_each():
        processes = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _leave_signals_to_the_parent)
        try:
            yield lambda work, jobs: _as_they_end(processes, workers, work, jobs, own_part)
        finally:
            processes.shutdown(cancel_futures=True)


def _as_they_end(processes, most, work, jobs, own_part):
    """Yield results as the processes finish them. At most `most` jobs are under way: an interruption waits for them."""
    jobs, under_way = iter(jobs), set()
    try:
        while True:
            while len(under_way) < most and (job := next(jobs, None)) is not None:
                under_way.add(processes.submit(own_part(work, job), job))
            if not under_way:
                return
            done, under_way = wait(under_way, timeout=0.2, return_when=FIRST_COMPLETED)
            for each in done:
                yield each.result()
            interruption.check()
    except BrokenProcessPool:
        raise MinitlError(
            "a training process was ended from outside (too little memory?). With OPENBLAS_NUM_THREADS=1 all "
            "trainings run in one process."
        ) from None


@contextmanager
def _one_thread_each():
    """Give each new process one thread for its BLAS, by the environment that it inherits."""
    name = "OPENBLAS_NUM_THREADS"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _leave_signals_to_the_parent():
    """Ignore Ctrl-C in this process. A terminal sends it to all processes, and the parent decides what to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

"""Jobs go out to the workers, and results come back in order.

Only a few jobs for each worker thread are under way at a time: neither the scheduler nor this process holds all of
them, and little is lost when the work is stopped.

    a worker dies            Dask gives its jobs to others. A job during which several workers have died is an error
    what it alone held       what all jobs share, or the files of a job, is sent again with the job
    an error in a job        is raised here
    Ctrl-C                   between two results: the jobs that have not begun are cancelled

What is shared is sent to each worker once, and known by its digest: the next `map` with the same network finds it
there.

Who calls this: `Cluster.map`. Read next: `on_worker.done`.
"""

import hashlib
import pickle
import time
from collections import deque
from itertools import count, takewhile
from typing import Any, NamedTuple

from .. import interruption
from ..errors import MinitlError
from ..kernels.parallel import threads
from ..terminal import shortened
from . import on_worker

JOBS_A_THREAD = 4  # under way at a time: one is computed, one waits, and two may have come back before an earlier one
MOST_ATTEMPTS = 3
SECONDS_TO_SEND = 120  # a job and what it needs, at most
SECONDS_BETWEEN_LOOKS = 2.0  # at the workers, while a result is waited for
_numbers = count()  # no two jobs of this process have the same name


class Shared(NamedTuple):
    """A thing that all jobs share, and the digest of its pickled form, by which the workers know it."""

    digest: str
    thing: Any

    @classmethod
    def of(cls, thing):
        """Return a thing with its digest."""
        return cls(hashlib.sha256(pickle.dumps(thing)).hexdigest()[:32], thing)


def delivered(cluster, work, shared, jobs, access):
    """Yield work(*shared, job) for each of the jobs in order.

    cluster   a `connection.Cluster`;   shared   `Shared` things
    access    the `file_access.FileAccess` of the source among them, or None
    """
    jobs, under_way, nothing_left = iter(jobs), deque(), object()
    try:
        while True:
            most = max(1, JOBS_A_THREAD * cluster.threads())
            while len(under_way) < most and (job := next(jobs, nothing_left)) is not nothing_left:
                under_way.append(_Delivery(cluster, work, shared, job, access))
                under_way[-1].send()
            if not under_way:
                return
            _fetch_together(cluster.client, under_way)
            yield under_way[0].result()
            under_way.popleft()
    finally:
        futures = [each.future for each in under_way if each.future is not None]
        if futures and cluster.is_connected:
            cluster.client.cancel(futures, force=True)


def _fetch_together(client, under_way):
    """Get the results of the jobs at the beginning that are finished, all in one request. Where that fails, each of
    them is asked for alone."""
    if under_way[0].fetched:
        return
    ready = list(takewhile(lambda each: each.future.status == "finished", under_way))

    async def gathered():
        """Return the results."""
        return await client.gather([each.future for each in ready], asynchronous=True)

    if len(ready) > 1:
        try:
            for each, result in zip(ready, client.sync(gathered, callback_timeout=SECONDS_BETWEEN_LOOKS)):
                each.fetched = (result,)
        except Exception:  # a worker has just been lost, or anything else: `result` finds out
            pass


class _Delivery:
    """A job that is sent to a worker, and perhaps sent again.

    future     of its result;   files   the future of the files that were sent with it, or None
    attempts   how often it was sent;   fetched   (the result,) if it is here already, else ()
    """

    def __init__(self, cluster, work, shared, job, access):
        self.cluster, self.work, self.shared, self.job, self.access = cluster, work, shared, job, access
        self.future, self.files, self.attempts, self.fetched = None, None, 0, ()

    def send(self, with_files=False):
        """Send the job with all that it needs: what the workers have already is only named. While lost workers are
        started again, it is tried again."""
        self.attempts += 1
        start = time.monotonic()
        while True:
            try:
                self.future = self.submitted(with_files)
                return
            except Exception as error:
                if not _is_of_cluster(error):
                    raise
                if not self.cluster.is_connected:
                    raise self.cluster.lost(error) from None
                if time.monotonic() - start > SECONDS_TO_SEND:
                    raise MinitlError(self.given_up(error)) from None
                self.cluster.wait_for_workers()

    def submitted(self, with_files):
        """Send the job once. Returns the future of its result."""
        client = self.cluster.client
        if self.access is not None and (with_files or self.access.is_sent):
            (self.files,) = client.scatter([self.access.contents(self.job)], hash=False)
        shared = [self.cluster.everywhere(each) for each in self.shared]
        return client.submit(
            on_worker.done, self.work, self.job, on_worker.Versions(), threads(), self.files, *shared,
            key=f"minitl-job-{next(_numbers)}-{id(self):x}", pure=False,
        )  # fmt: skip

    def result(self):
        """Return the result. The job is sent again if a worker could not read a file, or has taken along what the job
        needed when it was lost."""
        while True:
            self.wait()
            try:
                (result,) = self.fetched or (self.future.result(timeout=SECONDS_BETWEEN_LOOKS),)
            except Exception as error:
                if isinstance(error, TimeoutError) and self.future.status != "error":
                    continue  # its worker has just been lost, and Dask computes it again
                if self.future.status == "error" and not _is_of_dask(error):
                    raise error from None  # the job's own error
                if not self.cluster.is_connected:
                    raise self.cluster.lost(error) from None
                if self.attempts == MOST_ATTEMPTS or type(error).__name__ == "KilledWorker":
                    raise MinitlError(self.given_up(error)) from None
                self.send(with_files=self.files is not None)
                continue
            if self.access is None or self.files is not None or not result.reasons:
                return result
            self.fetched = ()
            self.send(with_files=True)

    def wait(self):
        """Wait until the job has an end, good or bad. Raises Interrupted after Ctrl-C, and MinitlError if there is no
        cluster any more."""
        interruption.check()
        start = looked = time.monotonic()
        while not self.future.done():
            interruption.check()
            now = time.monotonic()
            time.sleep(min(0.2, 0.002 + (now - start) / 10))
            if now - looked > SECONDS_BETWEEN_LOOKS:
                looked = now
                if not self.cluster.is_connected:
                    raise self.cluster.lost()
                if not self.cluster.threads():
                    self.cluster.wait_for_workers()

    def given_up(self, error):
        """Return the message for a job that no worker could finish."""
        what = f"job {self.job}" if self.access is None else self.access.names(self.job)
        why = f" ({' '.join(str(error).split())})"
        return (
            f"workers were lost again and again while they computed {shortened(what, 400)}{shortened(why, 200)}. What "
            "has come back is kept. Look at the memory of the workers (dask worker --memory-limit), and start again."
        )


def _is_of_dask(error):
    """Return whether an error comes from Dask and not from a job: lost workers, lost data, cancelled futures."""
    return type(error).__module__.partition(".")[0] in ("distributed", "asyncio", "concurrent")


def _is_of_cluster(error):
    """Return whether an error at sending may pass when there are workers again."""
    return _is_of_dask(error) or isinstance(error, (OSError, TimeoutError))

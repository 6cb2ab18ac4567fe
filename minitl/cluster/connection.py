"""A connection to a Dask cluster: its workers, and which of them are refused.

    with Cluster("tcp://10.0.0.1:8786") as cluster:
        results = list(cluster.map(function, jobs))

Read next: `delivery`, how jobs go out and results come back.
"""

import asyncio
import time
from collections import Counter
from contextlib import contextmanager

from .. import interruption
from ..errors import ArgumentError, MinitlError, MissingExtraError
from ..progress import Progress
from ..recipes.settings import SettingError
from ..terminal import counted, printable, shortened, wrapped
from . import on_worker
from .delivery import SECONDS_BETWEEN_LOOKS, Shared, delivered
from .file_access import FileAccess

SECONDS_TO_CONNECT = 5
SECONDS_WITHOUT_WORKERS = 60
MOST_NAMED = 3  # workers in a message


@contextmanager
def map_on(address=None, photos_at=None):
    """Yield the `map` of a `Cluster` at this address, as long as the block lasts. Without an address, yield None:
    everything is done in this process."""
    if address is None:
        if photos_at is not None:
            text = "{} says where workers find the photographs. It goes with {}."
            raise SettingError(text, "photos_at", "scheduler")
        yield None
        return
    with Cluster(address, photos_at) as cluster:
        yield cluster.map


class Cluster:
    """The workers of a Dask scheduler, as a `map`.

    scheduler   the scheduler's address, such as "tcp://10.0.0.1:8786"; or a `distributed.Client`, which stays open
    photos_at   where the workers find the folder of photographs: a path there, or any address that fsspec opens, such
                as "s3://bucket/photos" (default: under the same path as here; where they do not, the photographs' bytes
                are sent)

    Raises ArgumentError if there is no scheduler, MinitlError if it has no workers, or if a worker is refused because
    its minitl or NumPy has another version.
    """

    def __init__(self, scheduler, photos_at=None):
        self.photos_at, self.sent = photos_at, {}  # {digest: future} of what all workers have
        self.looked, self.known_threads = 0.0, 0
        distributed = _distributed()
        self.is_own = not isinstance(scheduler, distributed.Client)
        self.client = _connected(distributed, scheduler) if self.is_own else scheduler
        try:
            self.check_workers()
        except BaseException:
            self.close()
            raise

    def __repr__(self):
        return f"<Cluster {self.address}, {counted(self.threads(), 'worker thread')}>"

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    @property
    def address(self):
        """Return the scheduler's address."""
        return self.client.scheduler.address if self.client.scheduler is not None else "that was closed"

    def close(self):
        """Forget all that was sent, and close the connection. Jobs that have not begun are cancelled."""
        self.sent.clear()
        if self.is_own:
            self.client.close(timeout=SECONDS_TO_CONNECT)

    @property
    def is_connected(self):
        """Return whether the scheduler still answers."""
        return self.client.status == "running"

    def lost(self, error=None):
        """Return the error for a scheduler that does not answer any more."""
        why = "" if error is None else f" ({_one_line(error)})"
        return MinitlError(
            f"the scheduler does not answer any more{why}. What has come back is kept. Start it again, and then the "
            "same command."
        )

    def threads(self):
        """Return the number of threads of all workers, looked up every SECONDS_BETWEEN_LOOKS at most."""
        if time.monotonic() - self.looked > SECONDS_BETWEEN_LOOKS:
            self.looked = time.monotonic()
            if self.is_connected:
                self.known_threads = sum(self.client.nthreads().values())
        return self.known_threads

    def everywhere(self, shared):
        """Return the future of a `Shared` thing. Each worker gets it once, and again where all that had it are lost."""
        known = self.sent.get(shared.digest)
        if known is None or known.status != "finished":
            name = f"minitl-{shared.digest}"
            known = self.sent[shared.digest] = self.client.scatter({name: shared.thing}, broadcast=True)[name]
        return known

    def check_workers(self):
        """Wait for a worker, compare the versions of all of them with those of this process, and print what is there.

        Raises MinitlError, naming them, if there are none or if some are refused.
        """
        found = self.ask(on_worker.about)
        expected = on_worker.about()
        refused = []
        for name, answer in found.items():
            if isinstance(answer, BaseException):
                refused.append(f"worker {name} cannot run minitl ({_one_line(answer)}). Install it there, or stop it.")
            elif answer[0] != expected[0]:
                refused.append(on_worker.different(name, answer[0], expected[0]))
        if refused:
            more = f" ({counted(len(refused) - MOST_NAMED, 'more worker')}.)" if len(refused) > MOST_NAMED else ""
            raise MinitlError(" ".join(refused[:MOST_NAMED]) + more)
        print("\n".join(wrapped(printable(line), "  ") for line in self.described(found, expected)), flush=True)

    def described(self, found, here):
        """Yield what is to be said about the workers: how many, and what may make their results differ.

        found   {address: `on_worker.about` of each worker};   here   that of this process
        """
        threads = self.client.nthreads()
        machines = {machine: cores for _, machine, cores, _ in found.values()}
        busy = Counter()
        for name, (_, machine, _, _) in found.items():
            busy[machine] += threads.get(name, 0)
        yield (
            f"{counted(len(found), 'worker')} on {counted(len(machines), 'machine')}, "
            f"{counted(sum(busy.values()), 'thread')}. Each thread works alone on a job, with one BLAS thread."
        )
        for machine, cores in machines.items():
            if busy[machine] < cores:
                yield (
                    f"{machine} has {cores} cores, and its workers use {busy[machine]} of them: more workers would be "
                    "faster (dask worker --nworkers auto)."
                )
        others = {kind for _, _, _, kind in found.values()} - {here[3]}
        if others:
            kinds = shortened(", ".join(sorted(others)), 100)
            yield f"Other processors than this one ({kinds}): results may differ in the last bits."

    def ask(self, function, *arguments):
        """Return {address: function(*arguments) in each worker, or its error}. Raises MinitlError without workers."""
        self.wait_for_workers()
        return self.client.run(function, *arguments, on_error="return")

    def wait_for_workers(self):
        """Wait until there is a worker. Raises MinitlError after SECONDS_WITHOUT_WORKERS."""
        start = time.monotonic()
        with Progress("Waiting for workers"):
            while not self.client.nthreads():
                if time.monotonic() - start > SECONDS_WITHOUT_WORKERS:
                    raise MinitlError(
                        f"the scheduler {self.address} has had no workers for {SECONDS_WITHOUT_WORKERS} s. Start some: "
                        f"dask worker {self.address} --nworkers auto"
                    )
                interruption.check()
                time.sleep(0.2)

    def map(self, function, jobs):
        """Yield function(job) for each of the jobs, in their order, computed by the workers.

        function   a function at the top level of a module, or a `functools.partial` of one. What is bound by the
                   partial is sent to each worker once, however many jobs there are

        The jobs of a lost worker go to others. An error of a job is raised here. When the caller goes no further, jobs
        that have not begun are cancelled.
        """
        work, shared = getattr(function, "func", function), getattr(function, "args", ())
        access = FileAccess.of(self, shared)
        if access is not None:
            shared = [access.source if each is access.given else each for each in shared]
        yield from delivered(self, work, [Shared.of(each) for each in shared], jobs, access)


def _distributed():
    """Return the package `distributed`. Raises MissingExtraError where it is not installed."""
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError(
            f"a cluster needs Dask (the extra 'dask'; {error}): python -m pip install distributed"
        ) from None
    return distributed


def _connected(distributed, address):
    """Return a `distributed.Client` of the scheduler at an address. Raises ArgumentError if there is none."""
    hint = "Expected the address that `dask scheduler` prints, such as tcp://10.0.0.1:8786."
    if not isinstance(address, str):
        raise ArgumentError(f"the scheduler's address is of type {type(address).__name__}. {hint}")

    async def shake_hands():
        """Connect once and hang up. A `Client` that gets no answer goes on trying in the background."""
        security = distributed.Security().get_connection_args("client")
        (await distributed.comm.connect(address, timeout=SECONDS_TO_CONNECT, **security)).abort()

    with Progress(f"Connecting to {address}"):
        try:
            asyncio.run(asyncio.wait_for(shake_hands(), SECONDS_TO_CONNECT + 1))
            return distributed.Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
        except Exception as error:  # a wrong address makes Dask raise nearly anything
            raise ArgumentError(f"no scheduler answers at {address} ({_one_line(error)}). {hint}") from None


def _one_line(error):
    """Return the type and the text of an error in one short line."""
    return shortened(" ".join(f"{type(error).__name__}: {error}".split()).rstrip(":"), 160)

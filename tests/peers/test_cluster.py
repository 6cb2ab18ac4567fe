"""Work on a Dask cluster gives what one process gives: lost workers, wrong versions, unread files, threads, sizes.

Needs the extra `dask`. The workers are processes of this machine (`LocalCluster`, on 127.0.0.1).
"""

import hashlib
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from conftest import REPOSITORY

from minitl import cli, data, interruption, transfer
from minitl.applications.vgg16 import preprocess_input
from minitl.cluster import Cluster, delivery, file_access
from minitl.cluster.file_access import FilesElsewhere
from minitl.course.study import transfer_study
from minitl.data import Photo, PhotoStream
from minitl.errors import ArgumentError, DataError, MinitlError
from minitl.features import batch_by_batch, on_disk
from minitl.kernels import parallel
from minitl.layers import Conv2D, Dense, Flatten, GlobalAveragePooling2D, Input, MaxPooling2D
from minitl.models import Sequential
from minitl.recipes.advice import backtest
from minitl.recipes.settings import PhotographSettings

distributed = pytest.importorskip("distributed", reason="needs the extra 'dask': pip install -e '.[dask]'")
dask = pytest.importorskip("dask", reason="needs the extra 'dask': pip install -e '.[dask]'")
pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
from PIL import Image  # noqa: E402

# Dask runs an event loop, and its processes end after the test: what it warns of while doing so is not minitl's.
pytestmark = [
    pytest.mark.filterwarnings(r"ignore:::(distributed|dask|tornado|asyncio)(\.|$)"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
SIZE = 24


@pytest.fixture(scope="module")
def local():
    """Start two worker processes with two threads of BLAS each, and return their `LocalCluster`.

    A `LocalCluster` gives a worker up if it is away 15 s after it was lost. If the worker has come back and a later
    test has just killed it again, it is away then, too. So it is not given up at all here.
    """
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OPENBLAS_NUM_THREADS", "2")  # Dask would set 1: here minitl has to limit it itself
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        )
    with cluster, dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"}):
        yield cluster


@pytest.fixture
def cluster(local):
    """Return a connection to both workers."""
    with distributed.Client(local, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    with Cluster(local.scheduler_address) as connected:
        yield connected


def small_base(filters=4, units=None):
    """Return a frozen network of one block; with `units`, of many parameters."""
    head = [GlobalAveragePooling2D(name="pool")] if units is None else [Flatten(), Dense(units, name="wide")]
    model = Sequential([Input((SIZE, SIZE, 3)), Conv2D(filters, 3, name="conv"), MaxPooling2D(name="max"), *head])
    transfer.freeze(model)
    return model


def written(folder, count, rng):
    """Write so many photographs, and return them."""
    found = []
    for number in range(count):
        path = folder / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (30, 32, 3), dtype=np.uint8)).save(path)
        found.append(Photo(path, number % 2, hashlib.sha256(path.read_bytes()).hexdigest()))
    return found


@pytest.fixture
def photos(tmp_path, rng):
    """Write fifty photographs: six batches of eight, and two."""
    return written(tmp_path, 50, rng)


def stream(photos, **options):
    return PhotoStream(photos, preprocess_input, SIZE, SIZE, **options)


def features(base, source, map=None, keep=False):
    return on_disk.kept_features(base, source, keep, verbose=0, map=map)


def all_of(rows):
    return rows.read(slice(None))


def kept_files(home, name):
    return sorted((home / "features").glob(f"*/*/{name}"))


# ---- any map ----


def test_a_cluster_gives_the_bits_of_one_process(cluster, photos):
    base, source = small_base(), stream(photos, mirrored=True)
    here = features(base, source)
    there = features(base, source, cluster.map)
    assert here.shape == (100, 4) and np.array_equal(all_of(here), all_of(there))
    assert not np.array_equal(all_of(here)[:50], all_of(here)[50:]), "mirror images are others"


def test_the_store_on_the_disk_is_that_of_one_process(cluster, photos, tmp_path, monkeypatch):
    base, files = small_base(), {}
    for name, map in ("here", None), ("there", cluster.map):
        monkeypatch.setenv("MINITL_HOME", str(tmp_path / name))
        features(base, stream(photos), map, keep=True)
        files[name] = [
            path.read_bytes() for part in ("rows", "index.json") for path in kept_files(tmp_path / name, part)
        ]
    assert len(files["here"]) == 2 and files["here"] == files["there"]
    assert len(json.loads(files["there"][1])) == 50
    again = features(base, stream(photos), map=None, keep=True)  # checks the checksums of all rows
    assert again.store.checked == set(again.store.index.values()) and len(again.store.checked) == 50


def test_a_row_that_was_damaged_on_its_way_is_refused(photos):
    def damaging(function, jobs):
        for rows in map(function, jobs):
            rows.features[0][1, 2] = np.nextafter(rows.features[0][1, 2], np.float32(0))  # its last bit
            yield rows

    with pytest.raises(DataError, match=r"the features of \S+/0\.png, .* were damaged on their way"):
        features(small_base(), stream(photos), damaging)


# ---- photographs that workers cannot read ----


class FilesOnAnotherMachine(FilesElsewhere):
    """The files of a folder that the workers do not have."""

    def __init__(self, folder, place):
        super().__init__(folder, "/nowhere")


def test_photographs_that_no_worker_can_read_are_sent(cluster, photos, monkeypatch, capsys):
    base, source = small_base(), stream(photos)
    here = all_of(features(base, source))
    monkeypatch.setattr(file_access, "FilesElsewhere", FilesOnAnotherMachine)
    assert np.array_equal(all_of(features(base, source, cluster.map)), here)
    assert "Photographs are sent to the workers" in capsys.readouterr().out


def test_workers_may_find_the_photographs_in_another_place(local, photos, tmp_path, capsys):
    """The second place is an address that fsspec opens."""
    base, source = small_base(), stream(photos)
    here = all_of(features(base, source))
    shutil.copytree(tmp_path, tmp_path.with_name("copy"), dirs_exist_ok=True)
    place = tmp_path.with_name("copy")
    for photos_at in str(place), f"file://{place}":
        with Cluster(local.scheduler_address, photos_at) as cluster:
            assert np.array_equal(all_of(features(base, source, cluster.map)), here)
    assert "are sent" not in capsys.readouterr().out
    with Cluster(local.scheduler_address, "file:///nowhere") as cluster:
        with pytest.raises(ArgumentError, match="cannot read the photographs at file:///nowhere"):
            features(base, source, cluster.map)


def test_a_photograph_that_only_some_workers_see_is_not_left_out(local, photos, tmp_path):
    """Some files are missing in the place of the workers, and one is another photograph: these are sent."""
    base, place = small_base(), tmp_path.with_name("incomplete")
    shutil.copytree(tmp_path, place, dirs_exist_ok=True)
    (place / "5.png").unlink()
    shutil.copy(place / "7.png", place / "6.png")
    photos[9].path.unlink()  # it is gone everywhere
    (place / "9.png").unlink()
    here = features(base, stream(photos))
    with Cluster(local.scheduler_address, place) as cluster:
        there = features(base, stream(photos), cluster.map)
    assert np.array_equal(all_of(here), all_of(there)) and len(there) == 49
    assert here.left_out == there.left_out == [(photos[9].path, "is not there (any more)")]


# ---- lost workers ----


def killed_in_the_middle(cluster, count):
    """Return a map that kills a worker with SIGKILL when the first of its results is back, and the number killed."""
    killed = []

    def map(function, jobs):
        for number, result in enumerate(cluster.map(function, jobs)):
            if number % 10 == 3 and len(killed) < count:
                process = next(iter(cluster.client.run(os.getpid).values()))
                os.kill(process, signal.SIGKILL)
                killed.append(process)
            yield result

    return map, killed


def test_a_worker_that_is_killed_costs_its_tasks_only(cluster, photos):
    base, source = small_base(), stream(photos)
    map, killed = killed_in_the_middle(cluster, 1)
    assert np.array_equal(all_of(features(base, source)), all_of(features(base, source, map)))
    assert len(killed) == 1


def lost_base(cluster, function, jobs):
    """Kill all workers at once after a third result: with them goes what was sent to each of them."""
    for number, result in enumerate(cluster.map(function, jobs)):
        if number == 2:
            for process in set(cluster.client.run(os.getpid).values()):
                os.kill(process, signal.SIGKILL)
        yield result


def test_all_workers_may_be_lost(cluster, photos, monkeypatch):
    """The base, which none of the new workers has, is sent again."""
    monkeypatch.setattr("minitl.cluster.connection.SECONDS_WITHOUT_WORKERS", 600)  # a busy machine starts them slowly
    monkeypatch.setattr("minitl.cluster.delivery.SECONDS_TO_SEND", 600)
    base, source = small_base(), stream(photos)
    assert np.array_equal(all_of(features(base, source)), all_of(features(base, source, partial(lost_base, cluster))))


def deadly(job):
    """End the process of the worker, as a lack of memory would."""
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_job_that_kills_every_worker_is_named(cluster):
    with pytest.raises(MinitlError, match=r"lost again and again while they computed job 7 .*come back is kept"):
        list(cluster.map(deadly, [7]))


@pytest.mark.slow
def test_two_thousand_photographs_with_a_worker_killed(cluster, tmp_path, rng, monkeypatch):
    base, source = small_base(filters=16), stream(written(tmp_path, 2000, rng))
    rows = {}
    map, killed = killed_in_the_middle(cluster, 1)
    for name, each in ("here", None), ("there", map):
        monkeypatch.setenv("MINITL_HOME", str(tmp_path / name))
        rows[name] = features(base, source, each, keep=True)
        assert len(rows[name].store.checked) == 2000
    assert len(killed) == 1 and rows["there"].shape == (2000, 16)
    assert np.array_equal(all_of(rows["here"]), all_of(rows["there"]))
    here, there = (kept_files(tmp_path / name, "rows")[0].read_bytes() for name in ("here", "there"))
    assert here == there


# ---- what is refused, and what is raised ----


def failing(job):
    """Raise an error of minitl for one of the jobs."""
    if job == 3:
        raise DataError(f"job {job} has no data.")
    return job


def test_an_error_of_a_job_is_raised_here(cluster):
    with pytest.raises(DataError, match=r"^job 3 has no data\.$"):
        list(cluster.map(failing, range(9)))
    assert list(cluster.map(failing, [5, 4])) == [5, 4], "the workers go on"


def slowly(seconds, job):
    time.sleep(seconds)
    return job


def test_after_ctrl_c_the_jobs_that_have_not_begun_are_cancelled(cluster):
    seen = []
    with pytest.raises(interruption.Interrupted), interruption.graceful("Stopping."):
        for job in cluster.map(partial(slowly, 0.1), range(1000)):
            seen.append(job)
            if job == 2:
                os.kill(os.getpid(), signal.SIGINT)
    assert 2 < len(seen) < 100

    def tasks(dask_scheduler):
        return len([key for key in dask_scheduler.tasks if "minitl-job" in str(key)])

    deadline = time.monotonic() + 20
    while cluster.client.run_on_scheduler(tasks) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert cluster.client.run_on_scheduler(tasks) == 0


@pytest.mark.parametrize(
    "address, reason",
    [("127.0.0.1:9", "no scheduler answers at 127.0.0.1:9"), ("nonsense", "missing port number"), (5, "of type int")],
)
def test_a_wrong_address_is_an_error_within_seconds(address, reason, monkeypatch):
    monkeypatch.setattr("minitl.cluster.connection.SECONDS_TO_CONNECT", 0.5)
    start = time.monotonic()
    with pytest.raises(ArgumentError, match=reason):
        Cluster(address)
    assert time.monotonic() - start < 5


def test_a_scheduler_without_workers_says_so(monkeypatch):
    monkeypatch.setattr("minitl.cluster.connection.SECONDS_WITHOUT_WORKERS", 0.5)
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, host="127.0.0.1") as empty:
        with pytest.raises(MinitlError, match=r"has had no workers for 0\.5 s\. Start some: dask worker tcp://127"):
            Cluster(empty.scheduler_address)


@pytest.mark.parametrize(
    "line, found", [("__version__ = '0.0.9'\n", "has minitl 0.0.9 and NumPy"), (None, "cannot run minitl")]
)
@pytest.mark.slow
def test_a_worker_with_another_version_is_refused_by_name(tmp_path, line, found):
    """Start a worker of its own that has another minitl, or none that can be imported."""
    shutil.copytree(REPOSITORY / "minitl", tmp_path / "minitl")
    if line is None:
        (tmp_path / "minitl" / "__init__.py").write_text("raise ImportError('no minitl here')\n")
    else:
        path = tmp_path / "minitl" / "version.py"
        path.write_text(path.read_text() + line)
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, host="127.0.0.1") as empty:
        command = [sys.executable, "-m", "distributed.cli.dask_worker", empty.scheduler_address, "--nthreads", "1"]
        worker = subprocess.Popen(
            [*command, "--no-dashboard", "--no-nanny"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with pytest.raises(MinitlError, match=rf"worker tcp://127\.0\.0\.1:\d+ {found}"):
                Cluster(empty.scheduler_address)
        finally:
            worker.kill()
            worker.wait()


def test_a_worker_that_comes_later_with_other_versions_is_refused(cluster, monkeypatch):
    other = delivery.on_worker.Versions("0.0.9", np.__version__)
    monkeypatch.setattr(delivery.on_worker, "Versions", lambda: other)  # what this process says that it has
    with pytest.raises(MinitlError, match=r"worker \S+ has minitl 0\.1.* and this process has minitl 0\.0\.9"):
        list(cluster.map(failing, [1]))


# ---- threads and sizes ----


def threads_of_blas(job):
    """Return how many threads BLAS uses in a job, and how many it may use outside of one."""
    return parallel._openblas.get(), parallel._allowed, parallel._thread.is_working


@pytest.mark.skipif(parallel._openblas is None, reason="BLAS cannot be limited here")
def test_blas_threads_are_never_multiplied_by_workers(cluster):
    """Each worker process was started with two threads of BLAS; within a job there is one."""
    found = set(cluster.map(threads_of_blas, range(8)))
    assert found == {(1, 2, True)}


class Counted:
    """A connection whose sent bytes are counted: `tasks` of all jobs, `scattered` of what is sent to each worker."""

    def __init__(self, cluster, monkeypatch):
        self.tasks = self.scattered = 0
        client, submit, scatter = cluster.client, cluster.client.submit, cluster.client.scatter

        def count_tasks(function, *arguments, **options):
            plain = [each for each in arguments if not isinstance(each, distributed.Future)]
            self.tasks += len(pickle.dumps((function, plain)))
            return submit(function, *arguments, **options)

        def count_scattered(things, **options):
            self.scattered += len(pickle.dumps(things))
            return scatter(things, **options)

        monkeypatch.setattr(client, "submit", count_tasks)
        monkeypatch.setattr(client, "scatter", count_scattered)


def test_the_base_enters_the_graph_once(cluster, tmp_path, rng, monkeypatch):
    """A model of 1 MB and 50 blocks: all that is sent is below 2 MB. Copied into every task, it would be 53 MB."""
    base = small_base(filters=4, units=540)
    size = 4 * base.count_params()
    assert 1e6 < size < 1.1e6
    source = stream(written(tmp_path, 400, rng))
    counted = Counted(cluster, monkeypatch)
    here = all_of(features(base, source))
    assert np.array_equal(all_of(features(base, source, cluster.map)), here)
    assert counted.tasks < 0.1e6 and 1e6 < counted.scattered < 1.5e6
    first = counted.scattered
    few = stream(source.photos[:80])
    assert np.array_equal(all_of(features(base, few, cluster.map)), here[:80])
    assert counted.scattered - first < 0.1e6, "the workers know the base by its digest"
    copied = partial(batch_by_batch.rows_of, batch_by_batch.FrozenGraph(base), source)
    assert len(pickle.dumps([pickle.dumps((copied, job)) for job in range(50)])) > 50e6


# ---- independent jobs: the study and the backtest ----


def test_the_study_has_the_results_of_one_process(cluster):
    few = data.fashion_mnist_few_shot()
    chosen = [np.concatenate([np.flatnonzero(y == k)[:3] for k in range(10)]) for y in (few.y_train, few.y_test)]
    images = few._replace(
        x_train=few.x_train[chosen[0]], y_train=few.y_train[chosen[0]],
        x_test=few.x_test[chosen[1]], y_test=few.y_test[chosen[1]],
    )  # fmt: skip
    study = transfer_study.new_study(images, ["similar"], 2, epochs=1, cuts=(1, 3, 6), per_class=2)
    here = list(transfer_study.run(study))
    there = list(transfer_study.run(study, map=cluster.map))
    assert [each[:-1] for each in here] == [each[:-1] for each in there]  # all but the seconds
    assert len(there) == study.trainings


@pytest.fixture
def folder(tmp_path, rng):
    """Write forty small photographs of two classes, for a whole fine-tuning."""
    for name, level in ("dark", 60), ("light", 190):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(20):
            pixels = (level + rng.normal(0, 40, (40, 40, 3))).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


OPTIONS = ["--cut", "block1_pool", "--image-size", "32", "--epochs", "3", "--no-cache"]  # VGG16's block 1 is bundled


def test_the_command_gives_the_numbers_of_one_process(local, folder, tmp_path, capsys):
    results = []
    for name, more in ("here", []), ("there", ["--scheduler", local.scheduler_address]):
        path = tmp_path / f"{name}.json"
        assert cli.main(["finetune", str(folder), *OPTIONS, "--json", str(path), *more]) == 0
        results.append(json.loads(path.read_text()))
        printed = capsys.readouterr().out
    assert "2 workers on 1 machine, 2 threads" in printed
    for each in results:
        del each["seconds"], each["peak_bytes"]
    assert results[0] == results[1]


def test_the_command_refuses_a_cluster_where_there_is_nothing_for_it(tmp_path, capsys):
    for arguments, reason in [
        (["finetune", "--scheduler", "x:1"], "--scheduler goes with a folder of photographs"),
        (["finetune", str(tmp_path), "--photos-at", "/mnt"], "--photos-at says where workers find the photographs"),
        (["advise", "reviews.csv", "--scheduler", "x:1"], "--scheduler goes with photographs"),
    ]:
        assert cli.main(arguments) == 1
        assert reason in " ".join(capsys.readouterr().err.split())


class Plan(NamedTuple):
    """The part of an advised plan that a backtest needs."""

    name: str
    cut: str
    seconds: float = 1.0
    peak_bytes: int = 10**8
    unfreeze: str | None = None
    arguments: tuple = ()


@pytest.mark.slow
def test_the_backtest_has_the_accuracies_of_one_process(cluster, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # of the processes that carry out the plans here
    plans = [Plan("a head on block1", "block1_pool"), Plan("a head on block2", "block2_pool")]
    settings = PhotographSettings(image_size=32, epochs=3, head="plain", learning_rate=0.001, label_smoothing=0.0)
    subject = SimpleNamespace(photos=str(folder), settings_for=lambda plan: replace(settings, cut=plan.cut))
    there = backtest.runs_elsewhere(cluster.map, subject, plans, 1)
    for plan, (found,) in zip(plans, there):
        here = backtest.carried_out(subject, plan, 0, tmp_path)
        assert found["accuracy"] == here["accuracy"] and found["history"] == here["history"]
        assert found["seconds"] is None and found["peak_bytes"] is None, "those of other machines are not compared"
    rows = [backtest.row(*each, {plan.cut: 0.9 for plan in plans}) for each in zip(plans, there)]
    assert "a head on block2" in backtest.comparison(rows)

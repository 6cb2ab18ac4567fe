"""Features of 2,000 photographs: in this process, and on a local Dask cluster of two workers, one of which is killed.

    python -m benchmarks.cluster                             (VGG16's bundled blocks; needs the extras dask and images)
    python -m benchmarks.cluster --photographs 200 --base efficientnet_lite0 --size 224

It writes random photographs to a temporary folder, and prints the seconds of each pass and whether the rows are equal
bit for bit. The two workers share the cores of this machine with this process: the figures say what a cluster costs,
not what it gains.
"""

import argparse
import hashlib
import os
import signal
import tempfile
import time
from pathlib import Path

import numpy as np

from minitl.applications import NETWORKS, cuts
from minitl.cluster import Cluster
from minitl.data import Photo
from minitl.features.on_disk import kept_features
from minitl.kernels.parallel import threads
from minitl.recipes.base_features import BUNDLED, built_base
from minitl.recipes.settings import PhotographSettings
from minitl.recipes.view import photograph_stream


def written(folder, count):
    """Write random photographs as JPEG files, and return them as `data.Photo`s."""
    from PIL import Image

    rng, found = np.random.default_rng(0), []
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        path = Path(folder, f"{number}.jpg")
        coarse.resize((320, 240), Image.Resampling.BICUBIC).save(path, quality=90)
        found.append(Photo(path, number % 2, hashlib.sha256(path.read_bytes()).hexdigest()))
    return found


def with_one_killed(cluster, count):
    """Return a `map` on the cluster that kills one worker when half of `count` results are back."""

    def killing(function, jobs):
        for number, result in enumerate(cluster.map(function, jobs)):
            if number == count // 2:
                os.kill(next(iter(cluster.client.run(os.getpid).values())), signal.SIGKILL)
            yield result

    return killing


def measured(base, source, map=None):
    """Return (the seconds of a pass that keeps nothing, its rows)."""
    start = time.perf_counter()
    rows = kept_features(base, source, keep=False, verbose=0, map=map)
    return time.perf_counter() - start, rows.read(slice(None))


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=2000)
    parser.add_argument("--base", choices=list(NETWORKS), default="vgg16")
    parser.add_argument("--size", type=int, default=64)
    options = parser.parse_args()
    from distributed import LocalCluster

    cut = BUNDLED[options.base]["cuts"][-1] if options.base in BUNDLED else cuts(options.base)[-1]
    base = built_base(PhotographSettings(base=options.base, cut=cut, image_size=options.size).settled())
    with tempfile.TemporaryDirectory() as folder:
        photographs = written(folder, options.photographs)
        source = photograph_stream(photographs, NETWORKS[options.base].preparation.function, options.size)
        measured(base, photograph_stream(photographs[:16], source.prepare, options.size))  # warms up
        seconds, here = measured(base, source)
        print(f"{options.base} up to {cut}, {options.photographs} photographs of {options.size} pixels")
        print(f"one process, {threads()} threads: {seconds:.1f} s")
        with (
            LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
            ) as local,
            Cluster(local.scheduler_address) as cluster,
        ):
            few = photograph_stream(photographs[:16], source.prepare, options.size)
            measured(base, few, cluster.map)
            for what, map in (
                ("two workers", cluster.map),
                ("two workers, one killed", with_one_killed(cluster, options.photographs // 8)),
            ):
                seconds, there = measured(base, source, map)
                equal = "equal bit for bit" if np.array_equal(here, there) else "NOT EQUAL"
                print(f"{what}: {seconds:.1f} s, rows {equal}")


if __name__ == "__main__":
    main()

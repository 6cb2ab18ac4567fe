"""The time of loading weights, beside h5py reading the same arrays: `python -m benchmarks.weights [FILE]`.

Both run in turn on a file that minitl knows already. The first loading goes through a child process and is timed
separately. Without FILE, it is the published VGG16 base if this machine has it, else the bundled part of it.
"""

import gc
import statistics
import sys
import time
from pathlib import Path

import h5py

from minitl.applications import VGG16
from minitl.weights import bundled_file
from minitl.weights.published.catalogue import present

ROUNDS = 25


def read_with_h5py(path):
    """Return every array that the file names."""
    arrays = []
    with h5py.File(path) as file:
        for layer in file.attrs["layer_names"]:
            group = file[layer]
            arrays += [group[name][()] for name in group.attrs["weight_names"]]
    return arrays


def main():
    """Measure and print the times."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else present("vgg16-notop")
    path = path or bundled_file("vgg16_imagenet_blocks1to3.h5")
    model = VGG16(weights=None, include_top=False)
    start = time.perf_counter()
    report = model.load_weights(path, partial=True)
    print(
        f"{path}: {report.parameters:,} parameters\nloaded for the first time here {time.perf_counter() - start:.3f} s"
    )
    model.load_weights(path, partial=True)
    seconds = {"h5py": [], "minitl": []}
    for _ in range(ROUNDS):
        for name, load in ("h5py", read_with_h5py), ("minitl", lambda path: model.load_weights(path, partial=True)):
            gc.collect()
            start = time.perf_counter()
            load(path)
            seconds[name].append(time.perf_counter() - start)
    for name, times in seconds.items():
        print(f"{name:6} {1e3 * statistics.median(times):6.1f} ms  ({1e3 * min(times):.1f} to {1e3 * max(times):.1f})")
    print(f"ratio  {statistics.median(seconds['minitl']) / statistics.median(seconds['h5py']):6.2f}")


if __name__ == "__main__":
    main()

"""An examination of this machine, for whoever asks why minitl is slow or misses something: `minitl doctor`.

It measures one matrix product, which nearly all of a network's time goes to, and looks at what is installed and at what
lies in minitl's folder. It changes nothing, and takes a second or two.
"""

import importlib.metadata
import importlib.util
import os
import platform
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np

from ..errors import MinitlError
from ..features import cache
from ..files.home import home_folder
from ..kernels.parallel import threads
from ..terminal import printable, table, wrapped
from ..version import __version__
from ..weights.published import catalogue

SIDE = 1024  # of the matrices
TRIES = 5
LARGEST_CHECKED = 150 * 10**6  # bytes of a file of weights; to digest a larger one takes seconds
# {extra: (the package that is imported, its name for pip, the words for its use)}
EXTRAS = {
    "images": ("PIL", "pillow", "photographs from files"),
    "heic": ("pillow_heif", "pillow-heif", "photographs of iPhones (.heic)"),
    "plots": ("matplotlib", "matplotlib", "the figures of --report"),
    "convert": ("torch", "torch", "files of PyTorch (.pt, .pth)"),
    "convert (ONNX)": ("onnx", "onnx", "export to ONNX"),
    "sklearn": ("sklearn", "scikit-learn", "minitl.sklearn"),
    "text": ("pyarrow", "pyarrow", "texts in Parquet files"),
    "test": ("pytest", "pytest", "minitl's own tests"),
}
# {variable: what it does where it is set}
SLOWING = {
    "OPENBLAS_CORETYPE": "it chooses the products of another processor, which may take twice as long",
    "OPENBLAS_L2_SIZE": "it changes the blocks of matrix products",
}
LIMITING = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Examination:
    """The findings: everything that the command prints, as plain data.

    blas                     {"name", "version"} of the library of matrix products that NumPy was built with
    gflops                   10**9 operations a second, measured on a product of two matrices
    memory, memory_free      bytes, or None where the system does not say
    extras                   [{"extra", "package", "version" (None: not installed), "for"}]
    home                     the path of minitl's folder;   kept   {kind: {"number", "bytes"}} of what lies in it
    weights                  [{"name", "path", "intact" (None: not checked)}] of the published weights that are here
    warnings                 sentences
    """

    minitl: str
    python: str
    system: str
    numpy: str
    blas: dict
    cores: int
    threads: int
    gflops: float
    memory: int | None
    memory_free: int | None
    extras: list
    home: str
    kept: dict
    weights: list
    warnings: list

    def as_data(self):
        """Return the findings as JSON can hold them."""
        return asdict(self)

    def __str__(self):
        memory = "unknown"
        if self.memory is not None:
            memory = f"{cache.size_text(self.memory)}, {cache.size_text(self.memory_free)} of it free"
        rows = [
            ["minitl", self.minitl],
            ["Python", f"{self.python}, {self.system}"],
            ["NumPy", f"{self.numpy}, with {self.blas['name']} {self.blas['version']}"],
            ["threads", f"{self.threads} of {self.cores} cores"],
            ["speed", f"{self.gflops:.0f} GFLOP/s ({SIDE}x{SIDE} matrices, float32)"],
            ["memory", memory],
            ["folder", self.home],
            *([kind, f"{each['number']:,}, {cache.size_text(each['bytes'])}"] for kind, each in self.kept.items()),
        ]
        width = max(len(name) for name, _ in rows) + 2
        lines = [wrapped(f"{name:<{width}}{printable(text)}", " " * width) for name, text in rows]
        rows = [["extra", "installed", "for"]]
        rows += [[each["extra"], each["version"] or "no", each["for"]] for each in self.extras]
        lines += ["", table(rows), ""]
        for each in self.weights:
            state = {True: "as published", False: "DAMAGED", None: "not checked (large): minitl weights verify FILE"}
            lines.append(wrapped(f"weights of {each['name']}: {state[each['intact']]}", "  "))
        if not self.weights:
            lines.append("No published weights are here yet: minitl weights get NAME fetches some.")
        lines += ["", *(wrapped(f"WARNING: {text}", "  ") for text in self.warnings)]
        return "\n".join([*lines, *["Nothing is wrong."] * (not self.warnings)])


def examine():
    """Return the `Examination` of this machine."""
    memory, free = memory_bytes()
    warnings, kept, weights, home = [], {}, [], ""
    try:
        home = str(home_folder())
        for entry in cache.contents():
            found = kept.setdefault(entry.kind, {"number": 0, "bytes": 0})
            found["number"], found["bytes"] = found["number"] + 1, found["bytes"] + entry.size
        weights = published_weights()
    except MinitlError as error:
        warnings.append(str(error))
    warnings += [f"weights of {each['name']}: {each['path']} is damaged. Fetch them again: minitl weights get "
                 f"{each['name']} --again." for each in weights if each["intact"] is False]  # fmt: skip
    warnings += [f"{name} is set to {os.environ[name]}: {why}. Unset it." for name, why in SLOWING.items()
                 if os.environ.get(name)]  # fmt: skip
    cores, used = os.cpu_count() or 1, threads()
    limits = [f"{name}={os.environ[name]}" for name in LIMITING if os.environ.get(name)]
    if used < cores and limits:
        warnings.append(f"minitl uses {used} of {cores} cores, because of {' and '.join(limits)}.")
    return Examination(
        __version__, platform.python_version(), f"{platform.system()} {platform.machine()}", np.__version__, blas(),
        cores, used, product_speed(), memory, free, extras(), home, kept, weights, warnings,
    )  # fmt: skip


def product_speed():
    """Return the best speed of a few matrix products in GFLOP a second: 2 * SIDE**3 operations each."""
    a = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
    seconds = []
    for _ in range(TRIES):
        start = time.perf_counter()
        np.matmul(a, a)
        seconds.append(time.perf_counter() - start)
    return 2 * SIDE**3 / min(seconds) / 1e9


def blas():
    """Return the name and the version of the library that NumPy computes matrix products with."""
    try:
        found = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    except (TypeError, KeyError):
        found = {}
    return {"name": found.get("name", "an unknown BLAS"), "version": found.get("version", "")}


def memory_bytes():
    """Return (the memory of this machine, what is free of it) in bytes, or (None, None) where the system does not say.

    Linux counts memory that holds copies of files as available; others are asked for pages, if they count them.
    """
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            entries = dict(line.split(":", 1) for line in file)
        return tuple(1024 * int(entries[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    except (OSError, ValueError, KeyError):
        pass
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        return tuple(page * os.sysconf(name) for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return None, None


def extras():
    """Return what is installed of the optional packages, and what each is for."""
    found = []
    for extra, (module, package, use) in EXTRAS.items():
        version = None
        if module in sys.modules or importlib.util.find_spec(module):
            try:
                version = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                version = "yes"
        found.append({"extra": extra, "package": package, "version": version, "for": use})
    return found


def published_weights():
    """Return the published weights on this machine, and whether each file is as it was published."""
    found = []
    for name in catalogue.CATALOGUE:
        path = catalogue.present(name)
        if path is None:
            continue
        intact = None
        if path.stat().st_size <= LARGEST_CHECKED:
            try:
                intact = catalogue.check(name, path) is not None
            except MinitlError:
                intact = False
        found.append({"name": name, "path": str(path), "intact": intact})
    return found

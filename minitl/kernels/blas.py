"""NumPy's BLAS: its threads, and the processors that its code is written for.

Who calls this: `parallel`, which limits BLAS to one thread, and `winograd_choice`, which asks about small products.
"""

import ctypes
import importlib
from pathlib import Path

import numpy as np


class OpenBLAS:
    """The functions of NumPy's OpenBLAS. `name` is the pattern of their names: "openblas_{}"."""

    PTHREADS = 1  # OpenBLAS can be built in three ways: 0 sequential, 1 with pthreads, 2 with OpenMP

    def __init__(self, library, name):
        self.get = getattr(library, name.format("get_num_threads"))
        self.set = getattr(library, name.format("set_num_threads"))
        self.kind = getattr(library, name.format("get_parallel"))
        self.core = getattr(library, name.format("get_corename"), None)  # needed for nothing but speed
        self.get.restype, self.get.argtypes = ctypes.c_int, ()
        self.set.restype, self.set.argtypes = None, (ctypes.c_int,)
        self.kind.restype, self.kind.argtypes = ctypes.c_int, ()
        if self.core:
            self.core.restype, self.core.argtypes = ctypes.c_char_p, ()


def _find_openblas():
    """Return the OpenBLAS that NumPy has loaded, or None if NumPy was built with another BLAS.

    Most systems find the functions through NumPy's own extension module, because they search the libraries that it was
    linked with. Windows does not: there NumPy's wheels bring OpenBLAS in a folder beside the package.
    """
    paths = [importlib.import_module("numpy.linalg._umath_linalg").__file__]
    paths += sorted(map(str, Path(np.__file__).parents[1].glob("numpy.libs/*openblas*.dll")))
    for path in paths:
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        # The names differ between NumPy 2's wheels, NumPy 1's, and other builds.
        for name in ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}"):
            try:
                return OpenBLAS(library, name)
            except AttributeError:
                continue
    return None


_found = _find_openblas()


def with_one_setting():
    """Return the OpenBLAS of NumPy, or None where its threads cannot be limited: an OpenBLAS with OpenMP threads has no
    single setting for all threads of a program."""
    return _found if _found and _found.kind() == OpenBLAS.PTHREADS else None


def small_products_are_slow():
    """Return whether products of a few rows take long: in OpenBLAS's code for processors without AVX-512.

    A product (6, 6) @ (6, 3584) takes 18.8 microseconds there, and 2.3 with AVX-512, where OpenBLAS has code of its own
    for small products. Its names for the processors without it are Haswell (which also serves AMD's Zen 2 and 3) and
    Zen. It was not measured on others.
    """
    return bool(_found and _found.core) and _found.core() in (b"Haswell", b"Zen")

"""The transform U of a kernel (`winograd`), kept from one call of a layer to the next."""

from typing import NamedTuple

import numpy as np

from .parallel import share, slices
from .winograd import transformed_kernel


class Kept(NamedTuple):
    """A transform and all that it was made from."""

    kernel: np.ndarray
    scale: np.ndarray | None
    tiles: tuple  # the outputs of a tile along rows and columns, which tell the forms of a kernel apart
    u: np.ndarray


class KernelTransform:
    """The transform U of a kernel that is used again and again. It is made anew when the kernel has changed.

    For each of VGG16's 512x512 kernels U has 38 MB and takes 6 ms to make. Code that changes a kernel need not report
    it: every number of the kernel is compared with a copy of the kernel that U was made from. That takes 1 ms.
    """

    def __init__(self):
        self.drop()

    def drop(self):
        """Forget U and free its memory."""
        self.kept = None

    def of(self, kernel, forms, scale=None):
        """Return U of `kernel`, or of kernel * scale with scale (F,), by the `winograd.forms_for` the maps at hand."""
        kept = self.kept  # one tuple, so threads read and replace it as a whole
        tiles = tuple(form.outputs for form in forms)
        if kept is None or kept.tiles != tiles or not _equal(kept.kernel, kernel) or not _same_scale(kept.scale, scale):
            copied, scale = kernel.copy(), None if scale is None else scale.copy()
            scaled = copied if scale is None else copied * scale
            u = transformed_kernel(scaled, forms, allocate=np.empty)  # to stay, so not from `memory`
            kept = self.kept = Kept(copied, scale, tiles, u)
        return kept.u


def _same_scale(a, b):
    """Return whether both scales are None, or both are equal arrays."""
    return (a is None) == (b is None) and (a is None or _equal(a, b))


def _equal(a, b):
    """Return whether two arrays have the same shape, type and bits."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    a, b = (np.ascontiguousarray(each).reshape(-1).view(f"u{each.itemsize}") for each in (a, b))
    same = []

    def compare(parts):
        same.extend(np.array_equal(a[part], b[part]) for part in parts)

    share(compare, slices(len(a), -(-a.nbytes // 2**18)))
    return all(same)

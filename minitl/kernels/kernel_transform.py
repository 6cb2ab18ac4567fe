"""The transform U of a kernel (`winograd`), kept from one call of a layer to the next."""

import numpy as np

from .parallel import share, slices
from .winograd import transformed_kernel


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

    def of(self, kernel, scale=None):
        """Return U of `kernel`, or of kernel * scale with scale (F,)."""
        kept = self.kept  # (copy of kernel, copy of scale, U): one tuple, so threads read and replace it as a whole
        if kept is None or not _equal(kept[0], kernel) or not _same_scale(kept[1], scale):
            copies = kernel.copy(), None if scale is None else scale.copy()
            scaled = copies[0] if scale is None else copies[0] * scale
            kept = self.kept = *copies, transformed_kernel(scaled, allocate=np.empty)  # to stay, so not from `memory`
        return kept[2]


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

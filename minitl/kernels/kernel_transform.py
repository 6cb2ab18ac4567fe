"""The transform U of a kernel (`winograd`), kept from one call of a layer to the next."""

from typing import NamedTuple

import numpy as np

from .parallel import share, slices
from .winograd import transformed_kernel


class Kept(NamedTuple):
    """The latest transforms of a kernel, one or two, and what they were made from."""

    kernel: np.ndarray
    scale: np.ndarray | None
    transforms: dict  # {the outputs of a tile along rows and columns, which tell the forms of a kernel apart: U}


class KernelTransform:
    """The transform U of a kernel that is used again and again. It is made anew when the kernel has changed.

    For each of VGG16's 512x512 kernels U has 38 or 51 MB, by the tiles, and takes 6 ms to make. A layer that meets maps
    of two sizes in turn, with different tiles, has two of them. Code that changes a kernel need not report
    it: every number of the kernel is compared with a copy of the kernel that U was made from. That takes 1 ms.
    """

    def __init__(self):
        self.drop()

    def drop(self):
        """Forget U and free its memory."""
        self.kept = None

    def of(self, kernel, forms, scale=None):
        """Return U of `kernel`, or of kernel * scale with scale (F,), by the forms that `winograd_choice` gives."""
        kept = self.kept  # one tuple that is not changed, so threads read and replace it as a whole
        if kept is None or not _equal(kept.kernel, kernel) or not _same_scale(kept.scale, scale):
            kept = Kept(kernel.copy(), None if scale is None else scale.copy(), {})
        tiles = tuple(form.outputs for form in forms)
        if tiles not in kept.transforms:
            scaled = kept.kernel if kept.scale is None else kept.kernel * kept.scale
            u = transformed_kernel(scaled, forms, allocate=np.empty)  # to stay, so not from `memory`
            latest = dict(list(kept.transforms.items())[-1:])
            kept = self.kept = kept._replace(transforms={**latest, tiles: u})
        return kept.transforms[tiles]


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

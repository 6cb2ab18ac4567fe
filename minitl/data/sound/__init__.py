"""Sound as numbers: recordings from files, and what a network is given of them.

`reading` reads a file (`wav`, `sound_kinds`). The arithmetic is in `kernels`: `resampling_in_time`, `spectra`, `mel`,
`gain_normalization`.
"""

from .reading import Sound, read_sound

__all__ = ["Sound", "read_sound"]

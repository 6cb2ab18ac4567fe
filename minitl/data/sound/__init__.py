"""Sound as numbers: recordings from files and folders, and what a network is given of them.

`reading` reads a file (`wav`, `sound_kinds`). `folder` has labelled recordings: `layout` and `naming` find them,
`audit` says what is wrong with them, and `groups` keeps together what must not be divided. `front_ends` makes
spectrograms of samples, `augmentation` varies both, and `stream` makes batches. The arithmetic is in `kernels`:
`resampling_in_time`, `spectra`, `mel`, `gain_normalization`.
"""

from .augmentation import SoundAugmentation, SpectrogramMasks
from .folder import Recording, SoundFolder, audit_sounds
from .front_ends import EvenMel, LogMel, Samples
from .reading import Sound, read_sound
from .stream import SoundStream

__all__ = [
    "EvenMel",
    "LogMel",
    "Recording",
    "Samples",
    "Sound",
    "SoundAugmentation",
    "SoundFolder",
    "SoundStream",
    "SpectrogramMasks",
    "audit_sounds",
    "read_sound",
]

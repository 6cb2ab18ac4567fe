"""Data: images and labels, from the bundled set, from files, and from folders of photographs.

The set that comes with the project is in `bundled`, and the larger set that it was taken from in `idx`. `images` and
`photos` read single files, in the colours of `colours`. `folders` reads a folder of photographs, which `walk`, `parts`
and `split` find, recognize and divide, and `stream` reads its images when they are needed.
`augmentation` varies them, and `preparation` prepares them as a network expects.
"""

from ..kernels.images import grey_to_rgb, resize
from .augmentation import Augmentation
from .bundled import ImageSet, fashion_mnist_few_shot
from .folders import Photo, PhotoFolder, audit_folder
from .idx import fashion_mnist, read_idx
from .images import read_image
from .photos import open_photo
from .stream import PhotoStream

__all__ = [
    "Augmentation",
    "ImageSet",
    "Photo",
    "PhotoFolder",
    "PhotoStream",
    "audit_folder",
    "fashion_mnist",
    "fashion_mnist_few_shot",
    "grey_to_rgb",
    "open_photo",
    "read_idx",
    "read_image",
    "resize",
]

"""Where images come from: the set that comes with the project (`bundled`) and the one it was cut from (`idx`), files
(`images`, `photos`), and folders of photographs (`folders`), read as they are needed (`stream`), varied
(`augmentation`), and prepared as a network expects them (`preparation`)."""

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

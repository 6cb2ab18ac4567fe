"""Data: images and labels, from the bundled set, from files, and from folders of photographs.

The set that comes with the project is in `bundled`, and the larger set that it was taken from in `idx`. `images` and
`photos` read single files, in the colours of `colours`. `folders` reads a folder of photographs, which `walk`, `parts`
and `split` find, recognize and divide, and `stream` reads its images when they are needed.
`detection_folder` reads photographs with boxes, and `drawing` draws boxes and masks.
`augmentation` varies images, and `box_augmentation` their boxes as well. `preparation` prepares them as a network
expects.
"""

from ..kernels.images import grey_to_rgb, resize
from .augmentation import Augmentation
from .box_augmentation import BoxedAugmentation
from .bundled import ImageSet, fashion_mnist_few_shot
from .detection_folder import BoxedPhoto, DetectionFolder, audit_detection
from .drawing import draw_boxes, overlay_mask
from .folders import Photo, PhotoFolder, audit_folder
from .idx import fashion_mnist, read_idx
from .images import read_image
from .photos import open_photo
from .stream import PhotoStream

__all__ = [
    "Augmentation",
    "BoxedAugmentation",
    "BoxedPhoto",
    "DetectionFolder",
    "ImageSet",
    "Photo",
    "PhotoFolder",
    "PhotoStream",
    "audit_detection",
    "audit_folder",
    "draw_boxes",
    "fashion_mnist",
    "fashion_mnist_few_shot",
    "grey_to_rgb",
    "open_photo",
    "overlay_mask",
    "read_idx",
    "read_image",
    "resize",
]

"""Data: images, texts and labels, from the bundled set, from files, and from folders.

The set that comes with the project is in `bundled`, and the larger set that it was taken from in `idx`. `images` and
`photos` read single files, in the colours of `colours`. `folders` reads a folder of photographs, which `walk`, `parts`
and `split` find, recognize and divide, and `stream` reads its images when they are needed.
`augmentation` varies them, and `preparation` prepares them as a network expects.

For segmentation, `masks` reads class numbers, and `segmentation_folder` a folder of photographs with masks: `pairing`
finds them, `masked_photos` reads them, and `coco` and `polygons` make masks of COCO files. `paired_augmentation` varies
image and mask alike, and `shapes` draws a set that needs no files.

For detection, `detection_folder` reads photographs with boxes, and `box_augmentation` varies images and boxes alike.
`variations` draws a fixed number of variations of each photograph, so that what a network computes from them can be
kept. `drawing` draws boxes and masks.

For programs written for Keras, `pillow_images` reads and writes single images, `image_data_generator` (with
`image_transforms`) and `image_dataset` return sets of images (`image_batches`), and `made_batches` takes the batches
that a program makes.

The package `text` has labelled texts, and the token numbers that are made of them. The package `sound` has labelled
recordings, and the spectrograms that are made of them.
"""

from ..kernels.images import grey_to_rgb, resize
from .augmentation import Augmentation
from .box_augmentation import BoxedAugmentation
from .bundled import ImageSet, fashion_mnist_few_shot
from .coco import read_coco
from .detection_folder import BoxedPhoto, DetectionFolder, audit_detection
from .drawing import draw_boxes, overlay_mask
from .folders import Photo, PhotoFolder, audit_folder
from .idx import fashion_mnist, read_idx
from .images import read_image
from .masked_photos import MaskedPhoto, read_pair
from .masks import read_mask, resize_mask
from .paired_augmentation import PairedAugmentation
from .photos import open_photo
from .segmentation_folder import SegmentationFolder, audit_segmentation
from .shapes import shapes_on_textures
from .sound.folder import Recording, SoundFolder, audit_sounds
from .sound.reading import Sound, read_sound
from .sound.stream import SoundStream
from .stream import PhotoStream
from .text.folder import Text, TextFolder, read_texts
from .text.stream import TokenStream

__all__ = [
    "Augmentation",
    "BoxedAugmentation",
    "BoxedPhoto",
    "DetectionFolder",
    "ImageSet",
    "MaskedPhoto",
    "PairedAugmentation",
    "Photo",
    "PhotoFolder",
    "PhotoStream",
    "Recording",
    "SegmentationFolder",
    "Sound",
    "SoundFolder",
    "SoundStream",
    "Text",
    "TextFolder",
    "TokenStream",
    "audit_detection",
    "audit_folder",
    "audit_segmentation",
    "audit_sounds",
    "draw_boxes",
    "fashion_mnist",
    "fashion_mnist_few_shot",
    "grey_to_rgb",
    "open_photo",
    "overlay_mask",
    "read_coco",
    "read_idx",
    "read_image",
    "read_mask",
    "read_pair",
    "read_sound",
    "read_texts",
    "resize",
    "resize_mask",
    "shapes_on_textures",
]

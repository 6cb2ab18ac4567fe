"""The table of published networks. Every test that holds for all of them takes its cases from `NETWORKS`.

To add a network, write one entry; the numbers are those of Keras's network of the same name and of its publication.
`beside_keras` says how it is trained beside Keras's network with random weights in `tests/peers/test_networks.py`;
None leaves that to tests of its own, as VGG16's in `tests/peers/test_vgg16.py`. Keras does not have EfficientNetLite0;
`tests/peers/test_efficientnet_lite0.py` compares it with a network in PyTorch.

`test_applications.py` fails for a network of `minitl.applications` without a case.
"""

from typing import NamedTuple

import minitl.applications
from minitl import initializers


class BesideKeras(NamedTuple):
    """A comparison with Keras's network: sizes of images, frozen layers, and the learning rate."""

    sizes: list  # (height, width) of images whose outputs are compared: native, smaller, not square
    training_size: tuple  # of images that gradients are compared for
    unfrozen_after: str  # the layer before the fine-tuned ones
    rate: float  # of ten steps of SGD with momentum


class NetworkCase(NamedTuple):
    """A network, and the numbers that are published of it."""

    name: str  # in minitl.applications, and in keras.applications
    module: str  # its module in minitl.applications
    parameters: int  # with its top
    parameters_without_top: int
    layers: int  # with its top and with the input layer
    native_size: int  # pixels; the size that the published weights were trained on
    smallest_size: int  # pixels, of which one is left at the end
    map_shape: tuple  # at the end, without the top, of an image of the native size
    beside_keras: BesideKeras | None = None

    def build(self, **arguments):
        """Return the network with weights that mean nothing; no random numbers are drawn, which would take seconds."""
        with initializers.weights_will_be_loaded():
            return getattr(minitl.applications, self.name)(weights=None, **arguments)


NETWORKS = [
    NetworkCase("VGG16", "vgg16", 138_357_544, 14_714_688, 23, 224, 32, (7, 7, 512)),
    NetworkCase(
        "ResNet50", "resnet50", 25_636_712, 23_587_712, 177, 224, 32, (7, 7, 2048),
        BesideKeras([(224, 224), (97, 97), (64, 128)], (96, 80), "conv4_block6_out", rate=1e-6),
    ),
    NetworkCase(
        "InceptionV3", "inception_v3", 23_851_784, 21_802_784, 313, 299, 75, (8, 8, 2048),
        BesideKeras([(299, 299), (139, 139), (111, 180)], (139, 107), "mixed8", rate=1e-3),
    ),
    # 4,652,008 parameters that learn, as published, and 42,016 moving statistics
    NetworkCase("EfficientNetLite0", "efficientnet_lite0", 4_694_024, 3_413_024, 144, 224, 32, (7, 7, 1280)),
]  # fmt: skip

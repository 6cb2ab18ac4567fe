"""The network of the study: AlexNet's plan at a hundredth of its width, 104 thousand parameters.

Yosinski et al. cut AlexNet, five convolutions and two dense layers before the softmax. This one has four and two, and
like AlexNet it loses resolution at once, in a first convolution with a stride: an image costs 2.7 million
multiplications, and one core trains on some 1,700 images a second.

No batch normalization: AlexNet had none, and it would blur what is asked here. "The first n layers are copied and do
not move" must mean that they compute the same as before, and six layers train well without it.
"""

from ...layers import Conv2D, Dense, Flatten, MaxPooling2D
from ...models import Sequential

# What can be copied, from the image on: a cut at n keeps the first n of these. Behind them comes the softmax layer,
# which is always new, because it is about the classes.
CUTTABLE = ("conv1", "conv2", "conv3", "conv4", "dense1", "dense2")


def network(classes):
    """A new network with random weights: images (N, 28, 28, 1) -> probabilities (N, classes)."""

    def conv(number, filters, size=3, **options):
        return Conv2D(filters, size, padding="same", activation="relu", kernel_initializer="he_uniform",
                      name=f"conv{number}", **options)  # fmt: skip

    def dense(number, units):
        return Dense(units, activation="relu", kernel_initializer="he_uniform", name=f"dense{number}")

    return Sequential(
        [
            conv(1, 16, size=5, strides=2, input_shape=(28, 28, 1)),  # (N, 14, 14, 16)
            conv(2, 32),  # (N, 14, 14, 32)
            MaxPooling2D(2, name="pool2"),  # (N, 7, 7, 32)
            conv(3, 48),  # (N, 7, 7, 48)
            conv(4, 48),  # (N, 7, 7, 48)
            MaxPooling2D(2, name="pool4"),  # (N, 3, 3, 48)
            Flatten(name="flatten"),  # (N, 432)
            dense(1, 128),  # (N, 128)
            dense(2, 64),  # (N, 64)
            Dense(classes, activation="softmax", name="predictions"),
        ],
        name="study",
    )

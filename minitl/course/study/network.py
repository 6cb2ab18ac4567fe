"""The network of the study: AlexNet's plan at a hundredth of its width, 104 thousand parameters.

Yosinski et al. cut AlexNet, five convolutions and two dense layers before the softmax. This one has four and two, and
like AlexNet it loses resolution at once, in a first convolution with a stride: an image costs 2.7 million
multiplications, and one core trains on about 1,700 images a second.

No batch normalization: AlexNet had none, and it would disturb the experiment. Copied and frozen layers must compute the
same as before, but the statistics of a batch normalization change in training. Six layers train well without it.
"""

from ...layers import Conv2D, Dense, Flatten, MaxPooling2D
from ...models import Sequential

# The layers that can be copied, from the input on: a cut at n keeps the first n of these. The softmax layer behind them
# is always new, because its outputs are the classes.
CUTTABLE = ("conv1", "conv2", "conv3", "conv4", "dense1", "dense2")


def network(classes):
    """Return a new network with random weights: images (N, 28, 28, 1) -> probabilities (N, classes)."""

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

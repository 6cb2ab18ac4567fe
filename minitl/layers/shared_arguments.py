"""Keras's arguments that many layers share, for `arguments.keras_arguments`."""

from ..arguments import ACTIVITY_REGULARIZER, CONSTRAINT, DTYPE, REGULARIZER, NotHere

# of the layers with a kernel
OF_KERNELS = {
    "kernel_regularizer": REGULARIZER,
    "bias_regularizer": REGULARIZER,
    "activity_regularizer": ACTIVITY_REGULARIZER,
    "kernel_constraint": CONSTRAINT,
    "bias_constraint": CONSTRAINT,
}
# of all layers
OF_ALL_LAYERS = {"activity_regularizer": ACTIVITY_REGULARIZER, "autocast": NotHere(True), "dtype": DTYPE}

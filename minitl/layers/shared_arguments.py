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
# of the layers that convolve each channel by itself, and of those that mix the channels behind it
OF_DEPTHWISE_KERNELS = {
    "depthwise_regularizer": REGULARIZER,
    "bias_regularizer": REGULARIZER,
    "activity_regularizer": ACTIVITY_REGULARIZER,
    "depthwise_constraint": CONSTRAINT,
    "bias_constraint": CONSTRAINT,
}
OF_SEPARABLE_KERNELS = {
    **{f"{kind}_regularizer": REGULARIZER for kind in ("depthwise", "pointwise", "bias")},
    "activity_regularizer": ACTIVITY_REGULARIZER,
    **{f"{kind}_constraint": CONSTRAINT for kind in ("depthwise", "pointwise", "bias")},
}
# of all layers
OF_ALL_LAYERS = {"activity_regularizer": ACTIVITY_REGULARIZER, "autocast": NotHere(True), "dtype": DTYPE}

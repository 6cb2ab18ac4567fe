"""Keras's arguments of recurrent layers that minitl does not have, and what to write instead; and their inputs."""

from ..arguments import NotHere, keras_arguments
from ..errors import ShapeError
from ..terminal import counted
from .shared_arguments import OF_KERNELS

REGULARIZERS = {
    name: OF_KERNELS[name.replace("recurrent", "kernel")]
    for name in ("kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "activity_regularizer",
                 "kernel_constraint", "recurrent_constraint", "bias_constraint")
}  # fmt: skip
RECURRENT_DROPOUT = NotHere(
    0.0, instead="Use dropout, which drops inputs, or a Dropout layer before or behind this one."
)
STATEFUL = NotHere(
    False,
    instead="Hand the states on yourself: return_state=True gives them, and initial_state=[...] takes them.",
)
UNROLL = NotHere(False, (True,))  # the steps are always a loop
CUDNN = NotHere("auto", (False,))
IMPLEMENTATION = NotHere(2, (0, 1))  # of old programs; the numbers are the same


def recurrent_arguments(seed_stands_last=False):
    """Return a decorator that gives `__init__` Keras's arguments that are not here, at Keras's places.

    seed_stands_last   Keras's SimpleRNN has `seed` behind all others, LSTM and GRU have it behind the dropouts
    """

    def decorate(init):
        names = init.__code__.co_varnames[: init.__code__.co_argcount]
        init = keras_arguments(after="bias_initializer" if "unit_forget_bias" not in names else "unit_forget_bias",
                               **REGULARIZERS)(init)  # fmt: skip
        init = keras_arguments(after="dropout", recurrent_dropout=RECURRENT_DROPOUT)(init)
        init = keras_arguments(after="go_backwards", stateful=STATEFUL, unroll=UNROLL)(init)
        last = {"use_cudnn": CUDNN, "implementation": IMPLEMENTATION}
        if seed_stands_last:
            return keras_arguments(after="seed", **last)(init)
        return keras_arguments(after="reset_after" if "reset_after" in names else "unroll", **last)(init)

    return decorate


def sequence_shape(input_shape):
    """Return the shape of the sequences: `input_shape` is that, or a list with the shapes of states behind it."""
    return input_shape[0] if isinstance(input_shape, list) else input_shape


def state_shapes(input_shape):
    """Return the shapes of the states that the layer is given."""
    return input_shape[1:] if isinstance(input_shape, list) else []


def check_states(layer, shapes):
    """Raise ShapeError unless these are the shapes of as many states as the layer has, or of none."""
    if shapes and (len(shapes) != layer.states or any(tuple(each[1:]) != (layer.units,) for each in shapes)):
        raise ShapeError(
            f"layer '{layer.name}' expected {counted(layer.states, 'state')} of shape (N, {layer.units}) behind the "
            f"sequences, found {[tuple(each) for each in shapes]}."
        )

"""Recurrent layers: SimpleRNN, LSTM, GRU. They read a sequence step by step and carry a state from step to step.

The math of one step and its gradient is in `kernels/recurrent.py` (read it first: it explains the way back through
time), `kernels/lstm.py` and `kernels/gru.py`. This file has what is around the steps: the product of all inputs before
the loop, the loop, masks, the products for the gradients of the weights after it.

Arrays in here are time-major, (T, N, ...), so that the numbers of one step lie side by side. Keras's names of the
weights are kept: kernel (D, G*U) for the inputs, recurrent_kernel (U, G*U) for the state, bias; G is the number of
gates, which lie side by side in blocks of U columns. Read next: `wrappers`, where a sequence is read in both directions.
"""

import numpy as np

from .. import initializers
from ..arguments import number, truth_value, whole_number
from ..errors import ArgumentError, DataError, ShapeError
from ..kernels import channel_sums, matmul
from ..kernels.elementwise import contiguous
from ..kernels.gates import Gates
from ..kernels.gru import (
    gru_step,
    gru_step_gradient,
    gru_step_reset_before,
    gru_step_reset_before_gradient,
)
from ..kernels.lstm import lstm_step, lstm_step_gradient
from ..kernels.memory import empty
from ..kernels.precision import as_float
from ..kernels.recurrent import simple_rnn_step, simple_rnn_step_gradient
from ..randomness import generator
from ..terminal import counted
from .activations import activation_functions
from .base import Layer
from .recurrent_arguments import recurrent_arguments


class _Recurrent(Layer):
    """The base of the recurrent layers.  x (N, T, D) -> (N, units), or (N, T, units) with return_sequences=True.

    return_sequences      return the output of every step, not of the last one alone
    return_state          return the output, then each state after the last step, for another layer's `initial_state`
    go_backwards          read the sequence from its end. The outputs come in the order in which they were computed
    dropout               in training, the share of the inputs that are set to 0: the same ones at every step
    zero_output_for_mask  the output of a masked step is 0. By default it is that of the step before

    The layer takes x alone, or a list: x, then each state (N, units) to begin with. Without these, states begin with 0.
    In a graph they may also be called `initial_state`.

    mask (N, T): True where a step is real. In a step that is not, the states and the output stay as they were; before
    the first real step the output is 0.
    """

    takes_integers = False
    takes_several = True
    keyword_inputs = ("mask",)
    input_axes = {"kernel": 0}
    training_only = ("dropout", "seed", "unit_forget_bias")
    gates = 1
    states = 1  # h; and c in an LSTM

    def __init__(
        self,
        units,
        activation,
        use_bias,
        kernel_initializer,
        recurrent_initializer,
        bias_initializer,
        dropout,
        seed,
        return_sequences,
        return_state,
        go_backwards,
        zero_output_for_mask,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = whole_number(units, "units")
        self.activation = "linear" if activation is None else activation
        activation_functions(self.activation)
        self.use_bias = truth_value(use_bias, "use_bias")
        self.kernel_initializer = initializers.checked(kernel_initializer, "kernel_initializer")
        self.recurrent_initializer = initializers.checked(recurrent_initializer, "recurrent_initializer")
        self.bias_initializer = initializers.checked(bias_initializer, "bias_initializer")
        self.dropout, self.seed = number(dropout, "dropout", 0, 1), seed
        if self.dropout == 1:
            raise ArgumentError("dropout is 1; expected less, since nothing would be left of the inputs.")
        self.random, self.generator = self.dropout > 0, generator(seed)
        self.return_sequences = truth_value(return_sequences, "return_sequences")
        self.return_state = truth_value(return_state, "return_state")
        self.go_backwards = truth_value(go_backwards, "go_backwards")
        self.zero_output_for_mask = truth_value(zero_output_for_mask, "zero_output_for_mask")
        self.kernel = self.recurrent_kernel = self.bias = None

    # ---- shapes ----

    def build(self, input_shape):
        features, width = _sequence_shape(input_shape)[2], self.gates * self.units
        self.add_weight("kernel", (features, width), self.kernel_initializer)
        self.add_weight("recurrent_kernel", (self.units, width), self.recurrent_initializer)
        if self.use_bias:
            self.add_weight("bias", self.bias_shape, self.bias_initializer)

    @property
    def bias_shape(self):
        return (self.gates * self.units,)

    def check_input(self, input_shape):
        sequence, states = _sequence_shape(input_shape), _state_shapes(input_shape)
        self.expect_rank(sequence, 3, "(N, T, D)")
        if sequence[1] == 0:
            raise ShapeError(f"layer '{self.name}' got sequences without a step, {tuple(sequence)}; expected T >= 1.")
        if sequence[2] is None:
            raise ShapeError(f"layer '{self.name}' needs to know how many features a step has, found {sequence}.")
        if self.kernel is not None and sequence[2] != len(self.kernel):
            expected = counted(len(self.kernel), "feature")
            raise ShapeError(f"layer '{self.name}' expected {expected} in each step, found {sequence[2]}.")
        if states and (len(states) != self.states or any(tuple(each[1:]) != (self.units,) for each in states)):
            raise ShapeError(
                f"layer '{self.name}' expected {counted(self.states, 'state')} of shape (N, {self.units}) behind the "
                f"sequences, found {[tuple(each) for each in states]}."
            )

    def compute_output_shape(self, input_shape):
        n, steps, _ = _sequence_shape(input_shape)
        output = (n, steps, self.units) if self.return_sequences else (n, self.units)
        return [output, *[(n, self.units)] * self.states] if self.return_state else output

    def compute_output_mask(self, inputs, mask):
        """Return the mask of the output: that of the input if every step has an output, else None."""
        return mask if self.return_sequences else None

    def flops(self, input_shape):
        """Return 2 * T * (numbers of the two kernels): a product and a sum for each of them at each step."""
        return 2 * (self.kernel.size + self.recurrent_kernel.size) * (_sequence_shape(input_shape)[1] or 0)

    def keras_paths(self):
        """Return the paths of the parameters in Keras's files, where a cell within the layer owns them."""
        paths = super().keras_paths().items()
        return {name: (f"{self.class_name}_cell/{legacy}", f"cell/{numbered}") for name, (legacy, numbered) in paths}

    def __call__(self, inputs, initial_state=None, **keywords):
        if initial_state is not None:
            states = initial_state if isinstance(initial_state, (list, tuple)) else [initial_state]
            inputs = [*(inputs if isinstance(inputs, (list, tuple)) else [inputs]), *states]
        return super().__call__(inputs, **keywords)

    # ---- forward ----

    def forward(self, x, training=False, mask=None):
        x, *given = x if isinstance(x, (list, tuple)) else [x]
        self.accept([x.shape, *(each.shape for each in given)] if given else x.shape)
        x, steps = as_float(x), x.shape[1]
        mask = self._checked_mask(mask, x.shape[:2])
        kept = self._draw(x, training)
        z = matmul(self._in_time_order(x, kept).reshape(-1, x.shape[2]), self.kernel)  # (T*N, G*U)
        if self.use_bias:
            z += self.input_bias
        z = z.reshape(steps, len(x), -1)  # (T, N, G*U)
        history = [empty((steps + 1, len(x), self.units), z.dtype) for _ in range(self.states)]
        for k, array in enumerate(history):
            array[0] = given[k] if given else 0
        notes = self._notes(z)
        tools = self._tools(z)
        for t in range(steps):
            before, after = [array[t] for array in history], [array[t + 1] for array in history]
            self._step(z[t], before, after, notes[t], tools)
            if mask is not None:
                for old, new in zip(before, after):
                    np.copyto(new, old, where=~mask[t])
        shown = self._shown(mask)
        self.remember(x if self.trainable else None, x.shape, kept, len(given), z, history, notes, mask, shown)
        y = history[0][1:] if self.return_sequences else history[0][-1]
        if shown is not None:
            y = np.where(shown if self.return_sequences else shown[-1], y, y.dtype.type(0))
        y = np.array(y.swapaxes(0, 1) if self.return_sequences else y, order="C")
        return [y, *(array[-1].copy() for array in history)] if self.return_state else y

    def _checked_mask(self, mask, expected):
        """Return the mask as (T, N, 1), or None. Raises DataError for an array that is no mask of this batch."""
        if mask is None:
            return None
        mask = np.asarray(mask)
        if mask.shape != expected or mask.dtype.kind not in "biu":
            raise DataError(
                f"layer '{self.name}' expected a mask {tuple(expected)} of booleans, True where a step is real; found "
                f"{mask.shape} of {mask.dtype}."
            )
        return self._turned(mask.astype(bool).T)[:, :, None]

    def _draw(self, x, training):
        """Return what the inputs are multiplied with by dropout (N, 1, D), the same at all steps; or None."""
        if not training or not self.dropout:
            return None
        kept = self.generator.random((len(x), 1, x.shape[2]), np.float32) >= self.dropout
        return kept * x.dtype.type(1 / (1 - self.dropout))

    def _in_time_order(self, x, kept):
        """Return x (N, T, D) after dropout as (T, N, D), in the order in which the steps are computed."""
        x = x if kept is None else x * kept
        return contiguous(self._turned(x.swapaxes(0, 1)))

    def _turned(self, array):
        """Return an array (T, ...) in the order in which the steps are computed, and back."""
        return array[::-1] if self.go_backwards else array

    def _shown(self, mask):
        """Return where h is the output, (T, N, 1); elsewhere the output is 0. None: everywhere."""
        if mask is None or mask.all():
            return None
        return mask if self.zero_output_for_mask and self.return_sequences else np.logical_or.accumulate(mask, axis=0)

    # ---- backward ----

    def backward(self, grad):
        """Return dL/dx, and dL/d(state) for each state that the layer was given: see `kernels/recurrent.py`.

        A masked step hands its states on unchanged, and so it does with their gradients.
        """
        dz, dstates = self._through_time(grad)
        _, shape, kept, given, *_ = self.remembered()
        n, steps, features = shape
        dx = matmul(dz[0].reshape(steps * n, -1), self.kernel.T).reshape(steps, n, features)
        dx = np.array(self._turned(dx).swapaxes(0, 1), order="C")  # (N, T, D)
        if kept is not None:
            dx *= kept
        return [dx, *dstates] if given else dx

    def backward_to_parameters(self, grad):
        """Fill the gradients of the weights alone."""
        self._through_time(grad)

    def _through_time(self, grad):
        """Go back through all steps. Fills `gradients`; returns (what `_steps_back` returned, dL/d(first states))."""
        x, _, kept, _, z, history, notes, mask, shown = self.remembered()
        outputs, dstates = self._split(grad, shown)
        dz = self._steps_back(outputs, dstates, z, history, notes, mask)
        if self.trainable:
            self.require_input(x)
            rows = self._in_time_order(x, kept).reshape(-1, x.shape[2])
            self.gradients["kernel"] = matmul(rows.T, dz[0].reshape(len(rows), -1))
            self.gradients["recurrent_kernel"] = self._recurrent_gradient(history[0][:-1], notes, dz)
            if self.use_bias:
                self.gradients["bias"] = self._bias_gradient(dz)
        return dz, dstates

    def _split(self, grad, shown):
        """Return the gradients of the outputs (T, N, U), or None if only the last step has one; and those of the states
        after the last step."""
        y_grad, *of_states = grad if self.return_state else [grad]
        dstates = [np.array(each) for each in of_states] or [
            np.zeros((len(y_grad), self.units), y_grad.dtype) for _ in range(self.states)
        ]
        if not self.return_sequences:
            dstates[0] += y_grad if shown is None else y_grad * shown[-1]
            return None, dstates
        outputs = contiguous(y_grad.swapaxes(0, 1))
        return (outputs if shown is None else outputs * shown), dstates

    def _steps_back(self, outputs, dstates, z, history, notes, mask):
        """Return dL/dz (T, N, G*U) of all steps, in a list with what else `_recurrent_gradient` needs. The gradients of
        the last states, `dstates`, become those of the first."""
        dz = self._gradient_arrays(z)
        tools = self._tools(z, gradient=True)
        for t in reversed(range(len(z))):
            before, after = [array[t] for array in history], [array[t + 1] for array in history]
            if outputs is not None:
                dstates[0] += outputs[t]
            if mask is not None:
                handed_on = [np.where(mask[t], 0, each) for each in dstates]
                for each in dstates:
                    each *= mask[t]
            self._step_gradient(dstates, z[t], before, after, notes[t], [each[t] for each in dz], tools)
            if mask is not None:
                for each, more in zip(dstates, handed_on):
                    each += more
        return dz

    # ---- what a layer says of its step ----

    @property
    def input_bias(self):
        return self.bias

    def _notes(self, z):
        """Return for each step what it keeps for its gradient besides gates and states: an array (T, N, U)."""
        return empty((*z.shape[:2], self.units), z.dtype)

    def _gradient_arrays(self, z):
        """Return the arrays that `_step_gradient` fills, step by step; the first is dL/dz."""
        return [empty(z.shape, z.dtype)]

    def _recurrent_gradient(self, before, notes, dz):
        """Return dL/d(recurrent_kernel) from the states h before each step (T, N, U): one product for all steps."""
        return _product(before, dz[0])

    def _bias_gradient(self, dz):
        return channel_sums(dz[0])


class SimpleRNN(_Recurrent):
    """h = activation(x @ kernel + h @ recurrent_kernel + bias), step by step."""

    config_names = ("units", "activation", "use_bias", "dropout", "seed", "return_sequences", "return_state",
                    "go_backwards", "zero_output_for_mask")  # fmt: skip

    @recurrent_arguments(seed_stands_last=True)
    def __init__(
        self,
        units,
        activation="tanh",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        dropout=0.0,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        seed=None,
        zero_output_for_mask=False,
        **kwargs,
    ):
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, dropout, seed,
            return_sequences, return_state, go_backwards, zero_output_for_mask, **kwargs,
        )  # fmt: skip

    def _notes(self, z):
        return [None] * len(z)

    def _tools(self, z, gradient=False):
        kernel = np.ascontiguousarray(self.recurrent_kernel.T) if gradient else self.recurrent_kernel
        return kernel, Gates([self.activation], self.units, z.dtype)

    def _step(self, z, before, after, note, tools):
        simple_rnn_step(z, before[0], *tools, after[0])

    def _step_gradient(self, dstates, z, before, after, note, dz, tools):
        simple_rnn_step_gradient(dstates[0], after[0], *tools, dz[0])


class _Gated(_Recurrent):
    """The base of LSTM and GRU: gates with an activation of their own."""

    def __init__(self, recurrent_activation, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.recurrent_activation = "linear" if recurrent_activation is None else recurrent_activation
        if self.recurrent_activation != "linear":
            activation_functions(self.recurrent_activation, "recurrent_activation")


class LSTM(_Gated):
    """Long short-term memory: a state h, and a memory c that is kept, added to and shown by gates: `kernels/lstm.py`.

    The columns of the weights are the gates i f c o. With unit_forget_bias the bias of f begins with 1.
    """

    config_names = ("units", "activation", "recurrent_activation", "use_bias", "unit_forget_bias", "dropout", "seed",
                    "return_sequences", "return_state", "go_backwards", "zero_output_for_mask")  # fmt: skip
    gates, states = 4, 2

    @recurrent_arguments()
    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        dropout=0.0,
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        zero_output_for_mask=False,
        **kwargs,
    ):
        super().__init__(
            recurrent_activation, units, activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, dropout, seed, return_sequences, return_state, go_backwards, zero_output_for_mask,
            **kwargs,
        )  # fmt: skip
        self.unit_forget_bias = truth_value(unit_forget_bias, "unit_forget_bias")

    def build(self, input_shape):
        super().build(input_shape)
        if self.use_bias and self.unit_forget_bias:
            self.bias[self.units : 2 * self.units] = 1

    def _tools(self, z, gradient=False):
        n, width = z.shape[1:]
        rest = self.recurrent_activation
        gates = Gates([rest, rest, self.activation, rest], self.units, z.dtype)
        cell = Gates([self.activation], self.units, z.dtype)
        work = np.empty((n, width), z.dtype)
        if gradient:
            return (
                np.ascontiguousarray(self.recurrent_kernel.T),
                gates,
                cell,
                (np.empty((n, self.units), z.dtype), work),
            )
        return self.recurrent_kernel, gates, cell, work

    def _step(self, z, before, after, note, tools):
        *known, work = tools
        lstm_step(z, *before, *known, (*after, note), work)

    def _step_gradient(self, dstates, z, before, after, note, dz, tools):
        *known, work = tools
        lstm_step_gradient(*dstates, z, before[1], note, *known, dz[0], work)


class GRU(_Gated):
    """Gated recurrent unit: a state h that is a mean of itself and something new: `kernels/gru.py`.

    The columns of the weights are the gates z r h. With reset_after=True bias is (2, 3U): the second row is added to
    the product with the state, before r is applied.
    """

    config_names = ("units", "activation", "recurrent_activation", "use_bias", "dropout", "seed", "return_sequences",
                    "return_state", "go_backwards", "reset_after", "zero_output_for_mask")  # fmt: skip
    gates = 3

    @recurrent_arguments()
    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        dropout=0.0,
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        reset_after=True,
        zero_output_for_mask=False,
        **kwargs,
    ):
        super().__init__(
            recurrent_activation, units, activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, dropout, seed, return_sequences, return_state, go_backwards, zero_output_for_mask,
            **kwargs,
        )  # fmt: skip
        self.reset_after = truth_value(reset_after, "reset_after")

    @property
    def bias_shape(self):
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    @property
    def input_bias(self):
        return self.bias[0] if self.reset_after else self.bias

    def _tools(self, z, gradient=False):
        n, units = z.shape[1], self.units
        gates = Gates([self.recurrent_activation] * 2, units, z.dtype)
        candidate = Gates([self.activation], units, z.dtype)
        sizes = (units, 2 * units, 3 * units) if gradient else (3 * units,) if self.reset_after else (2 * units,)
        work = [np.empty((n, size), z.dtype) for size in sizes]
        if self.reset_after:
            if gradient:
                return [np.ascontiguousarray(self.recurrent_kernel.T)], gates, candidate, work
            return [self.recurrent_kernel, self.bias[1] if self.use_bias else None], gates, candidate, work
        kernels = self.recurrent_kernel[:, : 2 * units], self.recurrent_kernel[:, 2 * units :]
        kernels = [np.ascontiguousarray(each.T if gradient else each) for each in kernels]
        return kernels, gates, candidate, work[:2]

    def _step(self, z, before, after, note, tools):
        kernels, gates, candidate, (work,) = tools
        step = gru_step if self.reset_after else gru_step_reset_before
        step(z, before[0], *kernels, gates, candidate, (after[0], note), work)

    def _step_gradient(self, dstates, z, before, after, note, dz, tools):
        kernels, *known, work = tools
        if self.reset_after:
            gru_step_gradient(dstates[0], z, before[0], note, *kernels, *known, *dz, work)
        else:
            gru_step_reset_before_gradient(dstates[0], z, before[0], *kernels, *known, *dz, work)

    def _gradient_arrays(self, z):
        of_product = [empty((*z.shape[:2], self.units), z.dtype)] if self.reset_after else []  # dL/du
        return [empty(z.shape, z.dtype), *of_product]

    def _recurrent_gradient(self, before, notes, dz):
        """Return [h^T @ (da_z, da_r), h^T @ du], or with reset_after=False [..., (r * h)^T @ da_h]."""
        units = self.units
        of_z_and_r = _product(before, dz[0][:, :, : 2 * units])
        of_h = _product(before, dz[1]) if self.reset_after else _product(notes, dz[0][:, :, 2 * units :])
        return np.concatenate([of_z_and_r, of_h], axis=1)

    def _bias_gradient(self, dz):
        of_input = channel_sums(dz[0])
        if not self.reset_after:
            return of_input
        return np.stack([of_input, np.concatenate([of_input[: 2 * self.units], channel_sums(dz[1])])])


def _product(a, b):
    """Return the sum over all steps and examples of a^T @ b, for a (T, N, P) and b (T, N, Q): (P, Q)."""
    rows = a.shape[0] * a.shape[1]
    return matmul(a.reshape(rows, -1).T, b.reshape(rows, -1))


def _sequence_shape(input_shape):
    """Return the shape of the sequences: `input_shape` is that, or a list with the shapes of states behind it."""
    return input_shape[0] if isinstance(input_shape, list) else input_shape


def _state_shapes(input_shape):
    """Return the shapes of the states that the layer is given."""
    return input_shape[1:] if isinstance(input_shape, list) else []

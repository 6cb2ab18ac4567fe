"""Recurrent layers: SimpleRNN, LSTM, GRU. They read a sequence step by step and carry a state from step to step.

The math of one step and its gradient is in `kernels/recurrent.py` (read it first: it explains the way back through
time), `kernels/lstm.py` and `kernels/gru.py`; the loop over the steps is in `recurrent_layer`. Here is what makes a
layer out of both: the arguments, and the arrays that a step works on. Read next: `bidirectional`.
"""

import numpy as np

from ..arguments import truth_value
from ..kernels.gates import Gates, kernel_gradient, rows_of
from ..kernels.gru import (
    gru_factors,
    gru_step,
    gru_step_gradient,
    gru_step_reset_before,
    gru_step_reset_before_gradient,
)
from ..kernels.lstm import lstm_factors, lstm_step, lstm_step_gradient
from ..kernels.memory import empty
from ..kernels.products import column_sums
from ..kernels.recurrent import simple_rnn_step, simple_rnn_step_gradient
from .activations import activation_functions, activation_name
from .recurrent_arguments import recurrent_arguments
from .recurrent_layer import Recurrent


class SimpleRNN(Recurrent):
    """h = activation(x @ kernel + h @ recurrent_kernel + bias), step by step."""

    config_names = ("units", "activation", "use_bias", "dropout", "seed", "return_sequences", "return_state",
                    "go_backwards", "zero_output_for_mask")  # fmt: skip
    torch_requires = {"activation": ("tanh", "relu")}

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
        return [None] * z.shape[1]

    def _activations(self, dtype):
        return (Gates([self.activation], dtype),)

    def _tools(self, z):
        return self.recurrent_blocks(), *self._activations(z.dtype)

    def _step(self, z, before, after, note, tools):
        simple_rnn_step(z, before[0], *tools, after[0])

    def _fill_factors(self, dz, z, states, notes, activations):
        activations[0].slopes(rows_of(states[0][None, 1:]), rows_of(dz))
        return []

    def _step_gradient(self, dstates, dz, kernels, work):
        simple_rnn_step_gradient(dstates[0], dz, kernels)


class _Gated(Recurrent):
    """The base of LSTM and GRU: gates with an activation of their own."""

    def __init__(self, recurrent_activation, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.recurrent_activation = activation_name(recurrent_activation)
        if self.recurrent_activation != "linear":
            activation_functions(self.recurrent_activation, "recurrent_activation")


class LSTM(_Gated):
    """Long short-term memory: a state h, and a memory c that is kept, added to and shown by gates: `kernels/lstm.py`.

    The columns of the weights are the gates i f c o. With unit_forget_bias the bias of f begins with 1.
    """

    config_names = ("units", "activation", "recurrent_activation", "use_bias", "unit_forget_bias", "dropout", "seed",
                    "return_sequences", "return_state", "go_backwards", "zero_output_for_mask")  # fmt: skip
    gates, states = 4, 2
    torch_requires = {"activation": ("tanh",), "recurrent_activation": ("sigmoid",)}

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

    def _activations(self, dtype):
        rest = self.recurrent_activation
        return Gates([rest, rest, self.activation, rest], dtype), Gates([self.activation], dtype)

    def _tools(self, z):
        return self.recurrent_blocks(), *self._activations(z.dtype), np.empty_like(z[:, 0], order="C")

    def _step(self, z, before, after, note, tools):
        *known, work = tools
        lstm_step(z, *before, *known, (*after, note), work)

    def _fill_factors(self, dz, z, states, notes, activations):
        of_memory = empty(notes.shape, z.dtype, is_scratch=True)
        a, c, shown, *filled = map(rows_of, (z, states[1][:-1], notes, dz, of_memory))
        lstm_factors(a, c, shown, *activations, *filled)
        return [z[1], of_memory]

    def _step_gradient(self, dstates, dz, f, of_memory, kernels, work):
        lstm_step_gradient(*dstates, dz, f, of_memory, kernels, work)


class GRU(_Gated):
    """Gated recurrent unit: a state h that is a mean of itself and something new: `kernels/gru.py`.

    The columns of the weights are the gates z r h. With reset_after=True bias is (2, 3U): the second row is added to
    the product with the state, before r is applied.
    """

    config_names = ("units", "activation", "recurrent_activation", "use_bias", "dropout", "seed", "return_sequences",
                    "return_state", "go_backwards", "reset_after", "zero_output_for_mask")  # fmt: skip
    gates = 3
    torch_gates = (1, 0, 2)  # z r h, of r z n
    torch_requires = {"activation": ("tanh",), "recurrent_activation": ("sigmoid",), "reset_after": (True,)}

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
    def input_biases(self):
        """Return what is added to the products of the inputs: for z and r the sum of both biases."""
        biases = self.bias.reshape(-1, 3, self.units).copy()
        if self.reset_after:
            biases[0, :2] += biases[1, :2]
        return biases[0]

    def _activations(self, dtype):
        return Gates([self.recurrent_activation] * 2, dtype), Gates([self.activation], dtype)

    def _tools(self, z):
        known = [self.recurrent_blocks(), *self._activations(z.dtype)]
        if self.reset_after:
            known.insert(1, self.bias[1, 2 * self.units :] if self.use_bias else None)
        return known, np.empty_like(z[:, 0], order="C")

    def _step(self, z, before, after, note, tools):
        known, work = tools
        step = gru_step if self.reset_after else gru_step_reset_before
        step(z, before[0], *known, (after[0], note), work)

    def _gradient_arrays(self, z):
        of_products = [empty(z.shape[1:], z.dtype, is_scratch=True)] if self.reset_after else []  # dL/du
        return [*super()._gradient_arrays(z), *of_products]

    def _fill_factors(self, dz, z, states, notes, activations):
        before = states[0][:-1]
        a, h, seen = map(rows_of, (z, before, notes if self.reset_after else before))
        gru_factors(a, h, seen, *activations, rows_of(dz))
        return [z]

    def _step_gradient(self, dstates, *arrays):
        step = gru_step_gradient if self.reset_after else gru_step_reset_before_gradient
        step(dstates[0], *arrays)

    def _recurrent_gradient(self, before, notes, dz, out, add):
        """Compute [h^T @ da_z, h^T @ da_r, h^T @ du], or with reset_after=False [..., (r * h)^T @ da_h]."""
        da, *others = map(rows_of, dz)
        seen, of_seen = (before, others[0]) if self.reset_after else (notes, da[2])
        kernel_gradient(rows_of(before), da[:2], out[:, : 2 * self.units], add)
        kernel_gradient(rows_of(seen), of_seen[None], out[:, 2 * self.units :], add)

    def _bias_gradient(self, dz, out):
        of_inputs, *of_products = out if self.reset_after else [out]
        super()._bias_gradient(dz, of_inputs)
        for row in of_products:
            row[...] = of_inputs
            row[2 * self.units :] = column_sums(rows_of(dz[1]))

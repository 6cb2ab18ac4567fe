"""Recurrent layers: SimpleRNN, LSTM, GRU. They read a sequence step by step and carry a state from step to step.

The math of one step and its gradient is in `kernels/recurrent.py` (read it first: it explains the way back through
time), `kernels/lstm.py` and `kernels/gru.py`; the loop over the steps is in `recurrent_layer`. Here is what makes a
layer out of both: the arguments, and the arrays that a step works on. Read next: `bidirectional`.
"""

import numpy as np

from ..arguments import truth_value
from ..kernels import channel_sums
from ..kernels.gates import Gates, kernel_gradient
from ..kernels.gru import gru_step, gru_step_gradient, gru_step_reset_before, gru_step_reset_before_gradient
from ..kernels.lstm import lstm_step, lstm_step_gradient
from ..kernels.memory import empty
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

    def _tools(self, z, gradient=False):
        return self.recurrent_blocks(gradient), Gates([self.activation], z.dtype)

    def _step(self, z, before, after, note, tools):
        simple_rnn_step(z, before[0], *tools, after[0])

    def _step_gradient(self, dstates, z, before, after, note, dz, tools):
        simple_rnn_step_gradient(dstates[0], after[0], *tools, dz[0])


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

    def _tools(self, z, gradient=False):
        rest, dtype = self.recurrent_activation, z.dtype
        gates, cell = Gates([rest, rest, self.activation, rest], dtype), Gates([self.activation], dtype)
        return self.recurrent_blocks(gradient), gates, cell, np.empty_like(z[:, 0], order="C")

    def _step(self, z, before, after, note, tools):
        *known, work = tools
        lstm_step(z, *before, *known, (*after, note), work)

    def _step_gradient(self, dstates, z, before, after, note, dz, tools):
        lstm_step_gradient(*dstates, z, before[1], note, *tools[:3], dz[0], tools[3])


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

    def _tools(self, z, gradient=False):
        gates, candidate = Gates([self.recurrent_activation] * 2, z.dtype), Gates([self.activation], z.dtype)
        known = [self.recurrent_blocks(gradient), gates, candidate]
        if self.reset_after and not gradient:
            known.insert(1, self.bias[1, 2 * self.units :] if self.use_bias else None)
        return known, np.empty_like(z[:, 0], order="C")

    def _step(self, z, before, after, note, tools):
        known, work = tools
        step = gru_step if self.reset_after else gru_step_reset_before
        step(z, before[0], *known, (after[0], note), work)

    def _step_gradient(self, dstates, z, before, after, note, dz, tools):
        known, work = tools
        if self.reset_after:
            gru_step_gradient(dstates[0], z, before[0], note, *known, dz[0], dz[1][0], work)
        else:
            gru_step_reset_before_gradient(dstates[0], z, before[0], *known, dz[0], work)

    def _gradient_arrays(self, z):
        of_products = [empty((1, *z.shape[1:]), z.dtype)] if self.reset_after else []  # dL/du
        return [empty(z.shape, z.dtype), *of_products]

    def _recurrent_gradient(self, before, notes, dz):
        """Return [h^T @ da_z, h^T @ da_r, h^T @ du], or with reset_after=False [..., (r * h)^T @ da_h]."""
        h, of_z, of_r, of_h = (each.reshape(-1, self.units) for each in (before, *dz[0]))
        seen, of_seen = (h, dz[1][0]) if self.reset_after else (notes, of_h)
        of_g = kernel_gradient(seen.reshape(h.shape), of_seen.reshape(1, *h.shape))
        return np.concatenate([kernel_gradient(h, (of_z, of_r)), of_g], axis=1)

    def _bias_gradient(self, dz):
        of_inputs = super()._bias_gradient(dz)
        if not self.reset_after:
            return of_inputs
        return np.stack([of_inputs, np.concatenate([of_inputs[: 2 * self.units], channel_sums(dz[1][0])])])

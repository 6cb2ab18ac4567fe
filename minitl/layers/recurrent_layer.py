"""The base of the recurrent layers, with all that stands around their step: the product of the inputs before the loop,
the loop over the steps and back, masks, and the products for the gradients of the weights behind it.

`kernels/recurrent.py` explains the way back through time; read it first. The weights have Keras's names: kernel
(D, G*U) for the inputs, recurrent_kernel (U, G*U) for the state, bias; G is the number of gates, which lie side by side
in blocks of U columns. For the steps, weights and gates are arrays of blocks instead, (G, D, U) and (G, T, N, U), so
that the numbers of a gate lie together in memory (`kernels/gates.py`).

Who calls this: `recurrent`, whose layers are this class with a step.
"""

from functools import partial

import numpy as np

from .. import initializers
from ..arguments import number, truth_value, whole_number
from ..errors import ArgumentError, ShapeError
from ..kernels.gates import (
    are_worth_sharing,
    blocks_of_steps,
    kernel_gradient,
    products_of_inputs,
    products_of_inputs_gradient,  # fmt: skip
    rows_of,
    stacked,
    swapped,
)
from ..kernels.memory import empty
from ..kernels.parallel import beside
from ..kernels.precision import as_float
from ..kernels.products import column_sums
from ..randomness import generator
from ..terminal import counted
from .activations import activation_functions, activation_name
from .base import Layer
from .masking import checked_mask
from .recurrent_arguments import check_states, sequence_shape, state_shapes


class Recurrent(Layer):
    """The base of the recurrent layers.  x (N, T, D) -> (N, units), or (N, T, units) with return_sequences=True.

    return_sequences      return the output of every step, not of the last one alone
    return_state          return the output, then each state after the last step, for another layer's `initial_state`
    go_backwards          read the sequence from its end. The outputs come in the order in which they were computed
    dropout               in training, the share of the inputs that are set to 0: the same ones at every step
    zero_output_for_mask  the output of a masked step is 0. By default it is that of the step before. Without
                          return_sequences, a sequence whose last step is masked has the output 0, as in Keras

    The layer takes x alone, or a list: x, then each state (N, units) to begin with. Without these, states begin with 0.
    In a graph they may also be called `initial_state`.

    mask (N, T): True where a step is real. In a step that is not, the states and the output stay as they were; before
    the first real step the output is 0.
    """

    takes_integers = False
    takes_several = True
    keyword_inputs = ("mask",)
    regularized = {
        "kernel_regularizer": "kernel",
        "recurrent_regularizer": "recurrent_kernel",
        "bias_regularizer": "bias",
    }
    input_axes = {"kernel": 0}
    training_only = ("dropout", "seed", "unit_forget_bias")
    gates = 1
    states = 1  # h; and c in an LSTM
    torch_gates: tuple | None = None  # the place of each gate among PyTorch's, where the orders differ
    torch_requires = {}  # {argument: the values with which PyTorch's layer computes the same}

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
        self.activation = activation_name(activation)
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
        features, width = sequence_shape(input_shape)[2], self.gates * self.units
        self.add_weight("kernel", (features, width), self.kernel_initializer)
        self.add_weight("recurrent_kernel", (self.units, width), self.recurrent_initializer)
        if self.use_bias:
            self.add_weight("bias", self.bias_shape, self.bias_initializer)

    @property
    def bias_shape(self):
        return (self.gates * self.units,)

    def check_input(self, input_shape):
        sequence = sequence_shape(input_shape)
        self.expect_rank(sequence, 3, "(N, T, D)")
        if sequence[1] == 0:
            raise ShapeError(f"layer '{self.name}' got sequences without a step, {tuple(sequence)}; expected T >= 1.")
        if sequence[2] is None:
            raise ShapeError(f"layer '{self.name}' needs to know how many features a step has, found {sequence}.")
        if self.kernel is not None and sequence[2] != len(self.kernel):
            expected = counted(len(self.kernel), "feature")
            raise ShapeError(f"layer '{self.name}' expected {expected} in each step, found {sequence[2]}.")
        check_states(self, state_shapes(input_shape))

    def compute_output_shape(self, input_shape):
        n, steps, _ = sequence_shape(input_shape)
        output = (n, steps, self.units) if self.return_sequences else (n, self.units)
        return [output, *[(n, self.units)] * self.states] if self.return_state else output

    def compute_output_mask(self, inputs, mask):
        """Return the mask of the output: that of the input if every step has an output, else None."""
        return mask if self.return_sequences else None

    def flops(self, input_shape):
        """Return 2 * T * (numbers of the two kernels): a product and a sum for each of them at each step."""
        return 2 * (self.kernel.size + self.recurrent_kernel.size) * (sequence_shape(input_shape)[1] or 0)

    def keras_paths(self):
        """Return the paths of the parameters in Keras's files, where a cell within the layer owns them."""
        paths = super().keras_paths().items()
        return {name: (f"{self.class_name}_cell/{legacy}", f"cell/{numbered}") for name, (legacy, numbered) in paths}

    @property
    def torch_cells(self):
        return {"": ("", self)}

    def __call__(self, inputs, initial_state=None, **keywords):
        if initial_state is not None:
            states = initial_state if isinstance(initial_state, (list, tuple)) else [initial_state]
            inputs = [*(inputs if isinstance(inputs, (list, tuple)) else [inputs]), *states]
        return super().__call__(inputs, **keywords)

    # ---- forward ----

    def forward(self, x, training=False, mask=None):
        x, *given = x if isinstance(x, (list, tuple)) else [x]
        self.accept([x.shape, *(each.shape for each in given)] if given else x.shape)
        x, (n, steps) = as_float(x), x.shape[:2]
        mask, kept = self._checked_mask(mask, (n, steps)), self._draw(x, training)
        in_order = self._turned(x.swapaxes(0, 1))  # a view (T, N, D), in the order in which the steps are computed
        inputs = empty(in_order.shape, x.dtype, is_scratch=True)
        kernels, biases = stacked(self.kernel, self.gates), self.input_biases if self.use_bias else None
        z = empty((self.gates, steps, n, self.units), np.result_type(inputs, kernels))

        def prepare(block):
            np.multiply(in_order[block], 1 if kept is None else kept[:, 0], out=inputs[block])
            products_of_inputs(rows_of(inputs[block]), kernels, biases, rows_of(z[:, block]))

        history = [empty((steps + 1, n, self.units), z.dtype, is_scratch=True) for _ in range(self.states)]
        for k, array in enumerate(history):
            array[0] = given[k] if given else 0
        notes, tools = self._notes(z), self._tools(z)
        blocks, z_of_steps, after = blocks_of_steps(steps, n), z.swapaxes(0, 1), [array[0] for array in history]
        with beside(are_worth_sharing(x, kernels)) as add:
            tasks = [add(partial(prepare, block)) for block in blocks]
            for task, block in zip(tasks, blocks):
                task.complete()
                for t in range(block.start, block.stop):
                    before, after = after, [array[t + 1] for array in history]
                    self._step(z_of_steps[t], before, after, notes[t], tools)
                    if mask is not None:
                        for old, new in zip(before, after):
                            np.copyto(new, old, where=~mask[t])
        shown = self._shown(mask)
        self.remember(inputs if self.trainable else None, kept, len(given), z, history, notes, mask, shown)
        where = slice(None) if self.return_sequences else -1
        y = history[0][1:][where]
        y = y if shown is None else np.where(shown[where], y, y.dtype.type(0))
        y = swapped(y) if self.return_sequences else y.copy()
        return [y, *(array[-1].copy() for array in history)] if self.return_state else y

    def _checked_mask(self, mask, expected):
        """Return the mask as (T, N, 1), or None. Raises DataError for an array that is no mask of this batch."""
        return None if mask is None else self._turned(checked_mask(self, mask, expected).T)[:, :, None]

    def _draw(self, x, training):
        """Return what the inputs are multiplied with by dropout (N, 1, D), the same at all steps; or None."""
        if not training or not self.dropout:
            return None
        kept = self.generator.random((len(x), 1, x.shape[2]), np.float32) >= self.dropout
        return kept * x.dtype.type(1 / (1 - self.dropout))

    def _turned(self, array):
        """Return an array (T, ...) in the order in which the steps are computed, and back."""
        return array[::-1] if self.go_backwards else array

    def _shown(self, mask):
        """Return where h is the output, (T, N, 1); elsewhere the output is 0. None: everywhere."""
        if mask is None or mask.all():
            return None
        return mask if self.zero_output_for_mask else np.logical_or.accumulate(mask, axis=0)

    # ---- backward ----

    def backward(self, grad):
        """Return dL/dx, and dL/d(state) for each state that the layer was given: see `kernels/recurrent.py`.

        A masked step hands its states on unchanged, and so it does with their gradients.
        """
        _, kept, given, z, *_ = self.remembered()
        dx = empty((z.shape[2], z.shape[1], len(self.kernel)), z.dtype, is_scratch=True)
        dstates = self._through_time(grad, self._turned(dx.swapaxes(0, 1)))
        if kept is not None:
            dx *= kept
        return [dx, *dstates] if given else dx

    def backward_to_parameters(self, grad):
        """Fill the gradients of the weights alone."""
        self._through_time(grad)

    def _through_time(self, grad, dx=None):
        """Go back through all steps, and return dL/d(first states). Fills `gradients`, and dx (T, N, D) if it is given.

        When a block of steps is done, another thread computes dL/dx of it, while this one goes on. In the end all
        threads compute the gradients of the weights.
        """
        inputs, _, _, z, history, notes, mask, shown = self.remembered()
        outputs, dstates = self._split(grad, shown)
        dz, kernels_t = self._gradient_arrays(z), stacked(self.kernel, self.gates, transposed=True)
        if self.trainable:
            self.require_input(inputs)
            for name in self.trainable_names:
                self.gradients[name] = empty(getattr(self, name).shape, z.dtype, is_scratch=True)
        with beside(are_worth_sharing(z, kernels_t)) as add:
            for block in self._steps_back(outputs, dstates, z, history, notes, mask, dz):
                if dx is not None:
                    add(partial(products_of_inputs_gradient, dz[0][:, block], kernels_t, dx[block]))
            if self.trainable:
                kernel_gradient(rows_of(inputs), rows_of(dz[0]), self.gradients["kernel"], add)
                self._recurrent_gradient(history[0][:-1], notes, dz, self.gradients["recurrent_kernel"], add)
                if self.use_bias:
                    add(partial(self._bias_gradient, dz, self.gradients["bias"]))
        return dstates

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
        outputs = swapped(y_grad)
        return (outputs if shown is None else outputs * shown), dstates

    def state_gradient_norms(self, grad):
        """Return [|dL/dh_0|, ..., |dL/dh_T|] for grad = dL/dy of the latest forward, h_0 being the state before the
        first step: how much of the gradient is left of it on the way back."""
        *_, z, history, notes, mask, shown = self.remembered()
        outputs, dstates = self._split(grad, shown)
        norms = [float(np.linalg.norm(dstates[0] if outputs is None else dstates[0] + outputs[-1]))]

        def note(t):
            before = dstates[0] if outputs is None or t == 0 else dstates[0] + outputs[t - 1]
            norms.append(float(np.linalg.norm(before)))

        for _ in self._steps_back(outputs, dstates, z, history, notes, mask, self._gradient_arrays(z), note):
            pass
        return norms[::-1]

    def _steps_back(self, outputs, dstates, z, history, notes, mask, dz, note=None):
        """Go through the blocks of steps from the last one, and yield each (a slice of the steps) when it is done.

        dz        the list of `_gradient_arrays`, which is filled
        dstates   the gradients of the last states, which become those of the first
        note(t)   is called behind each step
        """
        kernels, activations = self.recurrent_blocks(transposed=True), self._activations(z.dtype)
        work = np.empty_like(z[:, 0], order="C")
        for block in reversed(blocks_of_steps(*z.shape[1:3])):
            arrays = [each[..., block, :, :] for each in dz]
            states = [array[block.start : block.stop + 1] for array in history]
            arrays += self._fill_factors(arrays[0], z[:, block], states, notes[block], activations)
            arrays = [np.moveaxis(each, -3, 0) for each in arrays]  # (T, ...)
            for t in reversed(range(block.start, block.stop)):
                if outputs is not None:
                    dstates[0] += outputs[t]
                if mask is not None:
                    handed_on = [np.where(mask[t], 0, each) for each in dstates]
                    for each in dstates:
                        each *= mask[t]
                self._step_gradient(dstates, *[each[t - block.start] for each in arrays], kernels, work)
                if mask is not None:
                    for each, more in zip(dstates, handed_on):
                        each += more
                if note is not None:
                    note(t)
            yield block

    # ---- what a layer says of its step ----

    @property
    def input_biases(self):
        """Return what is added to the products of the inputs, (G, U)."""
        return self.bias.reshape(self.gates, self.units)

    def recurrent_blocks(self, transposed=False):
        """Return recurrent_kernel as one matrix for each gate, (G, U, U); for the way back each one is transposed."""
        return stacked(self.recurrent_kernel, self.gates, transposed)

    def _notes(self, z):
        """Return for each step what it keeps for its gradient besides gates and states: an array (T, N, U)."""
        return empty(z.shape[1:], z.dtype, is_scratch=True)

    def _gradient_arrays(self, z):
        """Return the arrays (..., T, N, U) that `_step_gradient` overwrites with gradients; the first is dL/dz."""
        return [empty(z.shape, z.dtype)]

    def _fill_factors(self, dz, z, states, notes, activations):
        """Fill dz (G, T, N, U) with what the gradients of some steps are multiplied with, for all of them at once; and
        return what else `_step_gradient` needs to know, arrays (..., T, N, U). `states` are (T + 1, N, U)."""
        raise NotImplementedError

    def _recurrent_gradient(self, before, notes, dz, out, add):
        """Add the tasks of dL/d(recurrent_kernel), which is computed from the states h before each step (T, N, U)."""
        kernel_gradient(rows_of(before), rows_of(dz[0]), out, add)

    def _bias_gradient(self, dz, out):
        out[...] = column_sums(rows_of(dz[0])).reshape(-1)

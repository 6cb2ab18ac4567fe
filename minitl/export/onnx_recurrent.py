"""Recurrent layers in ONNX's operations RNN, LSTM and GRU.

The weights are the same in another order. A layer has the gates side by side, as columns; ONNX has them below each
other, as rows, and has a bias for the inputs and one for the state:

    layer                    minitl's gates      ONNX's gates
    LSTM                     i f c o             i o f c
    GRU                      z r h               z r h, with linear_before_reset=1 for reset_after=True

ONNX runs over (T, N, D), so sequences are transposed before and behind.

Masks. In a step that is masked, the states stay as they were, so the real steps alone decide on them. ONNX knows a
length for each sequence and no mask. So the real steps are moved to the front, in their order, and the layer runs over
these. The output of a step is then the one behind the last real step up to it: with the mask 1 0 1 1 0 the real steps
are 0 2 3, there are 1 1 2 3 3 of them up to each step, and the outputs 0 0 1 2 2 are taken.
"""

import numpy as np

from .onnx_nodes import Value, refused

OPERATIONS = {1: "RNN", 4: "LSTM", 3: "GRU"}  # by the number of gates
ORDERS = {1: [0], 4: [0, 3, 1, 2], 3: [0, 1, 2]}  # the places of ONNX's gates among minitl's
# name -> ONNX's name, with alpha and beta of the two that have them
ACTIVATIONS = {
    "hard_sigmoid": ("HardSigmoid", 1 / 6, 0.5),
    "linear": ("Affine", 1.0, 0.0),
    "relu": ("Relu",),
    "sigmoid": ("Sigmoid",),
    "tanh": ("Tanh",),
}


def recurrent(nodes, call, x, *states, mask=None):
    """Write a SimpleRNN, an LSTM or a GRU."""
    return shown(call.layer, [*run(nodes, call.layer, x, states, mask)])


def shown(layer, names):
    """Return the values of a layer's output and states, as its call has them."""
    values = [Value(3 if layer.return_sequences else 2, names[0]), *(Value(2, name) for name in names[1:])]
    return values if layer.return_state else values[0]


def bidirectional(nodes, call, x, *states, mask=None):
    """Write a Bidirectional: two layers, and what becomes of their outputs."""
    layer, half = call.layer, len(states) // 2
    layer.lend()
    first, *after = run(nodes, layer.forward_layer, x, states[:half], mask)
    second, *more = run(nodes, layer.backward_layer, x, states[half:], mask)
    second = nodes.turned(second) if layer.return_sequences else second
    if layer.merge_mode is None:
        outputs = [first, second]
    elif layer.merge_mode == "concat":
        outputs = [nodes.add("Concat", first, second, axis=-1)]
    else:
        merged = nodes.add("Mul" if layer.merge_mode == "mul" else "Add", first, second)
        outputs = [nodes.add("Mul", merged, np.float32(0.5)) if layer.merge_mode == "ave" else merged]
    rank = 3 if layer.return_sequences else 2
    values = [Value(rank, name) for name in outputs]
    values += [Value(2, name) for name in (*after, *more) if layer.return_state]
    return values if len(values) > 1 else values[0]


def run(nodes, layer, x, states, mask):
    """Write one layer. Returns the names of its output, (N, T, U) or (N, U), and of its states behind the last step."""
    x, mask = nodes.last(x), None if mask is None else nodes.last(mask)
    states = [nodes.last(each) for each in states]
    if layer.go_backwards:
        x, mask = nodes.turned(x), None if mask is None else nodes.turned(mask)
    if mask is None:
        outputs, after = _through_time(nodes, layer, x, states)
        return outputs if layer.return_sequences else after[0], *after
    one, real = np.array(1, np.int64), nodes.number_cast(mask, np.int64)  # (N, T)
    so_far = nodes.add("CumSum", real, one)  # real steps up to each step
    count = nodes.add("ReduceSum", real, np.array([1], np.int64), keepdims=1)  # (N, 1)
    has_any = nodes.add("Greater", count, np.array(0, np.int64))
    outputs, after = _through_time(nodes, layer, _real_ones_first(nodes, x, real), states, count)
    if states:  # without a real step, the states stay as they were
        after = [nodes.add("Where", has_any, new, old) for new, old in zip(after, states)]
    if not layer.return_sequences:
        return nodes.add("Mul", after[0], nodes.number_cast(has_any, np.float32)), *after
    latest = nodes.add("Max", nodes.add("Sub", so_far, one), np.array(0, np.int64))
    outputs = nodes.add("GatherND", outputs, nodes.widened(latest, [2]), batch_dims=1)  # (N, T, U)
    visible = mask if layer.zero_output_for_mask else nodes.add("Greater", so_far, np.array(0, np.int64))
    return nodes.add("Mul", outputs, nodes.number_cast(nodes.widened(visible, [2]), np.float32)), *after


def _real_ones_first(nodes, x, real):
    """Return the name of x (N, T, D) with the real steps at the front, in their order, and the others behind them.

    The keys real * T - t are sorted from the largest down: a real step has a larger one than any other, and an earlier
    step has a larger one than a later step.
    """
    steps = nodes.add("Shape", x, start=1, end=2)
    keys = nodes.add("Sub", nodes.add("Mul", real, steps), nodes.counted_up(x, 1))
    _, order = nodes.add("TopK", keys, steps, outputs=2, axis=1)
    return nodes.add("GatherND", x, nodes.widened(order, [2]), batch_dims=1)


def _through_time(nodes, layer, x, states, count=None):
    """Write the operation itself. Returns the names of all outputs (N, T, U) and of the last states, each (N, U)."""
    lengths = "" if count is None else nodes.number_cast(nodes.add("Squeeze", count, np.array([1], np.int64)), np.int32)
    biases = np.zeros((2, layer.gates * layer.units), np.float32)
    if layer.use_bias:
        given = layer.bias.reshape(-1, layer.gates * layer.units)  # two of a GRU with reset_after=True
        biases[: len(given)] = given
    outputs, *after = nodes.add(
        OPERATIONS[layer.gates],
        nodes.transposed(x, [1, 0, 2]),
        nodes.constant(_rows(layer, layer.kernel), "kernel"),
        nodes.constant(_rows(layer, layer.recurrent_kernel), "recurrent_kernel"),
        nodes.constant(_rows(layer, biases).swapaxes(1, 2).reshape(1, -1), "biases"),
        lengths,
        *(nodes.widened(state, [0]) for state in states),
        outputs=1 + layer.states,
        hidden_size=layer.units,
        **_activations(layer),
    )
    outputs = nodes.add("Squeeze", nodes.transposed(outputs, [2, 0, 1, 3]), np.array([2], np.int64))
    return outputs, [nodes.add("Squeeze", each, np.array([0], np.int64)) for each in after]


def _rows(layer, columns):
    """Return weights (D, gates * units) as ONNX has them: (1, gates * units, D), with its gates in its order."""
    blocks = columns.reshape(len(columns), layer.gates, layer.units)[:, ORDERS[layer.gates]]
    return blocks.reshape(columns.shape).T[None]


def _activations(layer):
    """Return ONNX's attributes for the activations: of the gates, of what is new, and in an LSTM of what is shown."""
    of_gates = getattr(layer, "recurrent_activation", None)
    names = {"RNN": [layer.activation], "GRU": [of_gates, layer.activation],
             "LSTM": [of_gates, layer.activation, layer.activation]}[OPERATIONS[layer.gates]]  # fmt: skip
    unknown = [name for name in names if name not in ACTIVATIONS]
    if unknown:
        raise refused(
            layer, f"its activation '{unknown[0]}' cannot be exported", f"ONNX's has {', '.join(ACTIVATIONS)} there"
        )
    chosen = [ACTIVATIONS[name] for name in names]
    found = {"activations": [name for name, *_ in chosen]}
    numbers = [each[1:] for each in chosen if len(each) > 1]
    if numbers:
        found.update(activation_alpha=[alpha for alpha, _ in numbers], activation_beta=[beta for _, beta in numbers])
    return {**found, "linear_before_reset": 1} if getattr(layer, "reset_after", False) else found

"""An exercise on recurrent layers: back through one step of an LSTM.

Read next: `attention`.
"""

import numpy as np

from ...kernels.gates import Gates, products_of_inputs_gradient, side_by_side, stacked
from ...kernels.lstm import lstm_factors, lstm_step_gradient
from .exercise import Case, Exercise


def lstm_step_backward(gates, c, c_after, kernel, recurrent_kernel, dh, dc):
    i, f, g, o = np.split(gates, 4, axis=1)
    shown = np.tanh(c_after)
    dc = dc + dh * o * (1 - shown**2)
    dz_i, dz_f = dc * g * i * (1 - i), dc * c * f * (1 - f)
    dz_c, dz_o = dc * i * (1 - g**2), dh * shown * o * (1 - o)
    dz = np.concatenate([dz_i, dz_f, dz_c, dz_o], axis=1)
    return dz, dz @ kernel.T, dz @ recurrent_kernel.T, dc * f


def lstm_step_backward_by_engine(gates, c, c_after, kernel, recurrent_kernel, dh, dc):
    a, turned = stacked(gates, 4), stacked(recurrent_kernel, 4).swapaxes(1, 2)
    dh, dc, dz, of_memory = dh.copy(), dc.copy(), np.empty_like(a), np.empty_like(c)
    kinds = Gates(["sigmoid", "sigmoid", "tanh", "sigmoid"], a.dtype), Gates(["tanh"], a.dtype)
    lstm_factors(a, c, np.tanh(c_after), *kinds, dz, of_memory)
    lstm_step_gradient(dh, dc, dz, a[1], of_memory, turned, np.empty_like(a))
    dx = np.empty((1, len(c), len(kernel)))
    products_of_inputs_gradient(dz[:, None], stacked(kernel, 4, transposed=True), dx)
    return side_by_side(dz), dx[0], dh, dc


def lstm_step_backward_cases(random):
    def case(what, n, d, u, first=False, last=False):
        z = random.normal(size=(n, 4 * u))
        gates = 1 / (1 + np.exp(-z))
        gates[:, 2 * u : 3 * u] = np.tanh(z[:, 2 * u : 3 * u])
        i, f, g, _ = np.split(gates, 4, axis=1)
        c, dh, dc = np.zeros((n, u)) if first else random.normal(size=(n, u)), *random.normal(size=(2, n, u))
        kernels = random.normal(size=(d, 4 * u)), random.normal(size=(u, 4 * u))
        return Case(what, gates, c, f * c + i * g, *kernels, dh, np.zeros((n, u)) if last else dc)

    return [
        case("4 examples, 5 features, 3 units", 4, 5, 3),
        case("the last step: dc is 0", 2, 3, 4, last=True),
        case("the first step: the memory before it is 0", 3, 4, 2, first=True),
        case("one example, one feature, 3 units", 1, 1, 3),
        case("as many features as units", 2, 3, 3),
    ]


def from_gates(da, gates, c, kernel, recurrent_kernel, dc, slopes=(0, 0, 1, 0)):
    """Go back from the gradients da of the four gates, with 0 for the slope of a sigmoid, 1 for that of tanh."""
    a = np.split(gates, 4, axis=1)
    dz = np.concatenate(
        [grad * (1 - each**2 if is_tanh else each * (1 - each)) for grad, each, is_tanh in zip(da, a, slopes)], axis=1
    )
    return dz, dz @ kernel.T, dz @ recurrent_kernel.T, dc * a[1]


def of_gates(gates, c, c_after, dh, dc):
    """Return the gradients of the four gates and of the memory."""
    i, f, g, o = np.split(gates, 4, axis=1)
    shown = np.tanh(c_after)
    dc = dc + dh * o * (1 - shown**2)
    return [dc * g, dc * c, dc * i, dh * shown], dc


def memory_through_h_forgotten(gates, c, c_after, kernel, recurrent_kernel, dh, dc):
    """Take for the memory only what the next step says of it: the memory also reaches h, through tanh and the gate o,
    and dh * o * (1 - tanh(c_after)^2) comes back there."""
    i, f, g, o = np.split(gates, 4, axis=1)
    da = [dc * g, dc * c, dc * i, dh * np.tanh(c_after)]
    return from_gates(da, gates, c, kernel, recurrent_kernel, dc)


def dc_overwritten(gates, c, c_after, kernel, recurrent_kernel, dh, dc):
    """Forget the dc that arrives: the next step also depends on this memory, so its gradient is the sum of both."""
    return lstm_step_backward(gates, c, c_after, kernel, recurrent_kernel, dh, np.zeros(dc.shape))


def memory_after_for_f(gates, c, c_after, kernel, recurrent_kernel, dh, dc):
    """Multiply by the memory after the step for the gate f: f has multiplied the memory before it, c."""
    da, dc = of_gates(gates, c, c_after, dh, dc)
    return from_gates([da[0], dc * c_after, *da[2:]], gates, c, kernel, recurrent_kernel, dc)


def all_gates_sigmoid(gates, c, c_after, kernel, recurrent_kernel, dh, dc):
    """Use the slope of a sigmoid for all four: g is a tanh, and its slope is 1 - g^2."""
    da, dc = of_gates(gates, c, c_after, dh, dc)
    return from_gates(da, gates, c, kernel, recurrent_kernel, dc, slopes=(0, 0, 0, 0))


def order_i_f_o_c(gates, c, c_after, kernel, recurrent_kernel, dh, dc):
    """Take the blocks for i, f, o, c: other programs do, but in Keras and minitl the third one is the new, g, and the
    fourth one is the gate o."""
    u = c.shape[1]
    order = np.r_[: 2 * u, 3 * u : 4 * u, 2 * u : 3 * u]
    dz, dx, dh, dc = lstm_step_backward(
        gates[:, order], c, c_after, kernel[:, order], recurrent_kernel[:, order], dh, dc
    )
    return dz[:, order], dx, dh, dc


def joined_as_i_f_o_c(gates, c, c_after, kernel, recurrent_kernel, dh, dc):
    """Join the gradients of the gates as i, f, o, c: they have to stand in the order of the kernel's columns, i, f, c,
    o."""
    u = c.shape[1]
    dz, _, _, dc_before = lstm_step_backward(gates, c, c_after, kernel, recurrent_kernel, dh, dc)
    dz = dz[:, np.r_[: 2 * u, 3 * u : 4 * u, 2 * u : 3 * u]]
    return dz, dz @ kernel.T, dz @ recurrent_kernel.T, dc_before


def without_slopes(gates, c, c_after, kernel, recurrent_kernel, dh, dc):
    """Leave out the slopes of the gates: dz is the gradient before sigmoid and tanh, so each gate's gradient is
    multiplied by a * (1 - a), that of g by 1 - g^2."""
    da, dc = of_gates(gates, c, c_after, dh, dc)
    dz = np.concatenate(da, axis=1)
    return dz, dz @ kernel.T, dz @ recurrent_kernel.T, dc * np.split(gates, 4, axis=1)[1]


def activated_again(gates, c, c_after, kernel, recurrent_kernel, dh, dc):
    """Apply sigmoid and tanh to the gates once more: they are i, f, g and o already."""
    u = c.shape[1]
    again = 1 / (1 + np.exp(-gates))
    again[:, 2 * u : 3 * u] = np.tanh(gates[:, 2 * u : 3 * u])
    return lstm_step_backward(again, c, c_after, kernel, recurrent_kernel, dh, dc)


def memory_without_f(gates, c, c_after, kernel, recurrent_kernel, dh, dc):
    """Hand the gradient of the memory on without f: the step has kept the share f of the memory, and the gradient gets
    the same share."""
    da, dc = of_gates(gates, c, c_after, dh, dc)
    return *from_gates(da, gates, c, kernel, recurrent_kernel, dc)[:3], dc


def old_dc_handed_on(gates, c, c_after, kernel, recurrent_kernel, dh, dc):
    """Hand on only the dc that has arrived, times f: what came back through h belongs to the memory's gradient, and is
    handed on as well."""
    dz, dx, dh, _ = lstm_step_backward(gates, c, c_after, kernel, recurrent_kernel, dh, dc)
    return dz, dx, dh, dc * np.split(gates, 4, axis=1)[1]


def slope_without_tanh(gates, c, c_after, kernel, recurrent_kernel, dh, dc):
    """Compute the slope as 1 - c_after^2: the slope of tanh is 1 - tanh(c_after)^2, so tanh comes first."""
    i, f, g, o = np.split(gates, 4, axis=1)
    dc = dc + dh * o * (1 - c_after**2)
    return from_gates([dc * g, dc * c, dc * i, dh * np.tanh(c_after)], gates, c, kernel, recurrent_kernel, dc)


def tanh_left_out(gates, c, c_after, kernel, recurrent_kernel, dh, dc):
    """Multiply by c_after for the gate o: o shows tanh(c_after), so that is what its gradient is multiplied by."""
    da, dc = of_gates(gates, c, c_after, dh, dc)
    return from_gates([*da[:3], dh * c_after], gates, c, kernel, recurrent_kernel, dc)


def h_handed_on(gates, c, c_after, kernel, recurrent_kernel, dh, dc):
    """Add dh itself to the gradient of h before the step: h has no shortcut past the gates, only the memory has one."""
    dz, dx, before, dc = lstm_step_backward(gates, c, c_after, kernel, recurrent_kernel, dh, dc)
    return dz, dx, before + dh, dc


def lstm_step_backward_by_hand(name, index, gates, c, c_after, kernel, recurrent_kernel, dh, dc):
    n, k = index
    if name in ("dx", "dh_before"):
        return f"sum over the {gates.shape[1]} columns j of dz[{n}, j] * {'recurrent_' * (name != 'dx')}kernel[{k}, j]"
    u = c.shape[1]
    i, f, g, o = (float(each[n, k % u]) for each in np.split(gates, 4, axis=1))
    shown, of_h = float(np.tanh(c_after[n, k % u])), float(dh[n, k % u])
    of_c = f"({dc[n, k % u]:.4f} + {of_h:.4f}*{o:.4f}*(1 - ({shown:.4f})^2))"
    if name == "dc_before":
        return f"{of_c} * {f:.4f}"
    return (
        f"{of_c} * {g:.4f} * {i:.4f}*(1 - {i:.4f})", f"{of_c} * {c[n, k % u]:.4f} * {f:.4f}*(1 - {f:.4f})",
        f"{of_c} * {i:.4f} * (1 - ({g:.4f})^2)", f"{of_h:.4f} * {shown:.4f} * {o:.4f}*(1 - {o:.4f})",
    )[k // u]  # fmt: skip


def block(number):
    """Return a function of the arguments that says which numbers of dz are in this block of columns."""
    return lambda gates, c, *others: np.broadcast_to(np.arange(gates.shape[1]) // c.shape[1] == number, gates.shape)


LSTM_STEP_BACKWARD = Exercise(
    "lstm_step_backward",
    title="Back through one step of an LSTM",
    text="""An LSTM carries two states from step to step: h, its output, and c, its memory. Three gates between 0 and 1
    decide what happens to the memory: i how much of the new, g, is written, f how much of the old is kept, o how much
    is shown. The way there is written below. Go back: dL/dh and dL/dc after the step arrive, and what each step before
    needs is to be returned. Mind two things. The memory after the step acts on the loss in two ways: through h after
    the step, and as the memory of the next step, which is the dc that arrives. So its whole gradient is a sum. And the
    four blocks of columns have Keras's order i, f, c, o, where the block c is that of g. The gates were kept on the way
    there: they are given behind sigmoid and tanh.""",
    given={
        "gates": "(N, 4U)  the gates i, f, g, o, side by side, U columns each",
        "c": "(N, U)  the memory before the step",
        "c_after": "(N, U)  the memory after it",
        "kernel": "(D, 4U)  what x is multiplied by",
        "recurrent_kernel": "(U, 4U)  what h is multiplied by",
        "dh": "(N, U)  dL/dh after the step",
        "dc": "(N, U)  what the next step says of dL/dc after the step",
    },
    returns={
        "dz": "(N, 4U)  dL/dz, in the order i, f, c, o",
        "dx": "(N, D)  dL/dx",
        "dh_before": "(N, U)  dL/dh before the step",
        "dc_before": "(N, U)  dL/dc before the step",
    },
    formula="""
z = x @ kernel + h @ recurrent_kernel + bias        four blocks: z_i, z_f,
                                                    z_c, z_o, side by side
i = sigmoid(z_i)    f = sigmoid(z_f)    g = tanh(z_c)    o = sigmoid(z_o)
c_after = f * c + i * g
h_after = o * tanh(c_after)                         * is number by number

slopes: of a = sigmoid(z)  a * (1 - a)              of a = tanh(z)  1 - a^2
""",
    answer=lstm_step_backward,
    by_engine=lstm_step_backward_by_engine,
    lines=(lstm_factors, lstm_step_gradient),
    cases=lstm_step_backward_cases,
    wrong_answers=(
        memory_through_h_forgotten, dc_overwritten, memory_after_for_f, all_gates_sigmoid, order_i_f_o_c,
        joined_as_i_f_o_c, without_slopes, activated_again, memory_without_f, old_dc_handed_on,
        slope_without_tanh, tanh_left_out, h_handed_on,
    ),
    places={f"in the block of {gate}": block(number) for number, gate in enumerate("ifco")},
    by_hand=lstm_step_backward_by_hand,
    loops=False,
    hints=(
        "i, f, g, o = np.split(gates, 4, axis=1). Then go through the formulas from the last line to the first. The "
        "whole gradient of c_after comes first: dc plus what comes back through h_after.",
        "That is dc + dh * o * (1 - tanh(c_after)^2). With it: dL/di = dc * g, dL/df = dc * c, dL/dg = dc * i, and "
        "dL/do = dh * tanh(c_after). The memory before gets dc * f.",
        "Multiply each of the four by its slope, and join them with np.concatenate([...], axis=1) in the order i, f, "
        "g, o: that is dz. Then dx = dz @ kernel.T, and h before gets dz @ recurrent_kernel.T.",
    ),
    read_next="minitl/kernels/lstm.py, which says why this gradient does not vanish.",
)  # fmt: skip

"""Backpropagation through time by hand: a SimpleRNN and an LSTM with one unit each, on a sequence of four numbers.

The sequence is 1 0 0 0: something happens at the first step, and the loss is the state after the last one. So the
gradient has to go back through all steps to find out that the first one mattered. Each number is computed by
`formulas` and by the engine.
"""

import numpy as np

from ...kernels.lstm import lstm_step, lstm_step_gradient
from ...kernels.parallel import in_this_thread
from ...kernels.recurrent import simple_rnn_step, simple_rnn_step_gradient
from ...layers import LSTM, Input, SimpleRNN
from ...terminal import table
from ..explain.page import WIDTH
from ..explain.recording import source_line, watched
from .formulas import lstm_step as step_by_formula
from .formulas import lstm_step_back, rnn_step, rnn_step_back

X = [1.0, 0.0, 0.0, 0.0]
W, U, B = 1.0, 0.9, 0.0  # of the SimpleRNN: the weight of the input, that of the state, the bias
WS, US, BS = [3.0, 0.5, 1.5, 0.4], [0.3, 0.2, 0.4, 0.3], [-2.0, 3.0, 0.0, 1.0]  # of the LSTM, for i f g o
RNN_PLACES = (simple_rnn_step, "gates.activate(z, out"), (simple_rnn_step_gradient, "np.matmul(dz, recurrent_kernel_t")
LSTM_PLACES = (lstm_step, "np.multiply(f, c, out=c_after"), (lstm_step_gradient, "dc *= f")


def explain_rnn(page):
    """Add the steps of the SimpleRNN to the page, forward and back. Returns dL/dh of each step, [t = 1, ..., 4]."""
    page.heading("A SimpleRNN by hand: one unit, four steps")
    page.item("formula", "h_t = tanh(z_t)        z_t = x_t*w + h_{t-1}*u + b        h_0 = 0")
    page.item("weights", f"w = {W}, u = {U}, b = {B}: the same at every step")
    states = [0.0]
    for x in X:
        states.append(rnn_step(x, states[-1], W, U, B))
    dh, back = 1.0, []
    for h in reversed(states[1:]):
        dz, before = rnn_step_back(dh, h, U)
        back.append((dh, dz, 1 - h * h))
        dh = before
    back.reverse()
    rows = [["t", "x", "h", "tanh'(z) = 1 - h*h", "dL/dh", "dL/dz"]]
    for t, (x, h, (dh, dz, slope)) in enumerate(zip(X, states[1:], back), 1):
        rows.append([t, f"{x:.0f}", *(f"{each:.4f}" for each in (h, slope, dh, dz))])
    _table(page, rows)
    page.item("by hand", f"h_2 = tanh(0*{W} + {states[1]:.4f}*{U}) = {states[2]:.4f}")
    page.item("backward", "L = h_4, so dL/dh_4 = 1. From the last step to the first:")
    page.item("formula", "dL/dz_t = dL/dh_t * tanh'(z_t)        dL/dh_{t-1} = dL/dz_t * u")
    page.item("by hand", f"dL/dh_3 = {back[3][0]:.0f} * {back[3][2]:.4f} * {U} = {back[2][0]:.4f}")
    of_u = sum(h * dz for h, (_, dz, _) in zip(states, back))
    terms = " + ".join(f"{h:.4f}*{dz:.4f}" for h, (_, dz, _) in zip(states, back))
    page.item("weights", "each is used at every step, so its gradient is a sum over all steps:")
    page.item("by hand", f"dL/du = sum over t of h_{{t-1}} * dL/dz_t = {terms} = {of_u:.4f}")

    layer, y, dx, norms, lines = _by_engine(SimpleRNN(1, return_sequences=True), [W], [U], [B])
    for place in RNN_PLACES:
        page.source(*source_line(lines, place))
    page.check("SimpleRNN: h", states[1:], y)
    page.check("SimpleRNN: |dL/dh|", [each[0] for each in back], norms[1:])
    page.check("SimpleRNN: dL/dx", [dz * W for _, dz, _ in back], dx)
    page.check("SimpleRNN: dL/du", of_u, layer.gradients["recurrent_kernel"][0, 0])
    page.check("SimpleRNN: dL/dw", sum(x * dz for x, (_, dz, _) in zip(X, back)), layer.gradients["kernel"][0, 0])
    page.check("SimpleRNN: dL/db", sum(dz for _, dz, _ in back), layer.gradients["bias"][0])
    return [each[0] for each in back]


def explain_lstm(page):
    """Add the steps of the LSTM to the page, forward and back. Returns dL/dc of each step, [t = 1, ..., 4]."""
    page.heading("An LSTM by hand: one unit, four steps")
    page.item("formula", "c_t = f*c_{t-1} + i*g        h_t = o*tanh(c_t)")
    page.item("", "i, f, o = sigmoid(z) and g = tanh(z), each with a z of its own: x_t*w + h_{t-1}*u + b")
    steps, h, c = [], 0.0, 0.0
    page.arrays("weights", ("w of i, f, g, o", WS), ("u", US), ("b", BS), decimals=1)
    for x in X:
        steps.append(step_by_formula(x, h, c, WS, US, BS))
        h, c = steps[-1].h, steps[-1].c
    rows = [["t", "x", "i", "f", "g", "o", "c", "h"]]
    rows += [[t, f"{x:.0f}", *(f"{each:.4f}" for each in step)] for t, (x, step) in enumerate(zip(X, steps), 1)]
    _table(page, rows)
    page.item(
        "", "i is open where something happens and nearly closed afterwards, and f keeps nearly all of the memory."
    )
    first, second = steps[:2]
    page.item(
        "by hand",
        f"c_2 = {second.f:.4f}*{first.c:.4f} + {second.i:.4f}*{second.g:.4f} = {second.c:.4f}",
    )
    dh, dc, back = 1.0, 0.0, []
    for t in reversed(range(len(X))):
        memory = steps[t - 1].c if t else 0.0
        total, dz, dh_before, dc_before = lstm_step_back(dh, dc, steps[t], memory, US)
        back.append((dh, total, dz))
        dh, dc = dh_before, dc_before
    back.reverse()
    page.item("backward", "L = h_4 again. The gradient of the memory arrives on two ways, and f takes it a step back:")
    page.item("formula", "dL/dc_t = dL/dh_t * o * tanh'(c_t) + dL/dc_{t+1} * f_{t+1}")
    rows = [["t", "dL/dh", "dL/dc", "dL/dz of i", "of f", "of g", "of o"]]
    for t, (dh, dc, dz) in enumerate(back, 1):
        rows.append([t, *(f"{each:.4f}" for each in (dh, dc, *dz))])
    _table(page, rows)
    third, shown = steps[2], np.tanh(steps[2].c)
    page.item(
        "by hand",
        f"dL/dc_3 = {back[2][0]:.4f}*{third.o:.4f}*(1 - {shown:.4f}*{shown:.4f}) + {back[3][1]:.4f}*{steps[3].f:.4f} "
        f"= {back[2][1]:.4f}",
    )

    layer, y, dx, norms, lines = _by_engine(LSTM(1, return_sequences=True), WS, US, BS)
    for place in LSTM_PLACES:
        page.source(*source_line(lines, place))
    before = [0.0] + [step.h for step in steps[:-1]]
    page.check("LSTM: h", [step.h for step in steps], y)
    page.check("LSTM: |dL/dh|", [abs(dh) for dh, _, _ in back], norms[1:])
    page.check("LSTM: dL/dx", [sum(d * w for d, w in zip(dz, WS)) for _, _, dz in back], dx)
    for name, factors in ("kernel", X), ("recurrent_kernel", before), ("bias", [1.0] * len(X)):
        by_formula = [sum(x * dz[k] for x, (_, _, dz) in zip(factors, back)) for k in range(4)]
        page.check(f"LSTM: dL/d{name}", by_formula, layer.gradients[name].ravel())
    return [dc for _, dc, _ in back]


def _by_engine(layer, w, u, b):
    """Run a layer forward and back on X, with L = the last state.

    Returns (layer, y (T,), dL/dx (T,), [|dL/dh_0|, ..., |dL/dh_T|], the lines of source that ran)."""
    layer(Input((len(X), 1)))
    layer.set_weights([np.array([w], np.float32), np.array([u], np.float32), np.array(b, np.float32)])
    lines = set()
    with watched(lines), in_this_thread():
        y = layer.forward(np.array(X, np.float32)[None, :, None])  # (1, T, 1)
        grad = np.zeros_like(y)
        grad[:, -1] = 1
        norms = layer.state_gradient_norms(grad)
        dx = layer.backward(grad)
    return layer, y.ravel(), dx.ravel(), norms, lines


def _table(page, rows):
    """Add a table to the page, a little to the right."""
    page.lines += [f"    {line}" for line in table(rows, WIDTH - 4).splitlines()]

"""The exercise on the dense layer: one gradient that comes back, and three that go on.

Read next: `training`.
"""

import numpy as np

from ...layers import Dense
from .exercise import Case, Exercise
from .wording import first_products


def dense_backward(x, kernel, grad):
    dx = grad @ kernel.T
    dkernel = x.T @ grad
    dbias = grad.sum(axis=0)
    return dx, dkernel, dbias


def dense_backward_by_engine(x, kernel, grad):
    layer = Dense(kernel.shape[1])
    layer.forward(x)
    layer.kernel = kernel
    layer.forward(x)
    return layer.backward(grad), layer.gradients["kernel"], layer.gradients["bias"]


def dense_backward_cases(random):
    def case(what, n, inputs, units):
        return Case(what, *(random.normal(size=shape) for shape in ((n, inputs), (inputs, units), (n, units))))

    return [
        case("4 examples, 5 inputs, 3 units", 4, 5, 3),
        case("one example", 1, 2, 4),
        case("one unit", 3, 2, 1),
        case("40 examples, 30 inputs, 20 units", 40, 30, 20),
    ]


def bias_averaged(x, kernel, grad):
    """Take the mean of grad for the bias: the loss has divided by N already, if it is a mean, so each layer sums."""
    dx, dkernel, _ = dense_backward(x, kernel, grad)
    return dx, dkernel, grad.mean(axis=0)


def kernel_averaged(x, kernel, grad):
    """Divide the gradient of the kernel by N: the loss has divided by N already, if it is a mean, so each layer sums
    over the examples."""
    dx, dkernel, dbias = dense_backward(x, kernel, grad)
    return dx, dkernel / len(x), dbias


def bias_not_summed(x, kernel, grad):
    """Return grad itself for the bias: it was added in every example, so its gradient is the sum over the examples, one
    number for each unit."""
    dx, dkernel, _ = dense_backward(x, kernel, grad)
    return dx, dkernel, grad


def bias_summed_over_units(x, kernel, grad):
    """Sum grad over the units for the bias: each unit has a bias of its own, and the sum goes over the examples."""
    dx, dkernel, _ = dense_backward(x, kernel, grad)
    return dx, dkernel, grad.sum(axis=1)


def kernel_turned(x, kernel, grad):
    """Compute grad^T @ x for the kernel, which has the axes (units, inputs): a gradient has the shape of the array that
    it belongs to, (inputs, units), and x^T @ grad has it."""
    dx, _, dbias = dense_backward(x, kernel, grad)
    return dx, grad.T @ x, dbias


def inputs_turned(x, kernel, grad):
    """Compute kernel @ grad^T for dx, which has the axes (inputs, N): a gradient has the shape of the array that it
    belongs to, (N, inputs), and grad @ kernel^T has it."""
    _, dkernel, dbias = dense_backward(x, kernel, grad)
    return kernel @ grad.T, dkernel, dbias


def bias_of_one(x, kernel, grad):
    """Take 1 for the bias, because dy/dbias is 1: the chain rule multiplies it by dL/dy, which is grad."""
    dx, dkernel, dbias = dense_backward(x, kernel, grad)
    return dx, dkernel, np.ones_like(dbias)


def first_example_alone(x, kernel, grad):
    """Take the first example alone for the kernel: every example has used the same kernel, and their parts add up."""
    dx, _, dbias = dense_backward(x, kernel, grad)
    return dx, np.outer(x[0], grad[0]), dbias


def without_grad(x, kernel, grad):
    """Return the kernel's sums for dx, which is dy/dx: the chain rule multiplies it by grad = dL/dy."""
    _, dkernel, dbias = dense_backward(x, kernel, grad)
    return np.ones_like(grad) @ kernel.T, dkernel, dbias


def in_another_order(x, kernel, grad):
    """Return the three in another order: expected is dx, dkernel, dbias."""
    dx, dkernel, dbias = dense_backward(x, kernel, grad)
    return dkernel, dbias, dx


def dense_backward_by_hand(name, index, x, kernel, grad):
    if name == "dx":
        terms = [(grad[index[0], u], kernel[index[1], u]) for u in range(grad.shape[1])]
    elif name == "dkernel":
        terms = [(x[n, index[0]], grad[n, index[1]]) for n in range(len(x))]
    else:
        terms = [(1.0, grad[n, index[0]]) for n in range(len(x))]
    return first_products(terms, 3)


DENSE_BACKWARD = Exercise(
    "dense_backward",
    title="The dense layer, backward",
    text="""A dense layer computes y = x @ kernel + bias. Going back, it is given grad = dL/dy: how the loss L changes
    with each number of y. It has to say how L changes with its input x, which is the grad of the layer before, and with
    its own numbers, kernel and bias, which the optimizer needs. All examples of the batch have used the same kernel and
    bias, so their parts add up. A gradient has the shape of the array that it belongs to.""",
    given={
        "x": "(N, inputs)  the input of the layer",
        "kernel": "(inputs, units)  its weights",
        "grad": "(N, units)  dL/dy",
    },
    returns={
        "dx": "(N, inputs)  dL/dx",
        "dkernel": "(inputs, units)  dL/dkernel",
        "dbias": "(units,)  dL/dbias",
    },
    formula="""
y[n, u] = bias[u] + sum over i of x[n, i] * kernel[i, u]

dL/dx[n, i]      = sum over u of grad[n, u] * kernel[i, u]
dL/dkernel[i, u] = sum over n of x[n, i] * grad[n, u]
dL/dbias[u]      = sum over n of grad[n, u]
""",
    answer=dense_backward,
    by_engine=dense_backward_by_engine,
    lines=(Dense.backward, Dense.backward_to_parameters),
    cases=dense_backward_cases,
    wrong_answers=(
        bias_averaged, kernel_averaged, bias_not_summed, bias_summed_over_units, kernel_turned, inputs_turned,
        bias_of_one, first_example_alone, without_grad, in_another_order,
    ),
    by_hand=dense_backward_by_hand,
    loops=False,
    hints=(
        "Each of the three formulas is a sum over one letter. A sum over the letter that two arrays share is a product "
        "of matrices, if the letter is the last axis of the first array and the first axis of the second.",
        "a @ b is the product of two matrices, and a.T has the axes swapped. In the first formula the shared letter is "
        "u: the last axis of grad (N, units), and the last one of kernel (inputs, units), so one has to be turned.",
        "dx is grad @ kernel.T. In the same way, dkernel is a product of x.T, and dbias is a sum of grad over axis 0.",
    ),
    read_next="minitl/layers/dense.py, which derives the three formulas.",
)  # fmt: skip

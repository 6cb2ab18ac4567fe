"""An exercise on a network with a shortcut: the gradient of a tensor that is used twice.

Read next: `freezing`.
"""

import numpy as np

from ...graph.graph import Graph
from ...layers import Add, Dense, Input
from ...models import Model
from .exercise import Case, Exercise


def branch_backward(x, w1, w2, grad):
    h = x @ w1
    dh = grad @ w2.T * (h > 0)
    return grad + dh @ w1.T


def branch_backward_by_engine(x, w1, w2, grad):
    inputs = Input((x.shape[1],))
    h = Dense(w1.shape[1], activation="relu", use_bias=False, name="first")(inputs)
    h = Dense(w2.shape[1], use_bias=False, name="second")(h)
    model = Model(inputs, Add()([inputs, h]))
    model.get_layer("first").kernel, model.get_layer("second").kernel = w1.copy(), w2.copy()
    model.forward(x, gradients="input")
    return model.backward(grad)


def branch_backward_cases(random):
    def case(what, n, d, u):
        x, w1, w2, grad = (random.normal(size=shape) for shape in ((n, d), (d, u), (u, d), (n, d)))
        return Case(what, x, w1, w2, grad)

    return [
        case("4 examples, 3 features, 5 units", 4, 3, 5),
        case("one example, 2 features, 6 units", 1, 2, 6),
        case("as many units as features", 5, 4, 4),
        case("one unit", 3, 2, 1),
    ]


def shortcut_forgotten(x, w1, w2, grad):
    """Send the gradient back through the layers alone: x also reaches y directly, past the layers, and that way has a
    gradient, too."""
    return branch_backward(x, w1, w2, grad) - grad


def layers_forgotten(x, w1, w2, grad):
    """Send the gradient back along the shortcut alone: x also reaches y through the two layers, and what comes back
    there is added."""
    return grad.copy()


def last_one_doubled(x, w1, w2, grad):
    """Count the gradient of the layers twice, and that of the shortcut never: each of the two ways counts once."""
    return 2 * (branch_backward(x, w1, w2, grad) - grad)


def mean_of_the_ways(x, w1, w2, grad):
    """Take the mean of the two gradients: a small change of x acts along both ways, so its effects add up."""
    return branch_backward(x, w1, w2, grad) / 2


def product_of_the_ways(x, w1, w2, grad):
    """Multiply the two gradients: factors are multiplied along one way, from step to step, and the ways are added
    up."""
    return grad * (branch_backward(x, w1, w2, grad) - grad)


def difference_of_the_ways(x, w1, w2, grad):
    """Subtract one gradient from the other: y is a sum of both ways, so the gradient is one, too."""
    return 2 * grad - branch_backward(x, w1, w2, grad)


def relu_left_out(x, w1, w2, grad):
    """Leave out the slope of ReLU: where x @ w1 is below 0 nothing comes through, and so no gradient comes back."""
    return grad + grad @ w2.T @ w1.T


def relu_of_the_gradient(x, w1, w2, grad):
    """Apply ReLU to the gradient: whether it passes is decided by the number of the way there, x @ w1, and not by the
    sign of the gradient."""
    return grad + np.maximum(grad @ w2.T, 0) @ w1.T


def relu_of_the_result(x, w1, w2, grad):
    """Stop the gradient where y is below 0: the ReLU stands between the two layers, and not behind the sum."""
    y = x + np.maximum(x @ w1, 0) @ w2
    grad = grad * (y > 0)
    return grad + grad @ w2.T @ w1.T


def relu_turned(x, w1, w2, grad):
    """Let the gradient pass where x @ w1 is below 0: ReLU passes what is above 0, and the slope there is 1."""
    return grad + grad @ w2.T * (x @ w1 < 0) @ w1.T


def branch_backward_by_hand(name, index, x, w1, w2, grad):
    n, d = index
    dh = grad[n] @ w2.T * (x[n] @ w1 > 0)
    terms = " + ".join(f"{a:.3f}*({b:.3f})" for a, b in zip(dh.tolist(), w1[d].tolist()))
    return f"{grad[n, d]:.4f} + ({terms})"


BRANCH_BACKWARD = Exercise(
    "branch_backward",
    title="Backward through a branch: gradients add up",
    text="""In a block of a residual network, x is used twice: two layers compute something of it, and a shortcut leads
    it past them. The results are added. A small change of x acts on the loss along both ways, and the effects add up.
    That holds for every tensor that is used several times: its gradient is the sum of the gradients that come back
    along the ways. Here both layers are products without a bias, with a ReLU between them. For the gradient of a
    product look at the exercise dense_backward.""",
    given={
        "x": "(N, D)  the input of the block",
        "w1": "(D, U)  the kernel of the first layer",
        "w2": "(U, D)  the kernel of the second layer",
        "grad": "(N, D)  dL/dy",
    },
    returns={"dx": "(N, D)  dL/dx"},
    formula="""
h = x @ w1                     r = relu(h)
y = x + r @ w2                 x has two ways to y

dL/dx = (gradient along the shortcut) + (gradient through r and h)
""",
    answer=branch_backward,
    by_engine=branch_backward_by_engine,
    lines=(Graph.backward,),
    cases=branch_backward_cases,
    wrong_answers=(
        shortcut_forgotten, layers_forgotten, last_one_doubled, mean_of_the_ways, product_of_the_ways,
        difference_of_the_ways, relu_left_out, relu_of_the_gradient, relu_of_the_result, relu_turned,
    ),
    by_hand=branch_backward_by_hand,
    loops=False,
    hints=(
        "Along the shortcut y changes as x does, so the gradient there is grad itself. Compute the other one step by "
        "step, from y back to r, to h and to x. Then add the two.",
        "For a product r @ w the gradient at r is (what comes back) @ w.T. For ReLU it is what comes back where h is "
        "above 0, and 0 elsewhere. So h is needed: compute it again.",
        "dh = (grad @ w2.T) * (h > 0), where the comparison counts as 1 or 0. Through the layers dh @ w1.T comes back.",
    ),
    read_next="minitl/graph/graph.py, whose backward adds up the gradients of every tensor.",
)  # fmt: skip

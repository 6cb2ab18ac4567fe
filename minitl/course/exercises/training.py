"""Exercises on training: the loop, and the step of one weight.

Read next: `convolution`.
"""

import numpy as np

from ...layers import BatchNormalization, Dense
from ...losses import MeanSquaredError
from ...models import Sequential
from ...optimizers import SGD
from ...training import train_step
from .exercise import Case, Exercise


def training_loop(model, criterion, optimizer, x, t, batch_size):
    losses = []
    for first in range(0, len(x), batch_size):
        y = model.forward(x[first : first + batch_size], training=True)
        losses.append(criterion.forward(t[first : first + batch_size], y))
        model.backward(criterion.backward())
        optimizer.step(model)
    return losses


def training_loop_by_engine(model, criterion, optimizer, x, t, batch_size):
    model.compile(optimizer, criterion)
    batches = [slice(first, first + batch_size) for first in range(0, len(x), batch_size)]
    return [train_step(model, x[batch], t[batch])[0] for batch in batches]


def training_loop_cases(random):
    def case(what, examples, batch_size):
        model = Sequential([Dense(4, input_shape=(3,)), BatchNormalization(), Dense(2)])
        model.set_weights([random.uniform(0.5, 1.5, array.shape) for array in model.get_weights()])
        x = random.normal(size=(examples, 3)).astype(np.float32)
        t = random.normal(size=(examples, 2)).astype(np.float32)
        return Case(what, model, MeanSquaredError(), SGD(0.1, momentum=0.5), x, t, batch_size)

    return [
        case("12 examples, batches of 6", 12, 6),
        case("11 examples, batches of 4: the last has 3", 11, 4),
        case("5 examples, a batch of 8", 5, 8),
    ]


def training_loop_seen(losses, model, criterion, optimizer, x, t, batch_size):
    return losses, np.concatenate([array.ravel() for array in model.get_weights()])


def without_step(model, criterion, optimizer, x, t, batch_size):
    """Leave out model.backward or optimizer.step: without gradients, or without a step, no weight moves, and nothing is
    learned."""
    losses = []
    for first in range(0, len(x), batch_size):
        y = model.forward(x[first : first + batch_size], training=True)
        losses.append(criterion.forward(t[first : first + batch_size], y))
        model.backward(criterion.backward())
    return losses


def step_too_early(model, criterion, optimizer, x, t, batch_size):
    """Call optimizer.step before model.backward: the step then takes the gradients of the batch before."""
    losses = []
    for first in range(0, len(x), batch_size):
        y = model.forward(x[first : first + batch_size], training=True)
        losses.append(criterion.forward(t[first : first + batch_size], y))
        optimizer.step(model)
        model.backward(criterion.backward())
    return losses


def in_inference(model, criterion, optimizer, x, t, batch_size):
    """Leave out training=True: batch normalization then uses its moving statistics, and does not update them."""
    losses = []
    for first in range(0, len(x), batch_size):
        y = model.forward(x[first : first + batch_size])
        losses.append(criterion.forward(t[first : first + batch_size], y))
        model.backward(criterion.backward())
        optimizer.step(model)
    return losses


def last_batch_left_out(model, criterion, optimizer, x, t, batch_size):
    """Leave out the last batch where it is smaller than the others: its examples would never be learned from."""
    whole = len(x) // batch_size * batch_size
    return training_loop(model, criterion, optimizer, x[:whole], t[:whole], batch_size)


def first_batch_again(model, criterion, optimizer, x, t, batch_size):
    """Take the first batch in every round: each example is to be used once, so the slices have to move on."""
    count = -(-len(x) // batch_size)
    first = slice(0, batch_size)
    return [training_loop(model, criterion, optimizer, x[first], t[first], batch_size)[0] for _ in range(count)]


def loss_after_the_step(model, criterion, optimizer, x, t, batch_size):
    """Compute the loss again after the step: asked for is the loss whose gradient the step has used, before it."""
    losses = []
    for first in range(0, len(x), batch_size):
        batch = slice(first, first + batch_size)
        training_loop(model, criterion, optimizer, x[batch], t[batch], batch_size)
        losses.append(criterion.forward(t[batch], model.forward(x[batch])))
    return losses


def prediction_sent_back(model, criterion, optimizer, x, t, batch_size):
    """Give the predictions y to model.backward: it takes dL/dy, which criterion.backward() returns."""
    losses = []
    for first in range(0, len(x), batch_size):
        y = model.forward(x[first : first + batch_size], training=True)
        losses.append(criterion.forward(t[first : first + batch_size], y))
        model.backward(y)
        optimizer.step(model)
    return losses


def backwards_through_the_set(model, criterion, optimizer, x, t, batch_size):
    """Take the batches from the last to the first: here the order of the examples is that of the arrays."""
    losses = []
    for first in reversed(range(0, len(x), batch_size)):
        batch = slice(first, first + batch_size)
        losses += training_loop(model, criterion, optimizer, x[batch], t[batch], batch_size)
    return losses


TRAINING_LOOP = Exercise(
    "training_loop",
    title="The training loop",
    text="""Training is four lines, again and again. Forward predicts, the loss measures how wrong that is, backward
    finds all gradients, and the optimizer moves the weights against them. Write one epoch: go through x and t in order,
    in batches of batch_size examples. Where the number of examples is no multiple of it, the last batch is smaller.
    Model, loss and optimizer are minitl's, and each batch takes five calls of them: criterion.backward() returns the
    dL/dy that model.backward takes. The model is changed by it, as it should be.""",
    given={
        "model": "a model: model.forward(x, training=True) returns predictions, and model.backward(grad) takes dL/dy",
        "criterion": "a loss: criterion.forward(t, y) returns the loss L of a batch, then criterion.backward() dL/dy",
        "optimizer": "optimizer.step(model) moves the weights by the gradients of the latest backward",
        "x": "(N, D)  the examples",
        "t": "(N, K)  what is to be predicted of them",
        "batch_size": "how many examples a batch has",
    },
    returns={"losses": "a list: the loss of each batch, before its step"},
    formula="""
for each batch:
    y    = forward(x of the batch)
    loss = L(t of the batch, y)
    backward(dL/dy)
    step
""",
    answer=training_loop,
    by_engine=training_loop_by_engine,
    lines=(train_step,),
    cases=training_loop_cases,
    wrong_answers=(
        without_step, step_too_early, in_inference, last_batch_left_out, first_batch_again, loss_after_the_step,
        prediction_sent_back, backwards_through_the_set,
    ),
    seen=training_loop_seen,
    compared={"losses": "(batches,)", "weights": "(numbers,)  all weights after the epoch, one after the other"},
    hints=(
        "range(0, len(x), batch_size) gives the number of the first example of each batch.",
        "x[first : first + batch_size] is a batch, and the same slice of t belongs to it. A slice that goes beyond the "
        "end is cut off there, so the smaller last batch needs no care.",
        "In the loop: y = model.forward(batch of x, training=True); append criterion.forward(batch of t, y) to the "
        "losses; model.backward(criterion.backward()); optimizer.step(model).",
    ),
    read_next="minitl/training/loop.py, whose fit does the same with more around it.",
)  # fmt: skip


def momentum_step(p, v, g, learning_rate, momentum):
    v = momentum * v - learning_rate * g
    return p + v, v


def momentum_step_by_engine(p, v, g, learning_rate, momentum):
    optimizer = SGD(learning_rate, momentum=momentum)
    optimizer.rate = learning_rate
    p, v = p.copy(), v.copy()
    optimizer.update(p, g, v)
    return p, v


def momentum_step_cases(random):
    def case(what, shape, learning_rate, momentum):
        p, v, g = (random.normal(size=shape) for _ in range(3))
        return Case(what, p, v, g, learning_rate, momentum)

    rolling = case("a gradient of 0: it rolls on", (4,), 0.1, 0.9)
    return [
        case("a kernel of 3x2, momentum 0.9", (3, 2), 0.1, 0.9),
        case("a bias, momentum 0.5", (5,), 0.02, 0.5),
        Case(rolling.what, *rolling.arguments[:2], np.zeros(4), *rolling.arguments[3:]),
        case("momentum 0: plain descent", (2, 3), 0.5, 0.0),
    ]


def velocity_uphill(p, v, g, learning_rate, momentum):
    """Add the gradient to the velocity and subtract the velocity from p: here v is the step itself, so it points
    downhill and is added."""
    v = momentum * v + learning_rate * g
    return p - v, v


def rate_at_the_end(p, v, g, learning_rate, momentum):
    """Multiply by the learning rate last, as PyTorch does: there v is a sum of gradients, here it is a sum of steps."""
    v = momentum * v + g
    return p - learning_rate * v, v


def gradient_damped(p, v, g, learning_rate, momentum):
    """Multiply the gradient by 1 - momentum: that makes an average of the steps, and here they are added up."""
    v = momentum * v - (1 - momentum) * learning_rate * g
    return p + v, v


def old_velocity(p, v, g, learning_rate, momentum):
    """Move p by the velocity from before: the new one, which knows this gradient, moves it."""
    return p + v, momentum * v - learning_rate * g


def nesterov(p, v, g, learning_rate, momentum):
    """Look ahead by another momentum * v: that is Nesterov's variant, and here plain momentum is asked for."""
    v = momentum * v - learning_rate * g
    return p + momentum * v - learning_rate * g, v


def velocity_forgotten(p, v, g, learning_rate, momentum):
    """Leave out the velocity: without momentum * v each step forgets the ones before."""
    v = -learning_rate * g
    return p + v, v


def without_friction(p, v, g, learning_rate, momentum):
    """Leave out the factor momentum: the velocity then never gets smaller, and rolls on for ever."""
    v = v - learning_rate * g
    return p + v, v


def gradient_slowed(p, v, g, learning_rate, momentum):
    """Multiply the whole velocity by momentum, after the gradient was added: only what is left of the old steps is
    slowed down."""
    v = momentum * (v - learning_rate * g)
    return p + v, v


def without_rate(p, v, g, learning_rate, momentum):
    """Leave out the learning rate: the gradient says in which direction and how steeply, the rate how far to go."""
    v = momentum * v - g
    return p + v, v


def uphill(p, v, g, learning_rate, momentum):
    """Add the gradient: it points to where the loss grows, so a step goes against it."""
    v = momentum * v + learning_rate * g
    return p + v, v


def momentum_step_by_hand(name, index, p, v, g, learning_rate, momentum):
    step = f"{momentum:g}*({v[index]:.4f}) - {learning_rate:g}*({g[index]:.4f})"
    return step if name == "v" else f"{p[index]:.4f} + {step}"


MOMENTUM_STEP = Exercise(
    "momentum_step",
    title="A step with momentum",
    text="""Plain descent moves a parameter p against its gradient. With momentum, a part of the previous step is added:
    the velocity v, which is 0 at first. Where gradients agree from step to step, the steps grow; where they change
    their sign, they cancel. Return the new parameter and the new velocity as new arrays, and leave the old ones as they
    are.""",
    given={
        "p": "an array: a parameter, as a kernel or a bias",
        "v": "an array of the same shape: its velocity, which is the step before this one",
        "g": "an array of the same shape: its gradient dL/dp",
        "learning_rate": "a number, as 0.1",
        "momentum": "a number from 0 to 1, as 0.9",
    },
    returns={"p": "the new parameter", "v": "the new velocity"},
    formula="""
v <- momentum * v - learning_rate * g
p <- p + v                                    with the new v
""",
    answer=momentum_step,
    by_engine=momentum_step_by_engine,
    lines=(SGD.update,),
    cases=momentum_step_cases,
    wrong_answers=(
        velocity_uphill, rate_at_the_end, gradient_damped, old_velocity, nesterov, velocity_forgotten, without_friction,
        gradient_slowed, without_rate, uphill,
    ),
    by_hand=momentum_step_by_hand,
    loops=False,
    hints=(
        "Two lines, one for each formula. NumPy computes with whole arrays as with numbers.",
        "Compute the new velocity first: the new parameter needs it.",
        "v = momentum * v - learning_rate * g makes a new array. (v *= momentum would change the one that was given.) "
        "Then return p + v, v.",
    ),
    read_next="minitl/optimizers/sgd.py, and minitl/optimizers/base.py for the rest of a step.",
)  # fmt: skip

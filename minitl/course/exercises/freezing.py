"""An exercise on freezing: the end of a network is trained, and batch normalization stays as it is.

Read next: `foreign_weights`.
"""

import numpy as np

from ...graph.digest import frozen_digest
from ...layers import BatchNormalization, Dense, Dropout
from ...losses import MeanSquaredError
from ...models import Sequential
from ...optimizers import SGD
from ...training import train_step
from ...transfer import freeze, unfreeze
from .exercise import Case, Exercise


def train_the_end(model, first, criterion, optimizer, batches, digest):
    for k, layer in enumerate(model.layers):
        layer.trainable = k >= first and len(layer.statistic_names) == 0
    losses = []
    for x, t in batches:
        y = model.forward(x, training=True)
        losses.append(criterion.forward(t, y))
        model.backward(criterion.backward())
        optimizer.step(model)
    return losses


def train_the_end_by_engine(model, first, criterion, optimizer, batches, digest):
    freeze(model)
    unfreeze(model, since=model.layers[first].name)
    model.compile(optimizer, criterion)
    return [train_step(model, x, t)[0] for x, t in batches]


def network(random):
    """Return a small network with weights as after some training."""
    model = Sequential([
        Dense(4, input_shape=(3,), activation="relu", name="base1"), BatchNormalization(name="norm1"),
        Dense(5, activation="relu", name="base2"), BatchNormalization(name="norm2"),
        Dropout(0.4, seed=7, name="dropout"), Dense(2, name="head"),
    ])  # fmt: skip
    old = model.get_weights()
    model.set_weights(
        [random.normal(0.1, 0.6, a.shape) if a.ndim == 2 else random.uniform(0.3, 1.2, a.shape) for a in old]
    )
    return model


def train_the_end_cases(random):
    def case(what, first, sizes, rate):
        model = network(random)
        freeze(model)
        unfreeze(model, since=model.layers[first].name)
        digest = frozen_digest(model)
        unfreeze(model, batch_normalization=True)
        batches = [
            (random.normal(0.5, 1, size=(n, 3)).astype(np.float32), random.normal(size=(n, 2)).astype(np.float32))
            for n in sizes
        ]
        return Case(what, model, first, MeanSquaredError(), SGD(rate), batches, digest)

    return [
        case("the head alone is trained", 5, (6, 4, 7), 0.02),
        case("all but the first two layers are trained: a BatchNormalization is among them", 2, (8, 5), 0.01),
        case("one batch, and every layer but BatchNormalization is trained", 0, (9,), 0.01),
    ]


def train_the_end_seen(losses, model, first, criterion, optimizer, batches, digest):
    weights = np.concatenate([array.ravel() for array in model.get_weights()])
    return losses, frozen_digest(model) == digest, weights


def norms_left_trainable(model, first, criterion, optimizer, batches, digest):
    """Leave BatchNormalization trainable behind layer `first`: its moving statistics move with every forward in
    training, and a few batches of a small set are worse than those of the pre-training."""
    return _train(model, [k >= first for k in range(len(model.layers))], criterion, optimizer, batches)


def kernels_alone_frozen(model, first, criterion, optimizer, batches, digest):
    """Freeze the layers with a kernel alone: a BatchNormalization that is not frozen uses the batch, and its moving
    statistics move, so the base is not what it was and the frozen digest is another one."""
    trained = [k >= first or len(layer.statistic_names) > 0 for k, layer in enumerate(model.layers)]
    return _train(model, trained, criterion, optimizer, batches)


def nothing_frozen(model, first, criterion, optimizer, batches, digest):
    """Freeze nothing: the gradients of a new head are large and random at first, and spoil what the base has
    learned."""
    return _train(model, [True] * len(model.layers), criterion, optimizer, batches)


def head_frozen_too(model, first, criterion, optimizer, batches, digest):
    """Freeze the whole model, with its head: then no weight moves, and nothing is learned."""
    return _train(model, [False] * len(model.layers), criterion, optimizer, batches)


def one_layer_too_many(model, first, criterion, optimizer, batches, digest):
    """Freeze layer `first` as well: it is the first one that is trained, so k >= first, and not k > first."""
    trained = [k > first and not layer.statistic_names for k, layer in enumerate(model.layers)]
    return _train(model, trained, criterion, optimizer, batches)


def beginning_trained(model, first, criterion, optimizer, batches, digest):
    """Train the layers before `first` and freeze the others: trainable = False is what freezes."""
    trained = [k < first and not layer.statistic_names for k, layer in enumerate(model.layers)]
    return _train(model, trained, criterion, optimizer, batches)


def in_inference(model, first, criterion, optimizer, batches, digest):
    """Leave out training=True to keep batch normalization quiet: then Dropout does nothing either, and the head is
    trained without it. Freezing alone makes BatchNormalization use its moving statistics."""
    return _train(model, _right(model, first), criterion, optimizer, batches, training=False)


def frozen_too_late(model, first, criterion, optimizer, batches, digest):
    """Freeze after the first step: by then everything has moved. Freeze before the first forward."""
    losses = _train(model, [True] * len(model.layers), criterion, optimizer, batches[:1])
    return losses + _train(model, _right(model, first), criterion, optimizer, batches[1:])


def statistics_put_back(model, first, criterion, optimizer, batches, digest):
    """Let BatchNormalization run in training and put its weights back afterwards: the digest is the same then, but the
    head was trained on numbers that were normalized by the batch, and gets others in inference."""
    norms = [layer for layer in model.layers if layer.statistic_names]
    before = [[getattr(layer, name).copy() for name in layer.weight_names] for layer in norms]
    losses = kernels_alone_frozen(model, first, criterion, optimizer, batches, digest)
    for layer, arrays in zip(norms, before):
        layer.trainable = False
        for name, array in zip(layer.weight_names, arrays):
            setattr(layer, name, array)
    return losses


def statistics_move(model, first, criterion, optimizer, batches, digest):
    """Keep gamma and beta and let the moving statistics move: they are weights of the layer like the others, and frozen
    means that all of them stay."""
    norms = [layer for layer in model.layers if layer.statistic_names]
    before = [(layer.gamma.copy(), layer.beta.copy()) for layer in norms]
    losses = []
    for batch in batches:
        losses += kernels_alone_frozen(model, first, criterion, optimizer, [batch], digest)
        for layer, (gamma, beta) in zip(norms, before):
            layer.gamma, layer.beta = gamma.copy(), beta.copy()
    return losses


def loss_arguments_swapped(model, first, criterion, optimizer, batches, digest):
    """Give the predictions to the loss first: then it takes them for the labels, and the gradient leads uphill. Here
    the labels t come first, criterion.forward(t, y), as in Keras. In PyTorch they come second."""
    losses = []
    for layer, trained in zip(model.layers, _right(model, first)):
        layer.trainable = trained
    for x, t in batches:
        losses.append(criterion.forward(model.forward(x, training=True), t))
        model.backward(criterion.backward())
        optimizer.step(model)
    return losses


def _right(model, first):
    """Return which layers are to be trained."""
    return [k >= first and not layer.statistic_names for k, layer in enumerate(model.layers)]


def _train(model, trained, criterion, optimizer, batches, training=True):
    """Train the layers for which `trained` is True, and return the losses."""
    losses = []
    for layer, is_trained in zip(model.layers, trained):
        layer.trainable = is_trained
    for x, t in batches:
        losses.append(criterion.forward(t, model.forward(x, training=training)))
        model.backward(criterion.backward())
        optimizer.step(model)
    return losses


TRAIN_THE_END = Exercise(
    "train_the_end",
    title="Freezing, with batch normalization",
    text="""In transfer learning the end of a network is trained, and its beginning, which others have trained, stays as
    it is: frozen, layer.trainable = False. One kind of layer has weights that no gradient moves: BatchNormalization
    keeps moving statistics, which every forward in training updates, as long as the layer is trainable. Frozen, it uses
    them and keeps them, in training as well. On a small data set it stays frozen in the trained end, too. First set
    trainable of every layer to True or False, whatever it was before. Then do one step for each batch, as in the
    exercise training_loop, with training=True. A digest of all frozen weights, taken before, has to be the same
    afterwards. The check takes it again. Layers without weights, such as Dropout, may be frozen or not.""",
    given={
        "model": "a model: model.layers is the list of its layers. A layer has a list, statistic_names, empty for "
                 "all layers but BatchNormalization",
        "first": "the number in model.layers, from 0, of the first layer that is trained",
        "criterion": "a loss: criterion.forward(t, y), then criterion.backward(), which returns dL/dy",
        "optimizer": "optimizer.step(model) moves the weights of the layers that are trainable",
        "batches": "a list of pairs (x, t): the examples, and what is to be predicted of them",
        "digest": "a text: the digest of the frozen weights before. You need not use it",
    },
    returns={"losses": "a list: the loss of each batch, before its step"},
    compared={
        "losses": "(batches,)",
        "digest_is_the_same": "(): 1 if no frozen weight has moved, and the right layers are frozen",
        "weights": "(numbers,)  all weights after the last step, one after the other",
    },
    seen=train_the_end_seen,
    formula="""
layer k is trained if    k >= first, and it has no moving statistics

digest of all frozen weights after = digest before
""",
    answer=train_the_end,
    by_engine=train_the_end_by_engine,
    lines=(freeze, unfreeze, frozen_digest),
    cases=train_the_end_cases,
    wrong_answers=(
        norms_left_trainable, kernels_alone_frozen, nothing_frozen, head_frozen_too, one_layer_too_many,
        beginning_trained, in_inference, frozen_too_late, statistics_put_back, statistics_move,
        loss_arguments_swapped,
    ),
    hints=(
        "Go through model.layers with enumerate, and set layer.trainable of each: True or False. Layers may have been "
        "trainable or not before.",
        "A layer is trainable if its number is at least `first` and layer.statistic_names is empty. Do this before "
        "the first forward.",
        "Then the four lines of a step for each x, t of batches: y = model.forward(x, training=True); append "
        "criterion.forward(t, y) to the losses; model.backward(criterion.backward()); optimizer.step(model).",
    ),
    read_next="minitl/layers/normalization.py, which says with numbers why a frozen layer uses its moving statistics.",
)  # fmt: skip

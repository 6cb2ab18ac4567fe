"""Mistakes with freezing: what should stand still moves, or what should learn stands still.

Read next: `training`.
"""

import numpy as np

from ... import transfer
from ...layers import BatchNormalization, Conv2D, Dense, Flatten, ReLU
from ...models import Model, Sequential
from .workbench import Outcome, accuracy, base, behind, clothes, features, head_model, new_head, train, train_by_hand

FEW = 100  # pictures to learn from, where layers of VGG16 learn as well


def head_frozen_too():
    """Symptom: The loss is stuck: the same number in every epoch, 2.3026 for ten classes if the head starts at zero.

    Diagnosis: The model was frozen after its new head had been put on, so the head is frozen, too, and nothing is left
    that could learn. 2.3026 = log 10 is what "all ten are equally likely" costs. The check: count what can move.
    model.count_params(trainable_only=True) is 0, and model.summary() says which layers are frozen.

    Mend: Freeze up to a layer that you name, transfer.freeze(model, until="block2_pool"), or freeze the base before the
    head is put on. `fit` refuses a model of which nothing can move; in a loop of your own, `optimizer.step` warns.
    """
    x_train, y_train, x_test, y_test = features()  # of the base; the models here are what comes behind it

    model = head_model(new_head())
    transfer.freeze(model)  # wrong
    train_by_hand(model, x_train, y_train)
    wrong = accuracy(model, x_test, y_test)

    model = head_model(new_head())
    transfer.freeze(model, until="flatten")  # mended
    train_by_hand(model, x_train, y_train)
    mended = accuracy(model, x_test, y_test)
    return Outcome("accuracy", wrong, mended)


def batch_norm_runs_in_frozen_base():
    """Symptom: The training loss falls nicely and the validation accuracy is poor. The very pictures that it learned
    from score far worse in `evaluate` than they did in training (0.48 after 0.89, here).

    Diagnosis: The convolutions of the base are frozen and its batch normalizations are not. In training these use the
    mean and variance of each batch, and their moving statistics drift from what the base was trained with towards the
    new pictures; the frozen convolutions behind them were made for the old ones, and what `predict` uses is half old
    and half new. Here the new pictures are taken in bad light, with a quarter of the brightness. The check:
    base.count_params(trainable_only=True) is not 0, and layer.moving_mean is another one after training.

    Mend: A frozen layer has to be frozen whole. transfer.freeze does that, and transfer.unfreeze leaves batch
    normalizations frozen unless asked. In PyTorch, requires_grad=False is not enough: call .eval() on the base, after
    each .train() of the model. `fit` warns about a batch normalization that learns between frozen layers.
    """
    x_train, y_train, x_test, y_test, _ = clothes()
    network, weights = _pretrained_with_batch_norm(_grey(x_train), y_train)
    x_train, x_test = _grey(x_train / 4), _grey(x_test / 4)  # the new task: the same clothes at dusk

    network.set_weights(weights)
    for layer in network.layers:
        layer.trainable = isinstance(layer, BatchNormalization)  # wrong
    model = behind(network, _classifier(network))
    train(model, x_train, y_train, learning_rate=0.02, epochs=3)
    wrong = accuracy(model, x_test, y_test)

    network.set_weights(weights)
    for layer in network.layers:
        layer.trainable = False  # mended
    model = behind(network, _classifier(network))
    train(model, x_train, y_train, learning_rate=0.02, epochs=3)
    mended = accuracy(model, x_test, y_test)
    return Outcome("accuracy", wrong, mended)


def _pretrained_with_batch_norm(x, y):
    """A small base that learned the clothes by daylight (VGG16 has no batch normalization), and its weights."""
    layers = []
    for number, filters in enumerate((16, 32, 32), start=1):
        layers += [
            Conv2D(filters, 3, strides=1 if number == 3 else 2, input_shape=x.shape[1:], name=f"conv{number}"),
            BatchNormalization(momentum=0.9, name=f"bn{number}"),  # a short training needs quick statistics
            ReLU(name=f"relu{number}"),
        ]
    network = Sequential([*layers, Flatten(name="flatten")])
    train(behind(network, _classifier(network)), x, y, learning_rate=0.01)
    for layer in network.layers:
        if isinstance(layer, BatchNormalization):
            layer.momentum = 0.99  # Keras's, which the published networks have as well
    return network, network.get_weights()


def _classifier(network):
    return Sequential([Dense(10, activation="softmax", input_shape=network.output_shape[1:])])


def _grey(pictures):
    """RGB from 0 to 255 -> one channel with mean 0 and variance 1, about."""
    return ((pictures[..., :1] - 70) / 90).astype(np.float32)


def unfrozen_too_early():
    """Symptom: With all layers trainable from the start it ends worse than with a frozen base. The loss jumps in the
    first steps (2.3, 3.7, 3.1, 1.8, 8.4, here).

    Diagnosis: A new head knows nothing, so the gradient that it sends back says nothing about pictures: at a rate that
    suits a head, it overwrites in ten steps what a million photographs had taught. When the head has learned, the
    gradient is small and means something. The check: minitl weights diff before.h5 after.h5, or in Python |kernel -
    kernel before| / |kernel before|. It is 5 here, so nothing is left of the old kernel, and 0.00004 with two stages.

    Mend: Two stages. First the head alone; then the last block with it, at a tenth of the rate or less. `minitl
    finetune PHOTOS` does that (0.001, then 0.00003); its --l2-sp pulls what moves back to where it came from.
    """
    x_train, y_train, x_test, y_test = (array[:FEW] for array in features("block1_pool"))
    second_block = Model(base().output_of("block1_pool"), base().output)
    weights, last_layer = second_block.get_weights(), second_block.get_layer("block2_conv2")

    model = behind(second_block, head_model(new_head()))
    last_layer.trainable = True
    train(model, x_train, y_train, learning_rate=0.1, epochs=2)  # wrong
    wrong = accuracy(model, x_test, y_test)

    second_block.set_weights(weights)
    model = behind(second_block, head_model(new_head()))
    last_layer.trainable = False
    train(model, x_train, y_train, learning_rate=0.001, epochs=6)  # mended
    last_layer.trainable = True
    train(model, x_train, y_train, learning_rate=0.0001, epochs=1)  # mended
    mended = accuracy(model, x_test, y_test)

    second_block.set_weights(weights)  # the other mistakes share these layers
    last_layer.trainable = False
    return Outcome("accuracy", wrong, mended)

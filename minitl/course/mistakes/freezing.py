"""Mistakes with freezing: layers that should be frozen change, or layers that should learn are frozen.

Read next: `training`.
"""

import numpy as np

from ... import transfer
from ...layers import BatchNormalization, Conv2D, Dense, Flatten, ReLU
from ...models import Model, Sequential
from .workbench import Outcome, accuracy, base, behind, clothes, features, head_model, new_head, train, train_by_hand

FEW = 100  # training images where layers of VGG16 are trainable as well


def head_frozen_too():
    """Symptom: The loss is stuck: the same number in every epoch, 2.3026 for ten classes if the head starts at zero.

    Diagnosis: The model was frozen after its new head had been put on. So the head is frozen as well, and no trainable
    layer is left. 2.3026 = log 10 is the loss when all ten classes are equally likely. The check: count the trainable
    parameters. model.count_params(trainable_only=True) is 0, and model.summary() says which layers are frozen.

    Mend: Freeze up to a layer that you name, transfer.freeze(model, until="block2_pool"), or freeze the base before the
    head is put on. `fit` refuses a model without trainable layers. In a loop of your own, `optimizer.step` warns.
    """
    x_train, y_train, x_test, y_test = features()  # of the base; the models here are heads

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
    """Symptom: The training loss falls nicely and the validation accuracy is poor. Even on the training images the
    accuracy is far lower in `evaluate` than in training (here 0.48 after 0.89).

    Diagnosis: The convolutions of the base are frozen and its batch normalizations are not. In training these use the
    mean and variance of each batch, and their moving statistics change from those of the old images to those of the new
    ones. The frozen convolutions behind them were trained with the old statistics, and `predict` uses a mixture of old
    and new ones. Here the new images have a quarter of the brightness. The check: base.count_params(trainable_only=
    True) is not 0, and layer.moving_mean has changed after training.

    Mend: Freeze the moving statistics as well. transfer.freeze does that, and transfer.unfreeze leaves batch
    normalizations frozen unless told otherwise. In PyTorch, requires_grad=False is not enough: call .eval() on the
    base, after each .train() of the model. `fit` warns about a batch normalization that learns between frozen layers.
    """
    x_train, y_train, x_test, y_test, _ = clothes()
    network, weights = _pretrained_with_batch_norm(_grey(x_train), y_train)
    x_train, x_test = _grey(x_train / 4), _grey(x_test / 4)  # the new task: the same clothes, darker

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
    """Return a small base with batch normalization (VGG16 has none), trained on the bright images, and its weights."""
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
    """Return a new dense layer for ten classes, as a model."""
    return Sequential([Dense(10, activation="softmax", input_shape=network.output_shape[1:])])


def _grey(images):
    """Return RGB images from 0 to 255 as one channel with a mean of about 0 and a variance of about 1."""
    return ((images[..., :1] - 70) / 90).astype(np.float32)


def unfrozen_too_early():
    """Symptom: With all layers trainable from the start, training ends worse than with a frozen base. The loss jumps in
    the first steps (here 2.3, 3.7, 3.1, 1.8, 8.4).

    Diagnosis: A new head has learned nothing, so the gradient that it passes back is large and says nothing about the
    images. At a learning rate that suits a head, it destroys in ten steps what the base had learned from a million
    photographs. Once the head is trained, the gradient is small and useful. The check: minitl weights diff before.h5
    after.h5, or in Python |kernel - kernel before| / |kernel before|. Here it is 5, so nothing is left of the old
    kernel, and 0.00004 with two stages.

    Mend: Use two stages. Train the head alone first, then the last block with it, at a tenth of the learning rate or
    less. `minitl finetune PHOTOS --unfreeze block5` does that (0.003, then 0.0003). Its --l2-sp pulls the parameters
    towards their values before training.
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

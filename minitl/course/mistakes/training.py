"""Mistakes in training: the loss, the order of the pictures, and the numbers that a layer starts with or is given.

Read next: `evaluating`.
"""

import numpy as np

from ...layers import BatchNormalization, Dense, Flatten
from ...losses import SparseCategoricalCrossentropy
from .workbench import Outcome, accuracy, features, head_model, new_head, train


def softmax_twice():
    """Symptom: The loss is stuck at about 1.6 for ten classes, although most pictures are right.

    Diagnosis: The model ends with a softmax, and the loss, told from_logits=True, takes another one. What goes into the
    second lies between 0 and 1, so the best that it can say is e / (e + 9) = 0.23, and the loss cannot fall below
    log(1 + 9 / e) = 1.46 however right the model is; the gradient is small as well. PyTorch's CrossEntropyLoss takes a
    softmax itself: with a Softmax layer before it this is what happens. The opposite, from_logits=False without any
    softmax, takes the logarithm of numbers that are no probabilities; with sigmoids all classes become probable at once
    and the loss falls to 0. The check: count the softmaxes from the last dense layer to the logarithm. There must be
    one, over two outputs or more.

    Mend: Leave one of them out: activation="softmax" with loss="sparse_categorical_crossentropy", or no activation with
    from_logits=True. `compile` warns about two softmaxes, about none, about sigmoids where classes exclude each other,
    and about a softmax over a single output, which is always 1.
    """
    x_train, y_train, _, _ = features()

    model = head_model(new_head())  # ends with Dense(10, activation="softmax")
    loss = SparseCategoricalCrossentropy(from_logits=True)  # wrong
    wrong = train(model, x_train, y_train, loss=loss)

    model = head_model(new_head())
    loss = SparseCategoricalCrossentropy()  # mended
    mended = train(model, x_train, y_train, loss=loss)
    return Outcome("training loss", wrong, mended, lower_is_better=True)


def classes_in_order():
    """Symptom: Loss and accuracy of an epoch look fine, and on other pictures the accuracy is twenty points lower. (In
    training 0.25 and 0.95, here; then a few classes swallow the others.)

    Diagnosis: The pictures were read folder by folder and not shuffled. For a whole stretch of batches "always say bag"
    is right, then "always say boot": the network learns what comes now and forgets what came before, and batch
    normalization gets the statistics of one class at a time. With validation_split, which takes the last part as it is,
    the same order holds back classes that are never trained. The check: print the labels of the first batch.

    Mend: shuffle=True, which is the default: a new order in each epoch. `fit` warns about sorted labels with
    shuffle=False, and where validation_split holds back classes that the rest does not have.
    """
    x_train, y_train, x_test, y_test = features()
    folder_by_folder = np.argsort(y_train, kind="stable")
    x_train, y_train = x_train[folder_by_folder], y_train[folder_by_folder]

    model = head_model(new_head())
    train(model, x_train, y_train, shuffle=False)  # wrong
    wrong = accuracy(model, x_test, y_test)

    model = head_model(new_head())
    train(model, x_train, y_train, shuffle=True)  # mended
    mended = accuracy(model, x_test, y_test)
    return Outcome("accuracy", wrong, mended)


def zeros_in_a_hidden_layer():
    """Symptom: The loss is stuck at 2.30 (log 10, for ten classes) at every learning rate, although parameters are
    trainable.

    Diagnosis: A hidden layer starts with a kernel of zeros. All its outputs are relu(0) = 0, so the layer behind it has
    nothing to learn from, and the slope of relu at 0 is taken as 0, so nothing comes back either: every gradient but
    that of the last bias is exactly 0, for ever. A last layer may start at zero (its problem is convex); with equal
    numbers other than zero, the units of a hidden layer would all learn the same. The check: after a backward,
    layer.gradients["kernel"].any() is False.

    Mend: Random numbers break the tie: leave kernel_initializer out, or "he_uniform" before a relu. `fit` warns about a
    relu layer of zeros that is meant to learn.
    """
    x_train, y_train, x_test, y_test = features()
    flatten, normalize, predictions = new_head()
    hidden = Dense(32, activation="relu", kernel_initializer="zeros", name="hidden")  # wrong
    model = head_model([flatten, normalize, hidden, predictions])
    train(model, x_train, y_train, learning_rate=0.01)
    wrong = accuracy(model, x_test, y_test)

    flatten, normalize, predictions = new_head()
    hidden = Dense(32, activation="relu", kernel_initializer="he_uniform", name="hidden")  # mended
    model = head_model([flatten, normalize, hidden, predictions])
    train(model, x_train, y_train, learning_rate=0.01)
    mended = accuracy(model, x_test, y_test)
    return Outcome("accuracy", wrong, mended)


def raw_activations():
    """Symptom: The loss is 40 where guessing would cost 2.3, falls in jumps, and a smaller learning rate changes
    nothing. Every answer is given with 100 %, the wrong ones as well.

    Diagnosis: VGG16's activations are large (740 on average here, 11,661 at most) and of very different size from
    channel to channel. The gradient of a dense kernel is its input times the error, so a step changes a picture's
    logits by about rate * |x|^2, and |x|^2 is 10,000,000,000: the logits differ by a million after one step, and by a
    thousand at a rate of 0.000001. What is wrong costs 73.5 then, the most that this loss can say, and there is no
    slope to go down. The check: print mean and max of what goes into the head.

    Mend: BatchNormalization (or a fixed mean and deviation) between base and head, as in `minitl finetune`. A step that
    would overflow is refused with a DivergedError that names the layer.
    """
    x_train, y_train, _, _ = features()

    predictions = Dense(10, activation="softmax", kernel_initializer="zeros")
    model = head_model([Flatten(), predictions])  # wrong
    wrong = train(model, x_train, y_train)

    predictions = Dense(10, activation="softmax", kernel_initializer="zeros")
    model = head_model([Flatten(), BatchNormalization(momentum=0.9), predictions])  # mended
    mended = train(model, x_train, y_train)
    return Outcome("training loss", wrong, mended, lower_is_better=True)

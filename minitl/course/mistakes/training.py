"""Mistakes in training: the loss, the order of the images, the start and the input of a layer.

Read next: `evaluating`.
"""

import numpy as np

from ...layers import BatchNormalization, Dense, Flatten
from ...losses import SparseCategoricalCrossentropy
from .workbench import Outcome, accuracy, features, head_model, new_head, train


def softmax_twice():
    """Symptom: The loss is stuck at about 1.6 for ten classes, although most images are classified correctly.

    Diagnosis: The model ends with a softmax, and the loss with from_logits=True takes another one. The inputs of the
    second lie between 0 and 1, so its highest probability is e / (e + 9) = 0.23, and the loss cannot fall below
    log(1 + 9 / e) = 1.46, however right the model is. The gradient is small as well. PyTorch's CrossEntropyLoss takes a
    softmax itself, so a Softmax layer before it has the same effect. In the opposite case, from_logits=False without a
    softmax, the loss takes the logarithm of numbers that are no probabilities. With sigmoids, all classes become
    probable at once and the loss falls to 0. The check: count the softmaxes from the last dense layer to the logarithm.
    There must be one, over two outputs or more.

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
    """Symptom: Loss and accuracy of an epoch look fine, and on other images the accuracy is twenty points lower. (Here
    0.25 and 0.95 in training. On other images, a few classes are predicted for nearly everything.)

    Diagnosis: The images were read folder by folder and not shuffled. For many batches in a row "bag" is always right,
    then "boot" is. The network learns the present class and forgets the one before, and batch normalization gets the
    statistics of one class at a time. In this order, validation_split, which takes the last part, holds back classes
    that are never trained. The check: print the labels of the first batch.

    Mend: Use shuffle=True, the default: a new order in each epoch. `fit` warns about sorted labels with shuffle=False,
    and where validation_split holds back classes that the rest does not have.
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

    Diagnosis: A hidden layer starts with a kernel of zeros. All its outputs are relu(0) = 0, so the kernel behind it
    gets a gradient of 0. The slope of relu at 0 is taken as 0, so the gradient passed back is 0 as well. Every gradient
    but that of the last bias is exactly 0 in every step. A last layer may start at zero, because its problem is convex.
    If all weights of a hidden layer started at the same other number, its units would all learn the same. The check:
    after a backward, layer.gradients["kernel"].any() is False.

    Mend: Start with random numbers, which differ from unit to unit: leave kernel_initializer out, or take "he_uniform"
    before a relu. `fit` warns about a trainable relu layer of zeros.
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
    """Symptom: The loss is 40 where guessing gives 2.3, falls in jumps, and a smaller learning rate changes nothing.
    Every prediction has a probability of 100 %, the wrong ones as well.

    Diagnosis: VGG16's activations are large (here 740 on average and 11,661 at most), and their size differs from
    channel to channel. The gradient of a dense kernel is its input times the error, so a step changes the logits of an
    image by about rate * |x|^2, and |x|^2 is 10,000,000,000. After one step the logits differ by a million, and at a
    rate of 0.000001 by a thousand. A wrong prediction then costs 73.5, the largest value of this loss, where its slope
    is 0. The check: print mean and maximum of the head's input.

    Mend: Put BatchNormalization (or a fixed mean and deviation) between base and head, as `minitl finetune` does. A
    step that would overflow is refused with a DivergedError that names the layer.
    """
    x_train, y_train, _, _ = features()

    predictions = Dense(10, activation="softmax", kernel_initializer="zeros")
    model = head_model([Flatten(), predictions])  # wrong
    wrong = train(model, x_train, y_train)

    predictions = Dense(10, activation="softmax", kernel_initializer="zeros")
    model = head_model([Flatten(), BatchNormalization(momentum=0.9), predictions])  # mended
    mended = train(model, x_train, y_train)
    return Outcome("training loss", wrong, mended, lower_is_better=True)

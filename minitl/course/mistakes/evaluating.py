"""Mistakes in measuring and in use: the network is right, and the reported number is wrong.

Read next: `caching`.
"""

import numpy as np

from ...layers import Dense, Dropout
from ...randomness import generator
from ...recipes.evaluation import Evaluation
from ...training import ridge_head
from .workbench import Outcome, accuracy, clothes, features, head_model, new_head, share_right, train

COAT = 4  # the class's number in the data set


def dropout_left_on():
    """Symptom: The same image gets another prediction each time. The accuracy in use is lower than it was in validation
    (here 0.61 instead of 0.80).

    Diagnosis: The network runs as in training: Dropout sets a random half of its inputs to 0 in every call. In minitl
    `training=True` does this, in PyTorch a model on which .eval() was never called. The check: predict twice and
    compare. The two results must be equal to the last bit.

    Mend: Call model.predict(x), or model.forward(x) without training=True. In PyTorch: call model.eval() first.
    """
    x_train, y_train, x_test, _ = features()
    flatten, normalize, predictions = new_head()
    model = head_model([flatten, normalize, Dense(32, activation="relu"), Dropout(0.5), predictions])
    train(model, x_train, y_train, learning_rate=0.01)

    predicted = [model.forward(x_test, training=True).argmax(axis=1) for _ in range(2)]  # wrong
    wrong = float(np.mean(predicted[0] != predicted[1]))

    predicted = [model.forward(x_test).argmax(axis=1) for _ in range(2)]  # mended
    mended = float(np.mean(predicted[0] != predicted[1]))
    return Outcome("predictions that change", wrong, mended, lower_is_better=True)


def batch_of_one():
    """Symptom: One image at a time, the model makes the same prediction for all of them, though validation was good.

    Diagnosis: Batch normalization runs as in training and takes mean and variance from the batch. With a single image
    behind a Flatten, every number *is* the mean: x - mean = 0, and the output is beta, whatever the image shows. In
    training a batch of one does harm as well. The variance of one number is 0, so a last batch of one image (33 images
    in batches of 32) pulls the moving variance towards 0. The check: does the prediction for an image depend on the
    other images in the batch?

    Mend: Use predict, or forward without training=True: then the moving statistics are used. In training, choose a
    batch size that leaves no single image over. The layer warns when it gets a batch of one.
    """
    x_train, y_train, x_test, y_test = features()
    model = head_model(new_head())
    train(model, x_train, y_train)
    batches = [x_test[n : n + 1] for n in range(len(x_test))]  # each is one example

    predicted = [model.forward(x) for x in batches]  # mended
    mended = share_right(np.concatenate(predicted), y_test)

    predicted = [model.forward(x, training=True) for x in batches]  # wrong
    wrong = share_right(np.concatenate(predicted), y_test)
    return Outcome("accuracy", wrong, mended)


def class_order():
    """Symptom: In use the predictions are wrong in a regular way: every boot is called trousers. Validation was good.

    Diagnosis: A network knows classes as numbers, and a list turns these into names. Here the list is sorted by the
    alphabet, as folders are listed, while training used the order of the data set. (Sorted as text, "10" comes before
    "2".) The check: look at the confusion matrix. Most classes have one large number in their row, off the diagonal.

    Mend: Save the names with the model: model.metadata["class_names"], as `minitl finetune --save` does. `minitl
    predict` and `minitl evaluate` use these names and not the order of the folders.
    """
    x_train, y_train, x_test, y_test = features()
    model = head_model(new_head())
    train(model, x_train, y_train)
    model.metadata["class_names"] = clothes().class_names
    right_names = np.array(clothes().class_names)[y_test]
    predicted = model.predict(x_test, verbose=0).argmax(axis=1)

    names = np.array(sorted(clothes().class_names))  # wrong
    wrong = float(np.mean(names[predicted] == right_names))

    names = np.array(model.metadata["class_names"])  # mended
    mended = float(np.mean(names[predicted] == right_names))
    return Outcome("given the right name", wrong, mended)


def same_picture_in_both_sets():
    """Symptom: The validation accuracy is too good to be true: on new images it is twenty points lower.

    Diagnosis: Some images are in the training set and in the validation set: downloaded twice, cut out of one
    photograph, frames of one film. A network remembers its training examples, so its accuracy on them says nothing
    about new images. Here each image has four files, and a random half of all files is held back. The check: compare
    digests of the files. For images that belong together, check which group each is in.

    Mend: Split by the content of the images and not by files. `minitl finetune` names equal photographs when it reads a
    folder, and holds back by the digest of the content, so that copies stay together. `fit` warns about arrays that
    have examples in common.
    """
    x, y, x_new, y_new = features()
    rng = generator()

    def too_good(training, validation):
        """Return the accuracy on the validation set minus that on images which are really new."""
        model = head_model(new_head())
        train(model, x[training], y[training], validation_data=(x[validation], y[validation]))
        return accuracy(model, x[validation], y[validation]) - accuracy(model, x_new, y_new)

    files = rng.permutation(np.repeat(np.arange(len(x)), 4))  # wrong
    wrong = too_good(files[: 2 * len(x)], files[2 * len(x) :])

    files = np.repeat(rng.permutation(len(x)), 4)  # mended
    mended = too_good(files[: 2 * len(x)], files[2 * len(x) :])
    return Outcome("claimed minus true accuracy", wrong, mended, lower_is_better=True)


def chosen_by_the_test_set():
    """Symptom: An epoch, a learning rate or a network that was chosen because it did best on the test set does worse on
    new images.

    Diagnosis: The highest of many uncertain numbers is partly high by luck. An accuracy on 40 images is known to about
    7 points (one standard deviation), and the best of thirty lies one or two of these above its own true accuracy. A
    set that was used to choose can no longer be used to report, and neither can the training set. Here 30 heads, each
    trained on a random part of the data, compete many times. The check: measure the chosen head on images that were not
    used to choose it.

    Mend: Use three sets: one to train, one to choose (validation), and one to report, used once. EarlyStopping and
    ModelCheckpoint choose by "val_" numbers. Report those of another set, with their interval (`minitl evaluate`).
    """
    x_train, y_train, x_test, y_test = features()
    rng = generator()
    x_train, x_test = x_train.mean(axis=(1, 2)), x_test.mean(axis=(1, 2))  # (200, 128)
    right = np.empty((30, len(x_test)), bool)  # [head, image]: is this head right about this image?
    for head in right:
        columns, rows = rng.choice(128, 32, replace=False), rng.choice(len(x_train), 100, replace=False)
        head[:] = (
            ridge_head(x_train[rows][:, columns], y_train[rows], 10).predict(x_test[:, columns]).argmax(1) == y_test
        )
    wrong, mended = [], []
    for _ in range(200):  # a single choice says little, because luck decides much of it
        choosing, reporting, new = np.split(rng.permutation(len(x_test)), [40, 80])
        best = right[:, choosing].mean(axis=1).argmax()
        wrong.append(right[best, choosing].mean() - right[best, new].mean())  # wrong
        mended.append(right[best, reporting].mean() - right[best, new].mean())  # mended
    quantity = "claimed minus true accuracy"
    return Outcome(quantity, float(np.mean(wrong)), float(np.mean(mended)), lower_is_better=True)


def rare_class_never_found():
    """Symptom: The accuracy is 0.90, and the class that matters is hardly ever found.

    Diagnosis: One image in ten is a coat, so "no coat" is right nine times in ten, whatever the image shows. The loss
    is a mean over the examples, so errors on the few coats cost little. Accuracy does not show the difference between
    this model and a useful one. It may even fall when the model finds coats and calls some other clothes coats as well.
    The check: the recall of each class. Of the images that are coats, how many were predicted as coats?

    Mend: Give the examples of a rare class more weight: class_weight={class: weight} of `fit`, or `minitl finetune
    --class-weights`. Judge by precision and recall of each class, which `minitl evaluate` prints.
    """
    x_train, y_train, x_test, y_test = features()
    x_train, x_test = x_train.mean(axis=(1, 2)), x_test.mean(axis=(1, 2))  # (200, 128): a small head, for a small task
    y_train, y_test = (y_train == COAT).astype(int), (y_test == COAT).astype(int)

    model = head_model(new_head(classes=2), x_train.shape[1:])
    train(model, x_train, y_train, learning_rate=0.01)  # wrong
    wrong = Evaluation(y_test, model.predict(x_test, verbose=0), ["other", "coat"]).recall[1]

    model = head_model(new_head(classes=2), x_train.shape[1:])
    rarity = len(y_train) / y_train.sum()
    train(model, x_train, y_train, learning_rate=0.01, class_weight={1: rarity})  # mended
    mended = Evaluation(y_test, model.predict(x_test, verbose=0), ["other", "coat"]).recall[1]
    return Outcome("coats found (recall)", float(wrong), float(mended))

"""Mistakes in measuring and in use: the network is right, and the number that is reported of it is not.

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
    """Symptom: The same picture gets another answer each time it is asked about. The accuracy in use is lower than it
    was in validation (0.61 instead of 0.80, here).

    Diagnosis: The network runs as in training: Dropout silences a random half of its units in every call. That is what
    `training=True` means, and in PyTorch a model from which .eval() was never asked. The check: predict twice and
    compare; the two must be equal to the last bit.

    Mend: model.predict(x), or model.forward(x), which is inference unless training=True is said. In PyTorch:
    model.eval() first.
    """
    x_train, y_train, x_test, _ = features()
    flatten, normalize, predictions = new_head()
    model = head_model([flatten, normalize, Dense(32, activation="relu"), Dropout(0.5), predictions])
    train(model, x_train, y_train, learning_rate=0.01)

    answers = [model.forward(x_test, training=True).argmax(axis=1) for _ in range(2)]  # wrong
    wrong = float(np.mean(answers[0] != answers[1]))

    answers = [model.forward(x_test).argmax(axis=1) for _ in range(2)]  # mended
    mended = float(np.mean(answers[0] != answers[1]))
    return Outcome("called otherwise the next time", wrong, mended, lower_is_better=True)


def batch_of_one():
    """Symptom: Asked about one picture at a time, the model gives the same answer for all of them, though validation
    was good.

    Diagnosis: Batch normalization runs as in training, and takes mean and variance from the batch. With a single
    picture behind a Flatten, every number *is* the mean: x - mean = 0, and what comes out is beta, whatever the picture
    shows. In training it is no better: the variance of one number is 0, and a last batch of one picture (33 pictures in
    batches of 32) pulls the moving variance towards it. The check: does the answer for a picture depend on which others
    are in the batch?

    Mend: predict, or forward without training=True: then the moving statistics are used. In training, choose a batch
    size that leaves no single picture over. The layer warns when it meets a batch of one.
    """
    x_train, y_train, x_test, y_test = features()
    model = head_model(new_head())
    train(model, x_train, y_train)
    pictures = [x_test[n : n + 1] for n in range(len(x_test))]  # each a batch of its own

    answers = [model.forward(x) for x in pictures]  # mended
    mended = share_right(np.concatenate(answers), y_test)

    answers = [model.forward(x, training=True) for x in pictures]  # wrong
    wrong = share_right(np.concatenate(answers), y_test)
    return Outcome("accuracy", wrong, mended)


def class_order():
    """Symptom: In use the answers are wrong in a regular way: every boot is called trousers. Validation was good.

    Diagnosis: A network knows classes as numbers, and the list that turns them into names is another one than in
    training: sorted by the alphabet here, as folders are listed, where training went by the order of the data set.
    (Sorted as text, "10" comes before "2".) The check: the confusion matrix. Most classes have one full place in their
    row, and it is off the diagonal.

    Mend: Save the names with the model: model.metadata["class_names"], as `minitl finetune --save` does. `minitl
    predict` and `minitl evaluate` go by these names and not by the folders' order.
    """
    x_train, y_train, x_test, y_test = features()
    model = head_model(new_head())
    train(model, x_train, y_train)
    model.metadata["class_names"] = clothes().class_names
    truth = np.array(clothes().class_names)[y_test]
    answers = model.predict(x_test, verbose=0).argmax(axis=1)

    names = np.array(sorted(clothes().class_names))  # wrong
    wrong = float(np.mean(names[answers] == truth))

    names = np.array(model.metadata["class_names"])  # mended
    mended = float(np.mean(names[answers] == truth))
    return Outcome("given the right name", wrong, mended)


def same_picture_in_both_sets():
    """Symptom: The validation accuracy is too good to be true: with new pictures it is twenty points lower.

    Diagnosis: Some pictures are in the training set and in the validation set: downloaded twice, cut out of one
    photograph, frames of one film. A network remembers what it was trained on, so these say nothing about new ones.
    Here there are four files of each picture, and a random half of all files is held back. The check: digests of the
    files; and for pictures that belong together, which group they are of.

    Mend: Split by what is in the pictures, and not by files. `minitl finetune` names the same pictures when it looks
    through a folder, and holds back by the digest of the content, so that copies stay together. `fit` warns about
    arrays that have pictures in common.
    """
    x, y, x_new, y_new = features()
    rng = generator()

    def too_good(training, validation):
        """The accuracy that is claimed, minus that on pictures which are really new."""
        model = head_model(new_head())
        train(model, x[training], y[training], validation_data=(x[validation], y[validation]))
        return accuracy(model, x[validation], y[validation]) - accuracy(model, x_new, y_new)

    files = rng.permutation(np.repeat(np.arange(len(x)), 4))  # wrong
    wrong = too_good(files[: 2 * len(x)], files[2 * len(x) :])

    files = np.repeat(rng.permutation(len(x)), 4)  # mended
    mended = too_good(files[: 2 * len(x)], files[2 * len(x) :])
    return Outcome("claimed minus true accuracy", wrong, mended, lower_is_better=True)


def chosen_by_the_test_set():
    """Symptom: What was chosen because it did best on the test set (an epoch, a rate, one of thirty networks) does
    worse on new pictures.

    Diagnosis: The highest of many uncertain numbers is high by luck as well. An accuracy on 40 pictures is known to
    about 7 points (one standard deviation), and the best of thirty lies above its own true accuracy by one or two of
    these. The set that chose is used up, as the training set is. Here 30 heads that saw random parts of the data
    compete, over and over. The check: measure the chosen one on pictures that had no say.

    Mend: Three sets: one to train, one to choose (validation), one to report, looked at once. EarlyStopping and
    ModelCheckpoint choose by "val_" numbers: report another set's, with its interval (`minitl evaluate`).
    """
    x_train, y_train, x_test, y_test = features()
    rng = generator()
    x_train, x_test = x_train.mean(axis=(1, 2)), x_test.mean(axis=(1, 2))  # (200, 128)
    right = np.empty((30, len(x_test)), bool)  # which of 30 heads is right about which picture
    for head in right:
        columns, rows = rng.choice(128, 32, replace=False), rng.choice(len(x_train), 100, replace=False)
        head[:] = (
            ridge_head(x_train[rows][:, columns], y_train[rows], 10).predict(x_test[:, columns]).argmax(1) == y_test
        )
    wrong, mended = [], []
    for _ in range(200):  # one such story says little, since luck is what this is about
        choosing, reporting, new = np.split(rng.permutation(len(x_test)), [40, 80])
        best = right[:, choosing].mean(axis=1).argmax()
        wrong.append(right[best, choosing].mean() - right[best, new].mean())  # wrong
        mended.append(right[best, reporting].mean() - right[best, new].mean())  # mended
    quantity = "claimed minus true accuracy"
    return Outcome(quantity, float(np.mean(wrong)), float(np.mean(mended)), lower_is_better=True)


def rare_class_never_found():
    """Symptom: The accuracy is 0.90, and the class that all of this is about is hardly ever found.

    Diagnosis: One picture in ten is a coat, so "no coat" is right nine times in ten, whatever the picture shows. The
    loss is a mean over pictures, and being wrong about the few coats costs little. Accuracy cannot tell this model from
    one that is worth something; it even falls when coats are found, at the price of some false alarms. The check:
    recall, class by class: of the pictures that are coats, how many were called coats?

    Mend: Let a rare picture weigh as much as its class should: class_weight={class: weight} of `fit`, or `minitl
    finetune --class-weights`; and judge by precision and recall of each class, which `minitl evaluate` prints.
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

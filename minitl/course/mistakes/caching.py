"""Mistakes with kept features: what is kept must be what the network would compute now.

This is the last of the five themes. Read next: `features`, which keeps features and avoids both of these.
"""

import numpy as np

from ...applications.vgg16 import preprocess_input
from ...models import Model
from ...optimizers import SGD
from ...randomness import generator
from .workbench import Outcome, accuracy, base, behind, clothes, features, head_model, new_head, train

FEW = 100  # pictures to learn from
EPOCHS = 6


def augmentation_lost_in_kept_features():
    """Symptom: Augmentation is switched on and changes nothing: not the accuracy, and not the time that an epoch takes.

    Diagnosis: The features of the frozen base were computed once, before the epochs, and kept; what is done to the
    pictures afterwards is seen by nobody. (Augmentation written as layers of the network has no effect in `predict`
    either, which is how features are made.) Here the new pictures lie up to three pixels off the centre, which a head
    that has seen centred ones alone cannot know. The check: are the inputs of the head the same in two epochs?

    Mend: With augmentation the base has to run in every epoch, or over several varied copies of each picture. `minitl
    finetune PHOTOS --augment` runs it in every epoch and says so; --mirror keeps features of each picture and of its
    mirror image.
    """
    one_block, rng = base("block1_pool"), generator()
    x_train, y_train = clothes().x_train[:FEW], clothes().y_train[:FEW]
    x_test, y_test = one_block.predict(preprocess_input(_moved(clothes().x_test, rng)), verbose=0), clothes().y_test

    head = _compiled(head_model(new_head(), x_test.shape[1:]))
    kept = one_block.predict(preprocess_input(x_train), verbose=0)
    for _ in range(EPOCHS):
        head.fit(kept, y_train, verbose=0)  # wrong
    wrong = accuracy(head, x_test, y_test)

    head = _compiled(head_model(new_head(), x_test.shape[1:]))
    for _ in range(EPOCHS):
        seen_now = one_block.predict(preprocess_input(_moved(x_train, rng)), verbose=0)
        head.fit(seen_now, y_train, verbose=0)  # mended
    mended = accuracy(head, x_test, y_test)
    return Outcome("accuracy", wrong, mended)


def _compiled(model):
    model.compile(SGD(0.001, momentum=0.9), "sparse_categorical_crossentropy")
    return model


def _moved(pictures, rng, most=3):
    """Each picture moved by up to `most` pixels in either direction; the background is black."""
    return np.stack([np.roll(picture, rng.integers(-most, most + 1, 2), axis=(0, 1)) for picture in pictures])


def stale_features():
    """Symptom: A head does well in its own training and validation, and fails as soon as it stands behind the network
    and is shown pictures.

    Diagnosis: The features on the disk were computed before the base was fine-tuned. The head fits the base that was,
    and stands behind the base that is; both are fine, and they do not belong together. Validation does not notice, for
    its features are as old. The check: run one picture through the base and compare with what is kept of it. A kept
    feature belongs to the weights that made it: keep their digest (transfer.frozen_digest) beside it.

    Mend: Compute the features again after every change below them. `fit` looks before each epoch where the frozen
    beginning ends, and computes anew if that has changed; the store on disk goes by the digest of the weights, the
    preprocessing and the pictures.
    """
    pictures, y_train, x_test, y_test = features("block1_pool")  # what comes before the part that is fine-tuned
    second_block = Model(base().output_of("block1_pool"), base().output)
    weights, last_layer = second_block.get_weights(), second_block.get_layer("block2_conv2")
    kept = features()[0]  # of the same pictures, behind the second block as it was
    last_layer.trainable = True  # it is fine-tuned, with some head
    train(behind(second_block, head_model(new_head())), pictures[:FEW], y_train[:FEW], learning_rate=0.2, epochs=1)
    last_layer.trainable = False

    head = head_model(new_head())
    train(head, kept, y_train)  # wrong
    wrong = accuracy(behind(second_block, head), x_test[:FEW], y_test[:FEW])

    head = head_model(new_head())
    train(head, second_block.predict(pictures, verbose=0), y_train)  # mended
    mended = accuracy(behind(second_block, head), x_test[:FEW], y_test[:FEW])

    second_block.set_weights(weights)  # the other mistakes share these layers
    return Outcome("accuracy", wrong, mended)

"""Mistakes with kept features: these must be equal to what the network would compute now.

This is the last of the five themes. Read next: `minitl.features`, which keeps features and avoids both mistakes.
"""

import numpy as np

from ...applications.vgg16 import preprocess_input
from ...models import Model
from ...optimizers import SGD
from ...randomness import generator
from .workbench import Outcome, accuracy, base, behind, clothes, features, head_model, new_head, train

FEW = 100  # training images
EPOCHS = 6


def augmentation_lost_in_kept_features():
    """Symptom: Augmentation is switched on and changes nothing: not the accuracy, and not the time that an epoch takes.

    Diagnosis: The features of the frozen base were computed once, before the epochs, and kept. Changes of the images
    afterwards have no effect. (Augmentation written as layers of the network has none either: features are made by
    `predict`, where such layers do nothing.) Here the test images lie up to three pixels off the centre, and a head
    trained on centred images alone does not know such images. The check: are the inputs of the head the same in two
    epochs?

    Mend: With augmentation the base has to run in every epoch, or over several varied copies of each image. `minitl
    finetune PHOTOS --augment` runs the base in every epoch of the stage in which it augments. With --mirror it keeps
    the features of each image and of its mirror image.
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
        features_now = one_block.predict(preprocess_input(_moved(x_train, rng)), verbose=0)
        head.fit(features_now, y_train, verbose=0)  # mended
    mended = accuracy(head, x_test, y_test)
    return Outcome("accuracy", wrong, mended)


def _compiled(model):
    """Return the model, compiled for SGD with momentum."""
    model.compile(SGD(0.001, momentum=0.9), "sparse_categorical_crossentropy")
    return model


def _moved(images, rng, most=3):
    """Return each image moved by up to `most` pixels in either direction. The background is black."""
    return np.stack([np.roll(image, rng.integers(-most, most + 1, 2), axis=(0, 1)) for image in images])


def stale_features():
    """Symptom: A head does well in its own training and validation. Behind the network, on images, it fails.

    Diagnosis: The features on the disk were computed before the base was fine-tuned. The head was trained for the old
    base and now stands behind the new one. Validation does not show it, because its features are old, too. The check:
    run one image through the base and compare the result with the kept features. Features belong to the weights that
    computed them: keep the digest of these weights (transfer.frozen_digest) beside the features.

    Mend: Compute the features again after every change of the layers below them. `fit` checks before each epoch where
    the frozen beginning ends, and computes new features if that has changed. The store on disk finds features by the
    digest of the weights, the preprocessing and the images.
    """
    x_train, y_train, x_test, y_test = features("block1_pool")  # the inputs of the part that is fine-tuned
    second_block = Model(base().output_of("block1_pool"), base().output)
    weights, last_layer = second_block.get_weights(), second_block.get_layer("block2_conv2")
    kept = features()[0]  # of the same images, behind the second block before it is fine-tuned
    last_layer.trainable = True  # fine-tune it, with another head
    train(behind(second_block, head_model(new_head())), x_train[:FEW], y_train[:FEW], learning_rate=0.2, epochs=1)
    last_layer.trainable = False

    head = head_model(new_head())
    train(head, kept, y_train)  # wrong
    wrong = accuracy(behind(second_block, head), x_test[:FEW], y_test[:FEW])

    head = head_model(new_head())
    train(head, second_block.predict(x_train, verbose=0), y_train)  # mended
    mended = accuracy(behind(second_block, head), x_test[:FEW], y_test[:FEW])

    second_block.set_weights(weights)  # the other mistakes share these layers
    return Outcome("accuracy", wrong, mended)

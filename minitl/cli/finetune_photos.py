"""Fine-tuning on a folder of photographs: `minitl finetune PHOTOS/`.

VGG16 with all its convolutions, pre-trained on ImageNet, looks at every picture once; a new head learns from what it
says. The folder is looked through first, and the result is measured on pictures that were held back.
"""

import time

import numpy as np

from .. import __version__, data, transfer, utils
from ..applications import VGG16
from ..applications.vgg16 import preprocess_input
from ..errors import ArgumentError
from ..evaluation import Evaluation
from ..feature_store import features_of
from ..layers import BatchNormalization, Dense
from ..losses import CategoricalCrossentropy
from ..models import Sequential
from ..optimizers import SGD, CosineDecay
from .evaluate import report
from .output import printable, write_json

SIZE, CROP = 224, 224 / 256  # pixels, and the share of the shorter side that is kept: as VGG16 was measured
# Chosen by cross-validation on the training half of ants and bees; the half for validation was not looked at.
LEARNING_RATE, EPOCHS, BATCH, SMOOTHING = 0.003, 30, 32, 0.1


def run(options):
    start = time.perf_counter()
    utils.set_random_seed(options.seed)
    folder = data.audit_folder(options.photos, strict=options.strict)
    print(printable(str(folder)))
    print()
    base = VGG16(include_top=False, input_shape=(SIZE, SIZE, 3), pooling="avg")
    transfer.freeze(base)
    x, x_val = (
        features_of(base, photos, preprocess_input, CROP, keep=not options.no_cache)
        for photos in (folder.train, folder.val)
    )
    y, y_val = (np.array([photo.label for photo in photos]) for photos in (folder.train, folder.val))
    head = new_head(x.shape[1], len(folder.class_names))
    history = train_head(head, x, y, x_val, y_val, options)
    model = transfer.replace_head(base, head.layers)
    model.metadata = {"class_names": folder.class_names, "preprocessing": "vgg16", "crop": CROP}
    names = [str(photo.path.relative_to(folder.path)) for photo in folder.val]
    evaluation = Evaluation(y_val, head.predict(x_val, verbose=0), folder.class_names, names)
    print("\nOn the pictures that were held back:")
    report(evaluation)
    print("\nWhat the model is made of:")
    print("\n".join(model.ledger.summary()))
    if options.save:
        model.save(options.save)
        print(f"\nSaved: {options.save}. Try it: minitl predict {options.save} PICTURE ...")
    seconds = time.perf_counter() - start
    print(f"\n{seconds:.0f} s in all.")
    results = {
        **evaluation.as_data(),
        "history": history.history,
        "training_pictures": len(folder.train),
        "left_out": [[str(path), reason] for path, reason in folder.skipped],
        "ledger": model.ledger.summary(),
        "seconds": seconds,
        "seed": options.seed,
        "versions": {"minitl": __version__, "numpy": np.__version__},
    }
    write_json(options.json, results)


def new_head(features, classes):
    """Normalization, since VGG16's features differ in size by orders of magnitude, and a dense layer that starts at
    zero: its problem is convex."""
    return Sequential(
        [
            BatchNormalization(momentum=0.9, input_shape=(features,), name="features"),
            Dense(classes, activation="softmax", kernel_initializer="zeros", name="predictions"),
        ]
    )


def train_head(head, x, y, x_val, y_val, options):
    epochs = options.epochs
    steps = epochs * -(-len(x) // BATCH)
    rate = CosineDecay(options.learning_rate, steps)
    head.compile(SGD(rate, momentum=0.9), CategoricalCrossentropy(label_smoothing=SMOOTHING), metrics=["accuracy"])
    classes = head.output_shape[1]
    one_hot = utils.to_categorical(y, classes), utils.to_categorical(y_val, classes)
    print(f"\nThe head: {head.count_params(trainable_only=True):,} parameters learn, {epochs} epochs.")
    history = head.fit(x, one_hot[0], BATCH, epochs, verbose=0, validation_data=(x_val, one_hot[1]))
    last = {name: values[-1] for name, values in history.history.items()}
    print("  ".join(f"{name} {value:.4f}" for name, value in last.items()))
    return history


def check(options):
    """Options of the bundled task that mean nothing here."""
    if options.cut is not None:
        raise ArgumentError(
            "--cut goes with the bundled pictures; with a folder, all of VGG16's convolutions are kept."
        )

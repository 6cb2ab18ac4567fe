"""Warnings that the engine gives when it sees a mistake.

Each warning comes for the mistake, and not for the program without it. Warnings are errors in these tests, so that a
program without `pytest.warns` has to be silent.
"""

import re
import warnings

import numpy as np
import pytest

from minitl import transfer
from minitl.applications import VGG16, ResNet50, vgg16
from minitl.errors import MistakeWarning
from minitl.layers import Activation, BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, ReLU, Softmax
from minitl.losses import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)
from minitl.models import Model, Sequential, load_model
from minitl.optimizers import SGD, Adam
from minitl.training.warned import examples_in_common
from minitl.weights import bundled_file


def warned(text, mistake):
    return pytest.warns(MistakeWarning, match=f"{text}.*{re.escape(f'(minitl mistakes {mistake})')}")


# ---- the end of the network and the loss ----


def ending_with(*layers):
    return Sequential([Flatten(input_shape=(8, 8, 1)), *layers])


WRONG_ENDS = [
    ([Dense(4, "softmax", name="p")], SparseCategoricalCrossentropy(from_logits=True), "ends with a softmax .'p'"),
    ([Dense(4), Softmax(name="p")], CategoricalCrossentropy(from_logits=True), "ends with a softmax .'p'"),
    ([Dense(1, "sigmoid", name="p")], BinaryCrossentropy(from_logits=True), "ends with a sigmoid .'p'"),
    ([Dense(4, "softmax", name="a"), Activation("softmax", name="b")], "mse", "'b' takes a softmax of .* of 'a'"),
    ([Dense(4, "softmax", name="a"), Dropout(0.1), Softmax(name="b")], "mse", "'b' takes a softmax of .* of 'a'"),
    ([Dense(4, "sigmoid", name="a"), Activation("sigmoid", name="b")], "mse", "'b' takes a sigmoid of .* of 'a'"),
    ([Dense(1, "sigmoid", name="p")], BinaryFocalCrossentropy(from_logits=True), "ends with a sigmoid .'p'"),
    ([Dense(4, name="p")], "categorical_crossentropy", "'p', has no activation, and CategoricalCrossentropy expects"),
    ([Dense(4, "relu", name="p")], "sparse_categorical_crossentropy", "'p', has activation 'relu'.*'softmax'"),
    ([Dense(4), ReLU(name="p")], "sparse_categorical_crossentropy", "'p', has activation 'relu'"),
    ([Dense(1, "tanh", name="p")], "binary_crossentropy", "'p', has activation 'tanh'.*'sigmoid'"),
    ([Dense(4, "sigmoid", name="p")], "categorical_crossentropy", "sigmoid .'p'.*exclude each other"),
    ([Dense(1, "softmax", name="p")], "binary_crossentropy", "softmax .'p'., over a single output"),
]


@pytest.mark.parametrize("layers, loss, text", WRONG_ENDS, ids=[text for *_, text in WRONG_ENDS])
def test_the_end_does_not_go_with_the_loss(layers, loss, text):
    with warned(text, "softmax-twice") as said:
        ending_with(*layers).compile("sgd", loss)
    assert len(said) == 1 and said[0].filename == __file__, "at the caller's own line"


RIGHT_ENDS = [
    ([Dense(4, "softmax")], "sparse_categorical_crossentropy"),
    ([Dense(4), Softmax()], "categorical_crossentropy"),
    ([Dense(4)], SparseCategoricalCrossentropy(from_logits=True)),
    ([Dense(4, "relu")], "mse"),
    ([Dense(4)], "mse"),
    ([Dense(1, "sigmoid")], "binary_crossentropy"),
    ([Dense(4, "sigmoid")], "binary_crossentropy"),  # four independent questions
    ([Dense(1)], BinaryCrossentropy(from_logits=True)),
    ([Dense(8, "softmax"), Dense(4, "softmax")], "categorical_crossentropy"),  # odd, but not a softmax of a softmax
    ([Dense(4), BatchNormalization()], "categorical_crossentropy"),  # unknown: `forward` will look at the numbers
]


@pytest.mark.parametrize("layers, loss", RIGHT_ENDS)
def test_an_end_that_goes_with_the_loss(layers, loss):
    ending_with(*layers).compile("sgd", loss)


# ---- freezing, and the first values of a layer ----

X = np.random.default_rng(0).standard_normal((40, 8, 8, 1)).astype(np.float32)
Y = np.arange(40) % 4


def base_with_batch_norm():
    images = Input((8, 8, 1))
    x = Conv2D(3, 3, name="conv1")(images)
    x = BatchNormalization(name="bn1")(x)
    x = ReLU(name="relu1")(x)
    x = Conv2D(3, 3, name="conv2")(x)
    x = BatchNormalization(name="bn2")(x)
    x = Dense(4, activation="softmax", name="predictions")(Flatten(name="flatten")(x))
    return compiled(Model(images, x))


def compiled(model, **options):
    model.compile(SGD(0.01), "sparse_categorical_crossentropy", **options)
    return model


def set_trainable(model, *names):
    for layer in model.layers:
        layer.trainable = layer.name in names


def test_batch_norm_that_learns_between_frozen_layers():
    model = base_with_batch_norm()
    set_trainable(model, "bn1", "predictions")
    with warned("BatchNormalization 'bn1' is trainable", "batch-norm-runs-in-frozen-base"):
        model.fit(X, Y, verbose=0)
    for names in (
        ["predictions"],
        ["bn2", "predictions"],  # the normalization of a new head
        ["conv1", "bn1", "predictions"],
        ["bn1", "conv2", "bn2", "predictions"],
        [layer.name for layer in model.layers],
    ):
        set_trainable(model, *names)
        model.fit(X, Y, verbose=0)


def test_batch_norm_in_branches():
    """The layers that follow a normalization in a ResNet50 are found through the sums."""
    model = ResNet50(weights=None, include_top=False, input_shape=(32, 32, 3), pooling="avg")
    model = compiled(transfer.replace_head(model, Dense(2, activation="softmax", name="predictions")))
    x, y = X[:8].repeat(6, axis=1).repeat(6, axis=2)[:, :32, :32].repeat(3, axis=3), Y[:8] % 2
    transfer.freeze(model, until="avg_pool")
    model.get_layer("conv5_block3_3_bn").trainable = True  # before the head, which learns
    model.get_layer("conv2_block1_1_bn").trainable = True
    model.get_layer("conv2_block1_0_bn").trainable = True
    with warned(r"'conv2_block1_0_bn' \(and 1 more\) is trainable", "batch-norm-runs-in-frozen-base"):
        model.fit(x, y, batch_size=8, verbose=0)


def test_a_step_that_moves_nothing():
    model = compiled(Sequential([Dense(4, activation="softmax", input_shape=(3,))]))
    x = np.zeros((8, 3), np.float32)
    model.trainable = False
    with warned("a step has moved nothing", "head-frozen-too"):
        model.train_on_batch(x, Y[:8])
    model.trainable = True
    model.train_on_batch(x, Y[:8])


def test_batch_norm_of_a_batch_of_one():
    model = compiled(ending_with(BatchNormalization(name="normalize"), Dense(4, activation="softmax")))
    with warned("'normalize' takes mean and variance from a batch of one", "batch-of-one"):
        first, second = (model.forward(X[n : n + 1], training=True) for n in (0, 1))
    assert np.array_equal(first, second), "the output does not depend on the image"
    with warned("'normalize'", "batch-of-one"):
        model.fit(X[:33], Y[:33], batch_size=32, verbose=0)
    model.forward(X[:1])
    model.get_layer("normalize").trainable = False
    model.fit(X[:33], Y[:33], batch_size=32, verbose=0)
    BatchNormalization().forward(X[:1], training=True)  # a map of 64 pixels has a variance


def test_a_hidden_layer_of_zeros():
    for layers in ([Dense(5, "relu", kernel_initializer="zeros", name="h")],
                   [Dense(5, kernel_initializer="zeros", name="h"), ReLU()]):  # fmt: skip
        with warned("'h' has a kernel of zeros before a relu", "zeros-in-a-hidden-layer"):
            compiled(ending_with(*layers, Dense(4, "softmax"))).fit(X, Y, verbose=0)
    for layers in ([Dense(5, "relu", kernel_initializer="zeros", bias_initializer="ones")],
                   [Dense(5, "tanh", kernel_initializer="zeros")],
                   [Dense(5, "relu", kernel_initializer="zeros", trainable=False)],
                   [Dense(5, "relu")]):  # fmt: skip
        last = Dense(4, "softmax", kernel_initializer="zeros")
        compiled(ending_with(*layers, last)).fit(X, Y, verbose=0)


# ---- the data ----


def test_sorted_labels_that_are_not_shuffled():
    y, model = np.sort(Y), compiled(ending_with(Dense(4, "softmax")))
    with warned("the labels are in order", "classes-in-order"):
        model.fit(X, y, batch_size=8, shuffle=False, verbose=0)
    model.fit(X, y, batch_size=8, verbose=0)
    model.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    model.fit(X, y, batch_size=40, shuffle=False, verbose=0)  # all in one batch: order means nothing
    model.fit(X, y * 0, batch_size=8, shuffle=False, verbose=0)
    model.compile("sgd", "categorical_crossentropy")
    with warned("the labels are in order", "classes-in-order"):
        model.fit(X, np.eye(4)[y], batch_size=8, shuffle=False, verbose=0)
    model.compile("sgd", "mse")
    model.fit(X, np.eye(4)[y], batch_size=8, shuffle=False, verbose=0)  # no classes: numbers may be in order


def test_a_split_that_holds_back_a_whole_class():
    model = compiled(ending_with(Dense(4, "softmax")))
    with warned("holds back the last 10 examples, and with them all examples of class 3", "classes-in-order"):
        model.fit(X, np.sort(Y), validation_split=0.25, verbose=0)
    model.fit(X, Y, validation_split=0.25, verbose=0)
    model.fit(X[:30], np.sort(Y)[:30], validation_data=(X[30:], Y[30:]), verbose=0)  # set by hand, so it is intended


def test_training_examples_in_the_validation_set():
    model = compiled(ending_with(Dense(4, "softmax")))
    both = np.concatenate([X[30:], X[5:7]])
    with warned("2 of the 12 validation examples are also training examples", "same-picture-in-both-sets"):
        model.fit(X[:30], Y[:30], validation_data=(both, Y[:12]), verbose=0)
    model.fit(X[:30], Y[:30], validation_data=(X[30:], Y[30:]), verbose=0)


def test_examples_in_common_is_what_a_comparison_of_all_finds():
    rng = np.random.default_rng(3)
    x = rng.integers(0, 2, (60, 8, 8, 1)).astype(np.float32)
    x[:20, 1:] = x[0, 1:]  # many differ in a few pixels only
    x_val = np.concatenate([x[rng.integers(0, 60, 9)], rng.integers(0, 2, (30, 8, 8, 1)).astype(np.float32), x[:5] * 0])
    x_val[3, 7, 7] += 0.5
    x = np.concatenate([x, x[:1] * 0])
    expected = sum(any((a == b).all() for a in x) for b in x_val if b.any())
    assert examples_in_common((x,), (x_val,)) == expected >= 8
    turned = x.swapaxes(1, 2), x_val.swapaxes(1, 2)
    assert examples_in_common(turned[:1], turned[1:]) == expected, "not contiguous"
    assert examples_in_common((x[:, :2],), (x_val[:, :2],)) == 0, "16 numbers may well be equal"


PIXELS = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def pretrained():
    """Build VGG16's first block with its published weights, and a head."""
    whole = VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    whole.load_weights(bundled_file("vgg16_imagenet_blocks1to3.h5"), partial=True)
    head = [Flatten(name="flatten"), Dense(2, activation="softmax", name="p", kernel_initializer="zeros")]
    model = compiled(transfer.replace_head(whole, head, after="block1_pool"))
    transfer.freeze(model, until="block1_pool")
    return model


@pytest.mark.parametrize(
    "x, mistake",
    [
        (PIXELS / 255, "pixels-from-0-to-1"),
        (vgg16.preprocess_input(PIXELS / 255), "pixels-from-0-to-1"),
        (PIXELS / 127.5 - 1, "another-networks-preprocessing"),
        ((PIXELS / 255 - 0.45) / 0.225, "another-networks-preprocessing"),
        (PIXELS, "another-networks-preprocessing"),
        (vgg16.preprocess_input(vgg16.preprocess_input(PIXELS)), "another-networks-preprocessing"),
    ],
    ids=["0 to 1", "0 to 1, then preprocessed", "-1 to 1", "PyTorch's", "0 to 255", "preprocessed twice"],
)
def test_images_that_were_not_prepared_for_the_network(pretrained, x, mistake):
    x, y = x.astype(np.float32), Y[:8] % 2
    for call in (
        lambda: pretrained.predict(x, verbose=0),
        lambda: pretrained.evaluate(x, y, verbose=0),
        lambda: pretrained.fit(vgg16.preprocess_input(PIXELS[::-1]), y, validation_data=(x, y), verbose=0),
    ):
        with warned(r"the images run from .* was trained on about -124 to 151", mistake):
            call()
    with pytest.warns(MistakeWarning):
        pretrained.fit(x, y, verbose=0)


@pytest.mark.parametrize(
    "pixels",
    [PIXELS, PIXELS * 0, PIXELS * 0 + 255, PIXELS // 16, 255 - PIXELS // 16, PIXELS[:1]],
    ids=["usual", "black", "white", "dark", "pale", "one"],
)
def test_images_that_were(pretrained, pixels):
    x, y = vgg16.preprocess_input(pixels), Y[: len(pixels)] % 2
    pretrained.predict(x, verbose=0)
    pretrained.evaluate(x, y, verbose=0)
    pretrained.fit(x, y, verbose=0)


def test_noise_is_no_mistake(pretrained, rng):
    for scale in 10, 50:
        pretrained.predict(rng.standard_normal((8, 32, 32, 3)).astype(np.float32) * np.float32(scale), verbose=0)


def test_what_a_network_expects_is_known_or_not_asked(pretrained, tmp_path):
    fresh = VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    fresh.predict(PIXELS / 255, verbose=0)  # it has not been trained yet
    pretrained.save(tmp_path / "model.h5")
    with warned("trained on about -124 to 151", "pixels-from-0-to-1"):
        load_model(tmp_path / "model.h5").predict(PIXELS / 255, verbose=0)
    own = Sequential([Conv2D(2, 3, input_shape=(32, 32, 3), name="first")])
    own.predict(PIXELS / 255, verbose=0)
    own.metadata["preprocessing"] = "inception_v3"
    own.predict(PIXELS / 127.5 - 1, verbose=0)
    with warned("'first' was trained on -1 to 1", "pixels-from-0-to-1"):
        own.predict(np.float32(1 / 127.5) * (PIXELS / 127.5 - 1) - 1, verbose=0)
    with warned("'first' was trained on -1 to 1", "another-networks-preprocessing"):
        own.predict(PIXELS, verbose=0)


def test_the_original_program_is_silent():
    """A typical Keras program for transfer learning, made smaller, gives no warning; its x_train is whatever the user
    has."""
    base_model = VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    base_model.load_weights(bundled_file("vgg16_imagenet_blocks1to3.h5"), partial=True)
    x = Flatten()(base_model.output)
    x = Dense(16, activation="relu")(x)
    x = Dropout(0.5)(x)
    predictions = Dense(10, activation="softmax")(x)
    model = Model(inputs=base_model.input, outputs=predictions)
    for layer in base_model.layers:
        layer.trainable = False
    model.compile(optimizer=Adam(lr=0.0001), loss="categorical_crossentropy", metrics=["accuracy"])
    y = np.eye(10)[Y[:8]]
    for images, expected in (vgg16.preprocess_input(PIXELS), 0), (PIXELS / 255, 1):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("default")  # as a program sees them: each once, where it happens
            model.fit(images[:6], y[:6], batch_size=32, epochs=2, validation_data=(images[6:], y[6:]), verbose=0)
        assert [each.category for each in said] == [MistakeWarning] * expected

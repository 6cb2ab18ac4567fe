"""Surgery on models: layers that are cut, shared and frozen, and the proof that frozen ones did not change."""

import numpy as np
import pytest

from minitl import transfer
from minitl.errors import ArgumentError, GraphError, ShapeError
from minitl.layers import (
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    ZeroPadding2D,
)
from minitl.models import Model, Sequential


def base():
    return Sequential(
        [
            Conv2D(4, 3, padding="same", activation="relu", input_shape=(8, 8, 3), name="conv1"),
            BatchNormalization(name="norm"),
            MaxPooling2D(name="pool"),
            Conv2D(6, 3, padding="same", activation="relu", name="conv2"),
            Flatten(name="flatten"),
            Dense(5, activation="softmax", name="top"),
        ]
    )


def names(model):
    return [call.layer.name for call in model.calls]


def test_remove_layers():
    model = base()
    cut = transfer.remove_layers(model, after="pool")
    assert names(cut) == ["conv1", "norm", "pool"] and cut.output_shape == (None, 4, 4, 4)
    assert names(model)[-1] == "top", "the model itself stays as it was"
    assert cut.get_layer("conv1") is model.get_layer("conv1"), "layers are shared, not copied"
    with pytest.raises(GraphError, match="no layer 'fc1'. Its layers: conv1"):
        transfer.remove_layers(model, after="fc1")


def test_replace_head(rng):
    model = transfer.replace_head(base(), [Flatten(name="flat"), Dense(2, name="new")], after="conv2")
    assert names(model) == ["conv1", "norm", "pool", "conv2", "flat", "new"] and model.output_shape == (None, 2)
    longer = transfer.replace_head(model, [Dense(3)])
    assert names(longer)[-2:] == ["new", "dense"]


def test_adapt_input_to_another_size(rng):
    cut = transfer.remove_layers(base(), after="conv2")
    wide = transfer.adapt_input(cut, (12, 20, 3))
    assert wide.output_shape == (None, 6, 10, 6) and wide.get_layer("conv1") is cut.get_layer("conv1")
    with pytest.raises(
        ShapeError, match=r"cannot take images of \(12, 20, 3\): layer 'top' expected 96 .*before 'top'"
    ):
        transfer.adapt_input(base(), (12, 20, 3))


def test_adapt_input_to_grey_gives_what_equal_channels_gave(rng):
    model = base()
    grey = rng.standard_normal((2, 8, 8, 1)).astype(np.float32)
    expected = model.predict(np.repeat(grey, 3, axis=3))
    adapted = transfer.adapt_input(model, (8, 8, 1))
    assert adapted.get_layer("conv1").kernel.shape == (3, 3, 1, 4)
    assert np.allclose(adapted.predict(grey), expected, atol=1e-6)
    assert model.get_layer("conv1").kernel.shape == (3, 3, 3, 4), "the model itself stays as it was"
    assert adapted.get_layer("conv2") is model.get_layer("conv2")


def test_adapt_input_of_groups(rng):
    model = Sequential([Input((6, 6, 4)), Conv2D(4, 3, groups=2, name="conv")])
    fewer = transfer.adapt_input(model, (6, 6, 2))
    x = rng.normal(size=(2, 6, 6, 2)).astype(np.float32)
    np.testing.assert_allclose(fewer.predict(x), model.predict(np.repeat(x, 2, axis=-1)), atol=1e-5)
    with pytest.raises(
        ShapeError, match="'conv' has 2 groups, and with 6 channels its filters would see other channels"
    ):
        transfer.adapt_input(model, (6, 6, 6))


def test_adapt_input_to_more_channels(rng):
    model = base()
    x = rng.standard_normal((2, 8, 8, 4)).astype(np.float32)
    adapted = transfer.adapt_input(model, (8, 8, 4))
    assert np.allclose(adapted.predict(x), model.predict(x[..., :3].copy()), atol=1e-6), "RGBA starts blind to alpha"
    two = transfer.adapt_channels(rng.standard_normal((3, 3, 3, 4)), 2)
    assert two.shape == (3, 3, 2, 4)


def test_freeze_and_unfreeze():
    model = base()
    transfer.freeze(model, until="conv2")
    assert [layer.trainable for layer in model.layers] == [False] * 4 + [True] * 2
    transfer.unfreeze(model, since="norm")
    assert not model.get_layer("norm").trainable, "batch-norm stays frozen unless asked for"
    assert model.get_layer("conv2").trainable and not model.get_layer("conv1").trainable
    transfer.unfreeze(model, batch_normalization=True)
    assert model.count_params() - model.count_params(trainable_only=True) == 8, "all but the moving statistics"
    transfer.freeze(model)
    assert model.count_params(trainable_only=True) == 0


def test_digest_sees_every_frozen_bit_and_no_other(rng):
    model = base()
    transfer.freeze(model, until="norm")
    digest = transfer.frozen_digest(model)
    model.get_layer("top").kernel += 1
    assert transfer.frozen_digest(model) == digest, "trainable layers may move"
    for layer, name in ("conv1", "kernel"), ("norm", "moving_mean"):
        array = getattr(model.get_layer(layer), name)
        old = array.flat[0]
        array.flat[0] = np.nextafter(old, np.float32(9))
        assert transfer.frozen_digest(model) != digest, f"one bit of {layer} {name}"
        array.flat[0] = old
    assert transfer.frozen_digest(model) == digest


def test_training_moves_what_is_trainable_and_nothing_else(rng):
    model = base()
    transfer.freeze(model, until="pool")
    model.compile("sgd", "sparse_categorical_crossentropy")
    digest, before = transfer.frozen_digest(model), model.get_layer("conv2").get_weights()
    x, y = rng.standard_normal((20, 8, 8, 3)).astype(np.float32), rng.integers(0, 5, 20)
    model.fit(x, y, epochs=2, verbose=0)
    model.train_on_batch(x, y)
    assert transfer.frozen_digest(model) == digest
    assert not np.array_equal(before[0], model.get_layer("conv2").kernel)


def test_models_cut_from_one_another_train_the_same_arrays(rng):
    model = base()
    other = transfer.replace_head(model, [GlobalAveragePooling2D(), Dense(2, activation="softmax")], after="conv2")
    other.compile("sgd", "sparse_categorical_crossentropy")
    before = model.get_layer("conv2").get_weights()[0]
    other.train_on_batch(rng.standard_normal((4, 8, 8, 3)).astype(np.float32), np.array([0, 1, 0, 1]))
    assert not np.array_equal(before, model.get_layer("conv2").kernel)


def test_only_kernels_that_look_at_the_image_are_adapted():
    """The image is still the image behind padding or pooling. A mixture with feature maps is not guessed at."""
    images = Input((8, 8, 3))
    padded = Model(images, Conv2D(4, 3, name="first")(ZeroPadding2D(name="pad")(images)))
    assert transfer.adapt_input(padded, (8, 8, 1)).get_layer("first").kernel.shape == (3, 3, 1, 4)
    first = Conv2D(4, 3, padding="same", name="first")(images)
    mixed = Model(images, Conv2D(2, 1, name="mix")(Concatenate()([first, images])))
    with pytest.raises(
        ShapeError, match=r"cannot take images of \(8, 8, 1\): layer 'mix' expected 7 channels, found 5"
    ):
        transfer.adapt_input(mixed, (8, 8, 1))
    with pytest.raises(ShapeError, match="input_shape is 64; expected"):
        transfer.adapt_input(mixed, 64)


def block(x, name):
    """Build a residual block: two branches that come together."""
    branch = Conv2D(4, 3, padding="same", name=f"{name}_conv")(x)
    return Add(name=f"{name}_add")([x, BatchNormalization(name=f"{name}_norm")(branch)])


def residual():
    images = Input((8, 8, 3))
    x = Conv2D(4, 3, padding="same", name="stem")(images)
    x = block(block(x, "first"), "second")
    return Model(images, Dense(2, name="top")(GlobalAveragePooling2D(name="pool")(x)))


def test_a_cut_within_a_branch_is_refused_with_the_reason():
    model = residual()
    assert [cut.layer.name for cut in model.cuts[1:]] == ["stem", "first_add", "second_add", "pool", "top"]
    assert names(transfer.remove_layers(model, after="first_add"))[-1] == "first_add"
    for surgery in transfer.remove_layers, lambda model, after: transfer.replace_head(model, Flatten(), after):
        with pytest.raises(
            GraphError,
            match="behind 'second_conv', which lies in one of several branches: 'second_add' also needs 'first_add'.* "
            "single path behind 'first_add', before the branches, and behind 'second_add', after them",
        ):
            surgery(model, after="second_conv")


def test_a_stage_is_unfrozen_with_all_its_branches():
    model = residual()
    transfer.freeze(model)
    transfer.unfreeze(model, after="first_add")
    assert [la.name for la in model.layers if la.trainable and la.weight_names] == ["second_conv", "top"]
    assert not model.get_layer("second_norm").trainable, "batch-norm stays frozen"
    with pytest.raises(ArgumentError, match="expected one of them"):
        transfer.unfreeze(model, since="top", after="stem")

"""Images in files and folders under Keras's names: sets that `fit` takes, `ImageDataGenerator`, layers in front."""

import io

import numpy as np
import pytest

from minitl import utils
from minitl.errors import ArgumentError, DataError, DataWarning, NotHereError
from minitl.layers import Conv2D, Dense, GlobalAveragePooling2D, RandomFlip, Rescaling
from minitl.models import Sequential
from minitl.preprocessing.image import ImageDataGenerator
from minitl.training import BackupAndRestore, Callback
from minitl.utils import image_dataset_from_directory, set_random_seed

pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
from PIL import Image


@pytest.fixture
def folder(tmp_path, rng):
    for name, count in (("bees", 7), ("ants", 5)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for k in range(count):
            pixels = rng.integers(0, 256, (12 + k, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{k}.png")
    return tmp_path / "photos"


def network(*first):
    set_random_seed(2)
    layers = [*first, Conv2D(3, 3), GlobalAveragePooling2D(), Dense(2, activation="softmax")]
    model = Sequential(layers, name="net")
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def dataset(folder, **options):
    return image_dataset_from_directory(folder, image_size=(8, 9), batch_size=4, verbose=False, **options)


def test_a_set_trains_as_its_arrays_do(folder, capsys):
    images = dataset(folder, shuffle=False)
    x, y = (np.concatenate(arrays) for arrays in zip(*images))
    assert x.shape == (12, 8, 9, 3) and y.tolist() == [0] * 5 + [1] * 7 and images.class_names == ["ants", "bees"]
    histories = []
    for data in ((images,), (x, y, 4)):
        model = network(Rescaling(1 / 255, input_shape=(8, 9, 3)))
        model.layers[1].trainable = False
        with pytest.warns(UserWarning, match="labels are in order"):
            histories.append(model.fit(*data, epochs=3, shuffle=False, verbose=1).history)
        assert "Frozen up to" in capsys.readouterr().out, "a set of images that do not vary is kept"
    assert histories[0] == histories[1]
    assert np.array_equal(model.predict(images, verbose=0), model.predict(x, 4, verbose=0))
    assert model.evaluate(images, verbose=0) == model.evaluate(x, y, 4, verbose=0)


def test_a_random_layer_before_a_frozen_base_is_not_run_once(folder, capsys):
    model = network(RandomFlip(input_shape=(8, 9, 3)))
    model.layers[1].trainable = False
    model.fit(dataset(folder, seed=1), epochs=2)
    assert "Frozen" not in capsys.readouterr().out


def test_a_training_with_random_layers_goes_on_after_a_stop(folder, tmp_path):
    class Kill(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model is killed and self.model.optimizer.iterations == 5:
                raise KeyboardInterrupt

    generator = ImageDataGenerator(rescale=1 / 255, rotation_range=30, zoom_range=0.2, horizontal_flip=True)

    def fit(model, *callbacks):
        images = generator.flow_from_directory(folder, (8, 9), batch_size=4, class_mode="sparse", seed=3)
        return model.fit(images, epochs=3, verbose=0, callbacks=list(callbacks)).history

    expected = fit(network(RandomFlip(seed=4, input_shape=(8, 9, 3))))
    killed = network(RandomFlip(seed=4, input_shape=(8, 9, 3)))
    with pytest.raises(KeyboardInterrupt):
        fit(killed, BackupAndRestore(tmp_path / "run", save_freq=1), Kill())
    again = network(RandomFlip(seed=4, input_shape=(8, 9, 3)))
    assert fit(again, BackupAndRestore(tmp_path / "run", save_freq=1), Kill()) == expected


def test_parts_and_what_programs_call_on_a_set(folder):
    train, val = dataset(folder, validation_split=0.25, subset="both", seed=1)
    assert len(train.file_paths) == 9 and len(val.file_paths) == 3
    assert not set(train.file_paths) & set(val.file_paths) and train.prefetch(2) is train
    again = dataset(folder, validation_split=0.25, subset="training", seed=1)
    assert again.file_paths == train.file_paths
    plain = dataset(folder, shuffle=False)
    whole = np.concatenate([x for x, _ in plain])
    both = [np.concatenate([x for x, _ in part]) for part in (plain.take(2), plain.skip(2))]
    assert np.array_equal(np.concatenate(both), whole) and len(plain.take(2)) == 2
    halves = plain.cache().map(lambda x, y: (x / 2, y)).prefetch(1)
    assert np.array_equal(np.concatenate([x for x, _ in halves]), whole / 2)
    model = network(Rescaling(1 / 255, input_shape=(8, 9, 3)))
    assert len(model.fit(halves, epochs=2, verbose=0).epoch) == 2
    mixed = plain.shuffle(100, seed=4)
    first, second = (np.concatenate([y for _, y in [mixed[k] for k in range(3)]]) for _ in range(2))
    assert np.array_equal(first, second), "within a pass"
    mixed.on_epoch_end()
    assert (
        not np.array_equal(first, np.concatenate([mixed[k][1] for k in range(3)]))
        and sorted(first) == [0] * 5 + [1] * 7
    )
    with pytest.raises(AttributeError, match="has no unbatch. Give image_dataset_from_directory batch_size=1"):
        plain.unbatch()
    one_hot = next(iter(dataset(folder, label_mode="categorical", shuffle=False)))[1]
    assert one_hot.tolist() == [[1, 0]] * 4 and dataset(folder, labels=None)[0].shape == (4, 8, 9, 3)


def test_a_cached_image_is_read_once(folder):
    images = dataset(folder, shuffle=False).cache()
    before = images[0][0]
    for path in images.file_paths:
        Image.fromarray(np.zeros((5, 5, 3), np.uint8)).save(path)
    assert np.array_equal(images[0][0], before) and not images[1][0].any()


def test_flows_of_equal_seeds_vary_alike(rng):
    x = (255 * rng.random((6, 8, 9, 3))).astype(np.float32)
    generator = ImageDataGenerator(rotation_range=40, width_shift_range=0.2, horizontal_flip=True)
    flows = [generator.flow(x, batch_size=4, seed=seed) for seed in (5, 5, 6)]
    first, same, other = (np.concatenate([next(flow) for _ in range(4)]) for flow in flows)
    assert np.array_equal(first, same) and not np.array_equal(first, other)
    assert not np.array_equal(first[:6], first[6:]), "a new pass has new variations"
    pairs = generator.flow(x, np.arange(6), sample_weight=np.arange(6) / 2, batch_size=6, seed=1)
    _, labels, weights = next(pairs)
    assert np.array_equal(labels / 2, weights) and len(pairs) == 1


def test_tables_of_files(folder):
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))
    table = {"filename": names, "class": [name.split("/")[0] for name in names]}
    flow = ImageDataGenerator().flow_from_dataframe(
        table, folder, target_size=(6, 6), class_mode="binary", shuffle=False
    )
    assert flow.class_indices == {"ants": 0, "bees": 1} and flow.n == 12 and next(flow)[1].tolist() == [0] * 5 + [1] * 7


def test_single_images(tmp_path, rng):
    x = rng.integers(0, 256, (6, 7, 4)).astype(np.float32)
    with pytest.warns(DataWarning, match="JPEG has no transparency"):
        utils.save_img(tmp_path / "a.jpg", x)
    utils.save_img(tmp_path / "a.png", x, scale=False)
    assert np.array_equal(utils.img_to_array(utils.load_img(tmp_path / "a.png", "rgba")), x)
    content = io.BytesIO((tmp_path / "a.png").read_bytes())
    assert utils.img_to_array(utils.load_img(content, "grayscale", (3, 2))).shape == (3, 2, 1)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda folder: utils.load_img(folder / "none.png"), DataError, "is not there"),
        (lambda folder: utils.load_img(folder / "x.txt"), DataError, "cannot be read as an image"),
        (lambda folder: utils.load_img(folder / "bees" / "0.png", "cmyk"), ArgumentError, "color_mode is 'cmyk'"),
        (lambda folder: utils.load_img(folder / "x", interpolation="best"), ArgumentError, "interpolation"),
        (lambda folder: utils.save_img(folder / "x.doc", np.zeros((3, 3, 3))), ArgumentError, "no format 'doc'"),
        (lambda folder: utils.array_to_img(np.zeros((3, 3))), DataError, r"shape \(3, 3\)"),
        (lambda folder: dataset(folder / "none"), DataError, "no folder that can be read"),
        (lambda folder: dataset(folder, validation_split=0.2, subset="training"), ArgumentError, "give a seed"),
        (lambda folder: dataset(folder, validation_split=0.2), ArgumentError, "expected both or neither"),
        (lambda folder: dataset(folder, label_mode="one-hot"), ArgumentError, "label_mode is 'one-hot'"),
        (lambda folder: dataset(folder, labels=[0, 1]), DataError, "holds 12 images, and there are 2 labels"),
        (lambda folder: ImageDataGenerator(zca_whitening=True), ArgumentError, "zca_whitening"),
        (lambda folder: ImageDataGenerator(fill_mode="black").apply_transform(np.zeros((3, 3, 1)), {"tx": 1}),
         ArgumentError, "fill_mode is 'black'"),
        (lambda folder: ImageDataGenerator().flow_from_directory(folder, classes=["wasps"]), DataError, "no images"),
        (lambda folder: ImageDataGenerator().flow(np.zeros((3, 3, 1))), DataError, r"images \(N, H, W, C\)"),
        (lambda folder: ImageDataGenerator().apply_transform(np.zeros((3, 3, 1)), {"angle": 3}), ArgumentError,
         "no parameter 'angle'"),
        (lambda folder: utils.get_file("x", "http://x"), NotHereError, "no get_file. Fetch the file with your browser"),
        (lambda folder: utils.plot_model, NotHereError, r"model.summary\(\)"),
    ],
)  # fmt: skip
def test_what_cannot_be(folder, call, error, message):
    (folder / "x.txt").write_text("no image")
    with pytest.raises(error, match=message):
        call(folder)

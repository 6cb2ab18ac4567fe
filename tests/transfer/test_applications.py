"""The published networks: numbers of parameters, sizes of images, VGG16's published weights.

Arguments that do not go together are refused. Tests that hold for every network take every case of the table in
`cases/networks.py`.
"""

import hashlib
import sys
import textwrap

import numpy as np
import pytest
from cases.networks import NETWORKS

from minitl import applications, initializers, transfer
from minitl.applications import VGG16, inception_v3, resnet50, vgg16
from minitl.errors import ArgumentError, DataError, ShapeError, WeightsError
from minitl.graph.summary import flops
from minitl.layers import Activation, Conv2D, Dense, GlobalAveragePooling2D, Input, MaxPooling2D, ZeroPadding2D
from minitl.models import Model
from minitl.weights import bundled_file

every_network = pytest.mark.parametrize("case", NETWORKS, ids=lambda case: case.name)


def test_every_network_is_in_the_table():
    """Every network of `minitl.applications` has a case in `cases/networks.py`: without one, no test would run it."""
    assert sorted(case.name for case in NETWORKS) == sorted(each.title for each in applications.NETWORKS.values())


@every_network
def test_the_published_networks(case):
    """Numbers of parameters and layers are Keras's, and the names are the same however often a network is built."""
    model, channels = case.build(), case.map_shape[-1]
    assert model.count_params() == case.parameters
    assert model.output_shape == (None, 1000) and len(model.layers) == case.layers
    for pooling, shape in (None, (None, None, None, channels)), ("avg", (None, channels)), ("max", (None, channels)):
        base = case.build(include_top=False, pooling=pooling)
        assert base.count_params() == case.parameters_without_top and base.output_shape == shape
    assert [layer.name for layer in case.build().layers] == [layer.name for layer in model.layers]
    cuts = {cut.layer.name for cut in model.cuts}
    fine_tuning = applications.NETWORKS[case.module].fine_tuning
    assert cuts.issuperset(fine_tuning.values()), "every stage can be cut off and fine-tuned"


@every_network
def test_the_sizes_of_images(case):
    """The default with the top is the native size. The smallest size leaves one pixel, and a smaller one is refused."""
    native, smallest, channels = case.native_size, case.smallest_size, case.map_shape[-1]
    assert case.build().input_shape == (None, native, native, 3)
    assert case.build(include_top=False).input_shape == (None, None, None, 3)
    assert case.build(include_top=False, input_shape=(native, native, 3)).output_shape == (None, *case.map_shape)
    least = case.build(include_top=False, input_shape=(smallest, smallest, 3))
    assert least.output_shape == (None, 1, 1, channels)
    with pytest.raises(ArgumentError, match=f"height and width must be at least {smallest}"):
        case.build(include_top=False, input_shape=(smallest, smallest - 1, 3))


def built_without_drawing(**arguments):
    (case,) = (case for case in NETWORKS if case.name == "VGG16")
    return case.build(**arguments)


def test_the_published_architecture_of_vgg16():
    model = built_without_drawing()
    assert model.count_params() == 138_357_544 and model.output_shape == (None, 1000)
    assert [layer.name for layer in model.layers[-5:]] == ["block5_pool", "flatten", "fc1", "fc2", "predictions"]
    assert model.get_layer("fc1").kernel.shape == (7 * 7 * 512, 4096)
    assert flops(model) == pytest.approx(30.9e9, rel=0.01)
    assert built_without_drawing(include_top=False).count_params() == 14_714_688


def test_another_network_of_the_family():
    """ResNet101 is ResNet50 with other numbers of blocks: He et al. 2015, table 1; Keras counts 44,707,176."""
    with initializers.weights_will_be_loaded():
        images = Input((224, 224, 3))
        x = ZeroPadding2D(3)(images)
        x = Activation("relu")(resnet50.normalized(Conv2D(64, 7, strides=2)(x), "conv1"))
        x = MaxPooling2D(3, strides=2)(ZeroPadding2D(1)(x))
        for (stage, _, filters, stride), blocks in zip(resnet50.STAGES, (3, 4, 23, 3)):
            x = resnet50.residual_block(x, filters, f"{stage}_block1", stride, widen=True)
            for number in range(2, blocks + 1):
                x = resnet50.residual_block(x, filters, f"{stage}_block{number}")
        model = Model(images, Dense(1000, activation="softmax")(GlobalAveragePooling2D()(x)))
    assert model.count_params() == 44_707_176


def test_shapes_and_pooling_of_vgg16():
    assert built_without_drawing(include_top=False).output_shape == (None, None, None, 512)
    assert built_without_drawing(include_top=False, input_shape=(64, 96, 3)).output_shape == (None, 2, 3, 512)
    for pooling in "avg", "max":
        assert built_without_drawing(include_top=False, pooling=pooling).output_shape == (None, 512)
    assert built_without_drawing(classes=7, input_shape=(32, 32, 1)).output_shape == (None, 7)


def test_bundled_weights_are_vgg16s():
    """The first values are those of the original release, to 8 digits."""
    model = built_without_drawing(include_top=False)
    report = model.load_weights(bundled_file("vgg16_imagenet_blocks1to3.h5"), partial=True)
    assert report.parameters == 1_735_488 and report.loaded[-1] == "block3_conv3"
    first = model.get_layer("block1_conv1")
    assert first.kernel[0, 0, 0, 0] == np.float32(0.42947057) and first.bias[0] == np.float32(0.73429835)


def test_full_base_from_the_models_folder(full_base, tmp_path, monkeypatch):
    """'imagenet' is found under Keras's file name in $MINITL_HOME/models, and is the original to the last bit."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / full_base.name).symlink_to(full_base)
    monkeypatch.setenv("MINITL_HOME", str(tmp_path))
    model = VGG16(weights="imagenet", include_top=False, input_shape=(64, 64, 3))
    digest = hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()
    assert digest == "d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd"


def test_the_bundled_cut_is_the_full_base(full_base):
    cut = transfer.remove_layers(built_without_drawing(include_top=False), after="block3_pool")
    cut.load_weights(bundled_file("vgg16_imagenet_blocks1to3.h5"))
    whole = VGG16(weights=full_base, include_top=False)
    for layer in cut.layers:
        for found, expected in zip(layer.get_weights(), whole.get_layer(layer.name).get_weights()):
            assert np.array_equal(found, expected)


@pytest.mark.slow
def test_the_keras_program(full_base, tmp_path, monkeypatch, rng):
    """A Keras transfer-learning program runs with only its import lines changed."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / full_base.name).symlink_to(full_base)
    monkeypatch.setenv("MINITL_HOME", str(tmp_path))
    images, labels = rng.standard_normal((6, 224, 224, 3)).astype(np.float32), np.eye(10)[rng.integers(0, 10, 6)]
    names = {"x_train": images[:4], "y_train": labels[:4], "x_val": images[4:], "y_val": labels[4:]}
    program = textwrap.dedent(
        """
        from minitl.applications import VGG16
        from minitl.layers import Dense, Flatten, Dropout
        from minitl.models import Model
        from minitl.optimizers import Adam
        base_model = VGG16(weights='imagenet', include_top=False, input_shape=(224, 224, 3))
        x = base_model.output
        x = Flatten()(x)
        x = Dense(1024, activation='relu')(x)
        x = Dropout(0.5)(x)
        predictions = Dense(10, activation='softmax')(x)
        model = Model(inputs=base_model.input, outputs=predictions)
        for layer in base_model.layers:
            layer.trainable = False
        model.compile(optimizer=Adam(lr=0.0001), loss='categorical_crossentropy', metrics=['accuracy'])
        history = model.fit(x_train, y_train, batch_size=32, epochs=10, validation_data=(x_val, y_val))
        """
    )
    exec(compile(program, "program", "exec"), names)
    history = names["history"].history
    assert all(len(history[key]) == 10 for key in ("loss", "accuracy", "val_loss", "val_accuracy"))
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no module resource to measure memory with")
def test_a_training_step_of_the_whole_network_fits_into_6_gb():
    """All 138 million parameters are trainable, at 224x224 and batch 8; a process of its own measures the memory."""
    import subprocess

    program = (
        "import numpy as np, resource, sys\nfrom minitl.applications import VGG16\nfrom minitl.optimizers import SGD\n"
        "model = VGG16(weights=None)\nmodel.compile(SGD(0.001, momentum=0.9), 'sparse_categorical_crossentropy')\n"
        "x = np.random.default_rng(0).standard_normal((8, 224, 224, 3)).astype('float32')\n"
        "loss = model.train_on_batch(x, np.arange(8))\nassert np.isfinite(loss)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(result.stdout) < 6e9


def test_preprocess_input():
    x = np.array([[[[255, 0, 10]]]], np.uint8)
    y = vgg16.preprocess_input(x)
    assert y.dtype == np.float32 and np.allclose(y, [[[[10 - 103.939, -116.779, 255 - 123.68]]]])
    assert np.array_equal(x, [[[[255, 0, 10]]]]), "the caller's image stays as it was"
    with pytest.raises(DataError, match="expected RGB with the channels last"):
        vgg16.preprocess_input(np.zeros((2, 3, 8, 8)))


def test_preprocess_input_of_inception():
    x = np.array([[[[255, 0, 51]]]], np.uint8)
    y = inception_v3.preprocess_input(x)
    assert y.dtype == np.float32 and np.allclose(y, [[[[1, -1, -0.6]]]]) and x[0, 0, 0, 0] == 255
    assert np.array_equal(resnet50.preprocess_input(x), vgg16.preprocess_input(x))


# Arguments, beside weights='imagenet'; {native} and {smallest} stand for the network's sizes.
MISUSES = [
    ({"classes": 10}, "ImageNet's top has 1000. Use include_top=False"),
    ({"input_shape": (85, 85, 3)}, r"with ImageNet's top it must be \({native}, {native}, 3\)"),
    ({"include_top": False, "input_shape": (85, 85, 1)}, "take 3 channels. transfer.adapt_input"),
    ({"include_top": False, "input_shape": (16, 85, 3)}, "height and width must be at least {smallest}"),
    ({"include_top": False, "input_shape": (85, 85)}, "height, width, channels"),
    ({"include_top": False, "pooling": "sum"}, "None, 'avg' or 'max'"),
]


@every_network
@pytest.mark.parametrize("arguments, message", MISUSES, ids=[message for _, message in MISUSES])
def test_arguments_that_do_not_go_together(case, arguments, message):
    message = message.replace("{native}", str(case.native_size)).replace("{smallest}", str(case.smallest_size))
    with pytest.raises(ArgumentError, match=message):
        getattr(applications, case.name)(weights="imagenet", **arguments)


def test_weights_that_are_not_here(tmp_path):
    with pytest.raises(WeightsError, match="nowhere.h5: cannot be read"):
        VGG16(weights=tmp_path / "nowhere.h5", include_top=False)


def test_imagenets_classes():
    """Keras's own file is recognized by the md5 sum that Keras asks for."""
    assert hashlib.md5(bundled_file("imagenet_class_index.json").read_bytes()).hexdigest() == (
        "c2c37ea517e94d9795004a39431a14cb"
    )
    predictions = np.zeros((2, 1000), np.float32)
    predictions[0, [1, 310, 999]] = 0.5, 0.3, 0.2
    predictions[1, 309] = 1
    first, second = vgg16.decode_predictions(predictions, top=3)
    assert [name for _, name, _ in first] == ["goldfish", "ant", "toilet_tissue"] and first[0][0] == "n01443537"
    assert [p for _, _, p in first] == pytest.approx([0.5, 0.3, 0.2]) and second[0][1] == "bee"
    with pytest.raises(ShapeError, match=r"shape \(2, 10\); expected numbers \(N, 1000\)"):
        vgg16.decode_predictions(predictions[:, :10])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no module resource to measure memory with")
def test_loading_makes_no_second_copy(full_base):
    """59 MB of weights take 59 MB, whether the file is known or not; a process of its own measures the memory."""
    import subprocess

    program = (
        "import resource, sys\nfrom minitl.applications import VGG16\n"
        "unit = 1 if sys.platform == 'darwin' else 1024\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit\n"
        f"before = peak()\nmodel = VGG16(weights={str(full_base)!r}, include_top=False)\nprint(peak() - before)"
    )
    for _ in "unknown", "known":
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert int(result.stdout) < 1.2 * 4 * 14_714_688

"""Exported models run elsewhere and give the same outputs: in ONNX Runtime, in Keras, and in PyTorch's modules."""

import json

import keras
import numpy as np
import pytest
import torch
from cases import random
from cases.layers import LAYERS, randomize, several

from minitl import applications, layers
from minitl.errors import ArgumentError
from minitl.export import export, onnx_layers, onnx_recurrent
from minitl.graph.keras_config import require_keras
from minitl.kernels.activations import ACTIVATIONS
from minitl.layers.part import TakePart
from minitl.models import Model, Sequential, load_model

from .compare import as_numpy, assert_close

onnx = pytest.importorskip("onnx", reason="needs the extra 'convert': pip install -e '.[convert]'")
ort = pytest.importorskip("onnxruntime", reason="needs the extra 'peers': pip install -e '.[peers]'")

# Layers that no form in ONNX has been written for. They are refused by name.
WITHOUT = {
    layers.AnyMask, layers.CenterCrop, layers.Dot, layers.JoinedMask, layers.RandomCrop, layers.Resizing, TakePart
}  # fmt: skip


def in_onnx_runtime(model, path, *arrays, **options):
    """Export a model, and return its first output for the arrays in ONNX Runtime."""
    export(model, path, **options)
    return run_in_onnx_runtime(path, *arrays)[0]


def run_in_onnx_runtime(path, *arrays):
    """Return the outputs of an exported model in ONNX Runtime."""
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {each.name: array for each, array in zip(session.get_inputs(), arrays)})


def model_of(case):
    """Return a model of the one layer of a case."""
    x = case.inputs()
    inputs = [layers.Input(each.shape[1:], dtype=str(each.dtype)) for each in several(x)]
    inputs = inputs if isinstance(x, list) else inputs[0]
    return Model(inputs, case.layer()(inputs))


def small_network():
    """Return a network with a Flatten, branches, and a batch normalization, with random numbers everywhere."""
    x = images = layers.Input((9, 8, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="first")(x)  # (N, 5, 4, 4)
    y = layers.BatchNormalization(name="norm")(layers.MaxPooling2D(3, strides=1, padding="same", name="pool")(x))
    x = layers.Flatten(name="flat")(layers.Add(name="sum")([x, y]))
    model = Model(images, layers.Dense(5, name="last")(x))  # a softmax would be 0 and 1 here, and hide differences
    for layer in model.layers:
        randomize(layer)
    return model


def of_batch(case, count):
    """Return the inputs of a case for a batch of `count` examples."""
    shape = case.input_shape
    shape = [(count, *each[1:]) for each in shape] if isinstance(shape, list) else (count, *shape[1:])
    return case._replace(input_shape=shape).inputs()


@pytest.mark.parametrize(
    "case",
    [case for case in LAYERS if type(case.layer()) not in WITHOUT and case.name != "activation-sparsemax"],
    ids=lambda case: case.name,
)
def test_a_layer_gives_its_outputs_in_onnx_runtime_at_batches_of_1_2_and_7(case, tmp_path):
    model = model_of(case)
    export(model, tmp_path / "m.onnx")
    for count in 1, 2, 7:
        x = of_batch(case, count)
        (found,) = run_in_onnx_runtime(tmp_path / "m.onnx", *several(x))
        assert_close(found, model.forward(x), 1e-5, f"batch of {count}")


def test_every_layer_of_the_package_has_a_form_in_onnx():
    public = {getattr(layers, name) for name in layers.__all__ if not name.islower()}
    no_layers = {layers.Input, layers.InputLayer, layers.Layer, layers.SymbolicTensor}
    assert public - set(onnx_layers.LAYERS) == {*no_layers, *WITHOUT}
    assert {type(case.layer()) for case in LAYERS} | {layers.PaddingMask, layers.StepMask} >= set(onnx_layers.LAYERS)


@pytest.mark.parametrize("case", [case for case in LAYERS if type(case.layer()) in WITHOUT], ids=lambda case: case.name)
def test_a_layer_without_a_form_is_refused_by_name(case, tmp_path):
    with pytest.raises(ArgumentError, match=f"layer '.*': a {type(case.layer()).__name__} cannot be exported"):
        model_of(case).export(tmp_path / "m.onnx")


def test_an_activation_without_a_form_is_refused_by_name(tmp_path):
    x = layers.Input((4,))
    with pytest.raises(ArgumentError, match="layer '.*': its activation 'sparsemax' cannot be exported to ONNX"):
        Model(x, layers.Activation("sparsemax")(x)).export(tmp_path / "m.onnx")


MASKS = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 1, 0, 0]], bool)
WITH_MASK = {
    "SimpleRNN": lambda: layers.SimpleRNN(3),
    "LSTM": lambda: layers.LSTM(3, return_sequences=True),
    "LSTM-last": lambda: layers.LSTM(3, go_backwards=True),
    "LSTM-zero": lambda: layers.LSTM(3, return_sequences=True, zero_output_for_mask=True),
    "GRU": lambda: layers.GRU(3, return_sequences=True, go_backwards=True),
    "Bidirectional": lambda: layers.Bidirectional(layers.GRU(3, return_sequences=True)),
    "Bidirectional-last": lambda: layers.Bidirectional(layers.LSTM(3), merge_mode="ave"),
    "GlobalAveragePooling1D": lambda: layers.GlobalAveragePooling1D(),
    "GlobalAveragePooling1D-kept": lambda: layers.GlobalAveragePooling1D(keepdims=True),
}


@pytest.mark.parametrize("name", WITH_MASK)
@pytest.mark.parametrize("dtype", ["bool", "int32"])
def test_masks_hide_steps_wherever_they_are(name, dtype, tmp_path):
    steps, mask = layers.Input((None, 4), name="steps"), layers.Input((None,), dtype=dtype, name="mask")
    layer = WITH_MASK[name]()
    model = Model([steps, mask], layer(steps, mask=mask))
    randomize(layer)
    x, shown = random(5, 5, 4, seed=0), MASKS.astype(dtype)
    export(model, tmp_path / "m.onnx")
    for rows in slice(0, 1), slice(2, 3), slice(0, 5):
        (found,) = run_in_onnx_runtime(tmp_path / "m.onnx", x[rows], shown[rows])
        assert_close(found, model.forward([x[rows], shown[rows]]), 1e-5)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "Bidirectional"])
@pytest.mark.parametrize("has_mask", [False, True])
def test_states_go_in_and_come_out(name, has_mask, tmp_path):
    layer = {"LSTM": lambda: layers.LSTM(3, return_state=True, return_sequences=True),
             "GRU": lambda: layers.GRU(3, return_state=True),
             "Bidirectional": lambda: layers.Bidirectional(layers.LSTM(3, return_state=True), merge_mode=None),
             }[name]()  # fmt: skip
    count = {"LSTM": 2, "GRU": 1, "Bidirectional": 4}[name]
    inputs = [layers.Input((5, 4), name="steps"), *(layers.Input((3,), name=f"state{k}") for k in range(count))]
    mask = [layers.Input((5,), dtype="bool", name="mask")] if has_mask else []
    outputs = layer(inputs[0], initial_state=inputs[1:], **({"mask": mask[0]} if has_mask else {}))
    model = Model([*inputs, *mask], outputs)
    randomize(layer)
    x = [random(5, 5, 4, seed=0), *(random(5, 3, seed=k) for k in range(count)), *[MASKS] * has_mask]
    export(model, tmp_path / "m.onnx")
    for found, expected in zip(run_in_onnx_runtime(tmp_path / "m.onnx", *x), model.forward(x), strict=True):
        assert_close(found, expected, 1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_of_recurrent_layers_are_written_or_refused_by_name(activation, tmp_path):
    steps, path = layers.Input((5, 4)), tmp_path / "m.onnx"
    try:
        layer = layers.LSTM(3, activation=activation, recurrent_activation="hard_sigmoid", name="memory")
    except ArgumentError:
        return  # minitl's recurrent layers do not have it
    model = Model(steps, layer(steps))
    if activation in onnx_recurrent.ACTIVATIONS:
        assert_close(in_onnx_runtime(model, path, x := random(2, 5, 4, seed=0)), model.forward(x), 1e-5)
        return
    with pytest.raises(ArgumentError, match=f"layer 'memory': its activation '{activation}' cannot be exported"):
        export(model, path)


@pytest.mark.parametrize("use_causal_mask", [False, True])
@pytest.mark.parametrize("axes", ["NTS", "NKTS"])
def test_attention_sees_what_its_masks_show(use_causal_mask, axes, tmp_path):
    layer, sizes = layers.MultiHeadAttention(2, 3), {"N": 5, "K": 2, "T": 5, "S": 4}
    shape = [sizes[axis] for axis in axes]
    query, memory = layers.Input((None, 6), name="query"), layers.Input((None, 7), name="memory")
    masks = [layers.Input((None,), dtype="bool", name=f"{name}_mask") for name in ("query", "value", "key")]
    masks.append(layers.Input(shape[1:], dtype="bool", name="attention_mask"))
    options = {"use_causal_mask": use_causal_mask, "return_attention_scores": True}
    outputs = layer(query, memory, **dict(zip(layer.keyword_inputs, masks)), **options)
    model = Model([query, memory, *masks], outputs)
    randomize(layer)
    rng = np.random.default_rng(0)
    shown = [MASKS, MASKS[:, :4], MASKS[::-1, :4], rng.random(shape) < 0.7]
    x = [random(5, 5, 6, seed=0), random(5, 4, 7, seed=1), *shown]
    export(model, tmp_path / "m.onnx")
    for found, expected in zip(run_in_onnx_runtime(tmp_path / "m.onnx", *x), model.forward(x), strict=True):
        assert_close(found, expected, 1e-5)


def test_a_model_for_any_size_takes_each_size(tmp_path):
    x = images = layers.Input((None, None, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same")(x)
    x = layers.DepthwiseConv2D((2, 5), strides=(3, 3), padding="same")(x)
    x = layers.AveragePooling2D(3, strides=2, padding="same")(layers.MaxPooling2D(2, padding="same")(x))
    model, path = Model(images, layers.UpSampling2D(2)(x)), tmp_path / "m.onnx"
    export(model, path)
    for h, w in (37, 40), (38, 41), (64, 5):
        x = random(2, h, w, 3, seed=0)
        assert_close(run_in_onnx_runtime(path, x)[0], model.forward(x), 1e-5)


def test_positions_of_a_long_text_turn_by_exact_angles(tmp_path):
    x = layers.Input((None, 6))
    model = Model(x, layers.CausalSelfAttention(4, 3)(x))
    x = 3 * random(1, 1200, 6, seed=0)
    assert_close(in_onnx_runtime(model, tmp_path / "m.onnx", x), model.forward(x), 1e-5)


def test_the_weights_of_a_layer_that_is_called_twice_are_there_once(tmp_path):
    tokens, table = layers.Input((None,), dtype="int32"), layers.ReversibleEmbedding(9, 4)
    model, x = Model(tokens, table(table(tokens), reverse=True)), np.array([[1, 8, 0]], np.int32)
    assert_close(in_onnx_runtime(model, tmp_path / "m.onnx", x), model.forward(x), 1e-5)
    file = onnx.load(tmp_path / "m.onnx")
    assert sum(int(np.prod(each.dims)) for each in file.graph.initializer) == 36


def test_a_reversible_embedding_with_two_tables_and_a_cap(tmp_path):
    tokens, table = layers.Input((None,), dtype="int32"), layers.ReversibleEmbedding(9, 4, False, logit_soft_cap=0.05)
    model, x = Model(tokens, table(table(tokens), reverse=True)), np.array([[1, 8, 0]], np.int32)
    assert_close(in_onnx_runtime(model, tmp_path / "m.onnx", x), model.forward(x), 1e-5)


def test_whole_numbers_and_numbers_with_a_point_meet(tmp_path):
    counts, shares = layers.Input((3,), dtype="int32", name="counts"), layers.Input((3,), name="shares")
    total = layers.Add()([counts, counts])
    model = Model([counts, shares], [layers.Multiply()([total, shares]), total, layers.Average()([counts, total])])
    x = [np.array([[1, 2, 3]], np.int32), random(1, 3, seed=0)]
    export(model, tmp_path / "m.onnx")
    for found, expected in zip(run_in_onnx_runtime(tmp_path / "m.onnx", *x), model.forward(x), strict=True):
        assert found.dtype.kind == expected.dtype.kind
        assert_close(found, expected, 1e-5)


def test_the_pixel_too_many_of_same_padding_goes_to_the_end(tmp_path):
    model = Sequential([layers.Input((1, 4, 1)), layers.Conv2D(1, (1, 3), strides=(1, 2), padding="same")])
    model.set_weights([np.ones((1, 3, 1, 1)), np.zeros(1)])
    x = np.array([1, 2, 3, 4], np.float32).reshape(1, 1, 4, 1)
    assert in_onnx_runtime(model, tmp_path / "m.onnx", x).ravel().tolist() == [6, 7]


def test_one_file_takes_any_batch_and_states_its_versions(tmp_path):
    model, x = small_network(), random(7, 9, 8, 3, seed=0)
    whole = in_onnx_runtime(model, tmp_path / "m.onnx", x)
    session = ort.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    for count in 1, 2, 7:
        (found,) = session.run(None, {session.get_inputs()[0].name: x[:count]})
        np.testing.assert_allclose(found, whole[:count], rtol=1e-5, atol=1e-7)
    file = onnx.load(tmp_path / "m.onnx")
    assert (file.ir_version, [each.version for each in file.opset_import]) == (8, [17])
    # Nothing is turned around between the convolution and the sum: once before, and once behind for the Flatten.
    assert [node.op_type for node in file.graph.node].count("Transpose") == 2
    flat = Sequential([layers.Input((2, 2)), layers.Flatten()])
    assert in_onnx_runtime(flat, tmp_path / "m.onnx", x[:2, :2, :2, 0]).shape == (2, 4)


@pytest.mark.parametrize("name", applications.NETWORKS)
def test_the_preparation_of_images_may_be_in_the_graph(name, tmp_path, rng):
    x = rng.uniform(0, 255, (2, 9, 8, 3)).astype(np.float32)
    model = small_network()
    model.metadata = {"preprocessing": name, "class_names": ["a", "b"]}
    expected = model.forward(applications.preprocessing(name)(x))
    assert_close(in_onnx_runtime(model, tmp_path / "m.onnx", x, preprocessing=True), expected, 1e-5)
    properties = {each.key: each.value for each in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert json.loads(properties["class_names"]) == ["a", "b"] and json.loads(properties["prepares_images"]) is True


def test_what_cannot_be_exported_says_so_by_name(tmp_path):
    class Doubled(layers.Layer):
        def forward(self, x, training=False):
            return 2 * x

    class Known(Doubled):
        def to_onnx(self, nodes, call, x):
            return nodes.elementwise(x, "Add", nodes.last(x))

    path = tmp_path / "m.onnx"
    unknown = Sequential([layers.Input((3,)), Doubled(name="twice")])
    with pytest.raises(ArgumentError, match="layer 'twice': a Doubled cannot be exported"):
        unknown.export(path)
    x = random(2, 3, seed=0)
    np.testing.assert_allclose(in_onnx_runtime(Sequential([layers.Input((3,)), Known()]), path, x), 2 * x, rtol=1e-6)
    path.unlink()
    with pytest.raises(ArgumentError, match="metadata name no known preparation"):
        small_network().export(path, preprocessing=True)
    with pytest.raises(ArgumentError, match=r"model\.save writes \.keras"):
        small_network().export(tmp_path / "m.keras")
    with pytest.raises(ArgumentError, match="'fc9', which is no layer"):
        small_network().export(tmp_path / "m.pt", names={"fc9": "fc"})
    assert not path.exists()


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_pytorch_takes_the_weights_and_minitl_takes_them_back(ending, tmp_path):
    model, path = small_network(), tmp_path / f"m.{ending}"
    model.export(path, names={"last": "classifier.0"})
    if ending == "pt":
        state = torch.load(path, weights_only=True)
    else:
        from safetensors.torch import load_file

        state = load_file(path)

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm = torch.nn.Conv2d(3, 4, 3, 2), torch.nn.BatchNorm2d(4, eps=1e-3)
            self.classifier = torch.nn.Sequential(torch.nn.Linear(80, 5))

        def forward(self, x):
            x = self.first(torch.nn.functional.pad(x, (0, 1, 1, 1))).relu()  # 'same': 9 -> 5, 8 -> 4
            x = x + self.norm(torch.nn.functional.max_pool2d(x, 3, 1, 1))
            return self.classifier(x.flatten(1))

    module = Module().eval()
    module.load_state_dict(state, strict=True)
    x = random(3, 9, 8, 3, seed=0)
    assert_close(as_numpy(module(torch.from_numpy(x).permute(0, 3, 1, 2))), model.forward(x), 1e-5)
    if ending == "pt":
        return  # reading a file of PyTorch takes a process of its own, and is tested elsewhere
    again = small_network()
    again.set_weights([np.zeros_like(each) for each in again.get_weights()])
    again.load_weights(path, names={"classifier.0": "last"})
    np.testing.assert_array_equal(again.forward(x), model.forward(x))


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_keras_and_minitl_open_the_whole_model(ending, tmp_path):
    path, x = tmp_path / f"m.{ending}", random(3, 9, 8, 3, seed=0)
    model = small_network()
    model.metadata = {"class_names": ["a", "b"]}
    model.save(path)
    theirs = keras.saving.load_model(path, compile=False)
    assert_close(as_numpy(theirs(torch.from_numpy(x), training=False)), model.forward(x), 1e-5)
    again = load_model(path)
    np.testing.assert_array_equal(again.forward(x), model.forward(x))
    assert again.metadata == model.metadata


# What PyTorch has a module for, and the output of the module: (N, T, D) in, as minitl's.
MODULES = {
    "SimpleRNN": (lambda: layers.SimpleRNN(3, return_sequences=True), lambda: torch.nn.RNN(4, 3, batch_first=True)),
    "LSTM": (lambda: layers.LSTM(3, return_sequences=True), lambda: torch.nn.LSTM(4, 3, batch_first=True)),
    "GRU": (lambda: layers.GRU(3, return_sequences=True), lambda: torch.nn.GRU(4, 3, batch_first=True)),
    "Bidirectional": (lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
                      lambda: torch.nn.LSTM(4, 3, batch_first=True, bidirectional=True)),
    "no-bias": (lambda: layers.GRU(3, use_bias=False, return_sequences=True),
                lambda: torch.nn.GRU(4, 3, bias=False, batch_first=True)),
    "MultiHeadAttention": (lambda: layers.MultiHeadAttention(2, 2),
                           lambda: torch.nn.MultiheadAttention(4, 2, batch_first=True)),
    "LayerNormalization": (lambda: layers.LayerNormalization(epsilon=1e-5), lambda: torch.nn.LayerNorm(4)),
}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_a_module_of_pytorch_takes_the_weights_of_a_layer(name, tmp_path):
    make, make_module = MODULES[name]
    steps, layer, module = layers.Input((5, 4)), make(), make_module().eval()
    model = Model(steps, layer(steps))
    randomize(layer)
    model.export(tmp_path / "m.pt")
    state = torch.load(tmp_path / "m.pt", weights_only=True)
    module.load_state_dict({key.removeprefix(f"{layer.name}."): array for key, array in state.items()}, strict=True)
    x = random(3, 5, 4, seed=0)
    arguments = [torch.from_numpy(x)] * (3 if name == "MultiHeadAttention" else 1)
    with torch.no_grad():
        found = module(*arguments)
    assert_close(as_numpy(found[0] if isinstance(found, tuple) else found), model.forward(x), 1e-5)


@pytest.mark.parametrize("multiplier", [1, 2])
def test_pytorch_takes_a_depthwise_kernel(multiplier, tmp_path):
    images, layer = layers.Input((6, 5, 3)), layers.DepthwiseConv2D((3, 2), depth_multiplier=multiplier, name="d")
    model = Model(images, layer(images))
    randomize(layer)
    model.export(tmp_path / "m.pt")
    module = torch.nn.Conv2d(3, 3 * multiplier, (3, 2), groups=3)
    module.load_state_dict({key[2:]: each for key, each in torch.load(tmp_path / "m.pt", weights_only=True).items()})
    x = random(2, 6, 5, 3, seed=0)
    found = as_numpy(module(torch.from_numpy(x).permute(0, 3, 1, 2))).transpose(0, 2, 3, 1)
    assert_close(found, model.forward(x), 1e-5)
    expected = model.forward(x)
    layer.kernel[...] = 0
    model.load_weights(tmp_path / "m.pt")
    np.testing.assert_array_equal(model.forward(x), expected)


@pytest.mark.parametrize(
    "shape, rows",
    [
        ((12, 3), [layers.Conv1D(4, 3, activation="relu"), layers.MaxPooling1D(), layers.GlobalAveragePooling1D()]),
        ((12, 3), [layers.Conv1D(4, 3, padding="same"), layers.AveragePooling1D(3, 2), layers.GlobalMaxPooling1D()]),
        ((9, 8, 3), [layers.DepthwiseConv2D(3, activation="relu"), layers.GlobalAveragePooling2D()]),
        ((9, 8, 3), [layers.DepthwiseConv2D((3, 2), strides=2, depth_multiplier=2), layers.GlobalMaxPooling2D()]),
        ((9, 8, 3), [layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()]),
    ],
)
def test_minitl_reads_the_onnx_files_that_it_wrote(shape, rows, tmp_path):
    model = Sequential([layers.Input(shape), *rows, layers.Dense(2)])
    expected = [random(*array.shape, seed=k) for k, array in enumerate(model.get_weights())]
    model.set_weights(expected)
    model.export(tmp_path / "m.onnx")
    model.set_weights([0 * array for array in expected])
    model.load_weights(tmp_path / "m.onnx")
    for found, array in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(found, array)


def test_layers_that_pytorch_has_in_no_module_are_refused_by_name(tmp_path):
    refused = [
        (layers.GRU(3, reset_after=False, name="old"), "layer 'old' has reset_after=False; PyTorch's GRU has True"),
        (layers.MultiHeadAttention(3, 2, name="wide"), "layer 'wide': .* 4 numbers; found 6 and 4"),
        (layers.CausalSelfAttention(2, 2, name="causal"), "layer 'causal': PyTorch has no name for query_kernel"),
    ]
    for layer, message in refused:
        steps = layers.Input((5, 4))
        with pytest.raises(ArgumentError, match=message):
            Model(steps, layer(steps)).export(tmp_path / "m.safetensors")


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
def test_what_keras_opens_is_not_refused_and_what_it_has_not_is(case, tmp_path):
    model = model_of(case)
    model.save(tmp_path / "m.keras")
    try:
        keras.saving.load_model(tmp_path / "m.keras", compile=False)
    except (TypeError, ValueError):
        with pytest.raises(ArgumentError, match=f"layer '{model.layers[-1].name}': Keras has no"):
            require_keras(model)
    except RuntimeError:
        assert "norm-" in case.name  # Keras on PyTorch normalizes along the last axes alone
    else:
        require_keras(model)


def test_a_mask_that_keras_would_lose_is_refused():
    tokens = layers.Input((None,), dtype="int32")
    mask = layers.PaddingMask()(tokens)
    lost = layers.LSTM(3, name="memory")(layers.Embedding(9, 4)(tokens), mask=mask)
    with pytest.raises(ArgumentError, match="layer 'memory': Keras has no PaddingMask, so its mask would be lost"):
        require_keras(Model(tokens, lost))
    words = layers.Embedding(9, 4, mask_zero=True)(tokens)
    require_keras(Model(tokens, layers.LSTM(3)(words)))
    with pytest.raises(ArgumentError, match="layer 'memory' was called without the mask of its input, and Keras"):
        require_keras(Model(tokens, layers.LSTM(3, name="memory")(words, mask=None)))

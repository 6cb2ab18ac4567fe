"""The graph: forward in order, backward in reverse and no further than needed, and no array kept without need."""

import pickle

import numpy as np
import pytest

from minitl.errors import ArgumentError, GraphError, MinitlError, ShapeError
from minitl.graph.summary import flops
from minitl.layers import Add, BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, Layer, MaxPooling2D
from minitl.models import Model, Sequential
from minitl.optimizers import SGD


class Spy(Layer):
    """A layer that passes everything on and counts its calls."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.calls = []

    def forward(self, x, training=False):
        self.calls.append("forward")
        self.remember(x)
        return x + 0

    def backward(self, grad):
        self.remembered()
        self.calls.append("backward")
        return grad


def spied_row():
    """Build Dense, spy, Dense, spy, Dense, with names."""
    spies = Spy(name="early"), Spy(name="late")
    model = Sequential(
        [
            Dense(4, name="a", input_shape=(3,)), spies[0], Dense(4, name="b"), spies[1], Dense(2, name="c"),
        ]
    )  # fmt: skip
    return model, *spies


def kept_for(model):
    """Return the names of the layers of whose forward something is kept for a backward."""
    return {call.layer.name for call in model._memory}


def test_forward_runs_each_layer_once_in_order(rng):
    model, early, late = spied_row()
    x = rng.standard_normal((5, 3)).astype(np.float32)
    by_hand = x
    for layer in model.layers:
        by_hand = layer.forward(by_hand)
    early.calls, late.calls = [], []
    assert np.array_equal(model.forward(x), by_hand)
    assert early.calls == late.calls == ["forward"]
    assert [layer.name for layer in model.layers] == ["a", "early", "b", "late", "c"]


def test_backward_stops_at_the_earliest_trainable_layer(rng):
    model, early, late = spied_row()
    model.get_layer("a").trainable = False
    x = rng.standard_normal((5, 3)).astype(np.float32)
    y = model.forward(x, training=True)
    assert kept_for(model) == {"b", "late", "c"}, "nothing is kept where no gradient passes"
    assert all(layer._remembered is None for layer in model.layers), "the graph keeps it, not the layers"
    assert model.backward(np.ones_like(y)) is None
    assert late.calls == ["forward", "backward"] and early.calls == ["forward"]
    assert set(model.get_layer("b").gradients) == {"kernel", "bias"} and model.get_layer("a").gradients == {}
    assert kept_for(model) == set(), "backward uses up what forward kept"


def test_the_gradient_passes_through_frozen_layers_to_trainable_ones(rng):
    model, early, late = spied_row()
    model.get_layer("b").trainable = False
    model.backward(np.ones_like(model.forward(rng.standard_normal((5, 3)).astype(np.float32))))
    assert "kernel" in model.get_layer("a").gradients and model.get_layer("b").gradients == {}
    assert early.calls[-1] == late.calls[-1] == "backward"


def test_which_gradients_forward_prepares(rng):
    model, early, _ = spied_row()
    model.trainable = False
    x = rng.standard_normal((5, 3)).astype(np.float32)
    grad = np.ones((5, 2), np.float32)
    model.forward(x)
    assert model.backward(grad) is None and early.calls == ["forward"]
    model.forward(x, gradients="input")
    kernels = [model.get_layer(name).kernel for name in "abc"]
    assert np.allclose(model.backward(grad), grad @ kernels[2].T @ kernels[1].T @ kernels[0].T, atol=1e-6)
    model.trainable = True
    model.forward(x, gradients="none")
    assert kept_for(model) == set()
    with pytest.raises(GraphError, match="gradients is 'all'"):
        model.forward(x, gradients="all")


def test_a_tensor_used_twice_gets_the_sum_of_both_gradients(rng):
    images = Input((3,))
    x = Dense(3, use_bias=False, name="shared")(images)
    model = Model(images, Add()([x, Dense(3, use_bias=False, name="side")(x)]))
    x, grad = rng.standard_normal((2, 3)).astype(np.float32), rng.standard_normal((2, 3)).astype(np.float32)
    model.forward(x)
    model.backward(grad)
    expected = x.T @ (grad + grad @ model.get_layer("side").kernel.T)
    assert np.allclose(model.get_layer("shared").gradients["kernel"], expected, atol=1e-6)


def test_memory_of_a_deep_forward_is_two_maps_not_all(rng):
    """A layer's output is released as soon as the next layer has used it, if there are no gradients."""
    import tracemalloc

    model = Sequential([Spy(input_shape=(50, 50, 40)), *(Spy() for _ in range(9))])
    x = np.zeros((10, 50, 50, 40), np.float32)  # 4 MB
    tracemalloc.start()
    model.forward(x, gradients="none")
    assert tracemalloc.get_traced_memory()[1] < 2.5 * x.nbytes
    tracemalloc.stop()


def test_calling_a_model_puts_its_layers_into_the_graph():
    base = Sequential([Conv2D(2, 3, name="conv", input_shape=(8, 8, 3)), MaxPooling2D(name="pool")])
    images = Input((6, 6, 3))
    model = Model(images, Dense(2)(Flatten()(base(images))))
    assert [layer.name for layer in model.layers] == ["input_layer", "conv", "pool", "flatten", "dense"]
    assert model.get_layer("conv") is base.get_layer("conv")
    assert Sequential([base, Flatten(), Dense(3)]).output_shape == (None, 3)


def test_sequential_grows():
    model = Sequential()
    model.add(Input((4,)))
    model.add(Dense(3))
    model.compile("sgd", "mse")
    model.add(Dense(2))
    assert model.output_shape == (None, 2) and [layer.name for layer in model.layers] == ["dense", "dense_1"]


def test_a_sequential_without_a_shape_waits_for_the_first_examples(rng):
    x, y = rng.standard_normal((8, 4)).astype(np.float32), rng.standard_normal((8, 2)).astype(np.float32)
    waiting, told = (Sequential([Dense(3, "tanh"), Dense(2)]), Sequential([Input((4,)), Dense(3, "tanh"), Dense(2)]))
    with pytest.raises(GraphError, match="does not know the shape of its input yet; give the first layer input_shape="):
        waiting.summary()
    waiting.compile("sgd", "mse", metrics=["mae"])
    told.compile("sgd", "mse", metrics=["mae"])
    assert not waiting.built and waiting.layers[1].units == 2
    waiting.build((None, 4))
    for layer, other in zip(waiting.layers, told.layers):
        layer.set_weights(other.get_weights())
    assert waiting.fit(x, y, verbose=0, shuffle=False).history == told.fit(x, y, verbose=0, shuffle=False).history
    assert np.array_equal(waiting(x), waiting.predict(x, verbose=0)), "a call on an array computes"
    of_batches = Sequential([Dense(3)])
    of_batches.compile("sgd", "mse")
    seen = []
    batches = ((seen.append(k), (x[:4], y[:4, :1].repeat(3, axis=1)))[1] for k in range(2))
    of_batches.fit(batches, steps_per_epoch=2, verbose=0)
    assert of_batches.output_shape == (None, 3) and seen == [0, 1], "the batch that told the shape is trained on, too"
    assert waiting.pop() is not None and waiting.output_shape == (None, 3)


def test_names_are_unique_and_do_not_depend_on_what_was_built_before():
    def build():
        return Sequential([Dense(3, input_shape=(2,)), Dense(3, name="dense_1"), Dense(3), Dropout(0.1)])

    assert [[layer.name for layer in build().layers] for _ in range(2)] == 2 * [
        ["dense", "dense_1", "dense_2", "dropout"]
    ]
    with pytest.raises(GraphError, match="two layers are named 'same'"):
        Sequential([Dense(3, name="same", input_shape=(2,)), Dense(3, name="same")])


def test_weights_of_the_whole_model(rng):
    model = Sequential([Dense(3, input_shape=(2,)), BatchNormalization(), Dense(1)])
    assert [w.shape for w in model.get_weights()] == [(2, 3), (3,), (3,), (3,), (3,), (3,), (3, 1), (1,)]
    weights = [rng.standard_normal(w.shape).astype(np.float32) for w in model.get_weights()]
    model.set_weights(weights)
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights()))
    assert model.count_params() == 6 + 3 + 12 + 3 + 1 and model.count_params(trainable_only=True) == 19
    with pytest.raises(ShapeError, match="expected 8 weight arrays, found 7"):
        model.set_weights(weights[:-1])


def test_summary_says_what_is_frozen(capsys):
    model = Sequential([Conv2D(4, 3, input_shape=(8, 8, 3), name="conv", trainable=False), Flatten(), Dense(10)])
    model.summary()
    text = capsys.readouterr().out
    assert "conv (Conv2D)" in text and "(None, 6, 6, 4)" in text and "frozen" in text
    assert "Total params                  1,562" in text and "Trainable params              1,450" in text
    assert flops(model) == 2 * (3 * 3 * 3 * 4 * 36 + 144 * 10)


MISUSES = [
    (lambda: Model(Input((3,)), Dense(2)(Input((3,)))), "depends on 'input_layer', which is not the model's input"),
    (lambda: Model(Input((3,)), "output"), "outputs is str; expected a symbolic tensor"),
    (lambda: Model(Input((3,)), []), "outputs is empty; expected a symbolic tensor"),
    (lambda: unconnected_input(), "the outputs do not depend on the input 'idle'. Leave it out, or connect it"),
    (lambda: Model([Input((3,), name="a")] * 2, Input((3,))), "depends on 'input_layer'|names a tensor twice"),
    (lambda: Sequential([Dense(2, input_shape=(2,))]).get_layer("fc"), "no layer 'fc'. Its layers: dense"),
    (lambda: Sequential([Dense(3, input_shape=(3,), name="one")] * 2), "layer 'one' is used twice in this Sequential"),
]


def unconnected_input():
    images = Input((3,))
    return Model([images, Input((3,), name="idle")], Dense(2)(images))


@pytest.mark.parametrize("misuse, message", MISUSES, ids=[message for _, message in MISUSES])
def test_graphs_that_cannot_be(misuse, message):
    with pytest.raises(GraphError, match=message):
        misuse()


def test_without_a_loss_a_model_predicts_alone():
    x, y = np.ones((4, 2), np.float32) * [[1], [2], [3], [4]], np.array([0, 1, 0, 1])
    model = Sequential([Dense(2, "softmax", input_shape=(2,))])
    model.compile("adam")
    assert model.predict(x, verbose=0).shape == (len(x), 2)
    with pytest.raises(MinitlError, match="the model is not compiled"):
        model.fit(x, y, verbose=0)
    with pytest.raises(ArgumentError, match="compile needs a loss"):
        model.compile("adam", metrics=["accuracy"])
    model.compile("adam", ["sparse_categorical_crossentropy"])  # a list of one
    model.fit(x, y, verbose=0)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(x, verbose=0), model.predict(x, verbose=0))


def test_backward_wants_a_forward_of_its_own(rng):
    model, *_ = spied_row()
    x, grad = rng.standard_normal((5, 3)).astype(np.float32), np.ones((5, 2), np.float32)
    with pytest.raises(GraphError, match="run forward first"):
        model.backward(grad)
    model.forward(x, training=True)
    model.predict(x)
    with pytest.raises(GraphError, match="not with gradients='none'"):
        model.backward(grad)
    model.forward(x)
    model.backward(grad)
    with pytest.raises(GraphError, match="once for each backward"):
        model.backward(grad)
    model.forward(x)
    with pytest.raises(ShapeError, match=r"expected a gradient of the output's shape \(5, 2\), found \(5, 1\)"):
        model.backward(grad[:, :1])


def test_models_that_share_layers_need_not_take_turns(rng):
    """Both forwards may come first and both backwards later. The gradients are those of each model alone, to the last
    bit."""
    model, *_ = spied_row()
    part = Model(model.input, model.get_layer("b").output)
    x, grads = rng.standard_normal((5, 3)).astype(np.float32), [rng.standard_normal((5, n), np.float32) for n in (2, 4)]

    def gradients_of(one):
        return {la.name: {n: g.copy() for n, g in la.gradients.items()} for la in one.layers if la.weight_names}

    in_turn = []
    for one, pixels, grad in zip((model, part), (x, 2 * x), grads):
        one.forward(pixels)
        one.backward(grad)
        in_turn.append(gradients_of(one))
    model.forward(x)
    part.forward(2 * x)
    for one, grad, expected in reversed(list(zip((model, part), grads, in_turn))):
        one.backward(grad)
        found = gradients_of(one)
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[la][n], expected[la][n]) for la in expected for n in expected[la])


def test_a_step_between_forward_and_backward_is_refused(rng):
    """The gradient would belong to weights that differ from those of the forward."""
    model, *_ = spied_row()
    part = Model(model.input, model.get_layer("b").output)
    x = rng.standard_normal((5, 3)).astype(np.float32)
    y, z = model.forward(x), part.forward(x)
    part.backward(np.ones_like(z))
    SGD(0.1).step(part)
    with pytest.raises(GraphError, match="layer '[ab]' has been moved by an optimizer since this model's forward"):
        model.backward(np.ones_like(y))


def test_no_gradient_is_left_from_before_the_freeze(rng):
    model, *_ = spied_row()
    x = rng.standard_normal((5, 3)).astype(np.float32)
    model.backward(np.ones_like(model.forward(x)))
    first = model.get_layer("a")
    first.trainable = False
    model.backward(np.ones_like(model.forward(x)))
    assert first.gradients == {}
    layer = Dense(2)
    layer.trainable = False
    layer.forward(x)
    layer.trainable = True
    with pytest.raises(GraphError, match="was frozen in forward and is trainable now"):
        layer.backward(np.ones((5, 2), np.float32))


def test_weights_are_set_all_or_not_at_all():
    model, *_ = spied_row()
    before, wrong = model.get_weights(), model.get_weights()
    wrong[0][...] = 5
    wrong[4] = wrong[4].T
    with pytest.raises(ShapeError, match="layer 'c' expected weights"):
        model.set_weights(wrong)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


def test_what_keras_programs_say():
    base = Sequential([Conv2D(2, 3, name="conv", input_shape=(8, 8, 3)), BatchNormalization(name="norm")])
    images = Input((8, 8, 3))
    base.trainable = False
    assert base(images, training=False).shape == (None, 6, 6, 2)
    assert base.get_layer(index=0).name == "conv" and base.layers[0].output is not None
    assert len(base.weights) == 6 and base.trainable_weights == [] and len(base.non_trainable_weights) == 6
    base.trainable = True
    assert [len(w) for w in (base.trainable_weights, base.non_trainable_weights)] == [4, 2]
    assert Dense(2, kernel_regularizer=None, dtype="float32").units == 2
    with pytest.raises(ArgumentError, match="groups is 3, and filters is 4; expected a multiple"):
        Conv2D(4, 3, groups=3)
    cut = Model(base.input, base.get_layer("conv").output)
    assert cut.output_shape == (None, 6, 6, 2), "layer.output is still the first one, in this model's graph"


def test_a_name_stays_what_it_was_in_the_first_model():
    one = Sequential([Dense(2, input_shape=(2,))])
    longer = Sequential([one, Dense(3)])
    assert [layer.name for layer in longer.layers] == ["dense", "dense_1"] and one.layers[0].name == "dense"


def test_two_towers_of_unnamed_layers_can_be_joined():
    """The layers of the later tower are numbered again. Names that somebody gave are not changed."""
    left, right = (Sequential([Dense(2, input_shape=(2,)), Dense(3, name=name)]) for name in (None, "dense_2"))
    both = Model([left.input, right.input], Add()([left.output, right.output]))
    assert [layer.name for layer in left.layers] == ["dense", "dense_1"]
    assert [layer.name for layer in right.layers] == ["dense_3", "dense_2"]
    assert len({layer.name for layer in both.layers}) == len(both.layers) == 7
    with pytest.raises(GraphError, match="two layers are named 'dense_2'; give one of them another name"):
        Sequential([right, Dense(2, name="dense_2")])


def test_layers_follow_from_the_graph():
    model = Sequential([Dense(2, input_shape=(2,)), Dense(2)])
    with pytest.raises(GraphError, match="layers of 'sequential' cannot be set.*transfer.remove_layers"):
        model.layers = []
    model.layers.pop()
    assert len(model.layers) == 2 and len(model.trainable_weights) == 4


def test_an_empty_sequential_lacks_what_only_layers_can_tell():
    empty = Sequential()
    lacking = "input_shape", "output_shape", "input", "outputs", "input_names", "calls", "no_such_attribute"
    assert not any(hasattr(empty, name) for name in lacking) and hasattr(empty, "layers")
    with pytest.raises(GraphError, match="has no layers yet"):
        empty.input_shape  # noqa: B018


def test_a_second_input_in_a_row_is_refused():
    model = Sequential([Input((2,)), Dense(3)])
    for second in Input((7,)), Input((3,)):
        with pytest.raises(GraphError, match="a Sequential has one Input, as its first member"):
            model.add(second)
    assert len(model.layers) == 1


class Twice(Dense):
    def call(self, x):
        return 2 * x


class Stepping(Sequential):
    def train_step(self, data):
        return {}


class Bare(Layer):
    """Has neither a forward nor a backward."""


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Twice(2), r"class Twice defines call\(\), which minitl never calls. It has a forward: write this and"),
        (
            lambda: Stepping([Dense(2, input_shape=(2,))]),
            r"class Stepping defines train_step\(\).*Write a step of your",
        ),
        (lambda: Bare().forward(np.ones(2)), r"class Bare has no forward\(x, training=False\)"),
        (lambda: Bare().backward(np.ones(2)), r"class Bare has no backward\(grad\)"),
    ],
)
def test_methods_that_only_keras_calls_are_refused(make, message):
    with pytest.raises(MinitlError, match=message):
        make()


def test_a_refused_compile_leaves_the_model_as_it_was():
    model = Sequential([Dense(2, "softmax", input_shape=(2,))])
    model.compile(loss="sparse_categorical_crossentropy", metrics=["acc"])
    before = vars(model).copy()
    assert type(model.optimizer).__name__ == "RMSprop", "as in Keras"
    for refused in {"loss": "no_such"}, {"loss": "mse", "metrics": ["no_such"]}, {"steps_per_execution": 3}:
        with pytest.raises(ArgumentError):
            model.compile("sgd", **refused)
    assert vars(model) == before
    model.compile("sgd", "mse", loss_weights=None, run_eagerly=True, jit_compile=False)


def test_only_what_is_asked_for_comes_back(rng):
    """The branch past the trainable layer has a gradient too, but a part of dL/dx is not dL/dx."""
    images = Input((4,))
    model = Model(images, Add()([images, Dense(4)(images)]))
    x = rng.standard_normal((2, 4)).astype(np.float32)
    assert model.backward(np.ones_like(model.forward(x))) is None
    assert model.backward(np.ones_like(model.forward(x, gradients="input"))).shape == (2, 4)


def test_a_layer_run_on_its_own_in_between_disturbs_nobody(rng):
    model, *_ = spied_row()
    x = rng.standard_normal((5, 3)).astype(np.float32)
    layer = model.get_layer("a")
    y = model.forward(x)
    model.backward(np.ones_like(y))
    expected = layer.gradients["kernel"].copy()
    model.forward(x)
    alone = layer.forward(2 * x)
    model.backward(np.ones_like(y))
    assert np.array_equal(layer.gradients["kernel"], expected)
    layer.backward(np.ones_like(alone))
    assert np.allclose(layer.gradients["kernel"], (2 * x).T @ np.ones_like(alone)), "its own forward is remembered"


def test_a_failed_add_changes_nothing():
    both = Sequential(name="row")
    both.metadata["note"] = "stays"
    with pytest.raises(GraphError, match="model 'row' has no layers yet"):
        both.summary()
    both.add(Dense(2, input_shape=(2,), name="a"))
    both.add(Dense(2))
    both.compile("sgd", "mse")
    for refused in both.layers[0], Dense(2, name="a"):
        with pytest.raises(GraphError, match="used twice|two layers are named"):
            both.add(refused)
    assert [layer.name for layer in both.layers] == ["a", "dense"] and len(both.calls) == 2
    with pytest.raises(ShapeError):
        both.add(MaxPooling2D())
    with pytest.raises(GraphError, match="made of layers and models; found 'relu'"):
        both.add("relu")
    both.add(Dense(5))
    assert both.output_shape == (None, 5) and both.loss is not None and both.metadata == {"note": "stays"}
    assert Sequential().layers == []

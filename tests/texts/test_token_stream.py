"""A stream of token sequences trains and predicts as a padded array does, with batches of lengths of their own."""

from functools import partial

import numpy as np
import pytest

from minitl import training, transfer
from minitl.data.batches import in_order
from minitl.data.text.lengths import batches_by_length, pad
from minitl.data.text.stream import TokenStream
from minitl.errors import ArgumentError, DataError, DataWarning, ShapeError
from minitl.layers import Dense, Input, Layer
from minitl.models import Model
from minitl.optimizers import SGD
from minitl.training import BackupAndRestore, Callback
from minitl.utils import set_random_seed

WORDS, COUNT = 30, 45


class Vectors(Layer):
    """A table with a vector for each token: (N, T) -> (N, T, 3)."""

    def build(self, shape):
        self.add_weight("table", (WORDS, 3))

    def compute_output_shape(self, shape):
        return (*shape, 3)

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.remember(x)
        return self.table[x]

    def backward_to_parameters(self, grad):
        if self.trainable:
            self.gradients["table"] = np.zeros_like(self.table)
            np.add.at(self.gradients["table"], self.remembered()[0], grad)


class MaskedSum(Layer):
    """The sum of the vectors that the mask calls real: (N, T, 3), (N, T) -> (N, 3)."""

    merges = True

    def compute_output_shape(self, shapes):
        return shapes[0][0], shapes[0][2]

    def forward(self, xs, training=False):
        x, mask = xs
        assert x.shape[:2] == mask.shape, "tokens and mask are of one batch"
        self.remember(mask)
        return (x * mask[..., None]).sum(axis=1)

    def backward(self, grad):
        (mask,) = self.remembered()
        return [grad[:, None] * mask[..., None], None]


def network(length=None, seed=0):
    set_random_seed(seed)
    tokens, mask = Input((length,), dtype="int32", name="tokens"), Input((length,), dtype="bool", name="mask")
    x = Dense(3, activation="tanh", name="turned")(Vectors(name="vectors")(tokens))
    x = MaskedSum(name="sum")([x, mask])
    model = Model([tokens, mask], Dense(2, activation="softmax", name="out")(x))
    model.compile(SGD(0.02, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def sequences(rng):
    return [rng.integers(1, WORDS, rng.integers(1, 20)).tolist() for _ in range(COUNT)]


LABELS = np.arange(COUNT) % 2


class Noting(TokenStream):
    """A stream that notes the positions and the shape of each batch."""

    def read(self, positions, epoch=None):
        found = super().read(positions, epoch)
        self.__dict__.setdefault("noted", []).append((np.arange(COUNT)[positions].tolist(), found.shape))
        return found


def test_a_batch_is_as_long_as_its_longest(sequences):
    x = TokenStream(sequences)
    assert x.shape == (COUNT, None) and len(x) == COUNT and x.dtype == np.int32 and x.mask.dtype == bool
    for where in slice(0, 8), slice(40, None), np.array([3, 44, 0]):
        chosen = [sequences[n] for n in np.arange(COUNT)[where]]
        tokens, mask, _ = pad(chosen)
        assert np.array_equal(x.read(where), tokens) and np.array_equal(x.mask.read(where), mask)
    assert x.read(np.array([], int)).shape == (0, 1)


def test_fixed_and_least_lengths(sequences):
    with pytest.warns(DataWarning, match="lost the end"):
        x = TokenStream(sequences, length=6, pad=9)
    assert x.shape == (COUNT, 6) and x.dropped == sum(max(0, len(each) - 6) for each in sequences)
    with pytest.warns(DataWarning):
        assert np.array_equal(x.read(slice(None)), pad(sequences, 6, 9).tokens)
    assert TokenStream([[1], [2, 3], []], shortest=5).read(slice(None)).shape == (3, 5)
    assert TokenStream([[], []]).mask.read(slice(None)).tolist() == [[False], [False]]


def test_an_epoch_takes_the_batches_by_length(sequences):
    """Two trainings of one seed see the same batches; each epoch has others, and every text is in one of them."""
    seen = []
    for seed in 0, 0, 1:
        x, model = Noting(sequences), network(seed=seed)
        model.fit([x, x.mask], LABELS, 8, 2, verbose=0)
        seen.append(x.noted)
    assert seen[0] == seen[1] != seen[2]
    epochs = seen[0][:6], seen[0][6:]
    for epoch in epochs:
        assert sorted(n for positions, _ in epoch for n in positions) == list(range(COUNT))
        assert [len(positions) for positions, _ in epoch] == [8] * 5 + [5]
        places = sum(n * t for _, (n, t) in epoch)
        assert places < 0.75 * COUNT * max(map(len, sequences))
    assert epochs[0] != epochs[1]


def test_a_training_is_that_of_arrays_in_the_same_batches(sequences):
    """Step by step with padded arrays of one length, by the loop without `fit`: the same losses."""
    x, model = Noting(sequences), network()
    history = model.fit([x, x.mask], LABELS, 8, 3, verbose=0).history
    tokens, mask, _ = pad(sequences)
    other, losses = network(), []
    for positions, _ in x.noted:
        losses.append(
            (other.train_on_batch([tokens[positions], mask[positions]], LABELS[positions])[0], len(positions))
        )
    means = [sum(loss * n for loss, n in losses[first : first + 6]) / COUNT for first in (0, 6, 12)]
    assert np.allclose(history["loss"], means, rtol=1e-5)
    for a, b in zip(model.get_weights(), other.get_weights()):
        assert np.allclose(a, b, atol=1e-5)


def test_labels_and_weights_go_with_their_texts(rng):
    """The label of a text is whether it holds token 1, and two of three labels are wrong and weigh nothing."""
    sequences = [[1 if n % 2 else 2] * int(rng.integers(1, 20)) for n in range(COUNT)]
    weights = (np.arange(COUNT) % 3 == 0).astype(np.float32)
    labels = np.where(weights > 0, np.arange(COUNT) % 2, 1 - np.arange(COUNT) % 2)
    x, model = TokenStream(sequences), network()
    model.fit([x, x.mask], labels, 4, 30, verbose=0, sample_weight=weights)
    assert (model.predict([x, x.mask], verbose=0).argmax(axis=1) == np.arange(COUNT) % 2).all()


def test_prediction_and_evaluation_are_in_the_callers_order(sequences):
    x, model = Noting(sequences), network()
    alone = np.concatenate([model.predict([pad([each]).tokens, pad([each]).mask], verbose=0) for each in sequences])
    together = model.predict([x, x.mask], 8, verbose=0)
    assert np.allclose(together, alone, atol=1e-6) and together.shape == (COUNT, 2)
    expected = [batch.tolist() for batch in batches_by_length(x.lengths, 8)]
    assert [positions for positions, _ in x.noted] == expected, "the longest first"
    tokens, mask, _ = pad(sequences)
    assert np.allclose(
        model.evaluate([x, x.mask], LABELS, 8, verbose=0), model.evaluate([tokens, mask], LABELS, verbose=0), rtol=1e-5
    )
    log = model.fit([x, x.mask], LABELS, 8, verbose=0, validation_data=([x, x.mask], LABELS)).history
    assert log["val_loss"][0] == pytest.approx(model.evaluate([tokens, mask], LABELS, verbose=0)[0], rel=1e-5)


def test_a_few_steps_and_callbacks_see_the_first_texts(sequences):
    x, model = Noting(sequences), network()
    first = model.predict([x, x.mask], 8, verbose=0)
    x.noted.clear()
    assert np.allclose(model.predict([x, x.mask], 8, verbose=0, steps=2), first[:16], atol=1e-6)
    assert [positions for positions, _ in x.noted] == [list(range(8)), list(range(8, 16))]

    class Stop(Callback):
        def on_predict_batch_end(self, batch, logs=None):
            self.model.stop_predicting = batch == 1

    assert np.allclose(model.predict([x, x.mask], 8, verbose=0, callbacks=[Stop()]), first[:16], atol=1e-6)


def test_not_shuffled_is_the_given_order(sequences):
    x = Noting(sequences)
    network().fit([x, x.mask], LABELS, 8, 1, verbose=0, shuffle=False)
    assert [positions for positions, _ in x.noted] == [list(range(COUNT)[batch]) for batch in in_order(COUNT, 8)]


def test_a_training_goes_on_where_it_was(sequences, tmp_path):
    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.state.epoch == 1 and batch == 2 and armed:
                raise RuntimeError("the power is gone")

    results, armed = [], False
    for folder in "whole", "broken", "broken":
        x, model = TokenStream(sequences, bucket=2), network()
        callbacks = [Stop(), BackupAndRestore(tmp_path / folder, save_freq=1)]
        armed = folder == "broken" and not armed
        if armed:
            with pytest.raises(RuntimeError, match="the power is gone"):
                model.fit([x, x.mask], LABELS, 8, 3, verbose=0, callbacks=callbacks)
        else:
            results.append([model.fit([x, x.mask], LABELS, 8, 3, verbose=0, callbacks=callbacks).history])
            results[-1] += [weights.tobytes() for weights in model.get_weights()]
    assert results[0] == results[1]


def test_the_digest_changes_with_the_batches(sequences):
    others = [
        TokenStream(sequences),
        TokenStream([*sequences[:-1], [*sequences[-1], 3]]),
        TokenStream([sequences[0] + sequences[1][:1], sequences[1][1:], *sequences[2:]]),
        TokenStream(sequences, pad=1),
        TokenStream(sequences, bucket=3),
        TokenStream(sequences, shortest=4),
        TokenStream(sequences, length=40),
    ]
    digests = [each.digest for each in others] + [each.mask.digest for each in others]
    assert len(set(digests)) == 14 and TokenStream(sequences).digest == digests[0]


# ---- a frozen beginning ----


def test_a_frozen_beginning_of_texts_of_any_length(sequences, capsys):
    """Vectors of different lengths are not kept: the whole model runs. Their sum is of one size, and is kept. The
    numbers are the same, since the batches are."""
    for until, words in ("vectors", "as long as each batch is"), ("sum", "ran once over 45 examples"):
        histories = []
        for fit in training.fit, partial(training.fit, frozen_once=False):
            model = network()
            transfer.freeze(model, until=until)
            x = TokenStream(sequences, bucket=2)
            histories.append(fit(model, [x, x.mask], LABELS, 8, 3, verbose=2).history["loss"])
        assert np.allclose(*histories, rtol=1e-5)
        assert " ".join(capsys.readouterr().out.split()).count(words) == 1


# ---- what is refused ----


def test_outputs_that_do_not_fit_into_one_array(sequences):
    tokens = Input((None,), dtype="int32")
    model = Model(tokens, Vectors()(tokens))
    with pytest.raises(ShapeError, match=r"outputs of two batches have the shapes .*length=128"):
        model.predict(TokenStream(sequences), 8, verbose=0)
    x = TokenStream(sequences, length=20)
    assert model.predict(x, 8, verbose=0).shape == (COUNT, 20, 3)


def test_streams_that_do_not_fit_the_model(sequences):
    x = TokenStream(sequences)
    with pytest.raises(ShapeError, match=r"expected an input 'tokens' of shape \(N, 12\), found \(45, None\)"):
        network(length=12).fit([x, x.mask], LABELS, verbose=0)
    with pytest.raises(DataError, match="y 3 labels"):
        network().fit([x, x.mask], LABELS[:3], verbose=0)
    with pytest.raises(ArgumentError, match="validation_split"):
        network().fit([x, x.mask], LABELS, verbose=0, validation_split=0.2)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (([],), "no sequences"),
        (([[1], ["a"]],), r"sequences\[1\]"),
        (([[1]], 0), "length"),
        (([[1]], None, 0.5), "pad"),
        (([[1]], None, 0, 0), "shortest"),
        (([[1]], None, 0, 1, 0), "bucket"),
    ],
)
def test_wrong_arguments(arguments, match):
    with pytest.raises((ArgumentError, DataError), match=match):
        TokenStream(*arguments)


def test_tokens_in_the_place_of_the_mask_are_refused():
    tokens, mask = Input((None,), dtype="int32"), Input((None,), dtype="bool")
    model = Model([tokens, mask], Dense(2)(MaskedSum()([Vectors()(tokens), mask])))
    x = TokenStream([[3, 4], [5]])
    for swapped in [x.mask, x], [x.mask.read([0, 1]), x.read([0, 1])]:
        with pytest.raises(DataError, match="takes a mask: booleans, or 0 and 1. Are the inputs in another order"):
            model.predict(swapped, verbose=0)
    as_numbers = [x.read([0, 1]), x.mask.read([0, 1]).astype(np.int64)]
    np.testing.assert_allclose(model.predict(as_numbers, verbose=0), model.predict([x, x.mask], verbose=0), rtol=1e-6)

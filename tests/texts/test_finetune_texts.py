"""Texts: from labelled texts to a measured model, its predictions, the words that decided, advice and search.

The bases are GloVe's bundled vectors, and in place of MiniLM a BERT of two narrow layers with random weights.
"""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest

from minitl import cli, interruption, utils
from minitl.applications import BERT
from minitl.data.text import WordPiece
from minitl.errors import ArgumentError, DataError
from minitl.layers import Dense, Embedding, GlobalAveragePooling1D, Input, MultiHeadAttention, PaddingMask
from minitl.models import Model, load_model
from minitl.recipes import (
    SettingError,
    TextSettings,
    advise_texts,
    classify_texts,
    evaluate_texts,
    finetune_texts,
    search_texts,
)
from minitl.recipes.epoch_lines import EpochLines
from minitl.recipes.tasks import task_of
from minitl.recipes.texts import TextClassifier, advice, bases, settings
from minitl.recipes.texts.advice import few_shot
from minitl.recipes.texts.prediction import texts_in
from minitl.recipes.texts.source import StateRows, TextSource
from minitl.recipes.texts.unlabelled import passages
from minitl.recipes.texts.words import WordContributions, attention_of

GOOD = "wonderful great lovely brilliant fine beautiful funny superb".split()
BAD = "terrible awful boring dull stupid bad poor ugly".split()
OTHER = "the a film story with and of this was its actors music scene".split()
ONE_HEAD = {"head": "unit", "learning_rate": 0.01, "label_smoothing": 0.0, "epochs": 5}  # nothing is chosen


def sentences(count, seed=0):
    """Return (text, label) of `count` sentences of two classes in turn, which differ in two of their words."""
    rng, made = np.random.default_rng(seed), []
    for number in range(count):
        words = list(rng.choice(OTHER, rng.integers(4, 12)))
        for word in rng.choice(BAD if number % 2 else GOOD, 2):
            words.insert(rng.integers(len(words)), word)
        made.append((" ".join(words), "against" if number % 2 else "for"))
    return made


def write_table(path, rows, columns=("text", "label")):
    """Write rows as CSV, and return the path."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


@pytest.fixture
def reviews(tmp_path):
    """Write eighty sentences as a table, and return its path."""
    return write_table(tmp_path / "reviews.csv", sentences(80))


def narrow():
    """Return a `bases.Base`: a BERT of two layers with random weights that are always the same."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *OTHER, *GOOD, *BAD, "##s"]
    utils.set_random_seed(5)
    encoder = BERT(
        weights=None, pooling=None, layers=2, width=16, heads=2, hidden=32, vocabulary=len(vocabulary), positions=32
    )
    tokens = Input((None,), dtype="int32", name="tokens")
    mask = PaddingMask(name="mask")(tokens)
    model = Model(tokens, encoder({"tokens": tokens, "mask": mask}), name="minilm")
    layers = {"embeddings": "embeddings_norm", "layer_0": "layer_0_output_norm", "layer_1": "layer_1_output_norm"}
    ends = {end: model.output_of(layer) for end, layer in layers.items()}
    return bases.Base(model, WordPiece(vocabulary), ends, mask)


@pytest.fixture
def minilm(monkeypatch):
    """Let the base "minilm" be the narrow one."""
    kind = settings.BASES["minilm"]._replace(ends=("embeddings", "layer_0", "layer_1"), length=16, most=32)
    monkeypatch.setitem(settings.BASES, "minilm", kind)
    monkeypatch.setattr(bases, "build", lambda name: narrow() if name == "minilm" else bases._glove())


def longest_line(text, *without):
    """Return the length of the longest line that names none of the paths."""
    return max(len(line) for line in text.splitlines() if not any(str(path) in line for path in without))


# ---- the whole job ----


def test_it_learns_and_the_saved_model_is_the_same(reviews, tmp_path, capsys):
    model, results = tmp_path / "m.h5", tmp_path / "r.json"
    assert cli.main(["finetune", str(reviews), "--save", str(model), "--json", str(results), "--epochs", "20"]) == 0
    text, found = capsys.readouterr().out, json.loads(results.read_text())
    assert longest_line(text, tmp_path) <= 80
    assert found["task"] == "texts" and found["class_names"] == ["against", "for"]
    assert found["training_texts"] == 64 and "training_pictures" not in found
    assert found["accuracy"] > 0.8 and found["texts"] == sum(map(sum, found["confusion"]))
    assert found["options"]["base"] == "glove" and found["options"]["length"] == 512
    assert found["head"]["rows"] in ("unit", "plain") and "Which head?" in text
    assert "glove_6b_50d_20000.h5" in text and "new here, trained since" in text
    held = tmp_path / "held.csv"
    job = finetune_texts(reviews, verbose=0, epochs=20)
    write_table(held, [(each.text, job.folder.class_names[each.label]) for each in job.folder.val])
    other = tmp_path / "e.json"
    assert cli.main(["evaluate", str(model), str(held), "--json", str(other)]) == 0
    measured = json.loads(other.read_text())
    assert measured["accuracy"] == found["accuracy"] == job.evaluation.accuracy
    assert measured["confusion"] == found["confusion"] and longest_line(capsys.readouterr().out) <= 80
    probabilities = TextClassifier(model).probabilities(TextClassifier(model).source(["a wonderful film"]))
    np.testing.assert_allclose(
        probabilities, TextClassifier(job.model).probabilities(TextClassifier(job.model).source(["a wonderful film"])),
        atol=1e-6,
    )  # fmt: skip


def test_copies_of_a_text_are_left_out_together(tmp_path):
    """Each sentence twice, with random labels: a head that has seen the copy would be right more often than not."""
    rng = np.random.default_rng(1)
    rows = [(f"{text} {number}", rng.choice(["a", "b"])) for number, (text, _) in enumerate(sentences(60))]
    path = write_table(tmp_path / "twice.csv", rows + rows)
    result = finetune_texts(path, verbose=0, epochs=3)
    assert result.choice.trials[0].accuracy < 0.75


def test_both_stages_of_an_encoder(reviews, minilm, tmp_path):
    options = {"base": "minilm", "cut": "layer_1", "unfreeze": "layer_1", "tune_epochs": 2, "tune_rate": 0.01}
    before = {layer.name: layer.get_weights() for layer in narrow().model.layers}
    result = finetune_texts(reviews, verbose=0, **ONE_HEAD, **options)
    assert set(result.history) == {"head", "blocks"} and len(result.history["blocks"]["val_accuracy"]) == 2
    for layer in result.model.layers:
        if layer.name in before and layer.weight_names:
            same = all(np.array_equal(a, b) for a, b in zip(before[layer.name], layer.get_weights()))
            assert same == (not layer.name.startswith("layer_1")), layer.name
    path = tmp_path / "m.h5"
    result.model.save(path)
    evaluation, _ = evaluate_texts(path, write_table(tmp_path / "v.csv", rows_of(result)), verbose=0)
    np.testing.assert_allclose(evaluation.probabilities, result.evaluation.probabilities, atol=1e-3)  # kept in half
    assert [layer.name for layer in load_model(path).layers] == [layer.name for layer in result.model.layers]


def rows_of(result):
    """Return the held-back texts of a result as rows of a table."""
    return [(each.text, result.folder.class_names[each.label]) for each in result.folder.val]


def test_a_second_stage_learns_what_training_the_whole_model_learns(reviews, minilm, monkeypatch):
    """The states before the unfrozen layer are kept; with no room for them, the whole model runs in each epoch."""
    options = {"base": "minilm", "unfreeze": "layer_1", "tune_epochs": 2, "tune_rate": 0.003}
    kept = finetune_texts(reviews, verbose=0, **ONE_HEAD, **options)
    monkeypatch.setattr("minitl.recipes.texts.stages.MOST_KEPT_BYTES", 0)
    whole = finetune_texts(reviews, verbose=0, **ONE_HEAD, **options)
    assert kept.history["blocks"]["loss"] == pytest.approx(whole.history["blocks"]["loss"], abs=2e-3)  # half precision
    np.testing.assert_allclose(kept.evaluation.probabilities, whole.evaluation.probabilities, atol=5e-3)


def test_the_whole_base_can_learn(reviews, minilm):
    result = finetune_texts(reviews, verbose=0, **ONE_HEAD, base="minilm", unfreeze="embeddings", tune_epochs=1)
    names = {layer.name for layer in result.model.layers if layer.trainable and layer.weight_names}
    assert "word_embeddings" in names and "predictions" in names and "features" not in names


@pytest.mark.slow
def test_an_lstm_reads_the_words(reviews, capsys):
    """The vectors stay as they are in the first stage, and learn in the second; without one, they stay."""
    result = finetune_texts(reviews, base="lstm", epochs=3, tune_epochs=2)
    assert result.accuracy["ridge"] is None and result.history["blocks"]["loss"][-1] < result.history["head"]["loss"][0]
    assert result.as_data()["head"] is None
    assert "Bidirectional" in {type(layer).__name__ for layer in result.model.layers}
    published = bases._glove().model.get_layer("embeddings").embeddings
    assert not np.array_equal(result.model.get_layer("embeddings").embeddings, published)
    frozen = finetune_texts(reviews, base="lstm", epochs=1, unfreeze="none", verbose=0)
    assert np.array_equal(frozen.model.get_layer("embeddings").embeddings, published)
    assert longest_line(capsys.readouterr().out) <= 80


def test_features_are_kept_and_another_cut_computes_nothing(reviews, minilm, capsys):
    finetune_texts(reviews, **ONE_HEAD, base="minilm")
    assert "64 texts went through the base, 0 were kept" in capsys.readouterr().out
    finetune_texts(reviews, **ONE_HEAD, base="minilm", cut="layer_0")
    assert "0 texts went through the base, 64 were kept" in capsys.readouterr().out


def test_stopped_and_resumed_it_gives_the_same_bits(reviews, minilm, monkeypatch, capsys):
    options = {**ONE_HEAD, "base": "minilm", "unfreeze": "layer_1", "tune_epochs": 3}
    unbroken = finetune_texts(reviews, verbose=0, **options)
    ordinary, calls = EpochLines.on_epoch_end, []

    def stop_in_the_second_stage(self, epoch, logs=None):
        calls.append(epoch)
        if len(calls) == 7:
            interruption._requested = 2  # as the handler of SIGINT does
        ordinary(self, epoch, logs)

    monkeypatch.setattr(EpochLines, "on_epoch_end", stop_in_the_second_stage)
    with pytest.raises(interruption.Interrupted):
        finetune_texts(reviews, verbose=0, **options)
    monkeypatch.setattr(EpochLines, "on_epoch_end", ordinary)
    resumed = finetune_texts(reviews, verbose=0, resume=True, **options)
    for a, b in zip(unbroken.model.layers, resumed.model.layers):
        assert all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights())), a.name
    assert resumed.history == unbroken.history


def test_what_is_cut_off_is_counted_and_said(tmp_path, capsys):
    rows = [*sentences(40), ("wonderful " * 50, "for"), ("dull " * 50, "against")]
    path = write_table(tmp_path / "long.csv", rows)
    finetune_texts(path, **ONE_HEAD, length=20, save=tmp_path / "m.h5")
    text = " ".join(capsys.readouterr().out.split())
    assert "2 texts of 42 are longer than 20 tokens: their ends are not read, 60 tokens in all." in text
    (found,) = classify_texts(tmp_path / "m.h5", ["dull " * 30], verbose=0)
    assert found["cut_off"] == 10
    assert cli.main(["predict", str(tmp_path / "m.h5"), "dull " * 30]) == 0
    assert "1 text had more than 20 tokens: the ends were not read." in capsys.readouterr().out


def test_words_without_a_vector_are_counted(tmp_path, capsys):
    rows = [(f"{text} qqzx{number}", label) for number, (text, label) in enumerate(sentences(40))]
    result = finetune_texts(write_table(tmp_path / "t.csv", rows), **ONE_HEAD)
    words = sum(len(text.split()) for text, _ in rows)
    assert f"{40 / words:.1%} of the words are not in the vocabulary" in capsys.readouterr().out
    assert result.model.metadata["tokenizer"]["kind"] == "WordVocabulary"


def test_a_test_part_is_measured_once(tmp_path):
    for name, seed in ("train", 0), ("val", 1), ("test", 2):
        write_table(tmp_path / f"{name}.csv", sentences(40, seed))
    result = finetune_texts(tmp_path, verbose=0, **ONE_HEAD)
    assert len(result.evaluation.labels) == len(result.test.labels) == 40
    evaluation, _ = evaluate_texts(result.model, tmp_path, verbose=0)
    assert np.array_equal(evaluation.confusion, result.test.confusion)
    assert result.as_data()["test"]["accuracy"] == result.test.accuracy


def test_rare_classes_and_more_than_two(tmp_path):
    rows = [(f"{word} {other}", kind) for kind, words in (("g", GOOD), ("b", BAD), ("o", OTHER[:8]))
            for word in words for other in OTHER[:6]]  # fmt: skip
    result = finetune_texts(write_table(tmp_path / "t.csv", rows), verbose=0, epochs=10, class_weights=True)
    assert result.evaluation.confusion.shape == (3, 3) and result.as_data()["top_3"] is None
    assert len(result.evaluation.as_data()["mistakes"][0]) == 5 if result.evaluation.mistakes() else True


# ---- settings, and what a path holds ----


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base": "word2vec"}, "expected one of glove, lstm, minilm"),
        ({"cut": "layer_1"}, "expected the end of a layer of glove: embeddings"),
        ({"base": "minilm", "cut": "layer_9"}, "embeddings, layer_0, layer_1"),
        ({"base": "minilm", "cut": "layer_2", "unfreeze": "layer_4"}, "up to layer_2"),
        ({"base": "minilm", "length": 513}, "takes 512 tokens at most"),
        ({"length": 2}, "at least 3"),
        ({"tune_epochs": 0, "unfreeze": "embeddings"}, "asks for a second stage"),
        ({"unfreeze": "none", "tune_rate": 0.1}, "acts in the second stage"),
        ({"head_factor": 2.0}, "acts in the second stage"),
        ({"base": "lstm", "start": "ridge"}, "reads them word by word"),
        ({"validation": 1.5}, "share to hold back"),
        ({"text": 3}, "expected a text"),
        ({"label_smoothing": 1}, "from 0 to below 1"),
        ({"warm_up": 99}, "number of epochs"),
        ({"layers": 3}, "TextSettings has no layers"),
    ],
)
def test_wrong_settings_are_refused_before_any_work(reviews, changes, words):
    with pytest.raises(ArgumentError, match=words):
        finetune_texts(reviews, verbose=0, **changes)


def test_defaults_depend_on_the_base():
    lstm, minilm = TextSettings(base="lstm").settled(), TextSettings(base="minilm", tune_epochs=3).settled()
    assert (lstm.learning_rate, lstm.unfreeze, lstm.epochs) == (settings.LSTM_RATE, "embeddings", 1)
    assert (minilm.unfreeze, minilm.cut, minilm.tune_rate) == ("layer_5", "layer_5", 0.00005)
    assert minilm.learning_rate is None and TextSettings(base="minilm", cut="layer_3").settled().length == 128


@pytest.mark.parametrize(
    ("files", "task"),
    [
        (["pos/1.txt", "neg/1.txt"], "texts"),
        (["train/pos/1.txt", "train/neg/1.txt", "README"], "texts"),
        (["train.csv", "test.csv"], "texts"),
        (["stsa.binary.train", "stsa.binary.dev"], "texts"),
        (["ants/1.jpg", "bees/1.jpg"], "images"),
        (["ants/1.jpg", "ants/1.txt", "bees/1.jpg"], "images"),  # captions
        (["images/1.jpg", "labels/1.txt", "classes.txt"], "detect"),
        (["images/1.jpg", "masks/1.png", "classes.txt"], "segment"),
        ([], "images"),
    ],
)
def test_what_a_folder_is_meant_for(tmp_path, files, task):
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("0 0.5 0.5 0.1 0.1")
    assert task_of(tmp_path) == task
    assert task_of(tmp_path / "not there.csv") == "texts" and task_of(tmp_path / "not there") == "images"


def test_a_file_that_is_not_there_is_named(tmp_path, capsys):
    assert cli.main(["finetune", str(tmp_path / "nowhere.csv")]) == 1
    assert "nowhere.csv" in capsys.readouterr().err


def test_a_command_names_options_where_a_program_names_settings(tmp_path, model, capsys):
    path = write_table(tmp_path / "t.csv", sentences(20), ("review", "stars"))
    with pytest.raises(DataError, match="Give text='review'"):
        finetune_texts(path, verbose=0)
    for command in (["finetune", str(path)], ["evaluate", str(model), str(path)]):
        assert cli.main(command) == 1 and "Give --text 'review'" in capsys.readouterr().err
    assert cli.main(["search", str(path), "film"]) == 1 and "Give --text 'review'" in capsys.readouterr().err
    named = ["--text", "review", "--label", "stars"]
    assert cli.main(["evaluate", str(model), str(path), *named]) == 0
    assert cli.main(["predict", str(model), str(path), "--text", "review"]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 20
    finetune_texts(path, verbose=0, **ONE_HEAD, text="review", label="stars", save=tmp_path / "own.h5")
    assert len(classify_texts(tmp_path / "own.h5", [path], verbose=0)) == 20  # the model knows its columns


def test_options_of_other_tasks_are_refused(reviews, capsys):
    for option in (["--mirror"], ["--network", "unet"], ["--image-size", "64"], ["--no-scratch"]):
        assert cli.main(["finetune", str(reviews), *option]) == 1
        assert option[0] in capsys.readouterr().err
    assert cli.main(["advise", str(reviews), "--memory", "3"]) == 1
    assert "--memory goes with photographs" in capsys.readouterr().err
    assert cli.main(["finetune", "--length", "30"]) == 1 and "--length" in capsys.readouterr().err


# ---- predictions ----


@pytest.fixture
def model(reviews, tmp_path):
    """Return the file of a model that was trained on the sentences."""
    finetune_texts(reviews, verbose=0, **ONE_HEAD, save=tmp_path / "m.h5")
    return tmp_path / "m.h5"


def test_texts_and_files_are_predicted(model, tmp_path, capsys):
    write_table(tmp_path / "new.csv", [("a wonderful, funny film", "x"), ("dull and stupid", "y")])
    (tmp_path / "one.txt").write_text("terrible and boring")
    (tmp_path / "bad.csv").write_text("review\nfine\n")
    texts = ["a lovely story", str(tmp_path / "new.csv"), str(tmp_path / "one.txt")]
    found = classify_texts(model, texts, verbose=0)
    assert [each["predictions"][0]["class"] for each in found] == ["for", "for", "against", "against"]
    assert [each["file"] for each in found] == ["text 1", f"{texts[1]}:2", f"{texts[1]}:3", texts[2]]
    result, table = tmp_path / "p.json", tmp_path / "p.csv"
    options = ["--json", str(result), "--csv", str(table), "--top", "2"]
    assert cli.main(["predict", str(model), *texts, str(tmp_path / "bad.csv"), *options]) == 1
    text = capsys.readouterr()
    assert "has no column 'text'" in text.err and "Give --text 'review'" in text.err and longest_line(text.out) <= 80
    assert [each["file"] for each in json.loads(result.read_text())][:4] == [each["file"] for each in found]
    rows = list(csv.reader(table.read_text(encoding="utf-8").splitlines()))
    assert rows[0][:4] == ["file", "text", "class_1", "probability_1"] and rows[1][1] == "a lovely story"
    assert rows[-1][-1] and len(rows) == 6
    for missing in ("not_there.txt", "folder/not_there"):
        with pytest.raises(DataError, match="is not there"):
            texts_in([missing])
    assert texts_in(["fine/dandy film"])[0][1] == "fine/dandy film"
    with pytest.raises(DataError, match="text 1: the text is empty"):
        classify_texts(model, [""], verbose=0)
    with pytest.raises(ArgumentError, match="no texts to predict"):
        classify_texts(model, [])


def test_a_prediction_does_not_depend_on_the_other_texts(model):
    texts = [text for text, _ in sentences(9, seed=4)]
    together = classify_texts(model, texts, verbose=0, top=2)
    for text, found in zip(texts, together):
        (alone,) = classify_texts(model, [text], verbose=0, top=2)
        assert alone["predictions"][0]["probability"] == pytest.approx(found["predictions"][0]["probability"], abs=1e-5)


def test_another_vocabulary_is_refused(model, tmp_path):
    """A word less, or another word, in the vocabulary beside the weights."""
    loaded = load_model(model)
    data = loaded.metadata["tokenizer"]
    loaded.metadata["tokenizer"] = {**data, "tokens": ["another", *data["tokens"][1:]]}
    loaded.save(tmp_path / "changed.h5")
    with pytest.raises(DataError, match="was changed"):
        classify_texts(tmp_path / "changed.h5", ["fine"], verbose=0)
    shorter = WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "fine"])
    loaded.metadata["tokenizer"] = shorter.as_data()
    loaded.save(tmp_path / "shorter.h5")
    with pytest.raises(ArgumentError, match="do not belong together"):
        classify_texts(tmp_path / "shorter.h5", ["fine"], verbose=0)
    loaded.metadata = {"task": "texts"}
    loaded.save(tmp_path / "nothing.h5")
    with pytest.raises(ArgumentError, match="do not name"):
        classify_texts(tmp_path / "nothing.h5", ["fine"], verbose=0)


def test_a_class_that_the_model_does_not_have_is_refused(model, tmp_path):
    with pytest.raises(DataError, match="'neutral'"):
        evaluate_texts(model, write_table(tmp_path / "n.csv", [("fine", "for"), ("so so", "neutral")]), verbose=0)


# ---- the words that decided ----


def test_contributions_add_up_to_the_score(reviews):
    """The score is linear in the vectors, with rows as they are: it is that of no words plus all contributions."""
    result = finetune_texts(reviews, verbose=0, **{**ONE_HEAD, "head": "plain"})
    classifier = TextClassifier(result.model)
    text = "a wonderful but boring film"
    source = classifier.source([text, "dull music"])
    contributions = WordContributions(classifier).of(source, np.array([0, 1]), np.array([1, 1]))
    logits = np.log(classifier.probabilities(source))
    normalization = result.model.get_layer("features")
    zero = normalization.forward(np.zeros((1, 50), np.float32)) @ result.model.get_layer("predictions").kernel
    zero = zero + result.model.get_layer("predictions").bias
    centred, of_nothing = logits - logits.mean(axis=1, keepdims=True), zero - zero.mean()
    np.testing.assert_allclose(contributions.sum(axis=1), centred[:, 1] - of_nothing[0, 1], atol=1e-3)
    words = WordContributions(classifier).words(text, contributions[0])
    values = dict(words)
    assert values["wonderful"] > 0 > values["boring"]
    assert "".join(word for word, _ in words) == text


def test_pieces_of_a_word_are_added_up_and_what_is_cut_off_is_none(minilm, reviews):
    result = finetune_texts(reviews, verbose=0, **ONE_HEAD, base="minilm", length=6)
    classifier = TextClassifier(result.model)
    text = "Films of bads,  and more than fits"
    encoded = classifier.tokenizer.encode(text, 6, warn=False)
    words = WordContributions(classifier).words(text, np.arange(len(encoded), dtype=float))
    assert encoded.tokens == ["[CLS]", "film", "##s", "of", "bad", "[SEP]"]
    assert words[:3] == [("Films", 3.0), (" ", 0.0), ("of", 3.0)]
    assert "".join(word for word, _ in words) == text and words[-1][1] is None


def test_attention_leaves_out_padding(minilm):
    base = narrow()
    source = TextSource(["the film", "a funny film of its music"], base.tokenizer, 16)
    tokens = source.read(slice(None))
    found = attention_of(base.model, tokens)
    assert [layer for layer, _ in found] == ["layer_0_attention", "layer_1_attention"]
    for _, weights in found:
        assert weights.shape == (2, 2, 8, 8)
        np.testing.assert_allclose(weights[1].sum(axis=-1), 1, atol=1e-5)
        np.testing.assert_allclose(weights[0, :, :4, 4:], 0, atol=1e-7)


def without_a_mask(*layers):
    """Return a model of an `Embedding`, these layers and a head, in which nothing says what is padding."""
    tokens = Input((None,), dtype="int32")
    x = Embedding(9, 8, "normal", name="vectors")(tokens)
    for layer in layers:
        x = layer(x, x) if isinstance(layer, MultiHeadAttention) else layer(x)
    return Model(tokens, Dense(2, activation="softmax", name="predictions")(GlobalAveragePooling1D()(x)))


@pytest.mark.parametrize("layers", [1, 2])
def test_attention_of_a_single_layer_is_found(layers):
    """The weights are softmax(q k / sqrt(D)), also where one tensor is all that the attention takes."""
    model, tokens = without_a_mask(*(MultiHeadAttention(2, 4) for _ in range(layers))), np.array([[3, 1, 4, 1]])
    found = attention_of(model, tokens)
    assert len(found) == layers
    layer, x = model.layers[2], model.get_layer("vectors").embeddings[tokens[0]]
    query, key = (
        np.einsum("td,dkf->ktf", x, getattr(layer, f"{name}_kernel")) + getattr(layer, f"{name}_bias")[:, None]
        for name in ("query", "key")
    )
    powers = np.exp(query @ key.swapaxes(1, 2) / 2)
    np.testing.assert_allclose(found[0][1][0], powers / powers.sum(axis=-1, keepdims=True), atol=1e-6)


def test_contributions_need_no_mask():
    """The score is linear without attention: the contributions of tokens are their vectors times the kernel, / T."""
    model, tokens = without_a_mask(), np.array([[3, 1, 4, 1], [5, 2, 6, 5]])
    source = SimpleNamespace(read=lambda positions: tokens[positions])
    contributions = WordContributions(SimpleNamespace(model=model, tokenizer=None, length=4))
    kernel = model.get_layer("predictions").kernel
    towards = (kernel - kernel.mean(axis=1, keepdims=True))[:, [1, 0]].T  # the class 1 for the first text, then 0
    expected = np.einsum("ntd,nd->nt", model.get_layer("vectors").embeddings[tokens], towards) / 4
    np.testing.assert_allclose(contributions.of(source, np.arange(2), np.array([1, 0])), expected, atol=1e-6)


# ---- what is kept ----


def test_states_are_those_of_the_graph(minilm):
    base = narrow()
    source = TextSource([text for text, _ in sentences(7)], base.tokenizer, 16)
    graph = Model(base.model.input, base.ends["layer_0"])
    rows = StateRows(graph, source, 3, None)
    positions = np.array([5, 0, 2])
    expected = graph.forward(source.read(positions), gradients="none")
    found, mask = rows.read(positions), source.mask.read(positions)
    np.testing.assert_allclose(found[mask], expected[mask], atol=2e-3)  # half precision
    assert found.dtype == np.float32 and not found[~mask].any()
    assert StateRows.bytes_for(graph, source) == rows.states.nbytes
    assert np.array_equal(rows.order_for(2), source.order_for(2))


# ---- the report ----


@pytest.mark.parametrize("base", ["glove", "minilm"])
def test_the_report_is_one_page(reviews, minilm, tmp_path, base):
    stage = {"unfreeze": "layer_1", "tune_epochs": 1} if base == "minilm" else {}
    finetune_texts(reviews, verbose=0, **ONE_HEAD, **stage, base=base, report=tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    for title in ("The data", "Six steps", "How it learned", "What it confuses", "The words that decided"):
        assert f">{title}</h2>" in page
    assert (">Where it looks</h2>" in page) == (base == "minilm")
    assert 'class="for"' in page and "http" not in page.replace("http-equiv", "") and "image" not in visible(page)


def visible(page):
    """Return the text of a page without its head."""
    return page[page.index("<body>") :].replace('role="img"', "")


# ---- advice ----


def test_advice_on_an_encoder(reviews, minilm, tmp_path, capsys):
    results = tmp_path / "a.json"
    assert cli.main(["advise", str(reviews), "--base", "minilm", "--json", str(results)]) == 0
    text, found = capsys.readouterr().out, json.loads(results.read_text())
    assert {cut["name"] for cut in found["cuts"]} == {"embeddings", "layer_0", "layer_1"}
    assert longest_line(text, tmp_path) <= 80 and "How many texts are enough?" in text
    assert set(found["few_shot"]) == {"10"} and 0.3 < found["few_shot"]["10"][0] <= 1
    assert found["command"].startswith(f"minitl finetune {reviews}") and "--base minilm" in found["command"]
    assert found["seconds_a_text"]["layer_1"] > 0 and found["texts"] < 80
    with pytest.raises(SettingError, match="nothing to advise on"):
        advise_texts(reviews, base="lstm", verbose=0)
    with pytest.raises(SettingError, match="does not go with advise_texts"):
        advise_texts(reviews, cut="embeddings", verbose=0)


@pytest.mark.parametrize("seconds, cut, fits", [(None, None, True), (250, None, True), (100, "embeddings", True),
                                                (50, "embeddings", False)])  # fmt: skip
def test_advice_within_a_time(reviews, minilm, monkeypatch, capsys, tmp_path, seconds, cut, fits):
    """Eighty texts take 80 s up to the first end, 160 s to the second, 240 s to the third; the heads take no time."""
    per_text = {"embeddings": 1.0, "layer_0": 2.0, "layer_1": 3.0}
    monkeypatch.setattr(advice, "seconds_of_ends", lambda job, source: per_text)
    monkeypatch.setattr(advice.TextAdvice, "_head_epoch", lambda self, features, settings: 0.0)
    limit = [] if seconds is None else ["--within", str(seconds / 60)]
    arguments = ["advise", str(reviews), "--base", "minilm", "--json", str(tmp_path / "a.json"), *limit]
    assert cli.main(arguments) == 0
    found, text = json.loads((tmp_path / "a.json").read_text()), capsys.readouterr().out
    assert found["fits"] == fits
    assert found["advised"] == cut or (cut is None and found["advised"] in found["cannot_be_told_apart"])
    assert ("no plan fits into 0.833333 minutes. The fastest is a head on" in " ".join(text.split())) == (not fits)
    assert ("--cut embeddings" in found["command"]) == (found["advised"] == "embeddings")
    with pytest.raises(SettingError, match="within is 0"):
        advise_texts(reviews, base="minilm", within=0, verbose=0)


def test_few_shot_learns_from_so_many_and_measures_on_the_others():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 120)
    features = rng.normal(size=(240, 5)).astype(np.float32)
    features[:, 0] += 2 * labels
    found = few_shot(features, labels, 2, seed=0)
    assert list(found) == [10, 50]  # 200 of each class are not there
    assert 0.7 < found[10][0] < found[50][0] < 0.95 and found[10][1] <= found[10][0] <= found[10][2]


# ---- search ----


def test_rows_that_cannot_be_read_stop_no_others(model, tmp_path, capsys):
    rows = ['{"text": "a lovely film"}', "{bad", "[1]", '{"text": " "}', '{"text": 3}', '{"text": "qqzx zzxq"}']
    path, table = tmp_path / "t.jsonl", tmp_path / "p.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    assert cli.main(["predict", str(model), str(path), "--csv", str(table)]) == 1
    text = capsys.readouterr()
    for line in 2, 3, 4, 5:
        assert f"t.jsonl:{line}: " in text.err
    assert "4 of 6 texts could not be read" in " ".join(text.err.split())
    assert "1 text has no word that the model knows" in " ".join(text.out.split())
    cells = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert [each["unknown"] for each in cells] == ["False", "", "", "", "", "True"]


def test_a_class_with_one_text_gets_advice_that_the_command_takes(tmp_path, capsys):
    path = write_table(tmp_path / "t.csv", [("a fine film", "for"), ("a dull film", "against")])
    assert cli.main(["finetune", str(path)]) == 1
    assert "Add some." in (text := capsys.readouterr().err) and "val_share" not in text


def test_search_finds_what_is_meant(tmp_path, capsys):
    texts = ["the dog sleeps on the sofa", "shares and bonds lost value", "a cat and a puppy play"]
    texts.append(texts[1])  # a copy is named once
    (tmp_path / "notes.txt").write_text("\n".join([texts[0], "", *texts[1:]]), encoding="utf-8")
    found = search_texts(tmp_path / "notes.txt", "the stock market fell", top=3, verbose=0)
    assert found[0]["text"] == texts[1] and found[0]["source"] == "notes.txt:3"
    assert len(found) == 3 and found[0]["score"] > found[1]["score"] >= found[2]["score"]
    (itself, *_) = search_texts(tmp_path / "notes.txt", texts[2], verbose=0)
    assert itself["text"] == texts[2] and itself["score"] == pytest.approx(1, abs=1e-5)
    results = tmp_path / "s.json"
    assert cli.main(["search", str(tmp_path), "pets at home", "--top", "2", "--json", str(results)]) == 0
    text = capsys.readouterr().out
    assert {each["text"] for each in json.loads(results.read_text())} == {texts[0], texts[2]}
    assert longest_line(text, tmp_path) <= 80 and "minitl weights get minilm" in text
    with pytest.raises(ArgumentError, match="what is searched for"):
        search_texts(tmp_path, " ", verbose=0)


def test_a_quote_in_a_tsv_file_swallows_no_rows(tmp_path):
    (tmp_path / "t.tsv").write_text('text\tlabel\n"hello\t1\nfine film\t0\nend"\t1\n', encoding="utf-8")
    assert [text for _, text in passages(tmp_path / "t.tsv")] == ['"hello', "fine film", 'end"']


def test_a_query_is_checked_before_any_work(tmp_path):
    for query, top in (" ", 5), ("film", 0):
        with pytest.raises(ArgumentError):
            search_texts(tmp_path / "not_there.csv", query, top=top, verbose=0)


def test_passages_of_every_form(tmp_path):
    write_table(tmp_path / "a.csv", [("one, two", 1), ("three", 2)], ("review", "stars"))
    (tmp_path / "b.jsonl").write_text('{"review": "four"}\n\n{"review": "five"}\n', encoding="utf-8")
    (tmp_path / "c.txt").write_text("six\n\nseven\n", encoding="utf-8")
    (tmp_path / "d.train").write_text("1 eight\n0 nine\n1 ten\n0 eleven\n", encoding="utf-8")
    found = passages(tmp_path, "review")
    assert [text for _, text in found] == "one, two|three|four|five|six|seven|eight|nine|ten|eleven".split("|")
    assert [source for source, _ in found][:6] == ["a.csv:2", "a.csv:3", "b.jsonl:1", "b.jsonl:3", "c.txt:1", "c.txt:3"]
    for name, content, words in (
        ("x.csv", "text,text\na,b\n", "2 columns 'text'"),
        ("x.jsonl", "{}\n", "x.jsonl:1: has no text 'text'"),
        ("x.tsv", "text\tlabel\na\n", "x.tsv:2: has 1 column;"),
        ("x.csv", "text,label\n", "holds no text"),
        ("x.csv", 'text\n"never closed\nfine\n', "x.csv:2: a double quote is opened and never closed"),
    ):
        (tmp_path / name).write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=words):
            passages(tmp_path / name)
    with pytest.raises(DataError, match="is not there"):
        passages(tmp_path / "nowhere")

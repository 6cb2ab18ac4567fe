"""A small language model: it writes the published story word for word, what it keeps changes nothing, and it is trained
on a text, stopped, resumed, saved and loaded."""

import json
import re

import numpy as np
import pytest
from conftest import shared

from minitl import interruption
from minitl.applications import Decoder
from minitl.applications.decoder import decoder_of_file
from minitl.cli import main
from minitl.data.text import CharacterVocabulary
from minitl.errors import ArgumentError, CheckpointError, DataError, WeightsError
from minitl.models import load_model
from minitl.recipes import LanguageSettings, train_language_model
from minitl.recipes.language import Reader, load, write, write_each
from minitl.recipes.language.reading import first_kept, scores_anew
from minitl.recipes.language.writing import chosen
from minitl.training.recovery.backup import BackupAndRestore

STORY_TOKENS = 256  # the published text is what llama2.c writes with its default of 256 steps
SMALL = {"width": 16, "layers": 2, "heads": 4, "key_value_heads": 2, "length": 16, "epochs": 3, "batch_size": 8}


@pytest.fixture(scope="module")
def stories():
    """Return the path of the published model of 260,032 parameters."""
    return shared("data/stories260k/stories260K.bin", "the model stories260K")


@pytest.fixture
def small(rng):
    """Return an untrained decoder for 8 characters and its vocabulary. It is made for 12 tokens."""
    model = Decoder(8, width=16, layers=2, heads=4, key_value_heads=2, length=12)
    for layer in model.layers:
        for name in layer.weight_names:  # large enough that it does not write the same character again and again
            getattr(layer, name)[...] += 0.4 * rng.standard_normal(getattr(layer, name).shape)
    return model, CharacterVocabulary("abcdefg\n")


@pytest.fixture
def text(tmp_path):
    """Write a text that is easy to learn, and return its path."""
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat. " * 60, encoding="utf-8")
    return path


# ---- the published model ----


def test_it_writes_the_published_story_word_for_word(stories):
    model, tokenizer = load(stories)
    page = (stories.parent / "stories260K.md").read_text(encoding="utf-8")
    published = re.search(r"-t 0\.0\n(.*?)\n```", page, re.DOTALL)[1]
    assert len(published) == 565
    assert write(model, tokenizer, tokens=STORY_TOKENS).strip() == published


def test_a_prompt_is_gone_on_with_and_nothing_is_kept_from_the_text_before(stories):
    model, tokenizer = load(stories, stories.parent / "tok512.bin")
    first = write(model, tokenizer, "Tom had a dog", tokens=30)
    assert first.startswith("Tom had a dog") and len(first) > 50
    write(model, tokenizer, "Lily", tokens=5)
    assert write(model, tokenizer, "Tom had a dog", tokens=30) == first


def test_what_is_kept_gives_the_same_scores_and_the_same_text(stories):
    model, tokenizer = load(stories)
    reader, ids = Reader(model), [1]
    for _ in range(40):
        scores, anew = reader.scores(ids), scores_anew(model, ids)
        np.testing.assert_allclose(scores, anew, atol=1e-5 * np.abs(anew).max())
        assert scores.argmax() == anew.argmax()
        ids.append(int(scores.argmax()))


def test_the_ledger_names_the_file_and_the_array(stories):
    model = decoder_of_file(stories)
    assert model.count_params() == 260_032
    entries = {(entry.layer, entry.parameter): entry for entry in model.ledger}
    found = entries["block3_attention", "key_kernel"]
    assert found.state == "unchanged" and found.origin.file == "stories260K.bin" and found.origin.name == "wk[2]"
    assert "transposed" in found.origin.how or "axes" in found.origin.how
    assert {entry.state for entry in entries.values()} == {"unchanged"}


def test_weights_go_into_a_model_of_the_same_sizes_only(stories):
    model, expected = Decoder(512, 64, 5, 8, 4, 172, weights=stories), decoder_of_file(stories)
    assert np.array_equal(model.get_layer("block1_gate").kernel, expected.get_layer("block1_gate").kernel)
    with pytest.raises(WeightsError, match="holds a decoder of other sizes.*n_layers 5"):
        Decoder(512, 64, 4, 8, 4, 172, weights=stories)


def test_a_tokenizer_is_looked_for_beside_the_model(stories, tmp_path):
    copy = tmp_path / "stories260K.bin"
    copy.write_bytes(stories.read_bytes())
    with pytest.raises(DataError, match="no tokenizer beside it .tok512.bin or tokenizer.bin."):
        load(copy)
    (tmp_path / "tokenizer.bin").write_bytes((stories.parent / "tok512.bin").read_bytes())
    assert len(load(copy)[1]) == 512


def test_the_command_writes_the_story(stories, tmp_path, capsys):
    assert main(["write", str(stories), "--tokens", "20", "--json", str(tmp_path / "r.json")]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Once upon a time, there was a little girl") and printed.endswith("\n")
    assert json.loads((tmp_path / "r.json").read_text())["text"] == printed.removesuffix("\n")


# ---- reading and writing ----


def test_a_text_longer_than_the_model_was_made_for_is_read_from_a_later_place(small):
    """Half is forgotten as soon as it does not fit; the scores are those of a model that is shown the rest alone."""
    model, tokenizer = small
    assert [first_kept(count, 12) for count in (1, 12, 13, 18, 19, 24, 25)] == [0, 0, 6, 6, 12, 12, 18]
    assert [first_kept(count, 1) for count in (1, 2, 3)] == [0, 1, 2]
    reader, ids = Reader(model), [1]
    for _ in range(40):
        scores = reader.scores(ids)
        np.testing.assert_allclose(scores, scores_anew(model, ids), rtol=1e-4, atol=1e-5)
        ids.append(int(scores.argmax()))
    assert len(set(ids)) > 2
    assert tokenizer.decode(ids[1:]) == write(model, tokenizer, "b", tokens=40)[1:]


def test_each_token_is_read_once(small, monkeypatch):
    model, _ = small
    reader, read = Reader(model), []
    whole = Reader._read
    monkeypatch.setattr(Reader, "_read", lambda self, tokens: read.append(len(tokens)) or whole(self, tokens))
    ids = [1, 2, 3, 4, 5]
    for token in range(3):
        reader.scores(ids)
        ids = [*ids, token]
    assert read == [5, 1, 1]
    reader.scores([7, 7])  # another text
    assert read == [5, 1, 1, 2]


def test_the_same_seed_draws_the_same_text(small):
    model, tokenizer = small
    texts = [write(model, tokenizer, "ab", 30, temperature=1.5, seed=seed) for seed in (3, 3, 4)]
    assert texts[0] == texts[1] != texts[2]
    pieces = list(write_each(model, tokenizer, "ab", 30, temperature=1.5, seed=3))
    assert pieces[0] == "ab" and len(pieces) == 31 and "".join(pieces) == texts[0]


def test_a_draw_follows_the_probabilities():
    """Each share of 1,500 draws from (1/2, 1/4, 1/8, 1/8) is within four standard deviations. A temperature of 1/2
    squares the odds, and top_p = 0.7 leaves the two likeliest, in their proportion."""
    scores = np.log(np.array([0.125, 0.5, 0.125, 0.25], np.float32))

    def shares(**options):
        rng = np.random.default_rng(5)
        drawn = [chosen(scores, rng=rng, **options) for _ in range(1500)]
        return np.bincount(drawn, minlength=4) / 1500

    np.testing.assert_allclose(shares(temperature=1, top_p=1.0), [0.125, 0.5, 0.125, 0.25], atol=0.052)
    squared = np.array([0.125, 0.5, 0.125, 0.25]) ** 2
    np.testing.assert_allclose(shares(temperature=0.5, top_p=1.0), squared / squared.sum(), atol=0.052)
    np.testing.assert_allclose(shares(temperature=1, top_p=0.7), [0, 2 / 3, 0, 1 / 3], atol=0.052)
    assert shares(temperature=1, top_p=0.0)[1] == shares(temperature=0, top_p=1.0)[1] == 1
    assert shares(temperature=1e-3, top_p=1.0)[1] == 1


def test_nothing_to_write_and_no_prompt(small):
    model, tokenizer = small
    assert write(model, tokenizer, "abc", tokens=0) == "abc" and write(model, tokenizer, tokens=0) == ""
    assert len(write(model, tokenizer, tokens=5)) == 5


WRONG = [
    ({"prompt": 5}, ArgumentError, "prompt is 5; expected a text"),
    ({"prompt": "xyz"}, DataError, r"text\[0\] is 'x'"),
    ({"tokens": -1}, ArgumentError, "tokens is -1"),
    ({"tokens": 2.5}, ArgumentError, "tokens is 2.5"),
    ({"temperature": -0.1}, ArgumentError, "temperature is -0.1; expected a number from 0 to 100"),
    ({"top_p": 1.1}, ArgumentError, "top_p is 1.1; expected a number from 0 to 1"),
    ({"seed": "a"}, ArgumentError, "seed is 'a'"),
]


@pytest.mark.parametrize("options, error, message", WRONG, ids=[str(options) for options, *_ in WRONG])
def test_arguments_that_make_no_sense_are_refused(small, options, error, message):
    with pytest.raises(error, match=message):
        write(*small, **options)


def test_a_damaged_model_is_refused(small):
    model, tokenizer = small
    model.get_layer("final_norm").scale[...] = np.nan
    with pytest.raises(DataError, match="scores are not finite"):
        write(model, tokenizer, "a")
    model.metadata = {}
    with pytest.raises(ArgumentError, match="its metadata 'length' is None"):
        write(model, tokenizer, "a")


SIZES = [
    ({"width": 60}, "width is 60 and heads 8; expected a multiple of 16"),
    ({"heads": 8, "key_value_heads": 3}, "heads is 8 and key_value_heads 3"),
    ({"layers": 0}, "layers is 0"),
    ({"hidden": -1}, "hidden is -1"),
    ({"length": None}, "length is None"),
    ({"weights": 5}, "weights is 5; expected None or the path of a file"),
]


@pytest.mark.parametrize("sizes, message", SIZES, ids=[message for _, message in SIZES])
def test_sizes_that_do_not_go_together_are_refused(sizes, message):
    with pytest.raises(ArgumentError, match=message):
        Decoder(20, **sizes)


def test_the_heads_of_keys_fit_the_heads_of_queries_unless_told_otherwise():
    for heads, shared_by in (8, 4), (2, 2), (6, 3), (5, 1):
        assert LanguageSettings(heads=heads, width=240).settled().key_value_heads == shared_by


# ---- training ----


@pytest.mark.slow
def test_it_learns_a_text_and_writes_it(text, tmp_path, capsys):
    places = {"save": str(tmp_path / "m.h5"), "json": str(tmp_path / "r.json")}
    result = train_language_model(text, **{**SMALL, "epochs": 12}, learning_rate=0.01, warm_up=10, **places)
    printed = capsys.readouterr().out
    assert "1,440 characters, 11 different ones" in printed and "nats a character" in printed
    assert result.loss < 0.4 < 2 < result.history["loss"][0]
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["loss"] == result.loss == result.history["val_loss"][-1]
    assert written["characters_learned_from"] == 80 * 16 and written["characters_held_back"] == 8 * 16

    model, tokenizer = load(tmp_path / "m.h5")
    assert tokenizer.tokens == result.tokenizer.tokens and model.metadata["length"] == 16
    found = write(model, tokenizer, "the cat", tokens=60)
    assert found == write(result.model, result.tokenizer, "the cat", tokens=60)
    assert found.startswith("the cat sat on the mat. the cat sat on the mat. ")
    assert main(["write", str(tmp_path / "m.h5"), "the c", "--tokens", "3"]) == 0
    assert capsys.readouterr().out == "the cat \n"


def test_the_loss_is_measured_on_the_end_of_the_text(tmp_path):
    """A letter twice stands only in the last tenth, and is not learned from."""
    path = tmp_path / "text.txt"
    path.write_text("ab" * 900 + "aabb" * 50, encoding="utf-8")
    result = train_language_model(path, **SMALL, learning_rate=0.01, warm_up=5, verbose=0)
    assert result.history["loss"][-1] < 0.3 < 1 < result.loss
    assert result.characters == (112 * 16, 12 * 16)


def test_a_stopped_training_goes_on_to_the_same_numbers(text, tmp_path, monkeypatch, capsys):
    settings = LanguageSettings(**SMALL, run_folder=str(tmp_path / "run"))
    whole = train_language_model(text, settings, verbose=0)
    at_end, seen = BackupAndRestore.on_train_batch_end, []

    def interrupt(self, batch, logs=None):
        at_end(self, batch, logs)
        seen.append(batch)
        if len(seen) == 14:  # in the second epoch
            interruption._requested = 2  # as the handler of SIGINT does

    monkeypatch.setattr(BackupAndRestore, "on_train_batch_end", interrupt)
    with pytest.raises(interruption.Interrupted):
        train_language_model(text, settings, verbose=0)
    with pytest.raises(CheckpointError, match="seed"):
        train_language_model(text, settings, resume=True, seed=7, verbose=0)
    resumed = train_language_model(text, settings, resume=True, verbose=0)
    assert resumed.history == whole.history and resumed.sample == whole.sample
    for ours, theirs in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)
    assert not list((tmp_path / "run").rglob("*.safetensors")) and capsys.readouterr().out == ""


def test_the_command_trains(text, tmp_path, capsys):
    sizes = [part for name, value in SMALL.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    assert main(["language", str(text), *sizes, "--save", str(tmp_path / "m.h5")]) == 0
    assert "Saved:" in capsys.readouterr().out
    assert load_model(tmp_path / "m.h5").count_params() > 1000
    assert main(["language", str(text), "--width", "60"]) == 1
    assert "--width is 60; expected a multiple of 16: of two numbers for each of --heads = 8" in capsys.readouterr().err
    assert main(["predict", str(tmp_path / "m.h5")]) == 1
    assert "It goes with recipes.language.write and `minitl write`" in capsys.readouterr().err


def test_texts_that_cannot_be_learned_are_refused(tmp_path):
    path = tmp_path / "text.txt"
    for content, message in (
        (b"short", "has 5 characters, 5 to learn from and 0 held back; expected more than 128 in each"),
        (b"", "it is empty"),
        (b"abc\xff" * 99, "byte 3 is not UTF-8"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            train_language_model(path, verbose=0)
    with pytest.raises(DataError, match=r"nothing\.txt"):
        train_language_model(tmp_path / "nothing.txt", verbose=0)


def test_a_model_of_another_kind_is_refused(small, tmp_path):
    model, tokenizer = small
    model.save(tmp_path / "m.h5")
    with pytest.raises(ArgumentError, match="is no language model"):
        load(tmp_path / "m.h5")
    model.metadata.update(task="language", tokenizer=CharacterVocabulary("abc").as_data())
    model.save(tmp_path / "m.h5")
    with pytest.raises(DataError, match="has 8 tokens, its tokenizer 3"):
        load(tmp_path / "m.h5")
    with pytest.raises(ArgumentError, match="holds its own. Leave it out"):
        load(tmp_path / "m.h5", tokenizer="tok512.bin")

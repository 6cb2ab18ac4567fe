"""The bases of a fine-tuning on recordings: from what a front end makes of a recording to one vector.

    speech        (T, 32, 1)  -> windows (W, 96)     -> the mean and the largest of each number over the windows (192,)
    speaker       (P, 160, 40) -> pieces (P, 256)    -> their mean (256,)
    vgg16         (64, T, 1)  -> maps (8, t, 256)    -> the mean over the time, for each height (2048,)
    spectrogram   (6, 80)     -> the same, side by side (480,)

Each is one model with one input of a fixed shape, so the numbers of a recording are the same alone as in a batch.
`settings.BASES` has what is known of them before they are built.
"""

from typing import NamedTuple

from ...applications import VGG16
from ...applications.speaker_lstm import SpeakerLSTM
from ...applications.speech_embedding import SpeechEmbedding, SpeechMel
from ...errors import ArgumentError
from ...layers import (
    AveragePooling2D,
    Concatenate,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    TimeDistributed,
)
from ...models import Model
from ...transfer import adapt_input, remove_layers
from .front_ends import RATE, MelParts, SoundImage, Voice
from .settings import BASES

VGG_END = "block3_pool"  # later blocks know the things in photographs, which no spectrogram has


class Base(NamedTuple):
    """A base that is loaded: `model`, from what `prepare` makes of a recording (N, ...) to a vector (N, D)."""

    model: Model
    prepare: object


def front_end(name, seconds):
    """Return the front end of a base. `seconds` are those of `SoundSettings`."""
    makers = {
        "speech": lambda: SpeechMel(round(seconds * RATE)),
        "speaker": lambda: Voice(seconds),
        "vgg16": lambda: SoundImage(seconds),
        "spectrogram": MelParts,
    }
    if name not in makers:
        raise ArgumentError(f"base is {name!r}; expected one of {', '.join(BASES)}.")
    return makers[name]()


def build(name, seconds, load=True):
    """Return the `Base` of this name. With `load` False, it has no weights."""
    prepare = front_end(name, seconds)
    return Base({"speech": _speech, "speaker": _speaker, "vgg16": _vgg16, "spectrogram": _spectrogram}[name](
        prepare, load), prepare)  # fmt: skip


def _speech(prepare, load):
    """Return the speech embedding, pooled over its windows. A word fills a few of them: the largest numbers are its
    own, while the mean is also that of the silence around it."""
    network = SpeechEmbedding(weights="speech-embedding" if load else None)
    windows = network.output  # (N, W, 96)
    both = [GlobalAveragePooling1D(name="mean")(windows), GlobalMaxPooling1D(name="largest")(windows)]
    return Model(network.input, Concatenate(name="pooled")(both), name="speech")


def _speaker(prepare, load):
    """Return the speaker LSTM, run on each piece, and the mean over the pieces."""
    network = SpeakerLSTM(weights="speaker-lstm" if load else None)
    x = pieces = Input((prepare.pieces, *prepare.shape), name="pieces")
    for layer in network.layers[1:]:
        each = TimeDistributed(layer, name=layer.name)
        x = each(x)
        each.origins.update(layer.origins)
    return Model(pieces, GlobalAveragePooling1D(name="pooled")(x), name="speaker")


def _vgg16(prepare, load):
    """Return VGG16's first blocks for images with one channel, pooled over the time. The height is a frequency: what is
    pooled over it can no longer tell a low voice from a high one, or a vowel from another."""
    shape = (prepare.steps(0, RATE), *prepare.shape)
    network = VGG16(include_top=False, weights="imagenet" if load else None, input_shape=(*shape[:2], 3))
    network = remove_layers(adapt_input(network, shape), after=VGG_END)
    maps = network.output  # (N, 8, t, 256)
    mean = AveragePooling2D((1, maps.shape[2]), name="mean")(maps)
    return Model(network.input, Flatten(name="pooled")(mean), name="vgg16")


def _spectrogram(prepare, load):
    """Return a model that only puts the numbers of a spectrogram side by side."""
    parts = Input((prepare.parts, *prepare.shape), name="parts")
    return Model(parts, Flatten(name="pooled")(parts), name="spectrogram")

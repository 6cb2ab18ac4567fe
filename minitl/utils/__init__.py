"""Keras's import path of small tools: seeds, one-hot labels, images in files and folders, `PyDataset`."""

from ..data.image_dataset import image_dataset_from_directory
from ..data.labels import normalize, to_categorical
from ..data.made_batches import PyDataset
from ..data.pillow_images import array_to_img, img_to_array, load_img, save_img
from ..randomness import set_random_seed

Sequence = PyDataset  # its name in Keras 2

__all__ = [
    "PyDataset",
    "Sequence",
    "array_to_img",
    "image_dataset_from_directory",
    "img_to_array",
    "load_img",
    "normalize",
    "save_img",
    "set_random_seed",
    "to_categorical",
]

_DRAWING = "model.summary() prints the layers, and Netron draws the file of model.export('model.onnx')."
_NOT_HERE = {
    "get_file": "Fetch the file yourself, and compare its sha256 with the publisher's. Weights: weights='imagenet'.",
    "plot_model": _DRAWING,
    "model_to_dot": _DRAWING,
    "split_dataset": "Divide a folder by image_dataset_from_directory(..., validation_split=0.2, subset='both'), and "
    "arrays by fit(..., validation_split=0.2).",
    "timeseries_dataset_from_array": "Cut windows with numpy.lib.stride_tricks.sliding_window_view(x, length, 0).",
    "text_dataset_from_directory": "Use minitl.data.read_texts and TokenStream, or `minitl finetune texts/`.",
    "audio_dataset_from_directory": "Make a PyDataset of the recordings.",
    "multi_gpu_model": "minitl computes on the processor, with all of its cores.",
}


def __getattr__(name):
    """Say what to use for a tool of Keras that is not here."""
    if name in _NOT_HERE:
        raise AttributeError(f"minitl.utils has no {name}. {_NOT_HERE[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

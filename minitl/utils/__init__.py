"""Keras's import path of small tools: seeds, one-hot labels, images in files and folders, batches that a program makes."""

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

_NOT_HERE = {
    "get_file": "Fetch the file with your browser or urllib.request, and compare its sha256 with the publisher's. Weights "
    "come by weights='imagenet', or `minitl weights get`.",
    "plot_model": "model.summary() prints the layers, and model.export('model.onnx') is a file that Netron draws.",
    "model_to_dot": "model.summary() prints the layers, and model.export('model.onnx') is a file that Netron draws.",
    "split_dataset": "image_dataset_from_directory(..., validation_split=0.2, subset='both', seed=1) divides a folder, and "
    "fit(..., validation_split=0.2) arrays.",
    "timeseries_dataset_from_array": "Cut the windows with numpy.lib.stride_tricks.sliding_window_view(x, length, 0).",
    "text_dataset_from_directory": "Use minitl.data.read_texts and TokenStream, or minitl finetune texts/.",
    "audio_dataset_from_directory": "Recordings are not read here.",
    "multi_gpu_model": "minitl computes on the processor, on all of its cores.",
}


def __getattr__(name):
    """Say what to use for a tool of Keras that is not here."""
    if name in _NOT_HERE:
        raise AttributeError(f"minitl.utils has no {name}. {_NOT_HERE[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""PyTorch's `.pth` files: a zip archive with a pickle, which is a program, so only PyTorch's restricted reader gets it.

`torch.load(weights_only=True)` builds dictionaries and tensors and refuses every other instruction. There is no way
around it here: a file that needs more is refused. This needs PyTorch (the extra `convert`).
"""

import pickle

from ..errors import MissingExtraError, UnsafeFileError, WeightsError
from .stored import Listing, StoredTensor

# Where training programs keep the weights within what they save.
WRAPPERS = ("state_dict", "model_state_dict", "model")
BFLOAT16, FLOATS = "torch.bfloat16", {"torch.float16": "<f2", "torch.float32": "<f4", "torch.float64": "<f8"}


def list_torch(path, name, copy):
    """The `Listing` of a state dict. The numbers are copied out, as PyTorch hands them over."""
    try:
        import torch
    except ImportError:
        raise MissingExtraError(
            f"{name}: reading PyTorch's files needs the extra 'convert': python -m pip install 'minitl[convert]'"
        ) from None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise UnsafeFileError(
            f"{name}: asks for more than tensors ({reason:.150}). Save model.state_dict() alone, "
            "and do not trust the file."
        ) from None
    except Exception as error:  # noqa: BLE001  what PyTorch raises on damaged files is not documented
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"{name}: the PyTorch file is damaged ({reason:.150}). Download or save it again.") from None
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict) or not any(isinstance(each, torch.Tensor) for each in content.values()):
        raise WeightsError(
            f"{name}: expected a state dict, {{name: tensor}}, found {type(content).__name__}. Save model.state_dict()."
        )
    tensors = []
    for key, each in content.items():
        if not isinstance(each, torch.Tensor):
            continue
        tensor = StoredTensor(str(key), None, str(key), tuple(each.shape), FLOATS.get(str(each.dtype), str(each.dtype)))
        if str(each.dtype) == BFLOAT16:
            tensor = StoredTensor(tensor.name, None, tensor.parameter, tensor.shape, "<f4")
            each = each.float() if copy.fits(tensor.nbytes) else each
        if tensor.dtype in FLOATS.values() and each.layout is torch.strided and copy.fits(tensor.nbytes):
            offset = copy.add(each.detach().contiguous().numpy())
            tensor = StoredTensor(tensor.name, None, tensor.parameter, tensor.shape, tensor.dtype, offset, copied=True)
        tensors.append(tensor)
    return Listing("PyTorch state dict", tuple(tensors))

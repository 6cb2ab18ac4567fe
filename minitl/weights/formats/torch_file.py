"""PyTorch's `.pth` files: a zip archive with a pickle. A pickle is a program, so only a restricted reader may run it.

`torch.load(weights_only=True)` builds dictionaries and tensors and refuses every other instruction. No option switches
this off: a file that needs more is refused. Reading needs PyTorch (the extra `convert`).
"""

import pickle
import re
from dataclasses import replace

from ...errors import MissingExtraError, UnsafeFileError, WeightsError
from .stored_file import Listing, StoredTensor

# The keys under which training programs save the weights beside other things.
WRAPPERS = ("state_dict", "model_state_dict", "model")
BFLOAT16, FLOATS = "torch.bfloat16", {"torch.float16": "<f2", "torch.float32": "<f4", "torch.float64": "<f8"}


def list_torch(path, name, copy):
    """Return the `Listing` of a state dict. Its arrays are copied out, since PyTorch returns them in memory."""
    try:
        import torch
    except ImportError:
        raise MissingExtraError(
            f"{name}: reading PyTorch's files needs PyTorch (the extra 'convert'): python -m pip install torch"
        ) from None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        what = re.search(r"GLOBAL ([\w.]+)", str(error))
        reason = (
            f"it wants to use {what[1]}" if what else "PyTorch's restricted reader refuses an instruction of its pickle"
        )
        raise UnsafeFileError(
            f"{name}: asks for more than tensors: {reason}. Save model.state_dict() alone, and do not trust the file."
        ) from None
    except Exception as error:  # PyTorch does not document its errors for damaged files
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
    try:
        tensors = [_tensor(str(key), each, copy) for key, each in content.items() if isinstance(each, torch.Tensor)]
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
        raise WeightsError(f"{name}: holds tensors without plain numbers ({error!r:.150}). Save it again.") from None
    return Listing("PyTorch state dict", tuple(tensors))


def _tensor(name, tensor, copy):
    """Return the `StoredTensor` of one tensor; its array goes into the copy, if there is space."""
    if str(tensor.dtype) == BFLOAT16:
        tensor = tensor.float() if copy.fits(4 * tensor.numel()) else tensor
    dtype = FLOATS.get(str(tensor.dtype), str(tensor.dtype))
    listed = StoredTensor(name, None, name, tuple(tensor.shape), dtype)
    if dtype not in FLOATS.values() or not copy.fits(listed.nbytes):
        return listed
    return replace(listed, offset=copy.add(tensor.detach().contiguous().numpy()), copied=True)

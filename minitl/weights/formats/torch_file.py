"""PyTorch's `.pth` files: a zip archive with a pickle. A pickle is a program, so only a restricted reader may run it.

`torch.load(weights_only=True)` builds dictionaries and tensors and refuses every other instruction. No option switches
this off: a file that needs more is refused. Reading needs PyTorch (the extra `convert`).
"""

import pickle
import re
import zipfile
from dataclasses import replace

from ...errors import MissingExtraError, UnsafeFileError, WeightsError
from .stored_file import Listing, StoredTensor

# The keys under which training programs save the weights beside other things, the likeliest first.
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "params")
# The beginnings of keys of what is no network.
NO_NETWORK = ("optim", "sched", "lr_sched", "scaler", "amp", "rng", "random", "loss", "criterion", "metric")
DEEPEST = 8  # wrappers within wrappers
BFLOAT16, FLOATS = "torch.bfloat16", {"torch.float16": "<f2", "torch.float32": "<f4", "torch.float64": "<f8"}


def list_torch(path, name, copy):
    """Return the `Listing` of a state dict. Its arrays are copied out, since PyTorch returns them in memory."""
    refuse_programs(path, name)
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
    content, under = _unwrapped(content, torch.Tensor, name)
    if not isinstance(content, dict) or not any(isinstance(each, torch.Tensor) for each in content.values()):
        holds = f" with {', '.join(map(repr, list(content)[:5]))}" if isinstance(content, dict) and content else ""
        raise WeightsError(
            f"{name}: expected a state dict, {{name: tensor}}, found {type(content).__name__}{holds:.150}. Save "
            "model.state_dict()."
        )
    try:
        tensors = [_tensor(str(key), each, copy) for key, each in content.items() if isinstance(each, torch.Tensor)]
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
        raise WeightsError(f"{name}: holds tensors without plain numbers ({error!r:.150}). Save it again.") from None
    return Listing(f"PyTorch state dict{under}", tuple(tensors))


def refuse_programs(path, name):
    """Raise WeightsError if a file of PyTorch's is a program with its weights, which `torch.load` refuses as well."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return
    for load, is_it, kind in (
        ("torch.jit.load", any(member.endswith("/constants.pkl") for member in members), "TorchScript archive"),
        ("torch.export.load", any(m.endswith(("/archive_format", "exported_program.json")) for m in members),
         "program of torch.export"),
    ):  # fmt: skip
        if is_it:
            call = "" if load == "torch.jit.load" else ".module()"
            raise WeightsError(
                f"{name}: is a {kind}, which is a program and not only weights; minitl runs no programs from files. If "
                f"you trust it, take out its weights with PyTorch: torch.save({load}({name!r}){call}.state_dict(), "
                "'weights.pth')"
            )


def _unwrapped(content, tensor_class, name):
    """Return (the state dict within what a training program saved, under which keys it lies, in words)."""
    keys = []
    while isinstance(content, dict) and len(keys) < DEEPEST:
        inner = {key: value for key, value in content.items() if _holds_tensors(value, tensor_class)}
        inner = {key: value for key, value in inner.items() if not str(key).lower().startswith(NO_NETWORK)}
        known = [key for key in WRAPPERS if key in inner]
        if not known and any(isinstance(each, tensor_class) for each in content.values()):
            break
        if not known and len(inner) > 1:
            raise WeightsError(
                f"{name}: holds several state dicts, {', '.join(map(repr, list(inner)[:5]))}. Save one of them alone: "
                f"torch.save(torch.load({name!r})[{next(iter(inner))!r}], 'weights.pth')"
            )
        if not inner:
            break
        keys.append(known[0] if known else next(iter(inner)))
        content = inner[keys[-1]]
    return content, f" (under {', '.join(map(repr, keys))})" if keys else ""


def _holds_tensors(value, tensor_class, depth=0):
    """Return whether a value is a dictionary of named tensors, or of such dictionaries."""
    if not isinstance(value, dict) or depth > DEEPEST or not all(isinstance(key, str) for key in value):
        return False
    return any(isinstance(each, tensor_class) or _holds_tensors(each, tensor_class, depth + 1)
               for each in value.values())  # fmt: skip


def _tensor(name, tensor, copy):
    """Return the `StoredTensor` of one tensor; its array goes into the copy, if there is space."""
    if str(tensor.dtype) == BFLOAT16:
        tensor = tensor.float() if copy.fits(4 * tensor.numel()) else tensor
    dtype = FLOATS.get(str(tensor.dtype), str(tensor.dtype))
    listed = StoredTensor(name, None, name, tuple(tensor.shape), dtype)
    if dtype not in FLOATS.values() or not copy.fits(listed.nbytes):
        return listed
    return replace(listed, offset=copy.add(tensor.detach().contiguous().numpy()), copied=True)

"""Damaged weight files by the thousand: a check that loading never crashes, hangs, or raises a foreign exception.

    python tests/programs/fuzz_weights.py                              20,000 mutants of each format (about an hour)
    python tests/programs/fuzz_weights.py --formats h5 onnx --count 2000 --seed 3

Each mutant is a small valid file with a few bytes changed, runs of bytes overwritten, moved, left out or put in, or cut
short. In every second archive (.keras, .pth), this happens to a member, and the archive around it is whole. The file
goes through `Model.load_weights` as any file does. Only the child process is started otherwise: by a fork of this one,
which takes milliseconds instead of 0.3 s, with the same program, the same limits on memory, and ten seconds instead of
sixty. (Every 500th mutant takes the ordinary way.) Linux and macOS only.

The results that are counted:

    refused    a MinitlError. Those in which the child crashed or ran out of time are counted once more.
    equal      loaded, and every number is right (the bytes that changed carry no numbers)
    altered    loaded, other numbers: allowed only where the file carries no digest of its own, and only those that the
               format's own library reads from it (h5py, safetensors, ONNX, PyTorch), where that reads the file

Anything else ends the run with status 1 and keeps the mutant: a foreign exception, a crash of this process, a load that
takes longer than the limit, altered numbers in a file that minitl wrote (which carries digests), or in a published file
(whose digest is known).
"""

import argparse
import io
import json
import os
import random
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from minitl import utils
from minitl.errors import MinitlError
from minitl.layers import BatchNormalization, Conv2D, Dense, Flatten
from minitl.models import Sequential, load_model
from minitl.weights.distrust import child_process as child
from minitl.weights.distrust import opening as reading
from minitl.weights.formats import keras_h5
from minitl.weights.formats.stored_file import array_digest
from minitl.weights.naming import own_places
from minitl.weights.published import catalogue as store

CHILD_SECONDS = 10
SLOWEST = 40  # seconds for one mutant, with everything
FORMATS = ["h5", "whole-h5", "weights-h5", "chunked-h5", "keras", "safetensors", "onnx", "pth", "minitl", "published"]


def network():
    return Sequential(
        [
            Conv2D(4, 3, input_shape=(6, 6, 3), name="conv"),
            BatchNormalization(name="norm"),
            Flatten(name="flat"),
            Dense(5, name="out"),
        ],
        name="net",
    )


# ---- one valid file of each format ----


def make(name, model, folder):
    """Write a valid file of this format with the weights of `model`, and return its path."""
    path = folder / {"keras": "valid.keras", "safetensors": "valid.safetensors", "onnx": "valid.onnx",
                     "pth": "valid.pth", "weights-h5": "valid.weights.h5"}.get(name, "valid.h5")  # fmt: skip
    if name in ("h5", "whole-h5", "chunked-h5"):
        with h5py.File(path, "w") as file:
            root = file.create_group("model_weights") if name == "whole-h5" else file
            keras_h5.write_layers(root, model.layers, numbered=False)
            if name == "whole-h5":
                file.attrs["model_config"] = '{"class_name": "Sequential", "config": {"layers": []}}'
            if name == "chunked-h5":
                for layer in model.layers:
                    for key in layer.weight_names:
                        place = f"{layer.name}/{layer.name}/{key}:0"
                        del file[place]
                        file.create_dataset(
                            place, data=getattr(layer, key), chunks=True, compression="gzip", shuffle=True
                        )
    elif name == "weights-h5":
        with h5py.File(path, "w") as file:
            keras_h5.write_layers(file, model.layers, numbered=True)
    elif name == "keras":
        with h5py.File(folder / "inner.h5", "w") as file:
            keras_h5.write_layers(file, model.layers, numbered=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
            layers = [{"class_name": type(la).__name__, "config": {"name": la.name}} for la in model.layers]
            archive.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": layers}}))
            archive.write(folder / "inner.h5", "model.weights.h5")
    elif name in ("safetensors", "onnx", "pth"):
        import torch

        state = {}
        for layer in model.layers:
            for key in layer.weight_names:
                torch_key = {"kernel": "weight", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
                             "moving_variance": "running_var"}.get(key, key)  # fmt: skip
                array = getattr(layer, key)
                if array.ndim == 4:
                    array = array.transpose(3, 2, 0, 1)
                if array.ndim == 2:  # (H, W, C) order -> (C, H, W), then (units, inputs)
                    array = array.reshape(4, 4, 4, 5).transpose(2, 0, 1, 3).reshape(64, 5).T
                state[f"{layer.name}.{torch_key}"] = torch.tensor(np.ascontiguousarray(array))
        if name == "pth":
            torch.save(state, path)
        elif name == "safetensors":
            from safetensors.torch import save_file

            save_file(state, path)
        else:
            import onnx

            constants = [onnx.numpy_helper.from_array(value.numpy(), key) for key, value in state.items()]
            nodes = [
                onnx.helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["a"]),
                onnx.helper.make_node("BatchNormalization", ["a", *(f"norm.{k}" for k in (
                    "weight", "bias", "running_mean", "running_var"))], ["b"]),
                onnx.helper.make_node("Flatten", ["b"], ["c"]),
                onnx.helper.make_node("Gemm", ["c", "out.weight", "out.bias"], ["y"], transB=1),
            ]  # fmt: skip
            value = onnx.helper.make_tensor_value_info
            x, y = value("x", 1, [1, 3, 6, 6]), value("y", 1, [1, 5])
            graph = onnx.helper.make_graph(nodes, "net", [x], [y], constants)
            path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    else:
        model.save(path)
    return path


def mutate(content, rng):
    """Return the content with one to four damages."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        kind = rng.randrange(8)
        at = rng.randrange(max(1, len(data)))
        # Half of the damage goes to the beginning, where most structures lie.
        if rng.random() < 0.5:
            at = rng.randrange(max(1, min(len(data), 4096)))
        size = rng.choice((1, 2, 4, 8, 64))
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 2:
            data[at : at + size] = rng.randbytes(size)
        elif kind == 3:
            data[at : at + size] = bytes([rng.choice((0, 0xFF))]) * size
        elif kind == 4:
            del data[at : at + size]
        elif kind == 5:
            data[at:at] = rng.randbytes(size)
        elif kind == 6:
            source = rng.randrange(max(1, len(data)))
            data[at : at + size] = data[source : source + size]
        elif rng.random() < 0.3:
            del data[at:]
        if not data:
            break
    return bytes(data)


def mutate_member(content, rng):
    """Return a zip archive in which one member is damaged, left out, or there under another member's name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    at, kind = rng.randrange(len(members)), rng.randrange(8)
    name, inside = members.pop(at)
    if kind:
        members.insert(at, (rng.choice(members)[0], inside) if kind == 1 else (name, mutate(inside, rng)))
    rebuilt = io.BytesIO()
    with zipfile.ZipFile(rebuilt, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a name that occurs twice
        for name, inside in members:
            archive.writestr(name, inside)
    return rebuilt.getvalue()


# ---- what the format's own library reads ----


def library_arrays(path):
    """Return {name: array} as the library of the file's format reads it, or None where it refuses the file."""
    arrays = {}

    def add(name, member):
        if isinstance(member, h5py.Dataset) and member.dtype.kind == "f":
            arrays[name] = member[()]

    try:
        if path.suffix == ".pth":
            import torch

            content = torch.load(path, weights_only=True)
            arrays = {name: each.detach().numpy() for name, each in content.items() if isinstance(each, torch.Tensor)}
        elif path.suffix == ".safetensors":
            from safetensors.numpy import load_file

            arrays = load_file(path)
        elif path.suffix == ".onnx":
            import onnx

            arrays = {each.name: onnx.numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer}
        elif path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
                file.visititems(add)
        else:
            with h5py.File(path) as file:
                file.visititems(add)
    except Exception:  # a damaged file makes a library raise nearly anything
        return None
    return arrays


def differs_from_library(path):
    """Return the names of the tensors that minitl reads otherwise than the format's library does."""
    arrays = library_arrays(path) or {}
    with reading.open_weights(path) as file:
        return [
            each.name
            for each in file.tensors
            if each.name in arrays and not np.array_equal(file.read(each, None), arrays[each.name], equal_nan=True)
        ]


# ---- the child by a fork ----


def ask_forked_child(path, copy, most_bytes, file_bytes):
    """Replace `reading._ask_child`: ask a forked process."""
    read_end, write_end = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.close(read_end)
            for stream in 1, 2:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
            child.limit_memory_and_time(12 * 2**30, CHILD_SECONDS)
            with os.fdopen(write_end, "wb") as pipe:
                pipe.write(json.dumps(child.report(str(path), copy, most_bytes)).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    answer, end = b"", time.monotonic() + CHILD_SECONDS
    with os.fdopen(read_end, "rb", buffering=0) as pipe:
        while True:
            ready, _, _ = select.select([pipe], [], [], max(0, end - time.monotonic()))
            if not ready:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
                raise reading.UnsafeFileError(f"{path}: reading it did not end within {CHILD_SECONDS} s.")
            piece = pipe.read(2**16)
            if not piece:
                break
            answer += piece
    _, status = os.waitpid(process, 0)
    try:
        return json.loads(answer)
    except ValueError:
        raise reading.UnsafeFileError(f"{path}: reading it crashed the child process ({status}).") from None


def run_format(name, count, seed, folder):
    """Feed mutants of one format. Return the counts, or raise SystemExit with the mutant kept."""
    utils.set_random_seed(seed)
    rng = random.Random(f"{name} {seed}")
    model = network()
    random_weights = np.random.default_rng(seed)
    model.set_weights([random_weights.uniform(0.5, 1, each.shape) for each in model.get_weights()])
    valid = make(name, model, folder)
    content = valid.read_bytes()
    expected = [array_digest(each) for each in model.get_weights()]
    ordinary = reading._ask_child
    if name == "published":  # as if it had been published: its digest is known
        with reading.open_weights(valid) as file:
            arrays, tensors = file.arrays_digest(), tuple((p.layer, p.parameter) for p in own_places(file))
        entry = store.Published("a test", "none.h5", "https://example.org/", "0" * 32, arrays, tensors)
        store.CATALOGUE["fuzz"] = entry
    counts = Counter()
    mutant = folder / f"mutant{''.join(valid.suffixes)}"
    for number in range(count + 1):
        is_member = number % 2 and valid.suffix in (".keras", ".pth")
        damaged = content if number == 0 else (mutate_member if is_member else mutate)(content, rng)
        mutant.write_bytes(damaged)
        reading._ask_child = ordinary if number % 500 == 0 else ask_forked_child
        start = time.monotonic()
        target = network()
        try:
            if name == "published":
                if store.check("fuzz", mutant) is None:
                    raise store.wrong_file("fuzz", mutant)
            if name == "minitl" and number % 2:
                target = load_model(mutant)
            else:
                target.load_weights(mutant)
            outcome = "equal" if [array_digest(each) for each in target.get_weights()] == expected else "altered"
        except MinitlError as error:
            outcome = "refused"
            counts["child crashed"] += "crashed the child process" in str(error)
            counts["child out of time"] += "did not end within" in str(error)
        except BaseException:
            return _keep(name, number, mutant, traceback.format_exc())
        if time.monotonic() - start > SLOWEST:
            return _keep(name, number, mutant, f"took {time.monotonic() - start:.0f} s")
        if outcome == "altered" and (names := differs_from_library(mutant)):
            return _keep(name, number, mutant, f"the format's library reads other numbers: {', '.join(names)}")
        if outcome == "altered" and name in ("minitl", "published"):
            return _keep(name, number, mutant, "other numbers were loaded although the digest is known")
        if number == 0 and outcome != "equal":
            return _keep(name, number, mutant, f"the valid file is {outcome}")
        counts[outcome] += number > 0
        if number and number % 1000 == 0:
            print(f"{name:12} {number:6,} mutants: {_text(counts)}", flush=True)
    print(f"{name:12} {count:6,} mutants: {_text(counts)}  (done)", flush=True)
    return counts


def _text(counts):
    return ", ".join(
        f"{counts[key]:,} {key}" for key in ("refused", "equal", "altered", "child crashed", "child out of time")
    )


def _keep(name, number, mutant, what):
    kept = Path(tempfile.gettempdir(), f"minitl-fuzz-{name}-{number}{''.join(mutant.suffixes)}")
    kept.write_bytes(mutant.read_bytes())
    sys.exit(f"{name}: mutant {number} (kept as {kept}): {what}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in options.formats:
        with tempfile.TemporaryDirectory(prefix="minitl-fuzz-") as folder:
            os.environ["MINITL_HOME"] = str(Path(folder, "home"))
            run_format(name, options.count, options.seed, Path(folder))


if __name__ == "__main__":
    main()

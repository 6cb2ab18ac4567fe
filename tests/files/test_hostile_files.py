"""Weight files that are broken, or that attack the program that reads them.

Each file is refused by an error that says why, the model stays as it was, and no file is opened that a link in it
points at. `fuzz_weights.py` does the same with thousands of files.
"""

import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import REPOSITORY

from minitl import cli
from minitl.errors import ArgumentError, MinitlError, UnsafeFileError, WeightsError
from minitl.files import hdf5
from minitl.layers import Conv2D, Dense, Flatten
from minitl.models import Sequential, load_model
from minitl.weights.distrust import child_process as child
from minitl.weights.distrust import known_files as known
from minitl.weights.distrust import opening as reading
from minitl.weights.formats import keras_h5
from minitl.weights.formats.stored_file import Listing

pytestmark = pytest.mark.slow  # nearly every test here starts a process that reads a file


def network():
    return Sequential([Conv2D(2, 3, input_shape=(5, 5, 2), name="conv"), Flatten(), Dense(3, name="out")])


@pytest.fixture(params=["model.h5", "model.weights.h5"])
def saved(request, tmp_path):
    path = tmp_path / request.param
    network().save_weights(path)
    return path


@pytest.fixture
def legacy(tmp_path):
    path = tmp_path / "model.h5"
    network().save_weights(path)
    return path


def refused(path, match, error=WeightsError, model=None):
    """Check that loading is refused with this message in reasonable time, and that the model does not change."""
    model = model or network()
    before, start = model.get_weights(), time.monotonic()
    with pytest.raises(error, match=match) as caught:
        model.load_weights(path)
    assert str(path) in str(caught.value) and time.monotonic() - start < 30
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    return str(caught.value)


# ---- HDF5 ----


def first_dataset(file):
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) and item.ndim else None)
    return found[0]


@pytest.mark.parametrize("link", ["soft", "external"])
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_links_anywhere_along_the_path(saved, tmp_path, link, depth):
    """Links are refused half-way along a path, too. The target of the external link is a trap: opening it would
    hang."""
    trap = tmp_path / "trap.h5"
    if hasattr(os, "mkfifo"):
        os.mkfifo(trap)
    with h5py.File(saved, "r+") as file:
        parts = first_dataset(file).split("/")
        place = "/".join(parts[: min(depth, len(parts) - 1) + 1])
        file.move(place, "elsewhere")
        file[place] = h5py.SoftLink("/elsewhere") if link == "soft" else h5py.ExternalLink(str(trap), "/")
    refused(saved, "is a link to somewhere else, which is never followed", UnsafeFileError)


def test_numbers_in_another_file(saved, tmp_path):
    (tmp_path / "secret").write_bytes(b"s" * 4096)
    with h5py.File(saved, "r+") as file:
        name = first_dataset(file)
        shape = file[name].shape
        del file[name]
        file.create_dataset(name, shape, "f4", external=[(str(tmp_path / "secret"), 0, 4096)])
    refused(saved, "keeps its numbers in another file", UnsafeFileError)


def test_views_of_another_file(saved, tmp_path):
    with h5py.File(saved, "r+") as file:
        name = first_dataset(file)
        layout = h5py.VirtualLayout(file[name].shape, "f4")
        layout[...] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "x", file[name].shape)
        del file[name]
        file.create_virtual_dataset(name, layout)
    refused(saved, "keeps its numbers in another file", UnsafeFileError)


def test_circles(tmp_path):
    path = tmp_path / "circle.weights.h5"
    network().save_weights(path)
    with h5py.File(path, "r+") as file:
        file["layers/conv2d/again"] = file["layers"]  # a hard link to its own parent
    refused(path, "linked twice, in a circle, or too deep", UnsafeFileError)


def test_groups_too_deep(tmp_path):
    path = tmp_path / "deep.weights.h5"
    network().save_weights(path)
    with h5py.File(path, "r+") as file:
        file.create_group("layers/" + "/".join(["x"] * 60))
    refused(path, "too deep", UnsafeFileError)
    assert hdf5.MOST_OBJECTS > 10_000


def test_too_many_groups(saved, monkeypatch):
    monkeypatch.setattr(hdf5, "MOST_OBJECTS", 20)
    with h5py.File(saved, "r+") as file:
        for k in range(30):
            file.create_group(f"more/{k}")
        with pytest.raises(UnsafeFileError, match="too many groups"):
            hdf5.groups_below(file, saved.name)


def test_a_text_that_is_too_long_is_not_read(tmp_path):
    """A text longer than the limit counts as none: then nothing in it can vouch for the weights."""
    path = tmp_path / "model.h5"
    network().save(path)
    with h5py.File(path) as file:
        length = file["minitl_architecture"].dtype.itemsize
        assert (
            hdf5.text(file, "minitl_architecture", length)
            and hdf5.text(file, "minitl_architecture", length - 1) is None
        )
    assert keras_h5.MOST_TEXT <= 2**24


def test_variables_of_nobody(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        file["vars/0"] = np.ones(3, "f4")
    refused(tmp_path / "a.weights.h5", "is in the file but not in the model|none of its layers")


def test_a_dataset_without_a_shape(legacy):
    with h5py.File(legacy, "r+") as file:
        del file["out/out/bias:0"]
        file["out/out/bias:0"] = h5py.Empty("f4")
    refused(legacy, "has no shape and no numbers")


def test_a_model_of_too_many_layers(legacy, tmp_path):
    layers = [{"class": "InputLayer", "config": {"input_shape": [2], "name": "x0"}, "inputs": []}]
    layers += [{"class": "ReLU", "config": {"name": f"x{i}"}, "inputs": [f"x{i - 1}"]} for i in range(1, 20_000)]
    text = json.dumps({"format": 1, "class": "Model", "name": "m", "metadata": {}, "layers": layers})
    with h5py.File(tmp_path / "many.h5", "w") as file:
        file.attrs["layer_names"] = np.array([], "S1")
        keras_h5.write_texts(file, {"minitl_architecture": text})
    with pytest.raises(WeightsError, match="more than 10,000 layers"):
        load_model(tmp_path / "many.h5")


def test_a_circle_in_the_legacy_layout_is_only_a_name_too_many(legacy):
    with h5py.File(legacy, "r+") as file:
        file["conv/conv/around"] = file["conv"]
    network().load_weights(legacy)  # no attribute names it, so no reader opens it


def test_unknown_filters(legacy):
    """Filter 32015 is Zstandard's plug-in, which would have to be loaded from somewhere."""
    with h5py.File(legacy, "r+") as file:
        del file["out/out/kernel:0"]
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((18, 3))
        properties.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((18, 3))
        h5py.h5d.create(file["out/out"].id, b"kernel:0", h5py.h5t.IEEE_F32LE, space, properties)
    refused(legacy, "packed with unknown filter 32015", UnsafeFileError)


@pytest.mark.parametrize("chunks", [None, (1024, 3)])
def test_petabyte_shapes(legacy, chunks):
    """The shape promises 10^15 bytes that the file does not hold. Only the shape is read."""
    with h5py.File(legacy, "r+") as file:
        del file["out/out/kernel:0"]
        file.create_dataset("out/out/kernel:0", (10**14, 3), "f4", chunks=chunks)
    message = refused(legacy, r"'out' kernel: expected \(18, 3\), found \(100000000000000, 3\)")
    assert "nothing was loaded" in message


def test_more_numbers_than_a_file_of_its_size_can_hold(legacy):
    """Compressed zeros unpack to a thousand times their size. The shape of this bomb fits, its number of bytes does
    not."""
    with h5py.File(legacy, "r+") as file:
        del file["out/out/kernel:0"]
        file.create_dataset("out/out/kernel:0", (2**26, 3), "f4", chunks=(2**20, 3), compression="gzip")
    refused(legacy, r"'out' kernel: expected \(18, 3\), found \(67108864, 3\)")


def test_compressed_files_are_read(tmp_path, rng):
    model, path = network(), tmp_path / "packed.h5"
    model.set_weights([rng.standard_normal(each.shape) for each in model.get_weights()])
    model.save_weights(path)
    with h5py.File(path, "r+") as file:
        for name in ("conv/conv/kernel:0", "out/out/kernel:0"):
            array = file[name][()]
            del file[name]
            file.create_dataset(name, data=array, chunks=True, compression="gzip", shuffle=True, fletcher32=True)
    other = network()
    other.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights()))


@pytest.mark.parametrize(
    "content", [["conv", 3], [["conv"], ["out"]], [b"\xff\xfe"], 7, ["conv", "conv"], ["/conv"], [""]]
)
def test_attributes_that_are_no_list_of_names(legacy, content):
    with h5py.File(legacy, "r+") as file:
        del file.attrs["layer_names"]
        file.attrs["layer_names"] = content if content != ["conv", 3] else np.array([1.5, 2])
    model = network()
    if content == [["conv"], ["out"]]:
        model.load_weights(legacy)  # unusual, but clear
    else:
        refused(legacy, "layer_names|damaged")


@pytest.mark.parametrize("dtype", ["i4", "S4", "c8", h5py.string_dtype(), h5py.ref_dtype, np.dtype([("a", "f4")])])
def test_what_is_no_number(legacy, dtype):
    with h5py.File(legacy, "r+") as file:
        del file["out/out/bias:0"]
        file.create_dataset("out/out/bias:0", (3,), dtype)
    refused(legacy, "'out' bias: expected floating-point numbers, found")


# ---- .keras ----


def keras_archive(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


@pytest.fixture
def inner(tmp_path):
    network().save_weights(tmp_path / "inner.weights.h5")
    return (tmp_path / "inner.weights.h5").read_bytes()


LAMBDA = json.dumps(
    {"class_name": "Lambda", "config": {"name": "f", "function": "__import__('os').system('touch pwned')"}}
)


def test_a_configuration_is_never_executed(tmp_path, inner, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = keras_archive(tmp_path / "lambda.keras", [("config.json", LAMBDA), ("model.weights.h5", inner)])
    network().load_weights(path)
    assert not (tmp_path / "pwned").exists()
    with pytest.raises(WeightsError, match="holds a Lambda, .* A Lambda is code, which is never run from a file"):
        load_model(path)


@pytest.mark.parametrize(
    "members, message",
    [
        ([("../escape", b"x")], "has a member .*escape"),
        ([("/etc/escape", b"x")], "has a member .*escape"),
        ([("assets\\..\\..\\escape", b"x")], "has a member .*escape"),
        ([("config.json", b"{")], "archive is damaged"),
        ([("config.json", b"[1, 2]")], "archive is damaged"),
        ([("config.json", b'{"class_name": "Model", "config": {"layers": [{}]}}')], "archive is damaged"),
    ],
)
def test_members_that_should_not_be(tmp_path, inner, members, message):
    refused(keras_archive(tmp_path / "x.keras", [*members, ("model.weights.h5", inner)]), message)
    assert not (tmp_path.parent / "escape").exists()


def test_an_archive_of_something_else(tmp_path):
    refused(keras_archive(tmp_path / "x.keras", [("readme.txt", b"hello")]), "zip archive without model.weights.h5")


def test_a_zip_bomb(tmp_path):
    bomb = bytes(300_000_000)
    path = keras_archive(tmp_path / "bomb.keras", [("model.weights.h5", bomb)])
    assert path.stat().st_size < 400_000
    refused(path, "unpacks to more than 268,435,456 bytes, out of proportion", UnsafeFileError)


def test_a_zip_bomb_that_lies_about_its_size(tmp_path, inner):
    """The directory says 10 bytes. Reading stops there, however much the entry unpacks to."""
    path = keras_archive(tmp_path / "liar.keras", [("model.weights.h5", inner)])
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    refused(path, "damaged|out of proportion")


# ---- safetensors ----


def safetensors(path, header, numbers=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + numbers)
    return path


def tensor(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


KERNEL, OUT = 18 * 2 * 4, 18 * 3 * 4


def test_safetensors_are_read(tmp_path, rng):
    kernel, bias = rng.standard_normal((3, 18)).astype(np.float32), np.array([1, -2, 3], np.float16)
    header = {
        "__metadata__": {"format": "pt"},
        "out.weight": tensor([3, 18], 0, OUT),
        "out.bias": tensor([3], OUT, OUT + 6, "F16"),
    }
    path = safetensors(tmp_path / "a.safetensors", header, kernel.tobytes() + bias.tobytes())
    model = Sequential([Dense(3, name="out", input_shape=(18,))])
    model.load_weights(path)
    assert np.array_equal(model.layers[0].kernel, kernel.T) and np.array_equal(model.layers[0].bias, bias)


@pytest.mark.parametrize(
    "header, size, message",
    [
        ({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}, 12, "tensors overlap or leave a hole"),
        ({"a": tensor([2], 0, 8), "b": tensor([2], 12, 20)}, 20, "tensors overlap or leave a hole"),
        ({"a": tensor([2], 8, 16)}, 16, "tensors overlap or leave a hole"),
        ({"a": tensor([2], 0, 8)}, 12, "bytes long, expected"),
        ({"a": tensor([2], 0, 8)}, 4, "bytes long, expected"),
        ({"a": tensor([3], 0, 8)}, 8, "header is damaged"),
        ({"a": tensor([-1], 0, 8)}, 8, "header is damaged"),
        ({"a": tensor([2**62, 2**62], 0, 8)}, 8, "header is damaged"),
        ({"a": tensor([2.0], 0, 8)}, 8, "header is damaged"),
        ({"a": tensor([2], 0, 8, "F32x")}, 8, "header is damaged"),
        ({"a": {"dtype": "F32"}}, 8, "header is damaged"),
        ({"a": tensor([2], 8, 0)}, 8, "header is damaged"),
        (b'{"a": {}, "a": {}}', 0, "header is damaged"),
        (b"[]", 0, "claims|header is damaged|expected weights"),
        (b"{" * 100_000, 0, "header is damaged"),
    ],
)
def test_safetensors_that_lie(tmp_path, header, size, message):
    refused(safetensors(tmp_path / "a.safetensors", header, bytes(size)), message)


def test_a_ledger_nested_too_deep(tmp_path):
    """The ledger of a safetensors file is a text in its header. One that cannot be read proves nothing."""
    header = {"__metadata__": {"minitl_ledger": "[" * 100_000}, "out.weight": tensor([3, 18], 0, OUT)}
    header["out.bias"] = tensor([3], OUT, OUT + 12)
    path = safetensors(tmp_path / "a.safetensors", header, bytes(OUT + 12))
    model = Sequential([Dense(3, name="out", input_shape=(18,))])
    try:
        model.load_weights(path)
    except MinitlError as error:
        assert str(path) in str(error)
    else:
        assert not model.layers[0].kernel.any()


def test_a_name_that_writes_to_the_terminal(tmp_path, capsys):
    path = safetensors(tmp_path / "a.safetensors", {"\x1b]0;owned\x07\x1b[2J": tensor([2], 0, 8)}, bytes(8))
    assert cli.main(["weights", "inspect", str(path)]) == 0
    printed = capsys.readouterr()
    assert "owned" in printed.out and "\x1b" not in printed.out + printed.err and "\x07" not in printed.out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_and_a_device_are_not_opened(tmp_path):
    """A program that opened the pipe would wait for ever."""
    os.mkfifo(tmp_path / "pipe.h5")
    (tmp_path / "device.h5").symlink_to("/dev/zero")
    for name in "pipe.h5", "device.h5":
        refused(tmp_path / name, "no ordinary file|not a file|expected a file")


def test_a_header_that_is_too_long(tmp_path):
    path = safetensors(tmp_path / "a.safetensors", {"a": tensor([2], 0, 8)}, bytes(8), length=2**63)
    refused(path, "its header claims 9,223,372,036,854,775,808 bytes", UnsafeFileError)


# ---- ONNX ----


def field(number, value):
    """Return a field of a Protocol Buffers message: a number as a varint, bytes with their length."""

    def varint(n):
        out = b""
        while n >= 128:
            out, n = out + bytes([n % 128 + 128]), n // 128
        return out + bytes([n])

    if isinstance(value, int):
        return varint(number * 8) + varint(value)
    return varint(number * 8 + 2) + varint(len(value)) + value


def onnx_tensor(name, array, **changes):
    raw = changes.get("raw", array.astype("<f4").tobytes())
    dims = b"".join(field(1, size) for size in changes.get("dims", array.shape))
    return dims + field(2, 1) + field(8, name.encode()) + field(9, raw) + changes.get("more", b"")


def onnx_file(path, *tensors):
    node = field(1, b"x") + field(1, b"out.weight") + field(1, b"out.bias") + field(4, b"Gemm")
    node += field(5, field(1, b"transB") + field(3, 1))
    graph = field(1, node) + b"".join(field(5, each) for each in tensors)
    path.write_bytes(field(1, 8) + field(7, graph))
    return path


def test_onnx_is_read(tmp_path, rng):
    kernel, bias = rng.standard_normal((3, 18)).astype(np.float32), np.arange(3, dtype=np.float32)
    path = onnx_file(tmp_path / "a.onnx", onnx_tensor("out.weight", kernel), onnx_tensor("out.bias", bias))
    model = Sequential([Dense(3, name="out", input_shape=(18,))])
    model.load_weights(path)
    assert np.array_equal(model.layers[0].kernel, kernel.T) and np.array_equal(model.layers[0].bias, bias)


BIAS = np.arange(3, dtype=np.float32)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"more": field(14, 1)}, "keeps its numbers in another file, which minitl never opens"),
        ({"more": field(13, field(1, b"location") + field(2, b"/etc/passwd"))}, "keeps its numbers in another file"),
        ({"raw": b""}, "has 0 bytes, expected 12"),
        ({"dims": (2**40, 2**40)}, "has 12 bytes, expected"),
        ({"dims": (2**64 - 1,)}, "negative size"),
        ({"more": b"\x4a\xff\xff\x7f"}, "ends behind its message"),
        ({"more": b"\xff" * 11}, "damaged"),
        ({"more": b"\x0b"}, "a field of form 3"),
    ],
)
def test_onnx_that_lies(tmp_path, changes, message):
    refused(onnx_file(tmp_path / "a.onnx", onnx_tensor("out.bias", BIAS, **changes)), message)


def test_onnx_without_constants(tmp_path):
    refused(onnx_file(tmp_path / "a.onnx"), "expected an ONNX file with constants")
    (tmp_path / "b.onnx").write_bytes(b"\0" * 100)
    refused(tmp_path / "b.onnx", "damaged or no ONNX file")


# ---- PyTorch ----


def test_pytorchs_files_need_pytorch(tmp_path, monkeypatch):
    """The restricted reader is PyTorch's own. Without PyTorch there is none."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"cos\nsystem\n(S'touch pwned'\ntR.")
    (tmp_path / "a.pth").write_bytes(buffer.getvalue())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MinitlError, match="needs PyTorch .the extra 'convert'|asks for more than tensors|is damaged"):
        network().load_weights(tmp_path / "a.pth")
    assert not (tmp_path / "pwned").exists()


# ---- the child process ----


def test_an_unknown_file_is_read_in_a_child_process(legacy, monkeypatch):
    """An unknown file is read in a child process, and a known one is not. libhdf5 sees neither in this process."""
    monkeypatch.setattr(h5py, "File", None)
    known._listings.clear()
    asked = []
    ordinary = reading._ask_child
    monkeypatch.setattr(reading, "_ask_child", lambda *arguments: asked.append(1) or ordinary(*arguments))
    network().load_weights(legacy)
    network().load_weights(legacy)
    assert asked == [1]


@pytest.mark.parametrize(
    "program, message",
    [
        ("import os; os.kill(os.getpid(), 11)", "crashed the child process .*signal 11"),
        ("import time; time.sleep(60)", "did not end within 1 s"),
        ("import sys; sys.exit('no')", "crashed the child process .exit status 1; no"),
        ("print('nonsense')", "crashed the child process"),
        ("print('{}')", "cannot be read"),
        ("print('[1]')", "cannot be read|crashed"),
        ('print(\'{"error": "bad", "kind": "SystemExit"}\')', "bad"),
        (
            'print(\'{"format": "x", "texts": {}, "tensors": [{"name": "a", "shape": [2], "offset": 0}]}\')',
            "cannot be read",
        ),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="signals are a matter of POSIX")
def test_whatever_the_child_does(legacy, monkeypatch, program, message):
    known._listings.clear()
    monkeypatch.setattr(reading, "BASE_SECONDS", 1)
    ordinary = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda command, **rest: ordinary([sys.executable, "-c", program], **rest))
    with pytest.raises(WeightsError, match=message):
        network().load_weights(legacy)


@pytest.mark.skipif(os.name == "nt", reason="Windows limits no process's time")
def test_damage_in_which_hdf5_computes_for_ever(tmp_path, monkeypatch):
    """Zeros in the heap of texts, as a file has them that was not written to the end."""
    path = tmp_path / "model.weights.h5"
    network().save_weights(path)
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 32 : heap + 96] = bytes(64)
    path.write_bytes(content)
    monkeypatch.setattr(reading, "PROCESSOR_SECONDS", 3)
    refused(path, "did not end within 3 s of computing. .* Download or save it again", UnsafeFileError)


def entry(**changes):
    good = {"name": "a", "layer": "b", "parameter": "kernel", "shape": [2, 3], "dtype": "<f4", "offset": 8}
    return {"format": "x", "texts": {}, "tensors": [{**good, **changes}]}


def test_what_the_child_says_is_not_believed():
    assert Listing.from_data(entry(), 32, 0).tensors[0].shape == (2, 3)
    for changes in (
        {"offset": 9}, {"offset": -1}, {"offset": 1.5}, {"offset": True}, {"shape": [2, -3]}, {"shape": [2.0]},
        {"shape": [10**30]}, {"dtype": "O"}, {"dtype": 3}, {"dtype": "<f4,<f4"}, {"name": 3}, {"layer": 3},
        {"name": "\ud800"},
        {"parameter": None}, {"copied": True}, {"more": 1},
    ):  # fmt: skip
        with pytest.raises((ValueError, TypeError, KeyError)):
            Listing.from_data(entry(**changes), 32, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory in this way")
def test_the_child_limits_itself():
    program = (
        "from minitl.weights.distrust.child_process import limit_memory_and_time\nlimit_memory_and_time(2**30, 5)\n"
        "import resource\n"
        "print(resource.getrlimit(resource.RLIMIT_AS)[0], resource.getrlimit(resource.RLIMIT_CPU)[0])\n"
        "try:\n    bytearray(2**31)\nexcept MemoryError:\n    print('no memory')"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == [str(2**30), "5", "no", "memory"]


# ---- files whose content is known ----


def test_a_damaged_file_of_ours_is_never_loaded(tmp_path, rng):
    """A file that minitl saves has the digest of each tensor: a single wrong bit is found."""
    path = tmp_path / "model.h5"
    network().save(path)
    content = bytearray(path.read_bytes())
    for tensor_name in "conv/conv/kernel:0", "out/out/bias:0":
        with h5py.File(path) as file:
            at = file[tensor_name].id.get_offset()
        damaged = content.copy()
        damaged[at] ^= 1
        (tmp_path / "damaged.h5").write_bytes(damaged)
        refused(tmp_path / "damaged.h5", "is not what was saved .*the file is damaged")
        with pytest.raises(WeightsError, match="is not what was saved"):
            load_model(tmp_path / "damaged.h5")


@pytest.mark.parametrize("name", ["minitl_ledger", "minitl_architecture"])
def test_a_damaged_ledger_cannot_vouch_for_anything(tmp_path, name):
    """A ledger that is damaged or missing proves nothing."""
    path = tmp_path / "model.h5"
    network().save(path)
    for change in "damaged", "gone", "no digest":
        network().save(path)
        with h5py.File(path, "r+") as file:
            text = file[name][()]
            if change == "no digest":
                del file.attrs["minitl_texts_sha256"]
            else:
                del file[name]
            if change == "damaged":
                file[name] = np.bytes_(text.replace(b"conv", b"conw", 1))
        refused(path, "its architecture or its ledger is not what was saved")


def test_a_file_that_changes_is_seen_again(legacy, rng):
    """A file changes its numbers at once, but not its name or size. Its digest is taken anew."""
    first, second = network(), network()
    second.set_weights([rng.standard_normal(each.shape) for each in second.get_weights()])
    for model in first, second, first:
        model.save_weights(legacy)
        other = network()
        other.load_weights(legacy)
        assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights()))


def test_a_file_that_changes_while_it_is_read(legacy, tmp_path, monkeypatch):
    """Somebody puts another file in its place between the taking of the digest and the opening."""
    ordinary = reading._digest

    def slow_digest(*arguments):
        digest = ordinary(*arguments)
        os.replace(tmp_path / "other.h5", legacy)
        return digest

    Sequential([Dense(9, name="out", input_shape=(5,))]).save_weights(tmp_path / "other.h5")
    monkeypatch.setattr(reading, "_digest", slow_digest)
    with pytest.raises(WeightsError, match="was written to while it was read"):
        network().load_weights(legacy)


def test_a_damaged_memory_of_known_files_is_left_out(legacy, monkeypatch):
    place = known.home_folder() / "known_files.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    for content in b"", b"{", b"[]", b'{"x": {}}', b'{"x": {"signature": null, "sha256": 1, "size": "y"}}', b"\xff\xfe":
        place.write_bytes(content)
        monkeypatch.setattr(known, "_read_from", None)
        network().load_weights(legacy)


def test_a_changed_memory_of_known_files_is_left_out(tmp_path, rng, monkeypatch):
    """A wrong offset would give wrong numbers, so every entry has a checksum."""
    monkeypatch.setattr(known, "SETTLED", -1)
    model, path = network(), tmp_path / "model.h5"
    model.set_weights([rng.standard_normal(each.shape) for each in model.get_weights()])
    model.save_weights(path)
    known._listings.clear()
    network().load_weights(path)
    place = known.home_folder() / "known_files.json"
    content = place.read_text()
    offset = json.loads(content)[str(path.resolve())]["listing"]["tensors"][0]["offset"]
    place.write_text(content.replace(f'"offset": {offset}', f'"offset": {offset + 4}'))
    known._listings.clear()
    monkeypatch.setattr(known, "_read_from", None)
    other = network()
    other.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights()))


def test_places_of_imports_that_are_no_text(legacy, monkeypatch):
    """Some programs put `Path`s into sys.path."""
    known._listings.clear()
    monkeypatch.setattr(sys, "path", [*sys.path, Path("somewhere")])
    network().load_weights(legacy)


def test_a_user_without_a_home(legacy, monkeypatch):
    monkeypatch.setenv("MINITL_HOME", "~nobody_of_this_name/x")
    monkeypatch.setattr(known, "_read_from", None)
    network().load_weights(legacy)
    with pytest.raises(WeightsError, match="no home folder. Set MINITL_HOME"):
        known.home_folder()


def test_a_home_that_cannot_be_written(legacy, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("MINITL_HOME", str(tmp_path / "file"))
    network().load_weights(legacy)
    with pytest.raises(ArgumentError, match="path is None"):
        reading.open_weights(None)
    refused(tmp_path, "expected a file, found a folder")


def test_no_temporary_files_stay(legacy, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    known._listings.clear()
    with h5py.File(legacy, "r+") as file:
        array = file["out/out/kernel:0"][()]
        del file["out/out/kernel:0"]
        file.create_dataset("out/out/kernel:0", data=array, chunks=True, compression="gzip")
    network().load_weights(legacy)
    (tmp_path / "bad.h5").write_bytes(legacy.read_bytes()[:3000])
    refused(tmp_path / "bad.h5", "damaged")
    assert list(temporary.iterdir()) == []


def test_the_limits_of_a_copy(tmp_path):
    copy = child.Copy(tmp_path / "copy", 10)
    assert copy.fits(10) and not copy.fits(11)
    assert copy.add(np.zeros(2, "<f4")) == 0 and copy.room == 2 and not copy.fits(3)


def test_the_list_of_threats_names_guards_that_exist():
    from minitl import cli, graph, terminal
    from minitl.files import hdf5
    from minitl.graph import architecture  # noqa: F401  makes `graph.architecture` an attribute
    from minitl.weights import distrust, loading, naming
    from minitl.weights.formats import keras_archive, llama2c_file, onnx_file, safetensors_file, stored_file, torch_file
    from minitl.weights.published import catalogue, download, packages

    modules = (cli, graph, terminal, hdf5, loading, naming, keras_archive, keras_h5, llama2c_file, onnx_file,
               safetensors_file, torch_file, catalogue, download, packages, child, known, reading)  # fmt: skip
    owners = {module.__name__.rpartition(".")[2]: module for module in modules}
    owners.update(Listing=Listing, StoredFile=stored_file.StoredFile)
    guards = re.findall(r"`(\w+(?:\.\w+)+)`", distrust.__doc__)
    assert len(guards) > 30
    for guard in guards:
        first, *names = guard.split(".")
        found = owners[first]
        for name in names:
            found = getattr(found, name)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system with fork")
def test_a_few_mutants_of_each_format():
    """`fuzz_weights.py` does thousands of mutants. This test checks that the program still runs."""
    program = REPOSITORY / "tests" / "programs" / "fuzz_weights.py"
    formats = ["h5", "whole-h5", "weights-h5", "chunked-h5", "keras", "minitl", "published"]
    command = [sys.executable, str(program), "--count", "20", "--formats", *formats]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("20 mutants") == len(formats)

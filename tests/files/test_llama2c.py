"""llama2.c's files: the arrays are those of the file, and a header that does not give the file's length is refused."""

import os
import struct
import tracemalloc

import numpy as np
import pytest
from conftest import shared

from minitl.errors import ArgumentError, UnsafeFileError, WeightsError
from minitl.weights import open_weights
from minitl.weights.formats.llama2c_file import read_llama2c

SIZES = {"dim": 8, "hidden_dim": 12, "n_layers": 3, "n_heads": 2, "n_kv_heads": 1, "vocab_size": 5, "seq_len": 6}
# Written out by hand for SIZES: heads of 4 numbers, so that the keys have 4 and RoPE 2 pairs.
SHAPES = {"token_embedding": (5, 8), "rms_att": (3, 8), "wq": (3, 8, 8), "wk": (3, 4, 8), "wv": (3, 4, 8),
          "wo": (3, 8, 8), "rms_ffn": (3, 8), "w1": (3, 12, 8), "w2": (3, 8, 12), "w3": (3, 12, 8), "rms_final": (8,),
          "freq_cis_real": (6, 2), "freq_cis_imag": (6, 2)}  # fmt: skip


def header(**changed):
    return struct.pack("<7i", *{**SIZES, **changed}.values())


def numbers(shapes):
    """Return {name: array} whose numbers tell their place in the file: 0, 1, 2, ..."""
    arrays, position = {}, 0
    for name, shape in shapes.items():
        count = int(np.prod(shape))
        arrays[name] = np.arange(position, position + count, dtype="<f4").reshape(shape)
        position += count
    return arrays


def content(arrays, **changed):
    return header(**changed) + b"".join(array.tobytes() for array in arrays.values())


@pytest.fixture
def write(tmp_path):
    def write(data):
        (tmp_path / "model.bin").write_bytes(data)
        return tmp_path / "model.bin"

    return write


def refused(path, *words, error=WeightsError):
    """Check that reading is refused, with these words and the file's name, before an array is made."""
    tracemalloc.start()
    with pytest.raises(error) as caught:
        read_llama2c(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**20
    assert all(word in str(caught.value) for word in (str(path), *words)), caught.value


def test_every_array_is_that_of_the_file(write):
    expected = numbers(SHAPES)
    config, arrays = read_llama2c(str(write(content(expected))))
    assert config._asdict() == {**SIZES, "shared_classifier": True}
    assert list(arrays) == [name for name in SHAPES if not name.startswith("freq_cis")]
    for name, array in arrays.items():
        assert array.dtype == np.float32 and array.flags.writeable
        np.testing.assert_array_equal(array, expected[name])


def test_a_negative_vocabulary_says_that_the_output_has_a_kernel_of_its_own(write):
    expected = numbers({**SHAPES, "wcls": (5, 8)})
    config, arrays = read_llama2c(write(content(expected, vocab_size=-5)))
    assert config.vocab_size == 5 and not config.shared_classifier
    np.testing.assert_array_equal(arrays["wcls"], expected["wcls"])


def test_a_kernel_and_no_room_for_it_is_refused(write):
    refused(write(content(numbers(SHAPES), vocab_size=-5)), "vocab_size 5", "something is missing")


@pytest.mark.parametrize("field", SIZES)
@pytest.mark.parametrize("value", [0, -(2**31), 2**31 - 1])
def test_a_hostile_size_is_refused(write, field, value):
    refused(write(content(numbers(SHAPES), **{field: value})), field)


def test_sizes_that_no_file_could_have_are_called_unsafe(write):
    sizes = {"dim": 2**30, "n_layers": 2**30, "hidden_dim": 2**31 - 1, "n_heads": 1}
    refused(write(header(**sizes)), "gives", error=UnsafeFileError)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda data: data[:-1], "something is missing"),
        (lambda data: data[:40], "something is missing"),
        (lambda data: data + b"\0", "stands behind"),
        (lambda data: data[:27], "27 bytes long"),
        (lambda data: b"", "0 bytes long"),
        (lambda data: b"24ka" + data[4:], "version 0"),
    ],
)
def test_a_damaged_file_is_refused(write, change, words):
    refused(write(change(content(numbers(SHAPES)))), words)


def test_whatever_is_changed_in_the_header_the_file_is_read_whole_or_refused(write, rng):
    data = content(numbers(SHAPES))
    count, refusals = (len(data) - 28) // 4, 0
    for _ in range(300):
        mutant = bytearray(data)
        for place in rng.integers(0, 28, rng.integers(1, 4)):
            mutant[place] = rng.integers(0, 256) if rng.random() < 0.5 else rng.integers(0, 9)
        path = write(bytes(mutant))
        try:
            config, arrays = read_llama2c(path)
        except WeightsError as error:
            assert str(path) in str(error)
            refusals += 1
        else:
            unused = config.seq_len * (config.dim // config.n_heads)
            assert sum(array.size for array in arrays.values()) + unused == count
    assert refusals > 250


def test_heads_that_do_not_fit_are_refused(write):
    refused(write(content(numbers(SHAPES), n_heads=3)), "n_heads 3", "RoPE")
    refused(write(content(numbers(SHAPES), n_heads=8, n_kv_heads=8)), "RoPE")  # one number for each head: no pair
    refused(write(content(numbers(SHAPES), n_kv_heads=3)), "n_kv_heads 3", "multiple")


def test_numbers_that_are_not_finite_are_refused(write):
    arrays = numbers(SHAPES)
    arrays["w2"][1, 2, 3] = np.nan
    refused(write(content(arrays)), "'w2'", "NaN")


def test_what_is_no_file_is_refused(tmp_path):
    refused(tmp_path, "folder")
    refused(tmp_path / "none.bin", "No such file" if os.name != "nt" else "cannot be read")
    refused("a\0b", "cannot be read")
    with pytest.raises(ArgumentError, match="path is 3"):
        read_llama2c(3)


def test_every_command_for_files_of_weights_opens_it(write):
    expected = numbers(SHAPES)
    with open_weights(write(content(expected))) as file:
        assert file.listing.format == "llama2.c"
        for tensor in file.tensors:
            np.testing.assert_array_equal(file.read(tensor), expected[tensor.name])


def test_the_published_model_is_read():
    config, arrays = read_llama2c(shared("data/stories260k/stories260K.bin", "the model stories260K"))
    assert config == (64, 172, 5, 8, 4, 512, 512, True)  # as its authors trained it
    assert sum(array.size for array in arrays.values()) == 260_032
    assert 0.5 < arrays["rms_att"].mean() < 2 and abs(arrays["wq"].mean()) < 0.01  # the arrays begin where they should

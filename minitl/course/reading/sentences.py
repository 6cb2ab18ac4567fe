"""Sentences as averages, and read by an RNN and LSTMs; how much of the gradient is left at the first word.

`minitl explain sentences` shows what GloVe's vectors know, and what their average cannot tell. Then a SimpleRNN and an
LSTM go forward and back through four steps by hand (`through_time`). At last, networks learn the task of `toy` with
sentences of three lengths, and the gradients of the longest show why some of them learn nothing.

    words (N, T, D) -> mean, or SimpleRNN, or LSTM -> (N, U) -> two probabilities

Read next: `kernels.recurrent`, `kernels.lstm`, and `layers.recurrent_layer`, the loop over the steps.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from ...losses import SparseCategoricalCrossentropy
from ...randomness import set_random_seed
from ...terminal import table
from ..explain.page import Page
from ..printing import heading, say
from . import toy
from .figures import chart_as_text, check, draw_gradients
from .formulas import sigmoid
from .through_time import explain_lstm, explain_rnn
from .words import WordVectors, cosine

NEAREST = ("dog", "piano", "seven", "good")
ANALOGIES = (("king", "man", "woman"), ("paris", "france", "italy"), ("doctor", "man", "woman"))  # a - b + c
PAIRS = (
    ("dog bites man", "man bites dog"),
    ("the film is good", "the film is not good"),
    ("the film is good", "a great movie"),
    ("the film is good", "the train is late"),
)
LARGE_BIAS = 3.0  # of the gates f of the second LSTM
NETWORKS = {
    "average": toy.averaging,
    "SimpleRNN": toy.simple_rnn,
    "LSTM, f = 0.73": toy.lstm,
    "LSTM, f = 0.95": partial(toy.lstm, forget_bias=LARGE_BIAS),
}
SHOWN = (1, 5, 10, 15, 20, 25)  # words whose gradient is printed


class Extent(NamedTuple):
    """The extent of the program: sentences, epochs, and the lengths of the sentences in words."""

    training: int
    test: int
    epochs: int
    lengths: tuple


EXTENT = Extent(training=2000, test=500, epochs=6, lengths=(5, 10, 25))


def explain_sentences(plots=None, seed=0):
    """Print what averages and recurrent networks make of sentences. Returns the numbers as plain data.

    plots   None, or a folder: `sentences.png` is drawn there (needs matplotlib)
    seed    of the networks' first weights and of the order of the sentences
    """
    check(plots)
    words = WordVectors()
    known = _words(words)
    averages = _averages(words)
    page = Page()
    rnn, lstm = explain_rnn(page), explain_lstm(page)
    print("\n".join(page.lines).lstrip("\n"))
    print(f"\n{page.checked:,} numbers were computed twice, by the formulas above and by the engine.\n", flush=True)
    accuracies = _readers(words, seed)
    curves = _gradients(words, seed)
    if plots is not None:
        draw_gradients(curves, plots, "sentences.png")
    return {
        **known,
        "cosine_of_averages": averages,
        "by_hand": {"SimpleRNN dL/dh": rnn, "LSTM dL/dc": lstm},
        "lengths": EXTENT.lengths,
        "accuracy": accuracies,
        "gradient_norms": curves,
        "seed": seed,
    }


def _words(words):
    """Print the nearest words of some words, and sums and differences. Returns them as plain data."""
    heading("Words")
    say(
        f"GloVe has {words.vectors.shape[1]} numbers for a word: here for the {len(words.words):,} most frequent words "
        "of the English Wikipedia and of newspapers. Two vectors are compared by the cosine of the angle between them: "
        "1 in the same direction, 0 at a right angle. The nearest words of:"
    )
    nearest = {}
    for word in NEAREST:
        nearest[word] = words.nearest(words.of(word)[0], 5, without=(word,))
        print(f"  {word:8}{_listed(nearest[word])}")
    print()
    say("Differences have a meaning as well. Nearest to a - b + c, with a, b and c left out:")
    analogies = {}
    for a, b, c in ANALOGIES:
        target = words.of(a)[0] - words.of(b)[0] + words.of(c)[0]
        name = f"{a} - {b} + {c}"
        analogies[name] = words.nearest(target, 3, without=(a, b, c))
        print(f"  {name:26}{_listed(analogies[name])}")
    print()
    say("The vectors know what the texts say, and so they know the prejudices in them.")
    return {"nearest": nearest, "analogies": analogies}


def _listed(found):
    """Return words and cosines as text: "cat 0.92, dogs 0.85"."""
    return ", ".join(f"{word} {value:.2f}" for word, value in found)


def _averages(words):
    """Print how alike the averages of some sentences are. Returns plain data."""
    heading("A sentence as an average")
    say("The mean of its words' vectors is one vector for a sentence of any length. The cosines of such means:")
    found = []
    for one, other in PAIRS:
        found.append((one, other, cosine(words.average(one), words.average(other))))
        print(f"  {found[-1][2]:.3f}   {one} | {other}")
    print()
    say(
        "A mean does not change when its words change places: who bites whom is lost. And one short word, as 'not', is "
        "a small part of it, whatever it does to the meaning."
    )
    return found


def _readers(words, seed):
    """Train all networks on sentences of all lengths, and print their accuracies: {length: {network: accuracy}}."""
    heading("Who does something to whom?")
    example = toy.sentences(words, 2, 10)
    say(
        f"{EXTENT.training:,} sentences to learn from, {EXTENT.test} to test on, in pairs: '{example.texts[0]}', "
        f"'{example.texts[1]}'. Is it the animal that does it, or the person? The animals and people of the test do "
        "not occur in the training. Words behind the first five say nothing; a network has to remember across them."
    )
    rows, accuracies = [["words", *NETWORKS]], {}
    for length in EXTENT.lengths:
        training = toy.sentences(words, EXTENT.training, length)
        test = toy.sentences(words, EXTENT.test, length, test=True)
        accuracies[length] = {}
        for name, build in NETWORKS.items():
            model = toy.trained(build, training, EXTENT.epochs, seed)
            accuracies[length][name] = toy.accuracy(model, test)
            print(f"{length} words, {name}: accuracy {accuracies[length][name]:.3f}", flush=True)
        rows.append([length, *(f"{each:.3f}" for each in accuracies[length].values())])
    print(f"\n{table(rows)}\n")
    say(
        "f says how much of its memory an LSTM keeps at each step. At the beginning it is sigmoid(bias): "
        f"{sigmoid(1):.2f} with the usual bias of 1, {sigmoid(LARGE_BIAS):.2f} with {LARGE_BIAS:.0f}. Over 20 words, "
        f"{sigmoid(1) ** 20:.4f} of the memory is kept, or {sigmoid(LARGE_BIAS) ** 20:.2f}."
    )
    return accuracies


def _gradients(words, seed):
    """Print how much of the gradient is left at each word, before training: {network: [share at t = 1, ..., T]}."""
    length = max(EXTENT.lengths)
    heading(f"The gradient on its way back through {length} words")
    batch = toy.sentences(words, 64, length)
    curves = {}
    for name, build in NETWORKS.items():
        if name == "average":
            continue
        set_random_seed(seed)
        norms = np.array(state_gradient_norms(build(length, words.vectors.shape[1]), batch))
        curves[name] = (norms / norms[-1]).tolist()
    say(f"The size of dL/dh_t behind word t, before any training, divided by that behind word {length}:")
    print(f"{chart_as_text(curves)}\n")
    shown = [t for t in SHOWN if t <= length]
    rows = [["word t", *map(str, shown)]]
    rows += [[name, *(f"{numbers[t - 1]:.1e}" for t in shown)] for name, numbers in curves.items()]
    print(f"{table(rows)}\n")
    say(
        "From the end of the sentence to its beginning, each step multiplies the gradient once more. Where nothing "
        "arrives, nothing is learned: the network is told that its answer is wrong, and not that word 2 is the reason."
    )
    return curves


def state_gradient_norms(model, batch):
    """Return [|dL/dh_1|, ..., |dL/dh_T|] of the recurrent layer of a network of `toy`, on a batch of sentences."""
    reader, answer = model.get_layer("reader"), model.get_layer("answer")
    criterion = SparseCategoricalCrossentropy()
    criterion.forward(batch.labels, answer.forward(reader.forward(batch.vectors)))
    return reader.state_gradient_norms(answer.backward(criterion.backward()))[1:]

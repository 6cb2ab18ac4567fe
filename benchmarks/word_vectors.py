"""Vectors of words: random ones, GloVe's as they are, and GloVe's that go on learning, for more and more texts.

    python -m benchmarks.word_vectors rt-polarity.all        (a text a line, "0 ..." or "1 ..."; about 5 minutes a seed)

The comparison of Kim 2014 (Convolutional Neural Networks for Sentence Classification, table 2) on the movie reviews of
Pang & Lee 2005, with vectors of 50 numbers instead of 300. The network is Kim's: filters over 3, 4 and 5 words, the
largest answer of each, dropout, a dense layer. Random vectors learn; `static` ones stay; `tuned` ones begin as GloVe's
and learn.

For each seed, a tenth of the texts is held back for the test, and nested parts of the others are the training texts. A
tenth of these chooses the learning rate and the number of epochs: the test texts choose nothing. Each row of the table
is a mean over the seeds, with the 95 % interval of the difference between static and random vectors, paired by seed.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from minitl.callbacks import EarlyStopping
from minitl.errors import ArgumentError
from minitl.layers import Concatenate, Conv1D, Dense, Dropout, Embedding, GlobalMaxPooling1D, Input
from minitl.models import Model
from minitl.optimizers import Adam
from minitl.terminal import table
from minitl.utils import set_random_seed
from minitl.weights import glove

VARIANTS = ("random", "static", "tuned")
SIZES, SEEDS = (100, 300, 1000, 3000, None), range(5)  # None: all training texts
RATES, EPOCHS, PATIENCE, BATCH = (0.001, 0.003), 40, 4, 50
WIDTHS, FILTERS = (3, 4, 5), 100
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}  # by seeds


def read(path):
    """Return the words of each text, a list of lists, and the labels (N,). Raises ArgumentError for another file."""
    lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = [line.split(maxsplit=1) for line in lines if line.strip()]
    if not pairs or any(len(pair) < 2 or pair[0] not in ("0", "1") for pair in pairs):
        raise ArgumentError(f"{path}: expected a text in each line, behind 0 or 1.")
    return [text.lower().split() for _, text in pairs], np.array([int(label) for label, _ in pairs])


def numbered(texts):
    """Return tokens (N, T), padded with 0, and {word: its number}, from 1 on."""
    numbers = {word: k for k, word in enumerate(sorted({word for text in texts for word in text}), 1)}
    tokens = np.zeros((len(texts), max(*WIDTHS, *map(len, texts))), np.int32)
    for row, text in zip(tokens, texts):
        row[: len(text)] = [numbers[word] for word in text]
    return tokens, numbers


def first_vectors(numbers, variant, known, rng):
    """Return the table (V + 1, D) to begin with; row 0 is padding.

    known   {word: vector} of GloVe. Other words have random vectors, of the same mean size, as all have in `random`
    """
    vectors = np.array(list(known.values()))
    found = rng.normal(0, vectors.std(), (len(numbers) + 1, vectors.shape[1])).astype(np.float32)
    found[0] = 0
    if variant != "random":
        for word, number in numbers.items():
            if word in known:
                found[number] = known[word]
    return found


def network(vectors, learns, length):
    """Return Kim's network on these vectors."""
    tokens = Input((length,), dtype="int32")
    x = Embedding(*vectors.shape, weights=vectors, trainable=learns)(tokens)
    largest = [GlobalMaxPooling1D()(Conv1D(FILTERS, width, activation="relu")(x)) for width in WIDTHS]
    return Model(tokens, Dense(2, activation="softmax")(Dropout(0.5)(Concatenate()(largest))))


def trained(vectors, learns, tokens, labels, seed):
    """Return the network whose rate and epochs fit best to a tenth of these texts, which does not train."""
    held, best = max(10, len(tokens) // 10), (np.inf, None)
    for rate in RATES:
        set_random_seed(seed)
        model = network(vectors.copy(), learns, tokens.shape[1])
        model.compile(Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        stop = EarlyStopping("val_loss", patience=PATIENCE, restore_best_weights=True)
        history = model.fit(tokens[held:], labels[held:], BATCH, EPOCHS, 0, callbacks=[stop],
                            validation_data=(tokens[:held], labels[:held])).history  # fmt: skip
        best = min(best, (min(history["val_loss"]), model), key=lambda pair: pair[0])
    return best[1]


def measured(path, sizes=SIZES, seeds=SEEDS, say=print):
    """Return {size: {variant: the accuracy on the test texts for each seed}}. `say` gets a line for each seed."""
    texts, labels = read(path)
    (tokens, numbers), (words, vectors) = numbered(texts), glove()
    known = dict(zip(words, vectors))
    found = {}
    for seed in seeds:
        start, order = time.perf_counter(), np.random.default_rng(seed).permutation(len(labels))
        test, learn = order[: len(order) // 10], order[len(order) // 10 :]
        for size in sizes:
            some = learn[:size]
            for variant in VARIANTS:
                begin = first_vectors(numbers, variant, known, np.random.default_rng(seed))
                model = trained(begin, variant != "static", tokens[some], labels[some], seed)
                right = model.predict(tokens[test], verbose=0).argmax(axis=1) == labels[test]
                found.setdefault(len(some), {}).setdefault(variant, []).append(float(right.mean()))
        say(f"seed {seed}: {time.perf_counter() - start:.0f} s")
    return found


def interval(differences):
    """Return the mean of paired differences, and half of its 95 % interval (Student's t)."""
    count = len(differences)
    half = T_95[count] * np.std(differences, ddof=1) / np.sqrt(count) if count in T_95 else np.nan
    return float(np.mean(differences)), float(half)


def rows(found):
    """Return the table's rows."""
    lines = [["texts", *VARIANTS, "static - random", "95 %", "random < static"]]
    for size, accuracies in found.items():
        differences = np.subtract(accuracies["static"], accuracies["random"])
        mean, half = interval(differences)
        means = [f"{np.mean(accuracies[variant]):.3f}" for variant in VARIANTS]
        held = f"{int((differences > 0).sum())} of {len(differences)} seeds"
        lines.append([f"{size:,}", *means, f"{mean:+.3f}", f"{mean - half:+.3f} to {mean + half:+.3f}", held])
    return lines


def main(arguments=None):
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.word_vectors", description=__doc__.splitlines()[0])
    parser.add_argument("texts", help="a file with a text in each line, behind 0 or 1")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of training texts")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--json", help="a file for the accuracies")
    options = parser.parse_args(arguments)
    found = measured(options.texts, options.sizes, options.seeds)
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1))
    print(table(rows(found)))


if __name__ == "__main__":
    main()

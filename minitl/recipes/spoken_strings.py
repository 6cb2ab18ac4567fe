"""Strings of spoken words: a model that writes down several words in a row, learned from recordings of single words.

    result = learn_strings(recordings, 16000, words, speakers, is_test)
    print(result.known)                                    strings of speakers that it has learned from
    result.recognise(["two one five", as samples], 16000)  -> [["two", "one", "five"]]

Strings are made by putting recordings of one speaker in a row. The labels say which words they are, and not where each
of them ends: the loss is `losses.CTC`. Recordings of the test are never part of a string to learn from, and the
speaker in `left_out` is in none of them at all.

    string  ->  speech embedding, frozen  ->  (T, 96)  ->  convolution over 7 steps  ->  scores (T, 1 + words)  ->  CTC

An embedding of the frozen base sees 0.76 s, and the next begins 0.08 s later. A word may take 0.2 s, and two equal
words need a blank between them. So the base runs twice, the second time 4 frames later, and the embeddings of both take
turns: one every 0.04 s. The head is a convolution, so that an embedding is judged beside its neighbours.

Read next: `applications/speech_embedding.py`, `kernels/ctc.py`.
"""

import time
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from ..applications.speech_embedding import NUMBERS, RATE, STEP, SpeechEmbedding, preprocess_input, windows_in
from ..errors import DataError
from ..kernels.resampling_in_time import resample
from ..layers import Conv1D, Dense, Dropout, Input
from ..losses import CTC, ctc_decode
from ..metrics import error_rate
from ..models import Model
from ..optimizers import Adam
from ..progress import Progress
from ..randomness import set_random_seed
from ..terminal import counted

EDGE = 6400  # samples of silence before and after a string: 0.4 s, half of what an embedding sees
BATCH = 24  # strings that go through the base together


@dataclass(frozen=True)
class StringSettings:
    """The settings of `learn_strings`.

    words            in a string
    strings          to learn from, for each speaker;   test_strings   to measure with, for each speaker
    units            filters of the head's convolution;   kernel_size   embeddings that it sees
    dropout          the share of embeddings' numbers, and of the convolution's, that is dropped in training
    epochs           the last third of them has a fifth of the `learning_rate`
    """

    words: int = 3
    strings: int = 200
    test_strings: int = 50
    units: int = 128
    kernel_size: int = 7
    dropout: float = 0.5
    epochs: int = 20
    learning_rate: float = 0.003
    batch_size: int = 50
    seed: int = 0


class StringEvaluation(NamedTuple):
    """The figures of a set of strings: `whole`, the share whose words are all right; `error_rate`, the sum of all edits
    divided by the sum of all words (`metrics.error_rate`); `strings`, how many there are."""

    whole: float
    error_rate: float
    strings: int

    def __str__(self):
        return f"{self.whole:.3f} of {counted(self.strings, 'string')} whole, word error rate {self.error_rate:.3f}"


@dataclass(frozen=True)
class LearnedStrings:
    """The result of `learn_strings`: a recogniser, and how good it is.

    base, head   the frozen base and the trained head;   mean, deviation (96,)   of the embeddings of the training
    words        the names of the classes: class k + 1 is words[k], 0 is the blank
    known        the `StringEvaluation` of test strings of speakers that were learned from
    unknown      the same of the speaker that was left out, or None
    history      {"loss": [of each epoch]};   seconds   in all
    """

    base: Model
    head: Model
    mean: np.ndarray
    deviation: np.ndarray
    words: list
    known: StringEvaluation | None = None
    unknown: StringEvaluation | None = None
    history: dict = field(default_factory=dict)
    seconds: float = 0.0

    def recognise(self, recordings, rate, beam_width=None):
        """Return the words of each recording as a list of lists.

        recordings   rows of samples from -1 to 1;   rate   samples a second;   beam_width   as in `losses.ctc_decode`
        """
        x, lengths = string_features(self.base, [at_rate(each, rate) for each in recordings])
        return self.of_features(x, lengths, beam_width)

    def of_features(self, x, lengths, beam_width=None):
        """Return the words of strings whose `string_features` are known."""
        scores = self.head.predict(normalized(x, lengths, self.mean, self.deviation), verbose=0)
        found = ctc_decode(scores, lengths, beam_width)
        return [[self.words[label - 1] for label in labels] for labels in found]


def learn_strings(
    recordings, rate, words, speakers, is_test, left_out=None, settings=None, base=None, verbose=1
) -> LearnedStrings:
    """Learn to write down strings of words, and measure it. Return `LearnedStrings`.

    recordings   one spoken word each: rows of samples from -1 to 1;   rate   samples a second of all of them
    words        the word in each recording (N,);   speakers   who says it (N,)
    is_test      booleans (N,): True for recordings that only strings of the test consist of
    left_out     None, or a speaker whose recordings are not learned from; the test then measures this one apart
    settings     `StringSettings`;   base   a `SpeechEmbedding` (None: with the published weights)

    Raises DataError where a speaker has no recording for the training or for the test.
    """
    start, settings = time.time(), settings or StringSettings()
    words, speakers, is_test = np.asarray(words), np.asarray(speakers), np.asarray(is_test, bool)
    if not len(recordings) == len(words) == len(speakers) == len(is_test):
        raise DataError(
            f"there are {len(recordings)} recordings, {len(words)} words, {len(speakers)} speakers and {len(is_test)} "
            "entries of is_test; expected one of each for every recording."
        )
    if left_out is not None and left_out not in speakers:
        raise DataError(f"left_out is {left_out!r}; expected one of {', '.join(map(str, np.unique(speakers)))}.")
    base = SpeechEmbedding() if base is None else base
    rng, names = np.random.default_rng(settings.seed), sorted(set(words.tolist()))
    learned = make_strings(speakers, ~is_test & (speakers != left_out), settings.strings, settings.words, rng)
    tested = make_strings(speakers, is_test, settings.test_strings, settings.words, rng)
    samples = [at_rate(each, rate) for each in recordings]

    def features(strings, title):
        return string_features(base, [np.concatenate([samples[n] for n in string]) for string in strings], title)

    x, lengths = features(learned, "Strings to learn from" if verbose else None)
    frames = x[np.arange(x.shape[1]) < lengths[:, None]]  # (all frames, 96)
    set_random_seed(settings.seed)
    result = LearnedStrings(base, head_of(len(names), settings), frames.mean(axis=0), frames.std(axis=0) + 1e-6, names)
    numbers = np.array([names.index(word) + 1 for word in words.tolist()])  # the class of each recording; 0: the blank
    x = normalized(x, lengths, result.mean, result.deviation)
    history = train(result.head, x, lengths, numbers[learned], settings, verbose)

    x, lengths = features(tested, "Strings of the test" if verbose else None)
    found, right = result.of_features(x, lengths), [[words[n] for n in string] for string in tested.tolist()]
    is_known = speakers[tested[:, 0]] != left_out
    parts = [evaluation(found, right, part) for part in (is_known, ~is_known)]
    result = replace(result, known=parts[0], unknown=parts[1], history=history, seconds=time.time() - start)
    if verbose:
        print(f"Speakers that it has learned from: {result.known}")
        if result.unknown:
            print(f"{left_out}, from whom it has learned nothing: {result.unknown}")
    return result


def make_strings(speakers, may_be_used, count, words, rng):
    """Return strings as numbers of recordings (speakers * count, words): each of one speaker, drawn with `rng` from the
    recordings that may be used. A speaker without any is left out, and DataError raised if all are."""
    found = []
    for speaker in sorted(set(speakers.tolist())):
        own = np.flatnonzero((speakers == speaker) & may_be_used)
        if len(own):
            found.append(rng.choice(own, (count, words)))
    if not found:
        raise DataError("no recording is left to make strings of; is_test needs True for some and False for others.")
    return np.concatenate(found)


def string_features(base, strings, title=None):
    """Return the embeddings of strings, one every 4 frames: float32 (N, T, 96), padded with 0, and how many each string
    has (N,). Strings of nearly equal length go through the base together; none depends on the others."""
    silence, half = np.zeros(EDGE, np.float32), STEP // 2
    mels = [preprocess_input(np.concatenate([silence, each, silence]), RATE) for each in strings]
    counts = np.array([[windows_in(len(mel)), max(0, windows_in(len(mel) - half))] for mel in mels])  # (N, 2)
    lengths = counts.sum(axis=1)
    x = np.zeros((len(mels), lengths.max(initial=0), NUMBERS), np.float32)
    order = np.argsort([len(mel) for mel in mels], kind="stable")
    with Progress(title or "Embeddings", len(mels), enabled=title is not None) as bar:
        for first in range(0, len(order), BATCH):
            batch = order[first : first + BATCH]
            longest = max(len(mels[n]) for n in batch)
            padded = np.stack([np.pad(mels[n], ((0, longest - len(mels[n])), (0, 0), (0, 0))) for n in batch])
            for turn in (0, 1):
                for n, embeddings in zip(batch, base.predict_on_batch(padded[:, turn * half :])):
                    x[n, turn : lengths[n] : 2] = embeddings[: counts[n, turn]]
            bar.advance(len(batch))
    return x, lengths


def normalized(x, lengths, mean, deviation):
    """Return embeddings with mean 0 and deviation 1. The padding stays 0, as the convolution pads: so a string has the
    same scores alone as beside longer ones."""
    is_real = np.arange(x.shape[1]) < lengths[:, None]
    return np.where(is_real[..., None], (x - mean) / deviation, 0).astype(np.float32)


def head_of(words, settings):
    """Return the head as a `Model`: embeddings (N, T, 96) -> logits (N, T, 1 + words)."""
    embeddings = Input((None, NUMBERS))
    y = Dropout(settings.dropout)(embeddings)
    y = Conv1D(settings.units, settings.kernel_size, padding="same", activation="relu")(y)
    return Model(embeddings, Dense(1 + words)(Dropout(settings.dropout)(y)), name="strings")


def train(head, x, lengths, labels, settings, verbose):
    """Train the head on normalized embeddings x and class numbers (N, words). Return {"loss": [of each epoch]}."""
    weights, losses = (np.arange(x.shape[1]) < lengths[:, None]).astype(np.float32), []
    slow = settings.epochs // 3
    for rate, epochs in (settings.learning_rate, settings.epochs - slow), (settings.learning_rate / 5, slow):
        if epochs:
            head.compile(Adam(rate), CTC())
            verbosity = 2 if verbose else 0
            history = head.fit(x, labels, settings.batch_size, epochs, sample_weight=weights, verbose=verbosity).history
            losses += history["loss"]
    return {"loss": losses}


def evaluation(found, right, part):
    """Return the `StringEvaluation` of the strings for which `part` is True, or None if there are none."""
    chosen = np.flatnonzero(part)
    if not len(chosen):
        return None
    found, right = [found[n] for n in chosen], [right[n] for n in chosen]
    return StringEvaluation(
        float(np.mean([a == b for a, b in zip(found, right)])), error_rate(right, found), len(right)
    )


def at_rate(samples, rate):
    """Return samples at the base's rate."""
    return samples if rate == RATE else resample(samples, rate, RATE)

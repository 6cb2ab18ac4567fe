"""Train a small language model on a text: from a file of text to a model that writes.

    from minitl.recipes import train_language_model
    result = train_language_model("shakespeare.txt", epochs=5, save="model.h5")
    print(result.loss)

Its tokens are the characters of the text. The text is cut into windows of `length` characters, and at each place of a
window the model learns to predict the next character. The end of the text is held back. The loss on it, in nats a
character, is the mean of -log of the probability that the model gives to the character that really follows; e to the
power of the loss is the number of characters between which the model is, as it were, undecided.

The command `minitl language` calls `train_language_model`. Read next: `writing`.
"""

import math
import time
from dataclasses import dataclass

import numpy as np

from ...applications import Decoder
from ...arguments import AnyPath
from ...data.photos import read_content
from ...data.text import CharacterVocabulary
from ...errors import DataError
from ...kernels.memory import peak_bytes
from ...losses import SparseCategoricalCrossentropy
from ...models import Model
from ...optimizers import Adam, CosineDecay
from ...randomness import set_random_seed
from ...terminal import counted, printable, wrapped
from ...training import BackupAndRestore
from ...version import __version__
from ..job_on_folder import finetuned
from .loading import TASK
from .settings import LanguageSettings
from .writing import write

STAGE = "text"  # the name of the checkpoints' folder
LEAST_RATE = 0.1  # the last learning rate, as a share of the highest
BETA_2 = 0.99  # of Adam: its mean of squares is that of the last 100 steps
SAMPLE = {"tokens": 200, "temperature": 0.8}  # of the text that is printed at the end


@dataclass(frozen=True)
class TrainedLanguageModel:
    """The result of a training on a text.

    model, tokenizer    ready to write, and to be saved: the model's metadata hold the tokenizer
    loss                nats a character on the text that was held back
    history             {"loss": [of each epoch], "val_loss": ...};   sample   a text that the model wrote
    characters          (learned from, held back)
    settings            the `LanguageSettings`;   seconds   in all;   peak_bytes   the most memory, or None
    """

    model: Model
    tokenizer: CharacterVocabulary
    loss: float
    history: dict
    sample: str
    characters: tuple
    settings: LanguageSettings
    seconds: float
    peak_bytes: int | None

    def __repr__(self):
        return f"<{type(self).__name__}: {self.loss:.4f} nats a character, {self.model!r}>"

    def as_data(self):
        """Return everything but the model, as JSON can hold it."""
        return {
            "task": TASK,
            "loss": self.loss,
            "perplexity": math.exp(min(self.loss, 700)),
            "history": self.history,
            "sample": self.sample,
            "characters_learned_from": self.characters[0],
            "characters_held_back": self.characters[1],
            "vocabulary": "".join(self.tokenizer.tokens),
            "parameters": self.model.count_params(),
            "options": self.settings.as_data(),
            "seconds": self.seconds,
            "peak_bytes": self.peak_bytes,
            "versions": {"minitl": __version__, "numpy": np.__version__},
        }


def train_language_model(
    path: AnyPath, settings: LanguageSettings | None = None, verbose: int = 1, **changes
) -> TrainedLanguageModel:
    """Train a language model on the characters of a text file (UTF-8). Returns a `TrainedLanguageModel`.

    settings, changes   a `LanguageSettings`, and single settings by name: epochs=5
    verbose             1: print each step and its progress; 0: print nothing

    Ctrl-C and SIGTERM stop it: it saves a checkpoint and raises `interruption.Interrupted`. The same call with
    resume=True goes on, and its results are those of an unbroken run to the last bit.
    """
    return finetuned(LanguageJob, _trained, path, LanguageSettings, settings, changes, verbose)


class LanguageJob:
    """One training on a text. `settings` are settled, `runs` is the `RunFolder` for its checkpoints."""

    has_figures = False

    def __init__(self, settings, runs):
        self.settings, self.runs = settings, runs
        set_random_seed(settings.seed)


def _trained(path, job):
    """Run the whole job."""
    start, settings = time.perf_counter(), job.settings
    text = text_of(path)
    tokenizer = CharacterVocabulary.fit(text)
    x, y, x_val, y_val = windows(np.array(tokenizer.numbers(text), np.int32), settings, path)
    characters = x.size, x_val.size
    print(f"{path}: {counted(len(text), 'character')}, {len(tokenizer)} different ones.")
    model = Decoder(
        len(tokenizer),
        *(settings.width, settings.layers, settings.heads, settings.key_value_heads, settings.hidden, settings.length),
    )
    model.metadata.update(task=TASK, tokenizer=tokenizer.as_data())
    print(
        wrapped(
            f"{model.count_params():,} parameters learn from {counted(len(x), 'window')} of {settings.length} "
            f"characters; the last {counted(x_val.size, 'character')} are held back. The loss is in nats a character; "
            f"a guess among all {len(tokenizer)} would cost {math.log(len(tokenizer)):.2f}."
        ),
        flush=True,
    )
    job.runs.begin(settings.resume)
    model.compile(optimizer(settings, len(x)), SparseCategoricalCrossentropy(from_logits=True))
    callbacks = [checkpoints(settings, job.runs)]
    history = model.fit(
        x, y, settings.batch_size, settings.epochs, verbose=2, callbacks=callbacks, validation_data=(x_val, y_val)
    ).history
    loss = history["val_loss"][-1]
    print(f"\nOn the text that was held back: {loss:.4f} nats a character, as a choice among {math.exp(loss):.1f}.")
    sample = write(model, tokenizer, **SAMPLE, seed=settings.seed)
    print(f"\nIt writes, with a temperature of {SAMPLE['temperature']}:\n\n{printable(sample)}\n", flush=True)
    if settings.save:
        model.save(settings.save)
        print(f"Saved: {settings.save}. Try it: minitl write {settings.save} --temperature 0.8")
    seconds = time.perf_counter() - start
    print(f"{seconds:.0f} s in all.")
    facts = characters, settings, seconds, peak_bytes()
    return TrainedLanguageModel(model, tokenizer, loss, history, sample, *facts)


def text_of(path):
    """Return the text of a file. Raises DataError if it is not UTF-8."""
    try:
        text = read_content(path, "text", "a text file").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: byte {error.start} is not UTF-8. Save the text as UTF-8, or name a file of text."
        ) from None
    return text.replace("\r\n", "\n")


def windows(numbers, settings, path):
    """Return (x, y, x_val, y_val) of the characters' numbers: windows (N, T), and for each place the number of the
    character that follows (N, T). Raises DataError if the text is too short for a window on either side."""
    held_back = round(len(numbers) * settings.validation)
    parts = numbers[: len(numbers) - held_back], numbers[len(numbers) - held_back :]
    if min(map(len, parts)) <= settings.length:
        shares = f"{len(parts[0]):,} to learn from and {len(parts[1]):,} held back"
        raise DataError(
            f"{path}: has {counted(len(numbers), 'character')}, {shares}; expected more than {settings.length} in "
            "each, the length of a window. Take a longer text, or a smaller length."
        )
    found = []
    for part in parts:
        count = (len(part) - 1) // settings.length
        for first in 0, 1:  # y is x, one character later
            found.append(part[first : first + count * settings.length].reshape(count, settings.length))
    return found


def optimizer(settings, count):
    """Return the optimizer for `count` windows: Adam with decoupled weight decay, a warm-up and half a cosine."""
    steps = settings.epochs * -(-count // settings.batch_size)
    warm_up = min(settings.warm_up, steps // 2)
    rate = CosineDecay(
        0.0, max(1, steps - warm_up), LEAST_RATE, warmup_target=settings.learning_rate, warmup_steps=warm_up
    )
    decay, clip = settings.weight_decay or None, settings.clip_norm
    return Adam(rate, beta_2=BETA_2, weight_decay=decay, global_clipnorm=clip)


def checkpoints(settings, runs):
    """Return the callback that keeps checkpoints."""
    return BackupAndRestore(
        runs.stage(STAGE),
        save_freq=1,
        seconds_between=10,
        delete_checkpoint=False,
        despite_changes=settings.despite_changes,
        conditions={"--seed": settings.seed},
    )

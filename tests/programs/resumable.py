"""A small training with everything that a checkpoint must hold, and a way to kill it at random moments.

python tests/programs/resumable.py --count 100 --seed 0      (Linux, macOS: it forks)
"""

import argparse
import hashlib
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from minitl import randomness, utils
from minitl.layers import BatchNormalization, Dense, Dropout
from minitl.models import Sequential
from minitl.optimizers import SGD, Adam, CosineDecay
from minitl.training import BackupAndRestore, Callback, CSVLogger, EarlyStopping, ReduceLROnPlateau
from minitl.training.recovery.checkpoints import CheckpointFolder

EPOCHS, BATCH = 6, 8


class FreezeAndUnfreeze(Callback):
    """A callback that freezes and unfreezes layers on the way, as two-stage training does."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.get_layer("early").trainable = epoch >= 2
        self.model.get_layer("normal").trainable = epoch < 4


def network(optimizer):
    model = Sequential(
        [
            Dense(9, activation="relu", input_shape=(5,), name="early"),
            BatchNormalization(name="normal"),
            Dropout(0.3, name="drop"),
            Dense(3, activation="softmax", name="out"),
        ]
    )
    model.get_layer("early").origins = dict.fromkeys(("kernel", "bias"), "pre-trained")  # for l2_sp
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def examples():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((44, 5)).astype(np.float32)
    return x, (x @ rng.standard_normal((5, 3))).argmax(axis=1)


def train(folder, kind="sgd", callbacks=(), **backup_options):
    """Train, or go on. Return a digest of all results, and the history."""
    folder = Path(folder)
    utils.set_random_seed(5)
    rate = CosineDecay(0.05, 30) if kind == "sgd" else 0.02
    options = {"l2_sp": 0.1, "rate_factors": {"early": 0.5}, "global_clipnorm": 1.0}
    model = network(SGD(rate, momentum=0.9, **options) if kind == "sgd" else Adam(rate, **options))
    x, y = examples()
    plateau = [] if kind == "sgd" else [ReduceLROnPlateau("loss", patience=1, factor=0.7)]
    options = {"save_freq": 1, "delete_checkpoint": False, **backup_options}
    several = [
        BackupAndRestore(folder, **options),
        EarlyStopping("val_loss", patience=5, restore_best_weights=True),
        *plateau,
        CSVLogger(folder.with_suffix(".csv")),
        FreezeAndUnfreeze(),
        *callbacks,
    ]
    history = model.fit(
        x[:32],
        y[:32],
        BATCH,
        EPOCHS,
        verbose=0,
        callbacks=several,
        validation_data=(x[32:], y[32:]),
        class_weight={1: 2.0},
    )
    digest = hashlib.sha256(json.dumps([history.history, history.epoch]).encode())
    for weight in model.get_weights():
        digest.update(weight)
    for arrays in model.optimizer.state.values():
        for array in arrays:
            digest.update(array)
    digest.update(folder.with_suffix(".csv").read_bytes())
    digest.update(str(randomness.generator().integers(1000)).encode())
    return digest.hexdigest(), history.history


class WriteToPipe(Callback):
    """A callback that writes into a pipe after each batch, when its checkpoint is on the disk."""

    comes_last = True

    def __init__(self, pipe):
        self.pipe, self.saved = pipe, 0

    def on_train_batch_end(self, batch, logs=None):
        os.write(self.pipe, b".")


def in_child(folder, kind, pipe):
    """Run `train` in a process of its own. Return its number; the digest is written beside the folder."""
    process = os.fork()
    if process:
        return process
    try:
        sys.stdout = open(os.devnull, "w")
        Path(f"{folder}.result").write_text(train(folder, kind, [WriteToPipe(pipe)])[0])
    except BaseException as error:
        os.write(2, f"the child failed: {error!r}\n".encode())
        os._exit(1)
    os._exit(0)


def killed_at_random(count, seed, place):
    """Kill `count` trainings, some of them several times, and let them go on.

    Returns (killed, not finished when killed, worst problem or None).
    """
    rng, wanted, seconds, kills, problems = np.random.default_rng(seed), {}, {}, 0, []
    read, write = os.pipe()
    os.set_blocking(read, False)

    def batches():
        try:
            return len(os.read(read, 10**6))
        except BlockingIOError:
            return 0

    for kind in "sgd", "adam":
        start = time.perf_counter()
        process = in_child(place / f"{kind}-whole", kind, write)
        os.waitpid(process, 0)
        seconds[kind] = time.perf_counter() - start
        wanted[kind] = Path(f"{place / kind}-whole.result").read_text()
    while kills < count:
        kind = ("sgd", "adam")[kills % 2]
        folder, done = place / f"{kind}-{kills}", 0
        batches()
        while True:
            process = in_child(folder, kind, write)
            time.sleep(rng.random() * seconds[kind])
            os.kill(process, signal.SIGKILL)
            kills += 1
            if os.waitpid(process, 0)[1] == 0:
                kills -= 1  # it had finished
                break
            done += batches()
            checkpoints = CheckpointFolder(folder)
            if done and checkpoints.newest() is None:
                problems.append(f"{folder.name}: {done} batches were saved, and there is no checkpoint")
            checkpoints.release()
            if rng.random() < 0.5:
                os.waitpid(in_child(folder, kind, write), 0)
                break
        result = Path(f"{folder}.result")
        if not result.exists() or result.read_text() != wanted[kind]:
            problems.append(f"{folder.name}: it ended differently")
    return kills, problems


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        kills, problems = killed_at_random(options.count, options.seed, Path(place))
    print(f"{kills} kills, {len(problems)} problems")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

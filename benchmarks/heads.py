"""The head that `minitl finetune PHOTOS/` chooses: its figures, and those of a second stage behind it.

    python -m benchmarks.heads PHOTOS                    (five seeds; minutes, with VGG16's base and kept features)
    python -m benchmarks.heads PHOTOS --second-stage     (five folds and three learning rates: an hour)

For each seed it prints the out-of-fold accuracy, log loss and calibration error of the chosen head, and its accuracy on
the photographs that were held back, once. Where scikit-learn is installed, logistic regression on the same features
with rows of length 1 stands beside it, its strength chosen by the same folds.
"""

import argparse
import tempfile

import numpy as np

from minitl.data.labels import to_categorical
from minitl.losses import CategoricalCrossentropy
from minitl.recipes.evaluation import Evaluation
from minitl.recipes.head_choice import log_loss, stratified_folds
from minitl.recipes.head_training import trained_head
from minitl.recipes.photograph_stages import PhotographStages
from minitl.recipes.run_folder import RunFolder
from minitl.recipes.settings import PhotographSettings

SEEDS, BINS, FOLDS = range(5), 15, 5
RATES = (0.00003, 0.0003, 0.001)
STRENGTHS = (3, 10, 30, 100, 300)  # scikit-learn's C


def calibration_errors(labels, probabilities, draws=1000):
    """Return the calibration error, and the one that 95 % of perfectly calibrated models stay below.

    A perfect model of the same probabilities is right as often as they say: it is drawn `draws` times.
    """
    names, rng = [str(k) for k in range(probabilities.shape[1])], np.random.default_rng(0)
    measured = Evaluation(labels, probabilities, names)
    sure, wrong = probabilities.max(axis=1), (measured.predicted + 1) % len(names)
    perfect = [
        Evaluation(np.where(rng.random(len(sure)) < sure, measured.predicted, wrong), probabilities, names)
        for _ in range(draws)
    ]
    return measured.calibration(BINS)[0], float(np.quantile([each.calibration(BINS)[0] for each in perfect], 0.95))


def prepared(photos, seed, **settings):
    """Return a `PhotographStages` that has its features and has chosen its head."""
    settings = PhotographSettings(seed=seed, run_folder=tempfile.mkdtemp(), **settings).settled()
    job = PhotographStages(settings, RunFolder(photos, settings.run_folder))
    job.find(photos)
    job.build()
    job.run_frozen_part()
    job.choose_head()
    return job


def logistic_regression(x, y, x_val, y_val, seed):
    """Return the out-of-fold and the held-back accuracy of scikit-learn's logistic regression; None without it."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        return None
    x, x_val = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (x, x_val))
    fold, right = stratified_folds(y, np.arange(len(y)), FOLDS, seed), []
    for strength in STRENGTHS:
        parts = [fold == k for k in range(FOLDS)]
        models = [LogisticRegression(C=strength, max_iter=5000).fit(x[~part], y[~part]) for part in parts]
        right.append(np.concatenate([model.predict(x[part]) == y[part] for model, part in zip(models, parts)]).mean())
    best = int(np.argmax(right))
    model = LogisticRegression(C=STRENGTHS[best], max_iter=5000).fit(x, y)
    return right[best], (model.predict(x_val) == y_val).mean()


def measure_heads(photos):
    """Print a line for each seed, and the means."""
    rows = []
    for seed in SEEDS:
        job = prepared(photos, seed)
        trial, labels = job.choice.trials[0], job.choice.labels
        job.train_head()
        job.calibrate()
        row = [trial.accuracy, trial.log_loss, *calibration_errors(labels, trial.probabilities)]
        row.append(job.evaluation().accuracy)
        row += logistic_regression(job.pooled[0], job.y, job.pooled[1], job.y_val, seed) or (np.nan, np.nan)
        rows.append(row)
        print(f"seed {seed}: {job.choice.head}", *(f"{each:.4f}" for each in row), flush=True)
    print("\nout-of-fold accuracy, log loss, calibration error, 95 % of perfect models below; held-back accuracy;")
    print("logistic regression out of fold, held back")
    print("mean:", *(f"{each:.4f}" for each in np.mean(rows, axis=0)))


def measure_second_stage(photos):
    """Print what training the last block adds, out of fold, for each learning rate."""
    job = prepared(photos, 0, tune_epochs=2)
    x, weights = job.x.read(slice(None)), job.base.get_weights()
    fold = stratified_folds(job.y, np.arange(len(job.y)), FOLDS, 0)
    before = np.empty((len(job.y), len(job.folder.class_names)), np.float32)
    after = {rate: before.copy() for rate in RATES}
    for k in range(FOLDS):
        out, y = fold == k, job.y[fold != k]
        for rate in RATES:
            job.base.set_weights(weights)
            job.put_on(job.choice.head)
            trained = trained_head(
                job.settings, job.choice.head, job.pooled[0][~out], y, before.shape[1], job.settings.epochs
            )
            for layer, source in zip(job.head, trained.layers[-len(job.head) :]):
                layer.set_weights(source.get_weights())
            job.calibrate()
            part = job.model.part(job.model.output_of(job.parts[job.settings.unfreeze]), job.model.output)
            before[out] = part.predict(x[out], verbose=0)
            job.unfreeze_blocks()
            steps = job.settings.tune_epochs * -(-len(y) // job.settings.batch_size)
            part.compile(job.optimizer(rate, steps), CategoricalCrossentropy())
            part.fit(x[~out], to_categorical(y, before.shape[1]), job.settings.batch_size, job.settings.tune_epochs, 0)
            after[rate][out] = part.predict(x[out], verbose=0)
            print(f"fold {k}, rate {rate:g}: done", flush=True)
    for name, found in (("the head alone", before), *((f"the last block at {rate:g}", after[rate]) for rate in RATES)):
        accuracy = (found.argmax(axis=1) == job.y).mean()
        print(f"{name:28} accuracy {accuracy:.3f}  log loss {log_loss(found, job.y):.3f}")


def main():
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.heads", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("photos", metavar="PHOTOS")
    parser.add_argument("--second-stage", action="store_true", help="measure what training the last block adds")
    options = parser.parse_args()
    (measure_second_stage if options.second_stage else measure_heads)(options.photos)


if __name__ == "__main__":
    main()

"""Train a head on features that a frozen base has computed, with the settings of a fine-tuning.

Who calls this: `minitl.sklearn`, and `heads_together`, which trains many heads at once. Read next: `heads`, the layers.
"""

import numpy as np

from ..data.balanced import balanced
from ..data.labels import balanced_weights, to_categorical
from ..layers import Input
from ..losses import CategoricalCrossentropy
from ..models import Sequential
from ..randomness import set_random_seed
from ..training import ridge_head
from . import stage
from .heads import before_normalization, learning_layers, without_a_batch_of_one


def trained_head(settings, head, x, y, classes, epochs):
    """Return a new head, trained as the first stage of a fine-tuning trains it: a model from features to probabilities.

    settings   with `batch_size`, `start`, `schedule`, `warm_up`, `balance`, `class_weights`, `seed` and those of the
               optimizer
    head       a `head_choice.Head`
    x          features (N, D);   y   labels (N,), numbers of the `classes`
    """
    model = new_head(settings, head, x, y, classes)
    batch_size = without_a_batch_of_one(settings.batch_size, len(y))
    steps_an_epoch = -(-len(y) // batch_size)
    warm_up = round(min(settings.warm_up, epochs) * steps_an_epoch)
    model.compile(
        stage.optimizer(settings, head.learning_rate, epochs * steps_an_epoch, warm_up),
        CategoricalCrossentropy(label_smoothing=head.label_smoothing),
    )
    weights = balanced_weights(y, classes) if settings.class_weights else None
    x = balanced(x, y) if settings.balance else x
    model.fit(x, to_categorical(y, classes), batch_size, epochs, verbose=0, class_weight=weights)
    return model


def new_head(settings, head, x, y, classes):
    """Return a head with its first values, before any training. All random numbers begin anew here. The arguments are
    those of `trained_head`."""
    set_random_seed(settings.seed)
    layers = learning_layers(classes, head.rows == "unit")
    model = Sequential([Input(x.shape[1:]), *layers])
    if settings.start == "ridge":
        ridge_head(before_normalization(layers, x), y, classes).put_into(*layers[-2:])
    return model


def divide_scores(dense, temperature):
    """Divide the scores of a head's last layer by a temperature: softmax((x @ kernel + bias) / T). No prediction
    changes, and the probabilities fit better how often they are right (`head_choice.fit_temperature`)."""
    dense.set_weights([array / np.float32(temperature) for array in dense.get_weights()])

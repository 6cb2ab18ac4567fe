"""Each group left out once: the honest measurement of a model that is meant for strangers.

For each group, such as a speaker, a head learns from all recordings but those of the group, and is measured on these.
So every recording gets a prediction from a head that has never heard its speaker. The features are there already, and
the heads are computed in closed form (`training.ridge`): all of them take a few seconds.

Whether rows are brought to length 1 first, and how strongly the weights are kept small, is chosen for each head anew,
on the recordings that it learns from, by leaving out one of them at a time. What is measured has no part in it. A copy
of a recording that is left out is not learned from either, whatever its group is.

The model that is saved has a head of the same kind, made from all recordings. Nothing is left to measure it on; it has
heard one group more than each of those that were measured.
"""

from typing import NamedTuple

import numpy as np

from ...progress import Progress
from ...training import ridge_head
from ..head_choice import CANDIDATES, fit_temperature, log_loss
from ..heads import before_normalization, learning_layers


class LeftOut(NamedTuple):
    """The predictions of all recordings, each by a head that has not heard its group.

    probabilities   (N, classes), divided by `temperature`, the one number that all predictions have chosen together
    rows            {group: "unit" or "plain", as chosen for its head}
    """

    probabilities: np.ndarray
    temperature: float
    rows: dict


def leave_out_each(features, recordings, classes, head, noun="group"):
    """Return the `LeftOut` of recordings with groups.

    features   (N, D);   recordings   (N,) `Recording`s;   head   "unit", "plain", or "auto": chosen for each group
    """
    labels = np.array([each.label for each in recordings])
    groups = np.array([each.group for each in recordings])
    digests = np.array([each.sha256 for each in recordings])
    probabilities, rows = np.zeros((len(labels), classes), np.float32), {}
    names = np.unique(groups).tolist()
    with Progress(f"Leaving out each {noun}", len(names)) as bar:
        for group in names:
            held = groups == group
            heard = ~held & ~np.isin(digests, digests[held])
            rows[group], layers, ridge = best_ridge(features[heard], labels[heard], classes, head)
            probabilities[held] = ridge.predict(before_normalization(layers, features[held]))
            bar.advance(1)
    temperature, divided = fit_temperature(probabilities, labels)
    return LeftOut(divided.astype(np.float32), temperature, rows)


def best_ridge(features, labels, classes, head):
    """Return ("unit" or "plain", the new layers, their `RidgeHead`) of features (N, D): that with the smaller
    leave-one-out log loss, where `head` is "auto"."""
    found = []
    for rows in dict.fromkeys(each.rows for each in CANDIDATES) if head == "auto" else [head]:
        layers = learning_layers(classes, rows == "unit")
        ridge = ridge_head(before_normalization(layers, features), labels, classes)
        found.append((log_loss(ridge.probabilities(ridge.left_out), labels), len(found), rows, layers, ridge))
    return min(found, key=lambda each: each[:2])[2:]

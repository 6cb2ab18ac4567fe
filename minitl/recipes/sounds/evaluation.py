"""The evaluation of a model for recordings: an `Evaluation` that knows the recordings, and their groups."""

import numpy as np

from ...terminal import printable, table
from ..evaluation import Evaluation


class SoundEvaluation(Evaluation):
    """An `Evaluation` of recordings. `recordings` (N,) are the `data.sound.Recording`s; `names` are their paths.

    groups   {group: the accuracy on its recordings}, sorted by name; {} where there are no groups
    """

    def __init__(self, labels, probabilities, class_names, names, recordings):
        super().__init__(labels, probabilities, class_names, names, noun="recording")
        self.recordings = list(recordings)
        right, of = self.predicted == self.labels, np.array([str(each.group) for each in self.recordings])
        known = sorted({each.group for each in self.recordings} - {None})
        self.groups = {group: float(right[of == group].mean()) for group in known}

    def _confusion_lines(self):
        """Return the confusion matrix as lines, and the accuracy of each group before it."""
        return [*([self.groups_table(), ""] if len(self.groups) > 1 else []), *super()._confusion_lines()]

    def groups_table(self):
        """Return the accuracy on each group as a table, the mean of all groups last."""
        counts = {group: sum(each.group == group for each in self.recordings) for group in self.groups}
        rows = [["group", "recordings", "accuracy"]]
        rows += [[group, f"{counts[group]:,}", f"{accuracy:.3f}"] for group, accuracy in self.groups.items()]
        rows.append(["the mean", "", f"{self.mean_of_groups:.3f}"])
        return printable(table(rows))

    @property
    def mean_of_groups(self):
        """Return the mean of the groups' accuracies: each group counts the same. NaN without groups."""
        return float(np.mean(list(self.groups.values()))) if self.groups else float("nan")

    def as_data(self):
        """Return all figures, as JSON can hold them."""
        found = {**super().as_data(), "groups": self.groups}
        return {**found, "mean_of_groups": self.mean_of_groups} if self.groups else found

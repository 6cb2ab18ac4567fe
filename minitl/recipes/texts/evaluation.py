"""The evaluation of a model for texts: an `Evaluation` whose mistakes can be read."""

from ...terminal import columns, printable, shortened, wrapped
from ..evaluation import Evaluation

MOST_LINES = 3  # of a mistaken text


class TextEvaluation(Evaluation):
    """An `Evaluation` of texts. `texts` (N,) are the texts themselves; `names` say where they stand."""

    def __init__(self, labels, probabilities, class_names, names, texts):
        super().__init__(labels, probabilities, class_names, names, noun="text")
        self.texts = list(texts)

    def _mistake_lines(self):
        """Return the most confident mistakes as lines: where a text stands, what it was taken for, and what it says."""
        lines = []
        for place, (name, label, predicted, p) in zip(self.surest(right=False), self.mistakes()):
            lines.append(wrapped(printable(f"{name} is {label}, predicted {predicted} ({p:.3f}):"), "  "))
            text = shortened(" ".join(printable(self.texts[place]).split()), MOST_LINES * (columns() - 4) - 20)
            lines.append(wrapped(f"  {text}", "  "))
        return lines

    def as_data(self):
        """Return all figures, as JSON can hold them: a mistake is [where it stands, label, prediction, probability of
        the prediction, text]."""
        mistakes = [[*each, self.texts[k]] for k, each in zip(self.surest(right=False), self.mistakes())]
        return {**super().as_data(), "mistakes": mistakes}

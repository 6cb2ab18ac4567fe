"""The loss of CTC: lists of labels for sequences, without the places of the labels. The math and its derivation are in
`kernels/ctc.py`.

    y_true (N, L)      class numbers 1 to C - 1, padded with 0 at the end: [[2, 1, 0], [3, 3, 3]]
    y_pred (N, T, C)   logits for each frame; class 0 is the blank
    L = sum over the examples of -log P(labels) / N

`ctc_decode` gives the labels of new scores. Both have the blank of `kernels.ctc.BLANK`, 0, as Keras has.
"""

import numpy as np

from ..arguments import DTYPE, keras_arguments, whole_number
from ..errors import DataError
from ..kernels import as_float, log_softmax
from ..kernels.ctc import BLANK, ctc, ctc_gradient, frames_needed, label_lengths
from ..kernels.ctc_decoding import beam_search, greedy
from .base import NAME, REDUCTION, Loss, check_count, weights


class CTC(Loss):
    """Connectionist temporal classification, for labels in order whose places in the sequence are not known.

    The predictions are logits. A sample weight (N,) multiplies the losses of examples. Sequences of unequal lengths
    are padded, and a sample weight (N, T) says which frames count: 0 behind the end of an example, and the example's
    weight, such as 1, before it.

    Raises DataError for an example with fewer frames than its labels need: no path could give these labels, and the
    loss would be infinite. PyTorch and Keras return inf there.
    """

    names = ("ctc",)
    accuracy = "sequence_accuracy"
    final_activation = "softmax"
    from_logits = True
    takes_class_weight = False

    @keras_arguments(reduction=REDUCTION, name=NAME, dtype=DTYPE)
    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def check_labels(self, y_true, output_shape):
        """Raise DataError unless labels are (N, L) whole numbers from 0 to C - 1 with zeros at the end alone, and each
        example has as many frames as its labels need."""
        check_count(y_true, output_shape)
        y_true, outputs = np.asarray(y_true), tuple(output_shape)
        if y_true.ndim != 2 or len(outputs) != 3:
            raise DataError(
                f"labels have shape {y_true.shape}, outputs {outputs}; CTC expected labels (N, labels), padded with 0 "
                "at the end, and outputs (N, frames, classes)."
            )
        if y_true.dtype.kind not in "biuf" or np.any(y_true != np.floor(y_true)):
            raise DataError("labels must be whole numbers: the classes of each example in order, padded with 0.")
        classes = outputs[2]
        if y_true.size and (y_true.min() < 0 or (classes is not None and y_true.max() >= classes)):
            raise DataError(
                f"labels run from {y_true.min():g} to {y_true.max():g}; the model has {classes} outputs, the blank, 0, "
                "among them, so labels must lie between 1 and one less than that. Number the classes from 1 and pad "
                "with 0."
            )
        gaps = (y_true[:, :-1] == BLANK) & (y_true[:, 1:] != BLANK)
        if gaps.any():
            raise DataError(
                f"the labels of example {int(gaps.any(axis=1).argmax())} have a 0 between them; 0 is the blank, and "
                "stands only behind the last label as padding. Number the classes from 1."
            )
        if outputs[1] is not None:
            check_frames(y_true, np.full(len(y_true), outputs[1]))

    def forward(self, y_true, y_pred, sample_weight=None):
        """Return the mean of -log P over the examples. `count` is N."""
        y_pred = as_float(y_pred)
        self.check_labels(y_true, y_pred.shape)
        self.lengths, self.weight = frames_and_weights(sample_weight, y_pred)
        labels = np.asarray(y_true).astype(np.int64)
        check_frames(labels, self.lengths)
        self.count, self.labels = len(y_pred), labels[:, : label_lengths(labels).max(initial=0)]
        self.log_p = log_softmax(y_pred)
        self.losses, self.alpha = ctc(self.log_p, self.labels, self.lengths)
        return self.reduced(self.weight * np.where(self.weight > 0, self.losses, 0), self.weight)

    def backward(self):
        """Return dL/dy_pred (N, T, C): w (p - occupancy) / N for each frame, as `ctc_gradient` derives it."""
        gradient = ctc_gradient(self.log_p, self.labels, self.lengths, self.losses, self.alpha)
        return gradient * (self.weight / self.divisor).astype(gradient.dtype)[:, None, None]


def ctc_decode(scores, lengths=None, beam_width=None):
    """Return the labels of each example as a list of lists of whole numbers.

    scores       logits (N, T, C), as a model that was trained with `CTC` gives them; class 0 is the blank
    lengths      how many frames of each example count (N,); None: all
    beam_width   None: the most likely path, merged (greedy). A whole number: beam search, which adds up the paths of
                 the same labels and keeps so many beginnings at each frame

    Raises DataError for scores of another shape, and ArgumentError for lengths or a width that cannot be.
    """
    scores = as_float(scores)
    if scores.ndim != 3:
        raise DataError(f"scores have shape {scores.shape}; expected (N, frames, classes), logits of each frame.")
    lengths = np.full(len(scores), scores.shape[1]) if lengths is None else np.asarray(lengths)
    if lengths.shape != scores.shape[:1] or np.any(lengths < 0) or np.any(lengths > scores.shape[1]):
        raise DataError(
            f"lengths have shape {lengths.shape} and run from {lengths.min(initial=0)} to {lengths.max(initial=0)}; "
            f"expected one number of frames for each of {len(scores)} examples, at most {scores.shape[1]}."
        )
    if beam_width is None:
        return greedy(scores, lengths)
    width = whole_number(beam_width, "beam_width")
    return [beam_search(each[:length], width)[0][0] for each, length in zip(log_softmax(scores), lengths)]


def check_frames(labels, lengths):
    """Raise DataError, naming the first example, unless all have as many frames as their labels need."""
    needed = frames_needed(labels)
    short = needed > lengths
    if short.any():
        n = int(short.argmax())
        count, repeats = int(label_lengths(labels)[n]), int(needed[n] - label_lengths(labels)[n])
        raise DataError(
            f"example {n} has {int(lengths[n])} frames, and its {count} labels need at least {int(needed[n])}: one "
            f"each, and a blank between equal neighbours ({repeats} here). {int(short.sum())} of {len(labels)} "
            "examples are too short. Leave them out, or let the model give more frames (smaller strides)."
        )


def frames_and_weights(sample_weight, y_pred):
    """Return (how many frames of each example count (N,), the weight of each example (N,)) from sample weights (N,),
    (N, T), or None. Raises DataError unless weights (N, T) are constant up to the end of each example, then 0."""
    n, frames = y_pred.shape[:2]
    weight = weights(sample_weight, y_pred)[..., 0]  # (N, T), (N, 1) or (1, 1)
    if weight.shape[1] != frames or sample_weight is None or np.ndim(sample_weight) == 1:
        return np.full(n, frames), np.broadcast_to(weight[:, 0], (n,))
    lengths = np.count_nonzero(weight, axis=1)  # (N,)
    of_example = weight.max(axis=1, initial=0)
    expected = np.where(np.arange(frames) < lengths[:, None], of_example[:, None], 0)
    if not np.array_equal(weight, expected):
        wrong = int((weight != expected).any(axis=1).argmax())
        raise DataError(
            f"the sample weights (N, T) of example {wrong} change within it. For CTC, expected one weight for all "
            "frames up to the end of the example, and 0 behind it."
        )
    return np.where(lengths > 0, lengths, frames), of_example

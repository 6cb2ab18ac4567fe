"""A frozen beginning gives the same features for an image at every epoch: run it once and keep them.

A network with a frozen base spends nearly all of its time computing numbers that it computed in the epoch before. The
frozen *prefix* of a model is the longest beginning in which nothing can change: no trainable parameter, no batch
statistics, no Dropout. `fit` runs it once over all images and trains the rest on its output, with the same batches in
the same order: the numbers are those that training the whole model gives, up to rounding (BLAS may sum in another order
when an image comes in another batch), and only the time differs.

Called by `Model.fit`. Calls `training.fit`. Read next: `transfer`.
"""

import math
import time

from .. import training
from ..data.batches import read_ahead
from ..kernels.memory import release
from ..models import Model

# More than this is not kept: a prefix cut after VGG16's first block is 3.2 MB an image, larger than the image itself.
MOST_KEPT_BYTES = 4 * 2**30


def fit(model, x, y, *options, **named_options):
    """`training.fit`, with the frozen prefix of `model` run only once. The same options, the same History."""
    try:
        return training.fit(model, x, y, *options, shorten=KeptFeatures(model).shorten, **named_options)
    finally:
        release()


class KeptFeatures:
    """The output of a model's frozen prefix for the images of one `fit`."""

    def __init__(self, model):
        self.model = model
        self.cut = None  # the tensor at which the prefix ended when the features were made
        self.shortened = None

    def shorten(self, x, x_val, batch_size, verbose):
        """What to train on in this epoch: (rest of the model, features of x, features of x_val).

        Asked before each epoch, because a callback may have frozen or unfrozen layers: then the prefix is another one.
        """
        cut = frozen_prefix(self.model)
        if cut is not None and getattr(x, "is_augmented", False):
            if self.shortened is None:
                what = "the pictures are others in each epoch (augmentation): the whole model runs in every epoch"
                _say(verbose, f"Frozen up to '{cut.layer.name}', but {what}.")
            cut = None  # features of one epoch's pictures are not those of the next one's
        if self.shortened is None or cut is not self.cut:
            self.cut, self.shortened = cut, None  # the old features go before the new ones come
            self.shortened = (self.model, x, x_val) if cut is None else self._run(cut, x, x_val, batch_size, verbose)
        part = self.shortened[0]
        part.optimizer, part.loss, part.metrics = self.model.optimizer, self.model.loss, self.model.metrics
        return self.shortened

    def _run(self, cut, x, x_val, batch_size, verbose):
        """The prefix up to `cut`, over all images; the whole model as it is, where its output is too much to keep."""
        prefix, rest = split(self.model, cut)
        images = len(x) + (0 if x_val is None else len(x_val))
        kept_bytes = images * feature_bytes(prefix, x)
        if kept_bytes > MOST_KEPT_BYTES:
            what = f"its output of {_megabytes(kept_bytes)} is too much to keep"
            _say(verbose, f"Frozen up to '{cut.layer.name}', but {what}: the whole model runs in every epoch.")
            return self.model, x, x_val
        start = time.perf_counter()
        features = training.predict(prefix, x, batch_size, verbose)
        features_val = None if x_val is None else training.predict(prefix, x_val, batch_size, verbose)
        seconds = time.perf_counter() - start
        what = f"ran once over {images:,} images in {seconds:.1f} s and kept its output ({_megabytes(kept_bytes)})"
        _say(verbose, f"Frozen up to '{cut.layer.name}': {what}; training the {len(rest.steps)} layers after it.")
        return rest, features, features_val


def frozen_prefix(model):
    """The symbolic tensor at which the frozen prefix ends, or None if there is no prefix worth keeping.

    Going through the graph in order, a step is fixed if its layer is and all its inputs are. The prefix must end in a
    *single* fixed tensor that all the rest is computed from, or the rest would need several kept arrays.
    """
    cut, has_parameters, cuts = None, False, set(model.cuts[:-1])  # behind the last one nothing is left to train
    for step in model.steps:
        if not step.layer.is_fixed:
            break
        has_parameters = has_parameters or bool(step.layer.weight_names)
        if has_parameters and step in cuts:
            cut = step
    return cut


def split(model, cut):
    """(prefix, rest): two models that share the layers of `model`, before and after the tensor `cut`."""
    prefix = Model(model.input, cut, name=f"{model.name}, frozen")
    rest = Model(cut, model.output, name=f"{model.name}, trained")
    return prefix, rest


def feature_bytes(prefix, x):
    """Bytes of one image's features. A model for images of any size has to be asked."""
    sizes = prefix.output_shape[1:]
    if None in sizes:
        return prefix.forward(next(read_ahead(x, [slice(0, 1)])), gradients="none").nbytes
    return math.prod(sizes) * x.dtype.itemsize


def _megabytes(count):
    return f"{count / 1e6:,.1f} MB"


def _say(verbose, line):
    if verbose:
        print(line, flush=True)

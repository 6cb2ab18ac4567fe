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

from . import training
from .models import Model

# More than this is not kept: a prefix cut after VGG16's first block is 3.2 MB an image, larger than the image itself.
MOST_KEPT_BYTES = 4 * 2**30


def fit(
    model,
    x,
    y,
    batch_size=32,
    epochs=1,
    verbose=1,
    callbacks=None,
    validation_split=0.0,
    validation_data=None,
    shuffle=True,
    initial_epoch=0,
):
    """`training.fit`, with the frozen prefix of `model` run only once. The same arguments, the same History."""
    kept = KeptFeatures(model, batch_size, verbose)
    options = (batch_size, epochs, verbose, callbacks, validation_split, validation_data, shuffle, initial_epoch)
    return training.fit(model, x, y, *options, shorten=kept.shorten)


class KeptFeatures:
    """The output of a model's frozen prefix for the images of one `fit`."""

    def __init__(self, model, batch_size, verbose):
        self.model, self.batch_size, self.verbose = model, batch_size, verbose
        self.cut = None  # the tensor at which the prefix ended when the features were made
        self.shortened = None

    def shorten(self, x, x_val):
        """What to train on in this epoch: (rest of the model, features of x, features of x_val).

        Asked before each epoch, because a callback may have frozen or unfrozen layers: then the prefix is another one.
        """
        cut = frozen_prefix(self.model)
        if self.shortened is None or cut is not self.cut:
            self.cut = cut
            self.shortened = (self.model, x, x_val) if cut is None else self._run(cut, x, x_val)
        part = self.shortened[0]
        part.optimizer, part.loss, part.metrics = self.model.optimizer, self.model.loss, self.model.metrics
        return self.shortened

    def _run(self, cut, x, x_val):
        prefix, rest = split(self.model, cut)
        images = len(x) + (0 if x_val is None else len(x_val))
        kept_bytes = images * feature_bytes(prefix, x)
        if kept_bytes > MOST_KEPT_BYTES:
            self._say(
                f"Frozen up to '{cut.layer.name}', but its output of {_megabytes(kept_bytes)} is too much to "
                "keep: the whole model runs in every epoch."
            )
            return self.model, x, x_val
        start = time.perf_counter()
        features = training.predict(prefix, x, self.batch_size, self.verbose)
        features_val = None if x_val is None else training.predict(prefix, x_val, self.batch_size, self.verbose)
        self._say(
            f"Frozen up to '{cut.layer.name}': ran once over {images:,} images in {time.perf_counter() - start:.1f} s "
            f"and kept its output ({_megabytes(kept_bytes)}); training the {len(rest.steps)} layers after it."
        )
        return rest, features, features_val

    def _say(self, line):
        if self.verbose:
            print(line, flush=True)


def frozen_prefix(model):
    """The symbolic tensor at which the frozen prefix ends, or None if there is no prefix worth keeping.

    Going through the graph in order, a step is fixed if its layer is and all its inputs are. The prefix must end in a
    *single* fixed tensor that all the rest is computed from, or the rest would need several kept arrays.
    """
    fixed, cut, has_parameters = {model.input}, None, False
    for index, step in enumerate(model.steps):
        if not step.layer.is_fixed or not fixed.issuperset(step.inputs):
            break
        fixed.add(step)
        has_parameters = has_parameters or bool(step.layer.weight_names)
        later_inputs = {tensor for later in model.steps[index + 1 :] for tensor in later.inputs}
        if has_parameters and later_inputs & fixed == {step}:
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
        return prefix.forward(x[:1], gradients="none").nbytes
    return math.prod(sizes) * x.itemsize


def _megabytes(count):
    return f"{count / 1e6:,.1f} MB"

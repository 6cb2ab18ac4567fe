"""A frozen beginning gives the same features for an example at every epoch: run it once and keep them.

A network with a frozen base spends nearly all of its time computing numbers that it computed in the epoch before. The
frozen *prefix* of a graph is the longest beginning in which nothing can change: no trainable parameter, no batch
statistics, no Dropout. Training runs it once over all examples and trains the rest on its output, with the same batches
in the same order: the numbers are those that training the whole model gives, up to rounding (BLAS may sum in another
order when an example comes in another batch), and only the time differs.

Who calls this: `training.fit`, before each epoch. Read next: `on_disk`, which keeps features for the next run.
"""

import math
import time

import numpy as np

from .one_pass import all_outputs, output_shapes

# More than this is not kept: a prefix cut after VGG16's first block is 3.2 MB an image, larger than the image itself.
MOST_KEPT_BYTES = 4 * 2**30


class KeptFeatures:
    """The output of a graph's frozen prefix for the examples of one training."""

    def __init__(self, graph):
        self.graph = graph
        self.ends = None  # the tensors at which the prefix ended when the features were made
        self.shortened = None

    def shorten(self, x, x_val, batch_size, verbose):
        """Return what to train on in this epoch: (the rest of the graph, its examples, its validation examples).

        Asked before each epoch, because a callback may have frozen or unfrozen layers: then the prefix is another one.
        What is unfrozen within an epoch trains from the next one on.

        x, x_val   tuples of sources, one for each input; x_val may be None
        """
        ends = frozen_prefix(self.graph)
        if ends and any(getattr(each, "is_augmented", False) for each in x):
            if self.shortened is None:
                what = "the examples are others in each epoch (augmentation): the whole model runs in every epoch"
                _say(verbose, f"Frozen up to {_names(ends)}, but {what}.")
            ends = []  # features of one epoch's examples are not those of the next one's
        if self.shortened is None or ends != self.ends:
            self.ends, self.shortened = ends, None  # the old features go before the new ones come
            self.shortened = self._run(ends, x, x_val, batch_size, verbose) if ends else (self.graph, x, x_val)
        return self.shortened

    def _run(self, ends, x, x_val, batch_size, verbose):
        """Run the prefix up to the tensors `ends` over all examples. Returns the graph as it is where its output is too
        much to keep."""
        computed = [tensor for tensor in ends if tensor not in self.graph.inputs]
        prefix = self.graph.part(self.graph.inputs, computed)
        rest = self.graph.part(ends, self.graph.output)

        def of_prefix(sources):
            return tuple(each for each, tensor in zip(sources, self.graph.inputs) if tensor in prefix.inputs)

        examples = len(x[0]) + (0 if x_val is None else len(x_val[0]))
        kept_bytes = examples * feature_bytes(prefix, of_prefix(x))
        if kept_bytes > MOST_KEPT_BYTES:
            what = f"its output of {_megabytes(kept_bytes)} is too much to keep"
            _say(verbose, f"Frozen up to {_names(ends)}, but {what}: the whole model runs in every epoch.")
            return self.graph, x, x_val

        def shortened(sources):
            """Return the sources of the rest: what the prefix gives, and inputs that go past it."""
            known = dict(zip(self.graph.inputs, sources))
            title = "Predicting" if verbose == 1 else None
            known.update(zip(computed, all_outputs(prefix, of_prefix(sources), batch_size, title)))
            return tuple(known[tensor] for tensor in rest.inputs)

        start = time.perf_counter()
        kept, kept_val = shortened(x), None if x_val is None else shortened(x_val)
        seconds = time.perf_counter() - start
        what = f"ran once over {examples:,} examples in {seconds:.1f} s and kept its output ({_megabytes(kept_bytes)})"
        _say(verbose, f"Frozen up to {_names(ends)}: {what}; training the {len(rest.calls)} layers after it.")
        return rest, kept, kept_val


def frozen_prefix(graph):
    """Return the symbolic tensors at which the frozen prefix ends; none if there is no prefix worth keeping.

    Going through the graph in order, a call is fixed if its layer is and all its inputs are. Of a graph with one input,
    the prefix ends in a *single* fixed tensor that all the rest is computed from: then one array is kept, and no more
    than needed. With several inputs, such as the two pictures of a siamese network, there is none before they meet; the
    prefix then ends in all fixed tensors that a call which is not fixed takes.
    """
    # Behind the only output nothing is left to train.
    cut, has_parameters, cuts = None, False, {tensor for tensor in graph.cuts if graph.outputs != [tensor]}
    for call in graph.calls:
        if not call.layer.is_fixed:
            break
        has_parameters = has_parameters or bool(call.layer.weight_names)
        if has_parameters and call.outputs[0] in cuts:
            cut = call.outputs[0]
    if cut is not None or len(graph.inputs) == 1:
        return [] if cut is None else [cut]
    fixed, with_parameters = set(graph.inputs), set()
    for call in graph.calls:
        if call.layer.is_fixed and fixed.issuperset(call.inputs):
            fixed.update(call.outputs)
            if call.layer.weight_names or with_parameters.intersection(call.inputs):
                with_parameters.update(call.outputs)
    taken = {tensor for call in graph.calls if not fixed.issuperset(call.outputs) for tensor in call.inputs}
    ends = [tensor for tensor in graph.tensors if tensor in fixed and (tensor in taken or tensor in graph.outputs)]
    return ends if taken and with_parameters.intersection(ends) else []


def split(model, cut):
    """Return (prefix, rest): two models that share the layers of `model`, before and after the tensor `cut`."""
    prefix = model.part(model.input, cut, f"{model.name}, frozen")
    return prefix, model.part(cut, model.output, f"{model.name}, trained")


def feature_bytes(graph, x):
    """Return the bytes of one example's outputs; `x` is a tuple of sources."""
    itemsize = (graph.dtype or np.dtype("float32")).itemsize
    return sum(math.prod(shape) * itemsize for shape in output_shapes(graph, x))


def _names(tensors):
    return " and ".join(f"'{tensor.layer.name}'" for tensor in tensors)


def _megabytes(count):
    return f"{count / 1e6:,.1f} MB"


def _say(verbose, line):
    if verbose:
        print(line, flush=True)

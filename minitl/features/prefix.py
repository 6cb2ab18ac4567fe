"""The frozen prefix: the beginning of a graph that gives the same features in every epoch, so it runs only once.

A network with a frozen base spends nearly all of its time computing numbers that it computed in the epoch before. The
frozen *prefix* of a graph is the longest beginning up to a cut in which nothing can change: no trainable parameter, no
batch statistics, no Dropout. Training runs the prefix once over all examples and keeps its output. Then it trains the
rest on this output, with the same batches in the same order. The result is the same as that of training the whole
model, up to rounding (BLAS may sum in another order when an example comes in another batch). Only the time differs.

The prefix runs in every epoch, and nothing is kept, where
  - `fit` is called with frozen_once=False,
  - the examples differ in each epoch (augmentation),
  - the output of one batch is longer than that of another (texts of different lengths),
  - the output would take more than `MOST_KEPT_BYTES`.
There is no prefix at all where the first layer with weights is trainable, or (in a graph with one input) where no
single tensor before the first trainable layer determines all the rest (a cut).

Who calls this: `training.fit`, before each epoch. Read next: `on_disk`, which keeps features for the next run.
"""

import math
import time

import numpy as np

from ..data.batches import varies
from ..terminal import counted, wrapped
from .one_pass import all_outputs, output_shapes

# The largest output that is kept. After VGG16's first block it has 3.2 MB an image, more than the image itself.
MOST_KEPT_BYTES = 4 * 2**30


class KeptFeatures:
    """The output of a graph's frozen prefix for the examples of one training."""

    def __init__(self, graph):
        self.graph = graph
        self.ends = None  # the tensors at which the prefix ended when the features were made
        self.shortened = None

    def shorten(self, x, x_val, batch_size, verbose):
        """Return what to train in this epoch: (the rest of the graph, its examples, its validation examples).

        `fit` calls this before each epoch, because a callback may have frozen or unfrozen layers. Then the prefix has
        changed and runs again. Within an epoch the prefix stays the same (`training.Callback` says what follows
        for a batch callback).

        x, x_val   tuples of sources, one for each input; x_val may be None
        """
        ends = frozen_prefix(self.graph)
        if ends and any(getattr(each, "is_augmented", False) for each in x):
            if self.shortened is None:
                what = "the examples differ in each epoch (augmentation): the whole model runs in every epoch"
                _print_if(verbose, f"Frozen up to {_names(ends)}, but {what}.")
            ends = []  # the features of this epoch's examples cannot be used in the next epoch
        elif any(map(varies, x)) and any(
            None in tensor.shape[1:] for tensor in set(ends).difference(self.graph.inputs)
        ):
            if self.shortened is None:
                what = "its output is as long as each batch is: the whole model runs in every epoch"
                _print_if(verbose, f"Frozen up to {_names(ends)}, but {what}.")
            ends = []  # features of different lengths do not fit into one array
        if self.shortened is None or ends != self.ends:
            self.ends, self.shortened = ends, None  # frees the old features before the new ones are computed
            self.shortened = self._run(ends, x, x_val, batch_size, verbose) if ends else (self.graph, x, x_val)
        return self.shortened

    def _run(self, ends, x, x_val, batch_size, verbose):
        """Run the prefix up to the tensors `ends` on all examples, and return what `shorten` returns. If the output is
        too large to keep, return the whole graph and its examples."""
        computed = [tensor for tensor in ends if tensor not in self.graph.inputs]
        prefix = self.graph.part(self.graph.inputs, computed)
        rest = self.graph.part(ends, self.graph.output)

        def of_prefix(sources):
            return tuple(each for each, tensor in zip(sources, self.graph.inputs) if tensor in prefix.inputs)

        examples = len(x[0]) + (0 if x_val is None else len(x_val[0]))
        kept_bytes = examples * feature_bytes(prefix, of_prefix(x))
        if kept_bytes > MOST_KEPT_BYTES:
            what = f"its output of {_megabytes(kept_bytes)} is too large to keep"
            _print_if(verbose, f"Frozen up to {_names(ends)}, but {what}: the whole model runs in every epoch.")
            return self.graph, x, x_val

        def shortened(sources):
            """Return the sources of the rest: the outputs of the prefix, and inputs that bypass it."""
            known = dict(zip(self.graph.inputs, sources))
            title = "Frozen beginning" if verbose else None
            known.update(zip(computed, all_outputs(prefix, of_prefix(sources), batch_size, title)))
            return tuple(known[tensor] for tensor in rest.inputs)

        start = time.perf_counter()
        kept, kept_val = shortened(x), None if x_val is None else shortened(x_val)
        seconds = time.perf_counter() - start
        ran, size, after = counted(examples, "example"), _megabytes(kept_bytes), counted(len(rest.calls), "layer")
        what = f"ran once over {ran} in {seconds:.1f} s and kept its output ({size})"
        _print_if(verbose, f"Frozen up to {_names(ends)}: {what}; training the {after} after it.")
        return rest, kept, kept_val


def frozen_prefix(graph):
    """Return the symbolic tensors at which the frozen prefix ends, or [] if there is no prefix worth keeping.

    In the order of the graph, a call is fixed if its layer is fixed and all its inputs are. In a graph with one input,
    the prefix ends at a *single* fixed tensor from which all the rest is computed. So only one array is kept. With
    several inputs, such as the two images of a siamese network, there is no such tensor before their paths meet, and
    none where later layers take a mask. Then the prefix ends at all fixed tensors that are inputs of a call that is not
    fixed.
    """
    # The only output is no cut: there is nothing left to train behind it.
    cut, has_parameters, cuts = None, False, {tensor for tensor in graph.cuts if graph.outputs != [tensor]}
    for call in graph.calls:
        if not call.layer.is_fixed:
            break
        has_parameters = has_parameters or bool(call.layer.weight_names)
        if has_parameters and call.outputs[0] in cuts:
            cut = call.outputs[0]
    takes_masks = any(call.names for call in graph.calls)
    if cut is not None or len(graph.inputs) == 1 and not takes_masks:
        return [] if cut is None else [cut]
    return fixed_ends(graph)


def fixed_ends(graph):
    """Return the fixed tensors that are inputs of a call that is not fixed, in the order of the graph: all that the
    rest is computed from. [] if none of them was computed with parameters.

    A network for pixels takes several maps of a frozen base. No single tensor determines the rest, but these do.
    """
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
    """Return the number of bytes of the outputs for one example. `x` is a tuple of sources."""
    itemsize = (graph.dtype or np.dtype("float32")).itemsize
    return sum(math.prod(shape) * itemsize for shape in output_shapes(graph, x))


def _names(tensors):
    return " and ".join(f"'{tensor.layer.name}'" for tensor in tensors)


def _megabytes(count):
    return f"{count / 1e6:,.1f} MB"


def _print_if(verbose, line):
    if verbose:
        print(wrapped(line, "  "), flush=True)

"""One pass of all examples through a graph: the next batch is read while this one is computed.

This is how anything that does not change is run once: a frozen beginning whose output is kept in memory (`prefix`) or
on the disk (`on_disk`), a whole model that is measured, or that predicts.

Read next: `prefix` and `on_disk`, which keep what a pass gives.
"""

import numpy as np

from ..data.batches import in_order, read_ahead
from ..progress import Progress


def outputs(graph, source, batches, title=None, lines=False):
    """Run `graph` over the `batches` of `source`, and yield (batch, the output for it) after each one.

    source    an array, or a stream (see `data.batches`). A stream whose `read` returns None says that nothing in this
              batch can be read: nothing is yielded for it
    batches   slices, or lists or arrays of positions
    title     the words before the progress bar; None shows no bar
    lines     as in `Progress`

    No layer remembers anything for a backward. Where the user has asked to stop, Interrupted is raised between two
    batches, after the caller has dealt with the first of them.
    """
    sizes = [len(range(len(source))[batch]) if isinstance(batch, slice) else len(batch) for batch in batches]
    with Progress(title, sum(sizes), enabled=title is not None, lines=lines) as bar:
        for batch, size, examples in zip(batches, sizes, read_ahead(source, batches)):
            if examples is not None:
                yield batch, graph.forward(examples, gradients="none")
            bar.advance(size)


def all_outputs(graph, source, batch_size, title=None, lines=False):
    """Return the output of `graph` for every example of `source` as one array, computed `batch_size` at a time. None
    where `source` is empty. The other arguments are those of `outputs`."""
    collected = None
    for batch, output in outputs(graph, source, in_order(len(source), batch_size), title, lines):
        if collected is None:
            collected = np.empty((len(source), *output.shape[1:]), output.dtype)
        collected[batch] = output
    return collected


def output_shape(graph, source):
    """Return the shape of the output for one example of `source`. A graph for inputs of any size has to be run to know
    it, on an example of zeros."""
    shape = graph.output_shape[1:]
    if None in shape:
        zeros = np.zeros((1, *source.shape[1:]), source.dtype)
        shape = graph.forward(zeros, gradients="none").shape[1:]
    return shape

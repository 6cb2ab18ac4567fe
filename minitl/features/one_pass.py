"""One pass of all examples through a graph: the next batch is read while this one is computed.

This is how anything that does not change is run once: a frozen beginning whose output is kept in memory (`prefix`) or
on the disk (`on_disk`), a whole model that is measured, or that predicts.

Read next: `prefix` and `on_disk`, which keep what a pass gives.
"""

import numpy as np

from ..data.batches import in_order, read_ahead
from ..progress import Progress


def outputs(graph, x, batches, title=None, lines=False):
    """Run `graph` over the `batches` of `x`, and yield (batch, what `graph.forward` gives for it) after each one.

    x         a source (an array or a stream, see `data.batches`), or a tuple of sources, one for each input. A stream
              whose `read` returns None says that nothing in this batch can be read: nothing is yielded for it
    batches   slices, or lists or arrays of positions
    title     the words before the progress bar; None shows no bar
    lines     as in `Progress`

    No layer remembers anything for a backward. Where the user has asked to stop, Interrupted is raised between two
    batches, after the caller has dealt with the first of them.
    """
    sources = x if isinstance(x, tuple) else (x,)
    positions = range(len(sources[0]))
    sizes = [len(positions[batch]) if isinstance(batch, slice) else len(batch) for batch in batches]
    with Progress(title, sum(sizes), enabled=title is not None, lines=lines) as bar:
        for batch, size, examples in zip(batches, sizes, read_ahead(sources, batches)):
            if all(each is not None for each in examples):
                yield batch, graph.forward(graph.input_structure.packed(examples), gradients="none")
            bar.advance(size)


def all_outputs(graph, x, batch_size, title=None, lines=False):
    """Return the outputs of `graph` for all examples of `x`, computed `batch_size` at a time, as a tuple of arrays.
    None where there are no examples. The other arguments are those of `outputs`."""
    found, count = None, len(x[0] if isinstance(x, tuple) else x)
    for batch, output in outputs(graph, x, in_order(count, batch_size), title, lines):
        arrays = graph.output_structure.flat(output, "outputs")
        if found is None:
            found = tuple(np.empty((count, *y.shape[1:]), y.dtype) for y in arrays)
        for place, y in zip(found, arrays):
            place[batch] = y
    return found


def output_shapes(graph, x):
    """Return the shape of each output for one example of `x`, a tuple of sources. A graph for inputs of any size has to
    be run to know it, on an example of zeros."""
    shapes = [tensor.shape[1:] for tensor in graph.outputs]
    if any(None in shape for shape in shapes):
        zeros = [np.zeros((1, *source.shape[1:]), source.dtype) for source in x]
        found = graph.forward(graph.input_structure.packed(zeros), gradients="none")
        shapes = [y.shape[1:] for y in graph.output_structure.flat(found, "outputs")]
    return shapes

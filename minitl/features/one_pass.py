"""One pass of all examples through a graph: the next batch is read while this one is computed.

A graph runs this way when its weights do not change: a frozen beginning whose output is kept in memory (`prefix`) or on
the disk (`on_disk`), or a whole model that is evaluated or that predicts.

Read next: `prefix` and `on_disk`, which keep the output of a pass.
"""

import numpy as np

from ..data.batches import one_pass, read_ahead
from ..errors import ShapeError
from ..progress import Progress


def outputs(graph, x, batches, title=None, lines=True):
    """Run `graph` on each of the `batches` of `x`, and yield (batch, output of `graph.forward`) after each one.

    x         a source (an array or a stream, see `data.batches`), or a tuple of sources, one for each input. If the
              `read` of a stream returns None, no example of this batch can be read, and nothing is yielded for it
    batches   slices, or lists or arrays of positions
    title     the words before the progress bar; None shows no bar
    lines     as in `Progress`

    The layers keep nothing for `backward`. After Ctrl-C, Interrupted is raised between two batches, once the caller has
    processed the first of them.
    """
    sources = x if isinstance(x, tuple) else (x,)
    positions = range(len(sources[0]))
    sizes = [len(positions[batch]) if isinstance(batch, slice) else len(batch) for batch in batches]
    with Progress(title or "Computing", sum(sizes), enabled=title is not None, lines=lines) as bar:
        for batch, size, examples in zip(batches, sizes, read_ahead(sources, batches)):
            if all(each is not None for each in examples):
                yield batch, graph.forward(graph.input_structure.packed(examples), gradients="none")
            bar.advance(size)


def all_outputs(graph, x, batch_size, title=None, lines=True):
    """Return the outputs of `graph` for all examples of `x`, computed `batch_size` at a time, as a tuple of arrays.
    Return None if there are no examples. The other arguments are those of `outputs`."""
    found, count = None, len(x[0] if isinstance(x, tuple) else x)
    batches = one_pass(x if isinstance(x, tuple) else (x,), batch_size)
    for batch, output in outputs(graph, x, batches, title, lines):
        found = collected(found, batch, graph.output_structure.flat(output, "outputs"), count)
    return found


def collected(found, batch, arrays, count):
    """Put the outputs of a batch into the arrays for all `count` examples, and return these. `found` is None before the
    first batch. Raises ShapeError if the outputs of two batches do not fit into one array."""
    if found is None:
        found = tuple(np.empty((count, *y.shape[1:]), y.dtype) for y in arrays)
    for place, y in zip(found, arrays):
        if place.shape[1:] != y.shape[1:]:
            raise ShapeError(
                f"the outputs of two batches have the shapes {place.shape[1:]} and {y.shape[1:]} for an example, and "
                "so do not fit into one array. Give one length for all batches: TokenStream(..., length=128)."
            )
        place[batch] = y
    return found


def output_shapes(graph, x):
    """Return the shape of each output for one example of `x`, a tuple of sources. A graph that takes inputs of any size
    is run on an example of zeros to find it."""
    shapes = [tensor.shape[1:] for tensor in graph.outputs]
    if any(None in shape for shape in shapes):
        zeros = [np.zeros((1, *source.shape[1:]), source.dtype) for source in x]
        found = graph.forward(graph.input_structure.packed(zeros), gradients="none")
        shapes = [y.shape[1:] for y in graph.output_structure.flat(found, "outputs")]
    return shapes

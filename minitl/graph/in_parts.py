"""The first layers of a network for images, computed for some images of the batch at a time.

The first maps are by far the largest: behind VGG16's first convolution 13 MB an image, 411 MB for a batch of 32. Where
no gradient passes, only the next layer reads them. So the first layers compute a part of the batch, then the next part,
and only their last output, which a max pooling has made small, is put together. The numbers are equal up to rounding.

Later layers compute the whole batch at once. They have smaller maps and larger kernels, and every part would read the
kernels anew.

Who calls this: `graph`. For 32 images, VGG16 takes 0.91 GB with it instead of 1.24, and InceptionV3 0.84 instead of
1.01 (`minitl bench --only memory_vgg16 memory_inception_v3`). The time of VGG16 is then 1.04 times as long.
"""

import math

import numpy as np

from ..kernels.memory import empty
from ..kernels.parallel import slices
from ..layers import Conv2D, MaxPooling2D, Normalization, Rescaling, ZeroPadding2D
from .fusion import Fused, layers_of
from .relu_pairs import is_watched

# A part has so many images that its largest map has at most these bytes: 10 images in VGG16, so that a batch of 8 is
# computed at once.
MOST_BYTES = 2**27
# Layers that compute every image by itself. The class has to be exactly one of these, since a subclass may do more.
OF_EACH_IMAGE = (Conv2D, MaxPooling2D, Normalization, Rescaling, ZeroPadding2D)


class InParts(Fused):
    """A row of operations, each of which takes the output of the one before it.

    operations   calls, and calls that are computed as one (`Fused`)
    count        the number of parts that the batch is cut into
    """

    def __init__(self, operations, count):
        self.operations, self.count = operations, count
        self.inputs, self.outputs = operations[0].inputs, operations[-1].outputs
        self.layers = [layer for operation in operations for layer in layers_of(operation)]

    def forward(self, x):
        """Compute the output of the last operation for x (N, H, W, C)."""
        y = None
        for part in slices(len(x), self.count):
            of_part = x[part]
            for operation in self.operations:
                is_fused = isinstance(operation, Fused)
                of_part = operation.forward(of_part) if is_fused else operation.layer.run(of_part)[0]
            if y is None:
                y = empty((len(x), *of_part.shape[1:]), of_part.dtype)
            y[part] = of_part
            del of_part  # before the next part needs memory
        return y


def in_parts(operations, values, outputs, path):
    """Return operations of a forward in order, with an `InParts` in the place of the first, if their maps are large.

    They end with a max pooling. Behind it, the operations up to the next max pooling join them, again and again, as
    long as their largest map of one image is larger than all their kernels, which every part reads anew.

    operations   calls, and calls that are computed as one (`Fused`)
    values       {symbolic input of the graph: its array}
    outputs      the graph's symbolic outputs
    path         the tensors that carry a gradient
    """
    row = _row_at_the_start(operations, outputs, path)
    if not row or not len(values[row[0].inputs[0]]):  # an empty batch
        return operations
    x = values[row[0].inputs[0]]
    shape, itemsize = x.shape, np.result_type(x, np.float32).itemsize
    end = largest = 0  # of what is computed in parts: the number of operations, and the bytes of the largest map
    largest_here = kernels_here = 0  # bytes since the latest max pooling: the largest map, and the kernels
    for number, operation in enumerate(row, start=1):
        layers = layers_of(operation)
        for layer in layers:
            shape = layer.compute_output_shape(shape)
            largest_here = max(largest_here, math.prod(shape) * itemsize)
            kernels_here += sum(weight.nbytes for weight in layer.weights)
        if type(layers[-1]) is MaxPooling2D:
            if end and kernels_here > largest_here / len(x):
                break
            end, largest, largest_here, kernels_here = number, max(largest, largest_here), 0, 0
    count = min(-(-largest // MOST_BYTES), len(x))
    return [InParts(row[:end], count), *operations[end:]] if count > 1 and end > 1 else operations


def _row_at_the_start(operations, outputs, path):
    """Return the first operations, as long as each one is the only user of the output of the one before it, computes
    every image by itself, and carries no gradient. A program that watches a layer sees the whole batch."""
    uses = [tensor for operation in operations for tensor in operation.inputs]
    row = []
    for operation in operations:
        layers = layers_of(operation)
        is_of_each_image = type(operation) is Fused or type(layers[0]) in OF_EACH_IMAGE
        follows = len(operation.inputs) == 1 and (not row or operation.inputs == row[-1].outputs)
        has_gradient = operation.outputs[0] in path
        if not is_of_each_image or not follows or has_gradient or any(is_watched(layer) for layer in layers):
            break
        row.append(operation)
        if operation.outputs[0] in outputs or uses.count(operation.outputs[0]) != 1:
            break
    return row

"""Who shares out the work of a forward: for a single image and short layers, BLAS instead of `kernels.parallel`.

`parallel` wakes a thread of Python for the parts of each layer. That takes 0.1 ms, and several times as long where the
core has gone to sleep meanwhile. For a batch it is nothing beside the layer. But for one image, ResNet50's 53
convolutions take 2 ms each. OpenBLAS has threads of its own, for products. After a product they look for the next one
for a while before they sleep, so they begin at once. This thread does all the rest then: copies, sums, maxima.

Both in turn do not pay: the threads of BLAS that look for work take the core from those of Python, so a forward is done
by the one or by the other. Times with BLAS's threads, as shares of those with Python's (two cores of an AMD EPYC
without AVX-512, for 1, 2 and 4 images at a time; for 1, `minitl bench --only ideas_1_resnet50` repeats it):

    ResNet50            0.81, 0.98, 1.03        EfficientNet-Lite0    0.80, 0.95, 1.03
    InceptionV3         0.89, 1.07, 1.14        VGG16 at 96x96        1.00, 1.13, 1.20

The machine was shared with others. In eight further runs the single image took 0.78 to 0.98 (ResNet50) and 0.70 to 0.96
(InceptionV3). On a processor with AVX-512 it was not measured.

Who calls this: `graph`.
"""

from contextlib import nullcontext

from ..errors import MinitlError
from ..kernels.parallel import in_this_thread
from ..layers import Conv2D, DepthwiseConv2D
from .order import shapes_of

# Floating-point operations of a convolution for one image, on average. ResNet50's have 1.5e8, those of VGG16 at 96x96
# 4.3e8.
SHORT = 2e8


def work_shared_for(graph, arrays, gradients):
    """Return a context for a forward of `graph`, in which BLAS's threads share the work out if that is faster.

    It is decided once for each shape of the inputs, and kept in `graph.has_short_work`.
    """
    if gradients != "none" or len(arrays[0]) != 1:
        return nullcontext()
    shapes = tuple(array.shape for array in arrays)
    if shapes not in graph.has_short_work:
        graph.has_short_work[shapes] = _has_short_work(graph, shapes)
    return in_this_thread(as_threads=1) if graph.has_short_work[shapes] else nullcontext()


def _has_short_work(graph, shapes):
    """Return whether there are convolutions, and these have little work on average for inputs of these shapes."""
    convolutions = [call for call in graph.calls if isinstance(call.layer, (Conv2D, DepthwiseConv2D))]
    if not convolutions:
        return False
    try:
        known = shapes_of(graph.calls, zip(graph.inputs, shapes))
    except MinitlError:  # forward says what is wrong with the image
        return False
    return sum(call.layer.flops(known[call.inputs[0]]) for call in convolutions) < SHORT * len(convolutions)

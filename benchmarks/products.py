"""The matrix products of minitl: counted while a network runs, by the algorithm that minitl chooses for each layer.

    im2col      2 * N*OH*OW * KH*KW*C * F        a product and a sum for each kernel number and each output pixel
    Winograd    2 * P * tiles * C * F            a product and a sum for each point, tile, channel and filter
    Dense       2 * N * inputs * units

Each gradient of a kernel or of an input has a count of the same form. Only the layers that get such a gradient call its
function, so only theirs are counted. The transforms of Winograd's algorithm are not counted.

At the speed of NumPy's product of large matrices, these products take the least time in which minitl could compute the
network with its algorithms. Who calls this: `worker`. `tables` divides by the speed.
"""

import math
from contextlib import contextmanager
from dataclasses import dataclass

from minitl.kernels import affine, convolution, winograd
from minitl.kernels.geometry import Axis
from minitl.layers import dense


@dataclass
class Products:
    """The multiplications and additions of matrix products."""

    flops: int = 0  # by the algorithms that have run
    direct: int = 0  # of the same convolutions, if im2col computed all of them


@contextmanager
def counted():
    """Count the products of all convolutions and dense layers of minitl that run in this block. Yields `Products`."""
    products = Products()
    functions = [(module, name, getattr(module, name), sizes) for module, name, sizes in COUNTED]
    for module, name, function, sizes in functions:
        setattr(module, name, counting(function, sizes, products, module is winograd))
    matmul = dense.matmul  # forward is in `affine`, with the bias and the activation
    dense.matmul = affine.matmul = counting_matmul(matmul, products)
    try:
        yield products
    finally:
        dense.matmul = affine.matmul = matmul
        for module, name, function, _ in functions:
            setattr(module, name, function)


# The functions that compute convolutions and their gradients: (module, name, (N, C, F) of its two arrays).
COUNTED = [
    (convolution, "conv2d_im2col", lambda x, kernel: (len(x), *kernel.shape[2:])),
    (convolution, "kernel_gradient_im2col", lambda x, grad: (len(x), x.shape[3], grad.shape[3])),
    (convolution, "input_gradient_col2im", lambda grad, kernel: (len(grad), *kernel.shape[2:])),
    (winograd, "conv2d_winograd", lambda x, u: (len(x), x.shape[3], u.shape[2])),
    (winograd, "kernel_gradient_winograd", lambda x, grad: (len(x), x.shape[3], grad.shape[3])),
]


def counting(function, sizes, products, by_winograd):
    """Return a function of `COUNTED` that adds what it computes to `products`."""

    def call(*arguments):
        n, c, f = sizes(*arguments[:2])
        rows, cols = [each for each in arguments if isinstance(each, Axis)]
        direct = 2 * n * rows.out * cols.out * rows.kernel * cols.kernel * c * f
        products.direct += direct
        products.flops += 2 * n * points_of_tiles(arguments) * c * f if by_winograd else direct
        return function(*arguments)

    return call


def points_of_tiles(arguments):
    """Return the tiles of an image times the points of each, times 3 where three columns are unrolled as channels. The
    last tiles may reach beyond the edge."""
    axes = [each for each in arguments if isinstance(each, Axis)]
    (forms,) = [each for each in arguments if isinstance(each, list)]
    return math.prod(form.tiles(a.out) * form.points * (a.kernel // form.taps) for form, a in zip(forms, axes))


def counting_matmul(matmul, products):
    """Return the product of a dense layer, made to add what it computes to `products`."""

    def call(a, b, *finish):
        flops = 2 * a.shape[0] * a.shape[1] * b.shape[1]
        products.flops += flops
        products.direct += flops
        return matmul(a, b, *finish)

    return call

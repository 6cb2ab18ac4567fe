"""The matrices of Winograd's convolution: fewer multiplications, by way of the values of polynomials.

In one dimension, four outputs of a three-entry kernel, y_i = sum_k x_(i+k) g_k, take 12 multiplications as written.
Look at a product of polynomials first. A polynomial u with four coefficients times a polynomial g with three has six
coefficients, so the product is determined by its values at six points, and a value of a product is *one*
multiplication. With the points 0, 1, -1, 2, -1/2 and infinity,

    T(g) u = B [ (G g) * (A u) ]       A and G evaluate u and g at the points, *: value by value, B: back again

where T(g) is the matrix that multiplies by g: T(g)[m, i] = g_(m-i). Lagrange's formula gives B: column p holds the
coefficients of the product of (t - q) over the other finite points q. The last column holds those of the product over
all five finite points. It has the leading coefficient 1 and is 0 at all five, so it adds the leading coefficient and
changes no value there. The denominators of the formula, the products of (p - q), are divided out in G, because G is
used once for each kernel.

The point infinity stands for the leading coefficient. u(t) = u_0 + u_1 t + u_2 t^2 + u_3 t^3 grows like u_3 t^3, so
u(t) / t^3 tends to u_3 for large t: this limit is the "value" at infinity. The leading coefficient of a product is the
product of the leading coefficients: one multiplication, as at the other points. So the last rows of A and G only pick
u_3 and g_2. What remains of the product has degree 4, and the five other points determine it.

The convolution is the transpose of T(g), y_i = sum_m x_m g_(m-i) = (T(g)^T x)_i, so transpose the right side as well:

    y = A^T [ (G g) * (B^T x) ]        x: 6 pixels, g: 3 kernel entries, y: 4 outputs, 6 multiplications

This is called F(4,3). The columns of its A^T belong to the points, and hold their powers t^0 to t^3:

             0   1  -1   2  -1/2  infinity
           [ 1   1   1   1    1     0 ]
    A^T =  [ 0   1  -1   2  -1/2    0 ]
           [ 0   1   1   4   1/4    0 ]
           [ 0   1  -1   8  -1/8    1 ]

In the same way F(m,r) gives m outputs of a kernel of r entries from m + r - 1 points:

    F(4,3), F(5,3), F(6,3)    3 entries    6, 7, 8 points    1.5, 1.4, 1.33 multiplications an output instead of 3
    F(4,5)                    5 entries    8 points          2 instead of 5
    F(4,7), F(6,7)            7 entries    10, 12 points     2.5, 2 instead of 7

In two dimensions each matrix is applied to the rows and to the columns. F(4,3) both ways takes 36 multiplications
instead of 144 for a tile of 4x4 outputs. A kernel of one row, 1x7, is F(1,1) over the rows: one point, nothing to do.

More outputs a tile save more multiplications, if the tiles fit: 14 outputs take four tiles of 4 (24 points), three of 5
(21) or three of 6 (24), and 17 outputs of a 1x7 kernel take five tiles of 4 (50) or three of 6 (36). `form_of` chooses.

How the points are chosen. Any different points are right in exact arithmetic. In floating point, A holds powers of the
points, B and G come from products of their differences, and all these numbers should be of similar size. Infinity, 0, 1
and -1 come first, because their powers are only 0, 1 and -1. Then come numbers near 1 in size: the powers of 2 up to
t^3 reach 8, those of 3 reach 27, and large powers cost digits (the large terms of a sum cancel, their rounding errors
stay). A large number p is paired with 1/p or -1/p: where A holds a large number for one of the two, it holds a small
one for the other. Numbers must not lie close together either, for the differences are divided by. Which pairs are best
was found by trial. For layers of random numbers with 64 channels, this is the error of the worst output in float32,
relative to the largest output, on average over 24 layers. In brackets are other points:

    F(4,3) both ways    0, +-1, 2, -1/2                2.4e-6    (+-2: 6e-6, +-1/2: 7e-6, +-3: 2e-5)
    F(5,3) both ways    0, +-1, +-7/4, 1/2             5.8e-6    (+-2, -1/2: 7.3e-6)
    F(6,3) both ways    0, +-1, +-7/4, +-4/7           7.4e-6    (+-2, +-1/2: 8.4e-6)
    F(4,5) both ways    0, +-1, +-2, +-1/2             6.2e-6
    F(4,7)              0, +-1, +-2, +-1/2,            5.1e-6    (+-3/2, +-3 and +-4 for the last two: 1.3, 3 and 4
                           3/2, -3/4                              times as much)
    F(6,7)              0, +-1, +-4/3, +-3/4,          7.7e-6    (+-3/2, +-2/3, +-2, +-1/2: 1.3e-5)
                           +-5/2, +-2/5

With 192 channels they are about twice as large: `python -m benchmarks.kernels` prints the errors of some layers.

More points save more multiplications and lose more digits. F(7,3) both ways would fit 28 and 14 outputs exactly, but
the best nine points that were found lose 4e-5. In two dimensions the losses multiply, so only a kernel of one row or
column gets ten points or more. Lavin & Gray 2016, arXiv 1509.09308, for F(4,3).

Who calls this: `winograd_choice`.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Form(NamedTuple):
    """The matrices of F(m,r), for P = m + r - 1 points. B^T (P, P), G (P, r), A^T (m, P)."""

    bt: np.ndarray
    g: np.ndarray
    at: np.ndarray
    point_of_ones: int  # whose column in A^T holds ones only: its number is added to every output of the tile

    @property
    def points(self):
        """Return the number of points, which is also the number of pixels that a tile of outputs sees."""
        return self.at.shape[1]

    @property
    def outputs(self):
        """Return the number of outputs of a tile, which is also the distance between the tiles in pixels."""
        return self.at.shape[0]

    @property
    def taps(self):
        """Return the number of entries of the kernel along this axis."""
        return self.g.shape[1]

    def tiles(self, outputs):
        """Return the number of tiles for so many outputs along an axis. The last tile may reach beyond the end."""
        return -(-outputs // self.outputs)

    def astype(self, dtype):
        """Return the form with matrices of this type."""
        return Form(*(each.astype(dtype) for each in (self.bt, self.g, self.at)), self.point_of_ones)


def form(outputs, taps, points):
    """Return F(outputs, taps) for these finite points; infinity comes last. There are outputs + taps - 2 of them."""
    count = len(points) + 1
    bt, g, at = np.zeros((count, count)), np.zeros((count, taps)), np.zeros((outputs, count))
    for k, p in enumerate(points):
        others = [q for q in points if q != p]
        bt[k, : len(points)] = _coefficients(others)
        g[k] = np.power(float(p), range(taps)) / np.prod([p - q for q in others])
        at[:, k] = np.power(float(p), range(outputs))
    bt[-1], g[-1, -1], at[-1, -1] = _coefficients(points), 1, 1
    return Form(bt, g, at, int(np.flatnonzero((at == 1).all(axis=0))[0]))


def _coefficients(roots):
    """Return the coefficients of the product of (t - q) over all roots q, that of t^0 first."""
    product = np.ones(1)
    for q in roots:
        product = np.convolve(product, [-q, 1])
    return product


# By the entries of the kernel along an axis: the forms with small tiles first.
FORMS = {
    1: [form(1, 1, ())],
    3: [
        form(4, 3, (0, 1, -1, 2, -1 / 2)),
        form(5, 3, (0, 1, -1, 7 / 4, -7 / 4, 1 / 2)),
        form(6, 3, (0, 1, -1, 7 / 4, -7 / 4, 4 / 7, -4 / 7)),
    ],
    5: [form(4, 5, (0, 1, -1, 2, -2, 1 / 2, -1 / 2))],
    7: [
        form(4, 7, (0, 1, -1, 2, -2, 1 / 2, -1 / 2, 3 / 2, -3 / 4)),
        form(6, 7, (0, 1, -1, 4 / 3, -4 / 3, 3 / 4, -3 / 4, 5 / 2, -5 / 2, 2 / 5, -2 / 5)),
    ],
}
# Larger tiles lose digits, and U is larger. So their points along an axis may be at most this share of those of the
# smallest. 56 outputs take 84 points in tiles of 4 and 80 in tiles of 6: tiles of 6 took 1.0 to 1.1 of the time.
WORTHWHILE = 0.92


@lru_cache(256)
def form_of(taps, outputs, dtype, larger=False, even=False):
    """Return the form for `outputs` outputs along an axis and a kernel of `taps` entries, with matrices of this type.

    That is the form with the smallest tiles. With `larger`, it is the one that needs the fewest points for all the
    outputs, if these are WORTHWHILE; with `even`, among those with an even number of outputs a tile.
    """

    def points(each):
        return each.tiles(outputs) * each.points

    smallest = FORMS[taps][0]
    fewest = min((each for each in FORMS[taps] if not (even and each.outputs % 2)), key=points, default=smallest)
    chosen = fewest if larger and points(fewest) <= WORTHWHILE * points(smallest) else smallest
    return chosen.astype(dtype)

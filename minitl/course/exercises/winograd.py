"""An exercise on Winograd's convolution, in one dimension: four multiplications where there were six.

Read next: `grad_cam`.
"""

import numpy as np

from ...kernels.winograd_forms import form
from .exercise import Case, Exercise


def winograd_row(x, g):
    a, b, c, d = x[:-3:2], x[1:-2:2], x[2:-1:2], x[3::2]
    m0 = (a - c) * g[0]
    m1 = (b + c) * ((g[0] + g[1] + g[2]) / 2)
    m2 = (c - b) * ((g[0] - g[1] + g[2]) / 2)
    m3 = (d - b) * g[2]
    y = np.stack([m0 + m1 + m2, m1 - m2 + m3], axis=1)
    return y.ravel(), np.stack([m0, m1, m2, m3])


def winograd_row_by_engine(x, g):
    f23 = form(2, 3, (0, 1, -1))
    tiles = np.stack([x[first : first + 4] for first in range(0, len(x) - 2, 2)], axis=1)  # (4, T)
    m = (f23.bt @ tiles) * (f23.g @ g)[:, None]
    return (f23.at @ m).T.ravel(), m


def winograd_row_cases(random):
    return [
        Case("12 pixels: 5 tiles", random.normal(size=12), random.normal(size=3)),
        Case("4 pixels: one tile", random.normal(size=4), random.normal(size=3)),
        Case("whole numbers", np.array([3, 1, 4, 1, 5, 9, 2, 6]), np.array([2, -1, 3])),
        Case("a kernel that is the same from both sides", random.normal(size=10), np.array([0.5, -2.0, 0.5])),
    ]


def tiles_of(x):
    """Return the four pixels of each tile: (4, T)."""
    return np.stack([x[:-3:2], x[1:-2:2], x[2:-1:2], x[3::2]])


def finished(m):
    """Return the outputs and the products."""
    return np.stack([m[0] + m[1] + m[2], m[1] - m[2] + m[3]], axis=1).ravel(), m


def with_the_last_sign_turned(x, g):
    """Compute b - d, and subtract m3 at the end, as Lavin & Gray 2016 do: the outputs are the same."""
    y, m = winograd_row(x, g)
    return y, m * np.array([1, 1, 1, -1])[:, None]


def not_halved(x, g):
    """Leave out the halves of the kernel: m1 + m2 counts b, c and the outer kernel entries twice."""
    y, m = winograd_row(x, g)
    return finished(m * np.array([1, 2, 2, 1])[:, None])


def halved_twice(x, g):
    """Halve the sums of pixels as well as those of the kernel: one half in each product is enough."""
    y, m = winograd_row(x, g)
    return finished(m * np.array([1, 0.5, 0.5, 1])[:, None])


def tiles_side_by_side(x, g):
    """Begin a tile every 4 pixels: a tile of 4 pixels makes 2 outputs, so the next one begins 2 pixels later, and they
    overlap."""
    first = range(0, len(x) - 3, 4)
    parts = [winograd_row(x[k : k + 4], g) for k in first]
    return np.concatenate([y for y, _ in parts]), np.concatenate([m for _, m in parts], axis=1)


def first_outputs_first(x, g):
    """Put the first outputs of all tiles before the second ones: the outputs of a tile are neighbours, y[2t] and
    y[2t + 1]."""
    y, m = winograd_row(x, g)
    return y.reshape(-1, 2).T.ravel(), m


def sum_in_both_outputs(x, g):
    """Add m2 in both outputs: in the second one it is subtracted, as its point is -1, and the second output takes the
    points to the first power."""
    y, m = winograd_row(x, g)
    return np.stack([m[0] + m[1] + m[2], m[1] + m[2] + m[3]], axis=1).ravel(), m


def kernel_turned(x, g):
    """Turn the kernel around, as np.convolve does: here y[i] = x[i]*g[0] + x[i+1]*g[1] + x[i+2]*g[2], with the kernel
    as it is."""
    return winograd_row(x, g[::-1])


def kernel_entry_in_the_middle(x, g):
    """Multiply the middle sums by g[1] alone: each product needs the kernel's value at its point, (g0 + g1 + g2) / 2 at
    1 and (g0 - g1 + g2) / 2 at -1."""
    a, b, c, d = tiles_of(x)
    return finished(np.stack([(a - c) * g[0], (b + c) * g[1], (c - b) * g[1], (d - b) * g[2]]))


def points_swapped(x, g):
    """Swap the points 1 and -1 for the pixels alone: b + c belongs to g0 + g1 + g2, and c - b to g0 - g1 + g2."""
    a, b, c, d = tiles_of(x)
    plus, minus = (g[0] + g[1] + g[2]) / 2, (g[0] - g[1] + g[2]) / 2
    return finished(np.stack([(a - c) * g[0], (c - b) * plus, (b + c) * minus, (d - b) * g[2]]))


def sum_in_the_first(x, g):
    """Add c to a in m0: there it is a - c, because m1 + m2 holds c * g0 once, which m0 takes away again."""
    a, b, c, d = tiles_of(x)
    _, m = winograd_row(x, g)
    return finished(np.stack([(a + c) * g[0], *m[1:]]))


def last_sign_mixed(x, g):
    """Compute (b - d) * g2 and add it: with b - d it has to be subtracted, and with d - b it is added."""
    _, m = winograd_row(x, g)
    return finished(m * np.array([1, 1, 1, -1])[:, None])


def winograd_row_by_hand(name, index, x, g):
    g0, g1, g2 = g.tolist()
    if name == "y":
        (i,) = index
        pixels = x[i : i + 3].tolist()
        return "directly " + " + ".join(f"{a:.3f}*({b:.3f})" for a, b in zip(pixels, (g0, g1, g2)))
    k, t = index
    a, b, c, d = (f"({each:.4f})" for each in x[2 * t : 2 * t + 4].tolist())
    pixels = (f"{a} - {c}", f"{b} + {c}", f"{c} - {b}", f"{d} - {b}")[k]
    kernel = (f"{g0:.4f}", f"({g0:.4f} + {g1:.4f} + {g2:.4f})/2", f"({g0:.4f} - {g1:.4f} + {g2:.4f})/2", f"{g2:.4f}")[k]
    return f"({pixels}) * ({kernel})"


WINOGRAD_ROW = Exercise(
    "winograd_row",
    title="Winograd's convolution in one dimension",
    text="""A kernel of three entries slides over a row of pixels: two neighbouring outputs take 6 multiplications.
    Winograd's F(2,3) needs 4, because the two outputs share products of sums. The row is cut into tiles of 4
    pixels that begin 2 pixels apart; each makes 2 outputs. Sums of pixels are multiplied with sums of kernel entries,
    and sums of the products are the outputs. The sums of the kernel are the same for all tiles, so they cost nothing.
    Multiply out m0 + m1 + m2 to see that it is true. In two dimensions the same needs 16 products instead of 36. The
    number W of pixels is even.""",
    given={
        "x": "(W,)  a row of pixels, W = 2*T + 2 for T tiles",
        "g": "(3,)  the kernel",
    },
    returns={
        "y": "(OW,)  the outputs, OW = W - 2",
        "m": "(4, T)  the four products of each tile, in the order m0, m1, m2, m3",
    },
    formula="""
pixels of tile t:   a = x[2t]   b = x[2t+1]   c = x[2t+2]   d = x[2t+3]

m0 = (a - c) * g0                      m1 = (b + c) * (g0 + g1 + g2) / 2
m3 = (d - b) * g2                      m2 = (c - b) * (g0 - g1 + g2) / 2

y[2t]   = m0 + m1 + m2                 which is  a*g0 + b*g1 + c*g2
y[2t+1] = m1 - m2 + m3                 which is  b*g0 + c*g1 + d*g2

g0, g1 and g2 are g[0], g[1] and g[2]
""",
    answer=winograd_row,
    by_engine=winograd_row_by_engine,
    also_right=(with_the_last_sign_turned,),
    lines=(form,),
    cases=winograd_row_cases,
    wrong_answers=(
        not_halved, halved_twice, tiles_side_by_side, first_outputs_first, sum_in_both_outputs, kernel_turned,
        kernel_entry_in_the_middle, points_swapped, sum_in_the_first, last_sign_mixed,
    ),
    by_hand=winograd_row_by_hand,
    hints=(
        "Write it for one tile first, with t = 0. Then let t run from 0 to T - 1, with T = (len(x) - 2) // 2.",
        "Without a loop: x[0:-3:2] are the first pixels of all tiles, x[1:-2:2] the second ones, then x[2:-1:2] and "
        "x[3::2]. The formulas work on these four arrays.",
        "m = np.stack([m0, m1, m2, m3]). The outputs have to alternate: y = np.empty(len(x) - 2), y[0::2] = m0 + m1 + "
        "m2, and y[1::2] = the others.",
    ),
    read_next="minitl/kernels/winograd_forms.py, which derives the formulas from the values of polynomials.",
)  # fmt: skip

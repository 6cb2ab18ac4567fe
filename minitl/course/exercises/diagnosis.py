"""The diagnosis of a wrong array: what distinguishes it from the right one, in a sentence for the learner.

Each `*_finding` looks for one kind of mistake and returns a `Finding`, or None. `checking` asks them in the order in
which they stand in `findings_of_shape` and `findings_of_values`. Axes are named by their letters, N, H, W and so on.
"""

from itertools import permutations
from typing import NamedTuple

import numpy as np

from .comparing import is_right

SPATIAL = {"H": "row", "W": "column", "OH": "row", "OW": "column", "T": "time step"}
COUNTED = {
    **SPATIAL, "N": "example", "K": "class", "C": "channel", "F": "filter", "D": "feature", "KH": "kernel row",
    "KW": "kernel column", "inputs": "input", "units": "unit",
}  # fmt: skip


LEAST_WRONG = 0.1  # the part of an image, a row, ... that is wrong where it is called wrong as a whole


class Finding(NamedTuple):
    """A kind of mistake, in one word, and a sentence about it."""

    kind: str
    text: str


def shape_finding(name, letters, expected, found):
    """Return a `Finding` about an array of another shape. `letters` are those of the expected axes, or None."""
    letters = letters if letters is not None and len(letters) == len(expected) else tuple("abcdefgh"[: len(expected)])
    shapes = f"Expected the shape {shown_axes(letters)} = {expected}, found {found}."
    return Finding("shape", f"{name} has another shape. {shapes}{_about_shape(letters, expected, found)}")


def _about_shape(letters, expected, found):
    """Return a sentence about how a shape came to be another one, with a space before it; "" if that is not known."""
    named = dict(zip(letters, expected))
    if len(found) == len(expected):
        orders = [order for order in permutations(range(len(expected))) if tuple(expected[k] for k in order) == found]
        if len(orders) == 1:
            moved = [letters[k] for place, k in enumerate(orders[0]) if k != place]
            if len(moved) == 2:
                return f" The axes {moved[0]} and {moved[1]} are swapped."
            return f" The axes stand in the order {shown_axes([letters[k] for k in orders[0]])}."
        different = [k for k in range(len(expected)) if expected[k] != found[k]]
        if len(different) == 1:
            return _about_size(letters[different[0]], expected[different[0]], found[different[0]], named)
        return ""
    if tuple(size for size in found if size != 1) == tuple(size for size in expected if size != 1):
        what = "too many" if len(found) > len(expected) else "missing"
        return f" An axis of size 1 is {what}: look at keepdims, [:, None] and reshape."
    for k in range(len(expected)):
        if len(found) == len(expected) - 1 and expected[:k] + expected[k + 1 :] == found:
            return f" The axis {letters[k]} is missing. Was it summed over, or only one of its entries computed?"
    for k in range(len(found)):
        if len(found) == len(expected) + 1 and found[:k] + found[k + 1 :] == expected:
            return f" Axis {k}, of size {found[k]}, is too many. Was it to be summed over?"
    if not found:
        return " One number alone was returned. Was everything summed up?"
    if np.prod(found) == np.prod(expected):
        return " There are as many numbers as there should be: reshape them, or keep the axes apart."
    return ""


def _about_size(letter, expected, found, named):
    """Return a sentence about one axis of another size."""
    same = [other for other, size in named.items() if size == found and other != letter]
    if found == 1:
        return f" The axis {letter} has been summed over, or only one of its entries was computed."
    if found == 0:
        return f" The axis {letter} is empty."
    if abs(found - expected) == 1:
        more = "one more" if found > expected else "one less"
        return f" The axis {letter} has {more} than it should: count its first and last entry by hand."
    return f" The axis {letter} is as long as {same[0]}." if same else f" The axis {letter} has another length."


def not_finite_finding(name, letters, expected, found, arguments):
    """Return a `Finding` where a number is NaN or infinite and should not be."""
    bad = ~np.isfinite(found) & np.isfinite(expected)
    if not bad.any():
        return None
    place = first(bad)
    what = "NaN" if np.isnan(found[place]) else "infinite"
    why = (
        "0/0, infinity - infinity or infinity/infinity gives NaN" if what == "NaN" else "x/0, or exp of a large number"
    )
    return Finding("nan", f"{name}{shown_index(place)} is {what}, {bad.sum()} of {found.size} numbers are not finite: "
                          f"{why}. Which step has such an input?")  # fmt: skip


def standard_finding(name, letters, expected, found, arguments):
    """Return a `Finding` where only zeros, or one of the arguments itself, came back."""
    if not found.any():
        return Finding("zeros", f"{name} holds nothing but zeros. Was the result written into another array?")
    for argument, value in arguments.items():
        if isinstance(value, np.ndarray) and value.shape == found.shape and is_right(found, value).all():
            return Finding("input", f"{name} is the argument {argument} itself, unchanged.")
    if found.size > 1 and (found == found.flat[0]).all():
        return Finding("constant", f"All numbers of {name} are the same, {shown(found.flat[0])}.")
    return None


def whole_numbers_finding(name, letters, expected, found, arguments):
    """Return a `Finding` where fractions have been cut off, because the array holds whole numbers."""
    if found.dtype.kind in "biu" and is_right(found, np.trunc(expected)).all():
        return Finding("dtype", f"{name} holds whole numbers ({found.dtype}), so the fractions were cut off. An "
                                "array made by np.zeros_like(x), or of whole numbers, takes no fractions.")  # fmt: skip
    return None


def factor_finding(name, letters, expected, found, arguments, sizes=None):
    """Return a `Finding` where all numbers are off by the same factor, or by the sign."""
    usual = np.abs(expected) > 1e-9 * np.abs(expected).max(initial=0)
    if usual.sum() < 2 or not is_right(found[~usual], expected[~usual]).all():
        return None
    ratios = found[usual] / expected[usual]
    factor = float(np.median(ratios))
    if not np.isfinite(factor) or factor == 0 or not is_right(found, factor * expected).all():
        return None
    if abs(factor + 1) < 1e-6:
        return Finding("sign", f"Every number of {name} has the wrong sign.")
    sign = " and has the wrong sign" if factor < 0 else ""
    times = f"Every number of {name} is {shown(abs(factor))} times what it should be{sign}."
    return Finding("factor", times + _about_factor(abs(factor), sizes or {}))


def _about_factor(factor, sizes):
    """Return a sentence that explains a factor by the sizes of axes, with a space before it; "" if none fits."""
    products = {f"{letter} = {size}": size for letter, size in sizes.items()}
    pairs = [(a, b) for a in sizes for b in sizes if a < b]
    products.update({f"{a}*{b} = {sizes[a] * sizes[b]}": sizes[a] * sizes[b] for a, b in pairs})
    for text, size in products.items():
        if size > 1 and abs(factor / size - 1) < 1e-6:
            return f" That is {text}: was a division by it, or a mean, forgotten?"
        if size > 1 and abs(factor * size - 1) < 1e-6:
            return f" That is 1 / ({text}): was there a mean in place of a sum, or a division too many?"
    return ""


def arrangement_finding(name, letters, expected, found, arguments):
    """Return a `Finding` where the right numbers stand at other places: turned, shifted, or in another order."""
    for axis in range(expected.ndim):
        if expected.shape[axis] > 1 and is_right(found, np.flip(expected, axis)).all():
            return Finding("flipped", f"{name} is right, but turned around along the axis {letters[axis]}.")
    for a in range(expected.ndim):
        for b in range(a):
            if is_right(found, np.flip(expected, (a, b))).all():
                text = f"{name} is right, but turned around along the axes {letters[b]} and {letters[a]}."
                return Finding("flipped", text)
    for axis in range(expected.ndim):
        for by in (1, -1):
            inner = slice(max(by, 0), expected.shape[axis] + min(by, 0))
            moved = np.roll(expected, by, axis).take(range(expected.shape[axis])[inner], axis)
            if moved.size and moved.shape[axis] > 1:
                if is_right(found.take(range(expected.shape[axis])[inner], axis), moved).all():
                    where = "later" if by > 0 else "earlier"
                    text = f"{name} is right, but each number stands one place {where} along the axis {letters[axis]}."
                    return Finding("shifted", text)
    if expected.size > 2 and is_right(np.sort(found, axis=None), np.sort(expected, axis=None)).all():
        text = f"{name} holds the right numbers at other places: axes were mixed by reshape, or the order is another."
        return Finding("order", text)
    return None


def offset_finding(name, letters, expected, found, arguments):
    """Return a `Finding` where the same number was added to all."""
    offset = float(np.median(found - expected))
    if expected.size > 2 and is_right(found - offset, expected).all():
        what = "too large" if offset > 0 else "too small"
        return Finding("offset", f"Every number of {name} is {shown(abs(offset))} {what}.")
    return None


def place_finding(name, letters, expected, found, arguments, places=None):
    """Return a `Finding` where only some places are wrong: named ones, those at the edges, or some entries of an axis.

    places    {"where two pixels are equal": array of booleans}
    """
    wrong = ~is_right(found, expected)
    if wrong.all():
        return None
    for text, mask in (places or {}).items():
        if mask.any() and not (wrong & ~mask).any():
            return Finding("place", f"{name} is wrong only {text}.")
    entries = {k: set(np.nonzero(wrong.any(axis=tuple(a for a in range(wrong.ndim) if a != k)))[0].tolist())
               for k in range(wrong.ndim)}  # fmt: skip
    edges = _edges(letters, wrong)
    for k, wrong_ones in entries.items():
        size, letter = wrong.shape[k], letters[k]
        if len(wrong_ones) == size or letter in SPATIAL and edges is not None:
            continue
        there = np.isin(np.arange(size), list(wrong_ones))
        if wrong.compress(there, axis=k).mean() < LEAST_WRONG:
            continue
        noun = COUNTED.get(letter, f"entry of the axis {letter}")
        if wrong_ones == set(range(1, size)):
            return Finding("place", f"{name} is right for the first {noun} only.")
        if len(wrong_ones) == 1:
            k = wrong_ones.pop()
            which = {size - 1: "last", 0: "first", 1: "second", 2: "third"}.get(k, f"{k + 1}th")
            return Finding("place", f"{name} is wrong only for the {which} {noun}.")
    if edges is not None:
        return Finding("edges", f"{name} is wrong only at the edges: {edges}.")
    return None


def _edges(letters, wrong):
    """Return which edges hold all wrong numbers, in words: "the first row, the last column"; None if inner numbers are
    wrong, too."""
    outer, named = np.zeros(wrong.shape, bool), []
    for k, letter in enumerate(letters):
        if letter not in SPATIAL or wrong.shape[k] < 3:
            continue
        for index, which in (0, "first"), (-1, "last"):
            edge = np.zeros(wrong.shape, bool)
            np.moveaxis(edge, k, 0)[index] = True
            outer |= edge
            alone = edge & ~_others(letters, k, wrong)  # without the corners, which belong to two edges
            if wrong[alone if alone.any() else edge].mean() >= LEAST_WRONG:
                named.append(f"the {which} {SPATIAL[letter]}")
    return ", ".join(named) if named and not (wrong & ~outer).any() else None


def _others(letters, axis, wrong):
    """Return which numbers lie at an edge of another spatial axis than this one."""
    outer = np.zeros(wrong.shape, bool)
    for k, letter in enumerate(letters):
        if letter in SPATIAL and k != axis:
            for index in 0, -1:
                np.moveaxis(outer, k, 0)[index] = True
    return outer


def values_finding(name, letters, expected, found, arguments, sizes, places):
    """Return the first `Finding` about an array of the right shape with wrong numbers; None if none of them fits."""
    letters = letters if letters is not None and len(letters) == expected.ndim else "abcdefgh"[: expected.ndim]
    given = name, letters, expected, found, arguments
    return (
        not_finite_finding(*given) or standard_finding(*given) or whole_numbers_finding(*given)
        or factor_finding(*given, sizes) or arrangement_finding(*given) or place_finding(*given, places)
        or offset_finding(*given)
    )  # fmt: skip


def first(flags):
    """Return the index of the first True, in reading order."""
    return tuple(int(k[0]) for k in np.nonzero(flags)) if flags.ndim else ()


def shown_axes(letters):
    """Return axis letters as a tuple is written: "(N, K)"."""
    return f"({', '.join(letters)}{',' * (len(letters) == 1)})"


def shown_index(index):
    """Return an index as it is written behind a name: "[0, 2]"; "" for a single number."""
    return f"[{', '.join(map(str, index))}]" if index else ""


def shown(number):
    """Return a number as text, with six digits."""
    return f"{float(number):.6g}"

"""Resampling in time: the same sound with another number of samples a second.

A sound is a curve over time, and its samples are the heights of the curve at equal distances. Samples at `rate` a
second fix every curve that holds no frequency above rate/2 (Nyquist 1928, Shannon 1949), and the curve between them is

    x(t) = sum over n of  x[n] sinc(t - n)         sinc(u) = sin(pi u) / (pi u),  t in old samples

So the new sample i is this curve at t = i * rate / new_rate. Two things stand in the way of taking the formula as it
is.

*Aliasing.* New samples cannot hold frequencies above new_rate/2. They do not vanish by themselves: 7 kHz sampled at
8 kHz gives the very numbers of 1 kHz. They must be removed before, and a sinc that is wider by rate/new_rate does
it: this is the ideal filter, which lets pass what is below new_rate/2.

*The sinc never ends.* It is cut off after REACH samples (of the lower rate) on either side. To cut it abruptly would
let a part of every frequency leak through, so it is faded out by a window, that of Kaiser:

    window(u) = I0(BETA sqrt(1 - (u / REACH)^2)) / I0(BETA)                I0: the modified Bessel function

A larger BETA lets less through, and makes the step from "passes" to "is removed" wider. Kaiser's rules (1974) connect
the attenuation A in decibels, the width of the step and the length: BETA = 0.1102 (A - 8.7), and the step takes (A - 8)
/ (2.285 * 2 REACH) radians a sample. Here A = 80 and REACH = 48, so the step is a tenth of the band wide. It ends at
the lower of the two limits, so nothing is left to be folded back, and what lies below 0.89 of this limit passes as it
is. (`tests/sound/test_resampling_in_time.py` measures both.)

*How it is computed.* With rate / new_rate = down / up as a fraction in lowest terms, the distances t - n repeat after
`up` new samples. So the weights of a few new samples are columns of a matrix, which serves again and again, as the
kernel of a convolution does: rows of old samples, shifted by `down`, times this matrix. It is im2col along one axis.

Who calls this: `data.sound`. Read next: `spectra`.
"""

import math

import numpy as np

from ..arguments import whole_number
from ..errors import ArgumentError
from .spectra import checked_samples

ATTENUATION = 80.0  # decibels by which frequencies that cannot be held are lowered
REACH = 48  # samples of the lower rate on either side
BETA = 0.1102 * (ATTENUATION - 8.7)
STEP = (ATTENUATION - 8) / (2.285 * 2 * REACH) / math.pi  # its width as a share of the band
MOST_RATIO = 1000  # between two rates
OUTPUTS = 64  # new samples that one matrix gives, or a few more or less
ROWS = 2048  # rows of old samples that are copied at a time
MOST_WEIGHTS = 2**19  # of one matrix
MOST_KEPT = 2**26  # bytes of matrices that are kept


def resampled_length(count, rate, new_rate):
    """Return the number of samples after resampling: count * new_rate / rate, rounded up."""
    return -(-count * new_rate // rate)


def resample(samples, rate, new_rate):
    """Return a sound at another rate: samples (S,) -> (ceil(S * new_rate / rate),), of the same type and duration.

    rate, new_rate   samples a second, whole numbers

    Beyond its ends, the sound is silent. Raises ArgumentError for rates that are none, or further apart than a factor
    of MOST_RATIO.
    """
    samples = checked_samples(samples)
    up, down = _fraction(rate, new_rate)
    if up == down:
        return samples.copy()
    count, reach = resampled_length(len(samples), down, up), math.ceil(REACH * max(1, down / up))
    outputs = max(1, min(OUTPUTS, MOST_WEIGHTS // (2 * reach + 1)))
    repeats = max(1, outputs // up)  # after `period` new samples and `shift` old ones, all weights are the same again
    period, shift = up * repeats, down * repeats
    rows = -(-count // period)
    padded = np.zeros(reach + rows * shift + 2 * reach + 2, samples.dtype)
    padded[reach : reach + len(samples)] = samples
    y = np.empty((rows, period), samples.dtype)
    for first in range(0, min(period, count), outputs):
        places = slice(first, min(first + outputs, period))  # of new samples
        weights = _kept_weights(up, down, first, places.stop - first, samples.dtype)  # (L, outputs)
        start = first * down // up  # of the padded old ones
        windows = np.lib.stride_tricks.sliding_window_view(padded[start:], len(weights))[::shift]  # (rows, L), no copy
        for row in range(0, rows, ROWS):
            some = slice(row, min(row + ROWS, rows))
            y[some, places] = np.ascontiguousarray(windows[some]) @ weights
    return y.reshape(-1)[:count]


_kept = {}  # a folder of recordings is resampled between the same two rates again and again


def _kept_weights(*arguments):
    """Return `_weights`, which are kept: for 22,254 samples a second that become 16,000, they are 125 matrices. Where
    all take more than MOST_KEPT bytes, they are forgotten."""
    found = _kept.get(arguments)
    if found is None:
        found = _weights(*arguments)
        if sum(each.nbytes for each in list(_kept.values())) + found.nbytes > MOST_KEPT:
            _kept.clear()
        _kept[arguments] = found
    return found


def _weights(up, down, first, count, dtype):
    """Return the weights of `count` new samples from number `first` on: (old samples, count), the first one the old
    sample that is `reach` before the place of the first new one."""
    reach, places = math.ceil(REACH * max(1, down / up)), np.arange(first, first + count)
    old = np.arange(first * down // up - reach, places[-1] * down // up + reach + 1)
    return sinc_weights((places * down / up)[None, :] - old[:, None], up / down).astype(dtype)


def sinc_weights(distance, ratio):
    """Return the weights of old samples at these distances, in old samples, from a new one.

    ratio   new_rate / rate. Below 1, the sinc is wider and lower by it
    """
    scale = min(1.0, ratio)
    u = distance * scale  # in samples of the lower rate
    band = 1 - STEP / 2  # the middle of the step, as a share of the lower limit
    window = np.i0(BETA * np.sqrt(np.clip(1 - (u / REACH) ** 2, 0, None))) / np.i0(BETA)
    return np.where(np.abs(u) <= REACH, scale * band * np.sinc(band * u) * window, 0.0)


def _fraction(rate, new_rate):
    """Return (up, down): new_rate / rate in lowest terms."""
    rate, new_rate = whole_number(rate, "rate"), whole_number(new_rate, "new_rate")
    if max(rate, new_rate) > MOST_RATIO * min(rate, new_rate):
        raise ArgumentError(
            f"rate is {rate:,} and new_rate {new_rate:,} samples a second; expected rates within a factor of "
            f"{MOST_RATIO:,}. Is one of them wrong?"
        )
    common = math.gcd(rate, new_rate)
    return new_rate // common, rate // common


# ---------------------------------------------------------------------------------------------------------------------
# The definition as loops.


def resample_naive(samples, rate, new_rate):
    """Add up the old samples, each times its weight, for one new sample after the other."""
    y = np.zeros(resampled_length(len(samples), rate, new_rate), samples.dtype)
    if rate == new_rate:
        return samples.copy()
    for i in range(len(y)):
        for n in range(len(samples)):
            y[i] += samples[n] * sinc_weights(np.float64(i * rate / new_rate - n), new_rate / rate)
    return y

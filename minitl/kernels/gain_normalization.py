"""Per-channel energy normalization (PCEN): what changes stands out, what stays the same is turned down.

A logarithm of the power depends on how near the microphone was, and a fan that hums all the time is as bright in it as
a voice. PCEN (Wang et al. 2017, equation 1) divides each band by what it has held lately, and takes a root in place of
the logarithm:

    M[t] = (1 - s) M[t-1] + s E[t]                           the recent mean of a band, s its pace
    y[t] = (E[t] / (eps + M[t])^gain + bias)^power - bias^power

With gain = 1, a sound that is ten times as strong from beginning to end gives the same y. The root is steep near 0, and
`bias` takes the steepness away there: y is nearly linear for quiet sounds.

*The pace.* s is such that the mean reacts as a smoothing with the given time constant does. With T the constant counted
in frames, s = (sqrt(1 + 4 T^2) - 1) / (2 T^2), as in librosa.

*Digits.* Written as above, y is a difference of nearly equal numbers where E is small. So the same is computed as

    y = bias^power (exp(power log(1 + x / bias)) - 1),    x = E / (eps + M)^gain         with log1p and expm1

It is one division by a *past* mean, so it can run along with a stream: `state` is the last M.

Who calls this: `data.sound.front_ends`.
"""

import math

import numpy as np

from ..arguments import number
from ..errors import ShapeError


def smoothing(rate, hop, seconds):
    """Return the pace s of a mean with the time constant `seconds`, for frames that are `hop` samples apart."""
    frames = number(seconds, "seconds", 1e-6, 1e6) * rate / hop
    return (math.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2)


def pcen(energy, s, gain=0.98, bias=2.0, power=0.5, eps=1e-6, initial=None):
    """Return (the normalized energy (T, M), the last mean (M,)) of a mel spectrogram that is not logarithmic.

    energy    (T, M), from the first frame to the last
    s         from `smoothing`
    initial   the mean before the first frame, a number or (M,): the last mean of the frames before, where a sound comes
              in parts. None: the first frame itself

    The usual constants are for energies of samples that are whole numbers: multiply samples of -1 to 1 by 2**15, or
    their energy by 2**30.
    """
    if energy.ndim != 2 or not len(energy):
        raise ShapeError(f"energy is of shape {energy.shape}; expected (frames, bands), of at least one frame.")
    mean = np.empty_like(energy)
    before = energy[0] if initial is None else np.broadcast_to(initial, energy.shape[1:])
    for t in range(len(energy)):
        before = mean[t] = (1 - s) * before + s * energy[t]
    x = energy * np.exp(-gain * (math.log(eps) + np.log1p(mean / eps)))  # E / (eps + M)^gain
    return bias**power * np.expm1(power * np.log1p(x / bias)), mean[-1].copy()


# ---------------------------------------------------------------------------------------------------------------------
# The definition as loops.


def pcen_naive(energy, s, gain=0.98, bias=2.0, power=0.5, eps=1e-6, initial=None):
    """Go from frame to frame in each band, with the formula as it stands in the paper."""
    y, last = np.zeros_like(energy), np.zeros_like(energy[0])
    for m in range(energy.shape[1]):
        mean = energy[0, m] if initial is None else np.broadcast_to(initial, energy.shape[1:])[m]
        for t in range(len(energy)):
            mean = (1 - s) * mean + s * energy[t, m]
            y[t, m] = (energy[t, m] / (eps + mean) ** gain + bias) ** power - bias**power
        last[m] = mean
    return y, last

"""Mel spectrograms: the power of a sound in bands that are as wide as the ear hears them.

    power (T, B)  @  filters (B, M)  ->  (T, M)  ->  logarithm

*Pitch.* The ear tells 100 Hz from 200 Hz as well as 1,000 Hz from 2,000 Hz, and hardly 7,000 from 7,100. The mel scale
counts in steps that sound equally large: nearly evenly up to 1 kHz, and by the logarithm above. There are two of it:

    'htk'      2595 log10(1 + f / 700)                                        1 kHz is 999.99 (O'Shaughnessy 1987)
    'slaney'   3 f / 200 below 1 kHz, 15 + 27 ln(f / 1000) / ln 6.4 above     1 kHz is 15 (Slaney 1998)

They are not one scale in two units: of 40 bands up to 8 kHz, some centres lie 262 Hz apart. A network that has learned
with one of them hears something else with the other.

*Bands.* M + 2 frequencies at equal distances in mel are the corners of M triangles. Triangle m rises from corner m to 1
at corner m + 1, and falls to 0 at corner m + 2, so neighbours overlap by half and add up to 1. With norm='slaney', each
triangle is multiplied by 2 / (its width in Hz): its area is then 1, and high bands do not count more for being wide.

*Loudness.* Ten times the power sounds about twice as loud, whatever the power was. So the logarithm is taken, of at
least `floor`: silence has no logarithm. In decibels it is 10 log10(power). Some programs then raise everything to 80 dB
below the loudest frame of the recording. This is not done here: a loud bang at the end would change the beginning.

Who calls this: `data.sound.front_ends`. Read next: `gain_normalization`, for what stands in place of the logarithm.
"""

import math

import numpy as np

from ..arguments import number, whole_number
from ..errors import ArgumentError, warn_of_data
from .spectra import power_spectrogram, power_spectrogram_naive

SCALES = ("htk", "slaney")
NORMS = (None, "slaney")
LINEAR_UNTIL, STEP_IN_HZ = 1000.0, 200 / 3  # of Slaney's scale
LOG_STEP = math.log(6.4) / 27
FLOOR = 1e-10  # the least power whose logarithm is taken


def hz_to_mel(frequency, scale="htk"):
    """Return frequencies in Hz, numbers or an array, on a mel scale, 'htk' or 'slaney'."""
    frequency = np.asarray(frequency, np.float64)
    if _checked_scale(scale) == "htk":
        return 2595 * np.log10(1 + frequency / 700)
    above = np.maximum(frequency, LINEAR_UNTIL)
    bent = LINEAR_UNTIL / STEP_IN_HZ + np.log(above / LINEAR_UNTIL) / LOG_STEP
    return np.where(frequency < LINEAR_UNTIL, frequency / STEP_IN_HZ, bent)


def mel_to_hz(mel, scale="htk"):
    """Return the frequencies in Hz of numbers on a mel scale: the inverse of `hz_to_mel`."""
    mel = np.asarray(mel, np.float64)
    if _checked_scale(scale) == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    corner = LINEAR_UNTIL / STEP_IN_HZ
    bent = LINEAR_UNTIL * np.exp(LOG_STEP * (np.maximum(mel, corner) - corner))
    return np.where(mel < corner, mel * STEP_IN_HZ, bent)


def mel_filters(rate, n_fft, n_mels, fmin=0.0, fmax=None, scale="htk", norm=None):
    """Return the triangles as a matrix (B, M) in float64, B = n_fft // 2 + 1: power (T, B) @ filters -> (T, M).

    rate, n_fft   samples a second, and samples of a frame
    n_mels        M, the number of bands
    fmin, fmax    the first and the last corner in Hz (None: rate / 2)
    scale         'htk' or 'slaney';   norm   None (each rises to 1) or 'slaney' (each has the area 1)

    Warns with a DataWarning if a band is so narrow that it holds none of the B frequencies: it would always be silent.
    """
    corners = _corners(rate, n_mels, fmin, fmax, scale)
    bins = np.arange(n_fft // 2 + 1)[:, None] * rate / n_fft  # (B, 1)
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]  # (M,) each
    rising, falling = (bins - left) / (centre - left), (right - bins) / (right - centre)  # (B, M)
    filters = np.maximum(0, np.minimum(rising, falling))
    silent = np.flatnonzero(~filters.any(axis=0))
    if silent.size:
        warn_of_data(
            f"{silent.size} of {n_mels} mel bands, the first at {centre[silent[0]]:.0f} Hz, hold none of the "
            f"frequencies that are {rate / n_fft:.1f} Hz apart: they are always silent. Expected fewer bands, or a "
            "larger n_fft."
        )
    return filters * (2 / (right - left)) if _checked_norm(norm) else filters


def mel_spectrogram(
    samples, rate, n_fft=512, hop=160, win_length=None, n_mels=40, fmin=0.0, fmax=None, scale="slaney", norm="slaney",
    center=True,
):  # fmt: skip
    """Return the power in each mel band of each frame: samples (S,) -> (T, n_mels), of the same type.

    The arguments are those of `power_spectrogram` and `mel_filters`.
    """
    power = power_spectrogram(samples, n_fft, hop, win_length, center)  # (T, B)
    return power @ mel_filters(rate, n_fft, n_mels, fmin, fmax, scale, norm).astype(power.dtype)  # (T, M)


def log_mel(samples, rate, floor=FLOOR, decibels=False, **settings):
    """Return the logarithm of a mel spectrogram: samples (S,) -> (T, n_mels).

    floor      the least power;   settings   as in `mel_spectrogram`
    decibels   False: the natural logarithm. True: 10 times the decimal one
    """
    return log_power(mel_spectrogram(samples, rate, **settings), floor, decibels)


def log_power(power, floor=FLOOR, decibels=False):
    """Return the natural logarithm of power, an array, but of at least `floor`; or 10 times the decimal one."""
    logarithm = np.log(np.maximum(power, power.dtype.type(floor)))
    return logarithm * power.dtype.type(10 / math.log(10)) if decibels else logarithm


def _corners(rate, n_mels, fmin, fmax, scale):
    """Return the corners of the triangles in Hz: (n_mels + 2,)."""
    highest = whole_number(rate, "rate") / 2
    fmin = number(fmin, "fmin", 0, highest)
    fmax = highest if fmax is None else number(fmax, "fmax", 0, highest)
    if fmin >= fmax:
        raise ArgumentError(f"fmin is {fmin:g} Hz and fmax {fmax:g} Hz; expected the lower one first.")
    low, high = hz_to_mel([fmin, fmax], scale)
    return mel_to_hz(np.linspace(low, high, whole_number(n_mels, "n_mels") + 2), scale)


def _checked_scale(scale):
    if scale not in SCALES:
        raise ArgumentError(f"scale is {scale!r}; expected 'htk' or 'slaney'.")
    return scale


def _checked_norm(norm):
    if norm not in NORMS:
        raise ArgumentError(f"norm is {norm!r}; expected None or 'slaney'.")
    return norm


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def mel_filters_naive(rate, n_fft, n_mels, fmin=0.0, fmax=None, scale="htk", norm=None):
    """Draw one triangle after the other, one frequency after the other."""
    corners = _corners(rate, n_mels, fmin, fmax, scale)
    filters = np.zeros((n_fft // 2 + 1, n_mels))
    for k, m in np.ndindex(filters.shape):
        frequency, (left, centre, right) = k * rate / n_fft, corners[m : m + 3]
        if left <= frequency <= centre:
            filters[k, m] = (frequency - left) / (centre - left)
        elif centre < frequency <= right:
            filters[k, m] = (right - frequency) / (right - centre)
        if norm == "slaney":
            filters[k, m] *= 2 / (right - left)
    return filters


def log_mel_naive(
    samples, rate, floor=FLOOR, decibels=False, n_fft=512, hop=160, win_length=None, n_mels=40, fmin=0.0, fmax=None,
    scale="slaney", norm="slaney", center=True,
):  # fmt: skip
    """Add up the power in each band of each frame, and take its logarithm."""
    power = power_spectrogram_naive(samples, n_fft, hop, win_length, center)
    filters = mel_filters_naive(rate, n_fft, n_mels, fmin, fmax, scale, norm)
    logarithm = np.zeros((len(power), n_mels), samples.dtype)
    for t, m in np.ndindex(logarithm.shape):
        in_band = sum(power[t, k] * filters[k, m] for k in range(len(filters)))
        logarithm[t, m] = 10 * math.log10(max(in_band, floor)) if decibels else math.log(max(in_band, floor))
    return logarithm

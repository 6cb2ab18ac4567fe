"""Spectra of a sound: which frequencies it holds, and when.

    samples (S,)  ->  frames (T, L)  ->  times a window  ->  Fourier transform  ->  power (T, B)

S samples of a sound, T frames, L samples of one frame, B = n_fft // 2 + 1 frequencies. Samples are floats from -1 to 1.

*Frames.* The ear hears the pitch of a tone and the moment when it begins. One transform of the whole sound has the
first and not the second. So the sound is cut into short pieces, which overlap: every `hop` samples begins a new one.

*Centred.* Frame t begins at sample t * hop. With `center`, its *middle* is there: n_fft // 2 zeros are put before the
sound and after it, and there are 1 + S // hop frames. Without, the first frame begins with the first sample, and there
are 1 + (S - L) // hop frames. The samples after the last whole frame are in no frame.

*A window.* The transform takes a frame as one turn of something that repeats for ever. Where the end of a frame does
not fit its beginning, this makes a jump, and a jump holds all frequencies. The window of Hann fades both ends:

    w[n] = 1/2 - 1/2 cos(2 pi n / L),     n = 0 .. L - 1

It is *periodic*: w[L] would be w[0] again, and so windows at distances of L/2 add up to exactly 1. (`numpy.hanning` has
w[L-1] = w[0] instead, and differs from it by 0.006 for L = 400.)

*The transform.* How much of the frequency k * rate / n_fft is in a frame is found by laying a wave of this frequency
over it. A sine and a cosine are needed, because nobody knows where the wave begins, and they are one complex number:

    X[k] = sum over n of  x[n] w[n] exp(-2 pi i k n / n_fft),     k = 0 .. n_fft/2         power = |X[k]|^2

The frequencies above n_fft/2 are those below it again, because x is real. For a cosine of height 1 whose frequency is
one of these, X[k] is half the sum of the window: L/4, so the power is L^2/16.

Who calls this: `mel`. Read next: `mel`.
"""

import numpy as np

from ..arguments import whole_number
from ..errors import ArgumentError, DataError, ShapeError

BLOCK = 512  # frames that are transformed at a time


def hann(length):
    """Return Hann's window, periodic: (length,) in float64."""
    length = whole_number(length, "length")
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


def number_of_frames(count, length, hop, center=True):
    """Return the number of frames of `count` samples; 0 if not even one is filled."""
    return 1 + count // hop if center else max(0, 1 + (count - length) // hop)


def frames(samples, length, hop, center=True):
    """Return the frames of a sound: samples (S,) -> (T, length), a view that must not be written to.

    length, hop   samples of a frame, and from the beginning of one to that of the next
    center        True: frame t has its middle at sample t * hop, with zeros beyond the ends

    Raises ShapeError for a sound that is shorter than a frame, unless `center`.
    """
    samples, length, hop = checked_samples(samples), whole_number(length, "length"), whole_number(hop, "hop")
    count = number_of_frames(len(samples), length, hop, center)
    if count == 0:
        raise ShapeError(
            f"the sound has {len(samples):,} samples, fewer than one frame of {length:,}. Give center=True, or a "
            "longer sound."
        )
    if center:
        after = max(0, (count - 1) * hop + length - length // 2 - len(samples))
        samples = np.concatenate([np.zeros(length // 2), samples, np.zeros(after)], dtype=samples.dtype)
    return np.lib.stride_tricks.sliding_window_view(samples, length)[::hop][:count]


def power_spectrogram(samples, n_fft, hop, win_length=None, center=True):
    """Return the power of each frequency in each frame: samples (S,) -> (T, n_fft // 2 + 1).

    n_fft        samples of a frame. Column k is the frequency k * rate / n_fft
    hop          samples from the beginning of a frame to that of the next
    win_length   samples of Hann's window, in the middle of the frame (None: n_fft)
    center       as in `frames`

    The transform is computed in float64: in float32, the rounding of a loud frequency would be heard in a quiet one,
    60 decibels below it as an error of 1e-3. BLOCK frames are transformed at a time, so this needs little memory.
    """
    pieces = frames(samples, n_fft, hop, center)  # (T, L)
    window = frame_window(n_fft, win_length)
    power = np.empty((len(pieces), n_fft // 2 + 1), pieces.dtype)
    for first in range(0, len(pieces), BLOCK):
        spectrum = np.fft.rfft(pieces[first : first + BLOCK] * window)  # (BLOCK, B)
        power[first : first + BLOCK] = spectrum.real**2 + spectrum.imag**2
    return power


def frame_window(n_fft, win_length=None):
    """Return Hann's window of `win_length` in the middle of n_fft numbers, with zeros on both sides: (n_fft,)."""
    n_fft = whole_number(n_fft, "n_fft", 2)
    win_length = n_fft if win_length is None else whole_number(win_length, "win_length")
    if win_length > n_fft:
        raise ArgumentError(f"win_length is {win_length}; expected at most n_fft, {n_fft}.")
    window, before = np.zeros(n_fft), (n_fft - win_length) // 2
    window[before : before + win_length] = hann(win_length)
    return window


def checked_samples(samples):
    """Return samples as an array. Raises ShapeError unless they are one row, and DataError unless they are floats:
    whole numbers from a file would be 32,768 times too loud."""
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise ShapeError(
            f"samples are of shape {samples.shape}; expected one row (S,). Average the channels: samples.mean(axis=1)."
        )
    if samples.dtype.kind != "f":
        raise DataError(
            f"samples are {samples.dtype}; expected floats from -1 to 1. Divide whole numbers of b bits by 2**(b - 1)."
        )
    return samples


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def frames_naive(samples, length, hop, center=True):
    """Copy one sample at a time."""
    found = np.zeros((number_of_frames(len(samples), length, hop, center), length), samples.dtype)
    for t, n in np.ndindex(found.shape):
        place = t * hop + n - (length // 2 if center else 0)
        if 0 <= place < len(samples):
            found[t, n] = samples[place]
    return found


def power_spectrogram_naive(samples, n_fft, hop, win_length=None, center=True):
    """Lay a cosine and a sine over each frame, one frequency after the other."""
    pieces, window = frames_naive(samples, n_fft, hop, center), frame_window(n_fft, win_length)
    power = np.zeros((len(pieces), n_fft // 2 + 1), samples.dtype)
    for t, k in np.ndindex(power.shape):
        cosine = sine = 0.0
        for n in range(n_fft):
            angle = 2 * np.pi * k * n / n_fft
            cosine += pieces[t, n] * window[n] * np.cos(angle)
            sine += pieces[t, n] * window[n] * np.sin(angle)
        power[t, k] = cosine**2 + sine**2
    return power

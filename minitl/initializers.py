"""Initializers: the first values of a new parameter, under Keras's names.

The outputs of a layer are sums of many terms. They keep their size from layer to layer if the variance of the kernel is
about 1 / (number of terms). Each random initializer follows one version of this rule. `fan_in` is the number of terms
of the forward sum (the inputs of one output). `fan_out` is that of the backward sum (the outputs that one input feeds).
`Zeros` is for parameters that are added, such as a bias. `Ones` is for those that multiply, such as gamma. `Bilinear`
is for transposed convolutions that enlarge maps.
"""

import math
from contextlib import contextmanager

import numpy as np

from .arguments import NotHere, call_text, is_number, keras_arguments
from .configured import Configured, from_data
from .errors import ArgumentError, ShapeError
from .not_here import missing
from .randomness import generator

_skip_drawing = False


def fans(shape):
    """Return (fan_in, fan_out) of a kernel.

    fan_in is KH*KW*C for a kernel (KH, KW, C, F), and `inputs` for a dense kernel (inputs, units).
    """
    if len(shape) < 2:
        size = math.prod(shape)
        return size, size
    receptive_field = math.prod(shape[:-2])
    return receptive_field * shape[-2], receptive_field * shape[-1]


class Initializer(Configured):
    """The base of all initializers: called with a shape, it returns a new array.

    With a `seed` the numbers are the same every time.
    """

    @keras_arguments(after="seed", input_axes=NotHere(), output_axes=NotHere())
    def __init__(self, seed=None):
        self.seed = seed

    def __repr__(self):
        return call_text(self)

    def __call__(self, shape, dtype="float32"):
        """Return a new array of this shape."""
        shape = tuple(shape)
        if _skip_drawing:
            return np.zeros(shape, dtype)
        return self.draw(shape, np.dtype(dtype), generator(self.seed))


class Zeros(Initializer):
    """An array of zeros."""

    def draw(self, shape, dtype, rng):
        """Return zeros."""
        return np.zeros(shape, dtype)


class Ones(Initializer):
    """An array of ones."""

    def draw(self, shape, dtype, rng):
        """Return ones."""
        return np.ones(shape, dtype)


class Constant(Initializer):
    """An array that holds `value`: a number, or an array of the parameter's shape."""

    def __init__(self, value=0.0):
        super().__init__()
        if np.asarray(value).dtype.kind not in "biuf":
            raise ArgumentError(f"value is {value!r:.80}; expected a number, or an array of numbers.")
        self.value = value

    def draw(self, shape, dtype, rng):
        """Return the value, once for each number."""
        if np.ndim(self.value) and np.shape(self.value) != shape:
            raise ShapeError(f"the initializer's value has shape {np.shape(self.value)}; the parameter has {shape}.")
        return np.full(shape, self.value, dtype)


class Identity(Initializer):
    """The matrix with `gain` on its diagonal and 0 elsewhere: it hands a vector on as it is."""

    def __init__(self, gain=1.0):
        super().__init__()
        if not is_number(gain):
            raise ArgumentError(f"gain is {gain!r}; expected a number.")
        self.gain = gain

    def draw(self, shape, dtype, rng):
        """Return the matrix."""
        if len(shape) != 2:
            raise ShapeError(f"the initializer 'identity' got the shape {shape}; expected a matrix, with two axes.")
        return np.asarray(self.gain * np.eye(*shape), dtype)


class VarianceScaling(Initializer):
    """Random numbers of the variance scale / fan.

    mode           which fan: "fan_in", "fan_out", or "fan_avg", the mean of both
    distribution   "uniform": in +-sqrt(3 variance). "truncated_normal": drawn again beyond two standard deviations.
                   "untruncated_normal"
    """

    def __init__(self, scale=1.0, mode="fan_in", distribution="truncated_normal", seed=None):
        super().__init__(seed)
        if not (is_number(scale) and scale > 0):
            raise ArgumentError(f"scale is {scale!r}; expected a number above 0.")
        if mode not in MODES:
            raise ArgumentError(f"mode is {mode!r}; expected one of {', '.join(MODES)}.")
        if distribution not in DISTRIBUTIONS:
            raise ArgumentError(f"distribution is {distribution!r}; expected one of {', '.join(DISTRIBUTIONS)}.")
        self.scale, self.mode, self.distribution = scale, mode, distribution

    def draw(self, shape, dtype, rng):
        """Return random numbers of `rng`."""
        variance = self.scale / max(1, MODES[self.mode](*fans(shape)))
        if self.distribution == "uniform":
            return _uniform(shape, dtype, rng, math.sqrt(3 * variance))
        if self.distribution == "untruncated_normal":
            return rng.standard_normal(shape, dtype) * dtype.type(math.sqrt(variance))
        return _truncated_normal(shape, dtype, rng) * dtype.type(math.sqrt(variance) / WITHIN_TWO)


MODES = {"fan_in": lambda i, o: i, "fan_out": lambda i, o: o, "fan_avg": lambda i, o: (i + o) / 2}
DISTRIBUTIONS = "truncated_normal", "untruncated_normal", "uniform", "normal"
WITHIN_TWO = 0.87962566103423978  # the standard deviation of a standard normal that is cut off at +-2


class _Scaled(VarianceScaling):
    """The base of the versions of `VarianceScaling` with a name of their own."""

    rule: tuple = ()  # scale, mode, distribution

    def __init__(self, seed=None):
        super().__init__(*self.rule, seed)


class GlorotUniform(_Scaled):
    """Uniform numbers in +-sqrt(6 / (fan_in + fan_out)): Keras's default.

    Their variance is 2 / (fan_in + fan_out), a compromise between the forward and the backward sum. Glorot & Bengio
    2010, equation 16.
    """

    rule = 1.0, "fan_avg", "uniform"


class GlorotNormal(_Scaled):
    """Normal numbers of variance 2 / (fan_in + fan_out), cut off at two standard deviations. Glorot & Bengio 2010."""

    rule = 1.0, "fan_avg", "truncated_normal"


class HeUniform(_Scaled):
    """Uniform numbers in +-sqrt(6 / fan_in).

    Their variance is 2 / fan_in, twice 1 / fan_in, because ReLU sets about half of the terms to 0. He et al. 2015,
    equation 10.
    """

    rule = 2.0, "fan_in", "uniform"


class HeNormal(_Scaled):
    """Normal numbers of variance 2 / fan_in, drawn again beyond two standard deviations as in Keras. He et al. 2015."""

    rule = 2.0, "fan_in", "truncated_normal"


class LecunUniform(_Scaled):
    """Uniform numbers in +-sqrt(3 / fan_in), of variance 1 / fan_in. LeCun et al. 1998."""

    rule = 1.0, "fan_in", "uniform"


class LecunNormal(_Scaled):
    """Normal numbers of variance 1 / fan_in, drawn again beyond two standard deviations: the right ones for 'selu'."""

    rule = 1.0, "fan_in", "truncated_normal"


class RandomUniform(Initializer):
    """Uniform numbers from `minval` to `maxval`. Keras's default for a table of vectors (`layers.Embedding`)."""

    def __init__(self, minval=-0.05, maxval=0.05, seed=None):
        super().__init__(seed)
        if not (is_number(minval) and is_number(maxval) and minval <= maxval):
            raise ArgumentError(
                f"minval is {minval!r}, maxval {maxval!r}; expected two numbers, the smaller one first."
            )
        self.minval, self.maxval = float(minval), float(maxval)

    def draw(self, shape, dtype, rng):
        """Return random numbers of `rng`."""
        values = rng.random(shape, dtype)
        values *= self.maxval - self.minval
        values += self.minval
        return values


class RandomNormal(Initializer):
    """Normal numbers with the mean `mean` and the standard deviation `stddev`."""

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        super().__init__(seed)
        if not (is_number(mean) and is_number(stddev) and stddev >= 0):
            raise ArgumentError(f"mean is {mean!r}, stddev {stddev!r}; expected two numbers, stddev not negative.")
        self.mean, self.stddev = float(mean), float(stddev)

    def draw(self, shape, dtype, rng):
        """Return random numbers of `rng`."""
        values = rng.standard_normal(shape, dtype)
        values *= self.stddev
        values += self.mean
        return values


class TruncatedNormal(RandomNormal):
    """Normal numbers, with those drawn again that are more than two standard deviations from the mean."""

    def draw(self, shape, dtype, rng):
        """Return random numbers of `rng`."""
        return _truncated_normal(shape, dtype, rng) * dtype.type(self.stddev) + dtype.type(self.mean)


class Orthogonal(Initializer):
    """A matrix whose rows, or columns if these are fewer, are at right angles to each other and have the length `gain`.

    A recurrent layer multiplies its state by the same matrix at every step. One with this property changes the length
    of no vector (of a gain of 1), so after many steps the state has neither vanished nor exploded. The matrix is drawn
    as in Keras: the Q of the QR decomposition of normal numbers, with the signs that make it unique. An array with more
    axes is such a matrix with all axes but the last joined. Saxe et al. 2014.
    """

    def __init__(self, gain=1.0, seed=None):
        super().__init__(seed)
        if not is_number(gain):
            raise ArgumentError(f"gain is {gain!r}; expected a number.")
        self.gain = float(gain)

    def draw(self, shape, dtype, rng):
        """Return a matrix that `rng` has drawn."""
        if len(shape) < 2:
            raise ShapeError(f"the initializer 'orthogonal' got the shape {shape}; expected at least two axes.")
        rows, cols = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.standard_normal((max(rows, cols), min(rows, cols))))
        q *= np.where(np.diag(r) < 0, -1, 1)
        return (self.gain * (q if rows >= cols else q.T)).reshape(shape).astype(dtype)


class Bilinear(Initializer):
    """The kernel (KH, KW, F, C) with which a `Conv2DTranspose` interpolates bilinearly; Keras has none of this kind.

    F and C are equal, and each channel goes to itself alone: the kernel is 0 away from their diagonal. Along one axis,
    the weights of a kernel of k entries fall from its middle to both sides, by 1/f for each entry, f = (k + 1) // 2:

        k = 3    1/2, 1, 1/2              for stride 2
        k = 4    1/4, 3/4, 3/4, 1/4       for stride 2

    In two dimensions they are multiplied: for k = 4 the outer product of (1, 3, 3, 1) with itself, divided by 16. For
    stride s, take k = 2s - s % 2 and padding 'same'. Long, Shelhamer & Darrell 2015, section 3.3.
    """

    def draw(self, shape, dtype, rng):
        """Return the weights, for every channel."""
        if len(shape) != 4 or shape[2] != shape[3]:
            raise ShapeError(
                f"the initializer 'bilinear' got the shape {shape}; expected a kernel (KH, KW, F, C) with as many "
                "filters as channels, as in Conv2DTranspose(channels, ...)."
            )
        rows, cols = (_falling_weights(size) for size in shape[:2])
        return (np.outer(rows, cols)[:, :, None, None] * np.eye(shape[2])).astype(dtype)


def _falling_weights(size):
    """Return `size` weights that fall in equal steps from the middle to both sides."""
    steps = (size + 1) // 2
    return 1 - np.abs(np.arange(size) - (size - 1) / 2) / steps


def _uniform(shape, dtype, rng, limit):
    """Return uniform numbers in +-limit.

    They are scaled in place: a large layer has 103 million of them, and a second copy would take 411 MB.
    """
    values = rng.random(shape, dtype)
    values *= 2 * limit
    values -= limit
    return values


def _truncated_normal(shape, dtype, rng):
    """Return standard normal numbers, with those beyond +-2 drawn again."""
    values = rng.standard_normal(shape, dtype)
    while (outside := np.abs(values) > 2).any():
        values[outside] = rng.standard_normal(int(outside.sum()), dtype)
    return values


INITIALIZERS = {
    "bilinear": Bilinear,
    "constant": Constant,
    "glorot_normal": GlorotNormal,
    "glorot_uniform": GlorotUniform,
    "he_normal": HeNormal,
    "he_uniform": HeUniform,
    "identity": Identity,
    "lecun_normal": LecunNormal,
    "lecun_uniform": LecunUniform,
    "normal": RandomNormal,
    "ones": Ones,
    "orthogonal": Orthogonal,
    "random_normal": RandomNormal,
    "random_uniform": RandomUniform,
    "truncated_normal": TruncatedNormal,
    "uniform": RandomUniform,
    "variance_scaling": VarianceScaling,
    "zeros": Zeros,
}
CLASSES = {each.__name__: each for each in INITIALIZERS.values()}
CLASSES |= {f"{name}Initializer": CLASSES[name] for name in ("Identity", "Orthogonal")}  # Keras 1's names


def get(initializer, argument="initializer"):
    """Return the `Initializer` that Keras calls by this name, or that data of `get_config` describe. An array stands
    for its `Constant`. A function or an initializer is returned as it is.

    Raises ArgumentError, which names the `argument`, for anything else.
    """
    if isinstance(initializer, str) and initializer in {**INITIALIZERS, **CLASSES}:
        return {**INITIALIZERS, **CLASSES}[initializer]()
    if isinstance(initializer, dict):
        return from_data(initializer, CLASSES, argument)
    if isinstance(initializer, np.ndarray):
        return Constant(initializer)
    if callable(initializer) and not isinstance(initializer, type):
        return initializer
    raise ArgumentError(f"{argument} is {initializer!r}; expected one of {', '.join(INITIALIZERS)}, or an Initializer.")


def checked(initializer, argument):
    """Return `initializer` as it is. Raises ArgumentError, which names the `argument`, if `get` does not know it."""
    get(initializer, argument)
    return initializer


@contextmanager
def weights_will_be_loaded():
    """Make new parameters zeros inside this block, because a file will replace them.

    Zeros cost nothing until they are written. To draw the 138 million random numbers of VGG16 takes a second or two.
    """
    global _skip_drawing
    before, _skip_drawing = _skip_drawing, True
    try:
        yield
    finally:
        _skip_drawing = before


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, ["get", *CLASSES])

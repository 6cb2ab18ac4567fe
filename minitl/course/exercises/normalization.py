"""Exercises on batch normalization: its three states, and its gradient.

Read next: `branches`.
"""

import numpy as np

from ...layers import BatchNormalization
from .exercise import Case, Exercise

EPSILON, MOMENTUM = 0.001, 0.99


def batch_norm(x, gamma, beta, mean, variance, training, trainable):
    of_batch = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    used = of_batch if training and trainable else (mean, variance)
    y = gamma * (x - used[0]) / np.sqrt(used[1] + 0.001) + beta
    if training and trainable:
        mean = 0.99 * mean + 0.01 * of_batch[0]
        variance = 0.99 * variance + 0.01 * of_batch[1]
    return y, mean, variance


def layer_of(x, **weights):
    """Return a layer with these weights, in float64."""
    layer = BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON)
    layer.forward(x)  # makes its weights
    for name in layer.weight_names:
        given = weights.get(name)
        setattr(layer, name, getattr(layer, name).astype(np.float64) if given is None else given.astype(np.float64))
    return layer


def batch_norm_by_engine(x, gamma, beta, mean, variance, training, trainable):
    layer = layer_of(x, gamma=gamma, beta=beta, moving_mean=mean, moving_variance=variance)
    layer.trainable = trainable
    y = layer.forward(x, training=training)
    return y, layer.moving_mean, layer.moving_variance


def batch_norm_cases(random):
    def case(what, shape, training, trainable):
        x = 2 + 3 * random.normal(size=shape)
        c = shape[-1]
        weights = random.uniform(0.5, 2, c), random.normal(size=c), random.normal(size=c), random.uniform(0.5, 4, c)
        return Case(what, x, *weights, training, trainable)

    return [
        case("in training", (2, 4, 3, 5), True, True),
        case("in inference", (2, 3, 5, 4), False, True),
        case("frozen, in training", (3, 2, 4, 5), True, False),
        case("frozen, in inference", (2, 4, 1, 3), False, False),
        case("in training, one image", (1, 3, 4, 2), True, True),
    ]


def frozen_as_in_training(x, gamma, beta, mean, variance, training, trainable):
    """Let a frozen layer use the statistics of the batch in training: it uses its moving statistics, so that it gives
    an example the same output as before."""
    y, *_ = batch_norm(x, gamma, beta, mean, variance, training, True)
    return y, *batch_norm(x, gamma, beta, mean, variance, training, trainable)[1:]


def frozen_still_moves(x, gamma, beta, mean, variance, training, trainable):
    """Let a frozen layer update its moving statistics in training: frozen means that they stay as they are, too."""
    y, *_ = batch_norm(x, gamma, beta, mean, variance, training, trainable)
    return y, *batch_norm(x, gamma, beta, mean, variance, training, True)[1:]


def frozen_ignored(x, gamma, beta, mean, variance, training, trainable):
    """Leave out the frozen state: a frozen layer uses its moving statistics even in training, and keeps them."""
    return batch_norm(x, gamma, beta, mean, variance, training, True)


def always_of_the_batch(x, gamma, beta, mean, variance, training, trainable):
    """Use the statistics of the batch in inference as well: the output of an image would then depend on the others."""
    y, *_ = batch_norm(x, gamma, beta, mean, variance, True, True)
    return y, *batch_norm(x, gamma, beta, mean, variance, training, trainable)[1:]


def variance_of_a_sample(x, gamma, beta, mean, variance, training, trainable):
    """Divide by M - 1 for the variance: batch normalization takes the mean of the squares, and divides by M."""
    y, new_mean, new_variance = batch_norm(x, gamma, beta, mean, variance, training, trainable)
    if training and trainable:
        of_batch = x.var(axis=(0, 1, 2), ddof=1)
        y = gamma * (x - x.mean(axis=(0, 1, 2))) / np.sqrt(of_batch + EPSILON) + beta
        new_variance = MOMENTUM * variance + (1 - MOMENTUM) * of_batch
    return y, new_mean, new_variance


def over_the_images_alone(x, gamma, beta, mean, variance, training, trainable):
    """Take mean and variance over the images alone, for each pixel by itself: a channel has one mean and one variance,
    over all images and all pixels."""
    y, new_mean, new_variance = batch_norm(x, gamma, beta, mean, variance, training, trainable)
    if training and trainable:
        y = gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + EPSILON) + beta
    return y, new_mean, new_variance


def momentum_turned(x, gamma, beta, mean, variance, training, trainable):
    """Give the new batch the weight 0.99 and the old average 0.01: here momentum says how much of the old one stays. In
    PyTorch it says how much of the new one is taken."""
    y, *_ = batch_norm(x, gamma, beta, mean, variance, training, trainable)
    if training and trainable:
        mean = (1 - MOMENTUM) * mean + MOMENTUM * x.mean(axis=(0, 1, 2))
        variance = (1 - MOMENTUM) * variance + MOMENTUM * x.var(axis=(0, 1, 2))
    return y, mean, variance


def epsilon_outside(x, gamma, beta, mean, variance, training, trainable):
    """Add epsilon to the root: it is added to the variance, below the root."""
    _, new_mean, new_variance = batch_norm(x, gamma, beta, mean, variance, training, trainable)
    if training and trainable:
        mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    return gamma * (x - mean) / (np.sqrt(variance) + EPSILON) + beta, new_mean, new_variance


def without_root(x, gamma, beta, mean, variance, training, trainable):
    """Divide by the variance: it is divided by its root, the standard deviation."""
    _, new_mean, new_variance = batch_norm(x, gamma, beta, mean, variance, training, trainable)
    if training and trainable:
        mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    return gamma * (x - mean) / (variance + EPSILON) + beta, new_mean, new_variance


def statistics_kept(x, gamma, beta, mean, variance, training, trainable):
    """Leave the moving statistics as they are in training: inference would then use those of the start."""
    y, *_ = batch_norm(x, gamma, beta, mean, variance, training, trainable)
    return y, mean, variance


def by_the_new_average(x, gamma, beta, mean, variance, training, trainable):
    """Normalize by the updated moving statistics in training: it is done by those of the batch alone."""
    _, mean, variance = batch_norm(x, gamma, beta, mean, variance, training, trainable)
    return gamma * (x - mean) / np.sqrt(variance + EPSILON) + beta, mean, variance


def batch_norm_by_hand(name, index, x, gamma, beta, mean, variance, training, trainable):
    c = index[-1]
    pair = float(mean[c]), float(variance[c])
    of_batch = float(x[..., c].mean()), float(x[..., c].var())
    if name == "y":
        center, spread = of_batch if training and trainable else pair
        scaled = f"{gamma[c]:.3f} * ({x[index]:.3f} - ({center:.3f})) / sqrt({spread:.3f} + 0.001)"
        return f"{scaled} + ({beta[c]:.3f})"
    k = ("mean", "variance").index(name)
    moved = f"0.99 * ({pair[k]:.4f}) + 0.01 * ({of_batch[k]:.4f})"
    return moved if training and trainable else f"{name}[{c}], as it was,"


BATCH_NORM = Exercise(
    "batch_norm",
    title="Batch normalization, forward, in three states",
    text="""Batch normalization brings each channel to mean 0 and variance 1, then multiplies by gamma and adds beta.
    Which mean and variance it takes depends on its state. In training it takes those of this batch, over all images and
    pixels of the channel, and moves its averages (the moving statistics) a little towards them. In inference it takes
    the moving statistics, so that the output of an image does not depend on the others. A frozen layer (trainable is
    False) takes the moving statistics even in training, and leaves them as they are. The variance is the mean of the
    squared distances from the mean (np.var). A moving statistic that changes is returned as a new array, and one that
    stays as it is may be returned itself.""",
    given={
        "x": "(N, H, W, C)  images",
        "gamma": "(C,)  the learned scale",
        "beta": "(C,)  the learned shift",
        "mean": "(C,)  the moving mean",
        "variance": "(C,)  the moving variance",
        "training": "True in training, False in inference",
        "trainable": "False for a frozen layer",
    },
    returns={
        "y": "(N, H, W, C)  the output",
        "mean": "(C,)  the moving mean after it",
        "variance": "(C,)  the moving variance after it",
    },
    formula="""
y = gamma * (x - mean) / sqrt(variance + 0.001) + beta

in training, if the layer is trainable: mean and variance of the batch, and
moving <- 0.99 * moving + 0.01 * batch    for the mean and for the variance
""",
    answer=batch_norm,
    by_engine=batch_norm_by_engine,
    lines=(BatchNormalization.forward, BatchNormalization._scale_and_shift,
           BatchNormalization._update_moving_statistics),
    cases=batch_norm_cases,
    wrong_answers=(
        frozen_as_in_training, frozen_still_moves, frozen_ignored, always_of_the_batch, variance_of_a_sample,
        over_the_images_alone, momentum_turned, epsilon_outside, without_root, statistics_kept, by_the_new_average,
    ),
    by_hand=batch_norm_by_hand,
    loops=False,
    hints=(
        "There are only two ways: with the statistics of the batch (training and trainable), and with the moving ones.",
        "x.mean(axis=(0, 1, 2)) has shape (C,), and so has x.var with the same axes. They are the last axis of x, so "
        "x - mean needs no reshape.",
        "If training and trainable: take both of the batch, and 0.99 * mean + 0.01 * that of the batch for each. "
        "Else: take the given ones, and return them as they are. The line of y is the same for both.",
    ),
    read_next="minitl/layers/normalization.py, and minitl mistakes batch-norm-runs-in-frozen-base.",
)  # fmt: skip


def batch_norm_backward(x, gamma, grad):
    axes = (0, 1, 2)
    inverse = 1 / np.sqrt(x.var(axis=axes) + 0.001)
    v = (x - x.mean(axis=axes)) * inverse
    return gamma * inverse * (grad - grad.mean(axis=axes) - v * (grad * v).mean(axis=axes))


def batch_norm_backward_by_engine(x, gamma, grad):
    layer = layer_of(x, gamma=gamma)
    layer.forward(x, training=True)
    return layer.backward(grad)


def batch_norm_backward_cases(random):
    def case(what, shape):
        x, grad = 2 + 3 * random.normal(size=shape), random.normal(size=shape) + 0.3
        return Case(what, x, random.uniform(0.5, 2, shape[-1]), grad)

    return [
        case("2 images of 4x3, 5 channels", (2, 4, 3, 5)),
        case("one channel", (3, 2, 4, 1)),
        case("one image", (1, 3, 4, 2)),
    ]


def parts_of(x, gamma, grad):
    axes = (0, 1, 2)
    inverse = 1 / np.sqrt(x.var(axis=axes) + EPSILON)
    v = (x - x.mean(axis=axes)) * inverse
    return axes, inverse, v


def statistics_as_constants(x, gamma, grad):
    """Treat mean and variance as constants, as they are for a frozen layer: in training every x also moves the mean and
    the variance of its channel, and through them every output."""
    _, inverse, _ = parts_of(x, gamma, grad)
    return gamma * inverse * grad


def mean_as_constant(x, gamma, grad):
    """Leave out the mean of grad: every x also moves the mean of its channel, which is subtracted from all."""
    axes, inverse, v = parts_of(x, gamma, grad)
    return gamma * inverse * (grad - v * (grad * v).mean(axis=axes))


def variance_as_constant(x, gamma, grad):
    """Leave out the part of the variance, v * mean(grad * v): every x also moves the variance of its channel."""
    axes, inverse, _ = parts_of(x, gamma, grad)
    return gamma * inverse * (grad - grad.mean(axis=axes))


def gamma_forgotten(x, gamma, grad):
    """Leave out gamma: y = gamma * v + beta, so dL/dv is gamma * grad."""
    return batch_norm_backward(x, np.ones_like(gamma), grad)


def sums_for_means(x, gamma, grad):
    """Take sums over the channel where the formula has means: both have a factor 1/M, because mean and variance are
    means over M numbers."""
    axes, inverse, v = parts_of(x, gamma, grad)
    return gamma * inverse * (grad - grad.sum(axis=axes) - v * (grad * v).sum(axis=axes))


def not_divided(x, gamma, grad):
    """Leave out the division by the standard deviation: v = (x - mean) / sqrt(variance + 0.001) was divided by it, so
    its gradient is as well."""
    axes, _, v = parts_of(x, gamma, grad)
    return gamma * (grad - grad.mean(axis=axes) - v * (grad * v).mean(axis=axes))


def distance_for_v(x, gamma, grad):
    """Take x - mean in place of v in the last part: v is x - mean divided by the standard deviation."""
    axes, inverse, _ = parts_of(x, gamma, grad)
    distance = x - x.mean(axis=axes)
    return gamma * inverse * (grad - grad.mean(axis=axes) - distance * (grad * distance).mean(axis=axes))


def means_over_the_images(x, gamma, grad):
    """Take the means over the images alone: a channel has one mean over all images and pixels, M = N*H*W numbers."""
    _, inverse, v = parts_of(x, gamma, grad)
    return gamma * inverse * (grad - grad.mean(axis=0) - v * (grad * v).mean(axis=0))


def added(x, gamma, grad):
    """Add the two parts of mean and variance: both are subtracted, because both take away from what grad does."""
    axes, inverse, v = parts_of(x, gamma, grad)
    return gamma * inverse * (grad + grad.mean(axis=axes) + v * (grad * v).mean(axis=axes))


def batch_norm_backward_by_hand(name, index, x, gamma, grad):
    axes, inverse, v = parts_of(x, gamma, grad)
    c = index[-1]
    mean, part = grad.mean(axis=axes)[c], (grad * v).mean(axis=axes)[c]
    inner = f"{grad[index]:.4f} - ({mean:.4f}) - ({v[index]:.4f}) * ({part:.4f})"
    return f"{gamma[c]:.4f} * {inverse[c]:.4f} * ({inner})"


BATCH_NORM_BACKWARD = Exercise(
    "batch_norm_backward",
    title="Batch normalization, backward",
    text="""In training, batch normalization subtracts the mean of the batch and divides by the root of its variance. So
    a pixel changes the output in three ways: directly, through the mean of its channel, and through the variance of its
    channel. The two others reach every output of the channel. Worked out, each takes away one part: the mean of grad,
    and v times the mean of grad * v, where v is x normalized and M = N*H*W numbers make a mean. minitl derives it in
    BatchNormalization.backward.""",
    given={
        "x": "(N, H, W, C)  the input of the layer, in training",
        "gamma": "(C,)  the learned scale",
        "grad": "(N, H, W, C)  dL/dy",
    },
    returns={"dx": "(N, H, W, C)  dL/dx"},
    formula="""
s  = sqrt(variance + 0.001)
v  = (x - mean) / s              mean and variance of the batch, over all
                                 images and pixels of a channel
dx = gamma / s * (grad - mean(grad) - v * mean(grad * v))
""",
    answer=batch_norm_backward,
    by_engine=batch_norm_backward_by_engine,
    lines=(BatchNormalization.backward,),
    cases=batch_norm_backward_cases,
    wrong_answers=(
        statistics_as_constants, mean_as_constant, variance_as_constant, gamma_forgotten, sums_for_means, not_divided,
        distance_for_v, means_over_the_images, added,
    ),
    by_hand=batch_norm_backward_by_hand,
    loops=False,
    hints=(
        "Every mean in the formula goes over the images and pixels of a channel: axis=(0, 1, 2), of shape (C,).",
        "Compute inverse = 1 / sqrt(variance + 0.001) and v = (x - mean) * inverse first. x.var has the same axes.",
        "dx = gamma * inverse * (grad - mean of grad - v * mean of (grad * v)), each mean over axis=(0, 1, 2).",
    ),
    read_next="minitl/layers/normalization.py: the derivation stands in backward.",
)  # fmt: skip

"""An exercise on Grad-CAM: the places in an image on which a prediction rests.

Read next: `lstm`.
"""

import numpy as np

from ...layers import Activation, Dense, Flatten
from ...models import Sequential
from ...recipes.report.grad_cam import grad_cam as of_the_report
from .exercise import Case, Exercise


def grad_cam(maps, gradient):
    weights = gradient.mean(axis=(1, 2))
    return np.maximum((maps * weights[:, None, None, :]).sum(axis=3), 0)


def grad_cam_by_engine(maps, gradient):
    # A network whose output n has at the maps the gradient that is given for image n: one product with it.
    head = Dense(len(maps), name="scores")
    model = Sequential([Activation("linear", input_shape=maps.shape[1:], name="maps"), Flatten(), head])
    head.kernel = gradient.reshape(len(maps), -1).T.copy()
    return of_the_report(model, maps, np.arange(len(maps)), layer="maps")


def grad_cam_cases(random):
    def case(what, *shape):
        return Case(what, np.maximum(random.normal(0.5, 1, size=shape), 0), random.normal(0.1, 1, size=shape))

    signed = case("one image, 4x3 pixels, 6 channels, with maps below 0, too", 1, 4, 3, 6)
    signed.arguments[0][...] = random.normal(size=(1, 4, 3, 6))
    against = case("an image in which all speaks against the class", 2, 3, 2, 4)
    against.arguments[1][1] = -np.abs(against.arguments[1][1])
    return [
        case("2 images, maps of 3x5 pixels with 4 channels", 2, 3, 5, 4),
        signed,
        against,
        case("one channel", 3, 2, 4, 1),
        case("maps of one pixel", 4, 1, 1, 3),
    ]


def weighted(maps, weights):
    """Return the sum of the channels with these weights (N, C)."""
    return np.einsum("nhwc,nc->nhw", maps, weights)


def sum_of_the_gradient(maps, gradient):
    """Sum the gradient over the pixels: the weight of a channel is the mean, so that it does not depend on how many
    pixels a map has."""
    return np.maximum(weighted(maps, gradient.sum(axis=(1, 2))), 0)


def without_relu(maps, gradient):
    """Leave out the ReLU: places below 0 speak against the class, for another one, and asked for is what speaks for
    it."""
    return weighted(maps, gradient.mean(axis=(1, 2)))


def absolute_values(maps, gradient):
    """Take absolute values at the end: then places that speak against the class shine like those that speak for it."""
    return np.abs(weighted(maps, gradient.mean(axis=(1, 2))))


def relu_of_each_channel(maps, gradient):
    """Apply the ReLU to each channel before the sum: channels that speak against the class at a place have to be
    subtracted there first."""
    return np.maximum(maps * gradient.mean(axis=(1, 2))[:, None, None], 0).sum(axis=3)


def relu_of_the_weights(maps, gradient):
    """Apply the ReLU to the weights: a channel whose weight is below 0 speaks against the class, and its part has to be
    subtracted."""
    return weighted(maps, np.maximum(gradient.mean(axis=(1, 2)), 0))


def relu_of_the_gradient(maps, gradient):
    """Apply the ReLU to the gradient before its mean: numbers below 0 belong to the mean."""
    return np.maximum(weighted(maps, np.maximum(gradient, 0).mean(axis=(1, 2))), 0)


def pixel_by_pixel(maps, gradient):
    """Multiply each pixel of the maps by its own gradient: that is another method. Here a channel has one weight for
    all its pixels."""
    return np.maximum((maps * gradient).sum(axis=3), 0)


def mean_over_the_images(maps, gradient):
    """Take the mean over the images, too: each image has weights of its own, since its class and its pixels are its
    own."""
    weights = np.broadcast_to(gradient.mean(axis=(0, 1, 2)), (len(maps), maps.shape[3]))
    return np.maximum(weighted(maps, weights), 0)


def mean_over_the_channels(maps, gradient):
    """Take the mean over the channels in the end: the channels are added up, so the map is in units of the score."""
    return grad_cam(maps, gradient) / maps.shape[3]


def largest_becomes_one(maps, gradient):
    """Divide each map by its largest number: that is done to show it. Here the map stays in units of the score, and
    where nothing speaks for the class it would be 0/0."""
    y = grad_cam(maps, gradient)
    return y / y.max(axis=(1, 2), keepdims=True)


def largest_of_all_becomes_one(maps, gradient):
    """Divide all maps by the largest number of the batch: a map would then depend on the other images. It stays in
    units of the score."""
    y = grad_cam(maps, gradient)
    return y / y.max()


def roles_swapped(maps, gradient):
    """Take the mean of the maps and multiply it by the gradient: the mean of the gradient says how much a channel
    counts, and the maps say where it is."""
    return np.maximum(weighted(gradient, maps.mean(axis=(1, 2))), 0)


def gradient_alone(maps, gradient):
    """Leave out the maps: the gradient says how a change would act, and a channel speaks only where its map is
    large."""
    return np.maximum(gradient.sum(axis=3), 0)


def grad_cam_by_hand(name, index, maps, gradient):
    n, i, j = index
    weights = gradient[n].mean(axis=(0, 1)).tolist()
    terms = " + ".join(f"({w:.4f})*{a:.4f}" for w, a in zip(weights, maps[n, i, j].tolist()))
    return f"relu({terms})"


GRAD_CAM = Exercise(
    "grad_cam",
    title="Grad-CAM: where a prediction comes from",
    text="""The last convolution of a network returns maps: channel k is large where its pattern is found in the image.
    The gradient of a class's score at these maps says how the score would grow if a map grew at a pixel. Its mean over
    the pixels is the weight of the channel for this class, in this image: above 0 if the pattern speaks for the class,
    below 0 if it speaks against it. The sum of the maps with these weights shows where in the image something speaks
    for the class. Places where the sum is below 0 speak against it, and are set to 0. Return the map as it is then: to
    show it as an image one would divide it by its largest number, but here it stays in units of the score.""",
    given={
        "maps": "(N, H, W, C)  the maps A of N images",
        "gradient": "(N, H, W, C)  dy/dA for the score y of the class of each image",
    },
    returns={"cam": "(N, H, W)  how much each place speaks for the class, 0 or more"},
    formula="""
a[n, k]      = mean over i, j of gradient[n, i, j, k]
cam[n, i, j] = relu(sum over k of a[n, k] * maps[n, i, j, k])
""",
    answer=grad_cam,
    by_engine=grad_cam_by_engine,
    lines=(of_the_report,),
    cases=grad_cam_cases,
    wrong_answers=(
        sum_of_the_gradient, without_relu, absolute_values, relu_of_each_channel, relu_of_the_weights,
        relu_of_the_gradient, pixel_by_pixel, mean_over_the_images, mean_over_the_channels, largest_becomes_one,
        largest_of_all_becomes_one, roles_swapped, gradient_alone,
    ),
    by_hand=grad_cam_by_hand,
    loops=False,
    hints=(
        "First the weights, (N, C): a mean over two axes at once. Then a sum over the channels, and what is below 0 "
        "becomes 0.",
        "gradient.mean(axis=(1, 2)) has shape (N, C). With [:, None, None, :] behind it, it has (N, 1, 1, C), and can "
        "be multiplied by the maps.",
        "Multiply the maps by these weights, take .sum(axis=3), and np.maximum of that and 0.",
    ),
    read_next="minitl/recipes/report/grad_cam.py, whose head says why the mean of the gradient is the weight.",
)  # fmt: skip

"""Every fast function against its loop twin, and both against results known by hand."""

import itertools
import tracemalloc

import numpy as np
import pytest

from minitl import kernels
from minitl.errors import ArgumentError, ShapeError
from minitl.kernels import (
    blas,
    channels,
    convolution,
    elementwise,
    geometry,
    im2col,
    kernel_transform,
    memory,
    normalization,
    parallel,
    pooling,
    winograd,
    winograd_choice,
    winograd_forms,
)

# Odd and even sizes, asymmetric windows, strides that skip pixels, windows that overlap and windows that do not.
IMAGES = [(5, 7), (8, 6)]
WINDOWS = [(1, 1), (2, 3), (3, 3), (5, 2)]
STRIDES = [(1, 1), (2, 1), (2, 3)]
PADDINGS = ["same", "valid", ((1, 2), (0, 1))]
CASES = list(itertools.product(IMAGES, WINDOWS, STRIDES, PADDINGS))


def case_name(case):
    image, window, strides, padding = case
    return f"{image[0]}x{image[1]}-window{window[0]}x{window[1]}-stride{strides[0]}x{strides[1]}-{padding}".replace(
        " ", ""
    )


every_case = pytest.mark.parametrize("image, window, strides, padding", CASES, ids=map(case_name, CASES))


def assert_close(found, expected, tolerance=1e-13):
    assert found.shape == expected.shape and found.dtype == expected.dtype
    assert np.abs(found - expected).max() <= tolerance * max(1, np.abs(expected).max())


def check_against_the_twins(rng, images, image, window, strides, padding):
    """Compare a convolution and both its gradients with the loop twins, for random numbers."""
    x, kernel, bias = (
        rng.standard_normal((images, *image, 3)),
        rng.standard_normal((*window, 3, 4)),
        rng.standard_normal(4),
    )
    y = kernels.conv2d(x, kernel, bias, strides, padding)
    assert_close(y, kernels.conv2d_naive(x, kernel, bias, strides, padding))
    grad = rng.standard_normal(y.shape)
    assert_close(
        kernels.conv2d_kernel_gradient(x, grad, window, strides, padding),
        kernels.conv2d_kernel_gradient_naive(x, grad, window, strides, padding),
    )
    assert_close(
        kernels.conv2d_input_gradient(grad, kernel, image, strides, padding),
        kernels.conv2d_input_gradient_naive(grad, kernel, image, strides, padding),
    )


@every_case
def test_convolution_equals_its_twin(rng, image, window, strides, padding):
    check_against_the_twins(rng, 2, image, window, strides, padding)


@pytest.mark.parametrize("block_bytes", [1, 3_000, 20_000, 10**9], ids=lambda b: f"{b}-byte-blocks")
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_blocks_of_any_size_give_the_same_numbers(rng, monkeypatch, block_bytes, padding):
    """Blocks go from one output row to several images at once, and the last one is smaller."""
    monkeypatch.setattr(im2col, "FORWARD_BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(im2col, "GRADIENT_BLOCK_BYTES", block_bytes)
    x, kernel = rng.standard_normal((5, 7, 6, 2)), rng.standard_normal((3, 2, 2, 3))
    y = kernels.conv2d(x, kernel, padding=padding)
    assert_close(y, kernels.conv2d_naive(x, kernel, padding=padding))
    assert_close(
        kernels.conv2d_kernel_gradient(x, y, (3, 2), padding=padding),
        kernels.conv2d_kernel_gradient_naive(x, y, (3, 2), padding=padding),
    )


@pytest.fixture
def choose():
    return kernels.set_convolution


def all_three(x, kernel, grad, padding):
    """Return a convolution and its two gradients, by the algorithm in force."""
    return (
        kernels.conv2d(x, kernel, padding=padding),
        kernels.conv2d_kernel_gradient(x, grad, kernel.shape[:2], padding=padding),
        kernels.conv2d_input_gradient(grad, kernel, x.shape[1:3], padding=padding),
    )


WINDOWS_OF_WINOGRAD = [(3, 3), (5, 5), (1, 7), (7, 1), (3, 5), (1, 3), (5, 1)]


@pytest.fixture(params=["small tiles", "large tiles", "unrolled columns"])
def tiles(request, monkeypatch):
    """Run a test with the smallest forms, with those that save points, which else take many channels, and with the one
    that else depends on the processor."""
    monkeypatch.setattr(winograd_choice, "UNROLLED_CHANNELS", 10**9 if request.param == "unrolled columns" else 0)
    monkeypatch.setattr(winograd_choice, "LARGE_TILE_CHANNELS", 1 if request.param == "large tiles" else 10**9)
    return request.param


@pytest.mark.parametrize("block_tiles", [1, 5, 450], ids=lambda t: f"{t}-tile-blocks")
@pytest.mark.parametrize("padding", ["same", "valid", "explicit"])
@pytest.mark.parametrize("image", [(7, 8), (9, 7), (11, 8)], ids=str)
@pytest.mark.parametrize("window", WINDOWS_OF_WINOGRAD, ids=str)
def test_winograd_equals_the_twin(rng, monkeypatch, choose, tiles, window, image, padding, block_tiles):
    """The sizes leave tiles half empty, the blocks have any size, and in float64 both are exact."""
    monkeypatch.setattr(winograd, "BLOCK_BYTES", 36 * block_tiles * 6 * 8)
    monkeypatch.setattr(winograd, "LARGE_BLOCK_BYTES", 36 * block_tiles * 6 * 8)
    monkeypatch.setattr(winograd, "TRANSFORM_SIZE", 180 * block_tiles)
    monkeypatch.setattr(winograd, "GRADIENT_BLOCK_BYTES", 2000 * block_tiles)
    if padding == "explicit":
        padding = tuple((0, 0) if size == 1 else sides for size, sides in zip(window, ((1, 0), (2, 1))))
    x, kernel = rng.standard_normal((2, *image, 2)), rng.standard_normal((*window, 2, 3))
    grad = rng.standard_normal(kernels.conv2d(x, kernel, padding=padding).shape)
    choose("naive")
    expected = all_three(x, kernel, grad, padding)
    choose("winograd")
    for found, exact in zip(all_three(x, kernel, grad, padding), expected):
        assert_close(found, exact)


@pytest.mark.parametrize("window", WINDOWS_OF_WINOGRAD, ids=str)
@pytest.mark.parametrize("size", [20, 17, 14])
def test_winograd_in_float32(rng, choose, tiles, window, size):
    """The error is at most 1.5e-5 of the largest value, over a layer of 64 channels (3x3: 1e-5)."""
    arrays = [rng.standard_normal(shape) for shape in ((2, size, size, 64), (*window, 64, 64), (2, size, size, 64))]
    choose("im2col")
    expected = all_three(*arrays, "same")
    choose("winograd")
    most = 1e-5 if max(window) < 7 else 1.5e-5
    for found, exact in zip(all_three(*(array.astype(np.float32) for array in arrays), "same"), expected):
        assert found.dtype == np.float32
        assert np.abs(found - exact).max() <= most * np.abs(exact).max()


def test_the_forms_of_winograd_are_exact(rng):
    """Compare A^T [(G g) * (B^T x)] with the convolution in one dimension, for every form."""
    for taps, form in [(taps, form) for taps, forms in winograd_forms.FORMS.items() for form in forms]:
        x, g = rng.standard_normal(form.points), rng.standard_normal(taps)
        assert form.points == form.outputs + taps - 1
        np.testing.assert_allclose(form.at @ ((form.g @ g) * (form.bt @ x)), np.correlate(x, g), rtol=1e-11, atol=1e-11)
        assert (form.at[:, form.point_of_ones] == 1).all()


def test_the_columns_of_few_channels_are_unrolled(monkeypatch):
    """That is where OpenBLAS has no code for small products. The kernel is 3x3, and an even width meets a pooling."""

    def sides(channels=64, taps=(3, 3), size=20, pool=False):
        axes = geometry.window((size, size), taps, (1, 1), "same")
        forms = winograd_choice.forward_forms((*taps, channels, 96), *axes, np.float32, pool)
        return tuple(form.outputs for form in forms)

    monkeypatch.setattr(winograd_choice, "UNROLLED_CHANNELS", 0)
    assert sides() == (4, 4)
    monkeypatch.setattr(winograd_choice, "UNROLLED_CHANNELS", 64)
    assert sides() == sides(channels=32) == sides(pool=True) == sides(size=21) == (4, 1)
    assert sides(channels=65) == sides(size=21, pool=True) == sides(taps=(5, 5)) == (4, 4)
    assert blas.small_products_are_slow() in (True, False)


def test_the_tiles_of_a_convolution():
    """Large ones need many channels and fewer points; before a pooling of 2x2 their sides are even."""

    def sides(size, taps=(3, 3), channels=96, pool=False):
        axes = geometry.window((size, size), taps, (1, 1), "same")
        forms = winograd_choice.forms_for((*taps, channels, 128), *axes, np.float32, pool)
        return tuple(form.outputs for form in forms)

    assert sides(14) == (5, 5) and sides(112) == sides(35) == (6, 6) and sides(56) == sides(28) == sides(7) == (4, 4)
    assert sides(14, pool=True) == (4, 4) and sides(112, pool=True) == (6, 6)
    assert sides(17, (1, 7)) == (1, 6) and sides(17, (7, 1)) == (6, 1) and sides(8, (1, 7)) == (1, 4)
    assert sides(35, (5, 5), channels=48) == (4, 4)
    assert sides(14, channels=64) == (4, 4) and sides(20, (1, 7), pool=True) == (1, 4)


def test_winograd_is_there_only_where_it_is_exact_enough():
    """Refuse ten points in both directions, which lose too many digits, and padding along an axis of one entry."""

    def is_possible(window, padding="same", strides=(1, 1)):
        return winograd_choice.is_possible((*window, 64, 64), *geometry.window((20, 20), window, strides, padding))

    assert all(is_possible(window) for window in WINDOWS_OF_WINOGRAD)
    assert not any(is_possible(window) for window in ((7, 7), (3, 7), (2, 2), (1, 1), (1, 9)))
    assert not is_possible((1, 7), ((1, 1), (3, 3))) and not is_possible((3, 3), strides=(2, 2))


@pytest.mark.parametrize("algorithm", ["naive", "im2col", "winograd"])
@pytest.mark.parametrize("image", [(4, 4), (7, 9), (14, 6), (5, 2)], ids=str)
def test_convolution_and_pooling_at_once(rng, choose, tiles, image, algorithm):
    """Odd sizes leave a last row or column that no 2x2 window reaches."""
    x, kernel, bias = rng.standard_normal((2, *image, 3)), rng.standard_normal((3, 3, 3, 2)), rng.standard_normal(2)
    relu, _ = kernels.ACTIVATIONS["relu"]
    expected = kernels.max_pool_naive(relu(kernels.conv2d_naive(x, kernel, bias, padding="same")), (2, 2), (2, 2))
    choose(algorithm)
    assert_close(kernels.conv2d(x, kernel, bias, padding="same", activate=relu, pool=True), expected)


@pytest.mark.parametrize("activation", kernels.ACTIVATIONS)
@pytest.mark.parametrize("algorithm", ["im2col", "winograd"])
def test_activation_within_the_blocks(rng, choose, algorithm, activation):
    activate, _ = kernels.ACTIVATIONS[activation]
    x, kernel, bias = rng.standard_normal((2, 6, 5, 3)), rng.standard_normal((3, 3, 3, 4)), rng.standard_normal(4)
    choose(algorithm)
    found = kernels.conv2d(x, kernel, bias, padding="same", activate=activate)
    assert_close(found, activate(kernels.conv2d_naive(x, kernel, bias, padding="same")))


def test_which_way_a_convolution_goes(monkeypatch, choose):
    taken = []
    for name in "conv2d_im2col", "conv2d_naive":
        monkeypatch.setattr(convolution, name, lambda *_, name=name: taken.append(name))
    monkeypatch.setattr(winograd, "conv2d_winograd", lambda *_: taken.append("winograd") or "y")

    def way(size=28, channels=64, window=3, strides=(1, 1), dtype=np.float32, images=1, transform=None):
        kh, kw = window if isinstance(window, tuple) else (window, window)
        x, kernel = np.zeros((images, size, size, channels), dtype), np.zeros((kh, kw, channels, 64), dtype)
        kernels.conv2d(x, kernel, None, strides, "same", transform=transform)
        return taken.pop()

    kept = kernel_transform.KernelTransform()
    assert way(size=32) == way(size=14, images=4) == way(size=14, images=2, transform=kept) == "winograd"
    assert way(window=5) == way(window=(1, 7), size=32) == way(window=(7, 1), size=32) == "winograd"
    assert way(channels=16) == way(size=5) == way(size=14, images=2) == way(dtype=np.float64) == "conv2d_im2col", (
        "it would not pay"
    )
    assert way(window=7) == way(window=(3, 7)) == way(window=1) == way(strides=(2, 2)) == "conv2d_im2col", "it cannot"
    choose("winograd")
    assert way(channels=3) == way(size=5) == way(size=14) == "winograd" and way(window=7) == "conv2d_im2col"
    choose("im2col")
    assert way() == "conv2d_im2col"
    choose("naive")
    assert way() == way(window=5) == "conv2d_naive"
    with pytest.raises(ArgumentError, match="algorithm is 'fft'; expected one of 'auto', 'naive'"):
        choose("fft")


def test_input_in_any_memory_order(rng):
    """A transposed view has its channels far apart in memory. The windows must be read from a contiguous copy."""
    x, kernel = rng.standard_normal((2, 3, 6, 7)).transpose(0, 2, 3, 1), rng.standard_normal((3, 3, 3, 4))
    grad = rng.standard_normal((2, 4, 6, 7)).transpose(0, 2, 3, 1)
    assert_close(kernels.conv2d(x, kernel, padding="same"), kernels.conv2d_naive(x, kernel, padding="same"))
    assert_close(
        kernels.conv2d_kernel_gradient(x, grad, (3, 3), padding="same"),
        kernels.conv2d_kernel_gradient_naive(x, grad, (3, 3), padding="same"),
    )
    assert_close(
        kernels.conv2d_input_gradient(grad, kernel, (6, 7), padding="same"),
        kernels.conv2d_input_gradient_naive(grad, kernel, (6, 7), padding="same"),
    )


@pytest.mark.parametrize("strides, padding", list(itertools.product(STRIDES, ["same", "valid"])))
def test_one_hot_sweep(strides, padding):
    """One pixel is bright, and the kernel's entries are 1, 2, 3, ... Each output must be the entry that the pixel falls
    on.

    TensorFlow's rule is written out here a second time.
    """
    h, w, kh, kw = 5, 6, 3, 2
    kernel = np.arange(1.0, kh * kw + 1).reshape(kh, kw, 1, 1)
    if padding == "same":
        oh, ow = -(-h // strides[0]), -(-w // strides[1])
        top = max((oh - 1) * strides[0] + kh - h, 0) // 2
        left = max((ow - 1) * strides[1] + kw - w, 0) // 2
    else:
        oh, ow, top, left = (h - kh) // strides[0] + 1, (w - kw) // strides[1] + 1, 0, 0
    for row, col in np.ndindex(h, w):
        x = np.zeros((1, h, w, 1))
        x[0, row, col] = 1
        expected = np.zeros((1, oh, ow, 1))
        for i, j in np.ndindex(oh, ow):
            a, b = row + top - i * strides[0], col + left - j * strides[1]
            if 0 <= a < kh and 0 <= b < kw:
                expected[0, i, j] = kernel[a, b, 0]
        assert np.array_equal(kernels.conv2d(x, kernel, None, strides, padding), expected)


def test_padding_is_tensorflows():
    assert geometry.axis(224, 7, 2, "same")[3:] == (2, 3, 112)  # odd: the extra pixel goes behind
    assert geometry.axis(224, 3, 1, "same")[3:] == (1, 1, 224)
    assert geometry.axis(5, 1, 2, "same")[3:] == (0, 0, 3)
    assert geometry.axis(5, 3, 2, "valid")[3:] == (0, 0, 2)
    assert geometry.axis(2, 3, 2, "same")[3:] == (0, 1, 1)


def test_wrong_windows_are_refused():
    with pytest.raises(ShapeError, match="window of 3 pixels does not fit into 2"):
        geometry.axis(2, 3, 1, "valid")
    with pytest.raises(ArgumentError, match="'full'"):
        geometry.axis(5, 3, 1, "full")


@pytest.mark.parametrize("algorithm, most", [("im2col", 20e6), ("winograd", 30e6)])
def test_memory_stays_bounded(choose, monkeypatch, algorithm, most):
    """All columns of this layer would take 115 MB an image. Blocks must use only a small part of it.

    Each thread has scratch memory of its own, some 6 MB: the limits are for two threads. Helper threads that other
    tests have started could take parts as well, so this test starts a new one.
    """
    choose(algorithm)
    monkeypatch.setattr(parallel, "_allowed", min(2, parallel.threads()))
    parallel._start_anew()
    memory.release()
    x = np.zeros((2, 224, 224, 64), np.float32)
    kernel = np.zeros((3, 3, 64, 64), np.float32)
    tracemalloc.start()
    y = kernels.conv2d(x, kernel, padding="same")
    peak = tracemalloc.get_traced_memory()[1] - y.nbytes
    memory.release()
    tracemalloc.reset_peak()
    kernels.conv2d_kernel_gradient(x, y, (3, 3), padding="same")
    gradient_peak = tracemalloc.get_traced_memory()[1] - y.nbytes
    tracemalloc.stop()
    assert peak < most and gradient_peak < most + 15e6  # a padded image is 13 MB


@every_case
def test_pooling_equals_its_twin(rng, image, window, strides, padding):
    if not isinstance(padding, str):
        padding = "same"  # pooling has no explicit padding
    x = rng.standard_normal((2, *image, 3))
    y = kernels.max_pool(x, window, strides, padding)
    assert_close(y, kernels.max_pool_naive(x, window, strides, padding))
    grad = rng.standard_normal(y.shape)
    assert_close(
        kernels.max_pool_gradient(grad, x, y, window, strides, padding),
        kernels.max_pool_gradient_naive(grad, x, y, window, strides, padding),
    )
    assert_close(
        kernels.average_pool(x, window, strides, padding), kernels.average_pool_naive(x, window, strides, padding)
    )
    assert_close(
        kernels.average_pool_gradient(grad, image, window, strides, padding),
        kernels.average_pool_gradient_naive(grad, image, window, strides, padding),
    )


def test_global_pooling_equals_its_twin(rng):
    x, grad = rng.standard_normal((3, 5, 4, 2)), rng.standard_normal((3, 2))
    assert_close(kernels.global_average_pool(x), kernels.global_average_pool_naive(x))
    assert_close(kernels.global_max_pool(x), kernels.global_max_pool_naive(x))
    assert_close(
        kernels.global_average_pool_gradient(grad, (5, 4)), kernels.global_average_pool_gradient_naive(grad, (5, 4))
    )
    assert_close(kernels.global_max_pool_gradient(grad, x), kernels.global_max_pool_gradient_naive(grad, x))


def test_equal_maxima_share_nothing():
    """The first one of several equal pixels gets the whole gradient, in the fast function and in its twin."""
    x, grad = np.zeros((1, 4, 4, 1)), np.arange(1.0, 5).reshape(1, 2, 2, 1)
    expected = np.zeros((4, 4))
    expected[::2, ::2] = [[1, 2], [3, 4]]
    y = kernels.max_pool(x, (2, 2), (2, 2))
    for gradient in kernels.max_pool_gradient, kernels.max_pool_gradient_naive:
        assert np.array_equal(gradient(grad, x, y, (2, 2), (2, 2))[0, :, :, 0], expected)
    assert kernels.global_max_pool_gradient(np.array([[7.0]]), x)[0, 0, 0, 0] == 7


def test_average_does_not_count_padding():
    y = kernels.average_pool(np.ones((1, 3, 3, 1)), (2, 2), (2, 2), "same")
    assert np.array_equal(y, np.ones((1, 2, 2, 1)))


def test_padding_never_wins_the_maximum():
    y = kernels.max_pool(np.full((1, 3, 3, 1), -5.0), (2, 2), (2, 2), "same")
    assert np.array_equal(y, np.full((1, 2, 2, 1), -5.0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", list(kernels.ACTIVATIONS))
def test_activations_keep_the_type_and_overwrite_on_demand(rng, name, dtype):
    function, gradient = kernels.ACTIVATIONS[name]
    x = rng.standard_normal((3, 4)).astype(dtype)
    y = function(x)
    assert y.dtype == dtype and gradient(x, y).dtype == dtype
    assert np.array_equal(function(x.copy(), out=x), y)


def test_softmax_and_sigmoid_survive_any_input():
    x = np.array([[1e4, -1e4, 0], [5, 5, 5]], np.float32)
    p = kernels.ACTIVATIONS["softmax"][0](x)
    assert np.allclose(p, [[1, 0, 0], [1 / 3] * 3]) and (p > 0).all()
    q = kernels.ACTIVATIONS["sigmoid"][0](x)
    assert np.allclose(q[0], [1, 0, 0.5]) and (q > 0).all() and (q < 1).all()
    assert np.allclose(kernels.log_softmax(x)[0], [0, -2e4, -1e4])


def test_channel_sums(rng):
    x = rng.standard_normal((3, 4, 5, 2))
    assert np.allclose(kernels.channel_sums(x), x.sum(axis=(0, 1, 2)))


@pytest.mark.parametrize("algorithm", ["im2col", "winograd"])
def test_no_images_at_all(choose, algorithm):
    choose(algorithm)
    x, kernel = np.zeros((0, 8, 6, 3)), np.ones((3, 3, 3, 2))
    y = kernels.conv2d(x, kernel, np.ones(2), padding="same")
    assert y.shape == (0, 8, 6, 2)
    assert (kernels.conv2d_kernel_gradient(x, y, (3, 3), padding="same") == 0).all()
    assert kernels.conv2d_input_gradient(y, kernel, (8, 6), padding="same").shape == x.shape
    pooled = kernels.max_pool(y, (2, 2), (2, 2))
    assert pooled.shape == (0, 4, 3, 2)
    assert kernels.max_pool_gradient(pooled, y, pooled, (2, 2), (2, 2)).shape == y.shape
    assert (kernels.channel_sums(y) == 0).all()


@pytest.mark.parametrize("seed", range(40))
def test_windows_of_all_kinds(monkeypatch, seed):
    """Windows, strides, paddings (wider than the window, too) and blocks are drawn in unlikely sizes."""
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(im2col, "FORWARD_BLOCK_BYTES", int(rng.choice([100, 2_000, 10**6])))
    monkeypatch.setattr(im2col, "GRADIENT_BLOCK_BYTES", int(rng.choice([100, 2_000, 10**6])))
    window, strides = (tuple(map(int, rng.integers(1, 4, 2))) for _ in range(2))
    padding = tuple(tuple(map(int, rng.integers(0, 4, 2))) for _ in range(2))
    image = tuple(int(rng.integers(max(1, k - sum(p)), 8)) for k, p in zip(window, padding))
    check_against_the_twins(rng, int(rng.integers(1, 4)), image, window, strides, padding)


@pytest.mark.parametrize("algorithm", ["im2col", "winograd"])
@pytest.mark.parametrize("view", [lambda a: a[..., 0][..., None], lambda a: a[..., :1][..., ::-1]], ids=["0", "-8"])
def test_images_of_one_channel_as_views(rng, choose, algorithm, view):
    """NumPy calls such a view contiguous, whatever its step from channel to channel is."""
    x, kernel, grad = view(rng.random((2, 9, 8, 2))), rng.random((3, 3, 1, 1)), view(rng.random((2, 7, 6, 2)))
    choose(algorithm)
    found = all_three(x, kernel, grad, "valid")
    choose("naive")
    for each, exact in zip(found, all_three(x, kernel, grad, "valid")):
        assert_close(each, exact)


@pytest.mark.parametrize("algorithm", ["im2col", "winograd"])
def test_result_types(rng, choose, algorithm):
    choose(algorithm)
    x, kernel = rng.random((2, 6, 6, 3)), rng.random((3, 3, 3, 2))
    for of_x, of_kernel, expected in [("f4", "f2", "f4"), ("f4", "i1", "f4"), ("f8", "f4", "f8"), ("f4", "f8", "f8")]:
        a, b = (x * 100).astype(of_x), (kernel * 100).astype(of_kernel)
        y = kernels.conv2d(a, b, padding="same")
        exact = kernels.conv2d_naive(a.astype("f8"), b.astype("f8"), padding="same")
        assert y.dtype == expected and np.abs(y - exact).max() < 1e-5 * exact.max()
        assert kernels.conv2d_input_gradient(y, b, (6, 6), padding="same").dtype == expected


@pytest.mark.parametrize("algorithm", ["naive", "im2col", "winograd"])
@pytest.mark.parametrize("window, strides", [((1, 1), (1, 1)), ((3, 3), (1, 1)), ((3, 2), (2, 1))], ids=str)
def test_another_gradient_is_added(rng, choose, algorithm, window, strides):
    choose(algorithm)
    x, kernel = rng.standard_normal((2, 9, 8, 3)), rng.standard_normal((*window, 3, 4))
    grad = rng.standard_normal(kernels.conv2d(x, kernel, None, strides, "same").shape)
    arguments = grad, kernel, (9, 8), strides, "same"
    assert_close(kernels.conv2d_input_gradient(*arguments, x), kernels.conv2d_input_gradient(*arguments) + x)


@pytest.mark.parametrize("image, window", [((1, 1), (1, 1)), ((3, 3), (3, 3)), ((1, 2), (1, 1))], ids=str)
def test_filters_shared_out_of_one_output_pixel(rng, choose, monkeypatch, image, window):
    """Threads take some of the filters each. One pixel with half of the filters is contiguous, as whole maps are."""
    choose("im2col")
    monkeypatch.setattr(im2col, "threads", lambda: 3)
    for filters in 8, 3 * channels.ROW_SIZE + 4:
        x, kernel = rng.standard_normal((1, *image, 2)), rng.standard_normal((*window, 2, filters))
        bias, scale = rng.standard_normal((2, filters))
        found = kernels.conv2d(x, kernel, bias, scale=scale, activate=kernels.activations.relu)
        assert_close(found, np.maximum(kernels.conv2d_naive(x, kernel * scale, bias), 0))


def test_nothing_to_pool_is_an_error(choose):
    choose("winograd")
    with pytest.raises(ShapeError):
        kernels.conv2d(np.ones((1, 1, 8, 3)), np.ones((3, 3, 3, 4)), padding="same", pool=True)


# ---- batch normalization ----


@pytest.mark.parametrize("shape", [(3, 5, 4, 6), (7, 3), (2, 1, 1, 1)], ids=str)
@pytest.mark.parametrize("block_size", [8, 2**18])
def test_normalization_equals_the_twins(rng, monkeypatch, shape, block_size):
    monkeypatch.setattr(channels, "BLOCK_SIZE", block_size)
    x, grad = rng.standard_normal((2, *shape)) + 3
    y = np.maximum(rng.standard_normal(shape), 0)
    half = rng.standard_normal((*shape[:-1], 2 * shape[-1]))[..., shape[-1] :]  # some channels of an array
    a, b, c = rng.standard_normal((3, shape[-1]))
    for name, cases in {
        "batch_statistics": [(x,), (half,)],
        "scale_and_shift": [(x, a, b), (x, a), (x, a, b, True), (half, a, None, True)],
        "gradient_sums": [(grad, x, a), (grad, x, a, y), (half, x, a), (half, x, a, y)],
        "weighted_sum": [(grad, x, a, b, c), (half, x, a, b, c)],
    }.items():
        for arguments in cases:
            found = getattr(normalization, name)(*arguments)
            expected = getattr(normalization, f"{name}_naive")(*arguments)
            for one, other in zip(found, expected, strict=True) if isinstance(expected, tuple) else [(found, expected)]:
                assert_close(one, other)
    expected = normalization.weighted_sum_naive(grad, x, a, b, c)
    assert normalization.weighted_sum(grad, x, a, b, c, out=grad) is grad
    assert_close(grad, expected)


def test_a_guess_far_from_the_mean(rng):
    """The mean is guessed from 64 pixels. Here they are all zero, and the others lie around 10,000."""
    x = rng.standard_normal((4096, 3)) + 1e4
    x[(np.arange(64) * 0.6180339887 % 1 * 4096).astype(int)] = 0
    mean, variance = normalization.batch_statistics(x)
    np.testing.assert_allclose(mean, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(variance, x.var(axis=0), rtol=1e-12)
    spread = x.astype(np.float32) * np.float32(1e-4)
    exact = spread.astype(float).var(axis=0)
    np.testing.assert_allclose(normalization.batch_statistics(spread)[1], exact, rtol=1e-5)


def test_variance_far_from_zero(rng):
    """float32 has seven digits. A mean of 10,000 leaves three for the deviations, and they must not be lost."""
    x = rng.standard_normal((8, 40, 40, 3)) + 1e4
    mean, variance = normalization.batch_statistics(x.astype(np.float32))
    exact = x.astype(np.float32).astype(float).reshape(-1, 3)
    assert np.abs(mean - exact.mean(axis=0)).max() < 0.002
    assert np.abs(variance / exact.var(axis=0) - 1).max() < 1e-4


def test_a_sum_and_a_relu_in_one_pass(rng, monkeypatch):
    for block_size, shape in itertools.product((8, 2**18), ((3, 5, 4, 6), (4, 7))):
        monkeypatch.setattr(channels, "BLOCK_SIZE", block_size)
        a, b = rng.standard_normal((2, *shape))
        half = rng.standard_normal((*shape[:-1], 2 * shape[-1]))[..., shape[-1] :]
        for one, other in (a, b), (a, half), (a, b[:1]):
            assert np.array_equal(elementwise.add_and_relu(one, other), np.maximum(one + other, 0))


# ---- blocks and threads of the gradients ----


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("window, strides", [((3, 3), (1, 1)), ((1, 3), (1, 1)), ((3, 3), (2, 2)), ((1, 1), (2, 2))])
def test_gradients_shared_out_by_channels(rng, choose, window, strides, padding):
    """Threads share small maps with many channels by channels, and large maps by pixels."""
    choose("im2col")
    for size, filters in (4, 40), (9, 3):
        x = rng.standard_normal((2, size, size, 64))
        y = kernels.conv2d(x, rng.standard_normal((*window, 64, filters)), None, strides, padding)
        grad = rng.standard_normal(y.shape)
        found = kernels.conv2d_kernel_gradient(x, grad, window, strides, padding)
        assert_close(found, kernels.conv2d_kernel_gradient_naive(x, grad, window, strides, padding))
        arguments = grad, rng.standard_normal((*window, 64, filters)), (size, size), strides, padding
        assert_close(kernels.conv2d_input_gradient(*arguments), kernels.conv2d_input_gradient_naive(*arguments))


@pytest.mark.parametrize("block_bytes", [200, 2**20])
@pytest.mark.parametrize("window, strides", [((3, 3), (2, 2)), ((2, 3), (1, 2)), ((1, 1), (2, 2)), ((2, 2), (3, 3))])
def test_gradients_in_blocks(rng, monkeypatch, window, strides, block_bytes):
    monkeypatch.setattr(im2col, "FORWARD_BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(pooling, "BLOCK_BYTES", block_bytes)
    x = rng.standard_normal((3, 11, 8, 2))
    kernel = rng.standard_normal((*window, 2, 4))
    grad = rng.standard_normal(kernels.conv2d(x, kernel, None, strides).shape)
    arguments = grad, kernel, (11, 8), strides
    assert_close(kernels.conv2d_input_gradient(*arguments), kernels.conv2d_input_gradient_naive(*arguments))
    y = kernels.max_pool(x, window, strides)
    assert np.array_equal(y, kernels.max_pool_naive(x, window, strides))
    grad = rng.standard_normal(y.shape)
    arguments = grad, x, y, window, strides
    assert_close(kernels.max_pool_gradient(*arguments), kernels.max_pool_gradient_naive(*arguments))


# ---- NaN in a window ----


@pytest.mark.parametrize("window, strides", [((2, 2), (2, 2)), ((3, 3), (2, 1)), ((3, 2), (1, 1))], ids=str)
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_window_with_nan_keeps_its_gradient(rng, window, strides, padding):
    """The output is NaN, and the last NaN of the window gets the gradient, as in PyTorch."""
    x = rng.standard_normal((2, 9, 8, 3))
    x[rng.random(x.shape) < 0.1] = np.nan
    y = kernels.max_pool(x, window, strides, padding)
    np.testing.assert_array_equal(y, kernels.max_pool_naive(x, window, strides, padding))
    grad = rng.standard_normal(y.shape)
    dx = kernels.max_pool_gradient(grad, x, y, window, strides, padding)
    assert_close(dx, kernels.max_pool_gradient_naive(grad, x, y, window, strides, padding))
    assert np.isclose(dx.sum(), grad.sum())
    assert_close(
        kernels.global_max_pool_gradient(grad[:, 0, 0], x), kernels.global_max_pool_gradient_naive(grad[:, 0, 0], x)
    )


# ---- what Winograd promises of unusual numbers ----


def convolved(choose, x, kernel, **arguments):
    """Return a convolution by Winograd and by im2col."""
    results = []
    for algorithm in "winograd", "im2col":
        choose(algorithm)
        results.append(kernels.conv2d(x, kernel, padding="same", **arguments))
    return results


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("arguments", [{}, {"pool": True}, {"activate": kernels.ACTIVATIONS["relu"][0]}], ids=str)
@pytest.mark.parametrize("window", [(3, 3), (5, 5), (1, 7), (7, 1)], ids=str)
def test_winograd_does_not_spread_what_is_not_finite(rng, choose, tiles, window, number, arguments):
    """A pixel spoils the outputs that see it and no others; so do outputs' gradients on the way back."""
    x, kernel = rng.standard_normal((2, 18, 17, 48), np.float32), rng.standard_normal((*window, 48, 32), np.float32)
    x[1, 6, 7, 3] = number
    with np.errstate(invalid="ignore"):
        found, expected = convolved(choose, x, kernel, **arguments)
    np.testing.assert_array_equal(found, expected)
    if not arguments:
        assert (~np.isfinite(found[..., 0])).sum() == window[0] * window[1]
    choose("winograd")
    with np.errstate(invalid="ignore"):
        dx = kernels.conv2d_input_gradient(x, kernel.transpose(0, 1, 3, 2), (18, 17), padding="same")
    assert (~np.isfinite(dx[..., 0])).sum() == window[0] * window[1]


@pytest.mark.parametrize("size, of_kernel", [(1e18, 1e18), (3e36, 0.05), (1e37, 1e-3), (-1e37, 1e-3), (1e25, 1e-10)])
@pytest.mark.parametrize("window", [(3, 3), (5, 5), (1, 7), (7, 1)], ids=str)
def test_winograd_overflows_nowhere_else(rng, choose, tiles, window, size, of_kernel):
    """The result is im2col's, and no warning is given."""
    x = (rng.standard_normal((1, 18, 18, 48)) * size).astype(np.float32)
    kernel = (rng.standard_normal((*window, 48, 32)) * of_kernel).astype(np.float32)
    found, expected = convolved(choose, x, kernel)
    assert np.isfinite(found).all()
    assert np.abs(found - expected).max() <= 3e-5 * np.abs(expected).max()


@pytest.mark.parametrize("size", [1e-30, 1e-20, 1.0, 1e10])
@pytest.mark.parametrize("window", [(3, 3), (5, 5), (1, 7), (7, 1)], ids=str)
def test_the_error_of_winograd_is_relative_to_the_largest_number_of_a_tile(rng, choose, tiles, window, size):
    x = (rng.standard_normal((1, 36, 36, 64)) * size).astype(np.float32)
    x[0, 8, 8, 0] = 1e6 * size  # hides the pixels of its tiles, and no others
    kernel = rng.standard_normal((*window, 64, 32)).astype(np.float32)
    found, _ = convolved(choose, x, kernel)
    choose("im2col")
    exact = kernels.conv2d(x.astype(float), kernel.astype(float), padding="same")
    error, weight = np.abs(found - exact)[0], np.abs(kernel).sum(axis=(0, 1, 2))
    assert (error <= 3e-5 * 1e6 * size * weight).all()
    far = np.ones((36, 36), bool)
    first = 0 if tiles == "large tiles" else 2
    far[first:15, first:15] = False  # the tiles that see it
    assert (error[far] <= 3e-5 * 5 * size * weight).all()


@pytest.mark.parametrize("window, size", [((3, 3), 35), ((3, 3), 14), ((5, 5), 32), ((1, 7), 17)], ids=str)
def test_the_error_where_a_filter_has_a_single_entry(rng, choose, tiles, window, size):
    """An output is one pixel times a number, and all that the transforms add has to cancel."""
    x = rng.choice([-1, 1], (4, size, size, 96)) * rng.uniform(0.9, 1, (4, size, size, 96)).astype(np.float32)
    kernel = np.zeros((*window, 96, 96), np.float32)
    entries = rng.integers(window[0], size=96), rng.integers(window[1], size=96), rng.permutation(96), np.arange(96)
    kernel[entries] = rng.uniform(0.5, 1, 96)
    found, exact = convolved(choose, x.astype(np.float32), kernel)
    assert (np.abs(found - exact) <= 5e-5 * kernel.sum(axis=(0, 1, 2))).all()


def test_a_scale_of_float64_makes_the_transform_one(rng, choose):
    x, kernel = rng.standard_normal((2, 18, 18, 96), np.float32), rng.standard_normal((3, 3, 96, 96), np.float32)
    scale = rng.standard_normal(96)
    choose("winograd")
    y = kernels.conv2d(x, kernel, padding="same", scale=scale)
    choose("im2col")
    exact = kernels.conv2d(x.astype(float), kernel.astype(float), padding="same", scale=scale)
    assert y.dtype == float and np.abs(y - exact).max() <= 1e-12 * np.abs(exact).max()


def test_maps_without_channels_or_pixels(rng):
    """They stay empty, in whatever way an operation goes through the channels."""
    relu, _ = kernels.ACTIVATIONS["relu"]
    for shape in (2, 3, 0), (0, 3, 4):
        x = rng.standard_normal(shape)
        assert relu(x).shape == relu(x, out=x.copy()).shape == elementwise.add_and_relu(x, x).shape == shape

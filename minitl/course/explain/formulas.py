"""The arithmetic of one update, one number at a time, as a person would do it by hand.

Each function computes a single number of one image from lists of lists. x[h][w][c] is a number of a pixel and
kernel[kh][kw][c][f] a weight. `grad` is dL/dy, the upstream gradient: the gradient of the loss with respect to the
layer's output. The engine uses nothing of this module, and this module uses nothing of the engine: so it is a real
check. The derivations stand where the engine computes the same (`kernels`, `layers`, `losses`).
"""

import math


def convolution_terms(x, kernel, i, j, f, before=0):
    """Return the products whose sum is y[i][j][f] without the bias, as pairs (pixel, weight).

    `before` rows and columns of zeros stand above the image and to its left. Products with these zeros are left out.
    """
    terms = []
    for kh, kernel_row in enumerate(kernel):
        for kw, weights in enumerate(kernel_row):
            h, w = i + kh - before, j + kw - before
            if 0 <= h < len(x) and 0 <= w < len(x[0]):
                terms += [(x[h][w][c], weights[c][f]) for c in range(len(weights))]
    return terms


def convolution(x, kernel, bias, i, j, f, before=0):
    """Return y[i][j][f] = bias[f] + sum of pixel * weight."""
    return bias[f] + math.fsum(pixel * weight for pixel, weight in convolution_terms(x, kernel, i, j, f, before))


def convolution_kernel_gradient(x, grad, kh, kw, c, f, before=0):
    """Return dL/dkernel[kh][kw][c][f] = sum over i, j of grad[i][j][f] * the pixel that this weight multiplied."""
    products = []
    for i, grad_row in enumerate(grad):
        for j, grad_pixel in enumerate(grad_row):
            h, w = i + kh - before, j + kw - before
            if 0 <= h < len(x) and 0 <= w < len(x[0]):
                products.append(grad_pixel[f] * x[h][w][c])
    return math.fsum(products)


def convolution_bias_gradient(grad, f):
    """Return dL/dbias[f] = sum over i, j of grad[i][j][f]: the bias was added at every place."""
    return math.fsum(pixel[f] for row in grad for pixel in row)


def relu(z):
    """Return max(z, 0)."""
    return z if z > 0 else 0.0


def relu_gradient(grad, y):
    """Return dL/dz: the slope of ReLU is 1 where the output y is positive, and 0 elsewhere."""
    return grad if y > 0 else 0.0


def max_pool_window(x, i, j, c):
    """Return the four pixels of the 2x2 window (i, j), row by row."""
    return [x[2 * i + a][2 * j + b][c] for a in (0, 1) for b in (0, 1)]


def max_pool(x, i, j, c):
    """Return y[i][j][c], the largest number of a 2x2 window."""
    return max(max_pool_window(x, i, j, c))


def max_pool_gradient(grad, x, h, w, c):
    """Return dL/dx[h][w][c]: the gradient of a window goes to its largest pixel (the first of equal ones)."""
    i, j = h // 2, w // 2
    if i >= len(grad) or j >= len(grad[0]):  # an odd last row or column is in no window
        return 0.0
    window = max_pool_window(x, i, j, c)
    return grad[i][j][c] if window.index(max(window)) == 2 * (h % 2) + w % 2 else 0.0


def mean_of_channel(x, c):
    """Return the mean of a channel over all pixels: global average pooling."""
    return math.fsum(pixel[c] for row in x for pixel in row) / (len(x) * len(x[0]))


def normalized(x, gamma, beta, mean, variance, epsilon):
    """Return gamma * (x - mean) / sqrt(variance + epsilon) + beta: batch normalization with fixed mean and variance."""
    return gamma * (x - mean) / math.sqrt(variance + epsilon) + beta


def dense(x, kernel, bias, u):
    """Return y[u] = bias[u] + sum over i of x[i] * kernel[i][u]."""
    return bias[u] + math.fsum(x[i] * kernel[i][u] for i in range(len(x)))


def dense_input_gradient(grad, kernel, i):
    """Return dL/dx[i] = sum over u of grad[u] * kernel[i][u]."""
    return math.fsum(grad[u] * kernel[i][u] for u in range(len(grad)))


def softmax(z, k):
    """Return exp(z[k]) / sum of exp(z)."""
    return math.exp(z[k]) / math.fsum(math.exp(each) for each in z)


def crossentropy(p, label):
    """Return minus the logarithm of the probability of the right class."""
    return -math.log(p[label])


def momentum_step(parameter, velocity, gradient, learning_rate, momentum):
    """Return (v, p) after v <- momentum * v - learning rate * gradient and p <- p + v."""
    velocity = momentum * velocity - learning_rate * gradient
    return velocity, parameter + velocity

"""Train all heads of a cross-validation at once: their steps are a few products of stacked arrays.

A head is small. For 32 rows of 1,280 features and two classes, a step of `fit` takes half a millisecond, and nearly all
of it goes into calling layers, loss and optimizer. Three candidates and five folds are fifteen trainings of some
hundred such steps. Here, all of them take each step together, and the trainings of one fold share the batch and its
statistics.

`left_out_naive` does the same with a model for each training (`head_training.trained_head`). The two differ by rounding
alone.

Who calls this: `two_stages` and `minitl.sklearn`, for `head_choice.choose_head`. Axes: K folds, R candidates with the
same rows, B examples of a batch, D features, C classes.
"""

import numpy as np

from ..data.balanced import balanced
from ..data.batches import training_order
from ..data.labels import balanced_weights
from ..errors import DivergedError
from ..kernels.activations import softmax
from ..kernels.parallel import one_blas_thread
from ..progress import Progress
from ..randomness import generator
from .head_training import new_head, trained_head
from .heads import before_normalization, learning_layers, without_a_batch_of_one
from .schedules import learning_rate_schedule
from .stage import MOMENTUM


def left_out_naive(settings, heads, x, y, classes, fold, epochs):
    """Return what `left_out` returns, with one model after the other."""
    found = {head: np.empty((len(y), classes), np.float32) for head in heads}
    for out in (fold == k for k in range(fold.max() + 1)):
        for head in heads:
            model = trained_head(settings, head, x[~out], y[~out], classes, epochs)
            found[head][out] = model.predict(x[out], verbose=0)
    return found


def left_out(settings, heads, x, y, classes, fold, epochs, verbose=1):
    """Return {head: probabilities (N, C)}. Those of an example come from a head that was not trained on its fold.

    settings, heads, epochs   as in `head_training.trained_head`, with a list of `Head`s
    x, y    features (N, D) and labels (N,);   fold   (N,), the number of the fold of each example
    """
    found = {head: np.empty((len(y), classes), np.float32) for head in heads}
    outs = [fold == k for k in range(fold.max() + 1)]
    total = len(outs) * len(heads) * epochs
    with Progress("Choosing a head", total, enabled=bool(verbose), covers=True) as bar, one_blas_thread():
        for kind in dict.fromkeys(head.rows for head in heads):
            alike = [head for head in heads if head.rows == kind]
            rows = before_normalization(learning_layers(classes, kind == "unit"), x)  # as they reach the normalization
            for size in sorted({int((~out).sum()) for out in outs}):  # folds of one size have the same steps
                together = [out for out in outs if (~out).sum() == size]
                trained = _trained(settings, alike, rows, y, classes, together, epochs, bar)
                for k, out in enumerate(together):
                    for r, head in enumerate(alike):
                        found[head][out] = trained.probabilities(rows[out], k, r)
                        if not np.isfinite(found[head][out]).all():
                            trained_head(settings, head, x[~out], y[~out], classes, epochs)  # names step and gradient
                            raise DivergedError(f"{head} has diverged. Try a smaller learning rate.")
    return found


def _trained(settings, heads, x, y, classes, outs, epochs, bar):
    """Return `_Heads` trained without each of the folds `outs`, masks (N,) that leave the same number of examples."""
    places = np.array([np.flatnonzero(~out) for out in outs])  # (K, examples)
    size = places.shape[1]
    batch_size = without_a_batch_of_one(settings.batch_size, size)
    steps_an_epoch = -(-size // batch_size)
    warm_up = round(min(settings.warm_up, epochs) * steps_an_epoch)
    schedules = [
        learning_rate_schedule(settings.schedule, head.learning_rate, epochs * steps_an_epoch, warm_up)
        for head in heads
    ]
    smoothing = np.array([head.label_smoothing for head in heads], np.float32)[:, None]  # (R, 1)
    targets = np.eye(classes, dtype=np.float32)[y][:, None] * (1 - smoothing) + smoothing / classes  # (N, R, C)
    stacked, weights, orders = _Heads(len(outs), x.shape[1], len(heads), classes), None, []
    if settings.class_weights:
        of_class = [balanced_weights(y[these], classes) for these in places]
        weights = np.array([[of_class[k][label] for label in y[these]] for k, these in enumerate(places)], np.float32)
    for k, these in enumerate(places):
        # Each training draws the random numbers that it would draw alone.
        stacked.begin(k, *new_head(settings, heads[0]._replace(rows="plain"), x[these], y[these], classes).layers[-2:])
        orders.append((balanced(y[these], y[these]) if settings.balance else y[these], generator()))
    fold = np.arange(len(outs))[:, None]
    for step in range(epochs * steps_an_epoch):
        number = step % steps_an_epoch
        if number == 0:
            order = np.array([training_order((source,), batch_size, rng) for source, rng in orders])  # (K, examples)
        drawn = order[:, number * batch_size : (number + 1) * batch_size]  # (K, B)
        batch = places[fold, drawn]
        rates = np.array([each(step) if callable(each) else each for each in schedules], np.float32)
        of_batch = None if weights is None else weights[fold, drawn]
        with np.errstate(over="ignore", invalid="ignore"):  # of a head that diverges: `left_out` refuses it
            stacked.step(x[batch], targets[batch], of_batch, rates, settings)
        if number == steps_an_epoch - 1:
            bar.advance(len(outs) * len(heads))
    return stacked


class _Heads:
    """K * R heads of `heads.learning_layers`: batch normalization, a dense layer and a softmax, learning with SGD.

    Of each parameter, one array holds all heads: kernel (K, D, R, C), bias (K, 1, R, C), gamma and beta (K, D, R, 1).
    The moving statistics (K, D) are those of the batch, so the heads of a fold have the same.
    """

    def __init__(self, folds, features, heads, classes):
        shapes = (features, heads, 1), (features, heads, 1), (features, heads, classes), (1, heads, classes)
        self.gamma, self.beta, self.kernel, self.bias = (np.empty((folds, *shape), np.float32) for shape in shapes)
        self.mean, self.variance = np.empty((2, folds, features), np.float32)
        self.parameters = self.gamma, self.beta, self.kernel, self.bias
        self.velocities = [np.zeros_like(each) for each in self.parameters]

    def begin(self, k, normalization, dense):
        """Begin the heads of fold k with the values of two layers."""
        self.momentum, self.epsilon = normalization.momentum, normalization.epsilon
        self.mean[k], self.variance[k] = normalization.moving_mean, normalization.moving_variance
        self.gamma[k, ..., 0], self.beta[k, ..., 0] = normalization.gamma[:, None], normalization.beta[:, None]
        self.kernel[k], self.bias[k] = dense.kernel[:, None], dense.bias

    def probabilities(self, x, k, r):
        """Return the probabilities (N, C) of examples x (N, D) by head r of fold k."""
        normalized = (x - self.mean[k]) / np.sqrt(self.variance[k] + self.epsilon)
        normalized = normalized * self.gamma[k, :, r, 0] + self.beta[k, :, r, 0]
        return softmax(normalized @ self.kernel[k, :, r] + self.bias[k, 0, r])

    def step(self, x, t, weights, rates, settings):
        """Move all heads by one step.

        x        (K, B, D), overwritten;   t   targets (K, B, R, C);   weights   of the examples (K, B), or None
        rates    learning rates (R,);   settings   with weight_decay and clip_norm

        With v = (x - mean) * s, s = 1 / sqrt(variance + epsilon), a head computes

            z = (gamma v + beta) @ W + b        p = softmax(z)

        and with weights w of the examples, the gradient of the mean cross-entropy is g = dL/dz = w (p - t) / B. The
        features x need no gradient. So all others follow from one product M (D, C) and the sum of g over the batch:

            M_dc = sum_n v_nd g_nc              G_c = sum_n g_nc
            dL/dW_dc = sum_n (gamma_d v_nd + beta_d) g_nc = gamma_d M_dc + beta_d G_c        dL/db_c = G_c
            dL/dgamma_d = sum_n v_nd sum_c g_nc W_dc = sum_c M_dc W_dc      dL/dbeta_d = sum_c G_c W_dc

        and v itself is never needed: v @ (gamma W) = (x - mean) @ (s gamma W), M = s * ((x - mean)^T g).
        """
        folds, size, features = x.shape
        mean = x.mean(axis=1)  # (K, D)
        x -= mean[:, None]
        variance = np.einsum("kbd,kbd->kd", x, x) / size
        for moving, of_batch in (self.mean, mean), (self.variance, variance):
            moving *= self.momentum
            moving += (1 - self.momentum) * of_batch
        s = 1 / np.sqrt(variance + self.epsilon)[:, :, None, None]  # (K, D, 1, 1)
        product = x @ (s * self.gamma * self.kernel).reshape(folds, features, -1)  # (K, B, R * C)
        z = product.reshape(t.shape) + (self.beta * self.kernel).sum(axis=1, keepdims=True) + self.bias
        g = (softmax(z) - t) / np.float32(size)
        if weights is not None:
            g *= weights[:, :, None, None]
        m = (x.transpose(0, 2, 1) @ g.reshape(folds, size, -1)).reshape(self.kernel.shape)  # (K, D, R, C)
        m *= s
        total = g.sum(axis=1, keepdims=True)  # G (K, 1, R, C)
        gradients = [
            (m * self.kernel).sum(axis=3, keepdims=True),
            (total * self.kernel).sum(axis=3, keepdims=True),
            self.gamma * m + self.beta * total,
            total,
        ]
        if settings.clip_norm is not None:  # of all gradients of a head together
            squares = sum((each.astype(np.float64) ** 2).sum(axis=(1, 3), keepdims=True) for each in gradients)
            factor = np.minimum(1, settings.clip_norm / np.maximum(np.sqrt(squares), 1e-30)).astype(np.float32)
            gradients = [each * factor for each in gradients]
        rates = rates[:, None]  # (R, 1)
        for parameter, velocity, gradient in zip(self.parameters, self.velocities, gradients):
            if settings.weight_decay:
                parameter -= rates * np.float32(settings.weight_decay) * parameter
            velocity *= MOMENTUM
            velocity -= rates * gradient
            parameter += velocity

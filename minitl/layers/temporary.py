import numpy as np
from .base import Layer
from ..randomness import generator
from ..kernels import matmul, channel_sums


class RMSNormalization(Layer):
    config_names = ("epsilon",)

    def __init__(self, axis=-1, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, s):
        self.add_weight("scale", (s[-1],), "ones")

    def forward(self, x, training=False):
        self.accept(x.shape)
        inv = 1 / np.sqrt(np.einsum("...d,...d->...", x, x)[..., None] / x.shape[-1] + x.dtype.type(self.epsilon))
        v = x * inv
        self.remember(v, inv)
        return v * self.scale

    def backward(self, grad):
        v, inv = self.remembered()
        if self.trainable:
            self.gradients["scale"] = channel_sums(grad * v)
        dv = grad * self.scale
        dv -= v * (np.einsum("...d,...d->...", dv, v)[..., None] / v.shape[-1])
        dv *= inv
        return dv


class ReversibleEmbedding(Layer):
    config_names = ("input_dim", "output_dim")
    call_options = ("reverse",)

    def __init__(self, input_dim, output_dim, **kwargs):
        super().__init__(**kwargs)
        self.input_dim, self.output_dim = input_dim, output_dim

    def build(self, s):
        self.add_weight(
            "embeddings",
            (self.input_dim, self.output_dim),
            lambda s, dtype="float32": generator().uniform(-0.05, 0.05, s).astype(np.float32),
        )

    def compute_output_shape(self, s):
        return (*s, self.output_dim) if len(s) == 2 else (*s[:-1], self.input_dim)

    def forward(self, x, training=False, reverse=False):
        self.accept(x.shape)
        self.remember(x)
        if x.dtype.kind in "iu":
            return self.embeddings[x]
        return matmul(x.reshape(-1, x.shape[-1]), self.embeddings.T).reshape(*x.shape[:-1], self.input_dim)

    def backward(self, grad):
        self.backward_to_parameters(grad)
        (x,) = self.remembered()
        return matmul(grad.reshape(-1, self.input_dim), self.embeddings).reshape(x.shape)

    def backward_to_parameters(self, grad):
        (x,) = self.remembered()
        if x.dtype.kind in "iu":
            one = np.zeros((x.size, self.input_dim), grad.dtype)
            one[np.arange(x.size), x.ravel()] = 1
            self.gradients["embeddings"] = matmul(one.T, grad.reshape(x.size, -1))
        else:
            self.gradients["embeddings"] = matmul(grad.reshape(-1, self.input_dim).T, x.reshape(-1, x.shape[-1]))

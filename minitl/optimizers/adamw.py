"""AdamW: Adam with weight decay that is no part of the gradient. The decay itself is in `base`."""

from ..arguments import keras_arguments
from ..errors import ArgumentError
from .adam import Adam
from .base import OF_ALL_OPTIMIZERS


class AdamW(Adam):
    """Adam whose `weight_decay` is 0.004 by default: each step first does p <- p - lr weight_decay p. Loshchilov and
    Hutter 2019.

    In minitl, as in Keras, Adam with the same weight_decay does the same.
    """

    name = "adamw"

    @keras_arguments(after="global_clipnorm", **OF_ALL_OPTIMIZERS)
    def __init__(
        self,
        learning_rate=0.001,
        weight_decay=0.004,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        amsgrad=False,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        **shared,
    ):
        if weight_decay is None:
            raise ArgumentError("weight_decay is None; expected a number. Without decay, take Adam.")
        clipping = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, **clipping, **shared)

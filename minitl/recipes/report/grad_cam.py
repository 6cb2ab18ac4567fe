"""Grad-CAM: where in a picture is what a network's answer rests on?

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", 2017. The last
convolution of a network leaves maps A (H, W, K): channel k is large where the thing that it knows is seen. What is
channel k worth for class c? The score y_c before the softmax is a function of all these numbers. To first order, adding
a little e to the whole of channel k changes it by

    y_c(A + e in channel k) - y_c(A)  =  e * sum_ij dy_c/dA_ijk  =  e * HW * a_k        a_k = mean_ij dy_c/dA_ijk

So a_k, the spatial mean of the gradient, is what a unit of channel k is worth, and the map of class c is

    L_ij = relu(sum_k a_k A_ijk)

the relu because what speaks against the class is of no interest here. The score and not the probability: the softmax's
gradient dies where the network is sure, and mixes in what the other classes lose.

For a network that ends in an average over the map and a dense layer, y_c = sum_k w_kc mean_ij A_ijk + b_c, and so
dy_c/dA_ijk = w_kc / HW: up to that factor, Grad-CAM is the class activation map sum_k w_kc A_ijk of Zhou et al. 2016.
The tests compare with both.
"""

import numpy as np

from ...errors import ArgumentError, GraphError
from ...layers import Dense
from ...models import Model


def grad_cam(model, x, classes, layer=None):
    """Show what speaks for a class, and where: float (N, H, W), 0 or more, one number for each place of the layer's
    map.

    x         images (N, height, width, channels), ready for the model
    classes   (N,): for which output of the model, for each image
    layer     the name of the layer whose maps are looked at; default: the last one with maps (`map_layer`)

    The maps are in units of the score. To lay one over a picture, divide it by its largest number and enlarge it
    (`data.resize`). Raises GraphError where the model cannot be cut behind the layer, ArgumentError for classes.
    """
    classes, outputs = np.asarray(classes), model.output_shape[-1]
    if classes.shape != (len(x),) or classes.dtype.kind not in "iu" or not np.all((0 <= classes) & (classes < outputs)):
        raise ArgumentError(f"classes is {classes!r}; expected one of 0 to {outputs - 1} for each of {len(x)} images.")
    cut = model.output_of(map_layer(model) if layer is None else layer)
    if cut not in model.cuts or len(cut.shape) != 4:
        raise GraphError(f"the layer '{cut.layer.name}' has no maps that all the rest of the model is computed from.")
    maps = Model(model.input, cut).forward(x, gradients="none")  # (N, H, W, K)
    gradient = _score_gradient(model, cut, maps, classes)  # (N, H, W, K)
    worth = gradient.mean(axis=(1, 2))  # (N, K)
    return np.maximum(np.einsum("nhwk,nk->nhw", maps, worth), 0)


def sees_something(layer):
    """Return False for a layer that only moves or gathers the maps of the layer before it, as a pooling does."""
    return layer.is_elementwise or not layer.keeps_channels


def map_layer(model):
    """Return the name of the last layer whose output is maps, and that sees something of its own in them (a pooling
    does not). Raises GraphError for a model without one."""
    for tensor in reversed(model.cuts):
        if len(tensor.shape) == 4 and sees_something(tensor.layer):
            return tensor.layer.name
    raise GraphError("the model has no maps to look at: no convolution behind which it is a single path.")


def _score_gradient(model, cut, maps, classes):
    """dy_c/dmaps (N, H, W, K) of the scores before the softmax.

    A dense layer with a softmax of its own has computed its scores z = h @ kernel + bias on the way: dz_c/dh is column
    c of the kernel, and from h on backward does the rest. Other models are asked for the gradient of their output.
    """
    end = model.output
    while end.layer.output_activation == "softmax" and not end.layer.weight_names:
        (end,) = end.inputs
    if isinstance(end.layer, Dense) and end.layer.activation == "softmax":
        gradient, end = end.layer.kernel.T[classes], end.inputs[0]  # (N, inputs of the dense layer)
    else:
        gradient = np.eye(model.output_shape[-1], dtype=maps.dtype)[classes]
    behind = Model(cut, end)
    behind.forward(maps, gradients="input")
    return behind.backward(np.ascontiguousarray(gradient))

"""Grad-CAM: the places in an image on which a network's prediction rests.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", 2017. The last
convolution of a network returns maps A (H, W, C): channel k is large where its pattern is found. How much does channel
k contribute to class c? The score y_c before the softmax is a function of all these numbers. To first order, adding a
small number e to the whole of channel k changes the score by

    y_c(A + e in channel k) - y_c(A)  =  e * sum_ij dy_c/dA_ijk  =  e * HW * a_k        a_k = mean_ij dy_c/dA_ijk

So a_k, the spatial mean of the gradient, is the contribution of a unit of channel k, and the map of class c is

    L_ij = relu(sum_k a_k A_ijk)

The relu leaves out the places that speak against the class. The map uses the score, not the probability: the gradient
of the softmax vanishes where the network is sure, and it contains the gradients of the other scores.

For a network that ends in an average over the map and a dense layer, y_c = sum_k w_kc mean_ij A_ijk + b_c, and so
dy_c/dA_ijk = w_kc / HW. Up to that factor, Grad-CAM is the class activation map sum_k w_kc A_ijk of Zhou et al. 2016.
The tests compare with both.
"""

import numpy as np

from ...errors import ArgumentError, GraphError
from ...layers import Dense
from ...models import Model


def grad_cam(model, x, classes, layer=None):
    """Return for each image how much each place of a layer's maps speaks for a class: float (N, H, W), 0 or more.

    x         images (N, height, width, channels), ready for the model
    classes   (N,): the class (the output of the model) for each image
    layer     the name of the layer whose maps are used; default: the last layer with maps (`map_layer`)

    The maps are in units of the score. To lay a map over an image, divide it by its largest number and enlarge it
    (`data.resize`). Raises GraphError where the model cannot be cut behind the layer, ArgumentError for wrong classes.
    """
    classes, outputs = np.asarray(classes), model.output_shape[-1]
    if classes.shape != (len(x),) or classes.dtype.kind not in "iu" or not np.all((0 <= classes) & (classes < outputs)):
        raise ArgumentError(f"classes is {classes!r}; expected one of 0 to {outputs - 1} for each of {len(x)} images.")
    cut = model.output_of(map_layer(model) if layer is None else layer)
    if cut not in model.cuts or len(cut.shape) != 4:
        raise GraphError(f"the layer '{cut.layer.name}' has no maps that all the rest of the model is computed from.")
    maps = Model(model.input, cut).forward(x, gradients="none")  # (N, H, W, C)
    gradient = _score_gradient(model, cut, maps, classes)  # (N, H, W, C)
    contribution = gradient.mean(axis=(1, 2))  # (N, C)
    return np.maximum(np.einsum("nhwc,nc->nhw", maps, contribution), 0)


def sees_something(layer):
    """Return False for a layer that only moves or pools the maps of the layer before it."""
    return layer.is_elementwise or not layer.keeps_channels or bool(layer.weight_names)


def map_layer(model):
    """Return the name of the last layer with maps that computes more than a pooling (`sees_something`).

    Raises GraphError for a model without such a layer.
    """
    for tensor in reversed(model.cuts):
        if len(tensor.shape) == 4 and sees_something(tensor.layer):
            return tensor.layer.name
    raise GraphError("the model has no maps to look at: no convolution behind which it is a single path.")


def _score_gradient(model, cut, maps, classes):
    """Return dy_c/dmaps (N, H, W, C) of the scores before the softmax.

    A dense layer with a softmax computes the scores z = h @ kernel + bias first: dz_c/dh is column c of the kernel, and
    `backward` goes on from h. For other models, it is the gradient of the output.
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
